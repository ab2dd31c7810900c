//! Which files, and which versions, may hold rows from before a moment: what the log knows of their values.
//!
//! The log's least values are rounded down and left out where they are not known, so a file that is said to hold no such
//! row holds none.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use serde_json::Value;

use crate::damage::Log;
use crate::error::Error;
use crate::history::path;
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// Rows whose date or timestamp is before a moment. A date is its first minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    /// The column.
    pub column: String,
    /// The moment.
    pub moment: DateTime<Utc>,
}

impl Before {
    /// Whether a file with these statistics may hold such a row.
    fn possible(&self, stats: &Value) -> bool {
        let rows = stats["numRecords"].as_u64();
        if rows == Some(0) || rows.is_some() && self.null_count(stats) == rows {
            return false;
        }
        let least = of_column(&stats["minValues"], &self.column).and_then(moment);
        least.is_none_or(|least| least < self.moment)
    }

    fn null_count(&self, stats: &Value) -> Option<u64> {
        of_column(&stats["nullCount"], &self.column)?.as_u64()
    }
}

/// The case of letters does not matter.
fn of_column<'a>(values: &'a Value, column: &str) -> Option<&'a Value> {
    let column = column.to_lowercase();
    let mut values = values.as_object()?.iter();
    Some(values.find(|(name, _)| name.to_lowercase() == column)?.1)
}

fn moment(least: &Value) -> Option<DateTime<Utc>> {
    let text = least.as_str()?;
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.to_utc());
    }
    let day: NaiveDate = text.parse().ok()?;
    Some(day.and_time(NaiveTime::MIN).and_utc())
}

fn possible(cutoffs: &[Before], stats: &str) -> bool {
    let stats: Value = serde_json::from_str(stats).unwrap_or_default();
    cutoffs.iter().any(|before| before.possible(&stats))
}

impl Snapshot {
    /// The files that may hold a row of any of these kinds, and how many rows of the other files have no value in any of the
    /// columns.
    pub fn files_with(&self, cutoffs: &[Before]) -> (Vec<DataFile>, u64) {
        let stats: BTreeMap<String, String> = self
            .views()
            .filter_map(|view| Some((view.path().into_owned(), view.stats()?)))
            .collect();
        let (mut suspects, mut unknown) = (Vec::new(), 0);
        for file in &self.files {
            match stats.get(&file.name) {
                Some(stats) if !possible(cutoffs, stats) => {
                    let stats: Value = serde_json::from_str(stats).unwrap_or_default();
                    let nulls = cutoffs.iter().filter_map(|it| it.null_count(&stats));
                    unknown += nulls.min().unwrap_or(0);
                }
                _ => suspects.push(file.clone()),
            }
        }
        (suspects, unknown)
    }
}

impl Table {
    /// The first version that can be read.
    pub async fn oldest_readable(&self, newest: &Snapshot) -> Result<u64, Error> {
        Ok(Log::of(self).await?.oldest_readable(newest))
    }

    /// The first version from which on no version but the newest has a file that may hold a row of any of these kinds, as far
    /// back as versions can be read.
    pub async fn free_of_since(&self, newest: &Snapshot, cutoffs: &[Before]) -> Result<u64, Error> {
        let first = self.oldest_readable(newest).await?;
        if first >= newest.version {
            return Ok(newest.version);
        }
        let at_first = self.snapshot_at(first).await?;
        let (suspects, _) = at_first.files_with(cutoffs);
        let mut suspects: Vec<String> = suspects.into_iter().map(|file| file.name).collect();
        let mut since = first;
        for (version, entry) in self.entries(newest.version).await?.range(first + 1..) {
            if !suspects.is_empty() {
                since = *version;
            }
            let gone: Vec<String> = entry.removed.iter().filter_map(path).collect();
            suspects.retain(|name| !gone.contains(name));
            let added = entry.added.iter().filter(|added| {
                added["stats"]
                    .as_str()
                    .is_none_or(|stats| possible(cutoffs, stats))
            });
            suspects.extend(added.filter_map(path));
        }
        Ok(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_old_rows_unless_the_log_rules_it_out() {
        let before = Before {
            column: "AT".to_owned(),
            moment: DateTime::parse_from_rfc3339("2024-05-01T00:00:00Z")
                .unwrap()
                .to_utc(),
        };
        let check = |stats: &str, expected: bool| {
            assert_eq!(
                possible(std::slice::from_ref(&before), stats),
                expected,
                "{stats}"
            );
        };
        check(
            r#"{"numRecords":2,"minValues":{"at":"2024-04-30"},"nullCount":{"at":0}}"#,
            true,
        );
        check(
            r#"{"numRecords":2,"minValues":{"at":"2024-05-01"},"nullCount":{"at":1}}"#,
            false,
        );
        let at = |time: &str| {
            format!(r#"{{"numRecords":2,"minValues":{{"at":"{time}"}},"nullCount":{{"at":0}}}}"#)
        };
        check(&at("2024-04-30T23:59:59.999Z"), true);
        check(&at("2024-05-01T00:00:00.000Z"), false);
        check(
            r#"{"numRecords":2,"minValues":{},"nullCount":{"at":2}}"#,
            false,
        );
        check(
            r#"{"numRecords":2,"minValues":{},"nullCount":{"at":1}}"#,
            true,
        );
        check(r#"{"numRecords":2}"#, true);
        check("", true);
    }
}
