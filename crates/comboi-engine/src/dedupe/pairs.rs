//! Pairs of rows and how much they weigh: the strongest of each row, and all of them where they are wanted.

use std::sync::Arc;

use comboi_project::{Column, Columns, SqlType};
use duckdb::arrow::array::{ArrayRef, Float64Array, Int8Array, UInt16Array, UInt32Array};

use crate::{Built, Error};

use super::Linked;
use super::rows::Rows;

/// How much the strongest pair of each row with one of its own cluster weighs; minus infinity where there is none.
pub(super) fn strongest(linked: &Linked, roots: &[u32]) -> Vec<f64> {
    let mut strongest = vec![f64::NEG_INFINITY; roots.len()];
    for ((l, r), weight) in linked.l.iter().zip(&linked.r).zip(&linked.weights) {
        if roots[*l as usize] != roots[*r as usize] {
            continue;
        }
        for row in [*l, *r] {
            let most = &mut strongest[row as usize];
            *most = most.max(*weight);
        }
    }
    strongest
}

impl Rows<'_> {
    /// Writes all pairs.
    pub(super) fn write_pairs(&self, linked: &Linked) -> Result<Built, Error> {
        let gammas: Vec<String> = (0..linked.comparisons.len())
            .map(|i| format!("g{i}"))
            .collect();
        let more: String = gammas
            .iter()
            .map(|name| format!(", {name} TINYINT"))
            .collect();
        self.own(&format!(
            "CREATE TABLE pairs (l UINTEGER, r UINTEGER, match_key USMALLINT, weight DOUBLE{more})"
        ))?;
        let width = linked.comparisons.len();
        let mut of_pairs: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(linked.l.clone())),
            Arc::new(UInt32Array::from(linked.r.clone())),
            Arc::new(UInt16Array::from(linked.match_keys.clone())),
            Arc::new(Float64Array::from(linked.weights.clone())),
        ];
        of_pairs.extend((0..width).map(|i| {
            let levels = linked.gammas.iter().skip(i).step_by(width).copied();
            Arc::new(Int8Array::from_iter_values(levels)) as ArrayRef
        }));
        self.append("pairs", of_pairs)?;
        let id = self.id_type();
        let column = |name: &str, sql_type: SqlType| Column::new(name, sql_type);
        let mut columns = vec![
            column("match_probability", SqlType::Double),
            column("match_weight", SqlType::Double),
            column("unique_id_l", id.clone()),
            column("unique_id_r", id),
        ];
        let compared = linked.comparisons.iter();
        columns.extend(compared.map(|name| column(&gamma_column(name), SqlType::TinyInt)));
        columns.push(column("match_key", SqlType::Varchar(None)));
        let list: String = gammas.iter().map(|name| format!(", {name}")).collect();
        let select = format!(
            "SELECT {}, a.uid, b.uid{list}, CAST(match_key AS VARCHAR)
             FROM pairs JOIN ids AS a ON a.r = pairs.l JOIN ids AS b ON b.r = pairs.r",
            probability_and("pairs.weight")
        );
        self.write(&select, Columns(columns), "pairs.parquet")
    }
}

/// As Splink calls it, of letters that the lake has in the names of columns.
fn gamma_column(comparison: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() { c } else { '_' };
    format!(
        "gamma_{}",
        comparison.chars().map(plain).collect::<String>()
    )
}

/// Probability and weight of a match weight.
pub(super) fn probability_and(weight: &str) -> String {
    format!("1.0 / (1.0 + pow(2.0, -{weight})), {weight}")
}
