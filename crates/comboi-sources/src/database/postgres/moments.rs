//! PostgreSQL's times as text that DuckDB reads as the same times.

/// Microseconds since midnight, as `HH:MM:SS[.ffffff]`.
pub(super) fn write_time(out: &mut Vec<u8>, micros: i64) {
    let seconds = micros.div_euclid(1_000_000);
    let text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    out.extend(text.bytes());
    fraction(out, micros.rem_euclid(1_000_000));
}

/// A time with its zone, which PostgreSQL sends in seconds west of Greenwich.
pub(super) fn write_time_tz(out: &mut Vec<u8>, micros: i64, west: i32) {
    write_time(out, micros);
    out.push(if west > 0 { b'-' } else { b'+' });
    let zone = west.unsigned_abs();
    out.extend(format!("{:02}", zone / 3600).bytes());
    if !zone.is_multiple_of(3600) {
        out.extend(format!(":{:02}", zone / 60 % 60).bytes());
    }
    if !zone.is_multiple_of(60) {
        out.extend(format!(":{:02}", zone % 60).bytes());
    }
}

/// In microseconds.
const HOUR: u64 = 3_600_000_000;

/// Months, days and microseconds, each with its own sign.
pub(super) fn write_interval(out: &mut Vec<u8>, months: i32, days: i32, micros: i64) {
    let begin = out.len();
    let mut unit = |count: i64, name: &str| {
        if count != 0 {
            if out.len() > begin {
                out.push(b' ');
            }
            let plural = if count.abs() == 1 { "" } else { "s" };
            out.extend(format!("{count} {name}{plural}").bytes());
        }
    };
    unit(i64::from(months / 12), "year");
    unit(i64::from(months % 12), "month");
    unit(i64::from(days), "day");
    // DuckDB does not read more hours than these in front of a colon.
    if micros.unsigned_abs() / HOUR > 99_999_999 {
        unit(micros / HOUR.cast_signed(), "hour");
        unit(micros % HOUR.cast_signed(), "microsecond");
        return;
    }
    if micros != 0 || out.len() == begin {
        if out.len() > begin {
            out.push(b' ');
        }
        if micros < 0 {
            out.push(b'-');
        }
        // The hours of an interval may be more than a day's.
        let micros = micros.unsigned_abs();
        let seconds = micros / 1_000_000;
        let text = format!(
            "{:02}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        );
        out.extend(text.bytes());
        fraction(out, i64::try_from(micros % 1_000_000).unwrap_or(0));
    }
}

fn fraction(out: &mut Vec<u8>, micros: i64) {
    if micros != 0 {
        let digits = format!(".{micros:06}");
        out.extend(digits.trim_end_matches('0').bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times() {
        assert_eq!(text(|out| write_time(out, 0)), "00:00:00");
        assert_eq!(text(|out| write_time(out, 86_400_000_000)), "24:00:00");
        assert_eq!(text(|out| write_time(out, 3_723_000_100)), "01:02:03.0001");
        assert_eq!(text(|out| write_time_tz(out, 0, -7200)), "00:00:00+02");
        assert_eq!(text(|out| write_time_tz(out, 0, 12_600)), "00:00:00-03:30");
    }

    #[test]
    fn intervals() {
        assert_eq!(text(|out| write_interval(out, 0, 0, 0)), "00:00:00");
        assert_eq!(
            text(|out| write_interval(out, 14, -3, 14_706_500_000)),
            "1 year 2 months -3 days 04:05:06.5"
        );
        assert_eq!(
            text(|out| write_interval(out, -1, 0, -1)),
            "-1 month -00:00:00.000001"
        );
        assert_eq!(
            text(|out| write_interval(out, 0, 1, 360_000_000_000)),
            "1 day 100:00:00"
        );
        assert_eq!(
            text(|out| write_interval(out, i32::MIN, i32::MAX, i64::MIN)),
            "-178956970 years -8 months 2147483647 days -2562047788 hours -54775808 microseconds"
        );
    }
}
