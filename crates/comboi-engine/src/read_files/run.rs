//! Statements over files, and what it means when they fail.

use super::Error;
use super::fit::{NULL_FOUND, UNFIT};
use crate::failure::{Failure, Kind, first_line};
use crate::instance::Instance;

pub(crate) fn run(
    instance: &Instance,
    doing: &str,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, Error> {
    instance
        .rows(query)
        .map_err(|failure| explain(instance, failure, doing))
}

fn explain(instance: &Instance, failure: Failure, doing: &str) -> Error {
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
