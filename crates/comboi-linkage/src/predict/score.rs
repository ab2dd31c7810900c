//! What a pair weighs, with no more work than it takes to know that it is too little.
//!
//! How alike texts are takes the most time by far, and most pairs need not be asked: what is NULL and what is equal is seen at once, and often the
//! best of the levels that are still open would not make up for it. So those are seen first, in all comparisons, and then one likeness after
//! the other is asked for, as long as the pair could still weigh enough.

use crate::gammas::UNKNOWN;
use crate::linkage::{Comparing, ComparingWay};
use crate::model::{Model, Weights};
use crate::pair::{Data, Kernel, Look, Pair, Test};
use crate::walk::Visit;

/// A level that is open until a likeness has been asked for.
const OPEN: i8 = i8::MIN + 1;

/// Sums in another order are less than this apart: of some hundred numbers below 10^4.
const ROUNDING: f64 = 1e-6;

/// How pairs are scored.
pub(super) struct Scorer<'a> {
    data: &'a Data,
    model: &'a Model,
    threshold: f64,
    /// What any pair begins with: the prior, and the most that levels may add which only DuckDB can tell.
    begin: f64,
    steps: Vec<Step<'a>>,
    /// The comparisons that ask for a likeness; first those whose answers weigh the most.
    order: Vec<usize>,
}

/// A comparison as it is scored.
struct Step<'a> {
    /// The tests of the first levels, which ask for no likeness.
    plain: &'a [Test],
    /// The level where none of those holds.
    otherwise: i8,
    /// The tests of the other levels.
    open: &'a [Test],
    kernels: &'a [Kernel],
    gammas: &'a [i8],
    /// What the open levels weigh at most.
    most: f64,
}

impl<'a> Step<'a> {
    fn new(comparison: &'a Comparing, weights: &Weights) -> Self {
        let gammas = comparison.gammas.as_slice();
        let ComparingWay::Native(compiled) = &comparison.way else {
            return Self {
                plain: &[],
                otherwise: UNKNOWN,
                open: &[],
                kernels: &[],
                gammas,
                most: weights.most(gammas),
            };
        };
        let (plain, open) = compiled.tests.split_at(compiled.plain);
        Self {
            plain,
            otherwise: if open.is_empty() { -1 } else { OPEN },
            open,
            kernels: &compiled.kernels,
            gammas,
            most: weights.most(&gammas[plain.len()..]),
        }
    }

    /// The level of a pair, if it is seen at once.
    #[inline]
    fn at_once(&self, pair: &Pair<'_>, look: &mut Look) -> i8 {
        pair.first(self.plain, &[], look)
            .map_or(self.otherwise, |at| self.gammas[at])
    }

    /// The level of a pair where it was not seen at once.
    fn at_last(&self, pair: &Pair<'_>, look: &mut Look) -> i8 {
        pair.first(self.open, self.kernels, look)
            .map_or(-1, |at| self.gammas[self.plain.len() + at])
    }
}

impl<'a> Scorer<'a> {
    /// Pairs that weigh less than `threshold` are not wanted.
    pub(super) fn new(
        data: &'a Data,
        comparisons: &[&'a Comparing],
        model: &'a Model,
        threshold: f64,
    ) -> Self {
        let each = comparisons.iter().zip(&model.comparisons);
        let steps: Vec<Step<'_>> = each.map(|(it, weights)| Step::new(it, weights)).collect();
        let unknown = steps.iter().filter(|it| it.otherwise == UNKNOWN);
        let (asks, begin) =
            unknown.fold((false, model.prior), |(_, sum), it| (true, sum + it.most));
        let span = |at: usize| {
            let least = model.comparisons[at].least(&steps[at].gammas[steps[at].plain.len()..]);
            steps[at].most - least
        };
        let mut order: Vec<usize> = (0..steps.len())
            .filter(|at| steps[*at].otherwise == OPEN)
            .collect();
        order.sort_by(|a, b| span(*b).total_cmp(&span(*a)));
        Self {
            data,
            model,
            threshold: if asks {
                threshold - ROUNDING
            } else {
                threshold
            },
            begin,
            steps,
            order,
        }
    }

    #[inline]
    fn weight(&self, at: usize, gamma: i8, pair: &Pair<'_>) -> f64 {
        let (level, more) = self.model.comparisons[at].parts(gamma, pair.l, pair.r);
        level + more
    }

    /// The levels of a pair, and what it weighs; None where that is too little.
    fn score(&self, pair: &Pair<'_>, gammas: &mut [i8], look: &mut Look) -> Option<f64> {
        let enough = self.threshold - ROUNDING;
        let mut bound = self.begin;
        for (at, (step, gamma)) in self.steps.iter().zip(&mut *gammas).enumerate() {
            *gamma = step.at_once(pair, look);
            bound += match *gamma {
                UNKNOWN => 0.0,
                OPEN => step.most,
                gamma => self.weight(at, gamma, pair),
            };
        }
        for at in &self.order {
            if bound < enough {
                return None;
            }
            if gammas[*at] == OPEN {
                let step = &self.steps[*at];
                gammas[*at] = step.at_last(pair, look);
                bound += self.weight(*at, gammas[*at], pair) - step.most;
            }
        }
        // Added up in the order of the model, as Splink does.
        let known = gammas.iter().enumerate().filter(|it| *it.1 != UNKNOWN);
        let weight = known.fold(self.begin, |sum, (at, gamma)| {
            sum + self.weight(at, *gamma, pair)
        });
        (weight >= self.threshold).then_some(weight)
    }
}

/// Pairs by rank.
#[derive(Default)]
pub(super) struct Found {
    pub(super) pairs: Vec<(u32, u32)>,
    pub(super) keys: Vec<u16>,
    pub(super) gammas: Vec<i8>,
    pub(super) weights: Vec<f64>,
}

/// Scores pairs, and keeps those that weigh enough.
pub(super) struct Scoring<'a> {
    scorer: &'a Scorer<'a>,
    gammas: Vec<i8>,
    pub(super) found: Found,
}

impl<'a> Scoring<'a> {
    pub(super) fn new(scorer: &'a Scorer<'a>) -> Self {
        Self {
            scorer,
            gammas: vec![0; scorer.steps.len()],
            found: Found::default(),
        }
    }
}

impl Visit for Scoring<'_> {
    fn pair(&mut self, rule: usize, l: u32, r: u32, look: &mut Look) {
        let data = self.scorer.data;
        let pair = Pair {
            data,
            l: data.row(l),
            r: data.row(r),
        };
        if let Some(weight) = self.scorer.score(&pair, &mut self.gammas, look) {
            self.found.pairs.push((l, r));
            self.found
                .keys
                .push(u16::try_from(rule).unwrap_or(u16::MAX));
            self.found.gammas.extend_from_slice(&self.gammas);
            self.found.weights.push(weight);
        }
    }
}
