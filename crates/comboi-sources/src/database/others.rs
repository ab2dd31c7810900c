//! Which transactions are open that may still write, from one look to the next.
//!
//! The beginning of some transactions can't be asked for: of prepared ones, whose time is that of PREPARE, and of sessions that do not
//! say what they do. What is known of them is when they were not there yet: whatever comes between two looks began after the first
//! look, or was one of those that were open then.

use std::collections::BTreeMap;

use super::bounds::one_row;
use super::client::{Connection, Dialect};
use super::cursor::Clock;
use crate::{Error, Note};

/// A transaction that began so much later than now shows that the clock went back.
const CLOCK_WENT_BACK: i64 = 10_000_000;

/// A transaction that has written and is open for so long may have been forgotten.
const FORGOTTEN: i64 = HOUR;

const HOUR: i64 = 3_600_000_000;

/// Nothing is known of a beginning.
const UNKNOWN: i64 = i64::MIN;

/// Open transactions that may still write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Others {
    pub(super) clock: Clock,
    /// None of those that are open began after this: the time now, or later where a clock went back.
    pub(super) asked_at: i64,
    /// None of them began before this; `None` when none is open.
    oldest: Option<i64>,
    /// Since when at least the oldest is open that has written; it can be in another database, if that matters.
    written: Option<i64>,
    pub(super) all_seen: bool,
}

impl Others {
    /// Whether all have ended that were open at a time.
    pub(super) fn ended_since(&self, time: i64) -> bool {
        self.oldest.is_none_or(|oldest| oldest > time)
    }

    /// When the oldest began, if one is open and that is known.
    pub(super) fn oldest(&self) -> Option<i64> {
        self.oldest.filter(|oldest| *oldest != UNKNOWN)
    }

    /// What people should know of them, where reading is bounded by one that began then, or by one that has written.
    pub(super) fn note(&self, since: Option<i64>, holds_back: bool) -> Note {
        let is_old = |began: i64| began <= self.clock.now - FORGOTTEN;
        // Without the right to look, nobody can say that all is well.
        let is_unseen = holds_back && self.written.is_none() && !self.all_seen;
        Note::OpenTransactions {
            since: since.or(self.written),
            holds_back,
            is_long: is_unseen || since.is_none_or(is_old) && self.written.is_some_and(is_old),
        }
    }
}

/// Looks that follow each other.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// No transaction that was open at the last look, or came after it, began before this.
    horizon: Option<i64>,
    /// Transactions whose beginning can't be asked for, and what none of them began before.
    unknown: BTreeMap<String, i64>,
}

impl Watch {
    pub(super) async fn look(
        &mut self,
        dialect: &dyn Dialect,
        connection: &mut dyn Connection,
    ) -> Result<Others, Error> {
        let row = one_row(connection, &dialect.open_transactions()).await?;
        self.take(&row).ok_or_else(|| Error::Refused {
            doing: "ask the server for the time".into(),
            why: "it gave no answer that can be understood".into(),
        })
    }

    fn take(&mut self, row: &[Option<String>]) -> Option<Others> {
        let text = |at: usize| row.get(at).and_then(Option::as_deref);
        let number = |at: usize| text(at).and_then(|text| text.parse::<i64>().ok());
        let now = number(0)?;
        let newest = number(5).unwrap_or(now);
        let inherited = self.horizon.unwrap_or(UNKNOWN);
        let names = text(3).unwrap_or_default().split(',');
        let unknown: BTreeMap<String, i64> = names
            .filter(|name| !name.is_empty())
            .map(|name| {
                let before = self.unknown.get(name).copied();
                (name.to_owned(), before.unwrap_or(inherited))
            })
            .collect();
        let known = if newest > now.saturating_add(CLOCK_WENT_BACK) {
            Some(UNKNOWN)
        } else {
            number(1)
        };
        let oldest = known.into_iter().chain(unknown.values().copied()).min();
        self.horizon = Some(oldest.map_or(now, |oldest| oldest.min(now)));
        self.unknown = unknown;
        Some(Others {
            clock: Clock {
                now,
                local: number(4).unwrap_or(now).max(now),
                again: number(4).and_then(|local| again(local, now, number(7))),
            },
            asked_at: newest.max(now),
            oldest,
            written: number(6),
            all_seen: text(2) == Some("t"),
        })
    }
}

/// Where local times begin that may come again, if clocks go back so far within an hour from now or have done so in the last hour.
/// A server that does not know when they go back may be west of Greenwich, where they do in nights from Saturday to Sunday. East of
/// it, the time of Greenwich is behind local time by as much as clocks go back, and it bounds reading.
fn again(local: i64, now: i64, back: Option<i64>) -> Option<i64> {
    const DAY: i64 = 24 * HOUR;
    // 1970-01-01 was a Thursday.
    let is_saturday_night = (local + DAY / 2).div_euclid(DAY).rem_euclid(7) == 3;
    let back = back.unwrap_or(if is_saturday_night && local < now {
        HOUR
    } else {
        0
    });
    (back > 0).then_some(local - back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_times_that_come_again() {
        // 2026-11-01, a Sunday, 01:30 in New York: clocks go back from 02:00 to 01:00. 05:30 UTC.
        let local = 1_793_496_600_000_000;
        let utc = local + 4 * HOUR;
        assert_eq!(again(local, utc, Some(HOUR)), Some(local - HOUR));
        assert_eq!(again(local, utc, Some(0)), None);
        assert_eq!(again(local, utc, None), Some(local - HOUR));
        // Saturday noon, Sunday noon.
        assert_eq!(again(local - 14 * HOUR, utc, None), None);
        assert_eq!(again(local + 11 * HOUR, utc + 11 * HOUR, None), None);
        // In Berlin, and at Greenwich.
        assert_eq!(again(local, local - HOUR, None), None);
        assert_eq!(again(local, local, None), None);
    }

    /// Looks, one after the other: the time, the oldest, those of which nothing is known, the newest.
    fn looks(rows: &[(i64, Option<i64>, &str, Option<i64>)]) -> Vec<Others> {
        let mut watch = Watch::default();
        let text = |number: &Option<i64>| number.map(|it| it.to_string());
        let look = |(now, oldest, unknown, newest): &(i64, Option<i64>, &str, Option<i64>)| {
            let row = [
                text(&Some(*now)),
                text(oldest),
                Some("t".to_owned()),
                Some((*unknown).to_owned()),
                None,
                text(newest),
            ];
            watch.take(&row).unwrap()
        };
        rows.iter().map(look).collect()
    }

    #[test]
    fn what_was_there_at_the_first_look_may_have_begun_at_any_time() {
        let found = looks(&[(100, None, "p7", None), (200, None, "p7", None)]);
        assert!(!found[0].ended_since(0) && !found[1].ended_since(0));
        assert_eq!(found[1].oldest(), None);
    }

    #[test]
    fn what_comes_later_began_after_the_look_before_or_was_open_then() {
        // Nobody was open at 100.
        let found = looks(&[(100, None, "", None), (200, None, "p8", None)]);
        assert!(found[1].ended_since(99) && !found[1].ended_since(100));
        // One that began at 50 was.
        let found = looks(&[
            (100, Some(50), "", Some(50)),
            (200, Some(150), "p8", Some(150)),
            (300, None, "p8", None),
            (400, None, "p9", None),
        ]);
        assert_eq!(found[1].oldest(), Some(50));
        assert_eq!(found[2].oldest(), Some(50));
        // Between the last two looks: 9 may have been in place of 8 for a while.
        assert_eq!(found[3].oldest(), Some(50));
        let found = looks(&[
            (100, None, "p8", None),
            (200, None, "", None),
            (300, None, "p9", None),
        ]);
        assert_eq!(found[2].oldest(), Some(200));
    }

    #[test]
    fn a_clock_that_went_back_ends_nothing() {
        // It began a second later than now is.
        let found = looks(&[
            (100, Some(1_000_100), "", Some(1_000_100)),
            (1_000_200, Some(1_000_100), "", Some(1_000_100)),
        ]);
        assert!(!found[1].ended_since(found[0].asked_at));
        // An hour later: rows may have got any time meanwhile.
        let hour = 3_600_000_000;
        let found = looks(&[(100, Some(hour), "", Some(hour))]);
        assert_eq!((found[0].oldest(), found[0].ended_since(0)), (None, false));
    }

    #[test]
    fn a_transaction_that_has_written_and_is_open_for_an_hour_may_be_forgotten() {
        // The oldest, the oldest that has written, whether all are seen; since when it is told, and whether that is a warning.
        let check = |oldest: Option<i64>, written: Option<i64>, all_seen, expected| {
            let clock = Clock {
                now: 2 * HOUR,
                local: 2 * HOUR,
                again: None,
            };
            let others = Others {
                clock,
                asked_at: clock.now,
                oldest,
                written,
                all_seen,
            };
            let of = |note: Note| match note {
                Note::OpenTransactions { since, is_long, .. } => (since, is_long),
                other => panic!("{other}"),
            };
            let found = [
                of(others.note(others.oldest(), false)),
                of(others.note(None, true)),
            ];
            assert_eq!(found, expected);
        };
        let fresh = (Some(HOUR + 1), false);
        check(Some(HOUR + 1), Some(HOUR + 1), true, [fresh, fresh]);
        let old = (Some(HOUR), true);
        check(Some(HOUR), Some(HOUR), true, [old, old]);
        // An old one only reads.
        check(Some(7), None, true, [(Some(7), false), (None, false)]);
        check(Some(7), Some(HOUR + 1), true, [(Some(7), false), fresh]);
        // It is prepared, so that it began before it was prepared.
        check(Some(UNKNOWN), Some(HOUR), true, [old, old]);
        check(None, None, false, [(None, false), (None, true)]);
    }
}
