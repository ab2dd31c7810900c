//! Finding out which object of a log is damaged, once reading it has failed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Range, RangeInclusive};

use chrono::{DateTime, TimeDelta};
use deltalake::kernel::EagerSnapshot;
use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStoreExt};
use serde_json::Value;

use crate::draft::attempt;
use crate::error::Error;
use crate::layout::{self, LogObject};
use crate::snapshot::Snapshot;
use crate::table::Table;
use crate::upkeep::LOG_RETENTION;

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

    /// The first version that is kept and can be put together.
    pub(crate) fn oldest_readable(&self, newest: &Snapshot) -> u64 {
        let first = newest.oldest.max(self.first_readable());
        let gaps = self.gaps(first..newest.version);
        let lost = |version: &u64| gaps.iter().any(|gap| gap.versions.contains(version));
        (first..newest.version)
            .find(|version| !lost(version))
            .unwrap_or(newest.version)
    }

    /// Those of these versions that can't be put together, for an entry of the log is missing.
    pub(crate) fn gaps(&self, kept: Range<u64>) -> Vec<Gap> {
        let checkpoints: BTreeSet<u64> = self.any_checkpoint().collect();
        let mut gaps: Vec<Gap> = Vec::new();
        let mut missing = None;
        for version in 0..kept.end {
            if checkpoints.contains(&version) {
                missing = None;
            } else if !self.entries.contains_key(&version) {
                missing.get_or_insert(version);
            }
            let Some(missing) = missing.filter(|_| kept.contains(&version)) else {
                continue;
            };
            match gaps.last_mut().filter(|gap| gap.missing == missing) {
                Some(gap) => gap.versions = *gap.versions.start()..=version,
                None => gaps.push(Gap {
                    versions: version..=version,
                    missing,
                }),
            }
        }
        gaps
    }

    /// The versions that should be kept: those that nobody has vacuumed, nor the log's own clean-up taken away.
    pub(crate) fn kept(&self, newest: &Snapshot) -> Range<u64> {
        let created = newest.state.metadata().created_time();
        let created = created.and_then(DateTime::from_timestamp_millis);
        let is_young = created.is_some_and(|at| newest.committed_at - at < LOG_RETENTION);
        // Entries are cleaned up by the storage's clock.
        let written = self.entries.values().next_back().map(|it| it.last_modified);
        let one_clock =
            written.is_some_and(|at| (at - newest.committed_at).abs() < TimeDelta::days(1));
        let cleaned_by_others = newest.setting("delta.logRetentionDuration").is_some();
        match is_young && one_clock && !cleaned_by_others {
            // Nothing of its log is old enough to have been cleaned up.
            true => newest.oldest..newest.version,
            false => newest.oldest.max(self.first_readable())..newest.version,
        }
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

/// Versions that can't be put together.
pub(crate) struct Gap {
    pub(crate) versions: RangeInclusive<u64>,
    /// The first entry of those that are missing.
    pub(crate) missing: u64,
}

impl Gap {
    /// As an error of earlier versions.
    pub(crate) fn told(&self, table: &Table) -> Error {
        let (first, last) = (self.versions.start(), self.versions.end());
        let versions = match first == last {
            true => format!("version {first}"),
            false => format!("versions {first} to {last}"),
        };
        let missing = self.missing;
        Error::DamagedBefore {
            dataset: table.name().to_owned(),
            file: format!("_delta_log/{missing:020}.json"),
            what: format!(
                "{versions}, because the log has no entry for version {missing} that can be read"
            ),
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
