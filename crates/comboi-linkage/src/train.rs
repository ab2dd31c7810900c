//! Training: what a model's numbers are, found in the records themselves.
//!
//! The share of matches is that of pairs which rules find that hardly err, over the share of matches which those rules are thought to find. How often records
//! of different things are alike (u) shows in pairs taken by chance, of which hardly any match. How often those of the same thing are (m) is found by
//! expectation maximisation among pairs which a rule gives.

mod chance;
mod em;

use serde::Serialize;
use tracing::{debug, warn};

pub use em::{EmRound, EmSession};

use crate::Error;
use crate::linkage::Linkage;
use crate::pair::Look;
use crate::predict::within_budget;
use crate::rules::Index;
use crate::settings::Rule;
use crate::walk::{Visit, pieces, walk};

/// How a model is trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// Rules whose pairs match, for the share of matches. None: it is what the trained model expects among the pairs that it predicts of.
    pub deterministic_rules: Vec<Rule>,
    /// The share of all matches that deterministic rules find.
    pub recall: f64,
    /// Rules whose pairs m is learned of. A comparison is learned where its columns are not the rule's; so it takes two rules to learn all. None: the
    /// narrowest of those that predict.
    pub em_rules: Vec<Rule>,
    /// How many pairs taken by chance are looked at, at most.
    pub max_pairs: u64,
    /// What chance begins with: the same gives the same.
    pub seed: u64,
    /// How many pairs a rule may give. None: any number.
    pub pairs_budget: Option<u64>,
    /// Whether the share of matches is estimated.
    pub lambda: bool,
    /// Whether u is estimated.
    pub u: bool,
    /// Whether m is estimated.
    pub m: bool,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            deterministic_rules: Vec::new(),
            recall: 0.7,
            em_rules: Vec::new(),
            max_pairs: 2_000_000,
            seed: 1,
            pairs_budget: None,
            lambda: true,
            u: true,
            m: true,
        }
    }
}

/// What training found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TrainingReport {
    /// The share of matches.
    pub lambda: Option<Lambda>,
    /// How many pairs taken by chance were looked at.
    pub u_pairs: u64,
    /// What was learned from each rule.
    pub sessions: Vec<EmSession>,
    /// What a person should know: what was not learned, and why.
    pub warnings: Vec<String>,
}

/// How the share of matches was found.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Lambda {
    /// The share before.
    pub before: Option<f64>,
    /// The share found.
    pub after: f64,
    /// Pairs that were looked at: those of the deterministic rules, or those that are predicted of.
    pub pairs: u64,
    /// Whether it is counted by deterministic rules; else it is what the model expects.
    pub counted: bool,
    /// All pairs that there are.
    pub all_pairs: f64,
}

impl Linkage {
    /// Finds the model's numbers; [`settings`](Self::settings) has them afterwards. Numbers that are fixed stay.
    pub fn train(&mut self, training: &Training) -> Result<TrainingReport, Error> {
        let mut report = TrainingReport::default();
        if self.row_count() < 2 {
            let warning = "there are fewer than two rows, so nothing is learned";
            report.warnings.push(warning.to_owned());
            return Ok(report);
        }
        if training.lambda && !self.deterministic.is_empty() {
            report.lambda = self.estimate_lambda(training, &mut report.warnings)?;
        }
        if training.u {
            report.u_pairs = self.estimate_u(training, &mut report.warnings)?;
            debug!(pairs = report.u_pairs, "u is estimated");
        }
        if training.m {
            self.estimate_m(training, &mut report)?;
        }
        if training.lambda && self.deterministic.is_empty() {
            report.lambda = self.estimate_lambda(training, &mut report.warnings)?;
        }
        for warning in &report.warnings {
            warn!("{warning}");
        }
        Ok(report)
    }

    /// Finds the share of matches alone, which belongs to a number of records: a model that was trained elsewhere needs it anew.
    pub fn estimate_lambda(
        &mut self,
        training: &Training,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Lambda>, Error> {
        if self.deterministic.is_empty() {
            return self.expect_lambda(training);
        }
        let rules = self.index(&self.deterministic)?;
        within_budget(
            rules.iter().map(Index::pairs).collect(),
            training.pairs_budget,
        )?;
        let pieces = pieces(&rules);
        let counted = walk(
            self.data(),
            &rules,
            &pieces,
            self.threads,
            &self.interrupter,
            Counting::default,
        )?;
        let pairs: u64 = counted.iter().map(|it| it.0).sum();
        drop(rules);
        let all_pairs = self.all_pairs()?;
        if pairs == 0 || all_pairs < 1.0 {
            warnings.push(
                "the deterministic rules find no pair, so the share of matches stays what it is"
                    .to_owned(),
            );
            return Ok(None);
        }
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let share = pairs as f64 / training.recall.clamp(1e-6, 1.0) / all_pairs;
        if share >= 1.0 {
            warnings.push(format!(
                "the deterministic rules find {pairs} of {all_pairs} pairs, more than a recall of {} leaves room for: the share of matches stays what it is",
                training.recall
            ));
            return Ok(None);
        }
        let lambda = Lambda {
            before: self.settings.lambda,
            after: share,
            pairs,
            counted: true,
            all_pairs,
        };
        self.settings.lambda = Some(share);
        Ok(Some(lambda))
    }

    fn expect_lambda(&mut self, training: &Training) -> Result<Option<Lambda>, Error> {
        let Some((share, pairs)) = self.expected_lambda(training)? else {
            return Ok(None);
        };
        let lambda = Lambda {
            before: self.settings.lambda,
            after: share,
            pairs,
            counted: false,
            all_pairs: self.all_pairs()?,
        };
        self.settings.lambda = Some(share);
        Ok(Some(lambda))
    }

    /// How many pairs of records may be the same thing, whatever rules say.
    fn all_pairs(&self) -> Result<f64, Error> {
        let rows = f64::from(self.row_count());
        let pairs = rows * (rows - 1.0) / 2.0;
        let Some(same_source) = &self.same_source else {
            return Ok(pairs);
        };
        let of_one_table = self.index_one(same_source)?.pairs().pairs;
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let of_one_table = of_one_table as f64;
        Ok(pairs - of_one_table)
    }
}

#[derive(Default)]
struct Counting(u64);

impl Visit for Counting {
    fn pair(&mut self, _: usize, _: u32, _: u32, _: &mut Look) {
        self.0 += 1;
    }
}
