//! Rows that are past an age: how many there are, and a file without them.

use std::path::Path;
use std::rc::Rc;

use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use comboi_project::{Columns, SqlType};

use crate::instance::{Instance, typed};
use crate::view::{about_files, scan};
use crate::{Error, Input, Session, parquet, sql};

/// Rows whose date or timestamp is before a moment. A date is its first minute, a timestamp without a time zone is UTC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// The column.
    pub column: String,
    /// The moment.
    pub than: DateTime<Utc>,
}

impl Older {
    /// The condition on a column as a file of the lake has it; NULL where the value is.
    fn condition(&self, stored: &Columns) -> Option<String> {
        let column = stored
            .iter()
            .find(|column| column.name.to_lowercase() == self.column.to_lowercase())?;
        let name = sql::ident(&column.name);
        Some(match column.sql_type {
            SqlType::Date => {
                let day = self.than.date_naive();
                // Of the day itself, the first minute is before any later one.
                let later = self.than.time() > NaiveTime::MIN;
                let first_kept = day + TimeDelta::days(i64::from(later));
                format!("{name} < DATE '{first_kept}'")
            }
            _ => format!(
                "{name} < make_timestamptz({})",
                self.than.timestamp_micros()
            ),
        })
    }
}

/// What the rows of a file are like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ages {
    /// All of them.
    pub row_count: u64,
    /// Those that are older than any of the columns allows.
    pub past: u64,
    /// Those of the others that have no value in any of the columns, so that nobody knows how old they are.
    pub unknown: u64,
}

/// How old the rows of each file are, in the order of the files. Reads the columns that tell, nothing else.
pub fn ages(session: &Session, input: &Input<'_>, older: &[Older]) -> Result<Vec<Ages>, Error> {
    let each = input.files.iter().map(|file| {
        let one = File::open(session, input, file)?;
        let conditions = one.conditions(older);
        let known = conditions.iter().map(|it| format!("({it}) IS NOT NULL"));
        let unknown = format!("NOT ({})", any(known));
        let query = format!(
            "SELECT count(*)::VARCHAR, (count(*) FILTER ({}))::VARCHAR, (count(*) FILTER ({unknown}))::VARCHAR FROM {}",
            past(&conditions),
            scan(&[file])
        );
        let counted = one
            .instance
            .rows(&query)
            .map_err(|failure| about_files(&one.instance, failure, &one.input))?;
        let mut counts = counted
            .into_iter()
            .flatten()
            .map(|cell| cell.and_then(|text| text.parse().ok()).unwrap_or(0));
        let mut next = || counts.next().unwrap_or(0);
        Ok(Ages {
            row_count: next(),
            past: next(),
            unknown: next(),
        })
    });
    each.collect()
}

/// Writes the rows of a file of the input that are not older to another one, in their order and with the columns of the input.
/// Answers how many there are; a file without any is written too.
pub fn without_older(
    session: &Session,
    input: &Input<'_>,
    file: &Path,
    older: &[Older],
    to: &Path,
) -> Result<u64, Error> {
    let one = File::open(session, input, file)?;
    let columns: Result<Vec<String>, Error> = input
        .columns
        .iter()
        .map(|column| {
            let kept = column.sql_type.lake_type().map_err(|e| Error::Internal {
                doing: "write rows again".to_owned(),
                message: e.to_string(),
            })?;
            let stored = one.stored.iter();
            let mut stored =
                stored.filter(|stored| stored.name.to_lowercase() == column.name.to_lowercase());
            let value = match stored.next() {
                Some(stored) if stored.sql_type == kept => sql::ident(&stored.name),
                Some(stored) => format!("CAST({} AS {kept})", sql::ident(&stored.name)),
                None => format!("CAST(NULL AS {kept})"),
            };
            Ok(format!("{value} AS {}", sql::ident(&column.name)))
        })
        .collect();
    let select = format!(
        "SELECT {} FROM {} WHERE NOT ({})",
        columns?.join(", "),
        scan(&[file]),
        past(&one.conditions(older))
    );
    one.keep_order(true)?;
    let written = parquet::write(&one.instance, &select, input.columns, to);
    one.keep_order(false)?;
    let written = written.map_err(|failure| {
        failure
            .of_writing(to)
            .unwrap_or_else(|| about_files(&one.instance, failure, &one.input))
    })?;
    let count = written.into_iter().flatten().next().flatten();
    Ok(count.and_then(|text| text.parse().ok()).unwrap_or(0))
}

fn past(conditions: &[String]) -> String {
    any(conditions.iter().map(|it| format!("coalesce({it}, false)")))
}

fn any(conditions: impl Iterator<Item = String>) -> String {
    let conditions: Vec<String> = conditions.collect();
    if conditions.is_empty() {
        "false".to_owned()
    } else {
        conditions.join(" OR ")
    }
}

/// A file of an input, with what it has.
struct File<'a> {
    instance: Rc<Instance>,
    stored: Columns,
    input: Input<'a>,
}

impl<'a> File<'a> {
    fn open(session: &Session, input: &Input<'a>, file: &Path) -> Result<Self, Error> {
        let instance = session.free()?;
        let stored = instance
            .columns(&format!("SELECT * FROM {}", scan(&[file])))
            .map_err(|failure| about_files(&instance, failure, input))?;
        Ok(Self {
            stored: typed(stored)?,
            instance,
            input: *input,
        })
    }

    fn conditions(&self, older: &[Older]) -> Vec<String> {
        let conditions = older.iter();
        conditions
            .filter_map(|it| it.condition(&self.stored))
            .collect()
    }

    /// Whether what is written has the order of what is read.
    fn keep_order(&self, kept: bool) -> Result<(), Error> {
        let set = format!("SET preserve_insertion_order = {kept}");
        self.instance.own("keep the order of the rows", &set)
    }
}
