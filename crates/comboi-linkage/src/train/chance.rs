//! How often records of different things are alike: u, in pairs taken by chance.

use super::Training;
use crate::Error;
use crate::gammas::of_comparison;
use crate::linkage::{Comparing, Linkage};
use crate::pair::{Data, Look, Pair};
use crate::walk::on_threads;

/// Records that pairs are taken of: few enough to stay near the processor.
const SAMPLE: u32 = 16_384;
/// A level that was met so often is known well enough.
const ENOUGH: u64 = 500;
/// So many pairs are looked at before it is asked whether that is enough.
const ROUND: u64 = 400_000;

impl Linkage {
    /// How many pairs were looked at.
    pub(super) fn estimate_u(
        &mut self,
        training: &Training,
        warnings: &mut Vec<String>,
    ) -> Result<u64, Error> {
        let circle = Circle::new(self.row_count(), training.seed);
        let most = training.max_pairs.min(circle.pair_count());
        let fixed: Vec<bool> = self
            .settings
            .comparisons
            .iter()
            .map(|it| it.counting().all(|level| level.fix_u))
            .collect();
        let mut counts: Vec<Vec<u64>> = self
            .settings
            .comparisons
            .iter()
            .map(|it| vec![0; it.counting().count()])
            .collect();
        let comparisons: Vec<&Comparing> = self.comparisons.iter().collect();
        self.keep_for_engine(&comparisons)?;
        let mut done = 0;
        while done < most {
            let wanted: Vec<usize> = (0..counts.len())
                .filter(|at| !fixed[*at] && counts[*at].iter().any(|it| *it < ENOUGH))
                .collect();
            if wanted.is_empty() {
                break;
            }
            let to = (done + circle.round()).min(most);
            let wanted_comparisons: Vec<&Comparing> =
                wanted.iter().map(|at| comparisons[*at]).collect();
            let round = self.count_round(&wanted_comparisons, &circle, (done, to))?;
            for (at, round) in wanted.iter().zip(round) {
                for (count, more) in counts[*at].iter_mut().zip(round) {
                    *count += more;
                }
            }
            done = to;
        }
        for (comparison, counts) in self.settings.comparisons.iter_mut().zip(counts) {
            let all: u64 = counts.iter().sum();
            if all == 0 {
                warnings.push(format!(
                    "comparison `{}`: of {done} pairs taken by chance none has a value in both records, so u keeps what it was",
                    comparison.name
                ));
                continue;
            }
            let name = comparison.name.clone();
            for (level, count) in comparison
                .levels
                .iter_mut()
                .filter(|it| !it.is_null)
                .rev()
                .zip(counts)
            {
                if level.fix_u {
                    continue;
                }
                #[expect(clippy::cast_precision_loss, reason = "a share needs no more digits")]
                let share = count as f64 / all as f64;
                level.u = (count > 0).then_some(share);
                if count == 0 {
                    warnings.push(format!(
                        "comparison `{name}`: no pair taken by chance is at the level `{}`, so its u is the default",
                        level.label
                    ));
                }
            }
        }
        Ok(done)
    }

    /// How many of some pairs are at each level, by its number. They begin with a step.
    fn count_round(
        &self,
        comparisons: &[&Comparing],
        circle: &Circle,
        (from, to): (u64, u64),
    ) -> Result<Vec<Vec<u64>>, Error> {
        let levels: Vec<usize> = comparisons
            .iter()
            .map(|it| it.gammas.iter().filter(|gamma| **gamma >= 0).count())
            .collect();
        let same_source = self.same_source.as_ref();
        let same_source = same_source.map(|it| self.index_one(it)).transpose()?;
        // Where only records of different tables are linked, those of one say nothing.
        let data = self.data();
        let counts = |l: u32, r: u32, look: &mut Look| {
            let same = same_source.as_ref();
            !same.is_some_and(|it| it.has(data, l, r, (data.row(l), data.row(r)), look))
        };
        let steps = circle.steps(from, to);
        let empty = || -> Vec<Vec<u64>> { levels.iter().map(|it| vec![0; *it]).collect() };
        let mut sum = empty();
        if Self::asks_engine(comparisons) {
            let mut look = Look::default();
            let pairs: Vec<(u32, u32)> = steps
                .flat_map(|it| circle.pairs(it, to))
                .map(|(l, r)| (circle.ranks[l], circle.ranks[r]))
                .filter(|(l, r)| counts(*l, *r, &mut look))
                .collect();
            let gammas = self.gammas_of(comparisons, &pairs)?;
            for gammas in gammas.chunks_exact(comparisons.len()) {
                for (sum, gamma) in sum.iter_mut().zip(gammas) {
                    if let Ok(gamma) = usize::try_from(*gamma) {
                        sum[gamma] += 1;
                    }
                }
            }
            return Ok(sum);
        }
        // Side by side, as they are walked.
        let near = Data {
            words: circle
                .ranks
                .iter()
                .flat_map(|it| data.row(*it))
                .copied()
                .collect(),
            width: data.width,
            ..Data::default()
        };
        let near_row = |place: usize| near.row(u32::try_from(place).unwrap_or(u32::MAX));
        let steps: Vec<u64> = steps.collect();
        let parts = on_threads(steps.len(), self.threads, &self.interrupter, |at, look| {
            let mut found = empty();
            for (l, r) in circle.pairs(steps[at], to) {
                if !counts(circle.ranks[l], circle.ranks[r], look) {
                    continue;
                }
                let pair = Pair {
                    data,
                    l: near_row(l),
                    r: near_row(r),
                };
                for (comparison, found) in comparisons.iter().zip(&mut found) {
                    if let Ok(gamma) = usize::try_from(of_comparison(&pair, comparison, look)) {
                        found[gamma] += 1;
                    }
                }
            }
            found
        })?;
        for part in parts {
            for (sum, part) in sum.iter_mut().zip(part) {
                for (sum, count) in sum.iter_mut().zip(part) {
                    *sum += count;
                }
            }
        }
        Ok(sum)
    }
}

/// Records in a circle, in an order of chance. A step is the pairs of all that are so many places apart, and how many is a matter of chance as well;
/// so every pair comes once, records stand beside each other as they are needed, and there is no number to be drawn for each pair.
struct Circle {
    /// The records, by rank.
    ranks: Vec<u32>,
    /// How far apart, of all steps but the last one of an even number of records: each faces one other there, so it has half as many pairs.
    distances: Shuffle,
}

impl Circle {
    fn new(count: u32, seed: u64) -> Self {
        let ranks = sample(count, SAMPLE, seed);
        let steps = (ranks.len() as u64).saturating_sub(1) / 2;
        Self {
            ranks,
            distances: Shuffle::new(steps, seed),
        }
    }

    fn len(&self) -> u64 {
        self.ranks.len() as u64
    }

    /// How many pairs there are.
    fn pair_count(&self) -> u64 {
        self.len() * self.len().saturating_sub(1) / 2
    }

    /// How many pairs are looked at before it is asked whether that is enough: whole steps.
    fn round(&self) -> u64 {
        ROUND.next_multiple_of(self.len().max(1))
    }

    /// The steps of pairs from one number to another.
    fn steps(&self, from: u64, to: u64) -> std::ops::Range<u64> {
        let len = self.len().max(1);
        from / len..to.div_ceil(len)
    }

    /// The places of a step's pairs whose number is less than this; that of the smaller rank first.
    fn pairs(&self, step: u64, to: u64) -> impl Iterator<Item = (usize, usize)> + '_ {
        let len = self.ranks.len();
        let apart = if step < self.distances.count {
            self.distances.get(step) + 1
        } else {
            self.len() / 2
        };
        let apart = usize::try_from(apart).unwrap_or(usize::MAX);
        let left = to.saturating_sub(step * self.len()).min(self.len());
        (0..usize::try_from(left).unwrap_or(usize::MAX)).map(move |a| {
            let b = if a + apart < len {
                a + apart
            } else {
                a + apart - len
            };
            if self.ranks[a] < self.ranks[b] {
                (a, b)
            } else {
                (b, a)
            }
        })
    }
}

/// A scramble of 64 bits.
fn scrambled(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// So many ranks at most, each at most once, in an order of chance.
fn sample(count: u32, most: u32, seed: u64) -> Vec<u32> {
    let order = Shuffle::new(u64::from(count), seed ^ 0x5A5A);
    (0..u64::from(count.min(most)))
        .map(|at| u32::try_from(order.get(at)).unwrap_or(0))
        .collect()
}

/// The numbers below a bound in an order of chance, each once.
struct Shuffle {
    count: u64,
    /// Half the bits of the least even number of bits that holds them all.
    half: u32,
    seed: u64,
}

impl Shuffle {
    fn new(count: u64, seed: u64) -> Self {
        let bits = u64::BITS - count.saturating_sub(1).leading_zeros();
        Self {
            count,
            half: bits.div_ceil(2).max(1),
            seed: scrambled(seed),
        }
    }

    /// A network of Feistel's is a permutation of a power of two; what falls beyond the bound is permuted again.
    fn get(&self, at: u64) -> u64 {
        let mask = (1 << self.half) - 1;
        let mut value = at;
        loop {
            let (mut high, mut low) = (value >> self.half, value & mask);
            for round in 0..4 {
                let mixed = scrambled(low ^ self.seed.wrapping_add(round << 56)) & mask;
                (high, low) = (low, high ^ mixed);
            }
            value = high << self.half | low;
            if value < self.count {
                return value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Circle, Shuffle, sample};

    #[test]
    fn every_pair_comes_once() {
        for count in [2, 3, 4, 7, 10, 101] {
            let circle = Circle::new(count, 5);
            let all = circle.pair_count();
            assert_eq!(all, u64::from(count * (count - 1) / 2));
            let places = circle.steps(0, all).flat_map(|it| circle.pairs(it, all));
            let mut pairs: Vec<(u32, u32)> = places
                .map(|(l, r)| (circle.ranks[l], circle.ranks[r]))
                .collect();
            pairs.sort_unstable();
            let expected = (0..count).flat_map(|l| (l + 1..count).map(move |r| (l, r)));
            assert!(pairs.into_iter().eq(expected), "{count} records");
            // A part of them, where that many are wanted.
            let some = circle
                .steps(0, all / 2)
                .flat_map(|it| circle.pairs(it, all / 2));
            assert_eq!(some.count() as u64, all / 2);
        }
    }

    #[test]
    fn an_order_of_chance_has_everything_once() {
        for count in [1, 2, 7, 1000] {
            let order = Shuffle::new(count, 42);
            let mut seen: Vec<u64> = (0..count).map(|it| order.get(it)).collect();
            seen.sort_unstable();
            assert!(seen.into_iter().eq(0..count));
        }
    }

    #[test]
    fn a_seed_gives_the_same_sample() {
        assert_eq!(sample(1_000_000, 50, 7), sample(1_000_000, 50, 7));
        assert_ne!(sample(1_000_000, 50, 7), sample(1_000_000, 50, 8));
        let mut all = sample(3, 50, 7);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }
}
