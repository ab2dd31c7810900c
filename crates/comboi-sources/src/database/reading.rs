//! The rows of a table on their way into staged files, in chunks that are committed one by one.

use std::path::Path;
use std::sync::Arc;

use comboi_engine::Interrupter;
use comboi_project::{Column, Columns, DatabaseIncremental, SqlType};

use super::ahead::{Ahead, Count};
use super::bounds::Bounds;
use super::checkpoint::Position;
use super::chunk::{Chunk, How};
use super::client::Connection;
use super::columns::{SourceColumn, arrow_schema};
use super::loading::Loading;
use super::parallel::{self, Piece, Pieces};
use super::reader::DatabaseReader;
use super::request::{Filter, Relation};
use super::stage::{Nulls, Staging};
use crate::columns::Decision;
use crate::names::place_of;
use crate::{Error, Note, Stamp};

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
    pub(super) ahead_count: Count,
    /// How many values were cut off so far, by column.
    pub(super) cut_off: Vec<u64>,
    pub(super) chunks: usize,
}

pub(super) enum Work {
    /// Everything that is new, at once.
    Window {
        bounds: Bounds,
        how: How,
    },
    /// A first load or the whole table anew, in parts.
    Parts(Loading),
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

    /// Reads the next chunk into files in this folder, which must be there. `None` when everything has been read.
    pub async fn next(&mut self, stamp: Stamp, folder: &Path) -> Result<Option<Chunk>, Error> {
        let key = self.reader.table.key();
        let cursor = self.reader.table.cursor();
        let mut position = self.position.clone();
        let work = std::mem::replace(&mut self.work, Work::Nothing);
        let (pieces, how) = match &work {
            Work::Nothing => return Ok(None),
            Work::Window { bounds, how } => (Pieces::one(self.piece(&bounds.filter)), *how),
            Work::Parts(loading) => (self.pieces(loading), loading.how(&key)),
        };
        let (Work::Window { bounds, .. } | Work::Parts(Loading { bounds, .. })) = &work else {
            return Ok(None);
        };
        position.low.clone_from(&bounds.low);
        position.pending.clone_from(&bounds.pending);
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
        if let Work::Parts(loading) = work {
            let rest = loading.after(&read);
            position.load = rest.as_ref().map(|rest| rest.load.clone());
            self.work = rest.map_or(Work::Nothing, Work::Parts);
        }
        let mut notes = std::mem::take(&mut self.notes);
        if read.nulls_skipped > 0
            && let Some(column) = cursor.first()
        {
            notes.push(Note::NullsSkipped {
                column: column.clone(),
                row_count: read.nulls_skipped,
            });
        }
        self.ahead_count.add(read.ahead);
        for (all, more) in self.cut_off.iter_mut().zip(read.cut_off) {
            *all += more;
        }
        if matches!(self.work, Work::Nothing) {
            if let Some(Ahead { name, beyond, .. }) = &self.ahead {
                notes.extend(self.ahead_count.notes(name, *beyond));
            }
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
            composites: self.composites(),
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

    /// The last chunk was committed, with so many new rows.
    pub fn committed(&mut self, row_count: u64) {
        self.position.row_count += row_count;
    }

    pub(super) fn piece(&self, filter: &Filter) -> Piece {
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
            json: (0..self.columns.len())
                .filter(|place| is_json(&self.columns[*place].sql_type))
                .collect(),
            cut,
            stop: self.reader.stop.clone(),
        })
    }

    /// The lake's names of columns that hold composites as text.
    fn composites(&self) -> Vec<String> {
        let columns = self.columns.iter().zip(&self.lake_columns);
        let composites = columns.filter(|(column, _)| column.is_composite);
        composites.map(|(_, column)| column.name.clone()).collect()
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

fn is_json(of: &SqlType) -> bool {
    match of {
        SqlType::List(item) => is_json(item),
        of => *of == SqlType::Json,
    }
}
