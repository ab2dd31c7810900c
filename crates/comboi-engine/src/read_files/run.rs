//! Statements over files, and what it means when they fail.

use std::path::Path;

use duckdb::arrow::array::RecordBatch;

use super::fit::{NULL_FOUND, UNFIT};
use super::{Error, json};
use crate::damage::{blamed, in_pages, unreadable_value};
use crate::failure::{Failure, Kind, first_line};
use crate::instance::Instance;

pub(crate) fn run(
    instance: &Instance,
    doing: &str,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, Error> {
    run_over::<&Path>(instance, doing, query, &[], |_| None)
}

/// The same where one of these Parquet files may be damaged, and for what the caller knows a meaning of.
pub(crate) fn run_over<P: AsRef<Path>>(
    instance: &Instance,
    doing: &str,
    query: &str,
    files: &[P],
    known: impl FnOnce(&Failure) -> Option<Error>,
) -> Result<Vec<Vec<Option<String>>>, Error> {
    instance.rows(query).map_err(|failure| {
        if let Some(error) = known(&failure) {
            return error;
        }
        let damage = match failure.kind {
            Kind::Damage => blamed(instance, &failure, files),
            _ => in_pages(&failure.message),
        };
        if let Some(damage) = damage {
            return Error::BadFile(damage);
        }
        let is_value = failure.kind == Kind::Value;
        match explain(instance, failure, doing) {
            Error::Engine(error) if is_value => {
                unreadable_value(instance, files).map_or(Error::Engine(error), Error::BadFile)
            }
            error => error,
        }
    })
}

/// Hands the rows of a query to `each` as they come, as Arrow batches.
pub(super) fn stream(
    instance: &Instance,
    doing: &str,
    query: &str,
    mut each: impl FnMut(&RecordBatch),
) -> Result<(), Error> {
    let done = instance.batches(query, &mut each);
    done.map_err(|failure| explain(instance, failure, doing))
}

fn explain(instance: &Instance, failure: Failure, doing: &str) -> Error {
    if let Some((_, file)) = failure.message.split_once(json::BAD_FILE) {
        return Error::BadFile(first_line(file));
    }
    if failure.message.contains(NULL_FOUND) {
        return Error::NullInIncrementalColumn;
    }
    match failure.kind {
        Kind::Value if failure.message.contains(UNFIT) => Error::Unfit,
        // CSV and JSON errors quote lines of the file after the first line.
        Kind::Value if is_about_text(&failure.message) => Error::Unfit,
        Kind::Value | Kind::File | Kind::Permission if names_a_file(&failure.message) => {
            Error::BadFile(first_line(&failure.message))
        }
        _ => Error::Engine(instance.explain(failure, doing)),
    }
}

fn is_about_text(message: &str) -> bool {
    ["CSV ", "JSON", "Map keys", "utf", "UTF", "unicode"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn names_a_file(message: &str) -> bool {
    [".parquet", "arquet file", "Failed to read"]
        .iter()
        .any(|sign| message.contains(sign))
}
