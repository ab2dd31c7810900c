//! The values of a cursor: what kind they are, and where the server's clock stands among them.

use chrono::{DateTime, NaiveDate};

const DAY: i64 = 86_400_000_000;

/// What kind of values a column of a cursor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CursorKind {
    /// Whole numbers.
    Whole,
    /// Numbers with decimals. Some databases have NaN and infinities among them.
    Number,
    /// Moments with their time zone.
    Moment,
    /// Dates with times, and no time zone.
    Local,
    /// Dates.
    Date,
    /// UUIDs. Only those of version 7 grow.
    Uuid,
    /// Texts.
    Text,
    /// Anything else that the database puts in order.
    Other,
}

/// The server's clock, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clock {
    pub(super) now: i64,
    /// What a column without a time zone would get: the later of UTC and the server's local time, as if it were UTC.
    pub(super) local: i64,
    /// Times without a time zone from here on may come again, because clocks go back about now.
    pub(super) again: Option<i64>,
}

impl CursorKind {
    /// The clock as values of this kind tell it.
    pub(super) fn clock(self, clock: Clock) -> i64 {
        match self {
            Self::Local | Self::Date => clock.local,
            _ => clock.now,
        }
    }

    /// The time up to which the values of rows to come are not lower than those that are there, as the clock is.
    pub(super) fn settled(self, clock: Clock) -> i64 {
        match (self, clock.again) {
            (Self::Local, Some(again)) => again,
            _ => self.clock(clock),
        }
    }

    /// Whether values are times, so that a clock can be compared with them.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Moment | Self::Local | Self::Date | Self::Uuid)
    }

    /// The value that ends those up to a time; itself it is beyond. In microseconds since 1970.
    pub(super) fn end(self, time: i64) -> i64 {
        match self {
            Self::Date => (time.div_euclid(DAY) + 1) * DAY,
            // What every type of a date with a time can be compared with.
            _ => time.div_euclid(1000) * 1000,
        }
    }

    /// A time as a value of this kind. `None`: the values are no times.
    pub(super) fn value(self, time: i64) -> Option<String> {
        let at = DateTime::from_timestamp_micros(time)?;
        Some(match self {
            Self::Moment => at.format("%Y-%m-%dT%H:%M:%S%.3f+00:00").to_string(),
            Self::Local => at.format("%Y-%m-%dT%H:%M:%S%.3f").to_string(),
            Self::Date => at.format("%Y-%m-%d").to_string(),
            Self::Uuid => uuid(u64::try_from(time).ok()? / 1000),
            Self::Whole | Self::Number | Self::Text | Self::Other => return None,
        })
    }

    /// The microsecond that a time with seven digits of a second lies in. `None`: it has no such digit, or it is 0.
    pub(super) fn without_seventh_digit(self, value: &str) -> Option<String> {
        let digits = value.find('.').filter(|_| self.is_time())? + 1;
        let seventh = value.get(digits + 6..digits + 7)?;
        let (head, tail) = (value.get(..digits + 6)?, value.get(digits + 7..)?);
        let is_cut = seventh != "0" && seventh.bytes().all(|it| it.is_ascii_digit());
        is_cut.then(|| format!("{head}0{tail}"))
    }

    /// The time that a value stands for, in microseconds since 1970. An infinity is at the end of them. `None`: it is no time.
    pub(super) fn time(self, value: &str) -> Option<i64> {
        match self {
            Self::Moment | Self::Local | Self::Date => moment(value),
            Self::Uuid => milliseconds(value)?.checked_mul(1000),
            Self::Whole | Self::Number | Self::Text | Self::Other => None,
        }
    }
}

/// Whether a number is none, or one that is greater than all others.
pub(super) fn is_endless(number: &str) -> bool {
    number.eq_ignore_ascii_case("NaN") || number.eq_ignore_ascii_case("Infinity")
}

/// Whether a number or a time is the infinity that is below all others.
pub(super) fn is_lowest(value: &str) -> bool {
    value.eq_ignore_ascii_case("-Infinity")
}

/// Whether a UUID is of version 7, which begins with the time at which it was made.
pub(super) fn is_version_7(uuid: &str) -> bool {
    uuid.as_bytes().get(14) == Some(&b'7')
}

/// The milliseconds that a UUID of version 7 begins with.
fn milliseconds(uuid: &str) -> Option<i64> {
    let digits: String = uuid
        .chars()
        .filter(char::is_ascii_hexdigit)
        .take(12)
        .collect();
    i64::from_str_radix(&digits, 16).ok()
}

/// The first UUID of a millisecond.
pub(super) fn uuid(milliseconds: u64) -> String {
    let hex = format!("{milliseconds:012x}");
    let (head, tail) = hex.split_at(8);
    format!("{head}-{tail}-0000-0000-000000000000")
}

/// `2026-03-01 12:00:00.123456+00`, `2026-03-01T12:00:00.1234567+05:30`, `2026-03-01`, `infinity`.
fn moment(text: &str) -> Option<i64> {
    match text {
        "infinity" => return Some(i64::MAX),
        "-infinity" => return Some(i64::MIN),
        text if text.ends_with(" BC") => return Some(i64::MIN),
        _ => {}
    }
    let (date, rest) = text.split_once(['T', ' ']).unwrap_or((text, ""));
    let mut parts = date.splitn(3, '-');
    let year: i32 = parts.next()?.parse().ok()?;
    let (month, day) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let Some(date) = NaiveDate::from_ymd_opt(year, month, day) else {
        // PostgreSQL has more years than there are here.
        return (year > 200_000).then_some(i64::MAX);
    };
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    let zone = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (time, zone) = rest.split_at(zone);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let offset = clock_time(zone.trim_start_matches(['Z', '+', '-']))?;
    Some(days * DAY + clock_time(time)? - sign * offset)
}

/// `12`, `12:30`, `12:30:15`, `12:30:15.123456`; nothing is midnight.
fn clock_time(text: &str) -> Option<i64> {
    let mut micros = 0;
    for (part, unit) in text.split(':').zip([3_600_000_000, 60_000_000, 1_000_000]) {
        let (whole, decimals) = part.split_once('.').unwrap_or((part, ""));
        let whole: i64 = if whole.is_empty() {
            0
        } else {
            whole.parse().ok()?
        };
        let decimals: i64 = format!("{decimals:0<6}").get(..6)?.parse().ok()?;
        micros += whole * unit + decimals;
    }
    Some(micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-01 12:00:00 UTC.
    const NOON: i64 = 1_772_366_400_000_000;

    #[test]
    fn times_as_databases_write_them() {
        let of = |text: &str| CursorKind::Moment.time(text);
        assert_eq!(of("2026-03-01 12:00:00+00"), Some(NOON));
        assert_eq!(of("2026-03-01 12:00:00.5+00"), Some(NOON + 500_000));
        assert_eq!(of("2026-03-01T13:30:00.0000019+01:30"), Some(NOON + 1));
        assert_eq!(of("2026-03-01 07:00:00-05"), Some(NOON));
        assert_eq!(of("2026-03-01T12:00:00Z"), Some(NOON));
        assert_eq!(of("2026-03-01 12:00"), Some(NOON));
        assert_eq!(of("2026-03-01"), Some(NOON - 43_200_000_000));
        assert_eq!(of("1969-12-31 23:59:59+00"), Some(-1_000_000));
        assert_eq!(of("infinity"), Some(i64::MAX));
        assert_eq!(of("294276-12-31 23:59:59+00"), Some(i64::MAX));
        assert_eq!(of("-infinity"), Some(i64::MIN));
        assert_eq!(of("0044-03-15 00:00:00 BC"), Some(i64::MIN));
        for none in ["", "soon", "2026-13-01", "7", "2026-03-01 noon"] {
            assert_eq!(of(none), None, "{none}");
        }
        // The example of RFC 9562, A.6: 0x017F22E279B0 is 2022-02-22 19:22:22 UTC.
        let uuid = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
        assert_eq!(CursorKind::Uuid.time(uuid), Some(1_645_557_742_000_000));
        assert!(is_version_7(uuid) && !is_version_7("919108f7-52d1-4320-9bac-f847db4148a8"));
        assert_eq!(CursorKind::Whole.time("7"), None);
    }

    #[test]
    fn a_seventh_digit_of_a_second_is_left_out() {
        let of = |text: &str| CursorKind::Local.without_seventh_digit(text);
        assert_eq!(
            of("2026-03-01T12:00:00.1234567").as_deref(),
            Some("2026-03-01T12:00:00.1234560")
        );
        assert_eq!(
            of("2026-03-01T12:00:00.1234567+05:30").as_deref(),
            Some("2026-03-01T12:00:00.1234560+05:30")
        );
        for exact in [
            "2026-03-01T12:00:00.1234560",
            "2026-03-01T12:00:00.123456+05:30",
            "2026-03-01 12:00:00.123456+00",
            "2026-03-01T12:00:00",
            "2026-03-01",
            "infinity",
        ] {
            assert_eq!(of(exact), None, "{exact}");
        }
        assert_eq!(CursorKind::Number.without_seventh_digit("1.1234567"), None);
    }

    #[test]
    fn a_time_is_a_value_of_each_kind() {
        let value = |kind: CursorKind| kind.value(kind.end(NOON + 1_234_567)).unwrap();
        assert_eq!(value(CursorKind::Moment), "2026-03-01T12:00:01.234+00:00");
        assert_eq!(value(CursorKind::Local), "2026-03-01T12:00:01.234");
        assert_eq!(value(CursorKind::Date), "2026-03-02");
        // 1772366401234 in hexadecimal.
        assert_eq!(
            value(CursorKind::Uuid),
            "019ca945-0ed2-0000-0000-000000000000"
        );
        for kind in [
            CursorKind::Moment,
            CursorKind::Local,
            CursorKind::Date,
            CursorKind::Uuid,
        ] {
            let end = kind.end(NOON + 1_234_567);
            assert_eq!(kind.time(&kind.value(end).unwrap()), Some(end), "{kind:?}");
        }
        assert_eq!(CursorKind::Text.value(NOON), None);
    }
}
