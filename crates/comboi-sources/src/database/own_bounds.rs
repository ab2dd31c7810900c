//! Which rows a run reads by a cursor that is the database's own: transaction ids of PostgreSQL, row versions of SQL Server.

use comboi_project::DatabaseIncremental;

use super::bounds::{Asking, Bounds, one_row, whole};
use super::checkpoint::Position;
use super::client::Connection;
use super::others::Watch;
use super::request::{Filter, OwnCursor};
use crate::{BadCheckpoint, Error, Note};

/// PostgreSQL's ages of transactions are told for this many of them; beyond, the whole table is read again.
const MOST_TRANSACTIONS: u64 = 1_500_000_000;

impl Asking<'_> {
    pub(super) async fn own(
        &self,
        connection: &mut dyn Connection,
        before: &Position,
        cursor: OwnCursor,
    ) -> Result<Bounds, Error> {
        let low = before.low.as_deref().and_then(<[String]>::first);
        // A first load reads everything, whatever is open.
        let (bound, note) = self.own_bound(connection, cursor, low.is_some()).await?;
        let mut bounds = Bounds {
            filter: Filter::All,
            low: Some(bound.clone()),
            pending: None,
            replaces: false,
            beyond: None,
            notes: note.into_iter().collect(),
        };
        let high = bound.first().cloned().unwrap_or_default();
        if let Some(low) = low
            && goes_back(cursor, low, &high)
        {
            return Err(BadCheckpoint::OtherConfiguration(format!(
                "the server's {} is lower than at the last run, so it was restored or is another server",
                before.mode
            ))
            .into());
        }
        bounds.filter = match (cursor, low) {
            (OwnCursor::Rowversion, low) => Filter::Window {
                cursor: self.cursor.clone(),
                from: low.map(|low| vec![low.to_owned()]),
                below: Some(bound),
                nulls: false,
                lowest: false,
            },
            (OwnCursor::Xmin, None) => Filter::All,
            (OwnCursor::Xmin, Some(low)) if far_apart(low, &high) => {
                bounds.replaces = true;
                bounds.notes.push(Note::ReadAnew(
                    "more transactions than PostgreSQL can tell apart since the last run",
                ));
                Filter::All
            }
            (OwnCursor::Xmin, Some(low)) => Filter::WrittenSince {
                transaction: low.to_owned(),
                below_page: None,
            },
        };
        Ok(bounds)
    }

    /// The bound of a cursor that is the database's own, and what people should know if a transaction holds it back.
    pub(super) async fn own_bound(
        &self,
        connection: &mut dyn Connection,
        cursor: OwnCursor,
        is_window: bool,
    ) -> Result<(Vec<String>, Option<Note>), Error> {
        let mode = match cursor {
            OwnCursor::Rowversion => DatabaseIncremental::Rowversion,
            OwnCursor::Xmin => DatabaseIncremental::Xmin,
        };
        let sql = self.dialect.bound(cursor).ok_or_else(|| {
            Error::Configuration(format!(
                "this database has no `incremental: {mode}`; name an `incremental_column`, or write `incremental: full`"
            ))
        })?;
        let answer = whole(one_row(connection, &sql).await?).ok_or_else(|| Error::Refused {
            doing: format!("ask the server for its {mode}"),
            why: "it gave no answer; the login may lack the right".into(),
        })?;
        let (bound, held) = answer.split_at(1);
        let mut note = None;
        if held.first().is_some_and(|held| held == "t") {
            let others = Watch::default().look(self.dialect, connection).await?;
            note = Some(others.note(None, is_window && cursor == OwnCursor::Rowversion));
        }
        Ok((bound.to_vec(), note))
    }
}

pub(super) fn far_apart(low: &str, high: &str) -> bool {
    match (low.parse::<u64>(), high.parse::<u64>()) {
        (Ok(low), Ok(high)) => high.saturating_sub(low) > MOST_TRANSACTIONS,
        _ => true,
    }
}

/// Whether a bound is below the last one. Row versions are hexadecimal texts of one length.
fn goes_back(cursor: OwnCursor, low: &str, high: &str) -> bool {
    match cursor {
        OwnCursor::Rowversion => high < low,
        OwnCursor::Xmin => match (low.parse::<u64>(), high.parse::<u64>()) {
            (Ok(low), Ok(high)) => high < low,
            _ => true,
        },
    }
}
