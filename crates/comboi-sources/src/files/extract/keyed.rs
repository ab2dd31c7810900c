//! Rows with a key (`primary_key`): the last one of each takes the place of the one that the table has.

use std::path::PathBuf;

use comboi_engine::merge::{self, Incoming};
use comboi_engine::read_files::{self, Reading, Rows, Staged};
use comboi_project::{ChangedFilePolicy, Columns};

use super::Job;
use crate::columns::Decision;
use crate::names::meant;
use crate::{Error, ExtractChange};

/// What goes into the table, and out of it.
pub(super) struct Joined {
    pub(super) files: Vec<PathBuf>,
    /// How many of the rows that were read are in them.
    pub(super) row_count: u64,
    pub(super) change: ExtractChange,
}

impl Job<'_> {
    /// The columns that tell rows apart, as the table spells them; empty without a `primary_key`.
    pub(super) fn key(&self, columns: &Columns) -> Vec<String> {
        let named = self.reader.table.key();
        let spelled = named.iter().map(|name| {
            let column = meant(columns, name);
            column.map_or_else(|| name.clone(), |it| it.name.clone())
        });
        spelled.collect()
    }

    pub(super) fn check_key(&self, columns: &Columns) -> Result<(), Error> {
        let named = self
            .reader
            .table
            .primary_key
            .iter()
            .flat_map(|it| it.iter());
        for name in named {
            if meant(columns, &name.value).is_none() {
                let all: Vec<&str> = columns.names().collect();
                return Err(Error::Configuration(format!(
                    "{}: the files have no column `{}`, which is part of `primary_key`; they have {}",
                    name.place,
                    name.value,
                    all.join(", ")
                )));
            }
        }
        Ok(())
    }

    /// Stages rows, of those with the same key the last one.
    ///
    /// In what order rows were read is known only of a slower way to read them, which is taken if a key is there twice.
    pub(super) fn stage_rows(
        &self,
        reading: &Reading,
        rows: &Rows<'_>,
        leave_unfit: bool,
    ) -> Result<Staged, read_files::Error> {
        let stamp = self.policies.metadata_columns.then_some(&self.stamp);
        let to = self.to("new");
        let staged = read_files::stage(self.session, reading, rows, leave_unfit, stamp, &to)?;
        if reading.key.is_empty() || staged.files.is_empty() {
            return Ok(staged);
        }
        let files = staged.paths();
        let incoming = self.incoming(&files, &reading.columns, &reading.key, &reading.columns);
        match merge::check_key(self.session, &incoming) {
            Ok(true) => return Ok(staged),
            Ok(false) => {}
            Err(merge::Error::Read(error)) => return Err(error),
            // Such rows did not fit, or are told apart.
            Err(error) => return Err(read_files::Error::BadFile(error.to_string())),
        }
        let cursor = incoming.cursor;
        let to = self.to("last");
        read_files::stage_last(self.session, reading, rows, leave_unfit, stamp, cursor, &to)
    }

    fn incoming<'a>(
        &self,
        files: &'a [PathBuf],
        columns: &'a Columns,
        key: &'a [String],
        read: &'a Columns,
    ) -> Incoming<'a> {
        Incoming {
            files,
            columns,
            read,
            key,
            cursor: self.incremental_column(columns).map(|it| it.name.as_str()),
            consistent: false,
        }
    }

    /// What becomes of the table by staged rows. `again`: rows of its files that `change` takes out, which stay.
    pub(super) fn joined(
        &self,
        staged: &Staged,
        again: &Staged,
        change: ExtractChange,
        decision: &Decision,
    ) -> Result<Joined, Error> {
        let key = self.key(&decision.columns);
        let as_they_are = |change| Joined {
            files: again.paths().into_iter().chain(staged.paths()).collect(),
            row_count: staged.row_count(),
            change,
        };
        let (Some(known), false) = (self.known.as_ref(), key.is_empty()) else {
            return Ok(as_they_are(change));
        };
        let columns = decision.columns.iter();
        let columns: Columns = columns.filter(|it| !it.is_untyped()).cloned().collect();
        let read = columns.iter().filter(|it| !self.gone.contains(&it.name));
        let read: Columns = read.cloned().collect();
        let files = staged.paths();
        let incoming = self.incoming(&files, &columns, &key, &read);
        if self.work.replaces {
            if self.gone.is_empty() {
                return Ok(as_they_are(change));
            }
            if !self.is_whole {
                return Err(Error::TableNeeded);
            }
            let kept = merge::replace(self.session, known, &incoming, &self.to("kept"))?;
            return Ok(match kept {
                None => as_they_are(change),
                Some(files) => Joined {
                    files,
                    row_count: staged.row_count(),
                    change,
                },
            });
        }
        let mut removed = match &change {
            ExtractChange::Rewrite { removed } => removed.clone(),
            ExtractChange::Append | ExtractChange::ReplaceAll => Vec::new(),
        };
        let stay = known.files.iter().filter(|file| !removed.contains(file));
        let table = read_files::Known {
            columns: if decision.widened {
                decision.columns.clone()
            } else {
                known.columns.clone()
            },
            files: stay.cloned().chain(again.paths()).collect(),
        };
        // Whose rows a file's are matters where a changed file's rows are replaced.
        let by_file = self.policies.on_changed_file == ChangedFilePolicy::Reread;
        let to = self.to("merged");
        let merged = merge::merge_unique(self.session, &table, &incoming, by_file, &to)?;
        let Some(merged) = merged else {
            return Ok(as_they_are(change));
        };
        let mut files = again.paths();
        files.retain(|file| !merged.removed.contains(file));
        files.extend(merged.files);
        removed.extend(
            merged
                .removed
                .into_iter()
                .filter(|it| known.files.contains(it)),
        );
        Ok(Joined {
            files,
            row_count: merged.row_count,
            change: if removed.is_empty() {
                ExtractChange::Append
            } else {
                ExtractChange::Rewrite { removed }
            },
        })
    }
}
