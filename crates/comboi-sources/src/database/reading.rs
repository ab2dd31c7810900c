//! The rows of a table on their way into staged files, in chunks that are committed one by one.

use std::path::Path;
use std::sync::Arc;

use comboi_engine::Interrupter;
use comboi_project::{Column, Columns, DatabaseIncremental};

use super::ahead::Ahead;
use super::bounds::{Bounds, one_row};
use super::checkpoint::{Load, Position};
use super::chunk::{Chunk, How};
use super::client::Connection;
use super::columns::{SourceColumn, arrow_schema};
use super::own_bounds::far_apart;
use super::parallel::{self, Piece};
use super::reader::DatabaseReader;
use super::request::{Filter, OwnCursor, Part, Relation};
use super::stage::{Nulls, Staging};
use crate::columns::Decision;
use crate::names::place_of;
use crate::{Error, Note, Stamp};

/// A first load is committed after about so many rows.
const COMMIT_ROWS: u64 = 5_000_000;
/// A first load is read in parts of about so many rows.
const PART_ROWS: u64 = 250_000;
const MOST_PARTS: usize = 1000;

/// A table that is being read: open connections that see one state of the database, where it can show one.
pub struct Reading<'a> {
    pub(super) reader: DatabaseReader<'a>,
    pub(super) relation: Relation,
    pub(super) columns: Vec<SourceColumn>,
    /// The same columns as the lake names them, with the types that are read.
    pub(super) lake_columns: Columns,
    pub(super) decision: Decision,
    pub(super) position: Position,
    pub(super) connections: Vec<Box<dyn Connection>>,
    /// Whether all connections see the same state.
    pub(super) consistent: bool,
    /// Whether rows get comboi's own columns.
    pub(super) stamped: bool,
    pub(super) work: Work,
    pub(super) notes: Vec<Note>,
    /// Which rows the checkpoint does not follow, and how many were read so far.
    pub(super) ahead: Option<Ahead>,
    pub(super) ahead_count: u64,
    /// How many values were cut off so far, by column.
    pub(super) cut_off: Vec<u64>,
    pub(super) chunks: usize,
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

pub(super) enum Work {
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

impl Reading<'_> {
    /// Ends the reading, when it is asked to.
    pub fn stop(&self) -> Interrupter {
        self.reader.stop.clone()
    }

    /// All rows of the table are replaced, so that it need not keep columns that the source does not have any more.
    pub(super) fn leave_out_columns_gone(&mut self) {
        let found = &self.lake_columns;
        let (stay, gone): (Vec<Column>, Vec<Column>) = self
            .decision
            .columns
            .iter()
            .cloned()
            .partition(|column| found.get(&column.name).is_some());
        self.decision.columns = Columns(stay);
        let told = gone.iter().map(|column| {
            format!(
                "column `{}` is left out: the source does not have it any more",
                column.name
            )
        });
        self.decision.changes.extend(told);
        self.notes
            .retain(|note| !matches!(note, Note::ColumnsGone { .. }));
    }

    /// Divides the table, unless it was divided when the load began.
    pub(super) async fn plan_parts(&mut self, bounds: Bounds, has_rows: bool) -> Result<(), Error> {
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
        self.ahead_count += read.ahead;
        for (all, more) in self.cut_off.iter_mut().zip(read.cut_off) {
            *all += more;
        }
        if matches!(self.work, Work::Nothing) {
            let ahead = self.ahead.as_ref();
            notes.extend(ahead.and_then(|ahead| ahead.note(self.ahead_count)));
            notes.extend(self.reader.cut_off(&self.columns, &self.cut_off));
        }
        let chunk = Chunk {
            files: read.files,
            row_count: read.row_count,
            how,
            columns: self.lake_columns.clone(),
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
        let fields = schema
            .fields()
            .iter()
            .zip(self.lake_columns.names())
            .map(|(field, name)| field.as_ref().clone().with_name(name));
        let nulls = cursor.first().and_then(|name| {
            Some(Nulls {
                column: place_of(self.columns.iter().map(|it| it.name.as_str()), name)?,
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
            ahead: self.ahead.clone(),
            cut,
            stop: self.reader.stop.clone(),
        })
    }

    fn lake_names(&self, wanted: &[String]) -> Result<Vec<String>, Error> {
        let find = |name: &String| {
            let which = "which `primary_key` or `incremental_column` names";
            let place = self.reader.place(&self.columns, name, which)?;
            Ok(self.lake_columns.0[place].name.clone())
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
