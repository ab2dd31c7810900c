//! Settling what is to be read of a table of a database: what is new since a checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use comboi_engine::Interrupter;
use comboi_engine::read_files::RUN_ID_COLUMN;
use comboi_project::{
    Column, Columns, DatabaseIncremental, DatabaseSource, DatabaseTable, Lookback, NullPolicy,
    SchemaChangePolicy, SqlType, did_you_mean,
};

use super::ahead::{Ahead, Count};
use super::bounds::{Asking, Bounds};
use super::checkpoint::Position;
use super::chunk::How;
use super::client::Database;
use super::columns::SourceColumn;
use super::cursor::CursorKind;
use super::reading::{Reading, Work};
use super::request::{Cursor, Filter, Relation};
use super::stage::Cut;
use super::stop::unless_stopped;
use crate::columns::{Declared, Rules, decide, fields_gained};
use crate::names::{Names, meant, place_of};
use crate::{BadCheckpoint, Error, Note};

/// A table of a database.
#[derive(Clone)]
pub struct DatabaseReader<'a> {
    /// The database.
    pub database: Arc<dyn Database>,
    /// Its configuration.
    pub source: &'a DatabaseSource,
    /// One of its tables.
    pub table: &'a DatabaseTable,
    /// How staged files are cut; `memory_bytes` is for all connections together.
    pub cut: Cut,
    /// How many connections read at once, if the configuration does not say.
    pub connections: usize,
    /// Ends the reading, when it is asked to.
    pub stop: Interrupter,
    /// When it will be asked to, if that is known: a first load is committed before.
    pub deadline: Option<Instant>,
}

impl<'a> DatabaseReader<'a> {
    /// Connects and settles what is to be read. `known` are the columns that the table has in the lake, comboi's own among them;
    /// `has_rows` says whether it has any rows.
    pub async fn open(
        &self,
        checkpoint: Option<&Position>,
        known: Option<&Columns>,
        has_rows: bool,
    ) -> Result<Reading<'a>, Error> {
        unless_stopped(&self.stop, self.settled(checkpoint, known, has_rows)).await
    }

    async fn settled(
        &self,
        checkpoint: Option<&Position>,
        known: Option<&Columns>,
        has_rows: bool,
    ) -> Result<Reading<'a>, Error> {
        let position = self.position(checkpoint)?;
        let mut reading = self
            .connected(position, known, checkpoint.is_some())
            .await?;
        if checkpoint.is_none() && has_rows {
            reading.leave_out_columns_gone();
        }
        let cursor = self.cursor(&reading.columns)?;
        let kinds = self.kinds(&cursor)?;
        let asking = self.asking(&reading.relation, &cursor, &kinds, true);
        let loading = reading.position.load.is_some();
        // A first load that goes on keeps the bounds that it began with: what came since is for the run after it.
        let bounds = if loading {
            Asking::those_it_began_with(&reading.position)
        } else {
            asking
                .bounds(reading.connections[0].as_mut(), &reading.position)
                .await?
        };
        reading.notes.extend(bounds.notes.iter().cloned());
        reading.notes.extend(self.numbers_as_text(&reading.columns));
        reading.ahead = self.ahead(&reading.columns, &cursor, &kinds, bounds.beyond);
        let everything = checkpoint.is_none() || loading || bounds.replaces;
        // Without a key, rows that come while a first load is read would be there twice after the next window.
        let rowversions_only =
            reading.position.mode == DatabaseIncremental::Rowversion && self.table.key().is_empty();
        if everything && !rowversions_only {
            reading.plan_parts(bounds, has_rows).await?;
        } else {
            let how = match () {
                () if checkpoint.is_none() => How::Replace,
                () if rowversions_only => How::Add,
                () => self.joining_what_is_there(),
            };
            reading.connections[0].freeze(None).await?;
            reading.work = Work::Window { bounds, how };
        }
        Ok(reading)
    }

    /// Connects for the rows of a window that somebody names, whatever the checkpoint says.
    pub async fn open_window(
        &self,
        checkpoint: &Position,
        known: Option<&Columns>,
        from: &str,
        below: &str,
    ) -> Result<Reading<'a>, Error> {
        let mut reading = self.connected(checkpoint.clone(), known, true).await?;
        let cursor = self.cursor(&reading.columns)?;
        let Some(first) = cursor.columns.first() else {
            return Err(Error::Configuration(
                "the table has no `incremental_column`, so there is no range to read again; `comboi reset-checkpoint` reads everything".into(),
            ));
        };
        reading.connections[0].freeze(None).await?;
        let bounds = Bounds {
            filter: Filter::Window {
                cursor: Cursor {
                    columns: vec![first.clone()],
                },
                from: Some(vec![from.to_owned()]),
                below: Some(vec![below.to_owned()]),
                nulls: false,
                lowest: false,
            },
            low: checkpoint.low.clone(),
            pending: checkpoint.pending.clone(),
            replaces: false,
            beyond: None,
            notes: Vec::new(),
        };
        reading.work = Work::Window {
            bounds,
            how: self.joining_what_is_there(),
        };
        Ok(reading)
    }

    /// Connects for the whole table as it is now, whatever the checkpoint says.
    pub async fn open_whole(&self, known: Option<&Columns>) -> Result<Reading<'a>, Error> {
        let position = Position::new(DatabaseIncremental::Full, Vec::new());
        let mut reading = self.connected(position, known, false).await?;
        let bounds = Bounds {
            filter: Filter::All,
            low: None,
            pending: None,
            replaces: true,
            beyond: None,
            notes: Vec::new(),
        };
        reading.plan_parts(bounds, true).await?;
        Ok(reading)
    }

    /// `is_continued`: the table keeps its rows.
    async fn connected(
        &self,
        mut position: Position,
        known: Option<&Columns>,
        is_continued: bool,
    ) -> Result<Reading<'a>, Error> {
        let relation = self.relation();
        let stamped = self.source.metadata_columns(self.table)
            || known.is_some_and(|known| known.get(RUN_ID_COLUMN).is_some());
        let known = known.map(without_own);
        let known = known.as_ref();
        let mut connection = self.database.connect().await?;
        let mut said = self.said(known);
        let mut columns = connection.columns(&relation, &said).await?;
        self.check_columns(&columns, known)?;
        let mut notes = Vec::new();
        let policy = self.source.on_schema_change(self.table);
        let texts = self.kept_as_text(&columns, known);
        if !texts.is_empty() {
            said.extend(texts.iter().map(|it| (it.clone(), SqlType::Varchar(None))));
            columns = connection.columns(&relation, &said).await?;
            if policy != SchemaChangePolicy::Discard {
                notes.push(Note::KeptAsText(texts));
            }
        }
        let mut found = Names::of(known).assign(columns.iter().map(|it| it.name.as_str()));
        for (found, column) in found.iter_mut().zip(&columns) {
            found.sql_type = column.sql_type.clone();
        }
        let declared: Vec<Declared> = self
            .table
            .columns
            .iter()
            .map(|(name, of)| (name.value.clone(), of.value.clone()))
            .collect();
        let rules = Rules {
            known,
            declared: &declared,
            policy,
            typed: true,
        };
        let decision = decide(&rules, None, &found).map_err(Error::SchemaChanged)?;
        if !decision.discarded.is_empty() {
            notes.push(Note::Discarded(decision.discarded.clone()));
            let kept: Vec<bool> = found
                .iter()
                .map(|column| !decision.discarded.contains(&column.name))
                .collect();
            let (mut columns_kept, mut found_kept) = (kept.iter(), kept.iter());
            columns.retain(|_| *columns_kept.next().unwrap_or(&true));
            found.retain(|_| *found_kept.next().unwrap_or(&true));
        }
        let lake_columns = Columns(found);
        let compares = is_continued
            && self.table.key().is_empty()
            && position.mode != DatabaseIncremental::Full;
        if let Some(known) = known.filter(|_| compares) {
            let lacking = position.lacking.after(known, &lake_columns);
            position.lacking = lacking.with_fields(&fields_gained(known, &decision.columns));
        }
        let gone = gone(known, &lake_columns);
        if !gone.is_empty() {
            if policy == SchemaChangePolicy::Freeze {
                return Err(Error::SchemaChanged(
                    gone.iter()
                        .map(|name| format!("`{name}` is gone"))
                        .collect(),
                ));
            }
            notes.push(self.columns_gone(gone));
        }
        Ok(Reading {
            reader: self.clone(),
            relation,
            cut_off: vec![0; columns.len()],
            columns,
            lake_columns,
            decision,
            position,
            connections: vec![connection],
            consistent: true,
            stamped,
            work: Work::Nothing,
            notes,
            ahead: None,
            ahead_count: Count::default(),
            chunks: 0,
        })
    }

    /// What is read: the query, the table that is named, or the table of the same name.
    pub fn relation(&self) -> Relation {
        match (&self.table.query, &self.table.table) {
            (Some(query), _) => Relation::Query(query.value.clone()),
            (None, Some(table)) => Relation::Table(table.value.clone()),
            (None, None) => Relation::Table(self.table.name.value.to_string()),
        }
    }

    /// What is read, for people.
    fn told(&self) -> String {
        match self.relation() {
            Relation::Query(_) => "the `query`".to_owned(),
            Relation::Table(name) => format!("the table `{name}`"),
        }
    }

    pub(super) fn position(&self, checkpoint: Option<&Position>) -> Result<Position, Error> {
        let (mode, cursor) = (self.table.incremental(), self.table.cursor());
        let Some(before) = checkpoint else {
            return Ok(Position::new(mode, cursor));
        };
        let refuse = |what: String| Err(BadCheckpoint::OtherConfiguration(what).into());
        if mode == DatabaseIncremental::Full {
            return Ok(Position::new(mode, cursor));
        }
        if before.mode != mode {
            return refuse(format!(
                "the table was read with `incremental: {}` before, and now it is `{mode}`",
                before.mode
            ));
        }
        let same = before.cursor.len() == cursor.len()
            && before
                .cursor
                .iter()
                .zip(&cursor)
                .all(|(a, b)| a.eq_ignore_ascii_case(b));
        if !same {
            return refuse(format!(
                "the table was read by `{}` before, and now `incremental_column` is `{}`",
                before.cursor.join("`, `"),
                cursor.join("`, `")
            ));
        }
        Ok(before.clone())
    }

    /// The types that are wanted instead of the database's, by the database's names.
    pub(super) fn said(&self, known: Option<&Columns>) -> BTreeMap<String, SqlType> {
        let mut said = BTreeMap::new();
        if self.source.on_schema_change(self.table) == SchemaChangePolicy::Discard {
            let name = |column: &Column| {
                let noted = column.source_name.clone().filter(|it| !it.is_empty());
                noted.unwrap_or_else(|| column.name.clone())
            };
            // What is read as text by itself stays so, by whichever expression.
            let is_text = |column: &&Column| matches!(column.sql_type, SqlType::Varchar(_));
            let known = known.into_iter().flatten().filter(|it| !is_text(it));
            said.extend(known.map(|column| (name(column), column.sql_type.clone())));
        }
        said.extend(
            self.table
                .columns
                .iter()
                .map(|(name, of)| (name.value.clone(), of.value.clone())),
        );
        said
    }

    /// Whether there are columns, and every one that the configuration gives a type to is there, or was.
    pub(super) fn check_columns(
        &self,
        columns: &[SourceColumn],
        known: Option<&Columns>,
    ) -> Result<(), Error> {
        if columns.is_empty() {
            return Err(Error::Configuration(format!(
                "{} has no columns, so there is nothing to load; nothing was read. Add a column in the database, name another table, or take `{}` out of the configuration",
                self.told(),
                self.table.name.value
            )));
        }
        for (name, _) in self.table.columns.iter() {
            let was_there = known.is_some_and(|known| meant(known, &name.value).is_some());
            if !was_there {
                self.place(columns, &name.value, "which `columns` gives a type to")?;
            }
        }
        Ok(())
    }

    pub(super) fn columns_gone(&self, columns: Vec<String>) -> Note {
        Note::ColumnsGone {
            columns,
            keyed: !self.table.key().is_empty(),
            undo: None,
        }
    }

    /// Where the column stands that the configuration names.
    pub(super) fn place(
        &self,
        columns: &[SourceColumn],
        name: &str,
        which: &str,
    ) -> Result<usize, Error> {
        let names = || columns.iter().map(|it| it.name.as_str());
        place_of(names(), name).ok_or_else(|| {
            let hint = did_you_mean(name, names());
            let hint = hint.unwrap_or_else(|| {
                let names: Vec<&str> = names().take(30).collect();
                format!("there are {}", names.join(", "))
            });
            Error::Configuration(format!("there is no column `{name}`, {which}; {hint}"))
        })
    }

    pub(super) fn cursor(&self, columns: &[SourceColumn]) -> Result<Cursor, Error> {
        let named = self.table.cursor();
        let columns = named.iter().map(|name| {
            let place = self.place(columns, name, "the `incremental_column`")?;
            let column = &columns[place];
            Ok((column.name.clone(), column.source_type.clone()))
        });
        Ok(Cursor {
            columns: columns.collect::<Result<_, Error>>()?,
        })
    }

    /// What kinds of cursor the columns are. The error says why one can't be, or why it has no such lookback.
    pub(super) fn kinds(&self, cursor: &Cursor) -> Result<Vec<CursorKind>, Error> {
        if self.table.incremental() != DatabaseIncremental::Watermark {
            return Ok(vec![CursorKind::Other; cursor.columns.len()]);
        }
        let kind = |(name, of): &(String, String)| {
            let kind = self.database.dialect().cursor_kind(of);
            kind.map_err(|why| {
                Error::Configuration(format!(
                    "`{name}` is {of} and can't be the `incremental_column`: {why}"
                ))
            })
        };
        let kinds = cursor.columns.iter().map(kind);
        let kinds: Vec<CursorKind> = kinds.collect::<Result<_, Error>>()?;
        if let (Some(lookback), Some(kind), Some((name, of))) =
            (&self.table.lookback, kinds.first(), cursor.columns.first())
        {
            lookback_fits(&lookback.value, *kind, name, of)?;
        }
        Ok(kinds)
    }

    pub(super) fn asking<'b>(
        &'b self,
        relation: &'b Relation,
        cursor: &'b Cursor,
        kinds: &'b [CursorKind],
        patient: bool,
    ) -> Asking<'b> {
        Asking {
            dialect: self.database.dialect(),
            relation,
            cursor,
            kinds,
            lookback: self.table.lookback.as_ref().map(|it| &it.value),
            max_future: self.table.max_future().duration(),
            source: self.source.name.as_str(),
            table: self.table.name.as_str(),
            nulls: self.table.on_null != NullPolicy::Skip,
            patient,
        }
    }

    /// Which rows are ahead of what the checkpoint follows.
    fn ahead(
        &self,
        columns: &[SourceColumn],
        cursor: &Cursor,
        kinds: &[CursorKind],
        beyond: Option<i64>,
    ) -> Option<Ahead> {
        let (kind, (name, _)) = (*kinds.first()?, cursor.columns.first()?);
        let is_counted = beyond.is_some() || kind == CursorKind::Number || kind == CursorKind::Uuid;
        is_counted.then_some(())?;
        Some(Ahead {
            column: columns.iter().position(|it| it.name == *name)?,
            name: name.clone(),
            kind,
            beyond,
        })
    }

    fn is_declared(&self, column: &SourceColumn) -> bool {
        let mut declared = self.table.columns.iter();
        declared.any(|(name, _)| name.value.eq_ignore_ascii_case(&column.name))
    }

    /// Columns that are VARCHAR in the table, and not in the database, and that are read as text therefore: with `discard`, and where
    /// values have more digits than a type of the lake, as an earlier comboi made them.
    fn kept_as_text(&self, columns: &[SourceColumn], known: Option<&Columns>) -> Vec<String> {
        let dialect = self.database.dialect();
        let keeps_types = self.source.on_schema_change(self.table) == SchemaChangePolicy::Discard;
        let is_text = |of: &SqlType| matches!(of, SqlType::Varchar(_));
        let becomes_text = |column: &SourceColumn| {
            let known = known.and_then(|known| meant(known, &column.name));
            known.is_some_and(|known| is_text(&known.sql_type)) && !is_text(&column.sql_type)
        };
        let columns = columns.iter();
        columns
            .filter(|it| (keeps_types || dialect.cuts(it)) && becomes_text(it))
            .filter(|it| !self.is_declared(it))
            .map(|it| it.name.clone())
            .collect()
    }

    /// Values that were cut off although nobody gave their columns a type.
    pub(super) fn cut_off(&self, columns: &[SourceColumn], counts: &[u64]) -> Option<Note> {
        let cut = columns.iter().zip(counts);
        let cut = cut.filter(|(column, count)| **count > 0 && !self.is_declared(column));
        let cut: Vec<(String, SqlType, u64)> = cut
            .map(|(column, count)| (column.name.clone(), column.sql_type.clone(), *count))
            .collect();
        (!cut.is_empty()).then_some(Note::CutOff(cut))
    }

    /// Columns of numbers that are kept as text because nobody gave them a type.
    pub(super) fn numbers_as_text(&self, columns: &[SourceColumn]) -> Option<Note> {
        let columns = columns.iter().filter(|column| {
            column.source_type.starts_with("numeric")
                && matches!(text_of(&column.sql_type), SqlType::Varchar(_))
                && !self.is_declared(column)
        });
        let columns: Vec<String> = columns.map(|it| it.name.clone()).collect();
        (!columns.is_empty()).then(|| Note::NumbersAsText {
            columns,
            source: self.source.name.to_string(),
        })
    }

    /// What becomes of rows that may be in the table already.
    fn joining_what_is_there(&self) -> How {
        if self.table.key().is_empty() {
            How::AddUnknown
        } else {
            How::Merge
        }
    }

    pub(super) fn connection_count(&self) -> usize {
        let said = self.source.parallelism(self.table);
        said.map_or(self.connections, |it| it as usize).max(1)
    }
}

/// The table's columns that the database does not have any more.
pub(super) fn gone(known: Option<&Columns>, found: &Columns) -> Vec<String> {
    let known = known.into_iter().flatten().map(|column| &column.name);
    known
        .filter(|name| found.get(name).is_none())
        .cloned()
        .collect()
}

pub(super) fn without_own(known: &Columns) -> Columns {
    let known = known.iter();
    known
        .filter(|it| !it.name.starts_with("_comboi_"))
        .cloned()
        .collect()
}

/// The type of a column, or of the items of a list.
fn text_of(of: &SqlType) -> &SqlType {
    match of {
        SqlType::List(item) => text_of(item),
        of => of,
    }
}

/// Whether a lookback can be subtracted from a column.
fn lookback_fits(lookback: &Lookback, kind: CursorKind, name: &str, of: &str) -> Result<(), Error> {
    let hint = match (lookback, kind) {
        (Lookback::Number(_), CursorKind::Whole | CursorKind::Number) => return Ok(()),
        (Lookback::Time(_), kind) if kind.is_time() => return Ok(()),
        (_, CursorKind::Whole | CursorKind::Number) => "write a plain number, such as `500`",
        (_, kind) if kind.is_time() => "write a span, such as `12h`",
        _ => "leave it out, or name a column of a number, date or timestamp",
    };
    Err(Error::Configuration(format!(
        "the lookback `{lookback}` can't be subtracted from `{name}`, which is {of}; {hint}"
    )))
}
