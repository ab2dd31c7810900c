//! Clusters: records that pairs join, and those that they join in turn.

use std::thread;

use crate::Error;
use crate::linkage::Linkage;
use crate::pair::Look;
use crate::predict::{Pairs, within_budget};
use crate::rules::Found;
use crate::walk::{Visit, pieces, walk};

/// Sets of ranks that grow together; the smallest stands for its set.
struct Sets(Vec<u32>);

impl Sets {
    fn new(count: u32) -> Self {
        Self((0..count).collect())
    }

    fn root(&self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            at = self.0[at as usize];
        }
        at
    }

    /// The root; on the way to it, every other rank is hung up one higher.
    fn halved(&mut self, mut at: u32) -> u32 {
        while self.0[at as usize] != at {
            let above = self.0[self.0[at as usize] as usize];
            self.0[at as usize] = above;
            at = above;
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.halved(a), self.halved(b));
        self.0[a.max(b) as usize] = a.min(b);
    }
}

impl Linkage {
    /// For each row, the row whose id is the smallest of its cluster: pairs that weigh as much as this belong together.
    pub fn clusters(&self, pairs: &Pairs, threshold_weight: f64) -> Vec<u32> {
        let mut sets = Sets::new(self.row_count());
        for i in (0..pairs.len()).filter(|i| pairs.weights[*i] >= threshold_weight) {
            let rank = |row: u32| self.rank_of[row as usize];
            sets.join(rank(pairs.l[i]), rank(pairs.r[i]));
        }
        self.by_row(&sets)
    }

    /// The same where being a pair by a rule is all it takes, whatever a model would say.
    pub fn clusters_by_rules(&self, pairs_budget: Option<u64>) -> Result<Vec<u32>, Error> {
        let mut sets = Sets::new(self.row_count());
        let mut walked = Vec::new();
        for rule in self.index(&self.rules)? {
            match &rule.found {
                // All that have a key belong together; there is no need to see every pair of them.
                Found::Keyed {
                    left,
                    right: None,
                    rest: None,
                    ..
                }
                | Found::Exploded { groups: left, .. } => {
                    for key in 1..left.count() {
                        for two in left.get(key).windows(2) {
                            sets.join(two[0], two[1]);
                        }
                    }
                }
                _ => walked.push(rule),
            }
        }
        within_budget(
            walked.iter().map(crate::rules::Index::pairs).collect(),
            pairs_budget,
        )?;
        let pieces = pieces(&walked);
        let found = walk(
            self.data(),
            &walked,
            &pieces,
            self.threads,
            &self.interrupter,
            Listing::default,
        )?;
        for (l, r) in found.into_iter().flat_map(|it| it.0) {
            sets.join(l, r);
        }
        Ok(self.by_row(&sets))
    }

    fn by_row(&self, sets: &Sets) -> Vec<u32> {
        let row_of = &self.loaded.row_of;
        let mut clusters = vec![0; self.rank_of.len()];
        let each = clusters.len().div_ceil(self.threads.max(1)).max(1);
        thread::scope(|scope| {
            for (clusters, ranks) in clusters.chunks_mut(each).zip(self.rank_of.chunks(each)) {
                scope.spawn(move || {
                    for (cluster, rank) in clusters.iter_mut().zip(ranks) {
                        *cluster = row_of[sets.root(*rank) as usize];
                    }
                });
            }
        });
        clusters
    }
}

#[derive(Default)]
struct Listing(Vec<(u32, u32)>);

impl Visit for Listing {
    fn pair(&mut self, _: usize, l: u32, r: u32, _: &mut Look) {
        self.0.push((l, r));
    }
}

#[cfg(test)]
mod tests {
    use super::Sets;

    #[test]
    fn the_smallest_stands_for_all_that_are_joined() {
        let mut sets = Sets::new(7);
        for (a, b) in [(5, 6), (2, 5), (4, 3), (6, 2)] {
            sets.join(a, b);
        }
        assert_eq!(
            (0..7).map(|it| sets.root(it)).collect::<Vec<_>>(),
            [0, 1, 2, 3, 3, 2, 2]
        );
    }
}
