//! What the commit is made of.

use std::path::PathBuf;

use comboi_engine::read_files::{self, FILE_COLUMN, LOADED_AT_COLUMN, RUN_ID_COLUMN, Staged};
use comboi_project::{Column, Columns, Incremental, SqlType};

use super::keyed::Joined;
use super::{Job, Read};
use crate::columns::Decision;
use crate::{Checkpoint, Error, Extract, ExtractChange, Known, Watermark};

impl Job<'_> {
    /// Everything for the commit.
    pub(super) fn finish(mut self, read: Read, table: Option<&Known>) -> Result<Extract, Error> {
        let Read {
            staged,
            quarantined,
            decision,
        } = read;
        let (again, change) = self.rows_written_anew(&decision)?;
        let Joined {
            files,
            row_count,
            change,
        } = self.joined(&staged, &again, change, &decision)?;
        self.note_rows_below(&staged, &decision.columns);
        self.note_rows_in_the_future(&files, &change, &decision.columns)?;
        let checkpoint = self.checkpoint(&staged, row_count, &decision.columns)?;
        let mut columns = decision.columns.clone();
        columns.0.extend(self.own_columns(table));
        Ok(Extract {
            row_count,
            staged: files,
            columns,
            change,
            checkpoint: checkpoint.to_string(),
            quarantined,
            drift: decision.changes,
            notes: self.notes,
        })
    }

    fn own_columns(&self, table: Option<&Known>) -> Vec<Column> {
        let own = [
            (FILE_COLUMN, SqlType::Varchar(None)),
            (LOADED_AT_COLUMN, SqlType::TimestampTz),
            (RUN_ID_COLUMN, SqlType::BigInt),
        ];
        let own = own
            .into_iter()
            .map(|(name, sql_type)| Column::new(name, sql_type));
        own.filter(|column| {
            self.policies.metadata_columns
                || table.is_some_and(|table| table.columns.get(&column.name).is_some())
        })
        .collect()
    }

    fn checkpoint(
        &mut self,
        staged: &Staged,
        row_count: u64,
        columns: &Columns,
    ) -> Result<Checkpoint, Error> {
        let mode = self.reader.table.incremental();
        let before = self
            .work
            .checkpoint
            .as_ref()
            .filter(|_| mode != Incremental::Full);
        let mut checkpoint = before.cloned().unwrap_or_else(|| Checkpoint::new(mode));
        for name in &self.work.gone {
            if let Some(seen) = checkpoint.files.get_mut(name) {
                seen.gone = true;
            }
        }
        checkpoint.files.extend(
            self.work
                .files
                .iter()
                .map(|file| (file.name.clone(), file.seen())),
        );
        checkpoint.row_count += row_count;
        if let Some(column) = self.incremental_column(columns) {
            let at_least = self.watermark().map(|it| it.value.clone());
            // No file has a column without a value.
            let files = match column.is_untyped() {
                true => Vec::new(),
                false => staged.paths(),
            };
            let value = read_files::max_value(
                self.session,
                &files,
                column,
                at_least.as_deref(),
                self.limit(column).as_deref(),
            )?;
            let read = columns.iter();
            let read = read.filter(|it| !self.gone.contains(&it.name)).cloned();
            checkpoint.lacking = self.lacking(&read.collect());
            let (column, sql_type) = (column.name.clone(), column.sql_type.clone());
            checkpoint.watermark = value.map(|value| Watermark {
                column,
                sql_type,
                value,
            });
        }
        Ok(checkpoint)
    }

    /// Rows of the table that have to be written again: of files that hold rows of changed files, or all of them
    /// when a column has another type now.
    fn rows_written_anew(&self, decision: &Decision) -> Result<(Staged, ExtractChange), Error> {
        let Some(known) = self.known.as_ref().filter(|_| !self.work.replaces) else {
            let change = if self.work.replaces {
                ExtractChange::ReplaceAll
            } else {
                ExtractChange::Append
            };
            return Ok((Staged::default(), change));
        };
        let removed: Vec<PathBuf> = if decision.widened && !self.is_whole {
            return Err(Error::TableNeeded);
        } else if decision.widened {
            known.files.clone()
        } else {
            read_files::files_with_rows_of(self.session, known, &self.work.changed)?
        };
        if removed.is_empty() {
            return Ok((Staged::default(), ExtractChange::Append));
        }
        let touched = read_files::Known {
            columns: known.columns.clone(),
            files: removed.clone(),
        };
        let again = read_files::rewrite(
            self.session,
            &touched,
            &decision.columns,
            &self.work.changed,
            &self.to("again"),
        );
        let again = again.map_err(|error| match error {
            read_files::Error::Unfit => Error::Configuration(format!(
                "the table has values that do not fit exactly when {}; nothing was loaded. {}, or `comboi reset-checkpoint` to read everything anew",
                decision.changes.join(", "),
                wider_type(known, &decision.columns),
            )),
            error => error.into(),
        })?;
        Ok((again, ExtractChange::Rewrite { removed }))
    }
}

/// What to declare where the table has values that the new types do not hold.
fn wider_type(known: &read_files::Known, columns: &Columns) -> String {
    let is_whole = |name: &str| {
        let before = known.columns.get(name);
        before.is_some_and(|before| before.sql_type.is_integer())
    };
    let changed = columns
        .iter()
        .find(|column| column.sql_type == SqlType::Double && is_whole(&column.name));
    match changed {
        Some(Column { name, .. }) => format!(
            "A DOUBLE would change large whole numbers: declare a type that holds both under `columns`, such as `{name}: DECIMAL(38,9)`"
        ),
        None => "Say a wider type under `columns`".to_owned(),
    }
}
