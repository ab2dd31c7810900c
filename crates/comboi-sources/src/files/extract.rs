//! Reading a table's files into staged rows.
//!
//! First strictly: one statement over all files, with the types that the table has or that a sample shows. Only when
//! something does not fit, all values are looked at (are types to be widened, are there new keys?), and then the
//! files that have such rows are taken apart line by line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use comboi_engine::Session;
use comboi_engine::read_files::{
    self, Boundary, FILE_COLUMN, Found, Group, LOADED_AT_COLUMN, Layout, Nulls, RUN_ID_COLUMN,
    Reading, Rows, Staged, Survey, TextRules, To, UnfitRows,
};
use comboi_project::{
    BadRowPolicy, Column, Columns, Incremental, Lookback, NullPolicy, Policies, SchemaChangePolicy,
    SqlType,
};

use super::apart::Rejects;
use super::columns::{Decision, Rules, decide};
use super::pieces::{Piece, pieces};
use super::{FilesReader, Work, settings};
use crate::error::BadRow;
use crate::{
    Checkpoint, Error, Extract, ExtractChange, Known, Note, Quarantined, Stamp, Watermark,
};

/// Below this, finding types looks at everything.
const SMALL_BYTES: u64 = 32 * 1024 * 1024;
/// How many files a sample is taken from.
const SAMPLED_FILES: usize = 48;
/// How many bad rows an error names.
const NAMED_ROWS: u32 = 10;

pub(super) fn extract(
    reader: &FilesReader<'_>,
    work: &Work,
    known: Option<&Known>,
    session: &Session,
    stamp: Stamp,
    scratch: &Path,
) -> Result<Extract, Error> {
    let apart = scratch.join("apart");
    fs::create_dir_all(&apart).map_err(|source| Error::Folder {
        folder: apart.clone(),
        source,
    })?;
    let begins_anew = work.checkpoint.is_none();
    let known = known.filter(|_| !begins_anew);
    let mut job = Job {
        reader,
        work,
        session,
        scratch,
        rules: settings::text_rules(reader.table)?,
        policies: reader.source.policies(reader.table),
        declared: settings::declared(reader.table),
        known: known.map(own_columns_aside),
        stamp: read_files::Stamp {
            run_id: stamp.run.0,
            loaded_at: stamp.loaded_at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
        },
        notes: work.notes.clone(),
        rejects: rejects(&apart)?,
        attempts: 0,
    };
    let rows = job.read();
    // Whatever is wrong with a file that is still being written is not worth telling.
    if let Some(file) = work.files.iter().find(|file| !file.is_the_same_now()) {
        return Err(Error::ChangedWhileRead(file.name.clone()));
    }
    job.finish(rows?, known)
}

fn rejects(folder: &Path) -> Result<Rejects, Error> {
    let path = folder.join("rejects.csv");
    Rejects::create(path.clone()).map_err(|source| Error::Unreadable { file: path, source })
}

fn own_columns_aside(known: &Known) -> read_files::Known {
    let columns = known
        .columns
        .iter()
        .filter(|column| !column.name.starts_with("_comboi_"))
        .cloned()
        .collect();
    read_files::Known {
        columns,
        files: known.files.clone(),
    }
}

struct Job<'a> {
    reader: &'a FilesReader<'a>,
    work: &'a Work,
    session: &'a Session,
    scratch: &'a Path,
    rules: TextRules,
    policies: Policies,
    declared: Vec<Column>,
    /// Without comboi's own columns.
    known: Option<read_files::Known>,
    stamp: read_files::Stamp,
    notes: Vec<Note>,
    rejects: Rejects,
    attempts: u32,
}

/// What reading came to.
struct Read {
    staged: Staged,
    quarantined: Option<Quarantined>,
    decision: Decision,
}

impl Job<'_> {
    fn read(&mut self) -> Result<Read, Error> {
        let root = self.reader.root();
        let (mut pieces, empty_names) =
            pieces(self.reader.table, &root, &self.work.files, self.session)?;
        self.take_apart_what_must_be(&mut pieces)?;
        let sampled = (self.work.estimated_bytes > SMALL_BYTES)
            .then_some(u64::from(self.reader.table.sample_size));
        let found = self.look_at_values(&mut pieces, sampled)?;
        let mut decision = self.decide(None, &found, &empty_names)?;
        self.note_columns(&pieces, &decision);
        self.check_incremental_column(&decision.columns)?;
        if let Some(staged) = self.try_stage(&pieces, &decision.columns)? {
            return Ok(Read {
                staged,
                quarantined: None,
                decision,
            });
        }
        let found = self.look_at_what_does_not_fit(&mut pieces, &decision.columns)?;
        let wider = self.decide(Some(&decision.columns), &found, &empty_names)?;
        let keys_may_be_new = pieces.iter().any(Piece::has_keys);
        if wider.columns != decision.columns || keys_may_be_new {
            decision = wider;
            if let Some(staged) = self.try_stage(&pieces, &decision.columns)? {
                return Ok(Read {
                    staged,
                    quarantined: None,
                    decision,
                });
            }
        }
        let (staged, quarantined) = self.look_closer(&mut pieces, &decision.columns)?;
        Ok(Read {
            staged,
            quarantined,
            decision,
        })
    }

    fn take_apart_what_must_be(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Error> {
        for piece in std::mem::take(pieces) {
            pieces.push(if piece.needs_taking_apart() {
                piece.into_records(&mut self.rejects)?
            } else if piece.needs_blocks() {
                piece.into_blocks(&mut self.rejects)?
            } else {
                piece
            });
        }
        pieces.retain(|piece| !piece.group.files.is_empty());
        Ok(())
    }

    /// The columns of all pieces with the types that their values have: of CSV those values that do not fit, of JSON
    /// all of them, since any object may have keys that are new.
    fn look_at_what_does_not_fit(
        &mut self,
        pieces: &mut [Piece],
        columns: &Columns,
    ) -> Result<Vec<Column>, Error> {
        let mut found = Vec::new();
        for piece in pieces {
            if piece.group.files.len() == 1 && piece.large() == [0] {
                // It is this file, so that what matters is where in it.
                *piece = piece.take(&[0]).into_blocks(&mut self.rejects)?;
            }
            if matches!(piece.group.layout, Layout::Csv(_)) {
                let survey = self.survey(piece, columns)?;
                piece.suspects = Some(survey.files);
                found.extend(named_columns(&piece.group, &survey.found));
            } else {
                found.extend(self.look_at_values(std::slice::from_mut(piece), None)?);
            }
        }
        Ok(found)
    }

    fn survey(&self, piece: &Piece, columns: &Columns) -> Result<Survey, Error> {
        let reading = self.reading(std::slice::from_ref(piece), columns);
        let group = reading.groups.first().unwrap_or(&piece.group);
        Ok(read_files::survey(self.session, group, &reading)?)
    }

    /// The columns of all pieces with the types that their values have.
    fn look_at_values(
        &self,
        pieces: &mut [Piece],
        rows_per_file: Option<u64>,
    ) -> Result<Vec<Column>, Error> {
        let mut columns = Vec::new();
        for piece in pieces {
            let found = if self.must_look_at_values(piece) {
                read_files::infer(
                    self.session,
                    &sampled(&piece.group, rows_per_file),
                    &self.rules,
                    rows_per_file,
                )
            } else {
                Ok(unlooked(&piece.group))
            };
            let found = match found {
                // What is wrong with the text is told when it is read.
                Err(read_files::Error::Unfit) => unlooked(&piece.group),
                found => found?,
            };
            piece.take_keys(&found)?;
            columns.extend(named_columns(&piece.group, &found));
        }
        Ok(columns)
    }

    /// Text of which all columns are known needs no look before something does not fit.
    fn must_look_at_values(&self, piece: &Piece) -> bool {
        let is_csv = matches!(piece.group.layout, Layout::Csv(_) | Layout::Records { .. });
        let settled = |name: &str| {
            let is_known = self
                .known
                .as_ref()
                .is_some_and(|known| known.columns.get(name).is_some());
            is_known
                || self
                    .declared
                    .iter()
                    .any(|column| column.name.eq_ignore_ascii_case(name))
        };
        !is_csv
            || piece
                .group
                .columns
                .iter()
                .any(|column| !column.name.as_deref().is_some_and(settled))
    }

    fn decide(
        &self,
        so_far: Option<&Columns>,
        found: &[Column],
        empty_names: &[String],
    ) -> Result<Decision, Error> {
        let known = self.known.as_ref().map(|known| &known.columns);
        let may_change = |column: &Column| {
            so_far.is_some() || known.is_none_or(|known| known.get(&column.name).is_none())
        };
        // The first look is a sample: what the table has settled is not changed by it.
        let typed_files = self.has_typed_files();
        let found: Vec<Column> = found
            .iter()
            .map(|column| {
                if typed_files || may_change(column) {
                    column.clone()
                } else {
                    Column::new(&column.name, SqlType::Null)
                }
            })
            .chain(
                empty_names
                    .iter()
                    .map(|name| Column::new(name, SqlType::Null)),
            )
            .collect();
        let rules = Rules {
            known,
            declared: &self.declared,
            policy: self.policies.on_schema_change,
            typed_files,
        };
        decide(&rules, so_far, &found).map_err(Error::SchemaChanged)
    }

    fn has_typed_files(&self) -> bool {
        let format = self
            .work
            .files
            .first()
            .map(|file| settings::format(self.reader.table, &file.name));
        matches!(format, Some(Ok(comboi_project::FileFormat::Parquet)))
    }

    fn note_columns(&mut self, pieces: &[Piece], decision: &Decision) {
        if !decision.discarded.is_empty() {
            self.notes.push(Note::Discarded(decision.discarded.clone()));
        }
        for piece in pieces {
            let has = |name: &str| {
                piece.group.columns.iter().any(|it| {
                    it.name
                        .as_deref()
                        .is_some_and(|it| it.eq_ignore_ascii_case(name))
                })
            };
            let missing: Vec<String> = decision
                .columns
                .names()
                .filter(|name| !has(name))
                .map(str::to_owned)
                .collect();
            if let (false, Some(first)) = (missing.is_empty(), piece.group.files.first()) {
                let more = piece.group.files.len() - 1;
                self.notes.push(Note::MissingColumns {
                    file: first.name.clone(),
                    more,
                    columns: missing,
                });
            }
        }
    }

    fn reading(&self, pieces: &[Piece], columns: &Columns) -> Reading {
        let mut groups: Vec<Group> = pieces
            .iter()
            .map(|piece| piece.group.clone())
            .filter(|group| !group.files.is_empty())
            .collect();
        for column in groups.iter_mut().flat_map(|group| &mut group.columns) {
            // The table's own spelling, whatever the case of the file's.
            column.name = column
                .name
                .as_ref()
                .and_then(|name| columns.get(name))
                .map(|it| it.name.clone());
        }
        let ignore_unknown_keys =
            self.known.is_some() && self.policies.on_schema_change == SchemaChangePolicy::Discard;
        let declared = |name: &&str| {
            self.declared
                .iter()
                .any(|it| it.name.eq_ignore_ascii_case(name))
        };
        let declared = columns
            .names()
            .filter(declared)
            .map(str::to_owned)
            .collect();
        Reading {
            groups,
            columns: columns.clone(),
            rules: self.rules.clone(),
            ignore_unknown_keys,
            declared,
        }
    }

    fn try_stage(&mut self, pieces: &[Piece], columns: &Columns) -> Result<Option<Staged>, Error> {
        if self.rejects.count > 0 {
            self.attempts += 1;
            return Ok(None);
        }
        let reading = self.reading(pieces, columns);
        match self.stage(&reading, false) {
            Err(read_files::Error::Unfit) => {
                self.attempts += 1;
                // What was written before it ended is of no use.
                drop(fs::remove_dir_all(self.to("new").folder));
                Ok(None)
            }
            Err(error) => Err(self.named(error)),
            Ok(staged) => {
                self.note_rows_left_out(&reading)?;
                Ok(Some(staged))
            }
        }
    }

    fn note_rows_left_out(&mut self, reading: &Reading) -> Result<(), Error> {
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

    fn to(&self, what: &str) -> To {
        To {
            folder: self.scratch.join(format!("{what}-{}", self.attempts)),
            file_bytes: self.reader.max_file_size.bytes(),
        }
    }

    fn named(&self, error: read_files::Error) -> Error {
        match (error, &self.reader.table.incremental_column) {
            (read_files::Error::NullInIncrementalColumn, Some(column)) => {
                Error::NullInIncrementalColumn(column.value.clone())
            }
            (error, _) => error.into(),
        }
    }

    /// Takes apart the files that have rows that do not fit, and stages what does.
    fn look_closer(
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
        self.rejects.finish().map_err(|source| Error::Unreadable {
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
        let staged = self
            .stage(&reading, true)
            .map_err(|error| self.named(error))?;
        let quarantined = if count > 0 {
            Some(self.put_aside(&reading, &before)?)
        } else {
            None
        };
        self.note_rows_left_out(&reading)?;
        Ok((staged, quarantined))
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
            None => self.survey(piece, columns)?.files,
        };
        let mut suspects = piece.take(&suspects);
        let large = suspects.take(&suspects.large());
        if !large.group.files.is_empty() {
            let mut blocks = large.into_blocks(&mut self.rejects)?;
            let places = self.survey(&blocks, columns)?.files;
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

    fn stage(&self, reading: &Reading, leave_unfit: bool) -> Result<Staged, read_files::Error> {
        let stamp = self.policies.metadata_columns.then_some(&self.stamp);
        let to = self.to("new");
        let Some(column) = self.incremental_column(&reading.columns) else {
            return read_files::stage(self.session, reading, &Rows::All, leave_unfit, stamp, &to);
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
        let boundary = Boundary {
            column,
            watermark,
            from: from.as_deref(),
            nulls,
            known: self.known.as_ref(),
        };
        read_files::stage(
            self.session,
            reading,
            &Rows::New(boundary),
            leave_unfit,
            stamp,
            &to,
        )
    }

    fn incremental_column<'c>(&self, columns: &'c Columns) -> Option<&'c Column> {
        let named = self.reader.table.incremental_column.as_ref()?;
        (self.reader.table.incremental() == Incremental::Column)
            .then(|| columns.get(&super::columns::clean(&named.value)))
            .flatten()
    }

    fn watermark(&self) -> Option<&Watermark> {
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

fn named_columns(group: &Group, found: &[Found]) -> Vec<Column> {
    let named = group
        .columns
        .iter()
        .zip(found)
        .filter_map(|(column, found)| {
            let name = column.name.clone()?;
            Some(Column::new(name, found.sql_type.clone()))
        });
    named.collect()
}

/// What an unlooked-at group says of itself.
fn unlooked(group: &Group) -> Vec<Found> {
    let column = |column: &read_files::FileColumn| Found {
        spelled: column.spelled.clone(),
        sql_type: column.sql_type.clone().unwrap_or(SqlType::Null),
    };
    group.columns.iter().map(column).collect()
}

/// Some files of many, evenly spread, the first and the last among them.
fn sampled(group: &Group, rows_per_file: Option<u64>) -> Group {
    let count = group.files.len();
    if rows_per_file.is_none() || count <= SAMPLED_FILES {
        return group.clone();
    }
    let places: BTreeSet<usize> = (0..SAMPLED_FILES)
        .map(|i| i * (count - 1) / (SAMPLED_FILES - 1))
        .collect();
    let files = group
        .files
        .iter()
        .enumerate()
        .filter(|(i, _)| places.contains(i))
        .map(|(_, file)| file.clone());
    Group {
        files: files.collect(),
        ..group.clone()
    }
}

impl Job<'_> {
    /// Everything for the commit.
    fn finish(mut self, read: Read, table: Option<&Known>) -> Result<Extract, Error> {
        let Read {
            staged,
            quarantined,
            decision,
        } = read;
        let checkpoint = self.checkpoint(&staged, &decision.columns)?;
        let (again, change) = self.rows_written_anew(&decision)?;
        let mut columns = decision.columns.clone();
        columns.0.extend(self.own_columns(table));
        Ok(Extract {
            row_count: staged.row_count(),
            staged: again.paths().into_iter().chain(staged.paths()).collect(),
            columns,
            change,
            checkpoint,
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

    fn check_incremental_column(&self, columns: &Columns) -> Result<(), Error> {
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
        let can_be = of.is_integer()
            || of.is_moment()
            || matches!(of, SqlType::Decimal(..) | SqlType::Varchar(_));
        if !can_be {
            return Err(Error::Configuration(format!(
                "{}: `{}` is {of}, and an incremental column is a whole number, DECIMAL, DATE, TIMESTAMP or VARCHAR: say its type under `columns`",
                named.place, named.value
            )));
        }
        Ok(())
    }

    fn checkpoint(&mut self, staged: &Staged, columns: &Columns) -> Result<Checkpoint, Error> {
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
        checkpoint.row_count += staged.row_count();
        if let Some(column) = self.incremental_column(columns) {
            let at_least = self.watermark().map(|it| it.value.clone());
            let value =
                read_files::max_value(self.session, &staged.paths(), column, at_least.as_deref())?;
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
        let removed: Vec<PathBuf> = if decision.widened {
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
                "the table has values that do not fit exactly when {}; nothing was loaded. Say a wider type under `columns`, or `comboi reset-checkpoint` to read everything anew",
                decision.changes.join(", ")
            )),
            error => error.into(),
        })?;
        Ok((again, ExtractChange::Rewrite { removed }))
    }
}
