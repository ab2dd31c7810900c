//! Rows that are past their age (`data_retention`): they do not come into the lake, and go from it when somebody says so.
//!
//! What a run extracts or builds is freed of them before its commit, else the source, or bronze, would bring back what was
//! removed. What is in the lake already goes when somebody says so ([`by_hand`]), with the files of the versions that still
//! have it.

mod by_hand;

use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use comboi_engine::{Built, Input, Older, Session};
use comboi_project::{Columns, KeptFor, text};
use comboi_sources::{Extract, ExtractChange};

use crate::task::TaskError;

pub use by_hand::{PastAge, TableAge};

/// A file, and the one to take instead of it.
type Instead = (PathBuf, Option<PathBuf>);

/// Which rows go at a moment.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    kept_for: Vec<KeptFor>,
    now: DateTime<Utc>,
}

impl Limits {
    /// `None` where rows are kept for ever.
    pub(crate) fn new(kept_for: Vec<KeptFor>, now: DateTime<Utc>) -> Option<Self> {
        (!kept_for.is_empty()).then_some(Self { kept_for, now })
    }

    fn older(&self) -> Vec<Older> {
        let limits = self.kept_for.iter();
        limits
            .map(|limit| Older {
                column: limit.column.clone(),
                than: self.moment(limit.max_age_days),
            })
            .collect()
    }

    fn moment(&self, days: u64) -> DateTime<Utc> {
        let age = i64::try_from(days).ok().and_then(TimeDelta::try_days);
        let moment = age.and_then(|age| self.now.checked_sub_signed(age));
        moment.unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    /// Why the age of these rows can't be told, if it can't.
    fn unfit(&self, columns: &Columns) -> Option<String> {
        let mut limits = self.kept_for.iter();
        limits.find_map(|KeptFor { column, place, .. }| {
            let Some(found) = columns.get(column) else {
                return Some(format!(
                    "there is no column `{column}`, by which {place} tells how old a row is"
                ));
            };
            // A column without a value says nothing of any row.
            let may_tell = found.sql_type.is_moment() || found.is_untyped();
            (!may_tell).then(|| {
                format!(
                    "`{column}` is {}, and {place} tells by it how old a row is: that takes a date or a timestamp",
                    found.sql_type
                )
            })
        })
    }

    /// In words: `` `at` 30 days``.
    fn told(&self) -> String {
        let limits = self.kept_for.iter();
        let told = limits.map(|limit| {
            let days = text::counted(limit.max_age_days, "day");
            format!("`{}` {days}", limit.column)
        });
        told.collect::<Vec<_>>().join(", ")
    }

    fn note(&self, past: u64) -> String {
        format!(
            "{} past {} age left out ({})",
            text::counted(past, "row"),
            if past == 1 { "its" } else { "their" },
            self.told()
        )
    }

    /// A result of a query without the rows that are past their age; `folder` is for the file. And what people should know.
    pub(crate) fn hold_built(
        &self,
        session: &Session,
        built: Built,
        folder: &Path,
    ) -> Result<(Built, Option<String>), TaskError> {
        if let Some(why) = self.unfit(&built.columns) {
            return Err(TaskError::Unpublishable(why));
        }
        let files = [built.file.clone()];
        let (kept, past) =
            self.without_past(session, &built.columns, &files, &folder.join("kept"), true)?;
        let [(_, Some(file))] = kept.as_slice() else {
            return Ok((built, None));
        };
        let note = self.note(past);
        let row_count = built.row_count.saturating_sub(past);
        let file = file.clone();
        Ok((
            Built {
                file,
                row_count,
                ..built
            },
            Some(note),
        ))
    }

    /// The same of an extract.
    pub(crate) fn hold_extract(
        &self,
        session: &Session,
        mut extract: Extract,
        folder: &Path,
    ) -> Result<(Extract, Option<String>), TaskError> {
        if extract.staged.is_empty() {
            return Ok((extract, None));
        }
        if let Some(why) = self.unfit(&extract.columns) {
            return Err(TaskError::Unpublishable(why));
        }
        let folder = folder.join("kept");
        let (kept, past) =
            self.without_past(session, &extract.columns, &extract.staged, &folder, false)?;
        for (file, instead) in kept {
            extract.staged.retain(|staged| *staged != file);
            extract.staged.extend(instead);
        }
        // Of files that are written anew nobody knows which rows are new ones.
        if !matches!(extract.change, ExtractChange::Rewrite { .. }) {
            extract.row_count = extract.row_count.saturating_sub(past);
        }
        let note = (past > 0).then(|| self.note(past));
        Ok((extract, note))
    }

    /// The files that have such rows, each with the one to take instead (`None` when nothing stays, but with `even_empty`), and how
    /// many rows there were.
    fn without_past(
        &self,
        session: &Session,
        columns: &Columns,
        files: &[PathBuf],
        folder: &Path,
        even_empty: bool,
    ) -> Result<(Vec<Instead>, u64), TaskError> {
        let input = Input {
            alias: "rows",
            columns,
            files,
        };
        let older = self.older();
        let ages = comboi_engine::ages(session, &input, &older)?;
        let (mut kept, mut past) = (Vec::new(), 0);
        for (i, (file, ages)) in files.iter().zip(ages).enumerate() {
            if ages.past == 0 {
                continue;
            }
            past += ages.past;
            if ages.past == ages.row_count && !even_empty {
                kept.push((file.clone(), None));
                continue;
            }
            std::fs::create_dir_all(folder)
                .map_err(|e| TaskError::Scratch(folder.to_owned(), e))?;
            let to = folder.join(format!("{i}.parquet"));
            comboi_engine::without_older(session, &input, file, &older, &to)?;
            kept.push((file.clone(), Some(to)));
        }
        Ok((kept, past))
    }
}
