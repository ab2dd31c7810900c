//! Rows that do not fit: found, named or put aside.

use comboi_engine::read_files::{
    self, FILE_COLUMN, LOADED_AT_COLUMN, RUN_ID_COLUMN, Reading, Staged, UnfitRows,
};
use comboi_project::{BadRowPolicy, Column, Columns, SqlType};

use super::Job;
use super::values::needs_a_closer_look;
use crate::error::BadRow;
use crate::files::piece::Piece;
use crate::{Error, Quarantined};

/// How many bad rows an error names.
const NAMED_ROWS: u32 = 10;

impl Job<'_> {
    /// Takes apart the files that have rows that do not fit, and stages what does.
    pub(super) fn look_closer(
        &mut self,
        pieces: &mut Vec<Piece>,
        columns: &Columns,
    ) -> Result<(Staged, Option<Quarantined>), Error> {
        let mut closer = Vec::new();
        for mut piece in std::mem::take(pieces) {
            if !piece.is_located() {
                self.take_suspects_apart(&mut piece, columns, &mut closer)?;
            }
            closer.push(piece);
        }
        *pieces = closer;
        pieces.retain(|piece| !piece.group.files.is_empty());
        self.rejects.finish().map_err(|source| Error::Staging {
            file: self.rejects.path.clone(),
            source,
        })?;
        let reading = self.reading(pieces, columns);
        let path = self.rejects.path.clone();
        let before = UnfitRows {
            found_before: (self.rejects.count > 0).then_some(path.as_path()),
            longest: self.rejects.longest,
        };
        let (count, rows) = read_files::unfit(self.session, &reading, &before, NAMED_ROWS)?;
        if count == 0 && columns.is_empty() {
            self.refuse_objects_without_keys(&reading)?;
        }
        if count > 0 && self.policies.on_bad_row == BadRowPolicy::Fail {
            let rows = rows.into_iter().map(|row| BadRow {
                file: row.file,
                line: row.line,
                reason: row.reason,
            });
            return Err(Error::BadRows {
                count,
                rows: rows.collect(),
            });
        }
        if count > 0 {
            self.refuse_files_of_bad_rows(&reading, &before)?;
        }
        let staged = match self.stage(&reading, true) {
            Err(error)
                if needs_a_closer_look(pieces, &error) && pieces.iter().any(Piece::is_csv) =>
            {
                // It was not seen which file DuckDB does not read.
                drop(std::fs::remove_dir_all(self.to("new").folder));
                self.attempts += 1;
                for piece in pieces.iter_mut() {
                    self.take_apart(piece)?;
                }
                return self.look_closer(pieces, columns);
            }
            staged => staged.map_err(|error| self.named(error))?,
        };
        let quarantined = if count > 0 {
            Some(self.put_aside(&reading, &before)?)
        } else {
            None
        };
        self.note_rows_left_out(&reading)?;
        Ok((staged, quarantined))
    }

    /// A file of which no row fits is most likely no data at all.
    fn refuse_files_of_bad_rows(
        &self,
        reading: &Reading,
        before: &UnfitRows<'_>,
    ) -> Result<(), Error> {
        let files = read_files::hopeless(self.session, reading, before)?;
        let Some(first) = files.first() else {
            return Ok(());
        };
        let row = &first.first;
        let others = match files.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more such files)"),
        };
        Err(Error::BadFile(format!(
            "`{}`: none of its rows fits ({}){others}: line {}: {}",
            row.file, first.row_count, row.line, row.reason
        )))
    }

    fn refuse_objects_without_keys(&self, reading: &Reading) -> Result<(), Error> {
        match read_files::json_rows(self.session, reading)? {
            (0, _) => Ok(()),
            (count, file) => Err(Error::BadFile(format!(
                "`{}`: its objects ({count} in all files) have no key, so that the table would have no column",
                file.unwrap_or_default()
            ))),
        }
    }

    /// The files that may have rows that do not fit: all, if DuckDB does not read them.
    fn suspects(&self, piece: &Piece, columns: &Columns) -> Result<Vec<usize>, Error> {
        let survey = self.survey(piece, columns)?;
        let all = || (0..piece.group.files.len()).collect();
        Ok(survey.map_or_else(all, |survey| survey.files))
    }

    /// Of small files all, of large ones the blocks that have rows that do not fit.
    fn take_suspects_apart(
        &mut self,
        piece: &mut Piece,
        columns: &Columns,
        closer: &mut Vec<Piece>,
    ) -> Result<(), Error> {
        let suspects = match piece.suspects.take() {
            Some(suspects) => suspects,
            None => self.suspects(piece, columns)?,
        };
        if !self.reader.table.key().is_empty() {
            // Which row of a file is the last is known if all of it is taken apart, or nothing.
            let all = 0..piece.group.files.len();
            let suspects = if piece.is_in_blocks() {
                all.collect()
            } else {
                suspects
            };
            closer.push(piece.take(&suspects).into_records(&mut self.rejects)?);
            return Ok(());
        }
        let mut suspects = piece.take(&suspects);
        let large = suspects.take(&suspects.large());
        if !large.group.files.is_empty() {
            let mut blocks = large.into_blocks(&mut self.rejects)?;
            let places = self.suspects(&blocks, columns)?;
            closer.push(blocks.take(&places).into_records(&mut self.rejects)?);
            closer.push(blocks);
        }
        closer.push(suspects.into_records(&mut self.rejects)?);
        Ok(())
    }

    fn put_aside(&self, reading: &Reading, before: &UnfitRows<'_>) -> Result<Quarantined, Error> {
        let staged = read_files::stage_unfit(
            self.session,
            reading,
            before,
            &self.stamp,
            &self.to("quarantine"),
        )?;
        let text = || SqlType::Varchar(None);
        let columns = [
            (FILE_COLUMN, text()),
            ("line", SqlType::BigInt),
            ("byte_position", SqlType::BigInt),
            ("column", text()),
            ("reason", text()),
            ("text", text()),
            (LOADED_AT_COLUMN, SqlType::TimestampTz),
            (RUN_ID_COLUMN, SqlType::BigInt),
        ];
        let columns = columns
            .into_iter()
            .map(|(name, sql_type)| Column::new(name, sql_type))
            .collect();
        Ok(Quarantined {
            row_count: staged.row_count(),
            staged: staged.paths(),
            columns,
        })
    }
}
