//! Values of the incremental column that the checkpoint does not follow, and rows that it left behind.

use comboi_engine::read_files::{self, Staged};
use comboi_project::{Column, Columns, SqlType};

use super::Job;
use crate::{Error, ExtractChange, Note};

impl Job<'_> {
    /// The latest date or time that may become the checkpoint; `None` for columns of other types.
    pub(super) fn limit(&self, column: &Column) -> Option<String> {
        let limit = self.reader.limit(self.now);
        let of = &column.sql_type;
        match of {
            SqlType::Date => Some(limit.format("%Y-%m-%d").to_string()),
            _ if of.is_moment() => Some(limit.format("%Y-%m-%d %H:%M:%S%.6fZ").to_string()),
            _ => None,
        }
    }

    /// Files that no earlier run has read.
    pub(super) fn new_files(&self) -> Vec<String> {
        let Some(checkpoint) = &self.work.checkpoint else {
            return Vec::new();
        };
        let names = self.work.files.iter().map(|file| &file.name);
        let new = names.filter(|name| !checkpoint.files.contains_key(*name));
        new.cloned().collect()
    }

    /// Rows of new files that were left out.
    pub(super) fn note_rows_below(&mut self, staged: &Staged, columns: &Columns) {
        if let Some(column) = self.incremental_column(columns)
            && staged.below > 0
        {
            let note = Note::BelowCheckpoint {
                column: column.name.clone(),
                row_count: staged.below,
            };
            self.notes.push(note);
        }
    }

    /// Rows in the future that the table has, once these files are in it.
    pub(super) fn note_rows_in_the_future(
        &mut self,
        files: &[std::path::PathBuf],
        change: &ExtractChange,
        columns: &Columns,
    ) -> Result<(), Error> {
        let Some(column) = self.incremental_column(columns) else {
            return Ok(());
        };
        let Some(limit) = self.limit(column) else {
            return Ok(());
        };
        let stays = |file: &&std::path::PathBuf| match change {
            ExtractChange::Append => true,
            ExtractChange::ReplaceAll => false,
            ExtractChange::Rewrite { removed } => !removed.contains(file),
        };
        let before = self.known.iter().flat_map(|known| &known.files);
        let before = before.filter(stays);
        let table = read_files::Known {
            columns: columns.clone(),
            files: before.chain(files).cloned().collect(),
        };
        let row_count = read_files::count_later(self.session, &table, column, &limit)?;
        if row_count > 0 {
            self.notes.push(Note::InTheFuture {
                column: column.name.clone(),
                row_count,
            });
        }
        Ok(())
    }
}
