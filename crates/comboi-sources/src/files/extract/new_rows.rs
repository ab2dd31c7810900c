//! Which rows are new, by the incremental column where there is one.

use std::collections::BTreeSet;

use comboi_engine::read_files::{self, Boundary, Nulls, Reading, Rows, Staged};
use comboi_project::{Column, Columns, Incremental, Lookback, NullPolicy, SqlType};

use super::Job;
use crate::lacking::Lacking;
use crate::names::meant;
use crate::{Error, Note, Watermark};

impl Job<'_> {
    pub(super) fn stage(
        &self,
        reading: &Reading,
        leave_unfit: bool,
    ) -> Result<Staged, read_files::Error> {
        let Some(column) = self.incremental_column(&reading.columns) else {
            return self.stage_rows(reading, &Rows::All, leave_unfit);
        };
        let watermark = self.watermark().map(|it| it.value.as_str());
        let lookback = self.lookback(&column.sql_type);
        let from = match watermark {
            Some(watermark) => read_files::edge(
                self.session,
                &column.sql_type,
                watermark,
                lookback.as_deref(),
            )?,
            None => None,
        };
        let nulls = match self.reader.table.on_null {
            NullPolicy::Load => Nulls::Load,
            NullPolicy::Skip => Nulls::Skip,
            NullPolicy::Fail => Nulls::Fail,
        };
        let new_files = self.new_files();
        let groups = reading.groups.iter().flat_map(|group| &group.columns);
        let read: BTreeSet<&str> = groups.filter_map(|it| it.name.as_deref()).collect();
        let columns = reading.columns.iter();
        let read = columns.filter(|column| read.contains(column.name.as_str()));
        let read: Columns = read.cloned().collect();
        let names: Vec<&str> = read.names().collect();
        let lacked = self.lacking(&read).of(&names);
        let boundary = Boundary {
            column,
            watermark,
            from: from.as_deref(),
            nulls,
            // Rows with a key are merged.
            known: self.known.as_ref().filter(|_| reading.key.is_empty()),
            read: &names,
            lacked: &lacked,
            new_files: &new_files,
        };
        self.stage_rows(reading, &Rows::New(boundary), leave_unfit)
    }

    /// What rows of the table may have been read without, when these columns are read of files.
    pub(super) fn lacking(&self, read: &Columns) -> Lacking {
        let before = self.work.checkpoint.as_ref();
        let before = before.map(|it| it.lacking.clone()).unwrap_or_default();
        match &self.known {
            Some(known) if self.reader.table.key().is_empty() => before.after(&known.columns, read),
            _ => before,
        }
    }

    pub(super) fn note_rows_left_out(&mut self, reading: &Reading) -> Result<(), Error> {
        let Some(column) = self
            .incremental_column(&reading.columns)
            .filter(|_| self.reader.table.on_null == NullPolicy::Skip)
        else {
            return Ok(());
        };
        let row_count = read_files::null_count(self.session, reading, &column.name)?;
        if row_count > 0 {
            self.notes.push(Note::NullsSkipped {
                column: column.name.clone(),
                row_count,
            });
        }
        Ok(())
    }

    pub(super) fn incremental_column<'c>(&self, columns: &'c Columns) -> Option<&'c Column> {
        let named = self.reader.table.incremental_column.as_ref()?;
        (self.reader.table.incremental() == Incremental::Column)
            .then(|| meant(columns, &named.value))
            .flatten()
    }

    pub(super) fn check_incremental_column(&self, columns: &Columns) -> Result<(), Error> {
        let Some(named) = &self.reader.table.incremental_column else {
            return Ok(());
        };
        if self.reader.table.incremental() != Incremental::Column {
            return Ok(());
        }
        let Some(column) = self.incremental_column(columns) else {
            let all: Vec<&str> = columns.names().collect();
            return Err(Error::Configuration(format!(
                "{}: the files have no column `{}`, the incremental column; they have {}",
                named.place,
                named.value,
                all.join(", ")
            )));
        };
        let of = &column.sql_type;
        let can_be = *of == SqlType::Null
            || of.is_integer()
            || of.is_moment()
            || matches!(of, SqlType::Decimal(..) | SqlType::Varchar(_));
        if !can_be {
            return Err(Error::Configuration(format!(
                "{}: `{}` is {of}, and an incremental column is a whole number, DECIMAL, DATE, TIMESTAMP or VARCHAR: say its type under `columns`",
                named.place, named.value
            )));
        }
        if let Some(lookback) = &self.reader.table.lookback
            && *of != SqlType::Null
            && let Err(hint) = lookback.value.fits(of)
        {
            return Err(Error::Configuration(format!(
                "{}: the lookback `{}` can't be subtracted from `{}`, which is {of}; {hint}",
                lookback.place, lookback.value, named.value
            )));
        }
        Ok(())
    }

    pub(super) fn watermark(&self) -> Option<&Watermark> {
        self.work.checkpoint.as_ref()?.watermark.as_ref()
    }

    fn lookback(&self, of: &SqlType) -> Option<String> {
        match self.reader.table.lookback.as_ref().map(|it| it.value)? {
            Lookback::Time(time) => of
                .is_moment()
                .then(|| format!("{} seconds", time.as_secs())),
            Lookback::Number(number) => of.is_number().then(|| number.to_string()),
        }
    }
}
