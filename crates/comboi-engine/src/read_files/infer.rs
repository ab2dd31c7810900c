//! What the columns of files are, found in (a sample of) their values.
//!
//! A text is a number only if it would be written the same way again: `007` and `+49…` stay text.

use comboi_project::SqlType;
use duckdb::arrow::array::{Array as _, AsArray as _, BooleanArray, RecordBatch, StringArray};

use super::counts::{Counts, Formatted, Kind};
use super::fit::{self, Origin};
use super::relation::from;
use super::run::stream;
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
    let instance = &*instance;
    instance.own(
        "keep the order of rows",
        "SET preserve_insertion_order = true",
    )?;
    let found = match &group.layout {
        Layout::Parquet => Ok(group.columns.iter().map(typed).collect()),
        Layout::Json(json) => json::infer(session, group, json, rules, rows_per_file),
        _ => csv(session, group, rows_per_file, rules),
    };
    let set = instance.own(
        "let go of the order of rows",
        "SET preserve_insertion_order = false",
    );
    let found = found?;
    set?;
    Ok(found)
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
    let names: Vec<String> = (0..group.columns.len()).map(|i| format!("c{i}")).collect();
    let sample = sample(group, rules, &names.join(", "), rows_per_file);
    let query = format!("SELECT {} FROM ({sample})", Looks::select(&names, rules));
    let mut looks = Looks::new(names.len(), rules);
    stream(
        &*session.free()?,
        "find the types of columns",
        &query,
        |rows| looks.see(rows, 0),
    )?;
    let found = group.columns.iter().zip(&looks.counts);
    Ok(found
        .map(|(column, counts)| Found {
            spelled: column.spelled.clone(),
            sql_type: counts.sql_type(),
        })
        .collect())
}

/// The values of columns of text, counted as they come from DuckDB.
pub(super) struct Looks<'a> {
    rules: &'a TextRules,
    pub(super) counts: Vec<Counts>,
}

impl<'a> Looks<'a> {
    pub(super) fn new(width: usize, rules: &'a TextRules) -> Self {
        Self {
            rules,
            counts: vec![Counts::default(); width],
        }
    }

    /// What [`see`](Self::see) wants of these texts: they themselves, then what DuckDB says of them by each format.
    pub(super) fn select(texts: &[String], rules: &TextRules) -> String {
        let formatted = formats(rules).into_iter().flat_map(|to| {
            let is_one = move |c: &String| {
                let value = fit::text(c, &to, rules, Origin::Declared).value;
                format!("({value}) IS NOT NULL")
            };
            texts.iter().map(is_one)
        });
        let all: Vec<String> = texts.iter().cloned().chain(formatted).collect();
        all.join(", ")
    }

    /// Counts rows whose texts begin at this column.
    pub(super) fn see(&mut self, rows: &RecordBatch, first: usize) {
        let width = self.counts.len();
        let formats = formats(self.rules);
        for (place, counts) in self.counts.iter_mut().enumerate() {
            let texts: &StringArray = rows.column(first + place).as_string();
            let formatted: Vec<(&SqlType, &BooleanArray)> = formats
                .iter()
                .zip((1..).map(|i| rows.column(first + width * i + place).as_boolean()))
                .collect();
            for row in (0..texts.len()).filter(|row| !texts.is_null(*row)) {
                let formatted = at_row(&formatted, row);
                counts.see(texts.value(row), Kind::Field, formatted, self.rules);
            }
        }
    }
}

/// What DuckDB says of the text in this row.
pub(super) fn at_row(columns: &[(&SqlType, &BooleanArray)], row: usize) -> Formatted {
    let mut formatted = Formatted::default();
    for (of, is_one) in columns {
        let is_one = Some(is_one.value(row));
        match of {
            SqlType::Date => formatted.date = is_one,
            SqlType::Timestamp => formatted.timestamp = is_one,
            _ => formatted.instant = is_one,
        }
    }
    formatted
}

/// The types that have a format of their own.
pub(super) fn formats(rules: &TextRules) -> Vec<SqlType> {
    let date = rules.date_format.as_ref().map(|_| SqlType::Date);
    let moment = rules.timestamp_format.as_ref().map(|format| {
        if format.contains("%z") || format.contains("%Z") {
            SqlType::TimestampTz
        } else {
            SqlType::Timestamp
        }
    });
    date.into_iter().chain(moment).collect()
}
