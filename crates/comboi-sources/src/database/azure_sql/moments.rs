//! SQL Server's dates and times: as numbers, and as its own texts (style 121).

use chrono::NaiveDate;

/// Days from 0001-01-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_162;
/// Days since 1970 of 1900-01-01.
const YEAR_1900: i64 = -25_567;
const DAY: i64 = 86_400_000_000;
/// A second in the unit of the wire, 100 nanoseconds.
const SECOND: u64 = 10_000_000;

/// Days since 1970 of days since 0001.
pub(super) fn days(days: u32) -> i64 {
    i64::from(days) - DAYS_TO_1970
}

/// Microseconds since 1970 of days since 0001 and 100 nanoseconds since midnight; what is less than a microsecond is cut off.
pub(super) fn micros(of_days: u32, ticks: u64) -> Option<i64> {
    let time = i64::try_from(ticks / 10).ok()?;
    days(of_days).checked_mul(DAY)?.checked_add(time)
}

/// Microseconds since 1970 of a `datetime`: days since 1900 and three-hundredths of a second, which the server shows as
/// .000, .003 and .007.
pub(super) fn datetime_micros(days: i32, ticks: u32) -> i64 {
    let millis = (i64::from(ticks) * 10 + 1) / 3;
    (i64::from(days) + YEAR_1900) * DAY + millis * 1000
}

/// Microseconds since 1970 of a `smalldatetime`: days since 1900 and minutes since midnight.
pub(super) fn smalldatetime_micros(days: u16, minutes: u16) -> i64 {
    (i64::from(days) + YEAR_1900) * DAY + i64::from(minutes) * 60_000_000
}

/// `HH:MM:SS.fffffff`, with this many digits.
pub(super) fn write_time(out: &mut Vec<u8>, ticks: u64, digits: u8) {
    let seconds = ticks / SECOND;
    let text = format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    out.extend(text.bytes());
    if digits > 0 {
        let fraction = format!(".{:07}", ticks % SECOND);
        out.extend(fraction.bytes().take(usize::from(digits.min(7)) + 1));
    }
}

/// `HH:MM:SS[.ffffff]` as DuckDB writes a TIME: no more digits than there are; a seventh is cut off.
pub(super) fn write_short_time(out: &mut Vec<u8>, ticks: u64) {
    let micros = ticks / 10 % 1_000_000;
    write_time(out, ticks, if micros == 0 { 0 } else { 6 });
    if micros != 0 {
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS.fffffff`. `None`: there is no such day.
pub(super) fn write_moment(out: &mut Vec<u8>, days: u32, ticks: u64, digits: u8) -> Option<()> {
    write_day(out, i64::from(days))?;
    out.push(b' ');
    write_time(out, ticks, digits);
    Some(())
}

/// `YYYY-MM-DD HH:MM:SS.fffffff +HH:MM`: the wire has the time of Greenwich, the text that of the zone.
pub(super) fn write_zoned(
    out: &mut Vec<u8>,
    days: u32,
    ticks: u64,
    digits: u8,
    minutes: i16,
) -> Option<()> {
    let day = i64::try_from(86_400 * SECOND).ok()?;
    let local =
        i64::try_from(ticks).ok()? + i64::from(minutes) * 60 * i64::try_from(SECOND).ok()?;
    write_day(out, i64::from(days) + local.div_euclid(day))?;
    out.push(b' ');
    write_time(out, local.rem_euclid(day).unsigned_abs(), digits);
    let (sign, zone) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
    out.extend(format!(" {sign}{:02}:{:02}", zone / 60, zone % 60).bytes());
    Some(())
}

/// `YYYY-MM-DD` of days since 0001.
pub(super) fn write_day(out: &mut Vec<u8>, days: i64) -> Option<()> {
    let days = i32::try_from(days + 1).ok()?;
    let date = NaiveDate::from_num_days_from_ce_opt(days)?;
    out.extend(date.format("%Y-%m-%d").to_string().bytes());
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_have_every_digit() {
        // 2026-03-01 is day 739,675 since 0001-01-01.
        let days = 739_675;
        let ticks = (12 * 3600 + 34 * 60 + 56) * SECOND + 1_234_567;
        assert_eq!(
            told(|out| write_moment(out, days, ticks, 7).unwrap()),
            "2026-03-01 12:34:56.1234567"
        );
        assert_eq!(
            told(|out| write_moment(out, days, ticks, 0).unwrap()),
            "2026-03-01 12:34:56"
        );
        assert_eq!(
            told(|out| write_moment(out, 0, 0, 3).unwrap()),
            "0001-01-01 00:00:00.000"
        );
        assert_eq!(
            told(|out| write_moment(out, 3_652_058, 863_999_999_999, 7).unwrap()),
            "9999-12-31 23:59:59.9999999"
        );
        assert_eq!(
            told(|out| write_zoned(out, days, ticks, 7, 825).unwrap()),
            "2026-03-02 02:19:56.1234567 +13:45"
        );
        assert_eq!(
            told(|out| write_zoned(out, days, ticks, 0, -840).unwrap()),
            "2026-02-28 22:34:56 -14:00"
        );
        assert_eq!(told(|out| write_short_time(out, ticks)), "12:34:56.123456");
        assert_eq!(
            told(|out| write_short_time(out, 15 * SECOND / 10)),
            "00:00:01.5"
        );
        assert_eq!(told(|out| write_short_time(out, 0)), "00:00:00");
    }

    #[test]
    fn numbers_count_from_1970() {
        assert_eq!(days(719_162), 0);
        assert_eq!(micros(719_163, 19), Some(86_400_000_001));
        assert_eq!(datetime_micros(25_567, 0), 0);
        // The last moment of a day: .997, and the two ticks before it.
        assert_eq!(datetime_micros(25_567, 25_919_999), 86_399_997_000);
        assert_eq!(datetime_micros(25_567, 1), 3_000);
        assert_eq!(datetime_micros(25_567, 2), 7_000);
        // 1753-01-01, where `datetime` begins.
        assert_eq!(datetime_micros(-53_690, 0), -6_847_804_800_000_000);
        assert_eq!(smalldatetime_micros(25_568, 1), 86_460_000_000);
    }
}
