//! Records by what they have in common.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::thread;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::dictionary::number;
use crate::pair::Data;

/// The words of all records at some places: one after the other, as they would have to be fetched each with all others of its record.
#[derive(Default)]
pub(crate) struct KeyColumns(BTreeMap<u32, OneColumn>);

#[derive(Default)]
struct OneColumn {
    words: Vec<u32>,
    /// One more than the greatest of them.
    end: usize,
    /// The records that have each word, once that is asked.
    groups: OnceLock<Arc<Groups>>,
}

impl OneColumn {
    fn groups(&self) -> Arc<Groups> {
        let groups = || Arc::new(Groups::of(&self.words, self.end, 2));
        Arc::clone(self.groups.get_or_init(groups))
    }
}

impl KeyColumns {
    pub(crate) fn of(data: &Data, at: impl Iterator<Item = u32>, threads: usize) -> Self {
        let mut columns: BTreeMap<u32, OneColumn> =
            at.map(|it| (it, OneColumn::default())).collect();
        let rows = data.row_count() as usize;
        let each = rows.div_ceil(threads.max(1)).max(1);
        let mut parts: Vec<Vec<(usize, &mut [u32])>> = Vec::new();
        parts.resize_with(rows.div_ceil(each), Vec::new);
        for (at, column) in &mut columns {
            column.words = vec![0; rows];
            for (part, words) in parts.iter_mut().zip(column.words.chunks_mut(each)) {
                part.push((*at as usize, words));
            }
        }
        let records = data.words.chunks(each * data.width.max(1));
        thread::scope(|scope| {
            for (mut part, records) in parts.into_iter().zip(records) {
                scope.spawn(move || {
                    for (i, record) in records.chunks_exact(data.width).enumerate() {
                        for (at, words) in &mut part {
                            words[i] = record[*at];
                        }
                    }
                });
            }
        });
        for column in columns.values_mut() {
            column.end = column.words.iter().max().map_or(1, |it| *it as usize + 1);
        }
        Self(columns)
    }

    fn get(&self, at: u32) -> &OneColumn {
        &self.0[&at]
    }
}

/// Ranks by key, from key 1; in each group they ascend. Where both records of a pair are of one group, a record that is alone in its group is left out.
#[derive(Default)]
pub(crate) struct Groups {
    starts: Vec<u32>,
    ranks: Vec<u32>,
}

impl Groups {
    fn of(keys: &[u32], count: usize, least: u32) -> Self {
        Self::counted(count, least, || {
            (0_u32..).zip(keys).map(|(rank, key)| (rank, *key))
        })
    }

    /// The records whose words at these places are equal; not those where one is NULL.
    pub(super) fn of_words(columns: &KeyColumns, at: &[u32]) -> Arc<Self> {
        // The more groups there are at first, the smaller are those that are divided.
        let most_first = at.iter().map(|at| (columns.get(*at), *at));
        let mut most_first: Vec<(&OneColumn, u32)> = most_first.collect();
        most_first.sort_by_key(|(column, at)| (Reverse(column.end), *at));
        let mut columns = most_first.into_iter().map(|it| it.0);
        let first = columns.next().map(OneColumn::groups).unwrap_or_default();
        columns.fold(first, |groups, it| Arc::new(groups.divided(&it.words)))
    }

    /// The same where the left record's words are at other places than the right one's: two groups by the same numbers.
    pub(super) fn of_both(columns: &KeyColumns, left: &[u32], right: &[u32]) -> (Self, Self) {
        let (left, right, count) = key_numbers(columns, left, right);
        (Self::of(&left, count, 1), Self::of(&right, count, 1))
    }

    /// Groups of those whose words are equal within each group, so that only a few records are looked at together: all of them would not be near the
    /// processor.
    fn divided(&self, words: &[u32]) -> Self {
        let (mut starts, mut ranks) = (vec![0, 0], Vec::new());
        let mut entries: Vec<u64> = Vec::new();
        for key in 1..self.count() {
            let group = self.get(key).iter();
            let entry = |rank: &u32| u64::from(words[*rank as usize]) << 32 | u64::from(*rank);
            entries.clear();
            entries.extend(group.map(entry).filter(|it| it >> 32 != 0));
            entries.sort_unstable();
            let equal = entries.chunk_by(|a, b| a >> 32 == b >> 32);
            for some in equal.filter(|it| it.len() > 1) {
                let rank = |entry: &u64| u32::try_from(entry & u64::from(u32::MAX)).unwrap_or(0);
                ranks.extend(some.iter().map(rank));
                starts.push(number(ranks.len()));
            }
        }
        starts.shrink_to_fit();
        ranks.shrink_to_fit();
        Self { starts, ranks }
    }

    pub(super) fn of_several(keys: &[Vec<u32>]) -> Self {
        let count = keys.iter().flatten().max().map_or(1, |it| *it as usize + 1);
        Self::counted(count, 2, || {
            (0_u32..)
                .zip(keys)
                .flat_map(|(rank, keys)| keys.iter().map(move |key| (rank, *key)))
        })
    }

    /// Groups of fewer than `least` are left empty.
    fn counted<I: Iterator<Item = (u32, u32)>>(
        count: usize,
        least: u32,
        entries: impl Fn() -> I,
    ) -> Self {
        let mut starts = vec![0_u32; count + 1];
        for (_, key) in entries().filter(|it| it.1 != 0) {
            starts[key as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            let size = if starts[at] < least { 0 } else { starts[at] };
            starts[at] = starts[at - 1] + size;
        }
        let mut next = starts.clone();
        let mut ranks = vec![0; starts.last().map_or(0, |it| *it as usize)];
        for (rank, key) in entries().filter(|it| it.1 != 0) {
            let at = &mut next[key as usize];
            if *at < starts[key as usize + 1] {
                ranks[*at as usize] = rank;
                *at += 1;
            }
        }
        Self { starts, ranks }
    }

    pub(crate) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(crate) fn get(&self, key: usize) -> &[u32] {
        match (self.starts.get(key), self.starts.get(key + 1)) {
            (Some(from), Some(to)) => &self.ranks[*from as usize..*to as usize],
            _ => &[],
        }
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> + '_ {
        self.starts.windows(2).map(|it| u64::from(it[1] - it[0]))
    }
}

/// A number for each record's key, from 1, as the left and as the right record; 0 where a part is NULL. And one more than the greatest.
fn key_numbers(columns: &KeyColumns, left: &[u32], right: &[u32]) -> (Vec<u32>, Vec<u32>, usize) {
    let part = |fields: &[u32], i: usize| columns.get(fields[i]).words.as_slice();
    let (mut of_left, mut of_right) = (part(left, 0).to_vec(), part(right, 0).to_vec());
    for i in 1..left.len() {
        let mut numbers: HashMap<(u32, u32), u32, RandomState> = HashMap::default();
        let mut combine = |keys: &mut [u32], next: &[u32]| {
            for (key, next) in keys.iter_mut().zip(next) {
                let fresh = number(numbers.len() + 1);
                *key = match (*key, *next) {
                    (0, _) | (_, 0) => 0,
                    both => *numbers.entry(both).or_insert(fresh),
                };
            }
        };
        combine(&mut of_left, part(left, i));
        combine(&mut of_right, part(right, i));
    }
    let all = of_left.iter().chain(&of_right);
    let count = all.max().map_or(1, |it| *it as usize + 1);
    (of_left, of_right, count)
}

#[cfg(test)]
mod tests {
    use super::{Groups, KeyColumns};
    use crate::pair::Data;

    fn listed(groups: &Groups) -> Vec<&[u32]> {
        (1..groups.count()).map(|key| groups.get(key)).collect()
    }

    #[test]
    fn what_is_null_is_equal_to_nothing() {
        let rows = [
            [1, 1, 1],
            [1, 1, 0],
            [1, 1, 0],
            [1, 1, 1],
            [0, 1, 1],
            [1, 2, 1],
            [1, 1, 2],
        ];
        let data = Data {
            words: rows.concat(),
            width: 3,
            ..Data::default()
        };
        for threads in [1, 3] {
            check(&KeyColumns::of(&data, 0..3, threads));
        }
    }

    fn check(columns: &KeyColumns) {
        let of = |at: &[u32]| Groups::of_words(columns, at);
        assert_eq!(listed(&of(&[0])), [&[0, 1, 2, 3, 5, 6]]);
        assert_eq!(listed(&of(&[0, 1])), [&[0, 1, 2, 3, 6]]);
        assert_eq!(listed(&of(&[0, 1, 2])), [&[0, 3]]);
        assert_eq!(listed(&of(&[1])), [&[0, 1, 2, 3, 4, 6][..], &[]]);
        let (left, right) = Groups::of_both(columns, &[0], &[2]);
        assert_eq!(listed(&left), [&[0, 1, 2, 3, 5, 6][..], &[]]);
        assert_eq!(listed(&right), [&[0, 3, 4, 5][..], &[6]]);
    }
}
