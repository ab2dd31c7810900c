//! How far a table of a database has been read.

use std::fmt;
use std::str::FromStr;

use comboi_project::DatabaseIncremental;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::request::Part;
use crate::BadCheckpoint;
use crate::checkpoint::of_format;
use crate::lacking::Lacking;

/// How far a table of a database has been read. It is kept in the commit of the rows that it stands for, as JSON text;
/// the same state gives the same text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    format: u32,
    /// How new rows were told from old ones.
    pub mode: DatabaseIncremental,
    /// The columns that grow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursor: Vec<String>,
    /// Every row below this value has been read for good: the database's own text, one for each column of the cursor, or the
    /// row version or transaction id. `None`: nothing is certain yet, so the next run looks at every row again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<Vec<String>>,
    /// What `low` becomes as soon as every transaction has ended that was open then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
    /// A first load that is not through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<Load>,
    /// Columns that rows of the table were read without, if it has no key.
    #[serde(default, skip_serializing_if = "Lacking::is_empty")]
    pub(crate) lacking: Lacking,
    /// How many rows were loaded since the first run or the last reset.
    pub row_count: u64,
}

/// A value that rows may still come in below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// The greatest value that was seen.
    pub value: Vec<String>,
    /// When: microseconds since 1970 by the server's clock.
    pub at: i64,
}

/// A first load that is committed in parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// The table in parts.
    pub parts: Vec<Part>,
    /// How many of them are in the lake.
    pub done: usize,
    /// How many rows the source had in these.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: u64,
    /// The rows of the last of these, where nothing else tells whether parts still are what they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Digest>,
    /// For parts that are pages: the oldest transaction whose rows may not have been seen when the load began. What it and later
    /// ones wrote may have come to lie on pages that are done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
}

const FORMAT: u32 = 1;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it so")]
fn is_zero(rows: &u64) -> bool {
    *rows == 0
}

impl Position {
    /// Nothing has been read yet.
    pub fn new(mode: DatabaseIncremental, cursor: Vec<String>) -> Self {
        Self {
            format: FORMAT,
            mode,
            cursor,
            low: None,
            pending: None,
            load: None,
            lacking: Lacking::default(),
            row_count: 0,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Position {
    type Err = BadCheckpoint;
    fn from_str(text: &str) -> Result<Self, BadCheckpoint> {
        of_format(FORMAT, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_state_gives_the_same_text_and_comes_back() {
        let text = r#"{"format":1,"mode":"watermark","cursor":["at","id"],"low":["2026-03-01 00:00:00.123456+00","7"],"pending":{"value":["2026-03-02 00:00:00+00","9"],"at":1772409600000000},"load":{"parts":[{"pages":{"from":0,"to":10,"file":"16384"}},{"keys":{"columns":[["id","integer"]],"after":["5"],"to":null}},"all"],"done":1,"rows":9,"last":{"rows":4,"hash":"0f"},"began":"742"},"row_count":7}"#;
        let position: Position = text.parse().unwrap();
        assert_eq!(position.to_string(), text);
    }

    #[test]
    fn what_is_newer_or_damaged_is_never_taken_for_nothing() {
        let error = |text: &str| text.parse::<Position>().unwrap_err();
        assert!(matches!(error(r#"{"format":2}"#), BadCheckpoint::Newer(2)));
        for damaged in [
            "",
            "{}",
            r#"{"format":1}"#,
            r#"{"format":1,"mode":"full","files":{},"row_count":0}"#,
        ] {
            assert!(
                matches!(error(damaged), BadCheckpoint::Damaged(_)),
                "{damaged}"
            );
        }
    }
}
