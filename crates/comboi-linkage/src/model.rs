//! A model's numbers, as they are added up for a pair.

use std::sync::Arc;

use crate::pair::{Data, Place};
use crate::settings::{Comparison, Settings};

/// The match weight of a probability: the logarithm (to base 2) of its odds.
pub fn weight_of(probability: f64) -> f64 {
    (probability / (1.0 - probability)).log2()
}

/// The probability of a match weight.
pub fn probability_of(weight: f64) -> f64 {
    if weight >= 0.0 {
        1.0 / (1.0 + (-weight).exp2())
    } else {
        let odds = weight.exp2();
        odds / (1.0 + odds)
    }
}

/// What each level weighs.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) prior: f64,
    pub(crate) comparisons: Vec<Weights>,
}

/// What the levels of a comparison weigh, by number (gamma).
#[derive(Clone)]
pub(crate) struct Weights {
    pub(crate) levels: Vec<f64>,
    pub(crate) frequencies: Vec<Option<Adjustment>>,
}

/// How a level's weight is adjusted by how frequent the two values are.
#[derive(Clone)]
pub(crate) struct Adjustment {
    pub(crate) l: Place,
    pub(crate) r: Place,
    /// The logarithm of each value's share, by code.
    pub(crate) logs: Arc<Vec<f64>>,
    pub(crate) weight: f64,
    pub(crate) log_u: f64,
    pub(crate) log_least: f64,
}

impl Weights {
    pub(crate) fn of(comparison: &Comparison, frequencies: Vec<Option<Adjustment>>) -> Self {
        let levels = comparison
            .parameters()
            .into_iter()
            .map(|(m, u)| (m / u).log2())
            .collect();
        Self {
            levels,
            frequencies,
        }
    }

    /// What a level weighs by itself, and what it weighs more for the values' sake.
    #[inline]
    pub(crate) fn parts(&self, gamma: i8, l: &[u32], r: &[u32]) -> (f64, f64) {
        let Ok(at) = usize::try_from(gamma) else {
            return (0.0, 0.0);
        };
        let more = match &self.frequencies[at] {
            None => 0.0,
            Some(it) => it.of(l[it.l.at as usize], r[it.r.at as usize]),
        };
        (self.levels[at], more)
    }

    /// No pair of any of these levels weighs more; where none of them holds, it weighs nothing.
    pub(crate) fn most(&self, gammas: &[i8]) -> f64 {
        let each = gammas.iter().filter_map(|it| {
            let at = usize::try_from(*it).ok()?;
            let more = self.frequencies[at].as_ref().map_or(0.0, |it| {
                // NULL has no share.
                let logs = it.logs.iter().copied().filter(|it| it.is_finite());
                let rarest = logs.fold(0.0, f64::min);
                (it.weight * (it.log_u - rarest.max(it.log_least))).max(0.0)
            });
            Some(self.levels[at] + more)
        });
        each.fold(0.0, f64::max)
    }

    /// What the least of these levels weighs by itself.
    pub(crate) fn least(&self, gammas: &[i8]) -> f64 {
        let each = gammas.iter().filter_map(|it| usize::try_from(*it).ok());
        each.map(|at| self.levels[at]).fold(0.0, f64::min)
    }
}

impl Adjustment {
    fn of(&self, l: u32, r: u32) -> f64 {
        // The more frequent one of the two counts; of NULL, nothing is known.
        let log = match (l, r) {
            (0, 0) => return 0.0,
            (0, one) | (one, 0) => self.logs[one as usize],
            (l, r) => self.logs[l as usize].max(self.logs[r as usize]),
        };
        self.weight * (self.log_u - log.max(self.log_least))
    }
}

impl Model {
    pub(crate) fn prior_of(settings: &Settings) -> f64 {
        weight_of(settings.lambda_or_default())
    }
}

/// The logarithm of the share that each code has among those of a column that are not NULL.
pub(crate) fn log_shares(data: &Data, at: u32, end: usize) -> Vec<f64> {
    let mut counts = vec![0_u32; end];
    for row in data.words.chunks_exact(data.width.max(1)) {
        counts[row[at as usize] as usize] += 1;
    }
    if let Some(null) = counts.first_mut() {
        *null = 0;
    }
    let all: f64 = counts.iter().map(|it| f64::from(*it)).sum();
    counts
        .into_iter()
        .map(|it| (f64::from(it) / all).log2())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{probability_of, weight_of};

    #[test]
    fn weights_and_probabilities_are_two_ways_to_say_the_same() {
        for weight in [-40.0, -3.5, 0.0, 1.0, 20.0] {
            assert!(
                (weight_of(probability_of(weight)) - weight).abs() < 1e-3,
                "{weight}"
            );
        }
        assert!((probability_of(0.0) - 0.5).abs() < 1e-15);
        assert!(probability_of(-2000.0) >= 0.0 && probability_of(2000.0) <= 1.0);
    }
}
