//! How often records of different things are alike: u, in pairs taken by chance.

use super::Training;
use crate::Error;
use crate::gammas::of_comparison;
use crate::linkage::{Comparing, Linkage};
use crate::pair::{Look, Pair};
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
        let sample = sample(self.row_count(), SAMPLE, training.seed);
        let count = sample.len() as u64;
        let all = count * count.saturating_sub(1) / 2;
        let most = training.max_pairs.min(all);
        let order = Shuffle::new(all, training.seed);
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
            let to = (done + ROUND).min(most);
            let wanted_comparisons: Vec<&Comparing> =
                wanted.iter().map(|at| comparisons[*at]).collect();
            let round = self.count_round(&wanted_comparisons, &order, &sample, (done, to))?;
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

    /// How many of some pairs are at each level, by its number.
    fn count_round(
        &self,
        comparisons: &[&Comparing],
        order: &Shuffle,
        sample: &[u32],
        (from, to): (u64, u64),
    ) -> Result<Vec<Vec<u64>>, Error> {
        let levels: Vec<usize> = comparisons
            .iter()
            .map(|it| it.gammas.iter().filter(|gamma| **gamma >= 0).count())
            .collect();
        let pair = |at: u64| {
            let (i, j) = of_triangle(order.get(at));
            let (a, b) = (sample[i], sample[j]);
            (a.min(b), a.max(b))
        };
        let same_source = self.same_source.as_ref();
        let same_source = same_source.map(|it| self.index_one(it)).transpose()?;
        // Where only records of different tables are linked, those of one say nothing.
        let data = self.data();
        let counts = |(l, r): &(u32, u32), look: &mut Look| {
            let (l, r) = (*l, *r);
            let rows = (data.row(l), data.row(r));
            let same = same_source.as_ref();
            !same.is_some_and(|it| it.has(data, l, r, rows, look))
        };
        let empty = || -> Vec<Vec<u64>> { levels.iter().map(|it| vec![0; *it]).collect() };
        let mut sum = empty();
        if Self::asks_engine(comparisons) {
            let mut look = Look::default();
            let pairs = (from..to).map(pair);
            let pairs: Vec<(u32, u32)> = pairs.filter(|it| counts(it, &mut look)).collect();
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
        let step = 20_000;
        let chunks = usize::try_from((to - from).div_ceil(step)).unwrap_or(usize::MAX);
        let parts = on_threads(chunks, self.threads, &self.interrupter, |at, look| {
            let mut found = empty();
            let begin = from + at as u64 * step;
            for at in begin..(begin + step).min(to) {
                let (l, r) = pair(at);
                if !counts(&(l, r), look) {
                    continue;
                }
                let pair = Pair {
                    data,
                    l: data.row(l),
                    r: data.row(r),
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

/// A scramble of 64 bits.
fn scrambled(value: u64) -> u64 {
    let mut x = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// So many ranks at most, each at most once.
fn sample(count: u32, most: u32, seed: u64) -> Vec<u32> {
    if count <= most {
        return (0..count).collect();
    }
    let order = Shuffle::new(u64::from(count), seed ^ 0x5A5A);
    (0..u64::from(most))
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

/// The pair (i, j), i below j, that has this number among all.
fn of_triangle(number: u64) -> (usize, usize) {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "put right below"
    )]
    let mut j = ((1.0 + (1.0 + 8.0 * number as f64).sqrt()) / 2.0) as u64;
    while j * (j - 1) / 2 > number {
        j -= 1;
    }
    while (j + 1) * j / 2 <= number {
        j += 1;
    }
    let i = number - j * (j - 1) / 2;
    let small = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    (small(i), small(j))
}

#[cfg(test)]
mod tests {
    use super::{Shuffle, of_triangle, sample};

    #[test]
    fn every_pair_comes_once() {
        let pairs: Vec<_> = (0..10).map(of_triangle).collect();
        let expected = [
            (0, 1),
            (0, 2),
            (1, 2),
            (0, 3),
            (1, 3),
            (2, 3),
            (0, 4),
            (1, 4),
            (2, 4),
            (3, 4),
        ];
        assert_eq!(pairs, expected);
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
        assert_eq!(sample(3, 50, 7), [0, 1, 2]);
    }
}
