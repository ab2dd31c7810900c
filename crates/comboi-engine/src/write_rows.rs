//! Small tables of comboi's own, such as the record of runs.

use std::path::Path;

use comboi_project::{Column, Columns, SqlType};
use serde_json::Value;

use crate::casts::to_lake;
use crate::{Error, Session, parquet, sql};

/// Writes rows to one Parquet file of the lake's types; meant for hundreds of rows, not for millions.
///
/// A cell is cast from its text to its column's type; a list or object of JSON becomes a nested value. A row with
/// too few cells ends in NULLs.
pub fn write_rows(
    session: &Session,
    columns: &Columns,
    rows: &[Vec<Value>],
    to: &Path,
) -> Result<(), Error> {
    let casts: Result<Vec<String>, Error> = columns
        .0
        .iter()
        .enumerate()
        .map(|(i, column)| cast(i, column))
        .collect();
    let names: Vec<String> = (0..columns.0.len()).map(|i| format!("c{i}")).collect();
    let select = format!(
        "SELECT {} FROM ({}) AS q({})",
        casts?.join(", "),
        values(rows, columns.0.len()),
        names.join(", ")
    );
    session.free()?.own(
        &format!("write {}", to.display()),
        &parquet::copy_to(&select, to),
    )
}

fn cast(place: usize, column: &Column) -> Result<String, Error> {
    let Column { name, sql_type, .. } = column;
    let kept = sql_type.lake_type().map_err(|e| Error::Internal {
        doing: format!("keep column `{name}`"),
        message: e.to_string(),
    })?;
    let value = match sql_type {
        SqlType::List(_) | SqlType::Array(..) | SqlType::Struct(_) | SqlType::Map(..) => {
            format!("CAST(CAST(c{place} AS JSON) AS {sql_type})")
        }
        _ => format!("CAST(c{place} AS {sql_type})"),
    };
    Ok(format!(
        "{} AS {}",
        to_lake(&value, sql_type, &kept, place),
        sql::ident(name)
    ))
}

fn values(rows: &[Vec<Value>], width: usize) -> String {
    // Settles that all are text, whatever the rows hold.
    let none = format!(
        "SELECT {} WHERE false",
        vec!["CAST(NULL AS VARCHAR)"; width].join(", ")
    );
    if rows.is_empty() {
        return none;
    }
    let row = |row: &Vec<Value>| {
        let cells: Vec<String> = (0..width)
            .map(|i| row.get(i).map_or_else(|| "NULL".to_owned(), literal))
            .collect();
        format!("({})", cells.join(", "))
    };
    let rows: Vec<String> = rows.iter().map(row).collect();
    format!("{none} UNION ALL VALUES {}", rows.join(", "))
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => sql::text(text),
        other => sql::text(&other.to_string()),
    }
}
