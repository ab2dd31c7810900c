//! What a query reads: staged files, under the name that people's SQL calls them by.

use std::path::{Path, PathBuf};

use comboi_project::Columns;

/// A version of a dataset, staged on the local disk.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// What people's SQL calls it.
    pub alias: &'a str,
    /// What people's SQL sees. The files keep the lake's own types.
    pub columns: &'a Columns,
    /// Parquet files. None: a relation without rows. A column that a file lacks is NULL in its rows.
    pub files: &'a [PathBuf],
}

/// An SQL file that somebody wrote.
#[derive(Clone, Copy, Debug)]
pub struct SqlFile<'a> {
    /// As the person would type it.
    pub path: &'a Path,
    /// What is in it.
    pub text: &'a str,
}
