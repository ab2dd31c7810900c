//! Inputs as views: files in the lake's types, seen in people's.

use std::path::{Path, PathBuf};

use comboi_project::{Column, SqlType};

use crate::damage::blamed;
use crate::failure::Failure;
use crate::instance::Instance;
use crate::pruning::Pruned;
use crate::{Error, Input, Session, casts, sql};

/// Shows an input under its alias.
pub(crate) fn show_input(instance: &Instance, input: &Input<'_>) -> Result<(), Error> {
    let select = select_input(instance, input)?;
    let view = format!("CREATE VIEW {} AS {select}", sql::ident(input.alias));
    instance
        .execute(&view)
        .map(drop)
        .map_err(|failure| about_files(instance, failure, input))
}

/// Shows an input as an empty relation, whatever files it has.
pub(crate) fn show_empty(instance: &Instance, input: &Input<'_>) -> Result<(), Error> {
    show_input(
        instance,
        &Input {
            files: &[],
            ..*input
        },
    )
}

/// The `SELECT` that reads an input in the types that people's SQL sees.
pub(crate) fn select_input(instance: &Instance, input: &Input<'_>) -> Result<String, Error> {
    if input.files.is_empty() {
        let columns: Vec<String> = input
            .columns
            .0
            .iter()
            .map(|column| as_column("NULL", &SqlType::Null, column))
            .collect();
        return Ok(format!("SELECT {} WHERE false", or_nothing(columns)));
    }
    let scan = scan(input.files);
    let stored = instance
        .columns(&format!("SELECT * FROM {scan}"))
        .map_err(|failure| about_files(instance, failure, input))?;
    let stored = crate::instance::typed(stored)?;
    let pruned = Pruned::of(input.files, &stored);
    let column = |column: &Column| {
        let found = stored
            .0
            .iter()
            .find(|stored| stored.name.to_lowercase() == column.name.to_lowercase());
        found.map_or_else(
            || as_column("NULL", &SqlType::Null, column),
            |stored| as_column(&pruned.value(stored), &stored.sql_type, column),
        )
    };
    let columns: Vec<String> = input.columns.0.iter().map(column).collect();
    Ok(format!("SELECT {} FROM {scan}", or_nothing(columns)))
}

/// The `SELECT` that reads an input of a few files, and the place of each row in them, from 0, as column `row` (UINTEGER). And how many rows there are.
pub(crate) fn select_numbered(
    instance: &Instance,
    input: &Input<'_>,
    row: &str,
) -> Result<(String, u64), Error> {
    let mut parts = Vec::new();
    let mut count = 0_u64;
    for file in input.files {
        let one = Input {
            files: std::slice::from_ref(file),
            ..*input
        };
        let scan = scan(one.files);
        let select = select_input(instance, &one)?;
        let numbered = scan.replacen(
            "hive_partitioning = false",
            "hive_partitioning = false, file_row_number = true",
            1,
        );
        let from = select.strip_suffix(&scan).unwrap_or(&select);
        let from = from.strip_suffix(" FROM ").unwrap_or(from);
        parts.push(format!(
            "{from}, CAST(file_row_number + {count} AS UINTEGER) AS {} FROM {numbered}",
            sql::ident(row)
        ));
        let counted = instance
            .rows(&format!("SELECT count(*) FROM {scan}"))
            .map_err(|failure| about_files(instance, failure, input))?;
        let counted = counted.into_iter().flatten().flatten().next();
        count += counted.and_then(|it| it.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok((parts.join(" UNION ALL "), count))
}

/// What keeps the files of an input from being read to their ends, if anything does.
pub fn unreadable(session: &Session, input: &Input<'_>) -> Option<Error> {
    let files: Vec<&Path> = input.files.iter().map(PathBuf::as_path).collect();
    let instance = session.confined(&files).ok()?;
    let whole = format!(
        "SELECT max(hash(t))::VARCHAR FROM {} AS t",
        scan(input.files)
    );
    let failure = instance.rows(&whole).err()?;
    let reason = blamed(&instance, &failure, input.files)?;
    Some(Error::Unreadable {
        doing: format!("read `{}`", input.alias),
        reason,
    })
}

/// A scan of Parquet files, by name where there are several.
pub(crate) fn scan<P: AsRef<Path>>(files: &[P]) -> String {
    let by_name = if files.len() > 1 {
        ", union_by_name = true"
    } else {
        ""
    };
    format!(
        "read_parquet({}, hive_partitioning = false{by_name})",
        sql::file_list(files)
    )
}

fn as_column(value: &str, stored: &SqlType, column: &Column) -> String {
    format!(
        "{} AS {}",
        casts::from_lake(value, stored, &column.sql_type),
        sql::ident(&column.name)
    )
}

/// A relation without columns has no spelling in SQL.
fn or_nothing(columns: Vec<String>) -> String {
    if columns.is_empty() {
        "NULL AS nothing".to_owned()
    } else {
        columns.join(", ")
    }
}

/// A failure that names one of the files is about that file, not about comboi or somebody's SQL.
pub(crate) fn about_files(instance: &Instance, failure: Failure, input: &Input<'_>) -> Error {
    let doing = format!("read `{}`", input.alias);
    match blamed(instance, &failure, input.files) {
        Some(reason) => Error::Unreadable { doing, reason },
        None => instance.explain(failure, &doing),
    }
}
