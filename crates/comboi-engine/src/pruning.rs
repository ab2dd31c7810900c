//! Row groups of Parquet files that DuckDB passes over although they have the rows that a filter or a join looks for.
//!
//! DuckDB 1.5.5 and 1.5.6 ask the Bloom filter of a BLOB for its escaped text, that of a FLOAT or DOUBLE for one of the two zeros, and
//! take the least and greatest value of a FLOAT16 for those of a column without NaN. No setting turns that off. An expression in place of
//! the column does: a filter on it is not asked of row groups. The tests say when the engine is right, so that this goes with the upgrade.

use std::collections::BTreeSet;
use std::path::Path;

use comboi_project::{Column, Columns, SqlType};
use parquet::basic::LogicalType;
use parquet::file::metadata::ColumnChunkMetaData;

use crate::{footer, sql};

/// Columns that are read through an expression. For files with none of these types, no footer is read to find them.
#[derive(Default)]
pub(crate) struct Pruned(BTreeSet<String>);

impl Pruned {
    /// `stored`: the files' own columns.
    pub(crate) fn of<P: AsRef<Path>>(files: &[P], stored: &Columns) -> Self {
        use SqlType::{Blob, Double, Float};
        let mut open: BTreeSet<&str> = stored
            .iter()
            .filter(|column| matches!(column.sql_type, Blob | Float | Double))
            .map(|column| column.name.as_str())
            .collect();
        let mut pruned = BTreeSet::new();
        for file in files {
            if open.is_empty() {
                break;
            }
            let Some(footer) = footer::read(file.as_ref()) else {
                pruned.extend(std::mem::take(&mut open).into_iter().map(str::to_lowercase));
                break;
            };
            let chunks = footer.row_groups().iter().flat_map(|it| it.columns());
            for name in chunks.filter_map(wrongly_pruned) {
                // A file may spell a column in another case than the first one.
                open.retain(|it| {
                    !it.eq_ignore_ascii_case(name) || !pruned.insert(it.to_lowercase())
                });
            }
        }
        Self(pruned)
    }

    /// A column as it is to be read.
    pub(crate) fn value(&self, column: &Column) -> String {
        let name = sql::ident(&column.name);
        match column.sql_type {
            _ if !self.0.contains(&column.name.to_lowercase()) => name,
            SqlType::Blob => format!("({name} || ''::BLOB)"),
            // Negating twice changes no bit, of zeros and NaN neither.
            _ => format!("(-(-{name}))"),
        }
    }
}

/// Of parts of nested columns DuckDB asks nothing.
fn wrongly_pruned(chunk: &ColumnChunkMetaData) -> Option<&str> {
    let [name] = chunk.column_path().parts() else {
        return None;
    };
    let is_float16 = chunk.column_descr().logical_type_ref() == Some(&LogicalType::Float16);
    (is_float16 || chunk.bloom_filter_offset().is_some()).then_some(name)
}
