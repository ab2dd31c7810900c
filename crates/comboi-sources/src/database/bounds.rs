//! Which rows a run reads, and up to where they are complete then.
//!
//! A row may become visible after one with a greater value of the cursor: its transaction began earlier and ended later.
//! So the next run does not begin at the greatest value that was seen, but where no open transaction can add a row any more.
//!
//! 1. The greatest value `m` is asked for, in a statement of its own.
//! 2. The server tells its open transactions, and the time. Whoever could still add a row with a value up to `m` had begun
//!    by then.
//! 3. The rows are read in a state of the database that is later than both.
//!
//! If nobody who might write was there in step 2, or whoever was has ended before step 3, then every row up to `m` has been
//! read, and the next run begins at `m` (itself too: others may share its value). Else a moment with its time zone is bounded by the
//! start of the oldest of them, as its transaction can't have stamped its rows with an earlier time; and for any other
//! cursor the run that finds all of them ended moves on to `m`. Nothing here trusts clocks but the server's own; `lookback`
//! is for applications that write times of their own clocks.

use std::time::Duration;

use comboi_project::{DatabaseIncremental, Lookback};

use super::checkpoint::{Pending, Position};
use super::client::{Connection, Dialect};
use super::request::{Cursor, Filter, OwnCursor, Relation};
use crate::{BadCheckpoint, Error, Note};

/// How long a run waits for transactions that were open when it began.
const PATIENCE: Duration = Duration::from_millis(200);
const WAITS: u32 = 5;

/// PostgreSQL's ages of transactions are told for this many of them; beyond, the whole table is read again.
const MOST_TRANSACTIONS: u64 = 1_500_000_000;

/// What a run reads and what may be said when it has done so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) filter: Filter,
    /// What the checkpoint says then.
    pub(super) low: Option<Vec<String>>,
    pub(super) pending: Option<Pending>,
    /// The table's rows are replaced by what is read.
    pub(super) replaces: bool,
    pub(super) notes: Vec<Note>,
}

/// What is needed to find the bounds.
pub(super) struct Asking<'a> {
    pub(super) dialect: &'a dyn Dialect,
    pub(super) relation: &'a Relation,
    pub(super) cursor: &'a Cursor,
    pub(super) lookback: Option<&'a Lookback>,
    /// Whether rows without a value in the cursor are read.
    pub(super) nulls: bool,
    /// Whether a run may wait for transactions to end; a plan may not.
    pub(super) patient: bool,
}

/// Open transactions that may still write.
#[derive(Clone, Copy, Debug)]
struct Others {
    now: i64,
    oldest: Option<i64>,
    all_seen: bool,
}

impl Others {
    fn ended_since(&self, time: i64) -> bool {
        self.oldest.is_none_or(|oldest| oldest > time)
    }
}

impl Asking<'_> {
    pub(super) async fn bounds(
        &self,
        connection: &mut dyn Connection,
        before: &Position,
    ) -> Result<Bounds, Error> {
        match before.mode {
            DatabaseIncremental::Full => Ok(Bounds {
                filter: Filter::All,
                low: None,
                pending: None,
                replaces: true,
                notes: Vec::new(),
            }),
            DatabaseIncremental::Watermark => self.watermark(connection, before).await,
            DatabaseIncremental::Rowversion => {
                self.own(connection, before, OwnCursor::Rowversion).await
            }
            DatabaseIncremental::Xmin => self.own(connection, before, OwnCursor::Xmin).await,
        }
    }

    /// The bounds of a load that goes on: those that it began with.
    pub(super) fn those_it_began_with(before: &Position) -> Bounds {
        Bounds {
            filter: Filter::All,
            low: before.low.clone(),
            pending: before.pending.clone(),
            replaces: false,
            notes: Vec::new(),
        }
    }

    async fn watermark(
        &self,
        connection: &mut dyn Connection,
        before: &Position,
    ) -> Result<Bounds, Error> {
        let seen = self.window(before.low.clone(), false);
        let sql = self.dialect.greatest(self.relation, self.cursor, &seen);
        let greatest = whole(one_row(connection, &sql).await?);
        let mut others = self.others(connection).await?;
        let asked_at = others.now;
        let mut waits = if self.patient { WAITS } else { 0 };
        while greatest.is_some() && others.all_seen && !others.ended_since(asked_at) && waits > 0 {
            tokio::time::sleep(PATIENCE).await;
            others = self.others(connection).await?;
            waits -= 1;
        }
        let mut bounds = Bounds {
            filter: self.window(
                self.from(connection, before.low.as_deref()).await?,
                self.nulls,
            ),
            low: before.low.clone(),
            pending: None,
            replaces: false,
            notes: Vec::new(),
        };
        if !others.all_seen {
            let lookback = self.lookback.map(ToString::to_string);
            bounds.notes.push(Note::BestEffort { lookback });
        }
        let Some(greatest) = greatest else {
            bounds.pending.clone_from(&before.pending);
            return Ok(bounds);
        };
        if !others.all_seen || others.ended_since(asked_at) {
            bounds.low = Some(greatest);
            return Ok(bounds);
        }
        // Somebody is still at it. What was pending may be certain by now.
        if let Some(pending) = &before.pending
            && others.ended_since(pending.at)
        {
            bounds.low = Some(pending.value.clone());
        }
        let oldest = others.oldest.unwrap_or(asked_at);
        if let Some(capped) = self
            .capped(connection, &greatest, oldest, bounds.low.as_deref())
            .await?
        {
            bounds.low = Some(capped);
        } else {
            bounds.pending = Some(match &before.pending {
                // An older mark becomes certain sooner; it is not given up for a newer one.
                Some(pending) if !others.ended_since(pending.at) => pending.clone(),
                _ => Pending {
                    value: greatest,
                    at: asked_at,
                },
            });
        }
        bounds.notes.push(Note::OpenTransactions { since: oldest });
        Ok(bounds)
    }

    /// The time of the oldest transaction as a value of the cursor, where that can be said. Of a composite cursor only the
    /// first column is a moment; what is beyond it begins anew.
    async fn capped(
        &self,
        connection: &mut dyn Connection,
        greatest: &[String],
        oldest: i64,
        floor: Option<&[String]>,
    ) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = greatest.first() else {
            return Ok(None);
        };
        let first = Cursor {
            columns: self.cursor.columns.iter().take(1).cloned().collect(),
        };
        let least = floor.and_then(<[String]>::first);
        let Some(sql) = self
            .dialect
            .capped(&first, value, oldest, least.map(String::as_str))
        else {
            return Ok(None);
        };
        let capped = whole(one_row(connection, &sql).await?);
        Ok(capped.map(|capped| match (capped.first(), floor) {
            (Some(first), _) if first == value => greatest.to_vec(),
            (first, Some(floor)) if first == least => floor.to_vec(),
            _ => capped,
        }))
    }

    /// Where reading begins: at the checkpoint less the lookback.
    async fn from(
        &self,
        connection: &mut dyn Connection,
        low: Option<&[String]>,
    ) -> Result<Option<Vec<String>>, Error> {
        let (Some(low), Some(lookback)) = (low, self.lookback) else {
            return Ok(low.map(<[String]>::to_vec));
        };
        let Some(first) = low.first() else {
            return Ok(None);
        };
        let sql = self.dialect.lowered(self.cursor, first, lookback);
        Ok(whole(one_row(connection, &sql).await?))
    }

    async fn others(&self, connection: &mut dyn Connection) -> Result<Others, Error> {
        let row = one_row(connection, &self.dialect.open_transactions()).await?;
        let time = |at: usize| {
            row.get(at)
                .and_then(Option::as_deref)
                .and_then(|text| text.parse().ok())
        };
        let now = time(0).ok_or_else(|| Error::Refused {
            doing: "ask the server for the time".into(),
            why: "it gave no answer that can be understood".into(),
        })?;
        Ok(Others {
            now,
            oldest: time(1),
            all_seen: row.get(2).and_then(Option::as_deref) == Some("t"),
        })
    }

    async fn own(
        &self,
        connection: &mut dyn Connection,
        before: &Position,
        cursor: OwnCursor,
    ) -> Result<Bounds, Error> {
        let sql = self.dialect.bound(cursor).ok_or_else(|| {
            Error::Configuration(format!(
                "this database has no `incremental: {}`",
                before.mode
            ))
        })?;
        let bound = whole(one_row(connection, &sql).await?).ok_or_else(|| Error::Refused {
            doing: format!("ask the server for its {}", before.mode),
            why: "it gave no answer; the login may lack the right".into(),
        })?;
        let mut bounds = Bounds {
            filter: Filter::All,
            low: Some(bound.clone()),
            pending: None,
            replaces: false,
            notes: Vec::new(),
        };
        let low = before.low.as_deref().and_then(<[String]>::first);
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

    fn window(&self, from: Option<Vec<String>>, nulls: bool) -> Filter {
        Filter::Window {
            cursor: self.cursor.clone(),
            from,
            below: None,
            nulls,
        }
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

pub(super) async fn one_row(
    connection: &mut dyn Connection,
    sql: &str,
) -> Result<Vec<Option<String>>, Error> {
    Ok(connection
        .texts(sql)
        .await?
        .into_iter()
        .next()
        .unwrap_or_default())
}

/// All values of a row, or nothing if one is missing.
fn whole(row: Vec<Option<String>>) -> Option<Vec<String>> {
    let row: Option<Vec<String>> = row.into_iter().collect();
    row.filter(|row| !row.is_empty())
}
