//! Finding out which object of a log is damaged, once reading it has failed.

use std::collections::BTreeMap;

use deltalake::DeltaTableError;
use futures::TryStreamExt;
use object_store::ObjectMeta;
use serde_json::Value;

use crate::error::Error;
use crate::layout::{self, LogObject};
use crate::snapshot::Snapshot;
use crate::table::Table;

/// What a log consists of.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) entries: BTreeMap<u64, ObjectMeta>,
    pub(crate) checkpoints: BTreeMap<u64, ObjectMeta>,
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
                Some((version, LogObject::Entry)) => log.entries.insert(version, object),
                Some((version, LogObject::Checkpoint)) => log.checkpoints.insert(version, object),
                None => {
                    log.others += 1;
                    None
                }
            };
        }
        Ok(log)
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.checkpoints.is_empty() && self.others == 0
    }

    /// The first version that can be put together from what is there.
    pub(crate) fn first_readable(&self) -> u64 {
        match self.entries.keys().next() {
            Some(0) => 0,
            _ => self.checkpoints.keys().next().copied().unwrap_or(0),
        }
    }
}

/// The first version that can be put together from what the log has kept.
pub(crate) async fn first_readable(table: &Table) -> Result<u64, Error> {
    Ok(Log::of(table).await?.first_readable())
}

/// Nothing there, or which object of the log is in the way.
pub(crate) async fn diagnose(
    table: &Table,
    version: Option<u64>,
    error: &DeltaTableError,
) -> Result<Option<Snapshot>, Error> {
    let log = Log::of(table).await?;
    if log.is_empty() {
        return Ok(None);
    }
    let newest = version
        .or(log.entries.keys().next_back().copied())
        .unwrap_or(0);
    let start = log
        .checkpoints
        .keys()
        .rev()
        .find(|checkpoint| **checkpoint <= newest)
        .map_or(0, |checkpoint| checkpoint + 1);
    for version in start..=newest {
        let file = format!("_delta_log/{version:020}.json");
        let Some(entry) = table.log_entry(version).await? else {
            return Err(table.damaged(&file, format!("the log has no entry for version {version}")));
        };
        if let Some(line) = first_bad_line(&entry) {
            return Err(table.damaged(&file, format!("line {line} of the log entry can't be read")));
        }
    }
    let file = match start {
        0 => "_delta_log".to_owned(),
        after => format!("_delta_log/{:020}.checkpoint.parquet", after - 1),
    };
    Err(table.damaged(
        &file,
        format!("its log can't be read: {}", first_line(&error.to_string())),
    ))
}

fn first_bad_line(entry: &[u8]) -> Option<usize> {
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

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
