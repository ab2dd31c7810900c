//! A file that somebody names, to be held to a contract where it lies.

use std::path::{Path, PathBuf};

use comboi_project::{Column, Columns, SqlType};

use crate::instance::typed;
use crate::{Error, Session, sql};

/// The columns of a Parquet, CSV, TSV, JSON or NDJSON file, and a Parquet file with its rows: itself, or one that is
/// made below `scratch`.
///
/// Text has no types of its own: a column that is `wanted` is read as the type that is wanted, so that a value that
/// does not fit is an error.
pub fn open_data_file(
    session: &Session,
    file: &Path,
    wanted: &[(String, SqlType)],
    scratch: &Path,
) -> Result<(Columns, PathBuf), Error> {
    let doing = format!("read `{}`", file.display());
    let instance = session.free()?;
    let columns_of = |select: &str| {
        let columns = instance
            .columns(select)
            .map_err(|failure| instance.explain(failure, &doing))?;
        typed(columns)
    };
    let name = file.to_string_lossy().to_lowercase();
    let path = sql::file(file);
    if name.ends_with(".parquet") {
        return Ok((
            columns_of(&format!("SELECT * FROM read_parquet({path})"))?,
            file.to_owned(),
        ));
    }
    let is_json = [".json", ".ndjson", ".jsonl"]
        .iter()
        .any(|end| name.contains(end));
    let reader = if is_json {
        format!("read_json({path})")
    } else {
        format!("read_csv({path})")
    };
    let found = columns_of(&format!("SELECT * FROM {reader}"))?;
    let wanted_type = |column: &Column| {
        wanted
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&column.name))
            .map(|(_, it)| it)
    };
    let select = if is_json {
        let cell = |column: &Column| {
            let name = sql::ident(&column.name);
            wanted_type(column).map_or_else(
                || name.clone(),
                |wanted| format!("CAST({name} AS {wanted}) AS {name}"),
            )
        };
        format!(
            "SELECT {} FROM {reader}",
            found.0.iter().map(cell).collect::<Vec<_>>().join(", ")
        )
    } else {
        let pair = |column: &Column| {
            Some(format!(
                "{}: {}",
                sql::text(&column.name),
                sql::text(&wanted_type(column)?.to_string())
            ))
        };
        let types: Vec<String> = found.0.iter().filter_map(pair).collect();
        let types = if types.is_empty() {
            String::new()
        } else {
            format!(", types = {{{}}}", types.join(", "))
        };
        format!("SELECT * FROM read_csv({path}{types})")
    };
    let to = scratch.join("data.parquet");
    instance.own(
        &doing,
        &format!(
            "COPY ({select}) TO {} (FORMAT parquet)",
            sql::text(&to.to_string_lossy())
        ),
    )?;
    Ok((columns_of(&select)?, to))
}
