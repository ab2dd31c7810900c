//! A dataset as it was at one version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_project::{Columns, PipelineName, RunId};
use deltalake::kernel::{Add, EagerSnapshot, LogicalFileView};
use serde_json::Value;

use crate::digest::Digest;
use crate::error::Error;
use crate::layout::PartName;
use crate::notes::{Fence, Notes, OURS};
use crate::schema::from_delta;

/// One Parquet file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Below the dataset's folder.
    pub name: String,
    /// As it is stored.
    pub size_bytes: u64,
    /// As the log says, which has it from the file's footer.
    pub row_count: u64,
    /// Of its bytes, as its commit has it; `None` if another program, or an older comboi, wrote it.
    pub digest: Option<Digest>,
}

impl DataFile {
    /// Whose run wrote the file; `None` for another program's.
    pub fn written_by(&self) -> Option<(PipelineName, RunId)> {
        let name = PartName::parse(&self.name)?;
        Some((name.pipeline, name.run))
    }
}

/// A dataset at one version: which columns it has, which files, and what comboi noted of it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Counted from 0.
    pub version: u64,
    /// What people's SQL sees.
    pub columns: Columns,
    /// In the order of their names, which is about that of their runs.
    pub files: Vec<DataFile>,
    /// What comboi noted, without the prefix that the keys have in Delta's log.
    pub properties: BTreeMap<String, String>,
    /// When the version was committed, by its writer's clock.
    pub committed_at: DateTime<Utc>,
    /// Whether the last commit was one of comboi's. Else another program changed the dataset since,
    /// and the properties don't speak of all its rows.
    pub by_comboi: bool,
    pub(crate) oldest: u64,
    /// Columns without bounds in the statistics of a file, when comboi noted that.
    pub(crate) without_bounds: Option<BTreeSet<String>>,
    pub(crate) fences: BTreeMap<PipelineName, Fence>,
    total: Option<(usize, u64)>,
    pub(crate) state: Arc<EagerSnapshot>,
}

impl Snapshot {
    /// The last run, and the last chunk of it, that this pipeline committed. A run of the same or a
    /// lower number can't commit again.
    pub fn last_commit(&self, pipeline: &PipelineName) -> Option<(RunId, u32)> {
        self.fences.get(pipeline).copied()
    }

    /// The rows of all files.
    pub fn row_count(&self) -> u64 {
        self.files.iter().map(|file| file.row_count).sum()
    }

    /// The bytes of all files.
    pub fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes).sum()
    }

    /// The first version that can still be read or restored.
    pub fn oldest_version(&self) -> u64 {
        self.oldest
    }

    /// Reads what the library knows of a version.
    pub(crate) fn new(dataset: &str, state: EagerSnapshot) -> Result<Self, Error> {
        let newer = |what: String| Error::Newer {
            dataset: dataset.to_owned(),
            what,
        };
        refuse_features(&state).map_err(newer)?;
        let schema = serde_json::to_value(state.schema().as_ref())
            .map_err(|e| newer(format!("its schema can't be read: {e}")))?;
        let columns = from_delta(&schema).map_err(newer)?;
        let notes = Notes::parse(state.metadata().configuration().iter()).map_err(newer)?;
        let mut files = state
            .log_data()
            .iter()
            .map(|view| data_file(dataset, &view))
            .collect::<Result<Vec<_>, _>>()?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let version = state.version();
        let committed_at = notes.committed_at(version);
        let stored_at = state
            .version_timestamp(version)
            .and_then(DateTime::from_timestamp_millis);
        Ok(Self {
            version,
            columns,
            files,
            by_comboi: committed_at.is_some(),
            committed_at: committed_at.or(stored_at).unwrap_or_default(),
            properties: notes.properties,
            oldest: notes.oldest,
            without_bounds: notes.without_bounds,
            fences: notes.fences,
            total: notes.total,
            state: Arc::new(state),
        })
    }

    /// Whether comboi committed this version and left a note of other files or rows than were found.
    pub(crate) fn falls_short(&self) -> bool {
        let found = (self.files.len(), self.row_count());
        self.by_comboi && self.total.is_some_and(|total| total != found)
    }

    /// The configuration that is not comboi's: another program's, or Delta's own.
    pub(crate) fn foreign_configuration(&self) -> BTreeMap<String, String> {
        let configuration = self.state.metadata().configuration();
        configuration
            .iter()
            .filter(|(key, _)| !key.starts_with(OURS))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect()
    }

    /// A setting of Delta's own.
    pub(crate) fn setting(&self, key: &str) -> Option<&str> {
        self.state
            .metadata()
            .configuration()
            .get(key)
            .map(String::as_str)
    }

    pub(crate) fn views(&self) -> impl Iterator<Item = LogicalFileView> + '_ {
        self.state.log_data().iter().collect::<Vec<_>>().into_iter()
    }
}

fn refuse_features(state: &EagerSnapshot) -> Result<(), String> {
    let protocol = serde_json::to_value(state.protocol()).unwrap_or_default();
    let number = |key: &str| protocol[key].as_u64().unwrap_or(u64::MAX);
    let (reader, writer) = (number("minReaderVersion"), number("minWriterVersion"));
    if reader > 1 || writer > 2 {
        let features = [&protocol["readerFeatures"], &protocol["writerFeatures"]];
        let mut names: Vec<&str> = features
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        names.sort_unstable();
        names.dedup();
        let names = if names.is_empty() {
            String::new()
        } else {
            format!(" ({})", names.join(", "))
        };
        return Err(format!(
            "it needs a Delta reader {reader} and writer {writer}{names}, where comboi keeps to reader 1 and writer 2"
        ));
    }
    if !state.metadata().partition_columns().is_empty() {
        return Err("it is partitioned, which comboi does not read".to_owned());
    }
    Ok(())
}

/// Everything that the log says of a file.
pub(crate) fn added(view: &LogicalFileView) -> Add {
    #[expect(deprecated, reason = "nothing else gives the tags of a file")]
    view.add_action()
}

fn data_file(dataset: &str, view: &LogicalFileView) -> Result<DataFile, Error> {
    let name = view.path().into_owned();
    let damaged = |what: &str| Error::Damaged {
        dataset: dataset.to_owned(),
        file: name.clone(),
        what: what.to_owned(),
    };
    let size_bytes =
        u64::try_from(view.size()).map_err(|_| damaged("the log gives a file a negative size"))?;
    let row_count = view.num_records().and_then(|rows| u64::try_from(rows).ok());
    let row_count =
        row_count.ok_or_else(|| damaged("the log does not say how many rows a file has"))?;
    Ok(DataFile {
        name,
        size_bytes,
        row_count,
        digest: added(view).tags.as_ref().and_then(Digest::tagged),
    })
}
