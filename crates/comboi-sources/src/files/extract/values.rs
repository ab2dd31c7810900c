//! What the columns are, by the values in the files.

use std::collections::BTreeSet;

use comboi_engine::read_files::{self, FileColumn, Found, Group, Layout, Survey};
use comboi_project::{Column, Columns, FileFormat, SqlType};

use super::Job;
use crate::columns::{Decision, Rules, decide};
use crate::files::piece::Piece;
use crate::files::settings;
use crate::{Error, Note};

/// How many files a sample is taken from.
const SAMPLED_FILES: usize = 48;

impl Job<'_> {
    /// The columns of all pieces with the types that their values have: of CSV those values that do not fit, of JSON
    /// all of them, since any object may have keys that are new.
    pub(super) fn look_at_what_does_not_fit(
        &mut self,
        pieces: &mut [Piece],
        columns: &Columns,
    ) -> Result<Vec<Column>, Error> {
        let mut found = Vec::new();
        for piece in pieces {
            let in_order = !self.reader.table.key().is_empty();
            if piece.group.files.len() == 1 && piece.large() == [0] && !in_order {
                // It is this file, so that what matters is where in it.
                *piece = piece.take(&[0]).into_blocks(&mut self.rejects)?;
            }
            if matches!(piece.group.layout, Layout::Csv(_)) {
                let survey = self.survey(piece, columns)?;
                piece.suspects = Some(survey.files);
                found.extend(named_columns(&piece.group, &survey.found));
            } else {
                found.extend(self.look_at_values(
                    std::slice::from_mut(piece),
                    None,
                    Some(columns),
                )?);
            }
        }
        Ok(found)
    }

    pub(super) fn survey(&self, piece: &Piece, columns: &Columns) -> Result<Survey, Error> {
        let reading = self.reading(std::slice::from_ref(piece), columns);
        let group = reading.groups.first().unwrap_or(&piece.group);
        Ok(read_files::survey(self.session, group, &reading)?)
    }

    /// The columns of all pieces with the types that their values have.
    pub(super) fn look_at_values(
        &self,
        pieces: &mut [Piece],
        rows_per_file: Option<u64>,
        so_far: Option<&Columns>,
    ) -> Result<Vec<Column>, Error> {
        let mut columns = Vec::new();
        let known = so_far.or(self.known.as_ref().map(|known| &known.columns));
        let mut known: Vec<Column> = known.into_iter().flatten().cloned().collect();
        known.extend(self.declared.iter().cloned());
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
            let mut found = match found {
                // What is wrong with the text is told when it is read.
                Err(read_files::Error::Unfit) => unlooked(&piece.group),
                found => found?,
            };
            if piece.has_keys() {
                // What the table has stays with the key that it has it from.
                found.sort_by_cached_key(|found| !self.is_known(&found.spelled));
            }
            let found = piece.take_keys(found, &known)?;
            columns.extend(named_columns(&piece.group, &found));
        }
        Ok(columns)
    }

    fn is_known(&self, name: &str) -> bool {
        let known = self.known.iter().flat_map(|known| &known.columns);
        known.into_iter().any(|column| column.name == name)
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

    pub(super) fn decide(
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
        let there = |column: &&Column| {
            !self.declared_if_there
                || found
                    .iter()
                    .chain(so_far.into_iter().flatten())
                    .any(|it| it.name.eq_ignore_ascii_case(&column.name))
        };
        let declared: Vec<Column> = self.declared.iter().filter(there).cloned().collect();
        let rules = Rules {
            known,
            declared: &declared,
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
        matches!(format, Some(Ok(FileFormat::Parquet)))
    }

    pub(super) fn note_columns(&mut self, pieces: &[Piece], decision: &Decision) {
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
    let column = |column: &FileColumn| Found {
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
