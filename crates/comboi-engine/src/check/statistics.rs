//! What Parquet's own statistics settle without a look at the data.
//!
//! A file says of each column of each row group its least and greatest value and how many are NULL. A rule that each row keeps or
//! breaks by comparing one value holds for all rows if it holds for both ends. It is the same trust that DuckDB gives them when it
//! passes over row groups that a filter can't match.

use std::collections::BTreeMap;

use comboi_project::{Column, SqlType};

use crate::instance::Instance;
use crate::{Input, casts, sql};

/// Of the columns that have them in every row group.
pub(super) struct Statistics(BTreeMap<String, Ends>);

struct Ends {
    null_count: u64,
    /// The least and the greatest value, as text of the column's lake type; `None` when there is none but NULL.
    values: Option<(String, String)>,
}

impl Statistics {
    /// Reads them. What can't be read settles nothing.
    pub(super) fn read(instance: &Instance, input: &Input<'_>) -> Self {
        let columns: Vec<(&Column, SqlType)> = input
            .columns
            .iter()
            .filter_map(|it| Some((it, compared(it)?)))
            .collect();
        if columns.is_empty() || input.files.is_empty() {
            return Self(BTreeMap::new());
        }
        let of = |(column, kept): &(&Column, SqlType)| {
            let here = format!(
                "FILTER (WHERE path_in_schema = {})",
                sql::text(&column.name)
            );
            format!(
                ", count(*) {here}, count(stats_null_count) {here}, coalesce(sum(stats_null_count) {here}, 0)::UBIGINT, \
                 count(*) FILTER (WHERE path_in_schema = {} AND num_values > stats_null_count AND (stats_min_value IS NULL OR stats_max_value IS NULL)), \
                 min(TRY_CAST(stats_min_value AS {kept})) {here}::VARCHAR, max(TRY_CAST(stats_max_value AS {kept})) {here}::VARCHAR, \
                 count(*) FILTER (WHERE path_in_schema = {} AND (TRY_CAST(stats_min_value AS {kept}) IS NULL) <> (stats_min_value IS NULL))",
                sql::text(&column.name),
                sql::text(&column.name),
            )
        };
        let asked: Vec<String> = columns.iter().map(of).collect();
        let query = format!(
            "SELECT count(DISTINCT (file_name, row_group_id)){} FROM parquet_metadata({})",
            asked.join(""),
            sql::file_list(input.files)
        );
        let Ok(rows) = instance.rows(&query) else {
            return Self(BTreeMap::new());
        };
        let mut cells = rows.into_iter().flatten();
        let number =
            |cell: Option<Option<String>>| cell.flatten().and_then(|text| text.parse::<u64>().ok());
        let groups = number(cells.next());
        let mut found = BTreeMap::new();
        for (column, _) in columns {
            let (described, counted, nulls, open) = (
                number(cells.next()),
                number(cells.next()),
                number(cells.next()),
                number(cells.next()),
            );
            let (least, greatest, unreadable) = (
                cells.next().flatten(),
                cells.next().flatten(),
                number(cells.next()),
            );
            let whole = described == groups
                && counted == groups
                && open == Some(0)
                && unreadable == Some(0);
            if let (true, Some(null_count)) = (whole, nulls) {
                found.insert(
                    column.name.clone(),
                    Ends {
                        null_count,
                        values: least.zip(greatest),
                    },
                );
            }
        }
        Self(found)
    }

    /// Whether no value of the column is NULL.
    pub(super) fn has_no_null(&self, column: &Column) -> bool {
        self.0
            .get(&column.name)
            .is_some_and(|ends| ends.null_count == 0)
    }

    /// Whether a condition on a column is true for neither of its ends. Meant for conditions that are then true for nothing in between.
    pub(super) fn rule_out(&self, instance: &Instance, column: &Column, condition: &str) -> bool {
        let (Some(ends), Some(kept)) = (self.0.get(&column.name), compared(column)) else {
            return false;
        };
        let Some((least, greatest)) = &ends.values else {
            return true;
        };
        let value = |text: &str| {
            let value = format!("CAST({} AS {kept})", sql::text(text));
            format!(
                "SELECT {} AS {}",
                casts::from_lake(&value, &kept, &column.sql_type),
                sql::ident(&column.name)
            )
        };
        let query = format!(
            "SELECT (count(*) FILTER (WHERE {condition}))::VARCHAR FROM ({} UNION ALL {})",
            value(least),
            value(greatest)
        );
        let found = instance.rows(&query);
        found.is_ok_and(|rows| rows.into_iter().flatten().flatten().next().as_deref() == Some("0"))
    }

    /// The ends of a column of whole numbers that are close enough together to mark each of them by a bit.
    pub(super) fn dense(&self, column: &Column, most_bits: u64) -> Option<(i128, i128)> {
        if !column.sql_type.is_integer() {
            return None;
        }
        let (least, greatest) = self.0.get(&column.name)?.values.as_ref()?;
        let (least, greatest): (i128, i128) = (least.parse().ok()?, greatest.parse().ok()?);
        (greatest - least < i128::from(most_bits)).then_some((least, greatest))
    }
}

/// The lake type of a column whose statistics have the same order as its values. Floating-point numbers have not: NaN is left out of
/// them; and texts are cut short.
fn compared(column: &Column) -> Option<SqlType> {
    use SqlType::*;
    let of = &column.sql_type;
    let ordered = matches!(
        of,
        TinyInt
            | SmallInt
            | Integer
            | BigInt
            | UTinyInt
            | USmallInt
            | UInteger
            | UBigInt
            | Decimal(..)
            | Date
            | Timestamp
            | TimestampTz
    );
    ordered.then(|| of.lake_type().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use comboi_project::Columns;

    use super::*;
    use crate::Session;

    fn check(
        select: &str,
        columns: &[(&str, &str)],
        test: impl Fn(&Statistics, &Instance, &[Column]),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::small(folder.path());
        let file = folder.path().join("a.parquet");
        let instance = session.free().unwrap();
        let instance = &*instance;
        instance
            .own(
                "write",
                &format!(
                    "COPY ({select}) TO {} (ROW_GROUP_SIZE 2048)",
                    sql::path(&file)
                ),
            )
            .unwrap();
        let columns: Columns = columns
            .iter()
            .map(|(name, of)| Column::new(*name, of.parse().unwrap()))
            .collect();
        let files = [file];
        let input = Input {
            alias: "a",
            columns: &columns,
            files: &files,
        };
        test(&Statistics::read(instance, &input), instance, &columns.0);
    }

    #[test]
    fn ends_settle_what_lies_between_them() {
        let select = "SELECT i::BIGINT AS i, (i / 100)::DECIMAL(10,2) AS d, make_timestamptz(i * 1000000) AS t, CASE WHEN i <> 7000 THEN i END AS n, i::DOUBLE AS f FROM range(10000) r(i)";
        let columns = [
            ("i", "BIGINT"),
            ("d", "DECIMAL(10,2)"),
            ("t", "TIMESTAMP"),
            ("n", "BIGINT"),
            ("f", "DOUBLE"),
        ];
        check(select, &columns, |statistics, instance, columns| {
            let [i, d, t, n, f] = columns else { panic!() };
            let out = |column, condition: &str| statistics.rule_out(instance, column, condition);
            assert!(
                out(i, "i < 0") && !out(i, "i < 1") && out(i, "i > 9999") && !out(i, "i > 9998")
            );
            assert!(out(d, "d > 99.99") && !out(d, "d > 99.98"));
            assert!(
                out(t, "t < TIMESTAMP '1970-01-01'")
                    && !out(t, "t > TIMESTAMP '1970-01-01 02:46:38'")
            );
            assert!(
                !out(f, "f < 0"),
                "the statistics of floating-point numbers leave NaN out"
            );
            assert!(!out(i, "no_such_function(i)"));
            assert!(
                statistics.has_no_null(i)
                    && !statistics.has_no_null(n)
                    && !statistics.has_no_null(f)
            );
            assert_eq!(statistics.dense(i, 10_000), Some((0, 9999)));
            assert_eq!(
                (statistics.dense(i, 9_999), statistics.dense(d, 10_000)),
                (None, None)
            );
        });
    }

    #[test]
    fn a_column_of_nothing_but_null_breaks_no_comparison() {
        check(
            "SELECT NULL::BIGINT AS i FROM range(10)",
            &[("i", "BIGINT")],
            |statistics, instance, columns| {
                assert!(statistics.rule_out(instance, &columns[0], "i < 0"));
                assert!(!statistics.has_no_null(&columns[0]));
            },
        );
    }
}
