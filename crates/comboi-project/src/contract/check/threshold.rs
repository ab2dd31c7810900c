//! Thresholds that nothing can reach, or that everything keeps.

use std::cmp::Ordering;

use crate::contract::quality::AggregateFunction;
use crate::contract::rules::RuleKind;
use crate::contract::terms::{Comparison, Unit};
use crate::contract::value;
use crate::read::Located;

/// Between which numbers lies what a rule measures.
#[derive(Clone, Copy)]
pub(super) struct Domain {
    least: Option<&'static str>,
    greatest: Option<&'static str>,
}

impl Domain {
    pub(super) fn of(kind: &RuleKind, unit: Unit) -> Self {
        use AggregateFunction::{Avg, Max, Median, Min, Quantile, Sum};
        let (least, greatest) = match (kind, unit) {
            (kind, Unit::Percent) if kind.is_about_rows() => (Some("0"), Some("100")),
            (RuleKind::RowCountChange { .. } | RuleKind::RowCountMatch { .. }, Unit::Percent) => {
                (Some("-100"), None)
            }
            (
                RuleKind::RowCountChange { .. }
                | RuleKind::RowCountMatch { .. }
                | RuleKind::AggregateMatch { .. }
                | RuleKind::CustomSql { .. },
                _,
            ) => (None, None),
            (
                RuleKind::Aggregate {
                    function: Avg | Max | Median | Min | Quantile | Sum,
                    ..
                },
                _,
            ) => (None, None),
            _ => (Some("0"), None),
        };
        Self { least, greatest }
    }

    /// What can be said against thresholds, of which all have to hold: which one, and what is wrong.
    pub(super) fn wrong(
        self,
        comparisons: &[Located<Comparison>],
    ) -> Option<(&Located<Comparison>, String)> {
        comparisons
            .iter()
            .find_map(|one| Some((one, self.wrong_alone(&one.value)?)))
            .or_else(|| {
                let last = comparisons.last()?;
                let mut left = Left::of(self);
                comparisons.iter().for_each(|one| left.narrow(&one.value));
                (left.is_empty() && comparisons.len() > 1)
                    .then(|| (last, "no number keeps all of these thresholds".to_owned()))
            })
    }

    fn wrong_alone(self, comparison: &Comparison) -> Option<String> {
        if let Comparison::Between(least, greatest) | Comparison::NotBetween(least, greatest) =
            comparison
            && above(&least.text, &greatest.text)
        {
            return Some(format!(
                "the first of `{}` is above the second",
                comparison.key()
            ));
        }
        let mut left = Left::of(self);
        left.narrow(comparison);
        if left.is_empty() {
            return Some(format!("`{comparison}` can never be: {}", self.told()));
        }
        self.keeps_all(comparison)
            .then(|| format!("`{comparison}` is always so: {}", self.told()))
    }

    fn told(self) -> String {
        match (self.least, self.greatest) {
            (Some(least), Some(greatest)) => {
                format!("what is measured lies between {least} and {greatest}")
            }
            (Some(least), None) => format!("what is measured is not below {least}"),
            _ => "it says nothing".to_owned(),
        }
    }

    fn keeps_all(self, comparison: &Comparison) -> bool {
        let below_all = |text: &str, or_least: bool| {
            self.least
                .is_some_and(|least| before(text, least, or_least))
        };
        let above_all = |text: &str, or_greatest: bool| {
            self.greatest
                .is_some_and(|greatest| before(greatest, text, or_greatest))
        };
        match comparison {
            Comparison::Equal(_) => false,
            Comparison::NotEqual(value) => {
                below_all(&value.text, false) || above_all(&value.text, false)
            }
            Comparison::Greater(value) => below_all(&value.text, false),
            Comparison::GreaterOrEqual(value) => below_all(&value.text, true),
            Comparison::Less(value) => above_all(&value.text, false),
            Comparison::LessOrEqual(value) => above_all(&value.text, true),
            Comparison::Between(least, greatest) => {
                below_all(&least.text, true) && above_all(&greatest.text, true)
            }
            Comparison::NotBetween(least, greatest) => {
                below_all(&greatest.text, false) || above_all(&least.text, false)
            }
        }
    }
}

/// The numbers that thresholds leave. Holes in them are not looked at.
struct Left<'a> {
    /// The least, and whether it is left out itself.
    least: Option<(&'a str, bool)>,
    greatest: Option<(&'a str, bool)>,
}

impl<'a> Left<'a> {
    fn of(domain: Domain) -> Self {
        Self {
            least: domain.least.map(|text| (text, false)),
            greatest: domain.greatest.map(|text| (text, false)),
        }
    }

    fn narrow(&mut self, comparison: &'a Comparison) {
        match comparison {
            Comparison::Equal(value) => {
                self.raise(&value.text, false);
                self.lower(&value.text, false);
            }
            Comparison::Greater(value) => self.raise(&value.text, true),
            Comparison::GreaterOrEqual(value) => self.raise(&value.text, false),
            Comparison::Less(value) => self.lower(&value.text, true),
            Comparison::LessOrEqual(value) => self.lower(&value.text, false),
            Comparison::Between(least, greatest) => {
                self.raise(&least.text, false);
                self.lower(&greatest.text, false);
            }
            Comparison::NotEqual(_) | Comparison::NotBetween(..) => {}
        }
    }

    fn raise(&mut self, to: &'a str, open: bool) {
        let stricter = self.least.is_none_or(|(least, _)| before(least, to, open));
        if stricter {
            self.least = Some((to, open));
        }
    }

    fn lower(&mut self, to: &'a str, open: bool) {
        let stricter = self
            .greatest
            .is_none_or(|(greatest, _)| before(to, greatest, open));
        if stricter {
            self.greatest = Some((to, open));
        }
    }

    fn is_empty(&self) -> bool {
        match (self.least, self.greatest) {
            (Some((least, open)), Some((greatest, other_open))) => {
                before(greatest, least, open || other_open)
            }
            _ => false,
        }
    }
}

fn above(a: &str, b: &str) -> bool {
    before(b, a, false)
}

/// Whether a number lies before another, or is the same one where that counts. What can't be compared lies nowhere.
fn before(a: &str, b: &str, or_same: bool) -> bool {
    match value::number_order(a, b) {
        Some(Ordering::Less) => true,
        Some(Ordering::Equal) => or_same,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;
    use crate::read::Literal;

    fn check(domain: (Option<&'static str>, Option<&'static str>), written: &str, expected: &str) {
        let literal = |text: &str| Literal {
            text: text.to_owned(),
            quoted: false,
        };
        let comparisons: Vec<Located<Comparison>> = written
            .split(", ")
            .map(|one| {
                let comparison = match one.split(' ').collect::<Vec<_>>().as_slice() {
                    ["=", value] => Comparison::Equal(literal(value)),
                    ["!=", value] => Comparison::NotEqual(literal(value)),
                    [">", value] => Comparison::Greater(literal(value)),
                    [">=", value] => Comparison::GreaterOrEqual(literal(value)),
                    ["<", value] => Comparison::Less(literal(value)),
                    ["<=", value] => Comparison::LessOrEqual(literal(value)),
                    ["in", least, greatest] => {
                        Comparison::Between(literal(least), literal(greatest))
                    }
                    ["out", least, greatest] => {
                        Comparison::NotBetween(literal(least), literal(greatest))
                    }
                    other => panic!("{other:?}"),
                };
                Located::new(comparison, Place::file(""))
            })
            .collect();
        let domain = Domain {
            least: domain.0,
            greatest: domain.1,
        };
        let found = domain.wrong(&comparisons).map(|(_, wrong)| wrong);
        assert_eq!(found.unwrap_or_default(), expected, "{written}");
    }

    #[test]
    fn what_can_never_be_is_told() {
        let rows = (Some("0"), None);
        let percent = (Some("0"), Some("100"));
        check(
            rows,
            "< 0",
            "`must be less than 0` can never be: what is measured is not below 0",
        );
        check(
            rows,
            "= -1",
            "`must be -1` can never be: what is measured is not below 0",
        );
        check(
            percent,
            "> 100",
            "`must be greater than 100` can never be: what is measured lies between 0 and 100",
        );
        check(
            percent,
            "in 101 200",
            "`must be between 101 and 200` can never be: what is measured lies between 0 and 100",
        );
        check(
            rows,
            "in 5 4",
            "the first of `must_be_between` is above the second",
        );
        check(rows, "> 5, < 5", "no number keeps all of these thresholds");
        check(rows, ">= 5, <= 5", "");
        check(
            rows,
            ">= 5, < 5.0",
            "no number keeps all of these thresholds",
        );
    }

    #[test]
    fn what_is_always_so_is_told() {
        let rows = (Some("0"), None);
        let percent = (Some("0"), Some("100"));
        check(
            rows,
            ">= 0",
            "`must be greater or equal to 0` is always so: what is measured is not below 0",
        );
        check(
            percent,
            "<= 100",
            "`must be less or equal to 100` is always so: what is measured lies between 0 and 100",
        );
        check(
            percent,
            "in 0 100",
            "`must be between 0 and 100` is always so: what is measured lies between 0 and 100",
        );
        check(
            rows,
            "!= -3",
            "`must not be -3` is always so: what is measured is not below 0",
        );
        check(
            percent,
            "out 200 300",
            "`must not be between 200 and 300` is always so: what is measured lies between 0 and 100",
        );
        for good in [
            "< 5", "> 0", "= 0", "<= 0", "!= 0", "in 0 99", "out 1 2", "< 100",
        ] {
            check(percent, good, "");
        }
        check((None, None), "< -1000", "");
    }
}
