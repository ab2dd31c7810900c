//! A quick look at a dataset: what its newest version is, without its list of files.
//!
//! Reading a version takes milliseconds, for its files are spread over the log. All else stands in
//! every one of comboi's log entries, and a run looks at every dataset, mostly to find nothing to do.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use comboi_project::{Columns, PipelineName, RunId};
use serde_json::Value;

use crate::damage::Log;
use crate::error::Error;
use crate::history::Entry;
use crate::notes::{Fence, Notes};
use crate::schema::from_delta;
use crate::snapshot::Snapshot;
use crate::table::Table;

/// What a dataset is now, but for its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    /// Counted from 0.
    pub version: u64,
    /// What people's SQL sees.
    pub columns: Columns,
    /// What comboi noted.
    pub properties: BTreeMap<String, String>,
    /// When the version was committed, by its writer's clock.
    pub committed_at: DateTime<Utc>,
    /// Whether the last commit was one of comboi's.
    pub by_comboi: bool,
    /// The rows of all files.
    pub row_count: u64,
    /// How many files there are.
    pub file_count: usize,
    fences: BTreeMap<PipelineName, Fence>,
}

impl Latest {
    /// The last run, and the last chunk of it, that this pipeline committed.
    pub fn last_commit(&self, pipeline: &PipelineName) -> Option<(RunId, u32)> {
        self.fences.get(pipeline).copied()
    }

    /// Reads one of comboi's entries; `None` for anything that is not wholly comboi's.
    fn parse(version: u64, bytes: &[u8]) -> Option<Self> {
        let entry = Entry::parse(bytes)?;
        let metrics = &entry.info["operationMetrics"];
        let told = |key: &str| {
            metrics[key]
                .as_str()
                .and_then(|count| count.parse::<usize>().ok())
        };
        if told("numFiles")? != entry.added.len() || told("numRemovedFiles")? != entry.removed.len()
        {
            return None;
        }
        let configuration: BTreeMap<String, String> =
            serde_json::from_value(entry.metadata["configuration"].clone()).ok()?;
        let noted = Notes::parse(configuration.iter()).ok()?;
        let committed_at = noted.committed_at(version)?;
        let (file_count, row_count) = noted.total?;
        let schema: Value = serde_json::from_str(entry.metadata["schemaString"].as_str()?).ok()?;
        Some(Self {
            version,
            columns: from_delta(&schema).ok()?,
            properties: noted.properties,
            committed_at,
            by_comboi: true,
            row_count,
            file_count,
            fences: noted.fences,
        })
    }
}

impl From<Snapshot> for Latest {
    fn from(snapshot: Snapshot) -> Self {
        Self {
            version: snapshot.version,
            row_count: snapshot.row_count(),
            file_count: snapshot.files.len(),
            columns: snapshot.columns,
            properties: snapshot.properties,
            committed_at: snapshot.committed_at,
            by_comboi: snapshot.by_comboi,
            fences: snapshot.fences,
        }
    }
}

impl Table {
    /// What the dataset is now; `None` when nothing has been committed yet.
    ///
    /// The same as of [`Table::snapshot`], and many times faster while comboi alone writes the dataset.
    /// It looks at one entry of the log, so damage further back is left for whoever reads the rows.
    pub async fn latest(&self) -> Result<Option<Latest>, Error> {
        let log = Log::of(self).await?;
        if log.is_empty() {
            return Ok(None);
        }
        if let Some(version) = log.entries.keys().next_back().copied()
            && let Some(entry) = self.log_entry(version).await?
            && let Some(latest) = Latest::parse(version, &entry)
        {
            return Ok(Some(latest));
        }
        Ok(self.snapshot().await?.map(Latest::from))
    }
}
