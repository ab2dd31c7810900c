//! Which rows are connected.

/// Disjoint sets of rows. The root of a set is its first row.
pub(super) struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    pub(super) fn new(rows: u32) -> Self {
        Self {
            parents: (0..rows).collect(),
        }
    }

    /// Each row has the number of its set, which is that of some row.
    pub(super) fn of(sets: &[u32]) -> Self {
        const NONE: u32 = u32::MAX;
        let mut firsts = vec![NONE; sets.len()];
        let first = |(row, set): (u32, &u32)| {
            let first = &mut firsts[*set as usize];
            if *first == NONE {
                *first = row;
            }
            *first
        };
        let parents = (0..).zip(sets).map(first).collect();
        Self { parents }
    }

    pub(super) fn connect(&mut self, a: u32, b: u32) {
        let (a, b) = (self.halved(a), self.halved(b));
        let (first, other) = (a.min(b), a.max(b));
        if let Some(parent) = self.parents.get_mut(other as usize) {
            *parent = first;
        }
    }

    /// The root; on the way to it, every other row is hung up one higher.
    fn halved(&mut self, row: u32) -> u32 {
        let mut at = row;
        loop {
            let parent = self.parents.get(at as usize).copied().unwrap_or(at);
            if parent == at {
                return at;
            }
            let above = self.parents.get(parent as usize).copied().unwrap_or(parent);
            if let Some(of) = self.parents.get_mut(at as usize) {
                *of = above;
            }
            at = above;
        }
    }

    /// The root of each row, and how many rows the set of each root has; 0 for a row that is none.
    pub(super) fn into_roots(self) -> (Vec<u32>, Vec<u32>) {
        let mut roots = self.parents;
        let mut sizes = vec![0_u32; roots.len()];
        for row in 0..roots.len() {
            // No parent comes after its row, so its own is its root by now.
            let root = roots[roots[row] as usize];
            roots[row] = root;
            sizes[root as usize] += 1;
        }
        (roots, sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::UnionFind;

    #[test]
    fn what_is_connected_has_its_first_row_as_root() {
        let check = |rows, edges: &[(u32, u32)], roots: &[u32], count, largest| {
            let mut union = UnionFind::new(rows);
            edges.iter().for_each(|(a, b)| union.connect(*a, *b));
            let (found, sizes) = union.into_roots();
            assert_eq!(found, roots);
            let sets = sizes.iter().filter(|size| **size > 0).count();
            assert_eq!(
                (sets, sizes.into_iter().max().unwrap_or(0)),
                (count, largest)
            );
        };
        check(0, &[], &[], 0, 0);
        check(3, &[], &[0, 1, 2], 3, 1);
        check(3, &[(2, 2), (1, 2)], &[0, 1, 1], 2, 2);
        check(
            6,
            &[(5, 4), (1, 2), (4, 2), (2, 5)],
            &[0, 1, 1, 3, 1, 1],
            3,
            4,
        );
        check(5, &[(4, 3), (3, 2), (2, 1), (1, 0)], &[0, 0, 0, 0, 0], 1, 5);
    }

    #[test]
    fn sets_that_are_known_go_on_to_grow() {
        let mut union = UnionFind::of(&[5, 1, 2, 2, 1, 5, 6]);
        assert_eq!(union.parents, [0, 1, 2, 2, 1, 0, 6]);
        union.connect(4, 3);
        let (roots, sizes) = union.into_roots();
        assert_eq!(roots, [0, 1, 1, 1, 1, 0, 6]);
        assert_eq!(sizes, [2, 4, 0, 0, 0, 0, 1]);
    }

    #[test]
    fn a_long_chain_is_no_deep_one() {
        let mut union = UnionFind::new(200_000);
        (1..200_000).for_each(|row| union.connect(row - 1, row));
        let (roots, sizes) = union.into_roots();
        assert_eq!((roots[199_999], sizes[0]), (0, 200_000));
    }
}
