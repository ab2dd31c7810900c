//! Numbers of a contract, exactly as they were written: never through a float.

use std::cmp::Ordering;
use std::fmt;

/// Numbers with a larger exponent are not taken: nothing in the lake is that large or that small.
const MAX_EXPONENT: i32 = 400;

/// A decimal number of any length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    negative: bool,
    /// Without leading zeros; empty below 1.
    whole: String,
    /// Without trailing zeros.
    fraction: String,
}

impl Number {
    /// `-12`, `+0.50`, `.5`, `1e3`, `1_000`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().replace('_', "");
        let (negative, text) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(&text)),
        };
        let (digits, exponent) = match text.split_once(['e', 'E']) {
            Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let plain = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let some = !(whole.is_empty() && fraction.is_empty());
        if !(some && plain(whole) && plain(fraction) && exponent.abs() <= MAX_EXPONENT) {
            return None;
        }
        Some(Self::shifted(negative, whole, fraction, exponent))
    }

    fn shifted(negative: bool, whole: &str, fraction: &str, exponent: i32) -> Self {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize);
        let (before, after) = if exponent < 0 {
            (zeros.as_str(), "")
        } else {
            ("", zeros.as_str())
        };
        let digits = format!("{before}{whole}{fraction}{after}");
        // Where the point stands in `digits`: the zeros put before it and the shift cancel each other.
        let point = if exponent < 0 {
            whole.len()
        } else {
            whole.len() + after.len()
        };
        Self::new(
            negative,
            digits.chars().take(point).collect(),
            digits.chars().skip(point).collect(),
        )
    }

    fn new(negative: bool, whole: String, fraction: String) -> Self {
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let negative = negative && !(whole.is_empty() && fraction.is_empty());
        Self {
            negative,
            whole,
            fraction,
        }
    }

    /// 0.
    pub fn zero() -> Self {
        Self {
            negative: false,
            whole: String::new(),
            fraction: String::new(),
        }
    }

    /// So many hundredths of a whole that a part of it is, cut off after 12 digits. `None`: there is no whole.
    pub fn percent(part: i128, whole: u64) -> Option<Self> {
        const DIGITS: usize = 12;
        let scaled = part.unsigned_abs().checked_mul(100_000_000_000_000)?;
        let digits = scaled.checked_div(u128::from(whole))?.to_string();
        let digits = format!("{digits:0>width$}", width = DIGITS + 1);
        let point = digits.len() - DIGITS;
        Some(Self::new(
            part < 0,
            digits.chars().take(point).collect(),
            digits.chars().skip(point).collect(),
        ))
    }

    /// A whole number.
    pub fn whole(number: i128) -> Self {
        Self::new(number < 0, number.unsigned_abs().to_string(), String::new())
    }

    /// How many units of this scale it is, in digits; the number must fit it.
    pub fn units(&self, scale: usize) -> String {
        let sign = if self.negative { "-" } else { "" };
        let digits = format!("{}{:0<scale$}", self.whole, self.fraction);
        let digits = digits.trim_start_matches('0');
        let digits = if digits.is_empty() { "0" } else { digits };
        format!("{sign}{digits}")
    }

    /// For people: with at most so many digits after the point, the rest cut off.
    pub fn shortened(&self, digits: usize) -> String {
        let short = Self::new(
            self.negative,
            self.whole.clone(),
            self.fraction.chars().take(digits).collect(),
        );
        short.to_string()
    }

    /// Whether it is below 0.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Digits before the point.
    pub fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// Whether it can be written with this many digits after the point.
    pub fn fits_scale(&self, scale: usize) -> bool {
        self.fraction.len() <= scale
    }

    /// The least number of this scale that is not below this one.
    pub fn ceil(&self, scale: usize) -> Self {
        self.rounded(scale, !self.negative)
    }

    /// The greatest number of this scale that is not above this one.
    pub fn floor(&self, scale: usize) -> Self {
        self.rounded(scale, self.negative)
    }

    fn rounded(&self, scale: usize, away_from_zero: bool) -> Self {
        if self.fits_scale(scale) {
            return self.clone();
        }
        let kept: String = self
            .whole
            .chars()
            .chain(self.fraction.chars().take(scale))
            .collect();
        let digits = if away_from_zero {
            plus_one(&kept)
        } else {
            kept
        };
        let point = digits.len() - scale;
        Self::new(
            self.negative,
            digits.chars().take(point).collect(),
            digits.chars().skip(point).collect(),
        )
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let size = |a: &Self, b: &Self| {
            let longer = a.whole.len().cmp(&b.whole.len());
            longer
                .then_with(|| a.whole.cmp(&b.whole))
                .then_with(|| a.fraction.cmp(&b.fraction))
        };
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

fn plus_one(digits: &str) -> String {
    let kept = digits.trim_end_matches('9');
    let nines = digits.len() - kept.len();
    let raised = match kept
        .chars()
        .next_back()
        .and_then(|digit| digit.to_digit(10))
    {
        Some(last) => format!(
            "{}{}",
            kept.chars().take(kept.len() - 1).collect::<String>(),
            last + 1
        ),
        None => "1".to_owned(),
    };
    format!("{raised}{}", "0".repeat(nines))
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.negative { "-" } else { "" };
        let whole = if self.whole.is_empty() {
            "0"
        } else {
            &self.whole
        };
        write!(f, "{sign}{whole}")?;
        if self.fraction.is_empty() {
            Ok(())
        } else {
            write!(f, ".{}", self.fraction)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let got = Number::parse(text).map_or("not a number".to_owned(), |n| n.to_string());
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn a_number_keeps_every_digit() {
        check("-12", "-12");
        check("+0.50", "0.5");
        check(".5", "0.5");
        check("007.", "7");
        check("-0.0", "0");
        check("1_000", "1000");
        check(
            "123456789012345678901234567890.123456789012345678901",
            "123456789012345678901234567890.123456789012345678901",
        );
        check("1e3", "1000");
        check("1.25e1", "12.5");
        check("1.25e-3", "0.00125");
        check("-12.5E-1", "-1.25");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in [
            "",
            "-",
            ".",
            "abc",
            "1.2.3",
            "0x10",
            "1e",
            "1e999",
            "nan",
            "inf",
            "2024-01-01",
            "--1",
        ] {
            check(text, "not a number");
        }
    }

    #[test]
    fn numbers_compare_in_all_their_digits() {
        let sorted = [
            "-1000", "-9.5", "-9.49", "-0.001", "0", "0.001", "0.01", "9", "9.5", "10", "1e3",
        ];
        let numbers: Vec<Number> = sorted.iter().map(|it| Number::parse(it).unwrap()).collect();
        for (i, a) in numbers.iter().enumerate() {
            for (j, b) in numbers.iter().enumerate() {
                assert_eq!(a.cmp(b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(Number::parse("-0.0").unwrap(), Number::zero());
    }

    #[test]
    fn percentages_are_exact_for_twelve_digits() {
        let check = |part: i128, whole: u64, expected: &str| {
            let percent = Number::percent(part, whole);
            assert_eq!(
                percent.map(|it| it.to_string()).unwrap_or_default(),
                expected,
                "{part} of {whole}"
            );
        };
        check(1, 4, "25");
        check(1, 3, "33.333333333333");
        check(-1, 8, "-12.5");
        check(0, 7, "0");
        check(3, 2, "150");
        check(1, 10_000_000, "0.00001");
        check(1, 0, "");
        assert_eq!(Number::percent(2, 3).unwrap().shortened(2), "66.66");
    }

    #[test]
    fn rounding_goes_to_the_side_asked_for() {
        let check = |text: &str, scale: usize, floor: &str, ceil: &str| {
            let number = Number::parse(text).unwrap();
            assert_eq!(
                (
                    number.floor(scale).to_string(),
                    number.ceil(scale).to_string()
                ),
                (floor.to_owned(), ceil.to_owned()),
                "{text} at {scale}"
            );
        };
        check("0.005", 2, "0", "0.01");
        check("-0.005", 2, "-0.01", "0");
        check("0.5", 0, "0", "1");
        check("-0.5", 0, "-1", "0");
        check("9.99", 1, "9.9", "10");
        check("99.999", 2, "99.99", "100");
        check("0.0999", 3, "0.099", "0.1");
        check("0.001", 2, "0", "0.01");
        check("12.30", 2, "12.3", "12.3");
        check("7", 3, "7", "7");
    }
}
