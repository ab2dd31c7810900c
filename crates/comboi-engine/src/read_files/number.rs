//! Numbers as texts write them, and which of them a type keeps: pure, and as functions of SQL.
//!
//! DuckDB's own casts round (`'1.5'::INTEGER` is 2), overflow (`'1e400'::DOUBLE` is infinity) and take what is not a
//! number elsewhere (`1_000`).

use std::error;
use std::sync::Arc;

use duckdb::arrow::array::{Array, AsArray as _, BooleanArray, RecordBatch, StringArray};
use duckdb::arrow::datatypes::{DataType, Int32Type};
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};

use crate::Error;
use crate::instance::Instance;

/// No type has more digits; `BIGNUM` is not read through [`Number::plain`].
const MOST_DIGITS: i64 = 60;

/// A number, by the parts of its text: `-01.50e3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Number<'a> {
    negative: bool,
    /// Digits before the point.
    whole: &'a str,
    /// Digits behind it; `None` without a point.
    fraction: Option<&'a str>,
    exponent: Option<i64>,
    /// Has no `+`, no blanks around it, no leading zero, and digits behind its point.
    tidy: bool,
}

impl<'a> Number<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let trimmed = text.trim_ascii();
        let (sign, rest) = match trimmed.as_bytes().first()? {
            sign @ (b'-' | b'+') => (Some(*sign), trimmed.get(1..)?),
            _ => (None, trimmed),
        };
        let (whole, rest) = digits(rest);
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (fraction, rest) = digits(rest);
                (Some(fraction), rest)
            }
            None => (None, rest),
        };
        if whole.is_empty() && fraction.is_none_or(str::is_empty) {
            return None;
        }
        let exponent = match rest.as_bytes().first() {
            None => None,
            Some(b'e' | b'E') => Some(exponent(rest.get(1..)?)?),
            Some(_) => return None,
        };
        let tidy = sign != Some(b'+')
            && trimmed.len() == text.len()
            && (whole == "0" || !whole.starts_with('0'))
            && fraction.is_none_or(|it| !it.is_empty());
        Some(Self {
            negative: sign == Some(b'-'),
            whole,
            fraction,
            exponent,
            tidy,
        })
    }

    /// Whether a type of whole numbers writes it just so: `-5`, not `-0`, `05`, `+5` or `5.0`.
    pub(super) fn is_written_whole(&self) -> bool {
        let is_negative_zero = self.negative && self.whole == "0";
        self.tidy && self.fraction.is_none() && self.exponent.is_none() && !is_negative_zero
    }

    /// How many digits a whole number has.
    pub(super) fn whole_digits(&self) -> usize {
        self.whole.len()
    }

    /// Whether a column of floating-point numbers may be found by it: the `DOUBLE`, written with as many digits as the
    /// text has, gives the same digits.
    pub(super) fn is_written_double(&self) -> bool {
        let is_negative_whole_zero = self.negative
            && self.whole == "0"
            && self.fraction.is_none()
            && self.exponent.is_none();
        self.tidy && !is_negative_whole_zero && self.has_digits_of(Float::Double)
    }

    /// Digits before and behind the point, if it is the value of a `DECIMAL`.
    pub(super) fn decimal_digits(&self) -> Option<(usize, usize)> {
        let fraction = self.fraction.unwrap_or_default();
        let is_zero = zeros_only(self.whole) && zeros_only(fraction);
        if !self.tidy || (self.negative && is_zero) {
            return None;
        }
        let exponent = self.exponent.unwrap_or(0);
        let before = i64::try_from(self.whole.trim_start_matches('0').len()).ok()? + exponent;
        let behind = i64::try_from(fraction.len()).ok()? - exponent;
        if is_zero {
            return Some((0, usize::try_from(behind.max(0)).ok()?));
        }
        Some((
            usize::try_from(before.max(0)).ok()?,
            usize::try_from(behind.max(0)).ok()?,
        ))
    }

    /// Without an exponent, with at most so many digits behind the point; `None` if a digit would be lost.
    fn plain(&self, scale: i64) -> Option<String> {
        let (digits, power) = self.significant();
        if digits.is_empty() {
            return Some("0".to_owned());
        }
        let count = i64::try_from(digits.len()).ok()?;
        if power < -scale || count + power.max(0) > MOST_DIGITS || -power > MOST_DIGITS {
            return None;
        }
        let mut text = String::from(if self.negative { "-" } else { "" });
        if power >= 0 {
            text += &digits;
            text.extend(std::iter::repeat_n('0', usize::try_from(power).ok()?));
            return Some(text);
        }
        let behind = usize::try_from(-power).ok()?;
        let padded = format!("{digits:0>width$}", width = behind + 1);
        let (whole, fraction) = padded.split_at(padded.len() - behind);
        Some(format!("{text}{whole}.{fraction}"))
    }

    /// Its digits without zeros at both ends, and the power of ten that they are multiplied with.
    fn significant(&self) -> (String, i64) {
        let fraction = self.fraction.unwrap_or_default();
        let all = format!("{}{fraction}", self.whole);
        let from_left = all.trim_start_matches('0');
        let digits = from_left.trim_end_matches('0');
        let zeros = from_left.len() - digits.len();
        let power =
            self.exponent.unwrap_or(0) - length(fraction) + i64::try_from(zeros).unwrap_or(0);
        (digits.to_owned(), power)
    }

    /// Whether the floating-point number nearest to it, written with as many digits, is this number again.
    fn has_digits_of(&self, float: Float) -> bool {
        let exponent = self.exponent.unwrap_or(0);
        let count = self.whole.len() + self.fraction.unwrap_or_default().len();
        // So few digits always come back (`DBL_DIG`), far from both ends of the range.
        if float == Float::Double && count <= 15 && exponent.abs() < 250 {
            return true;
        }
        let (digits, power) = self.significant();
        digits.is_empty()
            || float
                .nearest(&digits, power)
                .is_some_and(|it| is_written(it, &digits, power))
    }

    /// Whether the floating-point number nearest to it has the same digits before the point. Behind the point it is
    /// rounded. It is neither infinity nor, unless this number is zero, zero.
    fn has_whole_digits_of(&self, float: Float) -> bool {
        let (digits, power) = self.significant();
        if digits.is_empty() {
            return true;
        }
        let Some(nearest) = float.nearest(&digits, power) else {
            return false;
        };
        let before = usize::try_from(length(&digits) + power.min(0)).unwrap_or(0);
        let whole = digits.get(..before).unwrap_or(&digits);
        let tidy = whole.trim_end_matches('0');
        if tidy.is_empty() {
            return nearest.abs() < 1.0;
        }
        let zeros = length(whole) - length(tidy);
        is_written(nearest.trunc(), tidy, power.max(0) + zeros)
    }
}

/// Whether a number, written with as many digits, has just these, times this power of ten. Signs do not count.
fn is_written(number: f64, digits: &str, power: i64) -> bool {
    let behind = digits.len().saturating_sub(1);
    let written = format!("{:.behind$e}", number.abs());
    let Some((mantissa, exponent)) = written.split_once('e') else {
        return false;
    };
    let same_digits = mantissa.bytes().filter(|it| *it != b'.').eq(digits.bytes());
    same_digits && exponent.parse() == Ok(power + length(digits) - 1)
}

fn digits(text: &str) -> (&str, &str) {
    let end = text.bytes().position(|it| !it.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// One that no number is this long for counts as very large.
fn exponent(text: &str) -> Option<i64> {
    let (negative, number) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (number, rest) = digits(number);
    if number.is_empty() || !rest.is_empty() {
        return None;
    }
    let size = number.parse::<i64>().unwrap_or(i64::MAX).min(1_000_000_000);
    Some(if negative { -size } else { size })
}

fn zeros_only(digits: &str) -> bool {
    digits.bytes().all(|it| it == b'0')
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// A floating-point type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    /// `DOUBLE`
    Double,
    /// `FLOAT`
    Single,
}

impl Float {
    /// The number nearest to these digits times this power of ten, if it is neither infinity nor zero.
    fn nearest(self, digits: &str, power: i64) -> Option<f64> {
        let text = format!("{digits}e{power}");
        let nearest = match self {
            Self::Double => text.parse(),
            Self::Single => text.parse::<f32>().map(f64::from),
        };
        nearest.ok().filter(|it: &f64| it.is_finite() && *it != 0.0)
    }
}

/// `comboi_plain(text, scale)`: [`Number::plain`], or NULL.
struct Plain;

impl VArrowScalar for Plain {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let texts = input.column(0).as_string::<i32>();
        let scales = input.column(1).as_primitive::<Int32Type>();
        let plain =
            |(text, scale): (Option<&str>, Option<i32>)| Number::parse(text?)?.plain(scale?.into());
        let plain: StringArray = texts.iter().zip(scales).map(plain).collect();
        Ok(Arc::new(plain))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::Utf8, DataType::Int32];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Utf8)]
    }
}

/// Which texts a floating-point type takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FloatRule {
    float: Float,
    /// The type was found in values, not declared.
    found: bool,
}

impl Default for FloatRule {
    fn default() -> Self {
        Self::new(Float::Double, true)
    }
}

impl FloatRule {
    const ALL: [Self; 4] = [
        Self::new(Float::Double, true),
        Self::new(Float::Double, false),
        Self::new(Float::Single, true),
        Self::new(Float::Single, false),
    ];

    pub(super) const fn new(float: Float, found: bool) -> Self {
        Self { float, found }
    }

    /// The name of its function of SQL, from `VARCHAR` to `BOOLEAN`.
    pub(super) fn function(self) -> &'static str {
        match (self.float, self.found) {
            (Float::Double, true) => "comboi_found_double",
            (Float::Double, false) => "comboi_declared_double",
            (Float::Single, true) => "comboi_found_float",
            (Float::Single, false) => "comboi_declared_float",
        }
    }

    fn takes(self, text: &str) -> bool {
        let Some(number) = Number::parse(text) else {
            return false;
        };
        if self.found {
            let is_double = self.float == Float::Double;
            return number.is_written_double() && (is_double || number.has_digits_of(self.float));
        }
        number.has_whole_digits_of(self.float)
    }
}

struct Takes;

impl VArrowScalar for Takes {
    type State = FloatRule;

    fn invoke(
        rule: &FloatRule,
        input: RecordBatch,
    ) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let texts = input.column(0).as_string::<i32>();
        let takes: BooleanArray = texts.iter().map(|text| Some(rule.takes(text?))).collect();
        Ok(Arc::new(takes))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::Utf8];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Boolean)]
    }
}

/// Makes the functions of this file known to the SQL of comboi's own instance.
pub(crate) fn define(instance: &Instance) -> Result<(), Error> {
    let doing = "make functions for numbers";
    let explain = |failure| instance.explain(failure, doing);
    instance
        .define::<Plain>("comboi_plain", &())
        .map_err(explain)?;
    for rule in FloatRule::ALL {
        instance
            .define::<Takes>(rule.function(), &rule)
            .map_err(explain)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str, scale: i64) -> String {
        let plain = Number::parse(text).and_then(|it| it.plain(scale));
        plain.unwrap_or_else(|| "-".to_owned())
    }

    #[test]
    fn a_number_is_the_same_without_its_exponent() {
        for (text, scale, expected) in [
            ("1e5", 0, "100000"),
            ("1.5e1", 0, "15"),
            ("15e-1", 1, "1.5"),
            ("15e-1", 0, "-"),
            ("1.10", 1, "1.1"),
            ("1.005", 2, "-"),
            ("1.239e0", 2, "-"),
            ("-007.50", 2, "-7.5"),
            (" +12.0 ", 0, "12"),
            ("-0.0", 0, "0"),
            (".5", 3, "0.5"),
            ("5.", 0, "5"),
            ("1e-3", 3, "0.001"),
            ("1e60", 0, "-"),
            ("0e99999999999999999999", 0, "0"),
            ("1e99999999999999999999", 0, "-"),
            ("1_000", 0, "-"),
            ("0x1F", 0, "-"),
            ("", 0, "-"),
            (".", 0, "-"),
            ("-", 0, "-"),
            ("1e", 0, "-"),
            ("1 2", 0, "-"),
            ("١", 0, "-"),
        ] {
            assert_eq!(plain(text, scale), expected, "{text} {scale}");
        }
    }

    fn check(found: bool, float: Float, texts: &[&str], expected: bool) {
        for text in texts {
            let rule = FloatRule { float, found };
            assert_eq!(rule.takes(text), expected, "{text} {rule:?}");
        }
    }

    /// The digits of doubles are those that C's `printf("%.*e")` gives.
    #[test]
    fn a_double_is_found_by_texts_that_it_gives_back() {
        check(
            true,
            Float::Double,
            &[
                "0.1",
                "0.10",
                "-0.0",
                "5",
                "1e5",
                "1E+22",
                "0.10000000000000001",
                "1.000000000000000056e-01",
                "9007199254740992",
                "1152921504606846976",
                "1.7976931348623157e308",
                "5e-324",
                "4.9e-324",
                "2.2250738585072014e-308",
                ".5",
            ],
            true,
        );
        check(
            true,
            Float::Double,
            &[
                "9007199254740993",
                "9007199254740993.0",
                "0.10000000000000004",
                "3.14159265358979323846",
                "1e400",
                "-1e400",
                "1e-400",
                "2e-324",
                "1.8e308",
                "007",
                "01.5",
                "+1.5",
                " 1.5",
                "5.",
                "-0",
                "1_0.5",
                "1,5",
                "nan",
                "0x1p3",
            ],
            false,
        );
    }

    #[test]
    fn a_declared_double_keeps_the_digits_before_the_point() {
        check(
            false,
            Float::Double,
            &[
                "007",
                "+1.50",
                " 5.",
                "3.14159265358979323846",
                "123456789012.3456789",
                "0.00000000000000000000012345678901234567890123",
                "4503599627370496.3",
                "10.7",
                "100000000000000000000.5",
                "-9007199254740992e0",
                "1e23",
                "1.7976931348623157e308",
                "0e400",
                "-0",
            ],
            true,
        );
        check(
            false,
            Float::Double,
            &[
                "9007199254740993",
                "-9007199254740993.0",
                "9007199254740993e0",
                "9.007199254740993e15",
                "123456789012345678.5",
                "-123456789012345678.5",
                "1.234567890123456785e17",
                // 4503599627370497 is nearest.
                "4503599627370496.7",
                "0.99999999999999999999",
                "1e400",
                "1e-400",
                "1_0",
                "x",
            ],
            false,
        );
        check(
            false,
            Float::Single,
            &["16777216", "0.1", "1e38", "8388607.25"],
            true,
        );
        check(
            false,
            Float::Single,
            &["16777217", "16777217.5", "1e39", "1e-46"],
            false,
        );
        check(true, Float::Single, &["0.1", "16777216"], true);
        check(
            true,
            Float::Single,
            &["0.123456789", "16777217", "1e39"],
            false,
        );
    }
}
