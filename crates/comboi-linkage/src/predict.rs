//! Pairs that weigh enough. What weighs less is never kept.

mod score;

use std::thread;

use tracing::debug;

use self::score::{Found, Scorer, Scoring};

use crate::Error;
use crate::linkage::{Comparing, Linkage};
use crate::model::{Model, probability_of};
use crate::rules::{Index, RulePairs};
use crate::walk::{Piece, pieces, walk};

/// So many pairs at most are at hand for DuckDB to tell a level of.
const WAVE: u64 = 2_000_000;

/// What pairs are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Predict {
    /// The least match weight; `f64::NEG_INFINITY` wants all pairs that rules give.
    pub threshold_weight: f64,
    /// How many pairs may be compared, before those that several rules have are counted once. None: any number.
    pub pairs_budget: Option<u64>,
}

/// Pairs of records, by row: the left one has the smaller id. In the order of the left's, then of the right's id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs {
    /// The rows of the left records.
    pub l: Vec<u32>,
    /// The rows of the right records.
    pub r: Vec<u32>,
    /// The first rule that has the pair.
    pub match_key: Vec<u16>,
    /// The number of the level in each comparison, one pair after the other.
    pub gammas: Vec<i8>,
    /// Match weights.
    pub weights: Vec<f64>,
    /// How many comparisons there are.
    pub comparisons: usize,
    /// How many pairs each rule gave to be compared.
    pub rules: Vec<RulePairs>,
}

impl Pairs {
    /// How many.
    pub fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The match probability of a pair.
    pub fn probability(&self, pair: usize) -> f64 {
        self.weights.get(pair).copied().map_or(0.0, probability_of)
    }

    /// The levels of a pair.
    pub fn gammas(&self, pair: usize) -> &[i8] {
        let from = pair * self.comparisons;
        self.gammas
            .get(from..from + self.comparisons)
            .unwrap_or_default()
    }
}

impl Linkage {
    /// The pairs that weigh enough.
    pub fn predict(&self, predict: &Predict) -> Result<Pairs, Error> {
        let rules = self.index(&self.rules)?;
        let counted: Vec<RulePairs> = rules.iter().map(Index::pairs).collect();
        within_budget(counted.clone(), predict.pairs_budget)?;
        let comparisons: Vec<&Comparing> = self.comparisons.iter().collect();
        let model = self.model();
        let asks = Self::asks_engine(&comparisons);
        if asks {
            self.keep_for_engine(&comparisons)?;
        }
        let pieces = pieces(&rules);
        let scorer = Scorer::new(self.data(), &comparisons, &model, predict.threshold_weight);
        let mut found: Vec<Found> = Vec::new();
        for wave in waves(&pieces, if asks { WAVE } else { u64::MAX }) {
            let visitor = || Scoring::new(&scorer);
            let done = walk(
                self.data(),
                &rules,
                wave,
                self.threads,
                &self.interrupter,
                visitor,
            )?;
            for mut scoring in done {
                if asks {
                    self.finish(
                        &comparisons,
                        &model,
                        predict.threshold_weight,
                        &mut scoring.found,
                    )?;
                }
                found.push(scoring.found);
            }
        }
        drop(rules);
        let pairs = self.in_order(found, counted);
        debug!(pairs = pairs.len(), "pairs that weigh enough are found");
        Ok(pairs)
    }

    /// Settles what only DuckDB could tell.
    fn finish(
        &self,
        comparisons: &[&Comparing],
        model: &Model,
        threshold: f64,
        found: &mut Found,
    ) -> Result<(), Error> {
        self.ask_engine(comparisons, &found.pairs, &mut found.gammas)?;
        let mut kept = Found::default();
        let width = comparisons.len();
        for (i, (l, r)) in found.pairs.iter().enumerate() {
            let gammas = &found.gammas[i * width..(i + 1) * width];
            let (left, right) = (self.data().row(*l), self.data().row(*r));
            let mut weight = model.prior;
            for (weights, gamma) in model.comparisons.iter().zip(gammas) {
                let (level, more) = weights.parts(*gamma, left, right);
                weight += level + more;
            }
            if weight >= threshold {
                kept.pairs.push((*l, *r));
                kept.keys.push(found.keys[i]);
                kept.gammas.extend_from_slice(gammas);
                kept.weights.push(weight);
            }
        }
        *found = kept;
        Ok(())
    }

    fn in_order(&self, found: Vec<Found>, rules: Vec<RulePairs>) -> Pairs {
        let width = self.comparisons.len();
        let total = found.iter().map(|it| it.pairs.len()).sum();
        let mut order: Vec<(u32, u32, u32, u32)> = Vec::with_capacity(total);
        for (part, it) in (0_u32..).zip(&found) {
            let pairs = (0_u32..).zip(&it.pairs);
            order.extend(pairs.map(|(i, (l, r))| (*l, *r, part, i)));
        }
        let each = total.div_ceil(self.threads.max(1)).max(1);
        thread::scope(|scope| {
            for part in order.chunks_mut(each) {
                scope.spawn(|| part.sort_unstable());
            }
        });
        // Sees that they are in order part by part, and only merges them.
        order.sort();
        let mut pairs = Pairs {
            comparisons: width,
            rules,
            gammas: vec![0; total * width],
            l: vec![0; total],
            r: vec![0; total],
            match_key: vec![0; total],
            weights: vec![0.0; total],
        };
        let row_of = self.loaded.row_of.as_slice();
        let mut gammas = pairs.gammas.as_mut_slice();
        let parts = order.chunks(each);
        let ends = pairs.l.chunks_mut(each).zip(pairs.r.chunks_mut(each));
        let rest = pairs
            .match_key
            .chunks_mut(each)
            .zip(pairs.weights.chunks_mut(each));
        thread::scope(|scope| {
            for ((part, (left, right)), (keys, weights)) in parts.zip(ends).zip(rest) {
                let (levels, others) = std::mem::take(&mut gammas).split_at_mut(part.len() * width);
                gammas = others;
                let found = &found;
                scope.spawn(move || {
                    for (to, (l, r, of, i)) in part.iter().enumerate() {
                        let (it, i) = (&found[*of as usize], *i as usize);
                        (left[to], right[to]) = (row_of[*l as usize], row_of[*r as usize]);
                        (keys[to], weights[to]) = (it.keys[i], it.weights[i]);
                        let of_pair = &it.gammas[i * width..(i + 1) * width];
                        levels[to * width..(to + 1) * width].copy_from_slice(of_pair);
                    }
                });
            }
        });
        pairs
    }
}

/// Refuses more pairs than are allowed.
pub(crate) fn within_budget(rules: Vec<RulePairs>, budget: Option<u64>) -> Result<(), Error> {
    let pairs = rules.iter().map(|it| it.pairs).sum();
    match budget {
        Some(budget) if pairs > budget => Err(Error::TooManyPairs {
            rules,
            pairs,
            budget,
        }),
        _ => Ok(()),
    }
}

/// Pieces in a row that have so many pairs together.
pub(crate) fn waves(pieces: &[Piece], most: u64) -> Vec<&[Piece]> {
    let (mut waves, mut from, mut sum) = (Vec::new(), 0, 0_u64);
    for (at, piece) in pieces.iter().enumerate() {
        if at > from && sum.saturating_add(piece.pairs) > most {
            waves.push(&pieces[from..at]);
            (from, sum) = (at, 0);
        }
        sum = sum.saturating_add(piece.pairs);
    }
    if from < pieces.len() {
        waves.push(&pieces[from..]);
    }
    waves
}
