//! Reading sources into staged files.
