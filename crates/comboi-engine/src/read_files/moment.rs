//! Dates and times as ISO 8601 writes them, for finding types: pure.
//!
//! What is one here is one to DuckDB's casts too; they take more.

use chrono::NaiveDate;

/// `2026-03-01`
pub(super) fn is_date(text: &str) -> bool {
    date(text.as_bytes()).is_some_and(<[u8]>::is_empty)
}

/// `2026-03-01T12:00`, with seconds and up to six digits of a fraction.
pub(super) fn is_timestamp(text: &str) -> bool {
    date_and_time(text).is_some_and(<[u8]>::is_empty)
}

/// The same with an offset: `Z`, `+02`, `+0200`, `+02:00`.
pub(super) fn is_instant(text: &str) -> bool {
    let Some(offset) = date_and_time(text) else {
        return false;
    };
    if offset == b"Z" {
        return true;
    }
    let Some((b'+' | b'-', offset)) = offset.split_first() else {
        return false;
    };
    let Some((hours, minutes)) = two_digits(offset) else {
        return false;
    };
    // No zone is further from UTC.
    hours <= 15
        && match minutes {
            [] => true,
            [b':', minutes @ ..] | minutes => {
                two_digits(minutes).is_some_and(|(minutes, rest)| minutes < 60 && rest.is_empty())
            }
        }
}

/// What follows the date.
fn date(text: &[u8]) -> Option<&[u8]> {
    let (century, rest) = two_digits(text)?;
    let (year, rest) = two_digits(rest)?;
    let (month, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let (day, rest) = two_digits(rest.strip_prefix(b"-")?)?;
    let year = i32::try_from(century * 100 + year).ok()?;
    NaiveDate::from_ymd_opt(year, month, day)?;
    Some(rest)
}

/// What follows date and time.
fn date_and_time(text: &str) -> Option<&[u8]> {
    let rest = date(text.as_bytes())?;
    let (b'T' | b' ', rest) = rest.split_first()? else {
        return None;
    };
    let (hour, rest) = two_digits(rest)?;
    let (minute, mut rest) = two_digits(rest.strip_prefix(b":")?)?;
    let (mut second, mut fraction): (u32, &[u8]) = (0, &[]);
    if let Some(seconds) = rest.strip_prefix(b":") {
        (second, rest) = two_digits(seconds)?;
        if let Some(behind) = rest.strip_prefix(b".") {
            let end = behind.iter().position(|it| !it.is_ascii_digit());
            (fraction, rest) = behind.split_at(end.unwrap_or(behind.len()));
            if !(1..=6).contains(&fraction.len()) {
                return None;
            }
        }
    }
    // ISO 8601: 24:00 is the next day's 00:00. There are no leap seconds in the type.
    let is_midnight = (hour, minute, second) == (24, 0, 0) && fraction.iter().all(|it| *it == b'0');
    (is_midnight || (hour < 24 && minute < 60 && second < 60)).then_some(rest)
}

fn two_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let ([tens, ones], rest) = text.split_first_chunk()?;
    (tens.is_ascii_digit() && ones.is_ascii_digit())
        .then(|| (u32::from(tens - b'0') * 10 + u32::from(ones - b'0'), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(texts: &[&str], is_one: fn(&str) -> bool, expected: bool) {
        for text in texts {
            assert_eq!(is_one(text), expected, "{text}");
        }
    }

    #[test]
    fn dates() {
        check(&["2026-03-01", "2024-02-29", "9999-12-31"], is_date, true);
        let others = [
            "2026-3-1",
            "2026-02-29",
            "0000-00-00",
            "2026-13-01",
            "20260301",
            "2026-03-01 ",
        ];
        check(&others, is_date, false);
    }

    #[test]
    fn timestamps() {
        let some = [
            "2026-03-01 12:00",
            "2026-03-01T23:59:59.999999",
            "2026-03-01 24:00:00",
        ];
        check(&some, is_timestamp, true);
        let others = [
            "2026-03-01",
            "2026-03-01 12",
            "2026-03-01 12:60",
            "2016-12-31 23:59:60",
            "2026-03-01 24:00:01",
            "2026-03-01 12:00:00.1234567",
            "2026-03-01 12:00:00.",
            "2026-03-01 12:00:00Z",
        ];
        check(&others, is_timestamp, false);
    }

    #[test]
    fn instants() {
        let some = [
            "2026-03-01T12:00Z",
            "2026-03-01 12:00:00.5+02",
            "2026-03-01 12:00-0330",
            "2026-03-01 12:00+05:45",
        ];
        check(&some, is_instant, true);
        let others = [
            "2026-03-01 12:00",
            "2026-03-01 12:00+2",
            "2026-03-01 12:00+25",
            "2026-03-01 12:00+02:60",
            "2026-03-01 12:00 UTC",
        ];
        check(&others, is_instant, false);
    }
}
