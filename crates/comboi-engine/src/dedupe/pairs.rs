//! Pairs of rows and how much they weigh: the strongest of each row, and all of them where they are wanted.

use comboi_project::{Column, Columns, SqlType};

use crate::{Built, Error};

use super::Linked;
use super::rows::Rows;
use super::union::UnionFind;

impl Rows<'_> {
    /// Gives DuckDB the strongest pair of each row with one of its own cluster, as table `strongest` (`r`, `weight`), and writes all pairs if
    /// that is wanted.
    pub(super) fn put_pairs(
        &self,
        linked: &Linked,
        union: &UnionFind,
        write: bool,
    ) -> Result<Option<Built>, Error> {
        let mut strongest = vec![f64::NEG_INFINITY; self.count as usize];
        let pairs = || linked.l.iter().zip(&linked.r).zip(&linked.weights);
        for ((l, r), weight) in pairs() {
            if union.root(*l) != union.root(*r) {
                continue;
            }
            for row in [*l, *r] {
                if let Some(most) = strongest.get_mut(row as usize) {
                    *most = most.max(*weight);
                }
            }
        }
        self.own("CREATE TABLE strongest (r UINTEGER, weight DOUBLE)")?;
        let found = (0_u32..)
            .zip(strongest)
            .filter(|(_, weight)| weight.is_finite());
        self.append_weights("strongest", found)?;
        if !write {
            return Ok(None);
        }
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
        self.append_pairs("pairs", linked)?;
        let id = self.id_type();
        let column = |name: &str, sql_type: SqlType| Column {
            name: name.to_owned(),
            sql_type,
        };
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
            .map(Some)
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
