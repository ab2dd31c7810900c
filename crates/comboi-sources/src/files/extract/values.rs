//! What the columns are, by the values in the files.

use std::collections::{BTreeSet, HashSet};

use comboi_engine::read_files::{self, FileColumn, Found, Group, Layout, Survey};
use comboi_project::{Column, Columns, FileFormat, SchemaChangePolicy, SqlType, did_you_mean};

use super::Job;
use crate::columns::{Decision, Declared, Rules, decide, empty_parts};
use crate::files::piece::Piece;
use crate::files::settings;
use crate::names::{clean, meant};
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
            let survey = match piece.group.layout {
                Layout::Csv(_) => self.survey(piece, columns)?,
                _ => None,
            };
            // Of a file with lines that DuckDB rejects, it may show no value at all.
            let untyped = |column: &FileColumn| {
                let column = column.name.as_deref().and_then(|name| columns.get(name));
                column.is_some_and(Column::is_untyped)
            };
            let is_enough =
                |it: &Survey| it.files.is_empty() || !piece.group.columns.iter().any(untyped);
            if let Some(survey) = survey.filter(is_enough) {
                piece.suspects = Some(survey.files);
                found.extend(self.named_columns(&piece.group, &survey.found));
            } else {
                self.take_apart(piece)?;
                found.extend(self.look_at_values(
                    std::slice::from_mut(piece),
                    None,
                    Some(columns),
                )?);
            }
        }
        Ok(found)
    }

    /// `None`: DuckDB does not read them.
    pub(super) fn survey(&self, piece: &Piece, columns: &Columns) -> Result<Option<Survey>, Error> {
        let reading = self.reading(std::slice::from_ref(piece), columns);
        let group = reading.groups.first().unwrap_or(&piece.group);
        Ok(read_files::survey(self.session, group, &reading)?)
    }

    /// Line by line, as only we can read it.
    pub(super) fn take_apart(&mut self, piece: &mut Piece) -> Result<(), Error> {
        if piece.is_csv() {
            let all: Vec<usize> = (0..piece.group.files.len()).collect();
            *piece = piece.take(&all).into_records(&mut self.rejects)?;
        }
        Ok(())
    }

    fn infer(
        &self,
        piece: &Piece,
        rows_per_file: Option<u64>,
    ) -> Result<Vec<Found>, read_files::Error> {
        let group = sampled(&piece.group, rows_per_file);
        read_files::infer(self.session, &group, &self.rules, rows_per_file)
    }

    /// The columns of all pieces with the types that their values have.
    pub(super) fn look_at_values(
        &mut self,
        pieces: &mut [Piece],
        rows_per_file: Option<u64>,
        so_far: Option<&Columns>,
    ) -> Result<Vec<Column>, Error> {
        let mut columns = Vec::new();
        let known = so_far.or(self.known.as_ref().map(|known| &known.columns));
        let mut known: Vec<Column> = known.into_iter().flatten().cloned().collect();
        let declared = self.declared.iter();
        known.extend(declared.map(|(name, of)| Column::new(clean(name), of.clone())));
        for piece in pieces {
            let found = if !self.must_look_at_values(piece) {
                unlooked(&piece.group)
            } else {
                match self.infer(piece, rows_per_file) {
                    Err(error) if is_about_csv(piece, &error) => {
                        self.take_apart(piece)?;
                        self.infer(piece, rows_per_file)?
                    }
                    // What is wrong with the text is told when it is read.
                    Err(read_files::Error::Unfit) => unlooked(&piece.group),
                    found => found?,
                }
            };
            let found = piece.take_keys(found, &known, &mut self.names)?;
            columns.extend(self.named_columns(&piece.group, &found));
        }
        Ok(columns)
    }

    /// Text of which all columns are known needs no look before something does not fit.
    fn must_look_at_values(&self, piece: &Piece) -> bool {
        let is_csv = matches!(piece.group.layout, Layout::Csv(_) | Layout::Records { .. });
        let columns = piece.group.columns.iter();
        let columns: Columns = columns
            .filter_map(|column| Some(self.names.column(column.name.as_deref()?, SqlType::Null)))
            .collect();
        let declared = self.declared.iter();
        let declared: BTreeSet<&str> = declared
            .filter_map(|(name, _)| Some(meant(&columns, name)?.name.as_str()))
            .collect();
        let settled = |name: &str| {
            let known = self
                .known
                .as_ref()
                .and_then(|known| known.columns.get(name));
            known.is_some_and(|known| known.sql_type != SqlType::Null) || declared.contains(name)
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
        in_headers: &[Column],
    ) -> Result<Decision, Error> {
        let known = self.known.as_ref().map(|known| &known.columns);
        let is_settled = |column: &Column| {
            let known = known.and_then(|known| known.get(&column.name));
            so_far.is_none() && known.is_some_and(|known| known.sql_type != SqlType::Null)
        };
        // The first look is a sample: what the table has settled is not changed by it. With `discard` it says what is left out.
        let typed = self.has_typed_files();
        let discards = self.policies.on_schema_change == SchemaChangePolicy::Discard;
        let is_declared = |column: &Column| {
            let called = [Some(&column.name), column.source_name.as_ref()];
            self.declared
                .iter()
                .any(|(name, _)| called.contains(&Some(name)))
        };
        let seen = found;
        let found: Columns = seen
            .iter()
            .map(|column| Column {
                sql_type: if !typed && !discards && is_settled(column) && !is_declared(column) {
                    SqlType::Null
                } else {
                    column.sql_type.clone()
                },
                ..column.clone()
            })
            .chain(in_headers.iter().cloned())
            .collect();
        let there = |(name, _): &&Declared| {
            !self.declared_if_there
                || meant(&found, name).is_some()
                || so_far.is_some_and(|so_far| meant(so_far, name).is_some())
        };
        let declared: Vec<Declared> = self.declared.iter().filter(there).cloned().collect();
        let rules = Rules {
            known,
            declared: &declared,
            policy: self.policies.on_schema_change,
            typed,
        };
        let mut decision = decide(&rules, so_far, &found.0).map_err(Error::SchemaChanged)?;
        name_empty_parts(&mut decision, seen);
        self.leave_something_to_write(&mut decision.columns);
        Ok(decision)
    }

    /// A file has at least one column, for it has rows.
    fn leave_something_to_write(&self, columns: &mut Columns) {
        let is_empty = columns.iter().all(Column::is_untyped);
        if let (false, true, Some(first)) = (
            self.policies.metadata_columns,
            is_empty,
            columns.0.first_mut(),
        ) {
            first.sql_type = SqlType::Varchar(None);
        }
    }

    fn has_typed_files(&self) -> bool {
        let format = self
            .work
            .files
            .first()
            .map(|file| settings::format(self.reader.table, &file.name));
        matches!(format, Some(Ok(FileFormat::Parquet)))
    }

    /// Notes which columns the files that were read do not have, once for all of them.
    pub(super) fn note_columns(&mut self, pieces: &[Piece], decision: &Decision) {
        if !decision.discarded.is_empty() {
            self.notes.push(Note::Discarded(decision.discarded.clone()));
        }
        if !decision.emptied.is_empty() {
            self.notes.push(Note::EmptyLists(decision.emptied.clone()));
        }
        if !decision.mixed.is_empty() {
            self.notes.push(Note::MixedTypes(decision.mixed.clone()));
        }
        let columns_of = |piece: &Piece| -> HashSet<String> {
            let columns = piece.group.columns.iter();
            let names = columns.filter_map(|it| it.name.as_deref());
            names.map(str::to_ascii_lowercase).collect()
        };
        let pieces: Vec<(HashSet<String>, &Piece)> = pieces
            .iter()
            .map(|piece| (columns_of(piece), piece))
            .collect();
        let known = self.known.as_ref().map(|known| &known.columns);
        let declared = &self.reader.table.columns;
        let is_only_declared = |column: &Column| {
            let unseen = column.source_name.as_deref().is_none_or(str::is_empty);
            unseen
                && declared
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(&column.name))
        };
        let (mut gone, mut lacking, mut nowhere) = (Vec::new(), Vec::new(), Vec::new());
        for column in &decision.columns {
            let folded = column.name.to_ascii_lowercase();
            let count = pieces
                .iter()
                .filter(|(names, _)| names.contains(&folded))
                .count();
            let was_there = column.source_name.as_deref() != Some("")
                && known.is_some_and(|known| known.get(&column.name).is_some());
            match count {
                0 if was_there && !pieces.is_empty() => gone.push(column.name.clone()),
                0 if !pieces.is_empty() && is_only_declared(column) => {
                    let there = pieces.iter().flat_map(|(names, _)| names);
                    let meant = did_you_mean(&column.name, there.map(String::as_str));
                    nowhere.push((column.name.clone(), meant));
                }
                count if count < pieces.len() => lacking.push((folded, column.name.clone())),
                _ => {}
            }
        }
        let lacks =
            |names: &HashSet<String>| lacking.iter().any(|(folded, _)| !names.contains(folded));
        let files: BTreeSet<&str> = pieces
            .iter()
            .filter(|(names, _)| lacks(names))
            .flat_map(|(_, piece)| &piece.group.files)
            .map(|file| file.name.as_str())
            .collect();
        if let Some(first) = files.first() {
            self.notes.push(Note::MissingColumns {
                file: (*first).to_owned(),
                more: files.len() - 1,
                columns: lacking.into_iter().map(|(_, name)| name).collect(),
            });
        }
        if !nowhere.is_empty() {
            self.notes.push(Note::Nowhere(nowhere));
        }
        if !gone.is_empty() {
            self.gone.clone_from(&gone);
            self.notes.push(Note::ColumnsGone {
                columns: gone,
                keyed: self.reader.table.primary_key.is_some(),
                undo: None,
            });
        }
    }

    fn named_columns(&self, group: &Group, found: &[Found]) -> Vec<Column> {
        let named = group.columns.iter().zip(found);
        named
            .filter_map(|(column, found)| {
                let name = column.name.as_deref()?;
                Some(self.names.column(name, found.sql_type.clone()))
            })
            .collect()
    }
}

/// Names the fields of nested values that are left out because every list is empty, in place of their columns.
fn name_empty_parts(decision: &mut Decision, seen: &[Column]) {
    let mut paths = BTreeSet::new();
    for column in seen {
        let Some(becomes) = decision.columns.get(&column.name) else {
            continue;
        };
        let mut parts = Vec::new();
        empty_parts(
            &becomes.sql_type,
            &column.sql_type,
            &column.name,
            &mut parts,
        );
        parts.retain(|path| !decision.discarded.contains(path));
        if !parts.is_empty() {
            decision.emptied.retain(|name| *name != column.name);
        }
        paths.extend(parts);
    }
    decision.emptied.extend(paths);
}

/// Whether DuckDB does not read the text as CSV: its line ends are of several kinds, say.
fn is_about_csv(piece: &Piece, error: &read_files::Error) -> bool {
    let is_of_text = matches!(
        error,
        read_files::Error::Unfit | read_files::Error::BadFile(_)
    );
    piece.is_csv() && (is_of_text || is_internal(error))
}

/// Whether rows do not fit, or DuckDB fails over a CSV file, which we can take apart ourselves.
pub(super) fn needs_a_closer_look(pieces: &[Piece], error: &read_files::Error) -> bool {
    matches!(error, read_files::Error::Unfit)
        || (is_internal(error) && pieces.iter().any(Piece::is_csv))
}

fn is_internal(error: &read_files::Error) -> bool {
    use comboi_engine::Error::Internal;
    matches!(error, read_files::Error::Engine(Internal { .. }))
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
