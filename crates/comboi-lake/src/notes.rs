//! What comboi notes of a dataset in the configuration of its Delta table: in every commit, all of it.
//!
//! It is the place that survives checkpoints and the cleaning of the log, and that other writers
//! leave as it is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use comboi_project::{PipelineName, RunId};

/// What comboi's keys begin with.
pub(crate) const OURS: &str = "comboi.";
/// The format of comboi's notes.
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
/// The columns that lack bounds in the statistics of a file, as JSON. Absent from what an older comboi
/// wrote.
const WITHOUT_BOUNDS: &str = "comboi.without_bounds";
/// What the keys begin with that hold a pipeline's last run and chunk.
const FENCE: &str = "comboi.fence.";

/// The highest number of a chunk and one: run and chunk share one integer in Delta's log.
pub(crate) const CHUNKS: u32 = 1 << 20;

/// A run and the chunk of it.
pub(crate) type Fence = (RunId, u32);

/// All that comboi notes of a version.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes {
    /// The version of the last commit of comboi's, and its time.
    pub(crate) committed: Option<(u64, DateTime<Utc>)>,
    /// Files and rows of that version.
    pub(crate) total: Option<(usize, u64)>,
    pub(crate) oldest: u64,
    /// Columns without bounds in the statistics of a file. `None`: nobody has looked.
    pub(crate) without_bounds: Option<BTreeSet<String>>,
    pub(crate) fences: BTreeMap<PipelineName, Fence>,
    /// The callers' own, by keys without the prefix.
    pub(crate) properties: BTreeMap<String, String>,
}

impl Notes {
    pub(crate) fn configuration(&self) -> BTreeMap<String, String> {
        let properties = self.properties.iter();
        let mut configuration: BTreeMap<_, _> = properties
            .map(|(key, value)| (format!("{OURS}{key}"), value.clone()))
            .collect();
        configuration.insert(FORMAT.to_owned(), NEWEST_FORMAT.to_string());
        if let Some((version, at)) = self.committed {
            configuration.insert(
                COMMITTED.to_owned(),
                format!("{version}@{}", at.timestamp_millis()),
            );
        }
        if let Some((files, rows)) = self.total {
            configuration.insert(TOTAL.to_owned(), format!("{files}/{rows}"));
        }
        if self.oldest > 0 {
            configuration.insert(OLDEST.to_owned(), self.oldest.to_string());
        }
        if let Some(columns) = &self.without_bounds {
            let columns = serde_json::json!(columns).to_string();
            configuration.insert(WITHOUT_BOUNDS.to_owned(), columns);
        }
        for (pipeline, fence) in &self.fences {
            configuration.insert(format!("{FENCE}{pipeline}"), packed(*fence).to_string());
        }
        configuration
    }

    /// Reads the notes; else why they are not to be understood.
    pub(crate) fn parse<'a>(
        configuration: impl Iterator<Item = (&'a String, &'a String)>,
    ) -> Result<Self, String> {
        let mut notes = Self::default();
        for (key, value) in configuration {
            match key.as_str() {
                FORMAT => refuse_newer(value)?,
                COMMITTED => notes.committed = committed(value),
                TOTAL => notes.total = total(value),
                OLDEST => notes.oldest = value.parse().unwrap_or(0),
                WITHOUT_BOUNDS => notes.without_bounds = serde_json::from_str(value).ok(),
                key => {
                    if let Some(pipeline) = key.strip_prefix(FENCE) {
                        notes.fences.extend(fence(pipeline, value));
                    } else if let Some(key) = key.strip_prefix(OURS) {
                        notes.properties.insert(key.to_owned(), value.clone());
                    }
                }
            }
        }
        Ok(notes)
    }

    /// When comboi committed this version, if it did.
    pub(crate) fn committed_at(&self, version: u64) -> Option<DateTime<Utc>> {
        self.committed
            .filter(|(committed, _)| *committed == version)
            .map(|(_, at)| at)
    }
}

/// Whether a caller may not use the key: comboi's own notes are kept beside it.
pub(crate) fn reserved(key: &str) -> bool {
    let key = format!("{OURS}{key}");
    [FORMAT, COMMITTED, TOTAL, OLDEST, WITHOUT_BOUNDS].contains(&key.as_str())
        || key.starts_with(FENCE)
}

/// Run and chunk as one integer that only grows: Delta's `txn` has no more.
pub(crate) fn packed((run, chunk): Fence) -> i64 {
    i64::from(run.0) * i64::from(CHUNKS) + i64::from(chunk)
}

pub(crate) fn unpacked(packed: i64) -> Option<Fence> {
    let chunks = i64::from(CHUNKS);
    let run = u32::try_from(packed.div_euclid(chunks)).ok()?;
    Some((RunId(run), u32::try_from(packed.rem_euclid(chunks)).ok()?))
}

fn fence(pipeline: &str, value: &str) -> Option<(PipelineName, Fence)> {
    Some((pipeline.parse().ok()?, unpacked(value.parse().ok()?)?))
}

fn committed(text: &str) -> Option<(u64, DateTime<Utc>)> {
    let (version, at) = text.split_once('@')?;
    Some((
        version.parse().ok()?,
        DateTime::from_timestamp_millis(at.parse().ok()?)?,
    ))
}

fn total(text: &str) -> Option<(usize, u64)> {
    let (files, rows) = text.split_once('/')?;
    Some((files.parse().ok()?, rows.parse().ok()?))
}

fn refuse_newer(format: &str) -> Result<(), String> {
    match format.parse::<u64>() {
        Ok(0..=NEWEST_FORMAT) => Ok(()),
        _ => Err(format!(
            "comboi's format {format} is not known here, only up to {NEWEST_FORMAT}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_later_run_or_chunk_is_a_greater_number(a: (u32, u32), b: (u32, u32)) {
            let fence = |(run, chunk): (u32, u32)| (RunId(run), chunk % CHUNKS);
            let (a, b) = (fence(a), fence(b));
            prop_assert_eq!(unpacked(packed(a)), Some(a));
            prop_assert_eq!(packed(a).cmp(&packed(b)), a.cmp(&b));
        }

        #[test]
        fn notes_are_read_as_they_were_written(oldest: u64, files: usize, rows: u64, run: u32, value: String) {
            let written = Notes {
                committed: Some((7, DateTime::from_timestamp_millis(1_700_000_000_123).unwrap())),
                total: Some((files, rows)),
                oldest,
                without_bounds: Some([value.clone()].into()),
                fences: [("shop".parse().unwrap(), (RunId(run), 3))].into(),
                properties: [("checkpoint".to_owned(), value)].into(),
            };
            let read = Notes::parse(written.configuration().iter()).unwrap();
            prop_assert_eq!(format!("{read:?}"), format!("{written:?}"));
        }
    }
}
