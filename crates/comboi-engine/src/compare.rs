//! Whether two sets of rows are the same, range by range.

use comboi_project::{Column, Columns};

use crate::read_files::{Error, Known, run};
use crate::{Session, sql};

/// A range of rows, by the values of a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedRange {
    /// Its least value, as text; `None` where the column is NULL or rows are not told apart by any column.
    pub from: Option<String>,
    /// Its greatest value, as text.
    pub to: Option<String>,
    /// How many rows the first set has there.
    pub left: u64,
    /// How many rows the second set has there.
    pub right: u64,
    /// Whether both have the same rows, each as often.
    pub same: bool,
}

/// Compares two sets of rows in these columns, in about `ranges` ranges of a column (or all at once).
///
/// Rows are compared by a hash of all their values, 64 bits each, added up: two sets that differ are taken for the same once in 2^64.
pub fn compare(
    session: &Session,
    left: &Known,
    right: &Known,
    columns: &Columns,
    by: Option<&str>,
    ranges: usize,
) -> Result<Vec<ComparedRange>, Error> {
    let rows = |known: &Known| -> Result<String, Error> {
        let wanted: Vec<&Column> = columns.iter().collect();
        let names: Vec<String> = columns.names().map(sql::ident).collect();
        let key = by.map_or_else(|| "NULL".to_owned(), sql::ident);
        if known.files.is_empty() {
            return Ok("SELECT NULL AS k, 0::HUGEINT AS h WHERE false".to_owned());
        }
        let present = known.present(session)?;
        Ok(format!(
            "SELECT {key} AS k, hash(row({})) AS h FROM ({})",
            names.join(", "),
            known.values(&wanted, &present, None)?
        ))
    };
    let (left, right) = (rows(left)?, rows(right)?);
    let quantiles: Vec<String> = (1..ranges.max(1))
        .map(|i| format!("{i}::DOUBLE / {ranges}"))
        .collect();
    // Where no row has a value there is one range.
    let range = if by.is_none() || quantiles.is_empty() {
        "0".to_owned()
    } else {
        "CASE WHEN k IS NULL THEN -1 ELSE len(list_filter((SELECT edges FROM cut), lambda edge: edge <= k)) END".to_owned()
    };
    let cut = if by.is_none() || quantiles.is_empty() {
        "SELECT NULL AS edges".to_owned()
    } else {
        format!(
            "SELECT list_distinct(quantile_disc(k, [{}])) AS edges FROM both_sides WHERE k IS NOT NULL",
            quantiles.join(", ")
        )
    };
    let query = format!(
        "WITH both_sides AS (SELECT true AS lhs, k, h FROM ({left}) UNION ALL SELECT false AS lhs, k, h FROM ({right})), \
         cut AS ({cut}) \
         SELECT CAST(min(k) AS VARCHAR), CAST(max(k) AS VARCHAR), count(*) FILTER (lhs), count(*) FILTER (NOT lhs), \
         count(*) FILTER (lhs) = count(*) FILTER (NOT lhs) AND coalesce(sum(h) FILTER (lhs), 0) = coalesce(sum(h) FILTER (NOT lhs), 0) \
         FROM (SELECT *, {range} AS r FROM both_sides) GROUP BY r ORDER BY r"
    );
    let rows = run(
        &*session.free()?,
        "compare the source with the lake",
        &query,
    )?;
    Ok(rows.into_iter().map(range_of).collect())
}

fn range_of(row: Vec<Option<String>>) -> ComparedRange {
    let mut cells = row.into_iter();
    let mut next = || cells.next().flatten();
    let (from, to) = (next(), next());
    let mut count = || next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (left, right) = (count(), count());
    ComparedRange {
        from,
        to,
        left,
        right,
        same: next().as_deref() == Some("true"),
    }
}
