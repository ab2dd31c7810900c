//! Clusters that are too large to be one thing.

use std::collections::HashMap;

use comboi_linkage::Pairs;

/// By how much the threshold is raised each time, in bits of match weight.
const STEP: f64 = 1.0;

/// No sum of comparisons weighs as much; what still holds together then is parted altogether.
const MOST: f64 = 2_000.0;

/// Raises the threshold inside every cluster of more rows than `most`, until its parts are small enough; a part that is so earlier
/// stays as it is then. How many clusters were split.
///
/// `clusters` has for each row the row that stands for its cluster.
pub(super) fn split(clusters: &mut [u32], pairs: &Pairs, threshold: f64, most: u32) -> usize {
    let mut members: HashMap<u32, Vec<u32>> = HashMap::new();
    for (row, cluster) in (0_u32..).zip(clusters.iter()) {
        members.entry(*cluster).or_default().push(row);
    }
    members.retain(|_, rows| too_many(rows, most));
    if members.is_empty() {
        return 0;
    }
    let mut edges: HashMap<u32, Vec<Edge>> = HashMap::new();
    for i in 0..pairs.len() {
        let (l, r, weight) = (pairs.l[i], pairs.r[i], pairs.weights[i]);
        let cluster = clusters[l as usize];
        if weight >= threshold && members.contains_key(&cluster) {
            edges.entry(cluster).or_default().push((l, r, weight));
        }
    }
    let count = members.len();
    for (cluster, rows) in members {
        let edges = edges.remove(&cluster).unwrap_or_default();
        let mut left = vec![(rows, edges, threshold)];
        while let Some((rows, edges, weight)) = left.pop() {
            if !too_many(&rows, most) {
                let first = rows.iter().min().copied();
                for row in &rows {
                    clusters[*row as usize] = first.unwrap_or(*row);
                }
                continue;
            }
            let weight = if weight < MOST {
                weight + STEP
            } else {
                f64::INFINITY
            };
            let edges: Vec<Edge> = edges
                .into_iter()
                .filter(|edge| edge.2 >= weight && weight.is_finite())
                .collect();
            left.extend(
                parts(&rows, edges)
                    .into_iter()
                    .map(|(rows, edges)| (rows, edges, weight)),
            );
        }
    }
    count
}

/// Two rows and their match weight.
type Edge = (u32, u32, f64);

fn too_many(rows: &[u32], most: u32) -> bool {
    rows.len() > most as usize
}

/// The rows that are connected, with what connects them.
fn parts(rows: &[u32], edges: Vec<Edge>) -> Vec<(Vec<u32>, Vec<Edge>)> {
    let mut parents: HashMap<u32, u32> = rows.iter().map(|row| (*row, *row)).collect();
    fn root(parents: &mut HashMap<u32, u32>, row: u32) -> u32 {
        let mut at = row;
        while parents[&at] != at {
            let above = parents[&parents[&at]];
            parents.insert(at, above);
            at = above;
        }
        at
    }
    for (l, r, _) in &edges {
        let (l, r) = (root(&mut parents, *l), root(&mut parents, *r));
        parents.insert(l.max(r), l.min(r));
    }
    let mut found: HashMap<u32, (Vec<u32>, Vec<Edge>)> = HashMap::new();
    for row in rows {
        found
            .entry(root(&mut parents, *row))
            .or_default()
            .0
            .push(*row);
    }
    for edge in edges {
        let part = root(&mut parents, edge.0);
        found.entry(part).or_default().1.push(edge);
    }
    found.into_values().collect()
}

#[cfg(test)]
mod tests {
    use comboi_linkage::Pairs;

    use super::split;

    #[track_caller]
    fn check(edges: &[(u32, u32, f64)], most: u32, expected: &[u32], count: usize) {
        let rows = expected.len();
        let pairs = Pairs {
            l: edges.iter().map(|edge| edge.0).collect(),
            r: edges.iter().map(|edge| edge.1).collect(),
            weights: edges.iter().map(|edge| edge.2).collect(),
            ..Pairs::default()
        };
        let mut clusters = vec![0; rows];
        assert_eq!(split(&mut clusters, &pairs, 5.0, most), count);
        assert_eq!(clusters, expected);
    }

    #[test]
    fn the_weakest_link_gives_way_first() {
        let chain = [(0, 1, 9.0), (1, 2, 5.5), (2, 3, 8.0)];
        check(&chain, 4, &[0, 0, 0, 0], 0);
        check(&chain, 3, &[0, 0, 2, 2], 1);
        check(&chain, 1, &[0, 1, 2, 3], 1);
    }

    #[test]
    fn a_part_that_is_small_enough_is_left_alone() {
        // 0, 1, 2 hold together by 9; 3 and 4 by 7 only, which is enough for two.
        let edges = [(0, 1, 9.0), (1, 2, 9.0), (2, 3, 5.2), (3, 4, 7.0)];
        check(&edges, 2, &[0, 1, 2, 3, 3], 1);
        check(&edges, 3, &[0, 0, 0, 3, 3], 1);
    }

    #[test]
    fn what_nothing_can_part_ends_as_single_rows() {
        let edges = [(0, 1, f64::INFINITY), (1, 2, 1e300)];
        check(&edges, 3, &[0, 0, 0], 0);
        check(&edges, 2, &[0, 1, 2], 1);
    }
}
