//! Tables of files from end to end: a folder and a configuration in, rows and notes out.
#![allow(
    clippy::unwrap_used,
    reason = "the helpers of tests may end a test, too"
)]

#[path = "all/shop.rs"]
mod shop;

#[path = "all/bad_rows.rs"]
mod bad_rows;
#[path = "all/changes.rs"]
mod changes;
#[path = "all/folders.rs"]
mod folders;
#[path = "all/formats.rs"]
mod formats;
#[path = "all/future.rs"]
mod future;
#[path = "all/json.rs"]
mod json;
#[path = "all/keyed.rs"]
mod keyed;
#[path = "all/nested.rs"]
mod nested;
#[path = "all/new_rows.rs"]
mod new_rows;
#[path = "all/parquet.rs"]
mod parquet;
#[path = "all/typing.rs"]
mod typing;
#[path = "all/zeros.rs"]
mod zeros;
