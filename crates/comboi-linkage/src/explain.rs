//! Why two records are one or not: a match weight, step by step.

use serde::Serialize;

use crate::Error;
use crate::gammas::UNKNOWN;
use crate::linkage::{Comparing, Linkage};
use crate::model::probability_of;

/// A match weight, step by step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Waterfall {
    /// What any two records weigh, before they are looked at.
    pub prior: f64,
    /// What each comparison adds.
    pub bars: Vec<Bar>,
    /// The sum.
    pub weight: f64,
    /// Its probability.
    pub probability: f64,
}

/// What a comparison adds to a match weight.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bar {
    /// The comparison.
    pub name: String,
    /// The level, for people.
    pub label: String,
    /// The level's number.
    pub gamma: i8,
    /// What the level weighs.
    pub weight: f64,
    /// What it weighs more, or less, for the values' frequency.
    pub term_frequency_weight: f64,
    /// What the left record has in the columns compared, each by its name.
    pub values_l: Vec<(String, Option<String>)>,
    /// What the right record has.
    pub values_r: Vec<(String, Option<String>)>,
}

impl Linkage {
    /// What the records with these ids weigh as a pair, whether a rule gives it or not. In the order of the ids.
    pub fn explain(&self, id: &str, other: &str) -> Result<Waterfall, Error> {
        let (a, b) = (self.row_of_id(id)?, self.row_of_id(other)?);
        self.explain_rows(a, b)
    }

    /// The same by rows.
    pub fn explain_rows(&self, a: u32, b: u32) -> Result<Waterfall, Error> {
        let rank = |row: u32| self.rank_of.get(row as usize).copied().unwrap_or(0);
        let (l, r) = (rank(a).min(rank(b)), rank(a).max(rank(b)));
        let comparisons: Vec<&Comparing> = self.comparisons.iter().collect();
        self.keep_for_engine(&comparisons)?;
        let gammas = self.gammas_of(&comparisons, &[(l, r)])?;
        let model = self.model();
        let (left, right) = (self.data().row(l), self.data().row(r));
        let mut bars = Vec::new();
        let mut sum = model.prior;
        for (i, gamma) in gammas.into_iter().enumerate() {
            let gamma = if gamma == UNKNOWN { -1 } else { gamma };
            let (weight, more) = model.comparisons[i].parts(gamma, left, right);
            sum += weight + more;
            let comparison = &self.settings.comparisons[i];
            bars.push(Bar {
                name: comparison.name.clone(),
                label: comparison
                    .level(gamma)
                    .map(|it| it.label.clone())
                    .unwrap_or_default(),
                gamma,
                weight,
                term_frequency_weight: more,
                values_l: self.values(l, &self.comparisons[i].columns)?,
                values_r: self.values(r, &self.comparisons[i].columns)?,
            });
        }
        Ok(Waterfall {
            prior: model.prior,
            bars,
            weight: sum,
            probability: probability_of(sum),
        })
    }

    fn values(
        &self,
        rank: u32,
        columns: &[String],
    ) -> Result<Vec<(String, Option<String>)>, Error> {
        let row = self.loaded.row_of[rank as usize];
        let values = self.table.show(row, columns)?;
        Ok(columns.iter().cloned().zip(values).collect())
    }
}
