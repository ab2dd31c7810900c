//! How good pairs and clusters are, where somebody knows what belongs together.

use std::collections::HashMap;

use serde::Serialize;

/// How many of those found are right, how many of those right are found, and both in one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quality {
    /// The share of those found that are right.
    pub precision: f64,
    /// The share of those right that are found.
    pub recall: f64,
    /// The harmonic mean of both.
    pub f1: f64,
}

impl Quality {
    /// From counts: how many were found and are right, how many were found, and how many there are.
    pub fn of_counts(right: u64, found: u64, all: u64) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "shares need no more digits")]
        let share = |part: u64, of: u64| {
            if of == 0 {
                1.0
            } else {
                part as f64 / of as f64
            }
        };
        Self::of(share(right, found), share(right, all))
    }

    fn of(precision: f64, recall: f64) -> Self {
        let sum = precision + recall;
        Self {
            precision,
            recall,
            f1: if sum > 0.0 {
                2.0 * precision * recall / sum
            } else {
                0.0
            },
        }
    }
}

fn pairs_of(size: u64) -> u64 {
    size * size.saturating_sub(1) / 2
}

fn sizes<K: std::hash::Hash + Eq>(keys: impl Iterator<Item = K>) -> HashMap<K, u64> {
    let mut sizes = HashMap::new();
    for key in keys {
        *sizes.entry(key).or_insert(0) += 1;
    }
    sizes
}

/// How many pairs there are of records that belong together.
pub fn true_pairs(labels: &[u32]) -> u64 {
    sizes(labels.iter()).into_values().map(pairs_of).sum()
}

/// Pairs found against all pairs that belong together. A label for each row.
pub fn of_pairs(labels: &[u32], pairs: impl Iterator<Item = (u32, u32)>) -> Quality {
    let (mut right, mut found) = (0, 0);
    for (l, r) in pairs {
        found += 1;
        right += u64::from(labels.get(l as usize) == labels.get(r as usize));
    }
    Quality::of_counts(right, found, true_pairs(labels))
}

/// Pairs of records in the same cluster against pairs that belong together.
pub fn of_cluster_pairs(labels: &[u32], clusters: &[u32]) -> Quality {
    let both = sizes(labels.iter().zip(clusters));
    let right = both.into_values().map(pairs_of).sum();
    Quality::of_counts(right, true_pairs(clusters), true_pairs(labels))
}

/// B-cubed: for each record, how much of its cluster belongs to it, and how much of what belongs to it is there; on average.
pub fn b_cubed(labels: &[u32], clusters: &[u32]) -> Quality {
    let (of_label, of_cluster) = (sizes(labels.iter()), sizes(clusters.iter()));
    let (mut precision, mut recall) = (0.0, 0.0);
    #[expect(clippy::cast_precision_loss, reason = "shares need no more digits")]
    for ((label, cluster), both) in sizes(labels.iter().zip(clusters)) {
        let both = both as f64;
        precision += both * both / of_cluster[cluster] as f64;
        recall += both * both / of_label[label] as f64;
    }
    #[expect(clippy::cast_precision_loss, reason = "shares need no more digits")]
    let count = labels.len().max(1) as f64;
    Quality::of(precision / count, recall / count)
}

#[cfg(test)]
mod tests {
    use super::{b_cubed, of_cluster_pairs, of_pairs};

    /// By hand: two entities of three and two, clustered as {0, 1}, {2, 3}, {4}.
    #[test]
    fn quality_is_what_it_is_by_hand() {
        let (labels, clusters) = ([7, 7, 7, 8, 8], [0, 0, 2, 2, 4]);
        let pairs = of_cluster_pairs(&labels, &clusters);
        assert_eq!((pairs.precision, pairs.recall), (0.5, 0.25));
        let same = of_pairs(&labels, [(0, 1), (2, 3)].into_iter());
        assert_eq!(same, pairs);
        let b = b_cubed(&labels, &clusters);
        assert!((b.precision - (1.0 + 1.0 + 0.5 + 0.5 + 1.0) / 5.0).abs() < 1e-12);
        assert!((b.recall - (2.0 / 3.0 * 2.0 + 1.0 / 3.0 + 0.5 * 2.0) / 5.0).abs() < 1e-12);
    }
}
