//! Finding out which object of a log is damaged, once reading it has failed.

use std::collections::{BTreeMap, BTreeSet};

use deltalake::kernel::EagerSnapshot;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde_json::Value;

use crate::draft::attempt;
use crate::error::Error;
use crate::layout::{self, LogObject};
use crate::snapshot::Snapshot;
use crate::table::Table;

/// What a log consists of.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: BTreeMap<u64, ObjectMeta>,
    pub(crate) checkpoints: BTreeMap<u64, ObjectMeta>,
    /// Versions with a checkpoint of another form than comboi's.
    pub(crate) split_checkpoints: BTreeSet<u64>,
    others: usize,
}

impl Log {
    pub(crate) async fn of(table: &Table) -> Result<Self, Error> {
        let folder = layout::log(&table.key);
        let listed: Result<Vec<ObjectMeta>, _> =
            table.store().list(Some(&folder)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(object_store::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(table.unavailable("list the log of", error.into())),
        };
        let mut log = Self::default();
        for object in listed {
            match layout::logged_version(&object.location) {
                Some((version, LogObject::Entry)) => {
                    log.entries.insert(version, object);
                }
                Some((version, LogObject::Checkpoint)) => {
                    log.checkpoints.insert(version, object);
                }
                Some((version, LogObject::SplitCheckpoint)) => {
                    log.split_checkpoints.insert(version);
                }
                None => log.others += 1,
            }
        }
        Ok(log)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.any_checkpoint().next().is_none() && self.others == 0
    }

    fn any_checkpoint(&self) -> impl Iterator<Item = u64> {
        self.checkpoints
            .keys()
            .chain(&self.split_checkpoints)
            .copied()
    }

    /// The first version that can be put together from what is there.
    pub(crate) fn first_readable(&self) -> u64 {
        match self.entries.keys().next() {
            Some(0) => 0,
            _ => self.any_checkpoint().min().unwrap_or(0),
        }
    }
}

/// The first version that can be put together from what the log has kept.
pub(crate) async fn first_readable(table: &Table) -> Result<u64, Error> {
    Ok(Log::of(table).await?.first_readable())
}

/// Whether a version was put together from all entries since its checkpoint.
///
/// The library does not look: it would read a log with an entry lost as if the entry's rows had never been.
pub(crate) async fn is_whole(table: &Table, state: &EagerSnapshot) -> Result<bool, Error> {
    let was_read = |version: &u64| state.version_timestamp(*version).is_some();
    let Some(start) = (0..=state.version())
        .rev()
        .find(|version| !was_read(version))
    else {
        return Ok(true);
    };
    if (0..start).any(|version| was_read(&version)) {
        return Ok(false);
    }
    match table
        .store()
        .head(&layout::log_checkpoint(&table.key, start))
        .await
    {
        Ok(_) => Ok(true),
        // Other programs may have written it in several objects.
        Err(object_store::Error::NotFound { .. }) => {
            Ok(Log::of(table).await?.split_checkpoints.contains(&start))
        }
        Err(error) => Err(table.unavailable("read the log of", error.into())),
    }
}

/// Whether a version lacks something that its writer put into it.
///
/// Comboi notes how many files and rows there are. What is left of an entry of comboi's that was cut
/// short before that note looks like another program's, but for its first line.
pub(crate) async fn falls_short(table: &Table, snapshot: &Snapshot) -> Result<bool, Error> {
    if snapshot.by_comboi {
        return Ok(snapshot.falls_short());
    }
    match table.log_entry(snapshot.version).await? {
        Some(entry) => Ok(first_bad_line(&entry).is_some() || attempt(&entry).is_some()),
        None => Ok(false),
    }
}

/// What is the matter with a log that could not be read.
pub(crate) enum Finding {
    /// There is no log.
    NothingThere,
    /// An object of it is not as it was written.
    Damage {
        /// Below the dataset's folder.
        file: String,
        what: String,
    },
    /// Every entry that is needed is there and is JSON.
    Sound {
        /// Where reading starts, below the dataset's folder.
        start: String,
    },
}

/// Looks for what is in the way of reading a version, the newest if none is named.
pub(crate) async fn diagnose(table: &Table, version: Option<u64>) -> Result<Finding, Error> {
    let log = Log::of(table).await?;
    if log.is_empty() {
        return Ok(Finding::NothingThere);
    }
    if let Some(missing) = missing_checkpoint(table, &log).await? {
        return Ok(missing);
    }
    let newest = version
        .or(log.entries.keys().next_back().copied())
        .unwrap_or(0);
    let checkpoint = log
        .checkpoints
        .keys()
        .rev()
        .find(|checkpoint| **checkpoint <= newest);
    let start = checkpoint.map_or(0, |checkpoint| checkpoint + 1);
    for version in start..=newest {
        let file = format!("_delta_log/{version:020}.json");
        let Some(entry) = table.log_entry(version).await? else {
            return Ok(Finding::Damage {
                file,
                what: format!("the log has no entry for version {version}"),
            });
        };
        if let Some(line) = first_bad_line(&entry) {
            return Ok(Finding::Damage {
                file,
                what: format!("line {line} of the log entry can't be read"),
            });
        }
    }
    Ok(Finding::Sound {
        start: match checkpoint {
            Some(version) => format!("_delta_log/{version:020}.checkpoint.parquet"),
            None => "_delta_log".to_owned(),
        },
    })
}

/// Readers are told where to start, and stop when they don't find it.
async fn missing_checkpoint(table: &Table, log: &Log) -> Result<Option<Finding>, Error> {
    let Some(hinted) = hinted_checkpoint(table).await? else {
        return Ok(None);
    };
    if log.any_checkpoint().any(|found| found >= hinted) {
        return Ok(None);
    }
    Ok(Some(Finding::Damage {
        file: format!("_delta_log/{hinted:020}.checkpoint.parquet"),
        what: "the checkpoint of the log is missing".to_owned(),
    }))
}

/// The checkpoint that readers are told to start from.
async fn hinted_checkpoint(table: &Table) -> Result<Option<u64>, Error> {
    let unavailable = |e: object_store::Error| table.unavailable("read the log of", e.into());
    let hint = match table
        .store()
        .get(&layout::log(&table.key).join("_last_checkpoint"))
        .await
    {
        Ok(answer) => answer.bytes().await.map_err(unavailable)?,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(unavailable(error)),
    };
    Ok(serde_json::from_slice::<Value>(&hint)
        .ok()
        .and_then(|hint| hint["version"].as_u64()))
}

pub(crate) fn first_bad_line(entry: &[u8]) -> Option<usize> {
    if entry.is_empty() {
        return Some(1);
    }
    let lines = entry.split(|byte| *byte == b'\n').enumerate();
    lines
        .filter(|(_, line)| !line.is_empty())
        .find(|(_, line)| {
            !serde_json::from_slice::<Value>(line).is_ok_and(|action| action.is_object())
        })
        .map(|(i, _)| i + 1)
}
