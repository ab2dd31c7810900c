//! What is measured, held against what was written: digit by digit, never through a float.

use comboi_project::{Comparison, Located, Number};

/// A comparison and the numbers in it.
pub(super) struct Threshold {
    comparison: Comparison,
    /// One, or the least and the greatest.
    numbers: Vec<Number>,
}

impl Threshold {
    /// Those of a rule. `Err` says what can't be compared.
    pub(super) fn all(comparisons: &[Located<Comparison>]) -> Result<Vec<Self>, String> {
        Self::read(comparisons, |text| {
            Number::parse(text).ok_or_else(|| format!("`{text}` is not a number"))
        })
    }

    /// Those of a rule, where what is written is turned into numbers in another way.
    pub(super) fn read(
        comparisons: &[Located<Comparison>],
        number: impl Fn(&str) -> Result<Number, String>,
    ) -> Result<Vec<Self>, String> {
        let one = |comparison: &Located<Comparison>| {
            let values = comparison.values().into_iter();
            let numbers = values.map(|value| number(&value.text));
            Ok(Self {
                numbers: numbers.collect::<Result<_, String>>()?,
                comparison: comparison.value.clone(),
            })
        };
        comparisons.iter().map(one).collect()
    }

    fn holds(&self, number: &Number) -> bool {
        use Comparison::{
            Between, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotBetween, NotEqual,
        };
        match (&self.comparison, self.numbers.as_slice()) {
            (Equal(_), [value]) => number == value,
            (NotEqual(_), [value]) => number != value,
            (Greater(_), [value]) => number > value,
            (GreaterOrEqual(_), [value]) => number >= value,
            (Less(_), [value]) => number < value,
            (LessOrEqual(_), [value]) => number <= value,
            (Between(..), [least, greatest]) => least <= number && number <= greatest,
            (NotBetween(..), [least, greatest]) => number < least || greatest < number,
            _ => false,
        }
    }
}

/// The first threshold that a number breaks, in words: `must be less than 5`.
pub(super) fn broken(thresholds: &[Threshold], number: &Number) -> Option<String> {
    thresholds
        .iter()
        .find(|threshold| !threshold.holds(number))
        .map(|threshold| threshold.comparison.to_string())
}

#[cfg(test)]
mod tests {
    use comboi_project::{Literal, Place};

    use super::*;

    #[test]
    fn bounds_belong_to_what_is_between_them() {
        let literal = |text: &str| Literal {
            text: text.to_owned(),
            quoted: false,
        };
        let check = |comparison: Comparison, kept: &[&str], broken_by: &[&str]| {
            let located = [Located::new(comparison.clone(), Place::file(""))];
            let thresholds = Threshold::all(&located).unwrap();
            let holds = |text: &&&str| broken(&thresholds, &Number::parse(text).unwrap()).is_none();
            assert_eq!(
                kept.iter().filter(holds).count(),
                kept.len(),
                "{comparison}"
            );
            assert_eq!(broken_by.iter().filter(holds).count(), 0, "{comparison}");
        };
        let five = || literal("5.0");
        check(Comparison::Equal(five()), &["5"], &["5.000001", "-5"]);
        check(Comparison::NotEqual(five()), &["5.000001"], &["5.00"]);
        check(Comparison::Greater(five()), &["5.1", "10"], &["5", "4"]);
        check(Comparison::GreaterOrEqual(five()), &["5", "10"], &["4.99"]);
        check(Comparison::Less(five()), &["4.99", "-10"], &["5", "40"]);
        check(Comparison::LessOrEqual(five()), &["5", "-5"], &["5.01"]);
        check(
            Comparison::Between(literal("-1"), five()),
            &["-1", "0", "5"],
            &["-1.01", "5.01"],
        );
        check(
            Comparison::NotBetween(literal("-1"), five()),
            &["-1.01", "5.01"],
            &["-1", "0", "5"],
        );
    }
}
