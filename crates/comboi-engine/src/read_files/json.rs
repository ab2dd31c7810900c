//! JSON as a relation of texts: two table functions that DuckDB calls on all its threads.
//!
//! DuckDB's own JSON reader keeps numbers as doubles, takes texts that are not JSON, and drops keys. Here a
//! record is checked against RFC 8259, and each value keeps the text that the file has; [`super::fit`] then makes
//! values of the texts, as of those of CSV.
//!
//! Both functions take a [`Scan`] as their argument. `comboi_json` returns the rows ([`rows`]),
//! `comboi_json_values` every value with its path ([`values`]), from which the types are found.

mod check;
mod cut;
mod records;
mod rows;
mod scanner;
mod shape;
mod text;
mod values;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;

use comboi_project::SqlType;
use serde::{Deserialize, Serialize};

use super::{Compression, Group, Layout, Reading, TextRules};
use crate::instance::Instance;
use crate::{Error, sql};
pub(super) use check::nested_texts;
pub(crate) use check::{define_is_json, is_json};
use shape::{Others, Shape};
pub use text::has_half_a_pair;
pub(super) use values::infer;

/// The mark of an error that is about a file as a whole, in DuckDB's messages. The text after it names the file.
pub(super) const BAD_FILE: &str = "comboi: a bad file: ";
/// Why a record is not a row, or NULL.
pub(super) const PROBLEM: &str = "_comboi_problem";
/// The columns that the problem is about.
pub(super) const PROBLEM_COLUMNS: &str = "_comboi_problem_columns";

/// How files of JSON are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Json {
    /// Of the whole file.
    pub compression: Compression,
    /// Whether each line is a record. Otherwise the content decides: an array of records, one record in each
    /// line, or one record after the other.
    pub lines: bool,
    /// Keys of nested objects that are not the names of their fields, by the path of the names. The path begins with
    /// the key of the column.
    pub keys: BTreeMap<Vec<String>, String>,
}

/// What is read: the argument of both functions.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Scan {
    files: Vec<ScanFile>,
    compression: Compression,
    lines: bool,
    /// Of each file, if not all.
    records: Option<u64>,
    columns: Vec<ScanColumn>,
    /// Whether keys that no column has are passed over.
    ignore_unknown: bool,
    /// Whether a text that does not begin with a digit is never a date or a time.
    dates_begin_with_digits: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScanFile {
    path: PathBuf,
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ScanColumn {
    key: String,
    /// For messages.
    name: String,
    sql_type: String,
    shape: Shape,
}

/// Makes the functions known to SQL.
pub(crate) fn define(instance: &Instance) -> Result<(), Error> {
    let defined = instance
        .define_table::<rows::Rows>("comboi_json")
        .and_then(|()| instance.define_table::<values::Values>("comboi_json_values"));
    defined.map_err(|failure| instance.explain(failure, "define functions"))?;
    check::define(instance)
}

/// The rows of a group of JSON files, with a text (or nested texts) for each of the group's columns.
pub(super) fn from(group: &Group, json: &Json, reading: &Reading) -> String {
    let types: HashMap<&str, &SqlType> = reading
        .columns
        .iter()
        .map(|column| (column.name.as_str(), &column.sql_type))
        .collect();
    let declared: HashSet<&str> = reading.declared.iter().map(String::as_str).collect();
    let column = |column: &super::FileColumn| {
        let name = column.name.as_deref();
        let to = name.and_then(|name| types.get(name).copied());
        let others_ignored =
            reading.ignore_unknown_keys || name.is_some_and(|name| declared.contains(name));
        let others = match (reading.sampled, others_ignored) {
            (true, _) => Others::Null,
            (false, true) => Others::Any,
            (false, false) => Others::Untyped,
        };
        let mut path = vec![column.spelled.clone()];
        ScanColumn {
            key: column.spelled.clone(),
            name: name.unwrap_or(&column.spelled).to_owned(),
            sql_type: to.map(ToString::to_string).unwrap_or_default(),
            shape: to.map_or(Shape::Text, |to| {
                Shape::of(to, &json.keys, &mut path, others)
            }),
        }
    };
    let scan = Scan {
        columns: group.columns.iter().map(column).collect(),
        ignore_unknown: reading.ignore_unknown_keys && !reading.sampled,
        ..scan(group, json, &reading.rules, None)
    };
    format!("comboi_json({})", argument(&scan))
}

fn scan(group: &Group, json: &Json, rules: &TextRules, records: Option<u64>) -> Scan {
    let file = |file: &super::FileToRead| ScanFile {
        path: file.path.clone(),
        name: file.name.clone(),
    };
    Scan {
        files: group.files.iter().map(file).collect(),
        compression: json.compression,
        lines: json.lines,
        records,
        columns: Vec::new(),
        ignore_unknown: false,
        dates_begin_with_digits: rules.date_format.is_none() && rules.timestamp_format.is_none(),
    }
}

fn argument(scan: &Scan) -> String {
    // A path that is not UTF-8 has no place in a statement either.
    sql::text(&serde_json::to_string(scan).unwrap_or_default())
}

/// How a group of JSON files is written, if it is one.
pub(super) fn layout(group: &Group) -> Option<&Json> {
    match &group.layout {
        Layout::Json(json) => Some(json),
        _ => None,
    }
}

/// The name of a nested field in the functions' own types, where people's names could be the same but for case.
pub(super) fn field(place: usize) -> String {
    format!("f{place}")
}
