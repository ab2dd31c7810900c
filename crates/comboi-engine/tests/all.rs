//! The engine from outside: files and SQL in, files and messages out.
mod build;
