//! `type: files`: tables that are files in a folder.

mod apart;
mod blocks;
mod csv;
mod extract;
mod folder;
mod header;
mod headers;
mod piece;
mod pieces;
mod plain;
mod settings;
mod single;
mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Datelike as _, NaiveDate, NaiveTime, TimeDelta, Utc};
use comboi_engine::Session;
use comboi_project::{ByteSize, ChangedFilePolicy, FilesSource, FilesTable, Incremental};

use crate::names::may_be_called;
use crate::{BadCheckpoint, Checkpoint, Error, Extract, Known, Note, Seen, Stamp};

pub use folder::FoundFile;
use folder::{Found, Links};

/// A table of a source of files.
#[derive(Clone, Copy, Debug)]
pub struct FilesReader<'a> {
    /// The source.
    pub source: &'a FilesSource,
    /// One of its tables.
    pub table: &'a FilesTable,
    /// The project's folder, which relative paths begin in.
    pub folder: &'a Path,
    /// The size at which staged rows begin another file.
    pub max_file_size: ByteSize,
}

/// What is there to do for a table.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Look {
    /// Nothing: the table is as it should be.
    NothingNew {
        /// What people should know all the same.
        notes: Vec<Note>,
    },
    /// Something is to be read.
    Work(Work),
}

/// What is to be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// The files, by name.
    pub files: Vec<FoundFile>,
    /// Those of them that were read before in another state, and whose old rows are to be replaced.
    pub changed: Vec<String>,
    /// Files that were read once and are not there any more.
    pub gone: Vec<String>,
    /// Of the files, as they are (compressed ones count compressed).
    pub estimated_bytes: u64,
    /// What is taken out of the files, for people: `3 new files`, `updated_at >= 2026-03-01 00:00:00`.
    pub filter: String,
    /// Whether the table begins anew with these rows.
    pub replaces: bool,
    notes: Vec<Note>,
    checkpoint: Option<Checkpoint>,
    has_key: bool,
}

impl Work {
    /// Whether what is read is compared with the rows that the table has. Else they are needed only if a column
    /// gets another type ([`Error::TableNeeded`]).
    pub fn compares(&self) -> bool {
        let by_column = |it: &Checkpoint| it.mode == Incremental::Column;
        let by_column = self.checkpoint.as_ref().is_some_and(by_column);
        !self.replaces && (by_column || self.has_key || !self.changed.is_empty())
    }
}

impl Work {
    /// What people should know before anything is read.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

impl FilesReader<'_> {
    /// Looks at the folder, and at no file's content: what is new since the checkpoint? Without a checkpoint,
    /// everything is. `now`: by this machine's clock.
    pub fn look(&self, checkpoint: Option<&Checkpoint>, now: DateTime<Utc>) -> Result<Look, Error> {
        let Found { files, left_out } = self.found()?;
        let mut look = self.look_at(files, checkpoint, now)?;
        let left_out = some(&left_out, Note::LinksLeftOut);
        match &mut look {
            Look::NothingNew { notes } => notes.extend(left_out),
            Look::Work(work) => work.notes.extend(left_out),
        }
        Ok(look)
    }

    fn look_at(
        &self,
        files: Vec<FoundFile>,
        checkpoint: Option<&Checkpoint>,
        now: DateTime<Utc>,
    ) -> Result<Look, Error> {
        let mode = self.table.incremental();
        if let Some(checkpoint) = checkpoint {
            self.can_follow(checkpoint, mode)?;
        }
        let mut notes = Vec::new();
        if files.is_empty() {
            let patterns: Vec<String> = self
                .table
                .files
                .iter()
                .map(|it| format!("`{}`", it.value))
                .collect();
            notes.push(Note::NoFiles(patterns.join(", ")));
            return Ok(Look::NothingNew { notes });
        }
        let Some(checkpoint) = checkpoint else {
            return Ok(Look::Work(self.work(
                files,
                None,
                "everything".into(),
                Vec::new(),
            )));
        };
        let there: BTreeMap<&str, Seen> = files
            .iter()
            .map(|file| (file.name.as_str(), file.seen()))
            .collect();
        let ahead = self.note_ahead(checkpoint, now);
        let gone = checkpoint
            .files
            .iter()
            .filter(|(name, seen)| !seen.gone && !there.contains_key(name.as_str()));
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        let news = News::of(&files, checkpoint);
        match mode {
            Incremental::NewFiles => self.new_files(files, &news, gone, checkpoint),
            _ if news.is_empty() && (gone.is_empty() || mode == Incremental::Column) => {
                let gone = some(&gone, Note::Gone);
                Ok(Look::NothingNew {
                    notes: ahead.into_iter().chain(gone).collect(),
                })
            }
            Incremental::Column => {
                let filter = checkpoint
                    .watermark
                    .as_ref()
                    .map(|it| format!("{} >= {}", it.column, it.value));
                let mut work = self.work(
                    files,
                    Some(checkpoint),
                    filter.unwrap_or_else(|| "everything".into()),
                    gone,
                );
                work.notes.extend(ahead);
                work.notes.extend(some(&work.gone, Note::Gone));
                Ok(Look::Work(work))
            }
            Incremental::Full => Ok(Look::Work(self.work(
                files,
                Some(checkpoint),
                "everything".into(),
                Vec::new(),
            ))),
        }
    }

    /// Reads the files and stages their rows below `scratch`, which must be empty or missing. `known` is the table
    /// as it is; it may be left out only where the work replaces it. Nothing but the scratch folder is written.
    ///
    /// A file that is not as it was when it was looked at ends in [`Error::ChangedWhileRead`].
    pub fn extract(
        &self,
        work: &Work,
        known: Option<&Known>,
        session: &Session,
        stamp: Stamp,
        scratch: &Path,
    ) -> Result<Extract, Error> {
        extract::extract(self, work, known, session, stamp, scratch)
    }

    /// What is later than this is not the time of a row that is there.
    fn limit(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        let span = TimeDelta::from_std(self.table.max_future().duration());
        let limit = span.ok().and_then(|it| now.checked_add_signed(it));
        limit
            .filter(|it| it.year() <= LAST_YEAR)
            .unwrap_or_else(|| {
                let end = NaiveDate::from_ymd_opt(LAST_YEAR, 12, 31).unwrap_or(NaiveDate::MAX);
                end.and_time(NaiveTime::MIN).and_utc()
            })
    }

    /// A checkpoint in the future keeps rows away until then. It is of an older comboi, or of a clock that was wrong.
    fn note_ahead(&self, checkpoint: &Checkpoint, now: DateTime<Utc>) -> Option<Note> {
        let watermark = checkpoint.watermark.as_ref()?;
        let limit = self.limit(now).format("%Y-%m-%d %H:%M:%S").to_string();
        let is_later = watermark.sql_type.is_moment() && is_later(&watermark.value, &limit);
        (is_later && self.table.incremental() == Incremental::Column).then(|| {
            Note::CheckpointInTheFuture {
                column: watermark.column.clone(),
                value: watermark.value.clone(),
                table: format!(
                    "--source {} --table {}",
                    self.source.name.value, self.table.name.value
                ),
            }
        })
    }

    fn found(&self) -> Result<Found, Error> {
        let patterns: Vec<&str> = self
            .table
            .files
            .iter()
            .map(|it| it.value.as_str())
            .collect();
        let links = if self.source.follow_links {
            Links::All
        } else {
            Links::Inside
        };
        folder::find(&self.root(), &patterns, links)
    }

    fn root(&self) -> PathBuf {
        let folder = self.source.path.as_ref().map_or_else(
            || self.folder.to_owned(),
            |path| self.folder.join(&path.value),
        );
        std::path::absolute(&folder).unwrap_or(folder)
    }

    fn can_follow(&self, checkpoint: &Checkpoint, mode: Incremental) -> Result<(), Error> {
        let refuse = |what: String| Err(Error::Checkpoint(BadCheckpoint::OtherConfiguration(what)));
        if checkpoint.mode != mode && mode != Incremental::Full {
            return refuse(format!(
                "the table was read with `incremental: {}` before, and now it is `{mode}`",
                checkpoint.mode
            ));
        }
        let column = self
            .table
            .incremental_column
            .as_ref()
            .map(|it| it.value.as_str());
        match (&checkpoint.watermark, column) {
            // The checkpoint has the table's name of the column.
            (Some(before), Some(now))
                if mode == Incremental::Column && !may_be_called(now, &before.column) =>
            {
                refuse(format!(
                    "the table was read by `{}` before, and now `incremental_column` is `{now}`",
                    before.column
                ))
            }
            _ => Ok(()),
        }
    }

    fn new_files(
        &self,
        files: Vec<FoundFile>,
        news: &News,
        gone: Vec<String>,
        checkpoint: &Checkpoint,
    ) -> Result<Look, Error> {
        let policies = self.source.policies(self.table);
        let policy = policies.on_changed_file;
        if policy == ChangedFilePolicy::Reread && !policies.metadata_columns {
            let what = "`on_changed_file: reread` finds a file's rows by `_comboi_file`, which `metadata_columns: false` leaves out";
            return Err(Error::Configuration(what.into()));
        }
        let mut notes: Vec<Note> = some(&gone, Note::Gone).into_iter().collect();
        let mut changed = Vec::new();
        match policy {
            ChangedFilePolicy::Fail if !news.changed.is_empty() => {
                return Err(Error::ChangedFiles(news.changed.clone()));
            }
            ChangedFilePolicy::Fail => {}
            ChangedFilePolicy::Report => {
                notes.extend(some(&news.changed, Note::Changed));
            }
            ChangedFilePolicy::Reread => {
                notes.extend(some(&news.changed, Note::Reread));
                changed.clone_from(&news.changed);
            }
        }
        let wanted =
            |file: &FoundFile| news.new.contains(&file.name) || changed.contains(&file.name);
        let files: Vec<FoundFile> = files.into_iter().filter(wanted).collect();
        if files.is_empty() {
            return Ok(Look::NothingNew { notes });
        }
        let filter = match (news.new.len(), changed.len()) {
            (new, 0) => counted(new, "new file"),
            (0, changed) => counted(changed, "changed file"),
            (new, changed) => format!(
                "{}, {}",
                counted(new, "new file"),
                counted(changed, "changed file")
            ),
        };
        let mut work = self.work(files, Some(checkpoint), filter, gone);
        work.changed = changed;
        work.notes = notes;
        Ok(Look::Work(work))
    }

    fn work(
        &self,
        files: Vec<FoundFile>,
        checkpoint: Option<&Checkpoint>,
        filter: String,
        gone: Vec<String>,
    ) -> Work {
        Work {
            estimated_bytes: files.iter().map(|file| file.size).sum(),
            files,
            changed: Vec::new(),
            gone,
            filter,
            replaces: checkpoint.is_none() || self.table.incremental() == Incremental::Full,
            notes: Vec::new(),
            checkpoint: checkpoint.cloned(),
            has_key: !self.table.key().is_empty(),
        }
    }
}

/// Years have four digits until then.
const LAST_YEAR: i32 = 9999;

/// Whether a date or time, as DuckDB writes it, is later than a time of a year of four digits.
fn is_later(value: &str, limit: &str) -> bool {
    if value.starts_with('-') || value.ends_with("(BC)") {
        return false;
    }
    let year = value.find('-').unwrap_or(value.len());
    // A day is the beginning of the day, and as a text less than any time of it.
    value == "infinity" || year > 4 || (year == 4 && value > limit)
}

/// Files that the checkpoint does not know as they are.
struct News {
    new: std::collections::BTreeSet<String>,
    changed: Vec<String>,
}

impl News {
    fn of(files: &[FoundFile], checkpoint: &Checkpoint) -> Self {
        let mut news = Self {
            new: Default::default(),
            changed: Vec::new(),
        };
        for file in files {
            match checkpoint.files.get(&file.name) {
                None => {
                    news.new.insert(file.name.clone());
                }
                // One that went away and came back is the same file.
                Some(seen) if (seen.size, seen.modified) != (file.size, file.modified) => {
                    news.changed.push(file.name.clone());
                }
                Some(_) => {}
            }
        }
        news
    }

    fn is_empty(&self) -> bool {
        self.new.is_empty() && self.changed.is_empty()
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
/// A note about files, if there are any.
fn some(files: &[String], note: fn(Vec<String>) -> Note) -> Option<Note> {
    (!files.is_empty()).then(|| note(files.to_vec()))
}
