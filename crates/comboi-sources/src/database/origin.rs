//! Where the values of a cursor come from, as far as the database knows, and which of them may come in another order than rows do.

use comboi_project::Lookback;

use super::cursor::CursorKind;

/// Where the values of a column come from, as far as the database knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Whether a default, an identity or a trigger of the database gives them; `None` where that can't be told.
    pub by_database: Option<bool>,
    /// Whether the rows come from another server by replication.
    pub is_replicated: bool,
    /// The sequence that they are numbers of.
    pub sequence: Option<Sequence>,
}

/// A sequence that gives a column its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its name.
    pub name: String,
    /// How many numbers a session takes at once.
    pub cache: i64,
    /// The step from one number to the next.
    pub step: i64,
    /// Whether it begins again at its end.
    pub cycles: bool,
    /// The last number that it gave out; `None` where the login may not know, or when there was none.
    pub last: Option<i64>,
}

/// What is wrong with values that come from elsewhere than the database.
struct Reasons {
    /// How replicated rows come.
    replicated: &'static str,
    /// What is true of values that the database does not give.
    by_hand: &'static str,
    /// What can be missed, and what to do.
    what_to_do: &'static str,
}

impl Origin {
    /// Why a new row may have a lower value than rows that were read, each with what to do. `greatest` is the greatest number
    /// that was seen, the checkpoint's or a row's.
    pub(super) fn doubts(
        &self,
        kind: CursorKind,
        lookback: Option<&Lookback>,
        greatest: Option<&str>,
    ) -> Vec<String> {
        match kind {
            CursorKind::Whole => self.of_numbers(lookback, greatest),
            CursorKind::Moment | CursorKind::Local | CursorKind::Date if lookback.is_none() => {
                self.of_times()
            }
            CursorKind::Number if lookback.is_none() => self.of_values(),
            CursorKind::Text | CursorKind::Uuid | CursorKind::Other => self.of_values(),
            _ => Vec::new(),
        }
    }

    fn of_values(&self) -> Vec<String> {
        const LOWER: &str = "a row with a lower value than rows that were read before is missed; write `incremental: xmin`, or `full`";
        let reasons = Reasons {
            replicated: "in the order of their commits",
            by_hand: "it has no default and no trigger, so applications set it",
            what_to_do: LOWER,
        };
        self.of_origin(&reasons)
    }

    fn of_times(&self) -> Vec<String> {
        const LATE: &str = "a row whose time is more than 10 seconds before its commit may be missed; write a \
            `lookback` longer than the longest delay, such as `lookback: 10m`";
        let reasons = Reasons {
            replicated: "with times of that server",
            by_hand: "it has no default and no trigger, so applications set it by their own clocks",
            what_to_do: LATE,
        };
        self.of_origin(&reasons)
    }

    fn of_numbers(&self, lookback: Option<&Lookback>, greatest: Option<&str>) -> Vec<String> {
        const LOWER: &str = "a row with a lower number than rows that were read before is missed; write a `lookback` of as many \
            numbers as may be given out meanwhile, such as `lookback: 10000`, or `incremental: xmin`";
        let is_near = lookback.is_some();
        let mut doubts = Vec::new();
        match &self.sequence {
            Some(Sequence { name, step, .. }) if *step < 0 => doubts.push(format!(
                "its sequence `{name}` counts down, so new rows are below those that were read and are missed; write `incremental: xmin`, or `full`"
            )),
            Some(Sequence { name, cycles: true, .. }) => doubts.push(format!(
                "its sequence `{name}` begins again at its end (CYCLE): the rows after that are missed until it is beyond the checkpoint; write `incremental: xmin`"
            )),
            Some(Sequence { name, cache, .. }) if *cache > 1 && !is_near => doubts.push(format!(
                "each session takes {cache} numbers of its sequence `{name}` at once (CACHE): {LOWER}"
            )),
            _ => {}
        }
        if !is_near {
            let reasons = Reasons {
                replicated: "in the order of their commits",
                by_hand: "it has no default, so applications give the numbers out (a pool of numbers, say)",
                what_to_do: LOWER,
            };
            doubts.extend(self.of_origin(&reasons));
        }
        doubts.extend(self.behind(lookback, greatest));
        doubts
    }

    /// Rows of another server, or values that applications set.
    fn of_origin(&self, reasons: &Reasons) -> Vec<String> {
        let Reasons {
            replicated,
            by_hand,
            what_to_do,
        } = reasons;
        if self.is_replicated {
            vec![format!(
                "its rows are replicated from another server, {replicated}: {what_to_do}"
            )]
        } else if self.by_database == Some(false) && self.sequence.is_none() {
            vec![format!("{by_hand}: {what_to_do}")]
        } else {
            Vec::new()
        }
    }

    /// A sequence that is behind the rows: it was set back, or numbers were written by hand.
    fn behind(&self, lookback: Option<&Lookback>, greatest: Option<&str>) -> Option<String> {
        let Sequence {
            name,
            step,
            last: Some(last),
            ..
        } = self.sequence.as_ref()?
        else {
            return None;
        };
        let greatest: i128 = greatest?.parse().ok()?;
        let again = match lookback {
            Some(Lookback::Number(number)) => number.whole().unwrap_or(0),
            _ => 0,
        };
        let is_behind = *step > 0 && i128::from(*last) < greatest - i128::from(again);
        is_behind.then(|| {
            format!(
                "its sequence `{name}` is at {last}, and rows were read up to {greatest}: it was set back, or a number was written by hand. \
                 Rows that get lower numbers from now on are missed; set the sequence beyond {greatest}, or, where the source was set back, begin anew with `comboi reset-checkpoint`"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence(cache: i64, last: i64) -> Origin {
        Origin {
            by_database: Some(true),
            is_replicated: false,
            sequence: Some(Sequence {
                name: "t_id_seq".into(),
                cache,
                step: 1,
                cycles: false,
                last: Some(last),
            }),
        }
    }

    fn check(
        origin: &Origin,
        kind: CursorKind,
        lookback: Option<&str>,
        greatest: &str,
        expected: &[&str],
    ) {
        let lookback = lookback.map(|text| text.parse().unwrap());
        let doubts = origin.doubts(kind, lookback.as_ref(), Some(greatest));
        assert_eq!(doubts.len(), expected.len(), "{doubts:?}");
        for (doubt, part) in doubts.iter().zip(expected) {
            assert!(doubt.contains(part), "{doubt}");
        }
    }

    #[test]
    fn numbers_that_do_not_come_in_order() {
        let whole = CursorKind::Whole;
        check(&sequence(1, 100), whole, None, "100", &[]);
        check(&sequence(20, 100), whole, None, "90", &["takes 20 numbers"]);
        check(&sequence(20, 100), whole, Some("1000"), "90", &[]);
        check(
            &sequence(1, 100),
            whole,
            None,
            "101",
            &["is at 100, and rows were read up to 101"],
        );
        check(&sequence(1, 100), whole, Some("1"), "101", &[]);
        check(&sequence(1, 100), whole, Some("1"), "102", &["is at 100"]);
        let mut down = sequence(1, -5);
        down.sequence.as_mut().unwrap().step = -1;
        check(&down, whole, Some("10"), "-1", &["counts down"]);
        let by_hand = Origin {
            by_database: Some(false),
            ..Origin::default()
        };
        check(&by_hand, whole, None, "5", &["no default"]);
        check(&by_hand, whole, Some("5"), "5", &[]);
        check(&Origin::default(), whole, None, "5", &[]);
    }

    #[test]
    fn other_values_that_applications_set() {
        let by = |by_database| Origin {
            by_database,
            ..Origin::default()
        };
        let (by_hand, by_default) = (by(Some(false)), by(Some(true)));
        for kind in [
            CursorKind::Number,
            CursorKind::Text,
            CursorKind::Uuid,
            CursorKind::Other,
        ] {
            check(&by_hand, kind, None, "", &["no default and no trigger"]);
            check(&by_default, kind, None, "", &[]);
            check(&by(None), kind, None, "", &[]);
        }
        check(&by_hand, CursorKind::Number, Some("5"), "", &[]);
    }

    #[test]
    fn times_that_applications_set() {
        let by_hand = Origin {
            by_database: Some(false),
            ..Origin::default()
        };
        check(
            &by_hand,
            CursorKind::Moment,
            None,
            "",
            &["no default and no trigger"],
        );
        check(&by_hand, CursorKind::Moment, Some("10m"), "", &[]);
        check(&by_hand, CursorKind::Date, Some("1d"), "", &[]);
        let replicated = Origin {
            by_database: Some(true),
            is_replicated: true,
            sequence: None,
        };
        check(&replicated, CursorKind::Local, None, "", &["replicated"]);
    }
}
