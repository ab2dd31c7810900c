//! What a run would read of a table, for a plan: no row is read.

use comboi_project::{Column, Columns, DatabaseIncremental};

use super::checkpoint::Position;
use super::client::Connection;
use super::columns::SourceColumn;
use super::reader::{DatabaseReader, gone, without_own};
use super::request::Filter;
use crate::names::Names;
use crate::{Error, Note};

/// What a run would read.
#[derive(Clone, Debug)]
pub struct DatabaseLook {
    /// Which rows, for people.
    pub filter: String,
    /// About how many, where the database tells.
    pub rows: Option<u64>,
    /// Whether it has columns that the lake does not have.
    pub new_columns: bool,
    /// What people should know.
    pub notes: Vec<Note>,
}

impl DatabaseReader<'_> {
    /// Looks at what a run would read, and reads no row of the table. Without a checkpoint, everything is new.
    ///
    /// `known` are the columns that the table has in the lake, comboi's own among them.
    pub async fn look(
        &self,
        checkpoint: Option<&Position>,
        known: Option<&Columns>,
    ) -> Result<DatabaseLook, Error> {
        let relation = self.relation();
        let position = self.position(checkpoint)?;
        let mut connection = self.database.connect().await?;
        let columns = connection.columns(&relation, &self.said(None)).await?;
        let known = known.map(without_own);
        self.check_columns(&columns, known.as_ref())?;
        let cursor = self.cursor(&columns)?;
        let found = Names::of(known.as_ref()).assign(columns.iter().map(|it| it.name.as_str()));
        let has = |column: &Column| {
            known
                .as_ref()
                .is_some_and(|it| it.get(&column.name).is_some())
        };
        let new_columns = !found.iter().all(has);
        let gone = gone(known.as_ref(), &Columns(found));
        let kinds = self.kinds(&cursor)?;
        let asking = self.asking(&relation, &cursor, &kinds, false);
        let mut notes: Vec<Note> = self.numbers_as_text(&columns).into_iter().collect();
        if !gone.is_empty() {
            notes.push(self.columns_gone(gone));
        }
        if checkpoint.is_none() || position.load.is_some() {
            let known = asking.before_the_first(connection.as_mut(), position.mode);
            notes.extend(known.await?);
            let sql = self
                .database
                .dialect()
                .select(&relation, &columns, &Filter::All);
            let rows = connection.estimate(&sql).await?;
            notes.extend(
                self.not_resumed(connection.as_mut(), &columns, rows)
                    .await?,
            );
            let filter = match &position.load {
                Some(load) => format!(
                    "a first load that goes on at part {} of {}",
                    load.done + 1,
                    load.parts.len()
                ),
                None => "everything".to_owned(),
            };
            return Ok(DatabaseLook {
                filter,
                rows,
                new_columns,
                notes,
            });
        }
        let bounds = asking.bounds(connection.as_mut(), &position).await?;
        let dialect = self.database.dialect();
        let sql = dialect.select(&relation, &columns, &bounds.filter);
        notes.extend(bounds.notes);
        Ok(DatabaseLook {
            filter: dialect.told(&bounds.filter),
            rows: connection.estimate(&sql).await?,
            new_columns,
            notes,
        })
    }

    /// What people should know of a first load that can't go on where it was interrupted.
    async fn not_resumed(
        &self,
        connection: &mut dyn Connection,
        columns: &[SourceColumn],
        rows: Option<u64>,
    ) -> Result<Option<Note>, Error> {
        let Some(rows) = rows.filter(|rows| self.is_large(*rows)) else {
            return Ok(None);
        };
        let is_full = self.table.incremental() == DatabaseIncremental::Full;
        let (relation, key) = (self.relation(), self.table.key());
        let wanted = self.parts_wanted(rows, is_full).max(2);
        // As in `settled`: by row versions alone, a table without a key is one window.
        let is_window =
            self.table.incremental() == DatabaseIncremental::Rowversion && key.is_empty();
        let is_divided = !is_full && !is_window && {
            let parts = connection.parts(&relation, columns, &key, wanted).await?;
            parts.len() > 1
        };
        Ok((!is_divided).then(|| Note::InOnePiece {
            rows,
            is_full,
            is_query: self.table.query.is_some(),
        }))
    }
}
