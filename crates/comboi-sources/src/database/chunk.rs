//! Rows that were read, and what becomes of the table by them.

use std::path::{Path, PathBuf};

use comboi_engine::merge::{self, Incoming, Merged};
use comboi_engine::read_files::{self, To};
use comboi_engine::{Session, compare};
use comboi_project::{Column, Columns};

use super::checkpoint::Position;
use super::stage::Cut;
use super::unknown::{Comparing, unknown};
use crate::columns::Decision;
use crate::{Error, Extract, ExtractChange, Known, Note};

/// So many rows that were read for nothing are worth a commit that moves the checkpoint.
const WORTH_A_COMMIT: u64 = 10_000;

/// Staged rows that go into one commit.
#[derive(Debug)]
pub struct Chunk {
    /// Parquet files with [`columns`](Self::columns) and comboi's own.
    pub files: Vec<PathBuf>,
    /// How many rows they hold.
    pub row_count: u64,
    /// What becomes of the table.
    pub how: How,
    pub(super) columns: Columns,
    pub(super) decision: Decision,
    pub(super) key: Vec<String>,
    pub(super) cursor: Option<String>,
    /// Columns whose texts are composites.
    pub(super) composites: Vec<String>,
    pub(super) consistent: bool,
    /// Whether it is the whole table, which is read anew in every run.
    pub(super) whole: bool,
    pub(super) before: Position,
    pub(super) position: Position,
    pub(super) metadata_columns: bool,
    pub(super) cut: Cut,
    pub(super) notes: Vec<Note>,
}

/// What becomes of a table by rows that were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// They are all that there is.
    Replace,
    /// They are added: nobody has seen them before.
    Add,
    /// They are added as often as the table does not have them yet.
    AddUnknown,
    /// Each takes the place of the row with the same key.
    Merge,
}

/// Files of a table that rows are compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// None.
    Nothing,
    /// Those that may hold a row with the same values in all of these columns as one that was read.
    Near(Vec<String>),
    /// All.
    All,
}

impl Chunk {
    /// Which of the table's files are needed on this machine to finish.
    pub fn compared(&self) -> Compared {
        let any = self.row_count > 0;
        let names: Vec<String> = match self.how {
            _ if self.whole || (self.decision.widened && self.how != How::Replace) => {
                return Compared::All;
            }
            How::Replace if self.keeps_values() => return Compared::All,
            How::Merge if any => self.key.clone(),
            How::AddUnknown if any => {
                let names = self.columns.names();
                let names = names.filter(|name| !self.position.lacking.has(name));
                let names = names.map(str::to_owned);
                names.filter(|it| !self.composites.contains(it)).collect()
            }
            How::Merge | How::AddUnknown | How::Replace | How::Add => return Compared::Nothing,
        };
        let as_kept = |name: &String| {
            let read = self.columns.get(name);
            let kept = self.decision.columns.get(name);
            read.is_some_and(|read| kept.is_some_and(|kept| read.sql_type == kept.sql_type))
        };
        Compared::Near(names.into_iter().filter(as_kept).collect())
    }

    /// Whether rows with a key of the table keep the values that it has in columns which the source does not have any more.
    fn keeps_values(&self) -> bool {
        let is_gone = |column: &Column| self.columns.get(&column.name).is_none();
        !self.key.is_empty() && self.decision.columns.iter().any(is_gone)
    }

    /// Whether the whole table was read and is what it was: readers then keep the version that they have.
    fn is_the_same(
        &self,
        known: Option<&read_files::Known>,
        staged: &[PathBuf],
        session: &Session,
    ) -> Result<bool, Error> {
        let Some(known) = known.filter(|_| self.whole && self.decision.changes.is_empty()) else {
            return Ok(false);
        };
        let columns = &self.decision.columns;
        let staged = read_files::Known {
            columns: columns.clone(),
            files: staged.to_vec(),
        };
        let found = compare(session, known, &staged, columns, None, 1)?;
        Ok(found.iter().all(|range| range.same))
    }

    /// Values were read in one type and are wanted in another: which columns have one that does not fit.
    fn unfit(&self, raw: &read_files::Known, session: &Session, to: &To) -> Error {
        let wanted = self.decision.columns.iter().filter(|column| {
            let read = self.columns.get(&column.name);
            read.is_some_and(|read| read.sql_type != column.sql_type)
        });
        let is_unfit = |(place, column): (usize, &Column)| {
            let alone = Columns(vec![column.clone()]);
            let to = To {
                folder: to.folder.join(place.to_string()),
                ..to.clone()
            };
            let fitted = read_files::rewrite(session, raw, &alone, &[], &to);
            let is_unfit = matches!(fitted, Err(read_files::Error::Unfit));
            is_unfit.then(|| format!("`{}` {}", column.name, column.sql_type))
        };
        let wanted: Vec<String> = wanted.enumerate().filter_map(is_unfit).collect();
        Error::Configuration(format!(
            "some values do not fit the types that their columns have in the lake ({}); nothing was loaded. Say other types under `columns`",
            wanted.join(", ")
        ))
    }

    /// Settles what is committed. `known` is the table as it is, with those of its files that rows are
    /// [compared](Self::compared) with; `None` when there is no table yet. `None` comes back when there is nothing to commit.
    pub fn finish(
        self,
        known: Option<&Known>,
        session: &Session,
        scratch: &Path,
        file_bytes: u64,
    ) -> Result<Option<Extract>, Error> {
        let to = |name: &str| To {
            folder: scratch.join(name),
            file_bytes,
        };
        let mut columns = self.decision.columns.clone();
        let mut staged = self.files.clone();
        if self.columns != columns && !staged.is_empty() {
            let raw = read_files::Known {
                columns: self.columns.clone(),
                files: staged,
            };
            let fitted = read_files::rewrite(session, &raw, &columns, &[], &to("fitted"));
            staged = match fitted {
                Ok(fitted) => fitted.paths(),
                Err(read_files::Error::Unfit) => {
                    return Err(self.unfit(&raw, session, &to("unfit")));
                }
                Err(error) => return Err(error.into()),
            };
        }
        let own = |known: &Known| read_files::Known {
            columns: known
                .columns
                .iter()
                .filter(|it| !it.name.starts_with("_comboi_"))
                .cloned()
                .collect(),
            files: known.files.clone(),
        };
        let mut known = known.map(own);
        if self.how == How::Replace
            && self.keeps_values()
            && let Some(known) = &known
        {
            let kept = merge::replace(session, known, &self.incoming(&staged), &to("kept"))?;
            staged = kept.unwrap_or(staged);
        }
        if self.is_the_same(known.as_ref(), &staged, session)? {
            return Ok(None);
        }
        known = known.filter(|_| self.how != How::Replace);
        let widened = self.decision.widened && known.is_some();
        if widened && let Some(known) = &mut known {
            known.files =
                read_files::rewrite(session, known, &columns, &[], &to("widened"))?.paths();
            known.columns.clone_from(&columns);
        }
        let joined = self.joined(staged, known.as_ref(), session, &to("merged"))?;
        let Merged {
            files: mut add,
            row_count,
            removed,
        } = joined;
        let changed =
            self.how == How::Replace || row_count > 0 || !self.decision.changes.is_empty();
        let moved = self.position.load != self.before.load
            || (self.row_count >= WORTH_A_COMMIT && self.position.low != self.before.low);
        if !changed && !moved {
            return Ok(None);
        }
        let change = if self.how == How::Replace {
            ExtractChange::ReplaceAll
        } else if widened {
            let stays = known.into_iter().flat_map(|known| known.files);
            add.extend(stays.filter(|file| !removed.contains(file)));
            ExtractChange::ReplaceAll
        } else if removed.is_empty() {
            ExtractChange::Append
        } else {
            ExtractChange::Rewrite { removed }
        };
        let mut position = self.position;
        position.row_count += row_count;
        if self.metadata_columns {
            columns.0.extend(own_columns());
        }
        Ok(Some(Extract {
            staged: add,
            row_count,
            columns,
            change,
            checkpoint: position.to_string(),
            quarantined: None,
            drift: self.decision.changes,
            notes: self.notes,
        }))
    }

    /// What is added to the table by the staged rows, and which of its files go.
    fn joined(
        &self,
        staged: Vec<PathBuf>,
        known: Option<&read_files::Known>,
        session: &Session,
        to: &To,
    ) -> Result<Merged, Error> {
        let incoming = self.incoming(&staged);
        let merged = match (self.how, known) {
            _ if self.row_count == 0 => None,
            (How::Merge, Some(known)) => merge::merge(session, known, &incoming, to)?,
            (How::AddUnknown, Some(known)) if !known.files.is_empty() => {
                let comparing = Comparing {
                    staged: &staged,
                    known: &known.files,
                    columns: &self.columns.names().collect::<Vec<_>>(),
                    lacking: &self.position.lacking,
                    composites: &self.composites,
                    cursor: self.cursor.as_deref(),
                    cut: self.cut,
                    stop: &session.interrupter(),
                };
                let (files, row_count) = unknown(&comparing, self.row_count, &to.folder)?;
                Some(Merged {
                    files,
                    row_count,
                    removed: Vec::new(),
                })
            }
            _ if self.key.is_empty() => None,
            _ => merge::check_key(session, &incoming).map(|_| None)?,
        };
        Ok(merged.unwrap_or(Merged {
            files: staged,
            row_count: self.row_count,
            removed: Vec::new(),
        }))
    }

    fn incoming<'a>(&'a self, files: &'a [PathBuf]) -> Incoming<'a> {
        Incoming {
            files,
            columns: &self.decision.columns,
            read: &self.columns,
            key: &self.key,
            // Rows of one state are what the source has now, whatever their cursors: clocks of applications may differ.
            cursor: self.cursor.as_deref().filter(|_| !self.consistent),
            consistent: self.consistent,
        }
    }

    /// The columns of the files, without comboi's own.
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    /// What people should know, when there is nothing to commit.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}

/// The columns that comboi adds to rows of databases.
fn own_columns() -> [Column; 2] {
    use comboi_project::SqlType;
    [
        Column::new(read_files::LOADED_AT_COLUMN, SqlType::TimestampTz),
        Column::new(read_files::RUN_ID_COLUMN, SqlType::BigInt),
    ]
}
