//! A dataset as it was at one version.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_project::{Columns, PipelineName, RunId};
use deltalake::kernel::{EagerSnapshot, LogicalFileView};
use serde_json::Value;

use crate::error::Error;
use crate::layout::PartName;
use crate::schema::from_delta;

/// What comboi's keys in a table's configuration begin with.
const OURS: &str = "comboi.";
/// The key of the format of what comboi keeps in the configuration.
const FORMAT: &str = "comboi.format";
/// The format that this program writes, and the newest that it can keep.
const NEWEST_FORMAT: u64 = 1;
/// The version that comboi committed last, with its time: other writers leave it as it was.
const COMMITTED: &str = "comboi.committed";
/// How many files and rows comboi's last version has, so that an entry of the log that is lost or cut
/// short is noticed: the library reads what is left of such a log as if nothing were amiss.
const TOTAL: &str = "comboi.total";
/// The first version whose files have not been vacuumed.
const OLDEST: &str = "comboi.oldest";
/// What the keys begin with that hold a pipeline's last run and chunk.
const FENCE: &str = "comboi.fence.";

/// The highest number of a chunk and one: run and chunk share one integer in Delta's log.
pub(crate) const CHUNKS: u32 = 1 << 20;

/// One Parquet file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFile {
    /// Below the dataset's folder.
    pub name: String,
    /// As it is stored.
    pub size_bytes: u64,
    /// As the log says, which has it from the file's footer.
    pub row_count: u64,
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
    pub(crate) fences: BTreeMap<PipelineName, (RunId, u32)>,
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
        let configuration = state.metadata().configuration();
        refuse_format(configuration.get(FORMAT)).map_err(newer)?;
        let mut files = state
            .log_data()
            .iter()
            .map(|view| data_file(dataset, &view))
            .collect::<Result<Vec<_>, _>>()?;
        files.sort_by(|a, b| a.name.cmp(&b.name));
        let version = state.version();
        let committed = configuration
            .get(COMMITTED)
            .and_then(|text| committed(text))
            .filter(|(noted, _)| *noted == version);
        let stored_at = state
            .version_timestamp(version)
            .and_then(DateTime::from_timestamp_millis);
        Ok(Self {
            version,
            columns,
            files,
            properties: properties(configuration.iter()),
            committed_at: committed
                .map(|(_, at)| at)
                .or(stored_at)
                .unwrap_or_default(),
            by_comboi: committed.is_some(),
            oldest: configuration
                .get(OLDEST)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0),
            fences: configuration
                .iter()
                .filter_map(|(key, value)| fence(key, value))
                .collect(),
            state: Arc::new(state),
        })
    }

    /// Whether comboi committed this version and left a note of other files or rows than were found.
    pub(crate) fn falls_short(&self) -> bool {
        self.by_comboi
            && self
                .setting(TOTAL)
                .is_some_and(|total| total != totalled(self.files.len(), self.row_count()))
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

/// All that comboi writes into a version's configuration.
pub(crate) struct Notes<'a> {
    pub(crate) version: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) oldest: u64,
    pub(crate) file_count: usize,
    pub(crate) row_count: u64,
    pub(crate) fences: &'a BTreeMap<PipelineName, (RunId, u32)>,
    pub(crate) properties: &'a BTreeMap<String, String>,
}

impl Notes<'_> {
    pub(crate) fn configuration(&self) -> BTreeMap<String, String> {
        let mut configuration: BTreeMap<_, _> = self
            .properties
            .iter()
            .map(|(key, value)| (format!("{OURS}{key}"), value.clone()))
            .collect();
        configuration.insert(FORMAT.to_owned(), NEWEST_FORMAT.to_string());
        configuration.insert(
            COMMITTED.to_owned(),
            format!("{}@{}", self.version, self.at.timestamp_millis()),
        );
        configuration.insert(TOTAL.to_owned(), totalled(self.file_count, self.row_count));
        if self.oldest > 0 {
            configuration.insert(OLDEST.to_owned(), self.oldest.to_string());
        }
        for (pipeline, fence) in self.fences {
            configuration.insert(format!("{FENCE}{pipeline}"), packed(*fence).to_string());
        }
        configuration
    }
}

fn totalled(file_count: usize, row_count: u64) -> String {
    format!("{file_count}/{row_count}")
}

/// Whether a caller may use the key: comboi's own notes are kept beside it.
pub(crate) fn reserved(key: &str) -> bool {
    let key = format!("{OURS}{key}");
    [FORMAT, COMMITTED, TOTAL, OLDEST].contains(&key.as_str()) || key.starts_with(FENCE)
}

/// Run and chunk as one integer that only grows: Delta's `txn` has no more.
pub(crate) fn packed((run, chunk): (RunId, u32)) -> i64 {
    i64::from(run.0) * i64::from(CHUNKS) + i64::from(chunk)
}

pub(crate) fn unpacked(packed: i64) -> Option<(RunId, u32)> {
    let chunks = i64::from(CHUNKS);
    let run = u32::try_from(packed.div_euclid(chunks)).ok()?;
    Some((RunId(run), u32::try_from(packed.rem_euclid(chunks)).ok()?))
}

fn fence(key: &str, value: &str) -> Option<(PipelineName, (RunId, u32))> {
    Some((
        key.strip_prefix(FENCE)?.parse().ok()?,
        unpacked(value.parse().ok()?)?,
    ))
}

fn committed(text: &str) -> Option<(u64, DateTime<Utc>)> {
    let (version, at) = text.split_once('@')?;
    Some((
        version.parse().ok()?,
        DateTime::from_timestamp_millis(at.parse().ok()?)?,
    ))
}

fn properties<'a>(
    configuration: impl Iterator<Item = (&'a String, &'a String)>,
) -> BTreeMap<String, String> {
    configuration
        .filter_map(|(key, value)| Some((key.strip_prefix(OURS)?, value)))
        .filter(|(key, _)| !reserved(key))
        .map(|(key, value)| (key.to_owned(), value.clone()))
        .collect()
}

fn refuse_format(format: Option<&String>) -> Result<(), String> {
    match format.map(|text| text.parse::<u64>()) {
        None | Some(Ok(0..=NEWEST_FORMAT)) => Ok(()),
        _ => Err(format!(
            "comboi's format {} is not known here, only up to {NEWEST_FORMAT}",
            format.map_or("", |text| text)
        )),
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
    })
}
