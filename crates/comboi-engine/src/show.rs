//! The first rows of a dataset, for a person to look at.

use std::path::{Path, PathBuf};

use crate::view::{about_files, show_input};
use crate::{Error, Input, Session, sql};

/// Rows as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns' names.
    pub names: Vec<String>,
    /// The columns' types, as people's SQL sees them.
    pub types: Vec<String>,
    /// One cell for each column; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

/// At most `limit` rows, as DuckDB prints their values.
pub fn show(session: &Session, input: &Input<'_>, limit: usize) -> Result<Rows, Error> {
    let files: Vec<&Path> = input.files.iter().map(PathBuf::as_path).collect();
    let instance = session.confined(&files)?;
    // The first rows, not the first that some thread comes by.
    instance.own(
        "keep the order of the rows",
        "SET preserve_insertion_order = true",
    )?;
    show_input(&instance, input)?;
    instance.lock()?;
    let cells: Vec<String> = input
        .columns
        .0
        .iter()
        .map(|column| format!("CAST({} AS VARCHAR)", sql::ident(&column.name)))
        .collect();
    let cells = if cells.is_empty() {
        "NULL".to_owned()
    } else {
        cells.join(", ")
    };
    let query = format!(
        "SELECT {cells} FROM {} LIMIT {limit}",
        sql::ident(input.alias)
    );
    let rows = instance
        .rows(&query)
        .map_err(|failure| about_files(&instance, failure, input))?;
    Ok(Rows {
        names: input
            .columns
            .0
            .iter()
            .map(|column| column.name.clone())
            .collect(),
        types: input
            .columns
            .0
            .iter()
            .map(|column| column.sql_type.to_string())
            .collect(),
        rows,
    })
}

/// How often each item is in the lists of a column, by name.
pub fn count_items(
    session: &Session,
    input: &Input<'_>,
    column: &str,
) -> Result<Vec<(String, u64)>, Error> {
    let files: Vec<&Path> = input.files.iter().map(PathBuf::as_path).collect();
    let instance = session.confined(&files)?;
    show_input(&instance, input)?;
    instance.lock()?;
    let query = format!(
        "SELECT item::VARCHAR, count(*)::VARCHAR FROM (SELECT unnest({}) AS item FROM {}) GROUP BY ALL ORDER BY ALL",
        sql::ident(column),
        sql::ident(input.alias)
    );
    let rows = instance
        .rows(&query)
        .map_err(|failure| about_files(&instance, failure, input))?;
    let pair = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let item = cells.next().unwrap_or_default();
        (
            item,
            cells.next().and_then(|text| text.parse().ok()).unwrap_or(0),
        )
    };
    Ok(rows.into_iter().map(pair).collect())
}
