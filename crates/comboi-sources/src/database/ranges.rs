//! Dividing a range of the incremental column, for reading it again piece by piece.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, TimeDelta};
use comboi_project::Lookback;

/// Divides the range from a value (itself too) to another one (itself not) into pieces of this size.
///
/// Values are whole numbers, dates, or
/// moments such as `2026-03-01 12:00:00` and `2026-03-01T12:00:00Z`; the ends of the range stay as they were written.
///
/// An error says what does not fit.
pub fn split_range(
    from: &str,
    to: &str,
    size: Option<&Lookback>,
) -> Result<Vec<(String, String)>, String> {
    let ends = |edges: Vec<String>| -> Vec<(String, String)> {
        let mut all = vec![from.to_owned()];
        all.extend(edges);
        all.push(to.to_owned());
        all.windows(2)
            .map(|pair| (pair[0].clone(), pair[1].clone()))
            .collect()
    };
    let backwards = || format!("`{to}` is not after `{from}`");
    if let (Ok(low), Ok(high)) = (from.trim().parse::<i64>(), to.trim().parse::<i64>()) {
        if low >= high {
            return Err(backwards());
        }
        return match size {
            None => Ok(ends(Vec::new())),
            Some(Lookback::Number(size)) if size.whole().is_some_and(|size| size > 0) => {
                let size = size.whole().unwrap_or(u64::MAX);
                let step = usize::try_from(size).unwrap_or(usize::MAX);
                Ok(ends(
                    (low..high)
                        .step_by(step)
                        .skip(1)
                        .map(|it| it.to_string())
                        .collect(),
                ))
            }
            Some(size) => Err(format!(
                "a range of numbers can't be divided into pieces of `{size}`: say a whole number"
            )),
        };
    }
    let (Some(low), Some(high)) = (moment(from), moment(to)) else {
        return match size {
            None => Ok(ends(Vec::new())),
            Some(_) => Err(format!(
                "only ranges of numbers, dates and times can be divided, not `{from}` to `{to}`"
            )),
        };
    };
    if low.at >= high.at {
        return Err(backwards());
    }
    match size {
        None => Ok(ends(Vec::new())),
        Some(Lookback::Time(size)) if !size.is_zero() => {
            let step = TimeDelta::from_std(*size).map_err(|e| e.to_string())?;
            if low.is_date && size.as_secs() % 86_400 != 0 {
                return Err(format!(
                    "dates can't be divided into pieces of `{}`: say days",
                    Lookback::Time(*size)
                ));
            }
            let edges = std::iter::successors(low.at.checked_add_signed(step), |at| {
                at.checked_add_signed(step)
            });
            Ok(ends(
                edges
                    .take_while(|at| *at < high.at)
                    .map(|at| low.written(at))
                    .collect(),
            ))
        }
        Some(size) => Err(format!(
            "a range of time can't be divided into pieces of `{size}`: say `7d` or `12h`"
        )),
    }
}

/// A date or time as somebody wrote it.
struct Moment {
    at: NaiveDateTime,
    is_date: bool,
    zone: String,
}

impl Moment {
    /// Another time in the same way of writing.
    fn written(&self, at: NaiveDateTime) -> String {
        if self.is_date {
            at.format("%Y-%m-%d").to_string()
        } else {
            format!("{}{}", at.format("%Y-%m-%d %H:%M:%S%.f"), self.zone)
        }
    }
}

fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Some(Moment {
            at: date.checked_add_days(Days::new(0))?.and_hms_opt(0, 0, 0)?,
            is_date: true,
            zone: String::new(),
        });
    }
    for form in [
        "%Y-%m-%d %H:%M:%S%.f",
        "%Y-%m-%dT%H:%M:%S%.f",
        "%Y-%m-%d %H:%M",
    ] {
        if let Ok(at) = NaiveDateTime::parse_from_str(text, form) {
            return Some(Moment {
                at,
                is_date: false,
                zone: String::new(),
            });
        }
    }
    let with_zone = DateTime::parse_from_rfc3339(&text.replacen(' ', "T", 1)).ok()?;
    Some(Moment {
        at: with_zone.naive_local(),
        is_date: false,
        zone: with_zone.offset().to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(from: &str, to: &str, size: &str, expected: &str) {
        let size = (!size.is_empty()).then(|| size.parse().unwrap());
        let told = match split_range(from, to, size.as_ref()) {
            Ok(ranges) => ranges
                .iter()
                .map(|(a, b)| format!("[{a}, {b})"))
                .collect::<Vec<_>>()
                .join(" "),
            Err(why) => why,
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn pieces_leave_nothing_out_and_share_nothing() {
        check(
            "2026-01-01",
            "2026-01-20",
            "7d",
            "[2026-01-01, 2026-01-08) [2026-01-08, 2026-01-15) [2026-01-15, 2026-01-20)",
        );
        check("2026-01-01", "2026-01-08", "7d", "[2026-01-01, 2026-01-08)");
        check(
            "2026-01-01 00:00:00",
            "2026-01-01T18:30:00",
            "12h",
            "[2026-01-01 00:00:00, 2026-01-01 12:00:00) [2026-01-01 12:00:00, 2026-01-01T18:30:00)",
        );
        check(
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            "12h",
            "[2026-01-01T00:00:00Z, 2026-01-01 12:00:00+00:00) [2026-01-01 12:00:00+00:00, 2026-01-02T00:00:00Z)",
        );
        check("10", "25", "10", "[10, 20) [20, 25)");
        check("-5", "5", "", "[-5, 5)");
        check("apple", "pear", "", "[apple, pear)");
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        check(
            "2026-01-08",
            "2026-01-01",
            "",
            "`2026-01-01` is not after `2026-01-08`",
        );
        check("5", "5", "", "`5` is not after `5`");
        check(
            "1",
            "9",
            "7d",
            "a range of numbers can't be divided into pieces of `1w`: say a whole number",
        );
        check(
            "2026-01-01",
            "2026-01-09",
            "5",
            "a range of time can't be divided into pieces of `5`: say `7d` or `12h`",
        );
        check(
            "2026-01-01",
            "2026-01-09",
            "12h",
            "dates can't be divided into pieces of `12h`: say days",
        );
        check(
            "a",
            "b",
            "7d",
            "only ranges of numbers, dates and times can be divided, not `a` to `b`",
        );
    }
}
