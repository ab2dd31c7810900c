//! Which rows a run reads, and up to where they are complete then.
//!
//! A row may become visible after one with a greater value of the cursor: its transaction began earlier and ended later.
//! So the next run does not begin at the greatest value that was seen, but where no open transaction can add a row any more.
//!
//! 1. The server tells the time and its open transactions.
//! 2. The greatest value `m` is asked for, in a statement of its own; of times, the greatest that is a little before now. A
//!    value beyond the clock, NaN or an infinity is read, but the next run does not begin there.
//! 3. The server tells its open transactions again. Whoever could still add a row with a value up to `m` had begun by then.
//! 4. The rows are read in a state of the database that is later than all of this.
//!
//! If nobody who might write was there in step 3, or whoever was has ended before step 4, then every row up to `m` has been
//! read, and the next run begins at `m` (itself too: others may share its value). Else a moment with its time zone is bounded by the
//! start of the oldest of them, as its transaction can't have stamped its rows with an earlier time (rounded down, as columns and
//! people round); and for any other cursor the run that finds all of them ended moves on to `m`. Nothing here trusts clocks but the
//! server's own, and those of applications by [`GRACE`]; `lookback` is for applications whose times are later than that.

use std::time::Duration;

use comboi_project::{DatabaseIncremental, Lookback};

use super::ahead::Count;
use super::checkpoint::{Pending, Position};
use super::client::{Connection, Dialect};
use super::cursor::{Clock, CursorKind, is_endless, is_version_7};
use super::origin::Origin;
use super::others::{Others, Watch};
use super::request::{Cursor, Filter, OwnCursor, Relation};
use crate::{Error, Note};

/// How long a run waits for transactions that were open when it began.
const PATIENCE: Duration = Duration::from_millis(200);
const WAITS: u32 = 5;

/// The times of the last moments are read again by the next run: an application may have taken the time, and its row be on its
/// way. In microseconds.
const GRACE: i64 = 10_000_000;

/// What a run reads and what may be said when it has done so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) filter: Filter,
    /// What the checkpoint says then.
    pub(super) low: Option<Vec<String>>,
    pub(super) pending: Option<Pending>,
    /// The table's rows are replaced by what is read.
    pub(super) replaces: bool,
    /// A time in the cursor from this on is beyond the server's clock; in microseconds since 1970.
    pub(super) beyond: Option<i64>,
    pub(super) notes: Vec<Note>,
}

/// What is needed to find the bounds.
pub(super) struct Asking<'a> {
    pub(super) dialect: &'a dyn Dialect,
    pub(super) relation: &'a Relation,
    pub(super) cursor: &'a Cursor,
    /// The kinds of the cursor's columns.
    pub(super) kinds: &'a [CursorKind],
    pub(super) lookback: Option<&'a Lookback>,
    /// How far beyond the server's clock a time may lie.
    pub(super) max_future: Duration,
    pub(super) source: &'a str,
    pub(super) table: &'a str,
    /// Whether rows without a value in the cursor are read.
    pub(super) nulls: bool,
    /// Whether a run may wait for transactions to end; a plan may not.
    pub(super) patient: bool,
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
                beyond: None,
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
            beyond: None,
            notes: Vec::new(),
        }
    }

    async fn watermark(
        &self,
        connection: &mut dyn Connection,
        before: &Position,
    ) -> Result<Bounds, Error> {
        let mut watch = Watch::default();
        let first = watch.look(self.dialect, connection).await?;
        let low = before.low.as_deref();
        let (greatest, endless) = self.greatest(connection, low, first.clock).await?;
        let mut others = watch.look(self.dialect, connection).await?;
        let asked_at = others.asked_at;
        let mut waits = if self.patient { WAITS } else { 0 };
        while greatest.is_some() && others.all_seen && !others.ended_since(asked_at) && waits > 0 {
            tokio::time::sleep(PATIENCE).await;
            others = watch.look(self.dialect, connection).await?;
            waits -= 1;
        }
        let mut bounds = Bounds {
            filter: self.window(self.from(connection, low).await?, self.nulls),
            low: before.low.clone(),
            pending: before.pending.clone(),
            replaces: false,
            beyond: self.beyond(first.clock),
            notes: self.notes(&others),
        };
        let doubts = self.doubts(connection, low, greatest.as_deref(), first.clock);
        bounds.notes.extend(doubts.await?);
        if !self.patient {
            bounds
                .notes
                .extend(self.counted(connection, bounds.beyond, endless).await?);
        }
        if let Some(greatest) = greatest {
            self.settle(connection, &mut bounds, greatest, others, asked_at, before)
                .await?;
        }
        Ok(bounds)
    }

    /// What the checkpoint says when rows up to the greatest value have been read.
    async fn settle(
        &self,
        connection: &mut dyn Connection,
        bounds: &mut Bounds,
        greatest: Vec<String>,
        others: Others,
        asked_at: i64,
        before: &Position,
    ) -> Result<(), Error> {
        bounds.pending = None;
        if !others.all_seen || others.ended_since(asked_at) {
            bounds.low = Some(greatest);
            return Ok(());
        }
        // Somebody is still at it. What was pending may be certain by now.
        if let Some(pending) = &before.pending
            && others.ended_since(pending.at)
        {
            bounds.low = Some(pending.value.clone());
        }
        if let Some(capped) = self
            .capped(
                connection,
                &greatest,
                others.oldest(),
                bounds.low.as_deref(),
            )
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
        bounds.notes.push(others.note(others.oldest(), false));
        Ok(())
    }

    fn notes(&self, others: &Others) -> Vec<Note> {
        let lookback = self.lookback.map(ToString::to_string);
        if others.all_seen {
            Vec::new()
        } else {
            vec![Note::BestEffort { lookback }]
        }
    }

    fn kind(&self) -> CursorKind {
        self.kinds.first().copied().unwrap_or(CursorKind::Other)
    }

    /// The first column of the cursor alone.
    fn first(&self) -> Cursor {
        Cursor {
            columns: self.cursor.columns.iter().take(1).cloned().collect(),
        }
    }

    /// Where times begin that are beyond the server's clock.
    fn beyond(&self, clock: Clock) -> Option<i64> {
        let kind = self.kind();
        let future = i64::try_from(self.max_future.as_micros()).unwrap_or(i64::MAX);
        kind.is_time()
            .then(|| kind.end(kind.clock(clock).saturating_add(future)))
    }

    /// The greatest value from the checkpoint on at which a later run may begin, and the least value beyond it that is NaN or an infinity.
    async fn greatest(
        &self,
        connection: &mut dyn Connection,
        from: Option<&[String]>,
        clock: Clock,
    ) -> Result<(Option<Vec<String>>, Option<String>), Error> {
        let kind = self.kind();
        let mut below = kind.value(kind.end(kind.settled(clock) - GRACE));
        let mut endless = None;
        loop {
            let seen = Filter::Window {
                cursor: self.cursor.clone(),
                from: from.map(<[String]>::to_vec),
                below: below.map(|value| vec![value]),
                nulls: false,
                lowest: false,
            };
            let sql = self.dialect.greatest(self.relation, self.cursor, &seen);
            let Some(mut greatest) = whole(one_row(connection, &sql).await?) else {
                return Ok((None, endless));
            };
            let first = greatest.first().cloned().unwrap_or_default();
            if kind == CursorKind::Number && is_endless(&first) {
                // What is below NaN may be an infinity.
                below = Some(first.clone());
                endless = Some(first);
                continue;
            }
            if kind == CursorKind::Uuid && !is_version_7(&first) {
                return Err(not_version_7(self.name()));
            }
            // A second column beyond the clock: everything with this value in the first one is read again.
            let ahead = |(kind, value): (&CursorKind, &String)| {
                kind.time(value)
                    .is_some_and(|time| time > kind.clock(clock))
                    || is_endless(value)
            };
            let kept = self.kinds.iter().zip(&greatest).skip(1);
            let kept = 1 + kept.take_while(|column| !ahead(*column)).count();
            greatest.truncate(kept);
            return Ok((Some(greatest), endless));
        }
    }

    fn name(&self) -> &str {
        let first = self.cursor.columns.first();
        first.map_or("", |(name, _)| name.as_str())
    }

    /// Why rows may be missed whatever this run does.
    async fn doubts(
        &self,
        connection: &mut dyn Connection,
        low: Option<&[String]>,
        greatest: Option<&[String]>,
        clock: Clock,
    ) -> Result<Vec<Note>, Error> {
        let (kind, column) = (self.kind(), self.name().to_owned());
        let mut notes = Vec::new();
        let low = low.and_then(<[String]>::first);
        let is_ahead = low.is_some_and(|low| {
            kind.time(low).is_some_and(|time| time > kind.clock(clock))
                || (kind == CursorKind::Number && is_endless(low))
        });
        let origin = self.origin(connection).await?;
        let highest = greatest.and_then(<[String]>::first).or(low);
        let doubts = origin.doubts(kind, self.lookback, highest.map(String::as_str));
        let is_told = origin.sequence.is_some_and(|it| it.last.is_some());
        notes.extend(doubts.into_iter().map(|why| Note::NotInOrder {
            column: column.clone(),
            why,
        }));
        if let Some(low) = low {
            let value = low.clone();
            let table = format!("--source {} --table {}", self.source, self.table);
            if is_ahead {
                notes.push(Note::CheckpointAhead {
                    column,
                    value,
                    table,
                });
            } else if greatest.is_none() && !kind.is_time() && !is_told {
                let (all, _) = self.greatest(connection, None, clock).await?;
                let now = all.and_then(|all| all.into_iter().next());
                notes.push(Note::SetBack {
                    column,
                    now,
                    value,
                    table,
                });
            }
        }
        if let Some(highest) = highest
            && kind == CursorKind::Text
            && is_number(highest)
        {
            notes.push(Note::NotInOrder {
                column: self.name().to_owned(),
                why: "it holds numbers as text, and as text `10` is below `9`: rows are missed where numbers get longer; make it a number in a `query`, or use another column".to_owned(),
            });
        }
        Ok(notes)
    }

    pub(super) async fn origin(&self, connection: &mut dyn Connection) -> Result<Origin, Error> {
        connection.origin(self.relation, self.name()).await
    }

    /// What people should know before a first load.
    pub(super) async fn before_the_first(
        &self,
        connection: &mut dyn Connection,
        mode: DatabaseIncremental,
    ) -> Result<Vec<Note>, Error> {
        let own = match mode {
            DatabaseIncremental::Full => return Ok(Vec::new()),
            DatabaseIncremental::Rowversion => Some(OwnCursor::Rowversion),
            DatabaseIncremental::Xmin => Some(OwnCursor::Xmin),
            DatabaseIncremental::Watermark => None,
        };
        if let Some(cursor) = own {
            let (_, note) = self.own_bound(connection, cursor, false).await?;
            return Ok(note.into_iter().collect());
        }
        let others = Watch::default().look(self.dialect, connection).await?;
        let doubts = self.origin(connection).await?;
        let doubts = doubts.doubts(self.kind(), self.lookback, None).into_iter();
        let mut notes = self.notes(&others);
        notes.extend(doubts.map(|why| Note::NotInOrder {
            column: self.name().to_owned(),
            why,
        }));
        Ok(notes)
    }

    /// How many rows the checkpoint does not follow, for a plan, which does not read them.
    async fn counted(
        &self,
        connection: &mut dyn Connection,
        beyond: Option<i64>,
        endless: Option<String>,
    ) -> Result<Vec<Note>, Error> {
        let kind = self.kind();
        if !kind.is_time() && kind != CursorKind::Number {
            return Ok(Vec::new());
        }
        let time = beyond.and_then(|beyond| kind.value(beyond));
        let mut ahead = 0;
        if let Some(value) = time.or(endless) {
            let from = Filter::Window {
                cursor: self.first(),
                from: Some(vec![value]),
                below: None,
                nulls: false,
                lowest: false,
            };
            ahead = self.count(connection, &from).await?;
        }
        let of_lowest = Filter::Lowest(self.first());
        let lowest = self.count(connection, &of_lowest).await?;
        let count = match beyond {
            Some(_) => Count {
                future: ahead,
                endless: lowest,
            },
            None => Count {
                future: 0,
                endless: ahead + lowest,
            },
        };
        Ok(count.notes(self.name(), beyond))
    }

    async fn count(&self, connection: &mut dyn Connection, of: &Filter) -> Result<u64, Error> {
        let row = one_row(connection, &self.dialect.count(self.relation, of)).await?;
        let count = row.into_iter().flatten().next();
        Ok(count.and_then(|it| it.parse().ok()).unwrap_or(0))
    }

    /// The time of the oldest transaction as a value of the cursor, where that can be said. Of a composite cursor only the
    /// first column is a moment; what is beyond it begins anew.
    async fn capped(
        &self,
        connection: &mut dyn Connection,
        greatest: &[String],
        oldest: Option<i64>,
        floor: Option<&[String]>,
    ) -> Result<Option<Vec<String>>, Error> {
        let (Some(value), Some(oldest)) = (greatest.first(), oldest) else {
            return Ok(None);
        };
        let like = self.kind().time(value);
        let Some(time) = like.and_then(|like| rounded_down(oldest - GRACE, like)) else {
            return Ok(None);
        };
        let first = self.first();
        let least = floor.and_then(<[String]>::first);
        let Some(sql) = self
            .dialect
            .capped(&first, value, time, least.map(String::as_str))
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
        let from = match (low.and_then(<[String]>::first), self.lookback) {
            (Some(first), Some(lookback)) => {
                let sql = self.dialect.lowered(self.cursor, first, lookback);
                whole(one_row(connection, &sql).await?)
            }
            _ => low.map(<[String]>::to_vec),
        };
        // In the lake, rows of one microsecond have one value: all of them are compared, or none.
        let first = from.as_ref().and_then(|from| from.first());
        let whole_microsecond = first.and_then(|first| self.kind().without_seventh_digit(first));
        Ok(match whole_microsecond {
            Some(first) => Some(vec![first]),
            None => from,
        })
    }

    fn window(&self, from: Option<Vec<String>>, nulls: bool) -> Filter {
        Filter::Window {
            cursor: self.cursor.clone(),
            from,
            below: None,
            nulls,
            lowest: true,
        }
    }
}

/// A time that no value is below which stands for it, where values are rounded as one is that was seen: a column may have few
/// digits, an application may keep whole seconds. `None`: to what hours or days are rounded depends on a time zone.
fn rounded_down(time: i64, like: i64) -> Option<i64> {
    const MILLISECOND: i64 = 1_000;
    const SECOND: i64 = 1_000 * MILLISECOND;
    const MINUTE: i64 = 60 * SECOND;
    let unit = match like {
        like if like % MINUTE == 0 => return None,
        like if like % SECOND == 0 => MINUTE,
        like if like % MILLISECOND == 0 => SECOND,
        _ => MILLISECOND,
    };
    Some(time.div_euclid(unit) * unit)
}

/// Whether a text is a number that is not padded with zeros.
fn is_number(text: &str) -> bool {
    !text.starts_with('0') && !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit())
}

/// UUIDs of other versions are in no order that new rows come in.
pub(super) fn not_version_7(column: &str) -> Error {
    Error::Configuration(format!(
        "`{column}` has UUIDs that are not of version 7, so new rows are anywhere among the old ones and would be missed; name another `incremental_column`, or write `incremental: xmin` or `full`"
    ))
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
pub(super) fn whole(row: Vec<Option<String>>) -> Option<Vec<String>> {
    let row: Option<Vec<String>> = row.into_iter().collect();
    row.filter(|row| !row.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rounded_as_values_are() {
        // 2026-03-01 12:34:56.789012 UTC.
        let time = 1_772_368_496_789_012;
        let at = |micros: i64| Some(1_772_366_400_000_000 + micros);
        let check = |like: i64, expected| assert_eq!(rounded_down(time, like), expected, "{like}");
        check(7, at(2_096_789_000));
        check(7_000, at(2_096_000_000));
        check(7_000_000, at(2_040_000_000));
        check(60_000_000, None);
        check(0, None);
        assert_eq!(rounded_down(-1, 1), Some(-1_000));
    }
}
