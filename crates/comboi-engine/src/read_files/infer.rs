//! What the columns of files are, found in (a sample of) their values.
//!
//! A text is a number only if it would be written the same way again: `007` and `+49…` stay text.

use comboi_project::SqlType;

use super::counts::{COUNTS, Counts, counts};
use super::relation::from;
use super::run::run;
use super::{Error, FileColumn, FileToRead, Group, Layout, TextRules, json};
use crate::Session;

/// A column that was found in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// As the files spell it; for CSV as the group does.
    pub spelled: String,
    /// The narrowest type that all values looked at have; `Null` if there was none.
    pub sql_type: SqlType,
}

/// The columns of a group's files: by position for CSV, in the order of their first appearance for JSON.
///
/// With `rows_per_file`, only the first rows of each file are looked at. Lines that can't be understood are passed over.
pub fn infer(
    session: &Session,
    group: &Group,
    rules: &TextRules,
    rows_per_file: Option<u64>,
) -> Result<Vec<Found>, Error> {
    if group.files.is_empty() {
        return Ok(Vec::new());
    }
    let instance = session.free()?;
    instance.own(
        "keep the order of rows",
        "SET preserve_insertion_order = true",
    )?;
    let found = match &group.layout {
        Layout::Parquet => Ok(group.columns.iter().map(typed).collect()),
        Layout::Json(json) => json::infer(session, group, json, rules, rows_per_file),
        _ => csv(session, group, rows_per_file, rules),
    };
    instance.own(
        "let go of the order of rows",
        "SET preserve_insertion_order = false",
    )?;
    found
}

fn typed(column: &FileColumn) -> Found {
    Found {
        spelled: column.spelled.clone(),
        sql_type: column.sql_type.clone().unwrap_or(SqlType::Varchar(None)),
    }
}

fn sample(group: &Group, rules: &TextRules, what: &str, rows_per_file: Option<u64>) -> String {
    let select = |group: &Group, limit: &str| {
        let from = from(group, rules);
        // Mistakes are found and told about later, when everything is read.
        let from = match group.layout {
            Layout::Csv(_) => from.replacen(
                "auto_detect = false",
                "auto_detect = false, ignore_errors = true",
                1,
            ),
            _ => from,
        };
        format!("SELECT {what} FROM {from}{limit}")
    };
    let Some(rows) = rows_per_file else {
        return select(group, "");
    };
    let one = |file: &FileToRead| {
        let group = Group {
            files: vec![file.clone()],
            ..group.clone()
        };
        format!("({})", select(&group, &format!(" LIMIT {rows}")))
    };
    group
        .files
        .iter()
        .map(one)
        .collect::<Vec<_>>()
        .join(" UNION ALL ")
}

fn csv(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
) -> Result<Vec<Found>, Error> {
    let width = group.columns.len();
    let names: Vec<String> = (0..width).map(|i| format!("c{i}")).collect();
    let counts: Vec<String> = names.iter().map(|name| counts(name, rules, None)).collect();
    let query = format!(
        "SELECT {} FROM ({})",
        counts.join(", "),
        sample(group, rules, &names.join(", "), rows_per_file)
    );
    let row = run(session.free()?, "find the types of columns", &query)?
        .pop()
        .unwrap_or_default();
    let types = row
        .chunks(COUNTS)
        .map(|cells| Counts::parse(cells).sql_type());
    let found = group.columns.iter().zip(types);
    Ok(found
        .map(|(column, sql_type)| Found {
            spelled: column.spelled.clone(),
            sql_type,
        })
        .collect())
}
