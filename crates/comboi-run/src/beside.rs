//! The tables beside a dataset: each commit of the dataset notes which of their versions go with it.

use std::collections::BTreeMap;

use comboi_lake::{Lake, Table};
use comboi_project::{Companion, DatasetId, Stage};

use crate::dedupe::Noted;
use crate::extract::files_version;
use crate::quarantine::QUARANTINE;

/// A kind of table beside a dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Rows that were set aside.
    Quarantine,
    /// Which files a table was read from.
    FilesRead,
    /// What a deduplication keeps.
    Deduplication(Companion),
}

impl Beside {
    /// The kinds that a dataset may have.
    pub(crate) fn of(id: &DatasetId) -> Vec<Self> {
        match id.stage() {
            Stage::Bronze => vec![Self::Quarantine, Self::FilesRead],
            Stage::Silver | Stage::Gold => {
                let kept = Companion::ALL.map(Self::Deduplication);
                [Self::Quarantine].into_iter().chain(kept).collect()
            }
        }
    }

    /// The table of this kind, whether it is there or not.
    pub(crate) fn table(self, lake: &Lake, id: &DatasetId) -> Table {
        match self {
            Self::Quarantine => lake.quarantine(id),
            Self::FilesRead => lake.files_read(id),
            Self::Deduplication(which) => lake.companion(id, which),
        }
    }

    /// The version that goes with a version of the dataset, by what that one notes.
    pub(crate) fn noted(self, properties: &BTreeMap<String, String>) -> Option<u64> {
        match self {
            Self::Quarantine => properties.get(QUARANTINE)?.parse().ok(),
            Self::FilesRead => files_version(properties),
            Self::Deduplication(which) => Noted::of(properties)?.version(which),
        }
    }
}
