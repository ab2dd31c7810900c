//! What the columns of files are, found in (a sample of) their values.
//!
//! A text is a number only if it would be written the same way again: `007` and `+49…` stay text.

use comboi_project::SqlType;

use super::counts::{COUNTS, Counts, counts};
use super::relation::from;
use super::run::run;
use super::structure::structured;
use super::{Error, FileColumn, FileToRead, Group, Layout, TextRules};
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
        layout if layout.is_json() => json(session, group, rows_per_file, rules),
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

pub(super) fn sample(
    group: &Group,
    rules: &TextRules,
    what: &str,
    rows_per_file: Option<u64>,
) -> String {
    let select = |group: &Group, limit: &str| {
        let from = from(group, rules, true);
        // Mistakes are found and told about later, when everything is read.
        let from = match group.layout {
            Layout::Csv(_) => from.replacen(
                "auto_detect = false",
                "auto_detect = false, ignore_errors = true",
                1,
            ),
            Layout::JsonLines(_) => from.replacen(
                "records = 'false'",
                "records = 'false', ignore_errors = true",
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

fn json(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
) -> Result<Vec<Found>, Error> {
    let query = format!(
        "SELECT key, {}, min(appeared) AS first FROM (SELECT key, appeared, item ->> '$' AS text, json_type(item) AS kind FROM (\
         SELECT unnest(map_keys(m)) AS key, unnest(map_values(m)) AS item, nth * 1000000 + unnest(range(len(map_keys(m)))) AS appeared FROM (SELECT m, row_number() OVER () AS nth FROM ({})))) \
         GROUP BY key ORDER BY first, key",
        counts("text", rules, Some("kind")),
        sample(group, rules, "m", rows_per_file),
    );
    let rows = run(session.free()?, "find the keys of objects", &query)?;
    let found: Vec<Found> = rows
        .into_iter()
        .map(|mut row| {
            let counts = Counts::parse(row.get(1..).unwrap_or_default());
            Found {
                spelled: row.first_mut().and_then(Option::take).unwrap_or_default(),
                sql_type: counts.sql_type(),
            }
        })
        .collect();
    structured(session, group, rows_per_file, rules, found)
}
