//! What happened to a dataset, version by version.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use comboi_project::{PipelineName, RunId};
use object_store::path::Path as Key;
use serde_json::Value;

use crate::damage::Log;
use crate::error::Error;
use crate::notes::Notes;
use crate::table::Table;

/// One version of a dataset and how it came to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counted from 0.
    pub version: u64,
    /// By its writer's clock; `None` when the writer did not say.
    pub committed_at: Option<DateTime<Utc>>,
    /// Comboi's word for it, or another program's own.
    pub operation: String,
    /// The run that committed it; `None` for other programs and for housekeeping.
    pub run: Option<RunId>,
    /// Rows in files that came.
    pub rows_added: u64,
    /// Rows in files that went; `None` when the writer did not say.
    pub rows_removed: Option<u64>,
    /// Files that came.
    pub files_added: usize,
    /// Files that went.
    pub files_removed: usize,
    /// Bytes of the files that came.
    pub bytes_added: u64,
    /// Whether the version can be read: its files are kept.
    pub readable: bool,
    /// What comboi noted with it; empty when somebody else committed it.
    pub properties: BTreeMap<String, String>,
}

/// A log entry, as far as anything here wants to know.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) info: Value,
    pub(crate) metadata: Value,
    pub(crate) added: Vec<Value>,
    pub(crate) removed: Vec<Value>,
}

impl Entry {
    pub(crate) fn parse(entry: &[u8]) -> Option<Self> {
        let mut parsed = Self::default();
        for line in entry
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let mut action: Value = serde_json::from_slice(line).ok()?;
            match action.as_object()?.keys().next().map(String::as_str) {
                Some("commitInfo") => parsed.info = action["commitInfo"].take(),
                Some("metaData") => parsed.metadata = action["metaData"].take(),
                Some("add") => parsed.added.push(action["add"].take()),
                Some("remove") => parsed.removed.push(action["remove"].take()),
                _ => {}
            }
        }
        Some(parsed)
    }

    pub(crate) fn committed_at(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.info["timestamp"].as_i64()?)
    }

    fn version(&self, version: u64, readable: bool) -> Version {
        let comboi = &self.info["comboi"];
        let operation = comboi["operation"]
            .as_str()
            .or(self.info["operation"].as_str());
        let run = comboi["by"]["run"]
            .as_u64()
            .and_then(|run| u32::try_from(run).ok());
        let removed = self.info["operationMetrics"]["numDeletedRows"]
            .as_str()
            .and_then(|rows| rows.parse().ok());
        Version {
            version,
            committed_at: self.committed_at(),
            operation: operation.unwrap_or("unknown").to_owned(),
            run: run.map(RunId),
            rows_added: self.added.iter().filter_map(row_count).sum(),
            rows_removed: if self.removed.is_empty() {
                Some(0)
            } else {
                removed
            },
            files_added: self.added.len(),
            files_removed: self.removed.len(),
            bytes_added: self
                .added
                .iter()
                .filter_map(|file| file["size"].as_u64())
                .sum(),
            readable,
            properties: self.properties(),
        }
    }

    fn properties(&self) -> BTreeMap<String, String> {
        let noted: BTreeMap<String, String> =
            serde_json::from_value(self.metadata["configuration"].clone()).unwrap_or_default();
        Notes::parse(noted.iter()).unwrap_or_default().properties
    }
}

pub(crate) fn row_count(added: &Value) -> Option<u64> {
    let stats: Value = serde_json::from_str(added["stats"].as_str()?).ok()?;
    stats["numRecords"].as_u64()
}

/// The name in a log entry, where it is written as an address.
pub(crate) fn path(file: &Value) -> Option<String> {
    let written = file["path"].as_str()?;
    Some(Key::from_url_path(written).map_or_else(|_| written.to_owned(), |key| key.to_string()))
}

impl Table {
    /// Who committed a version; `None` if that is not known: its entry is not kept, or another program's.
    pub async fn committed_by(&self, version: u64) -> Result<Option<(PipelineName, RunId)>, Error> {
        let entry = self.log_entry(version).await?;
        let entry = entry.and_then(|bytes| Entry::parse(&bytes));
        let by = entry.map(|entry| entry.info["comboi"]["by"].clone());
        let by = by.unwrap_or_default();
        let run = by["run"].as_u64().and_then(|run| u32::try_from(run).ok());
        let pipeline = by["pipeline"].as_str().and_then(|name| name.parse().ok());
        Ok(pipeline.zip(run.map(RunId)))
    }

    /// The last versions, newest first, as far back as the log goes.
    pub async fn history(&self, limit: usize) -> Result<Vec<Version>, Error> {
        let newest = self.snapshot().await?.ok_or_else(|| self.missing())?;
        let log = Log::of(self).await?;
        let first = newest.oldest.max(log.first_readable());
        let gaps = log.gaps(first..newest.version);
        let is_readable = |version: &u64| {
            *version >= first && !gaps.iter().any(|gap| gap.versions.contains(version))
        };
        let versions = log.entries.keys().copied().rev();
        let versions = versions.filter(|version| *version <= newest.version);
        let mut history = Vec::new();
        for version in versions.take(limit) {
            let bytes = self.log_entry(version).await?.unwrap_or_default();
            // An earlier one that can't be read has no operation.
            let entry = Entry::parse(&bytes).unwrap_or_default();
            history.push(entry.version(version, is_readable(&version)));
        }
        Ok(history)
    }
}
