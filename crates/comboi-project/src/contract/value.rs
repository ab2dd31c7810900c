//! Values of contracts held against the types of their columns, without a database and without a float.

use std::cmp::Ordering;

use crate::read::Literal;
use crate::{Number, SqlType};

/// Why values of a column can't be compared with a bound, if they can't.
pub(in crate::contract) fn not_a_bound(sql_type: &SqlType, bound: &Literal) -> Option<String> {
    match sql_type {
        SqlType::Varchar(_) if !bound.quoted && is_number(&bound.text) => Some(format!(
            "the column is {sql_type}, where `{}` would be compared as a text: put it in quotes to mean that, or make the column a number",
            bound.text
        )),
        SqlType::Boolean
        | SqlType::Blob
        | SqlType::Bit
        | SqlType::Json
        | SqlType::Enum(_)
        | SqlType::Null => Some(format!(
            "the column is {sql_type}, whose values have no least and greatest"
        )),
        nested if nested.is_nested() => Some(format!(
            "the column is {sql_type}, whose values have no least and greatest"
        )),
        // A bound may lie between two values, and beyond all of them.
        whole if whole.is_integer() && is_number(&bound.text) => None,
        SqlType::Date if is_moment(&bound.text) => None,
        _ => not_a_value(sql_type, bound),
    }
}

/// Why a value can't be one of a column, if it can't.
pub(in crate::contract) fn not_a_value(sql_type: &SqlType, value: &Literal) -> Option<String> {
    let text = value.text.as_str();
    let fits = match sql_type {
        SqlType::Boolean => ["true", "false"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word)),
        SqlType::Float | SqlType::Double => {
            is_number(text)
                || ["inf", "-inf", "infinity", "-infinity", "nan"]
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word))
        }
        SqlType::Decimal(..) => is_number(text),
        whole if whole.is_integer() => {
            Number::parse(text).is_some_and(|it| is_number(text) && it.fits_scale(0))
        }
        SqlType::Date => is_date(text),
        SqlType::Time | SqlType::TimeNs | SqlType::TimeTz => is_time(text),
        moment if moment.is_moment() => is_moment(text),
        SqlType::Uuid => is_uuid(text),
        SqlType::Enum(values) => values.iter().any(|known| known == text),
        _ => true,
    };
    (!fits).then(|| format!("`{text}` is not a value of the column's type {sql_type}"))
}

/// How two values of a column compare, where that can be told from their texts.
pub(in crate::contract) fn order(sql_type: &SqlType, a: &Literal, b: &Literal) -> Option<Ordering> {
    let (a, b) = (a.text.as_str(), b.text.as_str());
    match sql_type {
        number if number.is_number() => number_order(a, b),
        // ISO dates of four-digit years sort as texts; so do timestamps written in the same form.
        SqlType::Date if is_date(a) && is_date(b) => Some(a.cmp(b)),
        moment if moment.is_moment() && is_date(a) && is_date(b) => Some(a.cmp(b)),
        moment if moment.is_moment() && is_moment(a) && is_moment(b) && a.len() == b.len() => {
            Some(a.cmp(b)).filter(|_| !a.contains('+'))
        }
        _ => None,
    }
}

pub(in crate::contract) fn is_number(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let unsigned = mantissa.strip_prefix(['-', '+']).unwrap_or(mantissa);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(is_whole)
}

fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit())
}

pub(in crate::contract) fn number_order(a: &str, b: &str) -> Option<Ordering> {
    let number = |text| Number::parse(text).filter(|_| is_number(text));
    Some(number(a)?.cmp(&number(b)?))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.chars().all(|c| c.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

/// `2026-02-28`: a day that there is.
fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return false;
    };
    let (Some(year), Some(month), Some(day)) = (digits(year, 4), digits(month, 2), digits(day, 2))
    else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `13:05`, `13:05:09`, `13:05:09.25`, each perhaps with `Z`, `+02` or `+02:00`.
fn is_time(text: &str) -> bool {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let time = match text
        .rfind(['+', '-'])
        .and_then(|at| text.split_at_checked(at))
    {
        Some((time, zone)) => {
            let zone = zone.trim_start_matches(['+', '-']);
            let (hours, minutes) = zone.split_once(':').unwrap_or((zone, "00"));
            if digits(hours, 2).is_none_or(|hours| hours > 15)
                || digits(minutes, 2).is_none_or(|minutes| minutes > 59)
            {
                return false;
            }
            time
        }
        None => text,
    };
    let parts: Vec<&str> = time.split(':').collect();
    let (hours, minutes, seconds) = match parts.as_slice() {
        [hours, minutes] => (*hours, *minutes, "00"),
        [hours, minutes, seconds] => (*hours, *minutes, *seconds),
        _ => return false,
    };
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    digits(hours, 2).is_some_and(|hours| hours < 24)
        && digits(minutes, 2).is_some_and(|minutes| minutes < 60)
        && digits(whole, 2).is_some_and(|seconds| seconds < 60)
        && (1..=9).contains(&fraction.len())
        && fraction.chars().all(|c| c.is_ascii_digit())
}

fn is_moment(text: &str) -> bool {
    match text.split_once([' ', 'T']) {
        None => is_date(text),
        Some((date, time)) => is_date(date) && is_time(time),
    }
}

fn is_uuid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    lengths == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Literal {
        match text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'))
        {
            Some(text) => Literal {
                text: text.to_owned(),
                quoted: true,
            },
            None => Literal {
                text: text.to_owned(),
                quoted: false,
            },
        }
    }

    #[test]
    fn listed_values_are_values_of_the_type() {
        let fits = |sql_type: &str, it: &str| {
            not_a_value(&sql_type.parse().unwrap(), &literal(it)).is_none()
        };
        for good in ["7", "7.0", "1e3", "-0"] {
            assert!(fits("BIGINT", good), "{good}");
        }
        for bad in ["7.5", "1e-1", "x", ""] {
            assert!(!fits("BIGINT", bad), "{bad}");
        }
        assert!(!fits("DATE", "2024-02-29T12:00:00"));
    }

    fn fits(sql_type: &str, bound: &str) -> bool {
        not_a_bound(&sql_type.parse().unwrap(), &literal(bound)).is_none()
    }

    #[test]
    fn bounds_are_values_of_the_type() {
        for (sql_type, good) in [
            ("INTEGER", "-5"),
            ("INTEGER", "11.1"),
            ("TINYINT", "300"),
            ("BIGINT", "1e30"),
            ("DATE", "2024-02-29T12:00:00"),
            ("HUGEINT", "170141183460469231731687303715884105727"),
            ("DECIMAL(10,2)", "0.01"),
            ("DECIMAL(10,2)", "1e3"),
            ("DOUBLE", ".5"),
            ("DATE", "2024-02-29"),
            ("DATE", "\"2026-01-31\""),
            ("TIMESTAMP", "2026-01-31"),
            ("TIMESTAMPTZ", "2026-01-31T23:59:59.5+02:00"),
            ("TIMESTAMP", "2026-01-31 08:30"),
            ("TIME", "23:59"),
            ("VARCHAR", "\"10\""),
            ("VARCHAR", "A"),
            ("UUID", "00000000-0000-0000-0000-00000000000f"),
        ] {
            assert!(fits(sql_type, good), "{sql_type} {good}");
        }
        for (sql_type, bad) in [
            ("INTEGER", "ten"),
            ("INTEGER", "-"),
            ("DECIMAL(10,2)", "1,5"),
            ("DOUBLE", "."),
            ("DOUBLE", "1e"),
            ("DATE", "2026-02-29"),
            ("DATE", "31.01.2026"),
            ("DATE", "2026-1-1"),
            ("TIMESTAMP", "2026-01-31 24:00"),
            ("TIMESTAMP", "yesterday"),
            ("VARCHAR", "10"),
            ("BOOLEAN", "true"),
            ("INTEGER[]", "1"),
            ("BLOB", "x"),
        ] {
            assert!(!fits(sql_type, bad), "{sql_type} {bad}");
        }
    }

    #[test]
    fn numbers_compare_in_all_their_digits() {
        let check =
            |a: &str, b: &str, expected| assert_eq!(number_order(a, b), Some(expected), "{a} {b}");
        check("0.10", "0.1", Ordering::Equal);
        check("9", "10", Ordering::Less);
        check("-9", "-10", Ordering::Greater);
        check("-0", "0.0", Ordering::Equal);
        check(
            "123456789012345678901234567890.1",
            "123456789012345678901234567890.2",
            Ordering::Less,
        );
        check("007", "6.99", Ordering::Greater);
        check("1e3", "1", Ordering::Greater);
        assert_eq!(number_order("inf", "1"), None);
    }
}
