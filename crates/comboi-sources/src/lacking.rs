//! Which columns, and fields of nested values, rows of a table may have been read without: pure.
//!
//! A column that a source gets may have values in rows that were read before it came, and the table has NULL there. Without a
//! key, such a row is matched on the other columns when it is read again. As it is read again in every run whose lower bound it
//! lies at, this is noted in the checkpoint.

use std::collections::BTreeSet;

use comboi_project::Columns;
use serde::{Deserialize, Serialize};

/// Between the name of a column and those of fields in it, none of which has such a character in the lake.
pub(crate) const WITHIN: char = '=';

/// Sets of columns that the table has and that some of its rows were read without, by the names of the table; `column=field` is a
/// field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Lacking(BTreeSet<BTreeSet<String>>);

impl Lacking {
    /// What is true of the rows when a table of these columns is read again and its source has other ones.
    pub(crate) fn after(&self, known: &Columns, read: &Columns) -> Self {
        let not_in = |columns: &Columns, others: &Columns| -> BTreeSet<String> {
            let columns = columns.names();
            let columns = columns.filter(|name| others.get(name).is_none());
            columns.map(str::to_owned).collect()
        };
        let (new, gone) = (not_in(read, known), not_in(known, read));
        let nothing = BTreeSet::new();
        let before = self.0.iter().chain([&nothing]);
        let mut sets: BTreeSet<_> = before.map(|it| it.union(&new).cloned().collect()).collect();
        sets.insert(gone);
        sets.remove(&nothing);
        Self(sets)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is true of them when types of the table have got fields.
    #[must_use]
    pub(crate) fn with_fields(self, fields: &BTreeSet<String>) -> Self {
        if fields.is_empty() {
            return self;
        }
        let nothing = BTreeSet::new();
        let before = self.0.iter().chain([&nothing]);
        Self(
            before
                .map(|it| it.union(fields).cloned().collect())
                .collect(),
        )
    }

    /// Whether some row was read without this column or a field of it.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().flatten().any(|it| column_of(it) == name)
    }

    /// What rows may lack of these columns: nothing first, then the fewest.
    pub(crate) fn of(&self, columns: &[&str]) -> Vec<BTreeSet<String>> {
        let there = |name: &&String| columns.contains(&column_of(name));
        let sets = self.0.iter();
        let sets = sets.map(|it| it.iter().filter(there).cloned().collect());
        let sets: BTreeSet<BTreeSet<String>> = sets.chain([BTreeSet::new()]).collect();
        let mut sets = Vec::from_iter(sets);
        sets.sort_by_key(BTreeSet::len);
        sets
    }
}

fn column_of(path: &str) -> &str {
    path.split(WITHIN).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use comboi_project::{Column, SqlType};

    use super::*;

    /// The columns of a source from run to run, and what its rows may lack in the end.
    fn check(states: &[&str], expected: &str) {
        let columns = |text: &str| -> Columns {
            let names = text.chars().map(String::from);
            names.map(|it| Column::new(it, SqlType::BigInt)).collect()
        };
        let mut table = columns(states[0]);
        let mut lacking = Lacking::default();
        for state in states {
            let read = columns(state);
            lacking = lacking.after(&table, &read);
            let new = read.iter().filter(|it| table.get(&it.name).is_none());
            let new: Vec<Column> = new.cloned().collect();
            table.0.extend(new);
        }
        let sets = lacking
            .0
            .iter()
            .map(|it| Vec::from_iter(it.clone()).concat());
        assert_eq!(Vec::from_iter(sets).join(" "), expected, "{states:?}");
    }

    #[test]
    fn rows_lack_fields_that_came_later() {
        let fields = BTreeSet::from(["a=x".to_owned(), "b=y=z".to_owned()]);
        let lacking = Lacking::default().with_fields(&fields);
        assert!(lacking.has("a") && lacking.has("b") && !lacking.has("x"));
        let of_a = BTreeSet::from(["a=x".to_owned()]);
        assert_eq!(lacking.of(&["a", "c"]), [BTreeSet::new(), of_a]);
        let later = BTreeSet::from(["a=w".to_owned()]);
        assert_eq!(lacking.with_fields(&later).of(&["a"]).len(), 3);
    }

    #[test]
    fn rows_lack_what_came_later_and_what_was_gone() {
        check(&["ab", "ab"], "");
        check(&["ab", "abc"], "c");
        check(&["ab", "abc", "abcd"], "cd d");
        check(&["ab", "a"], "b");
        check(&["ab", "a", "ab"], "b");
        check(&["ab", "ac"], "b c");
        check(&["ab", "ac", "ab"], "b c");
        check(&["ab", "a", "ac"], "b bc c");
    }
}
