//! Rows that an earlier run did not have, by the values of a column.

use comboi_project::{Column, Columns, SqlType};

use super::fit::NULL_FOUND;
use super::known::Known;
use super::run::run;
use super::{Error, lake};
use crate::{Session, sql};

/// Which of the rows are wanted.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// All of them.
    All,
    /// Those that an earlier run did not have, by the values of a column.
    New(Boundary<'a>),
}

/// Where the rows that an earlier run had end.
#[derive(Clone, Debug)]
pub struct Boundary<'a> {
    /// One of the reading's columns.
    pub column: &'a Column,
    /// The greatest value that the table has, as [`max_value`](super::max_value) gave it; none: all rows are new.
    pub watermark: Option<&'a str>,
    /// The least value that is looked at, as [`edge`] gave it; none: everything is.
    pub from: Option<&'a str>,
    /// What becomes of rows without a value.
    pub nulls: Nulls,
    /// What the table has: rows at the boundary are left out as often as it has them.
    pub known: Option<&'a Known>,
}

/// What becomes of rows without a value in the incremental column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// They are new as often as the table does not have them.
    Load,
    /// They are left out.
    Skip,
    /// They are an error.
    Fail,
}

/// The rows beyond the watermark, and those at the boundary as often as the table does not have them yet. Rows are
/// compared in the columns that the table had when it was read.
pub(super) fn new_rows(
    session: &Session,
    all: &str,
    columns: &Columns,
    boundary: &Boundary<'_>,
) -> Result<String, Error> {
    let Boundary {
        column,
        watermark,
        from,
        nulls,
        known,
    } = boundary;
    let name = sql::ident(&column.name);
    let value = |text: &str| {
        lake::kept(
            &format!("CAST({} AS {})", sql::text(text), column.sql_type),
            &column.sql_type,
        )
    };
    let beyond = from.map(value).transpose()?.map_or_else(
        || format!("{name} IS NOT NULL"),
        |from| format!("{name} >= {from}"),
    );
    let filter = match nulls {
        Nulls::Load => format!("({beyond} OR {name} IS NULL)"),
        Nulls::Skip => format!("({beyond})"),
        Nulls::Fail => format!(
            "CASE WHEN {name} IS NULL THEN CAST(error({}) AS BOOLEAN) ELSE {beyond} END",
            sql::text(NULL_FOUND)
        ),
    };
    let source = format!("SELECT * FROM ({all}) WHERE {filter}");
    let (Some(watermark), Some(known)) = (watermark, known) else {
        return Ok(source);
    };
    let present = known.present(session)?;
    let compared: Vec<&Column> = columns
        .iter()
        .filter(|column| known.columns.get(&column.name).is_some())
        .collect();
    if present.is_empty() || compared.is_empty() {
        return Ok(source);
    }
    let had_filter = if *nulls == Nulls::Load {
        format!("({beyond} OR {name} IS NULL)")
    } else {
        beyond
    };
    let had = known.values(&compared, &present, Some(&had_filter))?;
    let names: Vec<String> = compared
        .iter()
        .map(|column| sql::ident(&column.name))
        .collect();
    let names = names.join(", ");
    let same: Vec<String> = (0..compared.len())
        .map(|i| {
            format!(
                "had.h{i} IS NOT DISTINCT FROM edge.{}",
                sql::ident(&compared[i].name)
            )
        })
        .collect();
    let renamed: Vec<String> = compared
        .iter()
        .enumerate()
        .map(|(i, column)| format!("{} AS h{i}", sql::ident(&column.name)))
        .collect();
    let watermark = value(watermark)?;
    Ok(format!(
        "WITH looked_at AS ({source}), \
         edge AS (SELECT *, row_number() OVER (PARTITION BY {names}) AS _comboi_n FROM looked_at WHERE {name} <= {watermark} OR {name} IS NULL), \
         had AS (SELECT {}, count(*) AS _comboi_had FROM ({had}) GROUP BY ALL) \
         SELECT * FROM looked_at WHERE {name} > {watermark} \
         UNION ALL SELECT edge.* EXCLUDE (_comboi_n) FROM edge LEFT JOIN had ON {} WHERE _comboi_n > coalesce(_comboi_had, 0)",
        renamed.join(", "),
        same.join(" AND "),
    ))
}

/// How far below the watermark is looked at again: `lookback` is an `INTERVAL` for dates and timestamps and a
/// number otherwise. `None`: there is nothing below, so everything is looked at.
pub fn edge(
    session: &Session,
    sql_type: &SqlType,
    watermark: &str,
    lookback: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(lookback) = lookback else {
        return Ok(Some(watermark.to_owned()));
    };
    let typed = format!("CAST({} AS {sql_type})", sql::text(watermark));
    let lower = if sql_type.is_moment() {
        format!("{typed} - CAST({} AS INTERVAL)", sql::text(lookback))
    } else if sql_type.is_integer() {
        format!(
            "CAST({typed} AS HUGEINT) - CAST({} AS HUGEINT)",
            sql::text(lookback)
        )
    } else {
        format!("{typed} - CAST({} AS {sql_type})", sql::text(lookback))
    };
    let query = format!("SELECT CAST(TRY_CAST({lower} AS {sql_type}) AS VARCHAR)");
    let rows = run(session.free()?, "find where to begin", &query)?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|mut row| row.pop())
        .flatten())
}
