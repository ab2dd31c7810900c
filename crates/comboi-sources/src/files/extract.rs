//! Reading a table's files into staged rows.
//!
//! First strictly: one statement over all files, with the types that the table has or that a sample shows. Only when
//! something does not fit, it is looked at (are types to be widened, are there new keys?), and then the files that have
//! such rows are taken apart line by line; of large files the blocks that have them.

mod bad_rows;
mod commit;
mod future;
mod keyed;
mod new_rows;
mod values;

use std::fs;
use std::path::Path;

use chrono::{DateTime, Utc};
use comboi_engine::Session;
use comboi_engine::read_files::{self, Group, Reading, Staged, TextRules, To};
use comboi_project::{Columns, Policies, SchemaChangePolicy, SqlType};

use super::apart::Rejects;
use super::piece::Piece;
use super::pieces::pieces;
use super::{FilesReader, Work, settings};
use crate::columns::{Decision, Declared};
use crate::names::{Names, meant};
use crate::{Error, Extract, Known, Note, Quarantined, Stamp};
use values::needs_a_closer_look;

/// Below this, finding types looks at everything.
const SMALL_BYTES: u64 = 32 * 1024 * 1024;

pub(super) fn extract(
    reader: &FilesReader<'_>,
    work: &Work,
    known: Option<&Known>,
    session: &Session,
    stamp: Stamp,
    scratch: &Path,
) -> Result<Extract, Error> {
    let names = Names::of(known.map(own_columns_aside).map(|it| it.columns).as_ref());
    let begins_anew = work.checkpoint.is_none();
    let known = known.filter(|_| !begins_anew);
    let mut job = Job::new(reader, work, known, session, stamp, scratch)?;
    // A table that begins anew keeps its names.
    job.names = names;
    job.extract(known)
}

fn rejects(folder: &Path) -> Result<Rejects, Error> {
    let unwritten = |file: &Path, source| Error::Staging {
        file: file.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(|source| unwritten(folder, source))?;
    let path = folder.join("rejects.csv");
    Rejects::create(path.clone()).map_err(|source| unwritten(&path, source))
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

/// The keys of JSON objects that are known.
fn keys(pieces: &[Piece]) -> Vec<Group> {
    let json = pieces.iter().filter(|piece| piece.has_keys());
    json.map(|piece| piece.group.clone()).collect()
}

pub(super) struct Job<'a> {
    reader: &'a FilesReader<'a>,
    work: &'a Work,
    session: &'a Session,
    scratch: &'a Path,
    rules: TextRules,
    policies: Policies,
    /// What the table calls the source's columns.
    names: Names,
    declared: Vec<Declared>,
    /// Whether what is declared is of the files' own columns only.
    declared_if_there: bool,
    /// Without comboi's own columns.
    known: Option<read_files::Known>,
    /// Whether that has all of the table's files.
    is_whole: bool,
    stamp: read_files::Stamp,
    /// When the run is.
    now: DateTime<Utc>,
    notes: Vec<Note>,
    /// Columns of the table that no file has which was read.
    gone: Vec<String>,
    rejects: Rejects,
    attempts: u32,
    /// Whether the keys of JSON were looked for in a part of it only.
    sampled: bool,
}

/// What reading came to.
struct Read {
    staged: Staged,
    quarantined: Option<Quarantined>,
    decision: Decision,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        reader: &'a FilesReader<'a>,
        work: &'a Work,
        known: Option<&Known>,
        session: &'a Session,
        stamp: Stamp,
        scratch: &'a Path,
    ) -> Result<Self, Error> {
        Ok(Self {
            reader,
            work,
            session,
            scratch,
            rules: settings::text_rules(reader.table)?,
            policies: reader.source.policies(reader.table),
            names: Names::default(),
            declared: settings::declared(reader.table),
            declared_if_there: false,
            known: known.map(own_columns_aside),
            is_whole: known.is_none_or(|known| known.whole),
            stamp: read_files::Stamp {
                run_id: stamp.run.0,
                loaded_at: stamp.loaded_at.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string(),
            },
            now: stamp.loaded_at,
            notes: work.notes.clone(),
            gone: Vec::new(),
            rejects: rejects(&scratch.join("apart"))?,
            attempts: 0,
            sampled: false,
        })
    }

    /// These types for those of the columns that the files have.
    pub(super) fn declare_if_there(&mut self, wanted: &[(String, SqlType)]) {
        self.declared = wanted.to_vec();
        self.declared_if_there = true;
    }
}

impl Job<'_> {
    pub(super) fn extract(mut self, known: Option<&Known>) -> Result<Extract, Error> {
        let rows = self.read();
        // Whatever is wrong with a file that is still being written is not worth telling.
        let mut files = self.work.files.iter();
        if let Some(file) = files.find(|file| !file.is_the_same_now()) {
            return Err(Error::ChangedWhileRead(file.name.clone()));
        }
        self.finish(rows?, known)
    }

    fn read(&mut self) -> Result<Read, Error> {
        let root = self.reader.root();
        let (mut pieces, in_headers) = pieces(
            self.reader.table,
            &root,
            &self.work.files,
            self.session,
            self.scratch,
            &mut self.names,
            self.known.as_ref().map(|known| &known.columns),
        )?;
        self.take_apart_what_must_be(&mut pieces)?;
        let sampled = (self.work.estimated_bytes > SMALL_BYTES)
            .then_some(u64::from(self.reader.table.sample_size));
        self.sampled = sampled.is_some() && pieces.iter().any(Piece::has_keys);
        let found = self.look_at_values(&mut pieces, sampled, None)?;
        let mut decision = self.decide(None, &found, &in_headers)?;
        self.check_incremental_column(&decision.columns)?;
        self.check_key(&decision.columns)?;
        if let Some(staged) = self.try_stage(&pieces, &decision.columns)? {
            self.note_columns(&pieces, &decision);
            return Ok(Read {
                staged,
                quarantined: None,
                decision,
            });
        }
        let keys = keys(&pieces);
        let found = self.look_at_what_does_not_fit(&mut pieces, &decision.columns)?;
        self.sampled = false;
        let wider = self.decide(Some(&decision.columns), &found, &in_headers)?;
        if wider.columns != decision.columns || keys != self::keys(&pieces) {
            decision = wider;
            if let Some(staged) = self.try_stage(&pieces, &decision.columns)? {
                self.note_columns(&pieces, &decision);
                return Ok(Read {
                    staged,
                    quarantined: None,
                    decision,
                });
            }
        }
        let (staged, quarantined) = self.look_closer(&mut pieces, &decision.columns)?;
        self.note_columns(&pieces, &decision);
        Ok(Read {
            staged,
            quarantined,
            decision,
        })
    }

    fn take_apart_what_must_be(&mut self, pieces: &mut Vec<Piece>) -> Result<(), Error> {
        for piece in std::mem::take(pieces) {
            pieces.push(if piece.needs_records() {
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
        let declared = self.declared.iter();
        let declared = declared
            .filter_map(|(name, _)| meant(columns, name))
            .map(|column| column.name.clone())
            .collect();
        Reading {
            groups,
            columns: columns.clone(),
            rules: self.rules.clone(),
            ignore_unknown_keys,
            sampled: self.sampled,
            declared,
            key: self.key(columns),
        }
    }

    fn try_stage(&mut self, pieces: &[Piece], columns: &Columns) -> Result<Option<Staged>, Error> {
        // Whether there are records without a column is to be seen, too.
        let no_columns = columns.is_empty() && pieces.iter().any(Piece::has_keys);
        if self.rejects.count > 0 || no_columns {
            self.attempts += 1;
            return Ok(None);
        }
        let reading = self.reading(pieces, columns);
        match self.stage(&reading, false) {
            Err(error) if needs_a_closer_look(pieces, &error) => {
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
}
