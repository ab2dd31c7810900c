//! Every type that the lake keeps, there and back: the rows of docs/types.md.
