//! How often records of the same thing are alike: m, by expectation maximisation among the pairs that a rule gives.

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use serde::Serialize;
use tracing::debug;

use super::{Training, TrainingReport};
use crate::Error;
use crate::gammas::of_pair;
use crate::linkage::{Comparing, Linkage};
use crate::model::{probability_of, weight_of};
use crate::pair::{Data, Look};
use crate::predict::{waves, within_budget};
use crate::rules::Index;
use crate::settings::Comparison;
use crate::walk::{Visit, pieces, walk};

/// So many pairs at most are at hand where DuckDB has to tell a level.
const WAVE: u64 = 2_000_000;

/// What was learned of the pairs of one rule.
#[derive(Clone, Debug, Serialize)]
pub struct EmSession {
    /// The rule.
    pub rule: String,
    /// How many pairs it gives.
    pub pairs: u64,
    /// The comparisons that were learned.
    pub comparisons: Vec<String>,
    /// Those that were not, for their columns are the rule's.
    pub left_out: Vec<String>,
    /// How it went, from what it began with.
    pub rounds: Vec<EmRound>,
    /// Whether it came to rest before the last round that was allowed.
    pub converged: bool,
}

/// Numbers after a round.
#[derive(Clone, Debug, Serialize)]
pub struct EmRound {
    /// The share of matches among the rule's pairs.
    pub lambda: f64,
    /// m of each level of each learned comparison, by the level's number.
    pub m: Vec<Vec<f64>>,
    /// The largest change.
    pub change: f64,
}

/// A rule that is learned of: given for it, or one of those that predict.
#[derive(Clone, Copy)]
enum Learn {
    Given(usize),
    Predicting(usize),
}

/// What a session found: for each comparison that was learned, m of its levels, where there is one.
struct Learned {
    session: EmSession,
    m: Vec<(usize, Vec<Option<f64>>)>,
}

/// Fewer pairs teach nothing, where there is a choice.
const FEWEST: u64 = 200;

/// How many pairs have the same levels, written as one number.
type Patterns = HashMap<u128, u64, RandomState>;

impl Linkage {
    pub(super) fn estimate_m(
        &mut self,
        training: &Training,
        report: &mut TrainingReport,
    ) -> Result<(), Error> {
        // For each comparison, level and session, what was found.
        let mut found: Vec<Vec<Vec<f64>>> = self
            .settings
            .comparisons
            .iter()
            .map(|it| vec![Vec::new(); it.counting().count()])
            .collect();
        for rule in self.rules_to_learn_of(training)? {
            let Some(learned) = self.session(rule, training, &mut report.warnings)? else {
                continue;
            };
            for (which, levels) in learned.m {
                for (all, m) in found[which].iter_mut().zip(levels) {
                    all.extend(m);
                }
            }
            self.take(&found);
            report.sessions.push(learned.session);
        }
        for (comparison, found) in self.settings.comparisons.iter().zip(&found) {
            if found.iter().all(Vec::is_empty) && comparison.counting().any(|it| !it.fix_m) {
                report.warnings.push(format!(
                    "comparison `{}`: its m stays what it was, for its columns are in every rule that m could be learned of, or have no value there; a training rule of other columns would help",
                    comparison.name
                ));
                continue;
            }
            let mut levels: Vec<_> = comparison.counting().collect();
            levels.reverse();
            for (level, _) in levels
                .iter()
                .zip(found)
                .filter(|it| it.1.is_empty() && !it.0.fix_m)
            {
                report.warnings.push(format!(
                    "comparison `{}`: no pair that m is learned of is at the level `{}`, so its m is the default",
                    comparison.name, level.label
                ));
            }
        }
        Ok(())
    }

    /// The median of what was found in the sessions so far becomes m.
    fn take(&mut self, found: &[Vec<Vec<f64>>]) {
        for (comparison, found) in self.settings.comparisons.iter_mut().zip(found) {
            let levels = comparison.levels.iter_mut().filter(|it| !it.is_null).rev();
            for (level, found) in levels.zip(found) {
                if !level.fix_m && !found.is_empty() {
                    level.m = Some(median(found));
                }
            }
        }
    }

    /// The rules of training. Where nobody gave any: the narrowest that predict, until each comparison is learned of two.
    fn rules_to_learn_of(&self, training: &Training) -> Result<Vec<Learn>, Error> {
        if !self.em.is_empty() || self.comparisons.is_empty() {
            return Ok((0..self.em.len()).map(Learn::Given).collect());
        }
        let mut counted: Vec<(u64, usize)> = self
            .rules()?
            .iter()
            .map(|it| it.pairs)
            .zip(0..self.rules.len())
            .collect();
        let most = training.pairs_budget.unwrap_or(u64::MAX);
        counted.retain(|it| it.0 >= FEWEST && it.0 <= most);
        counted.sort_unstable();
        let mut learned = vec![0; self.comparisons.len()];
        let mut chosen = Vec::new();
        for (_, at) in counted {
            let columns = &self.rules[at].columns;
            let of_rule = |it: &Comparing| it.columns.iter().any(|column| columns.contains(column));
            let mut helps = false;
            for (count, comparison) in learned.iter_mut().zip(&self.comparisons) {
                if !of_rule(comparison) {
                    helps |= *count < 2;
                    *count += 1;
                }
            }
            if helps {
                chosen.push(Learn::Predicting(at));
            }
        }
        Ok(chosen)
    }

    /// What a rule's pairs teach.
    fn session(
        &self,
        rule: Learn,
        training: &Training,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Learned>, Error> {
        let rule = match rule {
            Learn::Given(at) => &self.em[at],
            Learn::Predicting(at) => &self.rules[at],
        };
        let columns = &rule.columns;
        let index = [self.index_one(rule)?];
        within_budget(
            index.iter().map(Index::pairs).collect(),
            training.pairs_budget,
        )?;
        let of_rule = |it: &Comparing| it.columns.iter().any(|column| columns.contains(column));
        let all = 0..self.comparisons.len();
        let (left_out, active): (Vec<usize>, Vec<usize>) =
            all.partition(|it| of_rule(&self.comparisons[*it]));
        let patterns = self.patterns(&index, &active)?;
        let pairs: u64 = patterns.iter().map(|it| it.1).sum();
        debug!(
            rule = rule.rule.sql,
            pairs,
            patterns = patterns.len(),
            "pairs to learn m of are compared"
        );
        let name = |it: &usize| self.settings.comparisons[*it].name.clone();
        if pairs == 0 || active.is_empty() {
            let why = if pairs == 0 {
                "it gives no pair"
            } else {
                "it is about the columns of every comparison"
            };
            warnings.push(format!(
                "nothing is learned of the training rule `{}`: {why}",
                rule.rule.sql
            ));
            return Ok(None);
        }
        let comparisons: Vec<&Comparison> = active
            .iter()
            .map(|it| &self.settings.comparisons[*it])
            .collect();
        let begin = self.lambda_within(columns);
        let most = self.settings.max_iterations;
        let (rounds, m, converged) = maximise(
            &comparisons,
            &patterns,
            begin,
            most,
            self.settings.em_convergence,
        );
        if !converged {
            warnings.push(format!(
                "training by `{}` did not come to rest within {most} rounds (the last change was {:.5}); its m are those of the last round",
                rule.rule.sql,
                rounds.last().map_or(0.0, |it| it.change)
            ));
        }
        let session = EmSession {
            rule: rule.rule.sql.clone(),
            pairs,
            comparisons: active.iter().map(name).collect(),
            left_out: left_out.iter().map(name).collect(),
            rounds,
            converged,
        };
        Ok(Some(Learned {
            session,
            m: active.into_iter().zip(m).collect(),
        }))
    }

    /// The share of matches among all pairs, by what the model says of those that rules give. What matches beyond them is not known, so it is no
    /// more than there are.
    pub(super) fn expected_lambda(&self, training: &Training) -> Result<Option<(f64, u64)>, Error> {
        let index = self.index(&self.rules)?;
        within_budget(
            index.iter().map(Index::pairs).collect(),
            training.pairs_budget,
        )?;
        let all: Vec<usize> = (0..self.comparisons.len()).collect();
        let patterns = self.patterns(&index, &all)?;
        let pairs: u64 = patterns.iter().map(|it| it.1).sum();
        if pairs == 0 || all.is_empty() {
            return Ok(None);
        }
        let parameters: Vec<Vec<(f64, f64)>> = self
            .settings
            .comparisons
            .iter()
            .map(Comparison::parameters)
            .collect();
        let (m, u): (Vec<Vec<f64>>, Vec<Vec<f64>>) = parameters
            .into_iter()
            .map(|it| it.into_iter().unzip())
            .unzip();
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
        let share_given = pairs as f64 / self.all_pairs()?;
        let mut lambda = self.settings.lambda_or_default();
        for _ in 0..self.settings.max_iterations.max(1) {
            let (within, _) = one_round(&patterns, lambda, &m, &u);
            let next = (within * share_given).clamp(1e-12, 0.5);
            let change = (next / lambda - 1.0).abs();
            lambda = next;
            if change < 1e-3 {
                break;
            }
        }
        Ok(Some((lambda, pairs)))
    }

    /// The share of matches among pairs that are equal in some columns, by what the model says of levels for equal values.
    fn lambda_within(&self, columns: &[String]) -> f64 {
        let mut left: Vec<String> = columns.iter().map(|it| it.to_lowercase()).collect();
        let mut levels: Vec<(&Vec<String>, f64)> = Vec::new();
        for (comparison, ready) in self.settings.comparisons.iter().zip(&self.comparisons) {
            let parameters = comparison.parameters();
            for (at, of) in &ready.exact {
                if let Ok(gamma) = usize::try_from(ready.gammas[*at]) {
                    let (m, u) = parameters[gamma];
                    levels.push((of, (m / u).log2()));
                }
            }
        }
        levels.sort_by_key(|it| std::cmp::Reverse(it.0.len()));
        let mut weight = weight_of(self.settings.lambda_or_default());
        for (of, more) in levels {
            let of: Vec<String> = of.iter().map(|it| it.to_lowercase()).collect();
            if of.iter().all(|it| left.contains(it)) {
                left.retain(|it| !of.contains(it));
                weight += more;
            }
        }
        probability_of(weight)
    }

    fn patterns(
        &self,
        index: &[Index<'_>],
        active: &[usize],
    ) -> Result<Vec<(Vec<i8>, u64)>, Error> {
        let comparisons: Vec<&Comparing> = active.iter().map(|it| &self.comparisons[*it]).collect();
        // A level more than there are, for NULL.
        let sizes: Vec<u128> = comparisons
            .iter()
            .map(|it| it.gammas.len() as u128 + 1)
            .collect();
        let pieces = pieces(index);
        let mut sum = Patterns::default();
        let asks = Self::asks_engine(&comparisons);
        self.keep_for_engine(&comparisons)?;
        let data = self.data();
        for wave in waves(&pieces, if asks { WAVE } else { u64::MAX }) {
            let visitor = || Seeing {
                data,
                comparisons: &comparisons,
                sizes: &sizes,
                asks,
                gammas: vec![0; comparisons.len()],
                patterns: Patterns::default(),
                pairs: Vec::new(),
            };
            for seeing in walk(data, index, wave, self.threads, &self.interrupter, visitor)? {
                for (pattern, count) in seeing.patterns {
                    *sum.entry(pattern).or_insert(0) += count;
                }
                if asks {
                    let gammas = self.gammas_of(&comparisons, &seeing.pairs)?;
                    for gammas in gammas.chunks_exact(comparisons.len().max(1)) {
                        *sum.entry(packed(gammas, &sizes)).or_insert(0) += 1;
                    }
                }
            }
        }
        let mut patterns: Vec<(u128, u64)> = sum.into_iter().collect();
        // Sums of many numbers depend on their order.
        patterns.sort_unstable();
        Ok(patterns
            .into_iter()
            .map(|(it, count)| (unpacked(it, &sizes), count))
            .collect())
    }
}

fn packed(gammas: &[i8], sizes: &[u128]) -> u128 {
    let each = gammas.iter().zip(sizes);
    each.fold(0, |sum, (gamma, size)| {
        sum.wrapping_mul(*size)
            .wrapping_add(u128::try_from(i16::from(*gamma) + 1).unwrap_or(0))
    })
}

fn unpacked(mut pattern: u128, sizes: &[u128]) -> Vec<i8> {
    let mut gammas: Vec<i8> = sizes
        .iter()
        .rev()
        .map(|size| {
            let word = pattern % size;
            pattern /= size;
            i8::try_from(word).unwrap_or(i8::MAX) - 1
        })
        .collect();
    gammas.reverse();
    gammas
}

struct Seeing<'a> {
    data: &'a Data,
    comparisons: &'a [&'a Comparing],
    sizes: &'a [u128],
    asks: bool,
    gammas: Vec<i8>,
    patterns: Patterns,
    pairs: Vec<(u32, u32)>,
}

impl Visit for Seeing<'_> {
    fn pair(&mut self, _: usize, l: u32, r: u32, look: &mut Look) {
        if self.asks {
            self.pairs.push((l, r));
            return;
        }
        of_pair(self.data, self.comparisons, l, r, look, &mut self.gammas);
        *self
            .patterns
            .entry(packed(&self.gammas, self.sizes))
            .or_insert(0) += 1;
    }
}

/// Rounds, then m of each level that was seen, and whether it came to rest.
fn maximise(
    comparisons: &[&Comparison],
    patterns: &[(Vec<i8>, u64)],
    begin: f64,
    most: u32,
    enough: f64,
) -> (Vec<EmRound>, Vec<Vec<Option<f64>>>, bool) {
    let parameters: Vec<Vec<(f64, f64)>> = comparisons.iter().map(|it| it.parameters()).collect();
    let fixed: Vec<Vec<bool>> = comparisons
        .iter()
        .map(|it| {
            let mut levels: Vec<bool> = it.counting().map(|it| it.fix_m).collect();
            levels.reverse();
            levels
        })
        .collect();
    let u: Vec<Vec<f64>> = parameters
        .iter()
        .map(|it| it.iter().map(|it| it.1).collect())
        .collect();
    let mut m: Vec<Vec<f64>> = parameters
        .iter()
        .map(|it| it.iter().map(|it| it.0).collect())
        .collect();
    let mut seen: Vec<Vec<bool>> = m.iter().map(|it| vec![false; it.len()]).collect();
    for (gammas, _) in patterns {
        for (seen, gamma) in seen.iter_mut().zip(gammas) {
            if let Ok(gamma) = usize::try_from(*gamma) {
                seen[gamma] = true;
            }
        }
    }
    let mut lambda = begin;
    let mut rounds = vec![EmRound {
        lambda,
        m: m.clone(),
        change: 0.0,
    }];
    let mut converged = false;
    for _ in 0..most {
        let (next_lambda, next) = one_round(patterns, lambda, &m, &u);
        let mut change = (next_lambda - lambda).abs();
        for (i, levels) in next.into_iter().enumerate() {
            for (gamma, value) in levels.into_iter().enumerate() {
                let Some(value) = value.filter(|_| !fixed[i][gamma]) else {
                    continue;
                };
                change = change.max((value - m[i][gamma]).abs());
                m[i][gamma] = value;
            }
        }
        lambda = next_lambda;
        rounds.push(EmRound {
            lambda,
            m: m.clone(),
            change,
        });
        if change < enough {
            converged = true;
            break;
        }
    }
    let found = m.into_iter().zip(seen);
    let found = found.map(|(m, seen)| {
        m.into_iter()
            .zip(seen)
            .map(|(m, seen)| seen.then_some(m))
            .collect()
    });
    (rounds, found.collect(), converged)
}

/// The share of matches, and m of each level that has any, after a round.
#[expect(clippy::cast_precision_loss, reason = "shares need no more digits")]
fn one_round(
    patterns: &[(Vec<i8>, u64)],
    lambda: f64,
    m: &[Vec<f64>],
    u: &[Vec<f64>],
) -> (f64, Vec<Vec<Option<f64>>>) {
    let weights: Vec<Vec<f64>> = m
        .iter()
        .zip(u)
        .map(|(m, u)| {
            m.iter()
                .zip(u)
                .map(|(m, u)| (m.max(1e-300) / u).log2())
                .collect()
        })
        .collect();
    let prior = weight_of(lambda);
    let (mut matches, mut all) = (0.0, 0.0);
    let mut sums: Vec<Vec<f64>> = m.iter().map(|it| vec![0.0; it.len()]).collect();
    for (gammas, count) in patterns {
        let levels = gammas.iter().zip(&weights);
        let weight: f64 = levels
            .map(|(gamma, it)| usize::try_from(*gamma).map_or(0.0, |at| it[at]))
            .sum();
        let matching = probability_of(prior + weight) * *count as f64;
        matches += matching;
        all += *count as f64;
        for (sums, gamma) in sums.iter_mut().zip(gammas) {
            if let Ok(gamma) = usize::try_from(*gamma) {
                sums[gamma] += matching;
            }
        }
    }
    let share = |sums: Vec<f64>| {
        let all: f64 = sums.iter().sum();
        sums.into_iter()
            .map(|it| (all > 0.0).then(|| it / all))
            .collect()
    };
    let least = 1e-12;
    (
        (matches / all).clamp(least, 1.0 - least),
        sums.into_iter().map(share).collect(),
    )
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::{median, packed, unpacked};

    #[test]
    fn levels_become_a_number_and_come_back() {
        let sizes = [7, 4, 3];
        for gammas in [[-1, -1, -1], [5, 2, 1], [0, 2, -1]] {
            assert_eq!(unpacked(packed(&gammas, &sizes), &sizes), gammas);
        }
    }

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert!((median(&[3.0, 1.0, 2.0, 10.0]) - 2.5).abs() < 1e-12);
        assert!((median(&[3.0, 1.0, 2.0]) - 2.0).abs() < 1e-12);
    }
}
