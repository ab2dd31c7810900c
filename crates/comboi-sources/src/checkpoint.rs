//! How far a table of files has been read.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use comboi_project::{Incremental, SqlType};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::lacking::Lacking;

/// How far a table of files has been read. It is kept in the commit of the rows that it stands for, as JSON text;
/// the same state gives the same text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    format: u32,
    /// How new rows were told from old ones.
    pub mode: Incremental,
    /// Every file that was read, by its path relative to the source's folder. None if they are kept apart.
    pub files: BTreeMap<String, Seen>,
    /// The version of the table of files that have been read which goes with this checkpoint; `None` if the files are in the checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files_version: Option<u64>,
    /// The greatest value of the incremental column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watermark: Option<Watermark>,
    /// Columns that rows of the table were read without, if it has an incremental column and no key.
    #[serde(default, skip_serializing_if = "Lacking::is_empty")]
    pub(crate) lacking: Lacking,
    /// How many rows were loaded since the first run or the last reset.
    pub row_count: u64,
}

/// A file as it was when it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// In bytes.
    pub size: u64,
    /// Nanoseconds since 1970, UTC.
    pub modified: i64,
    /// It is not there any more; its rows stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
}

/// A value of the incremental column, exactly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Watermark {
    /// The column.
    pub column: String,
    /// Its type.
    #[serde(rename = "type")]
    pub sql_type: SqlType,
    /// Text that is that very value when it is read as this type.
    pub value: String,
}

/// A text is not a checkpoint of this version of comboi.
#[derive(Debug, thiserror::Error)]
pub enum BadCheckpoint {
    /// A later version wrote it.
    #[error(
        "it was written by a newer comboi (format {0}): use that version, or `comboi reset-checkpoint` to read everything anew"
    )]
    Newer(u32),
    /// Something else wrote it, or it was damaged.
    #[error(
        "its text is damaged: `comboi restore` an earlier version of the table, or `comboi reset-checkpoint` to read everything anew"
    )]
    Damaged(#[source] serde_json::Error),
    /// The files that were read are kept apart, and these are gone.
    #[error(
        "version {0} of the table of files that have been read is not in the lake: bring it back from a backup, or `comboi reset-checkpoint` to read everything anew"
    )]
    FilesLost(u64),
    /// The table's configuration changed in a way that it can't follow.
    #[error("{0}: change it back, or `comboi reset-checkpoint` to read everything anew")]
    OtherConfiguration(String),
}

/// The format of a checkpoint with its files, which an older comboi reads too.
const WITH_FILES: u32 = 1;
/// The format of one without them. An older comboi refuses it, instead of reading every file again.
const WITHOUT_FILES: u32 = 2;

impl Checkpoint {
    /// One of today's format.
    pub fn new(mode: Incremental) -> Self {
        Self {
            format: WITH_FILES,
            mode,
            files: BTreeMap::new(),
            files_version: None,
            watermark: None,
            lacking: Lacking::default(),
            row_count: 0,
        }
    }

    /// Whether it has every file that was ever read, so that it grows with each new one. Else it has those of the last run only.
    pub fn grows(&self) -> bool {
        self.mode != Incremental::Full
    }

    /// The version of the table of files that have been read, if the files are kept there.
    pub fn files_version(&self) -> Option<u64> {
        self.files_version
    }

    /// The same, with its files kept apart in this version of a table.
    pub fn without_files(self, version: u64) -> Self {
        Self {
            format: WITHOUT_FILES,
            files: BTreeMap::new(),
            files_version: Some(version),
            ..self
        }
    }

    /// The same, with the files that were kept apart.
    pub fn with_files(self, files: BTreeMap<String, Seen>) -> Self {
        Self {
            format: WITH_FILES,
            files,
            files_version: None,
            ..self
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Reads a checkpoint of this format or an older one. Of a newer one nothing but its number is looked at.
pub(crate) fn of_format<T: DeserializeOwned>(newest: u32, text: &str) -> Result<T, BadCheckpoint> {
    #[derive(Deserialize)]
    struct OnlyFormat {
        format: u32,
    }
    let OnlyFormat { format } = serde_json::from_str(text).map_err(BadCheckpoint::Damaged)?;
    if format > newest {
        return Err(BadCheckpoint::Newer(format));
    }
    serde_json::from_str(text).map_err(BadCheckpoint::Damaged)
}

impl FromStr for Checkpoint {
    type Err = BadCheckpoint;
    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        let checkpoint: Self = of_format(WITHOUT_FILES, text)?;
        let apart = checkpoint.files_version.is_some() && checkpoint.files.is_empty();
        if (checkpoint.format == WITHOUT_FILES) != apart {
            let why = "its format does not say where its files are";
            return Err(BadCheckpoint::Damaged(serde::de::Error::custom(why)));
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_state_gives_the_same_text_and_comes_back() {
        let text = r#"{"format":1,"mode":"column","files":{"a.csv":{"size":3,"modified":-5},"b.csv":{"size":4,"modified":6,"gone":true}},"watermark":{"column":"at","type":"DECIMAL(38,10)","value":"12345678901234567890.0123456789"},"row_count":7}"#;
        let checkpoint: Checkpoint = text.parse().unwrap();
        assert_eq!(checkpoint.to_string(), text);
        let files = checkpoint.files.clone();
        let apart = r#"{"format":2,"mode":"column","files":{},"files_version":9,"watermark":{"column":"at","type":"DECIMAL(38,10)","value":"12345678901234567890.0123456789"},"row_count":7}"#;
        let without: Checkpoint = apart.parse().unwrap();
        assert_eq!(without, checkpoint.without_files(9));
        assert_eq!(without.to_string(), apart);
        assert_eq!(without.with_files(files).to_string(), text);
    }

    #[test]
    fn what_is_newer_or_damaged_is_never_taken_for_nothing() {
        let error = |text: &str| text.parse::<Checkpoint>().unwrap_err();
        assert!(matches!(
            error(r#"{"format":3,"something":"else"}"#),
            BadCheckpoint::Newer(3)
        ));
        for damaged in [
            "",
            "{}",
            r#"{"format":1}"#,
            r#"{"format":1,"mode":"full","files":{},"row_count":0,"x":1}"#,
            r#"{"format":2,"mode":"new_files","files":{},"row_count":0}"#,
            r#"{"format":1,"mode":"new_files","files":{},"files_version":1,"row_count":0}"#,
            r#"{"format":2,"mode":"new_files","files":{"a.csv":{"size":3,"modified":5}},"files_version":1,"row_count":0}"#,
        ] {
            assert!(
                matches!(error(damaged), BadCheckpoint::Damaged(_)),
                "{damaged}"
            );
        }
    }
}
