//! Rows that an earlier run did not have, by the values of a column.

use std::collections::BTreeSet;

use comboi_project::{Column, Columns, SqlType};

use super::fit::NULL_FOUND;
use super::known::{Known, Present};
use super::run::run;
use super::{Error, FILE_COLUMN, lake};
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
    /// What the table has: rows at the boundary are left out as often as it has them, and so are rows beyond it that were loaded
    /// and did not move it.
    pub known: Option<&'a Known>,
    /// The columns of the table that some file has: the others tell no row from another.
    pub read: &'a [&'a str],
    /// Sets of these columns that rows of the table may have been read without. None of none comes first.
    pub lacked: &'a [BTreeSet<String>],
    /// Files that no earlier run has read: their rows below the boundary are counted ([`Staged::below`](super::Staged::below)).
    pub new_files: &'a [String],
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

/// The sequence that counts rows of new files below the boundary while they are read.
pub(super) const BELOW: &str = "_comboi_below";

impl Boundary<'_> {
    /// Whether a row lies at the boundary or beyond it. Below it, rows of new files are counted.
    fn reached(&self, name: &str, from: &str) -> String {
        if self.new_files.is_empty() {
            return format!("{name} >= {from}");
        }
        let files: Vec<String> = self.new_files.iter().map(|it| sql::text(it)).collect();
        format!(
            "CASE WHEN {name} >= {from} THEN true WHEN {name} IS NOT NULL AND {FILE_COLUMN} IN ({}) THEN nextval('{BELOW}') < 0 ELSE false END",
            files.join(", ")
        )
    }
}

/// The least value of the table that is greater than the watermark.
fn ahead(
    session: &Session,
    known: &Known,
    present: &Present,
    column: &Column,
    watermark: Option<&str>,
) -> Result<Option<String>, Error> {
    let name = sql::ident(&column.name);
    let filter = watermark.map(|watermark| format!("{name} > {watermark}"));
    let had = known.values(&[column], present, filter.as_deref())?;
    let query = format!("SELECT CAST(min({name}) AS VARCHAR) FROM ({had})");
    let doing = "find rows beyond the checkpoint";
    let least = run(&*session.free()?, doing, &query)?;
    let least = least.into_iter().flatten().next().flatten();
    let lake_type = lake::lake_type(&column.sql_type)?;
    Ok(least.map(|least| format!("CAST({} AS {lake_type})", sql::text(&least))))
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
        ..
    } = boundary;
    let name = sql::ident(&column.name);
    let value = |text: &str| {
        lake::kept(
            &format!("CAST({} AS {})", sql::text(text), column.sql_type),
            &column.sql_type,
        )
    };
    let any = format!("{name} IS NOT NULL");
    let from = from.map(value).transpose()?;
    let reached = |from: &String| boundary.reached(&name, from);
    let reached = from.as_ref().map_or_else(|| any.clone(), reached);
    let filter = match nulls {
        Nulls::Load => format!("({name} IS NULL OR {reached})"),
        Nulls::Skip => format!("({reached})"),
        Nulls::Fail => format!(
            "CASE WHEN {name} IS NULL THEN CAST(error({}) AS BOOLEAN) ELSE {reached} END",
            sql::text(NULL_FOUND)
        ),
    };
    let source = format!("SELECT * FROM ({all}) WHERE {filter}");
    let Some(known) = known else {
        return Ok(source);
    };
    let beyond = from.map_or_else(|| any.clone(), |from| format!("{name} >= {from}"));
    let present = known.present(session)?;
    let compared: Vec<&Column> = columns
        .iter()
        .filter(|column| known.columns.get(&column.name).is_some())
        .filter(|column| boundary.read.contains(&column.name.as_str()))
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
    let renamed: Vec<String> = compared
        .iter()
        .enumerate()
        .map(|(i, column)| format!("{} AS h{i}", sql::ident(&column.name)))
        .collect();
    let watermark = watermark.map(value).transpose()?;
    let ahead = ahead(session, known, &present, column, watermark.as_deref())?;
    let (mut at_edge, mut between) = (vec![format!("{name} IS NULL")], vec![any]);
    if let Some(watermark) = watermark {
        at_edge.push(format!("{name} <= {watermark}"));
        between.push(format!("{name} > {watermark}"));
    }
    if let Some(ahead) = ahead {
        at_edge.push(format!("{name} >= {ahead}"));
        between.push(format!("{name} < {ahead}"));
    }
    let (at_edge, between) = (at_edge.join(" OR "), between.join(" AND "));
    let mut parts = vec![
        format!("looked_at AS MATERIALIZED ({source})"),
        format!("left_0 AS (SELECT * FROM looked_at WHERE {at_edge})"),
        format!(
            "had_0 AS (SELECT {}, count(*) AS _comboi_had FROM ({had}) GROUP BY ALL)",
            renamed.join(", ")
        ),
    ];
    for (round, lacked) in boundary.lacked.iter().enumerate() {
        parts.extend(taken_off(&compared, lacked, round));
    }
    Ok(format!(
        "WITH {} SELECT * FROM looked_at WHERE {between} UNION ALL SELECT * FROM left_{}",
        parts.join(", "),
        boundary.lacked.len()
    ))
}

/// What is left of the rows that came when those are taken off that the table has and that were read without some columns; and
/// what is left of those.
fn taken_off(compared: &[&Column], lacked: &BTreeSet<String>, round: usize) -> [String; 2] {
    let (mut names, mut same) = (Vec::new(), Vec::new());
    for (i, column) in compared.iter().enumerate() {
        if lacked.contains(&column.name) {
            same.push(format!("had.h{i} IS NULL"));
        } else {
            let name = sql::ident(&column.name);
            same.push(format!("had.h{i} IS NOT DISTINCT FROM edge.{name}"));
            names.push(name);
        }
    }
    let (names, same, next) = (names.join(", "), same.join(" AND "), round + 1);
    [
        format!(
            "left_{next} AS MATERIALIZED (SELECT edge.* EXCLUDE (_comboi_n) FROM \
             (SELECT *, row_number() OVER (PARTITION BY {names}) AS _comboi_n FROM left_{round}) edge \
             LEFT JOIN had_{round} had ON {same} WHERE _comboi_n > coalesce(_comboi_had, 0))"
        ),
        format!(
            "had_{next} AS (SELECT had.* REPLACE (greatest(_comboi_had - coalesce(_comboi_came, 0), 0) AS _comboi_had) \
             FROM had_{round} had LEFT JOIN \
             (SELECT {names}, count(*) AS _comboi_came FROM left_{round} GROUP BY ALL) edge ON {same})"
        ),
    ]
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
    let rows = run(&*session.free()?, "find where to begin", &query)?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|mut row| row.pop())
        .flatten())
}
