//! What a dataset is held against besides its contract.

use chrono::{DateTime, Utc};

use crate::Input;

/// What a dataset is held against besides its contract.
#[derive(Clone, Copy, Debug)]
pub struct Around<'a> {
    /// Age is counted back from here.
    pub now: DateTime<Utc>,
    /// The datasets that rules name.
    pub others: &'a [OtherDataset<'a>],
    /// How many rows the dataset's versions before this one had, the newest first. `None`: nobody knows, because there are no versions.
    pub earlier_rows: Option<&'a [u64]>,
}

/// A dataset that rules name.
#[derive(Clone, Copy, Debug)]
pub struct OtherDataset<'a> {
    /// As the contract names it.
    pub name: &'a str,
    /// Its rows, or why they are not at hand. Its alias does not matter.
    pub data: Result<Input<'a>, &'a str>,
}

impl Around<'_> {
    /// Nothing but the time.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self {
            now,
            others: &[],
            earlier_rows: None,
        }
    }
}

/// What another dataset is called in SQL: a name that no dataset can have.
pub(super) fn alias(index: usize) -> String {
    format!("other {index}")
}
