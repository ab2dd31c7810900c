//! What a column is, by how many of its values are what: the one place where types are found in texts.
//!
//! Give every value of a column to [`Counts::see`], then ask for [`Counts::sql_type`]. Whether a later text is a
//! value of a type that was found so is the matter of [`fit::text`](super::fit::text) with
//! [`Origin::Found`](super::fit::Origin), which takes what would have led to the type here.

use comboi_project::SqlType;

use super::TextRules;
use super::moment::{is_date, is_instant, is_timestamp};
use super::number::Number;

/// How many of a column's values are what.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    all: u64,
    boolean: u64,
    bigint: u64,
    hugeint: u64,
    double: u64,
    decimal: u64,
    /// The most digits before and behind the point of those.
    digits: (usize, usize),
    date: u64,
    timestamp: u64,
    instant: u64,
    /// Objects and lists of JSON.
    nested: u64,
}

/// Where a text comes from, which tells what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A field of CSV: anything.
    Field,
    /// A text of JSON, without its quotes: never a number.
    JsonText,
    /// A number of JSON.
    JsonNumber,
    /// `true` or `false` of JSON.
    JsonBoolean,
    /// An object or a list of JSON.
    JsonNested,
}

impl Kind {
    /// By the kinds of `comboi_json_values`.
    pub(super) fn of_json(json_type: &str) -> Self {
        match json_type {
            "VARCHAR" => Self::JsonText,
            "BOOLEAN" => Self::JsonBoolean,
            "OBJECT" | "ARRAY" => Self::JsonNested,
            _ => Self::JsonNumber,
        }
    }
}

/// What DuckDB says of a text where the table's configuration has a format; without one, ISO 8601 is asked for here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Formatted {
    /// With `date_format`: whether the text is a date.
    pub(super) date: Option<bool>,
    /// With `timestamp_format`: whether the text is a timestamp.
    pub(super) timestamp: Option<bool>,
    /// With a `timestamp_format` that reads offsets: whether the text is an instant.
    pub(super) instant: Option<bool>,
}

impl Counts {
    /// Counts one value that is not NULL.
    pub(super) fn see(&mut self, text: &str, kind: Kind, formatted: Formatted, rules: &TextRules) {
        self.all += 1;
        match kind {
            Kind::Field => {
                self.see_boolean(text);
                self.see_number(text, rules);
                self.see_moment(text, formatted);
            }
            Kind::JsonText => self.see_moment(text, formatted),
            Kind::JsonNumber => self.see_number(text, rules),
            Kind::JsonBoolean => self.see_boolean(text),
            Kind::JsonNested => self.nested += 1,
        }
    }

    fn see_boolean(&mut self, text: &str) {
        let is_boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
        self.boolean += u64::from(is_boolean);
    }

    fn see_number(&mut self, text: &str, rules: &TextRules) {
        if !rules.decimal_comma {
            self.see_plain_number(text);
        } else if !text.contains('.') {
            self.see_plain_number(&text.replace(',', "."));
        }
    }

    fn see_plain_number(&mut self, text: &str) {
        let Some(number) = Number::parse(text) else {
            return;
        };
        if number.is_written_whole() {
            let is_bigint = match number.whole_digits() {
                ..19 => true,
                19 => text.parse::<i64>().is_ok(),
                _ => false,
            };
            self.bigint += u64::from(is_bigint);
            self.hugeint += u64::from(number.whole_digits() <= 38);
        }
        self.double += u64::from(number.is_written_double());
        if let Some((before, behind)) = number.decimal_digits() {
            self.decimal += 1;
            self.digits = (self.digits.0.max(before), self.digits.1.max(behind));
        }
    }

    fn see_moment(&mut self, text: &str, formatted: Formatted) {
        let Formatted {
            date,
            timestamp,
            instant,
        } = formatted;
        let has_format = timestamp.is_some() || instant.is_some();
        let or_iso = |formatted: Option<bool>, iso: fn(&str) -> bool| match formatted {
            Some(is_one) => is_one,
            None => !has_format && iso(text),
        };
        self.date += u64::from(date.unwrap_or_else(|| is_date(text)));
        self.timestamp += u64::from(or_iso(timestamp, is_timestamp));
        self.instant += u64::from(or_iso(instant, is_instant));
    }

    /// How many values there are.
    pub(super) fn all(&self) -> u64 {
        self.all
    }

    /// The narrowest type that all values have; `Null` if there was none.
    pub(super) fn sql_type(&self) -> SqlType {
        let all = |count: u64| count == self.all;
        if self.all == 0 {
            SqlType::Null
        } else if self.nested > 0 {
            SqlType::Json
        } else if all(self.boolean) {
            SqlType::Boolean
        } else if all(self.bigint) {
            SqlType::BigInt
        } else if all(self.hugeint) {
            SqlType::HugeInt
        } else if all(self.double) {
            SqlType::Double
        } else if let Some(decimal) = self.decimal() {
            decimal
        } else if all(self.date) {
            SqlType::Date
        } else if all(self.date + self.timestamp) {
            SqlType::Timestamp
        } else if all(self.date + self.timestamp + self.instant) {
            SqlType::TimestampTz
        } else {
            SqlType::Varchar(None)
        }
    }

    /// The same for values that are to go into a column of this type: a `DECIMAL` stays one.
    pub(super) fn sql_type_beside(&self, column: &SqlType) -> SqlType {
        match (column, self.sql_type()) {
            (SqlType::Decimal(..), SqlType::Double) => self.decimal().unwrap_or(SqlType::Double),
            (_, found) => found,
        }
    }

    /// The `DECIMAL` that keeps every digit of every value.
    fn decimal(&self) -> Option<SqlType> {
        let (before, behind) = self.digits;
        let digits = u8::try_from(before.checked_add(behind)?).ok()?;
        let scale = u8::try_from(behind).ok()?;
        let fits = self.decimal == self.all && digits <= 38;
        fits.then_some(SqlType::Decimal(digits.max(1), scale))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(rules: &TextRules, kind: Kind, texts: &[&str], expected: &str) {
        let mut counts = Counts::default();
        for text in texts {
            counts.see(text, kind, Formatted::default(), rules);
        }
        assert_eq!(counts.sql_type().to_string(), expected, "{texts:?}");
    }

    fn check(texts: &[&str], expected: &str) {
        check_with(&TextRules::default(), Kind::Field, texts, expected);
    }

    #[test]
    fn whole_numbers_are_what_their_type_writes() {
        check(
            &["0", "-5", "9223372036854775807", "-9223372036854775808"],
            "BIGINT",
        );
        check(&["9223372036854775808"], "HUGEINT");
        check(&["99999999999999999999999999999999999999"], "HUGEINT");
        for text in [
            "007", "+49", "-0", " 5", "5 ", "1_000", "0x1F", "00", "-01", "١",
        ] {
            check(&[text], "VARCHAR");
            check(&["12345", text], "VARCHAR");
            check(&["1.5", text], "VARCHAR");
        }
    }

    #[test]
    fn numbers_that_a_double_would_change_are_decimals_or_text() {
        check(&["1.10", "5", "1e5", "-0.0"], "DOUBLE");
        check(&["9007199254740993", "1.5"], "DECIMAL(17,1)");
        check(&["3.14159265358979323846", "100"], "DECIMAL(23,20)");
        check(&["98765432109876543.21", "1e3", "15e-1"], "DECIMAL(19,2)");
        check(&["0.00", "12345678901234567.8"], "DECIMAL(19,2)");
        check(&["1e400"], "VARCHAR");
        check(&["1e-400", "1"], "VARCHAR");
        check(&["9007199254740993", "-0.0"], "VARCHAR");
        check(
            &["99999999999999999999999999999999999999", "1.5"],
            "VARCHAR",
        );
        check(&["nan", "1.5"], "VARCHAR");
        check(&["inf"], "VARCHAR");
    }

    #[test]
    fn a_decimal_column_stays_one() {
        let mut counts = Counts::default();
        counts.see(
            "1.005",
            Kind::Field,
            Formatted::default(),
            &TextRules::default(),
        );
        let beside = |column: &str| counts.sql_type_beside(&column.parse().unwrap()).to_string();
        assert_eq!(beside("DECIMAL(17,1)"), "DECIMAL(4,3)");
        assert_eq!(beside("DOUBLE"), "DOUBLE");
    }

    #[test]
    fn moments() {
        check(&["2026-03-01", "2024-02-29"], "DATE");
        check(&["2026-03-01", "2026-03-01T12:00"], "TIMESTAMP");
        check(
            &["2026-03-01", "2026-03-01 12:00:00.5+02:00"],
            "TIMESTAMP WITH TIME ZONE",
        );
        check(&["2026-02-29"], "VARCHAR");
    }

    #[test]
    fn a_decimal_comma() {
        let rules = TextRules {
            decimal_comma: true,
            ..TextRules::default()
        };
        check_with(&rules, Kind::Field, &["1,5", "2"], "DOUBLE");
        check_with(&rules, Kind::Field, &["1.5"], "VARCHAR");
        check_with(&rules, Kind::Field, &["1.000,5"], "VARCHAR");
    }

    #[test]
    fn json_says_what_a_value_is_not() {
        let rules = TextRules::default();
        check_with(&rules, Kind::JsonText, &["007", "12"], "VARCHAR");
        check_with(&rules, Kind::JsonText, &["2026-03-01"], "DATE");
        check_with(&rules, Kind::JsonText, &["true"], "VARCHAR");
        check_with(&rules, Kind::JsonNumber, &["12", "1.10"], "DOUBLE");
        check_with(
            &rules,
            Kind::JsonNumber,
            &["98765432109876543.21"],
            "DECIMAL(19,2)",
        );
        check_with(&rules, Kind::JsonBoolean, &["true"], "BOOLEAN");
        check_with(&rules, Kind::JsonNested, &["{}"], "JSON");
    }
}
