//! Reading a table of a database: what is new since a checkpoint, in chunks that are committed one by one.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use comboi_engine::Interrupter;
use comboi_engine::read_files::RUN_ID_COLUMN;
use comboi_project::{
    Column, Columns, DatabaseIncremental, DatabaseSource, DatabaseTable, NullPolicy,
    SchemaChangePolicy, SqlType, did_you_mean,
};

use super::bounds::{Asking, Bounds, far_apart, one_row};
use super::checkpoint::{Load, Position};
use super::chunk::{Chunk, How};
use super::client::{Connection, Database};
use super::columns::{SourceColumn, arrow_schema};
use super::parallel::{self, Piece};
use super::request::{Cursor, Filter, OwnCursor, Part, Relation};
use super::stage::{Cut, Nulls, Staging};
use super::stop::unless_stopped;
use crate::columns::{Decision, Rules, decide, names};
use crate::{BadCheckpoint, Error, Note, Stamp};

/// A first load is committed after about so many rows.
const COMMIT_ROWS: u64 = 5_000_000;
/// A first load is read in parts of about so many rows.
const PART_ROWS: u64 = 250_000;
const MOST_PARTS: usize = 1000;

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
}

/// What a run would read.
#[derive(Clone, Debug)]
pub struct DatabaseLook {
    /// Which rows, for people.
    pub filter: String,
    /// About how many, where the database tells.
    pub rows: Option<u64>,
    /// What people should know.
    pub notes: Vec<Note>,
}

/// A table that is being read: open connections that see one state of the database, where it can show one.
pub struct Reading<'a> {
    reader: DatabaseReader<'a>,
    pub(super) relation: Relation,
    pub(super) columns: Vec<SourceColumn>,
    pub(super) decision: Decision,
    pub(super) position: Position,
    connections: Vec<Box<dyn Connection>>,
    /// Whether all connections see the same state.
    consistent: bool,
    /// Whether rows get comboi's own columns.
    stamped: bool,
    work: Work,
    notes: Vec<Note>,
    chunks: usize,
}

/// What has become of the parts of a load that are done.
enum Since {
    /// What they were.
    Nothing,
    /// These rows are new there.
    Moved(Filter),
    /// It can't be told, so everything is read again.
    Anew,
}

enum Work {
    /// Everything that is new, at once.
    Window {
        bounds: Bounds,
        how: How,
    },
    /// A first load or the whole table anew, in parts.
    Parts {
        load: Load,
        /// How many are committed at once.
        group: usize,
        bounds: Bounds,
        /// Rows of an earlier session are in the lake: some may have been read in another state since.
        resumed: bool,
        /// Rows that have come to lie where an earlier session has read.
        moved: Option<Filter>,
    },
    Nothing,
}

impl<'a> DatabaseReader<'a> {
    /// Looks at what a run would read, and reads no row of the table. Without a checkpoint, everything is new.
    pub async fn look(&self, checkpoint: Option<&Position>) -> Result<DatabaseLook, Error> {
        let relation = self.relation();
        let position = self.position(checkpoint)?;
        let mut connection = self.database.connect().await?;
        let columns = connection.columns(&relation, &self.said(None)).await?;
        let cursor = self.cursor(&columns)?;
        if checkpoint.is_none() || position.load.is_some() {
            let sql = self
                .database
                .dialect()
                .select(&relation, &columns, &Filter::All);
            let filter = match &position.load {
                Some(load) => format!(
                    "a first load that goes on at part {} of {}",
                    load.done + 1,
                    load.parts.len()
                ),
                None => "everything".to_owned(),
            };
            let rows = connection.estimate(&sql).await?;
            return Ok(DatabaseLook {
                filter,
                rows,
                notes: Vec::new(),
            });
        }
        let asking = self.asking(&relation, &cursor, false);
        let bounds = asking.bounds(connection.as_mut(), &position).await?;
        let dialect = self.database.dialect();
        let sql = dialect.select(&relation, &columns, &bounds.filter);
        Ok(DatabaseLook {
            filter: dialect.told(&bounds.filter),
            rows: connection.estimate(&sql).await?,
            notes: bounds.notes,
        })
    }

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
        let mut reading = self.connected(position, known).await?;
        let cursor = self.cursor(&reading.columns)?;
        let asking = self.asking(&reading.relation, &cursor, true);
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
        let mut reading = self.connected(checkpoint.clone(), known).await?;
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
            },
            low: checkpoint.low.clone(),
            pending: checkpoint.pending.clone(),
            replaces: false,
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
        let mut reading = self.connected(position, known).await?;
        let bounds = Bounds {
            filter: Filter::All,
            low: None,
            pending: None,
            replaces: true,
            notes: Vec::new(),
        };
        reading.plan_parts(bounds, true).await?;
        Ok(reading)
    }

    async fn connected(
        &self,
        position: Position,
        known: Option<&Columns>,
    ) -> Result<Reading<'a>, Error> {
        let relation = self.relation();
        let stamped = self.source.metadata_columns(self.table)
            || known.is_some_and(|known| known.get(RUN_ID_COLUMN).is_some());
        let known: Option<Columns> = known.map(|known| {
            known
                .iter()
                .filter(|it| !it.name.starts_with("_comboi_"))
                .cloned()
                .collect()
        });
        let known = known.as_ref();
        let mut connection = self.database.connect().await?;
        let mut columns = connection.columns(&relation, &self.said(known)).await?;
        let policy = self.source.on_schema_change(self.table);
        let lake_names = names(columns.iter().map(|column| column.name.as_str()));
        let found: Vec<Column> = columns
            .iter()
            .zip(&lake_names)
            .map(|(column, name)| Column::new(name, column.sql_type.clone()))
            .collect();
        let declared: Vec<Column> = columns
            .iter()
            .zip(&lake_names)
            .filter_map(|(column, name)| {
                let said = self.table.columns.iter();
                let mut said = said.filter(|(it, _)| it.value.eq_ignore_ascii_case(&column.name));
                said.next()
                    .map(|(_, of)| Column::new(name, of.value.clone()))
            })
            .collect();
        let rules = Rules {
            known,
            declared: &declared,
            policy,
            typed_files: true,
        };
        let decision = decide(&rules, None, &found).map_err(Error::SchemaChanged)?;
        let mut notes = Vec::new();
        if !decision.discarded.is_empty() {
            notes.push(Note::Discarded(decision.discarded.clone()));
            let kept: Vec<bool> = lake_names
                .iter()
                .map(|name| !decision.discarded.contains(name))
                .collect();
            let mut kept = kept.iter();
            columns.retain(|_| *kept.next().unwrap_or(&true));
        }
        let gone = known.into_iter().flatten().map(|column| &column.name);
        let gone: Vec<String> = gone
            .filter(|name| !lake_names.iter().any(|it| it.eq_ignore_ascii_case(name)))
            .cloned()
            .collect();
        if !gone.is_empty() {
            if policy == SchemaChangePolicy::Freeze {
                return Err(Error::SchemaChanged(
                    gone.iter()
                        .map(|name| format!("`{name}` is gone"))
                        .collect(),
                ));
            }
            notes.push(Note::ColumnsGone(gone));
        }
        Ok(Reading {
            reader: self.clone(),
            relation,
            columns,
            decision,
            position,
            connections: vec![connection],
            consistent: true,
            stamped,
            work: Work::Nothing,
            notes,
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

    fn position(&self, checkpoint: Option<&Position>) -> Result<Position, Error> {
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

    /// The types that are wanted instead of the database's.
    fn said(&self, known: Option<&Columns>) -> BTreeMap<String, SqlType> {
        let mut said = BTreeMap::new();
        if self.source.on_schema_change(self.table) == SchemaChangePolicy::Discard {
            let known = known.into_iter().flatten();
            said.extend(known.map(|column| (column.name.clone(), column.sql_type.clone())));
        }
        said.extend(
            self.table
                .columns
                .iter()
                .map(|(name, of)| (name.value.clone(), of.value.clone())),
        );
        said
    }

    fn cursor(&self, columns: &[SourceColumn]) -> Result<Cursor, Error> {
        let named = self.table.cursor();
        let columns = named.iter().map(|name| {
            let column = columns
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name));
            let missing = || {
                let hint = did_you_mean(name, columns.iter().map(|it| it.name.as_str()));
                let hint = hint.map(|hint| format!("; {hint}")).unwrap_or_default();
                Error::Configuration(format!(
                    "there is no column `{name}`, the `incremental_column`{hint}"
                ))
            };
            let column = column.ok_or_else(missing)?;
            Ok((column.name.clone(), column.source_type.clone()))
        });
        Ok(Cursor {
            columns: columns.collect::<Result<_, Error>>()?,
        })
    }

    fn asking<'b>(
        &'b self,
        relation: &'b Relation,
        cursor: &'b Cursor,
        patient: bool,
    ) -> Asking<'b> {
        Asking {
            dialect: self.database.dialect(),
            relation,
            cursor,
            lookback: self.table.lookback.as_ref().map(|it| &it.value),
            nulls: self.table.on_null != NullPolicy::Skip,
            patient,
        }
    }

    /// What becomes of rows that may be in the table already.
    fn joining_what_is_there(&self) -> How {
        if self.table.key().is_empty() {
            How::AddUnknown
        } else {
            How::Merge
        }
    }

    fn connection_count(&self) -> usize {
        let said = self.source.parallelism(self.table);
        said.map_or(self.connections, |it| it as usize).max(1)
    }
}

impl Reading<'_> {
    /// Ends the reading, when it is asked to.
    pub fn stop(&self) -> Interrupter {
        self.reader.stop.clone()
    }

    /// Divides the table, unless it was divided when the load began.
    async fn plan_parts(&mut self, bounds: Bounds, has_rows: bool) -> Result<(), Error> {
        let key = self.reader.table.key();
        let all =
            self.reader
                .database
                .dialect()
                .select(&self.relation, &self.columns, &Filter::All);
        let connection = self.connections[0].as_mut();
        let rows = connection.estimate(&all).await?.unwrap_or(0);
        let snapshot = connection.freeze(None).await?;
        let commit_rows = self.reader.table.commit_rows.as_ref();
        let commit_rows = commit_rows.map_or(COMMIT_ROWS, |it| it.value);
        let wanted = usize::try_from(rows / PART_ROWS.min(commit_rows)).unwrap_or(MOST_PARTS);
        let wanted = wanted.clamp(self.reader.connection_count(), MOST_PARTS);
        let found = connection
            .parts(&self.relation, &self.columns, &key, wanted)
            .await?;
        let begun = self.position.load.take();
        let (resumed, moved) = match begun.filter(|load| same_table(&load.parts, &found)) {
            Some(load) => match self.since(&load).await? {
                Since::Anew => (None, None),
                Since::Nothing => (Some(load), None),
                Since::Moved(moved) => (Some(load), Some(moved)),
            },
            None => (None, None),
        };
        let is_resumed = resumed.is_some();
        let restarts = has_rows && !is_resumed;
        if !is_resumed {
            self.position.row_count = 0;
        }
        let load = match resumed {
            Some(load) => load,
            None => Load {
                began: self.oldest_unseen(&found).await?,
                parts: found,
                done: 0,
            },
        };
        // A row may move from page to page between one state and another.
        let shared = snapshot.is_some() || load.began.is_none();
        let wanted = if shared {
            self.reader.connection_count()
        } else {
            1
        };
        for _ in 1..wanted.min(load.parts.len() - load.done) {
            let mut another = self.reader.database.connect().await?;
            another.freeze(snapshot.as_ref()).await?;
            self.connections.push(another);
        }
        self.consistent = self.connections.len() == 1 || snapshot.is_some();
        let groups = usize::try_from(rows / commit_rows.max(1))
            .unwrap_or(1)
            .max(1);
        // Readers see a table that is read anew before or after, not in between.
        let replaces = bounds.replaces || restarts;
        let group = if replaces {
            load.parts.len()
        } else {
            load.parts.len().div_ceil(groups)
        };
        self.work = Work::Parts {
            load,
            group: group.max(1),
            bounds: Bounds { replaces, ..bounds },
            resumed: is_resumed,
            moved,
        };
        Ok(())
    }

    /// What has become of the pages that an earlier session has read. PostgreSQL writes a row that changes anew, wherever there is
    /// room: one that had not been read may lie there now, and its cursor need not have moved.
    async fn since(&mut self, load: &Load) -> Result<Since, Error> {
        let Some(Part::Pages { from: page, .. }) = load.parts.get(load.done) else {
            return Ok(Since::Nothing);
        };
        let now = self.oldest_unseen(&load.parts).await?;
        let (Some(began), Some(now)) = (load.began.clone(), now) else {
            return Ok(Since::Anew);
        };
        if far_apart(&began, &now) {
            return Ok(Since::Anew);
        }
        let moved = Filter::WrittenSince {
            transaction: began,
            below_page: Some(*page),
        };
        if !self.reader.table.key().is_empty() {
            return Ok(Since::Moved(moved));
        }
        // Nothing tells which of the rows there are new. If they are not just those that were read, the load begins anew.
        let read = Filter::Part(Part::Pages {
            from: 0,
            to: Some(*page),
            file: String::new(),
        });
        let there = self.count(&read).await?;
        let written = self.count(&moved).await?;
        let same = there == Some(self.position.row_count) && written == Some(0);
        Ok(if same { Since::Nothing } else { Since::Anew })
    }

    /// The oldest transaction whose rows may not be seen now, if parts are pages.
    async fn oldest_unseen(&mut self, parts: &[Part]) -> Result<Option<String>, Error> {
        let dialect = self.reader.database.dialect();
        let (Some(Part::Pages { .. }), Some(sql)) = (parts.first(), dialect.bound(OwnCursor::Xmin))
        else {
            return Ok(None);
        };
        let row = one_row(self.connections[0].as_mut(), &sql).await?;
        Ok(row.into_iter().next().flatten())
    }

    async fn count(&mut self, filter: &Filter) -> Result<Option<u64>, Error> {
        let sql = self.reader.database.dialect().count(&self.relation, filter);
        let row = one_row(self.connections[0].as_mut(), &sql).await?;
        let count = row.first().and_then(Option::as_deref);
        Ok(count.and_then(|count| count.parse().ok()))
    }

    /// Reads the next chunk into files in this folder, which must be there. `None` when everything has been read.
    pub async fn next(&mut self, stamp: Stamp, folder: &Path) -> Result<Option<Chunk>, Error> {
        let key = self.reader.table.key();
        let cursor = self.reader.table.cursor();
        let mut position = self.position.clone();
        let (pieces, how) = match std::mem::replace(&mut self.work, Work::Nothing) {
            Work::Nothing => return Ok(None),
            Work::Window { bounds, how } => {
                position.low.clone_from(&bounds.low);
                position.pending.clone_from(&bounds.pending);
                (vec![self.piece(&bounds.filter)], how)
            }
            Work::Parts {
                mut load,
                group,
                bounds,
                resumed,
                moved,
            } => {
                let until = (load.done + group).min(load.parts.len());
                let parts = load.parts[load.done..until].iter();
                let pieces = parts
                    .map(|part| self.piece(&Filter::Part(part.clone())))
                    .chain(moved.iter().map(|moved| self.piece(moved)))
                    .collect();
                position.low.clone_from(&bounds.low);
                position.pending.clone_from(&bounds.pending);
                let how = match () {
                    () if bounds.replaces => How::Replace,
                    () if resumed && !key.is_empty() => How::Merge,
                    () => How::Add,
                };
                load.done = until;
                position.load = (until < load.parts.len()).then(|| load.clone());
                if position.load.is_some() {
                    self.work = Work::Parts {
                        load,
                        group,
                        bounds,
                        resumed,
                        moved: None,
                    };
                }
                (pieces, how)
            }
        };
        let staging = self.staging(&cursor, stamp)?;
        let prefix = format!("c{}", self.chunks);
        self.chunks += 1;
        let read = parallel::read(
            &mut self.connections,
            pieces,
            &self.columns,
            &staging,
            folder,
            &prefix,
        )
        .await?;
        let mut notes = std::mem::take(&mut self.notes);
        if read.nulls_skipped > 0
            && let Some(column) = cursor.first()
        {
            notes.push(Note::NullsSkipped {
                column: column.clone(),
                row_count: read.nulls_skipped,
            });
        }
        let chunk = Chunk {
            files: read.files,
            row_count: read.row_count,
            how,
            columns: self.found(&staging),
            decision: self.decision.clone(),
            key: self.lake_names(&key)?,
            cursor: self.lake_names(&cursor)?.into_iter().next(),
            consistent: self.consistent,
            whole: how == How::Replace && self.position.mode == DatabaseIncremental::Full,
            before: self.position.clone(),
            position: position.clone(),
            metadata_columns: staging.stamp.is_some(),
            cut: self.reader.cut,
            notes,
        };
        self.position = position;
        Ok(Some(chunk))
    }

    fn piece(&self, filter: &Filter) -> Piece {
        Piece(
            self.reader
                .database
                .dialect()
                .select(&self.relation, &self.columns, filter),
        )
    }

    fn staging(&self, cursor: &[String], stamp: Stamp) -> Result<Staging, Error> {
        let schema = arrow_schema(&self.columns);
        let lake = names(self.columns.iter().map(|column| column.name.as_str()));
        let fields = schema
            .fields()
            .iter()
            .zip(lake)
            .map(|(field, name)| field.as_ref().clone().with_name(name));
        let place = |name: &String| {
            self.columns
                .iter()
                .position(|column| column.name.eq_ignore_ascii_case(name))
        };
        let nulls = cursor.first().and_then(|name| {
            Some(Nulls {
                column: place(name)?,
                name: name.clone(),
                policy: self.reader.table.on_null,
            })
        });
        let mut cut = self.reader.cut;
        cut.memory_bytes /= self.connections.len();
        Ok(Staging {
            schema: Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>())),
            stamp: self.stamped.then_some(stamp),
            nulls,
            cut,
            stop: self.reader.stop.clone(),
        })
    }

    /// The columns of the staged files, as the lake names them.
    fn found(&self, staging: &Staging) -> Columns {
        let fields = staging.schema.fields().iter();
        fields
            .zip(&self.columns)
            .map(|(field, column)| Column::new(field.name(), column.sql_type.clone()))
            .collect()
    }

    fn lake_names(&self, wanted: &[String]) -> Result<Vec<String>, Error> {
        let lake = names(self.columns.iter().map(|column| column.name.as_str()));
        let find = |name: &String| {
            let place = self
                .columns
                .iter()
                .position(|column| column.name.eq_ignore_ascii_case(name));
            place.and_then(|place| lake.get(place).cloned()).ok_or_else(|| {
                Error::Configuration(format!("there is no column `{name}`, which `primary_key` or `incremental_column` names"))
            })
        };
        wanted.iter().map(find).collect()
    }
}

/// Whether parts of an earlier session still mean what they meant.
fn same_table(before: &[Part], now: &[Part]) -> bool {
    match (before.first(), now.first()) {
        (Some(Part::Pages { file: a, .. }), Some(Part::Pages { file: b, .. })) => a == b,
        (Some(Part::Keys { columns: a, .. }), Some(Part::Keys { columns: b, .. })) => a == b,
        (Some(Part::All), Some(Part::All)) => true,
        _ => false,
    }
}
