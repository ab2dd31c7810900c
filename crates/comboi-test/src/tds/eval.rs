//! What an expression is worth, and whether a condition holds, for a row.

use std::cmp::Ordering;

use chrono::{Datelike as _, NaiveDate};

use super::parse::Expression;
use super::types::Value;

/// A day in hundreds of nanoseconds.
pub(super) const DAY: i64 = 864_000_000_000;
/// 1970-01-01.
pub(super) const YEAR_1970: i64 = 719_162 * DAY;

/// A row by the names of its columns.
pub(super) struct Row<'a> {
    pub(super) names: &'a [String],
    pub(super) values: &'a [Value],
}

impl Row<'_> {
    fn get(&self, name: &str) -> Result<Value, String> {
        let place = self
            .names
            .iter()
            .position(|it| it.eq_ignore_ascii_case(name));
        place
            .and_then(|place| self.values.get(place).cloned())
            .ok_or_else(|| format!("Invalid column name '{name}'."))
    }
}

/// The value of an expression without aggregates.
pub(super) fn value(of: &Expression, row: &Row<'_>) -> Result<Value, String> {
    Ok(match of {
        Expression::Text(text) => Value::Text(text.clone()),
        Expression::Number(number) => Value::Int(*number),
        Expression::Null => Value::Null,
        Expression::Column(name) => row.get(name)?,
        Expression::Convert(to, it, style) => convert(to, &value(it, row)?, *style)?,
        Expression::DateAdd(unit, number, it) => {
            date_add(unit, &value(number, row)?, value(it, row)?)?
        }
        Expression::Case(condition, then, other) => value(
            if holds(condition, row)? == Some(true) {
                then
            } else {
                other
            },
            row,
        )?,
        Expression::Greatest(values) => {
            let values: Result<Vec<Value>, String> =
                values.iter().map(|it| value(it, row)).collect();
            greatest(values?)?
        }
        Expression::Minus(left, right) => match (value(left, row)?, value(right, row)?) {
            (Value::Int(left), Value::Int(right)) => Value::Int(left - right),
            other => return Err(format!("the difference of {other:?}")),
        },
        other => return Err(format!("the value of {other:?}")),
    })
}

/// Whether a condition holds; `None` is UNKNOWN.
pub(super) fn holds(of: &Expression, row: &Row<'_>) -> Result<Option<bool>, String> {
    let each = |all: &[Expression]| {
        all.iter()
            .map(|it| holds(it, row))
            .collect::<Result<Vec<_>, String>>()
    };
    Ok(match of {
        Expression::And(all) => {
            let all = each(all)?;
            if all.contains(&Some(false)) {
                Some(false)
            } else if all.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Expression::Or(any) => {
            let any = each(any)?;
            if any.contains(&Some(true)) {
                Some(true)
            } else if any.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Expression::IsNull(it, wanted) => Some((value(it, row)? == Value::Null) == *wanted),
        Expression::Compare(sign, left, right) => {
            let order = compare(&value(left, row)?, &value(right, row)?)?;
            order.map(|order| match sign.as_str() {
                ">=" => order.is_ge(),
                "<=" => order.is_le(),
                "<>" => order.is_ne(),
                "=" => order.is_eq(),
                "<" => order.is_lt(),
                _ => order.is_gt(),
            })
        }
        other => return Err(format!("whether {other:?} holds")),
    })
}

/// NULL is not compared with anything.
pub(super) fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    Ok(match (left, right) {
        (Value::Null, _) | (_, Value::Null) => None,
        (Value::Int(a), Value::Int(b))
        | (Value::Date(a), Value::Date(b))
        | (Value::DateTime2(a), Value::DateTime2(b)) => Some(a.cmp(b)),
        (Value::DateTimeOffset(a, _), Value::DateTimeOffset(b, _)) => Some(a.cmp(b)),
        (Value::Bytes(a), Value::Bytes(b)) => Some(a.cmp(b)),
        // As a collation that leaves case aside.
        (Value::Text(a), Value::Text(b)) => Some(a.to_lowercase().cmp(&b.to_lowercase())),
        (a, b) => return Err(format!("{a:?} can't be compared with {b:?}")),
    })
}

/// The greatest of values, NULL aside.
pub(super) fn greatest(values: Vec<Value>) -> Result<Value, String> {
    let mut found = Value::Null;
    for value in values {
        let is_more = compare(&value, &found)?.is_some_and(Ordering::is_gt);
        if is_more || found == Value::Null {
            found = value;
        }
    }
    Ok(found)
}

fn date_add(unit: &str, number: &Value, to: Value) -> Result<Value, String> {
    let Value::Int(number) = number else {
        return Err("DATEADD of something that is no number".into());
    };
    i32::try_from(*number).map_err(|_| "DATEADD takes an int".to_owned())?;
    let ticks = match unit.to_ascii_uppercase().as_str() {
        "DAY" => DAY,
        "MINUTE" => 600_000_000,
        "SECOND" => 10_000_000,
        "MICROSECOND" => 10,
        other => return Err(format!("DATEADD by {other}")),
    } * number;
    Ok(match to {
        Value::Null => Value::Null,
        Value::DateTime2(it) => Value::DateTime2(it + ticks),
        Value::DateTimeOffset(it, zone) => Value::DateTimeOffset(it + ticks, zone),
        Value::Date(it) if ticks % DAY == 0 => Value::Date(it + ticks / DAY),
        other => return Err(format!("DATEADD to {other:?}")),
    })
}

fn convert(to: &str, value: &Value, style: i64) -> Result<Value, String> {
    let base = to.split('(').next().unwrap_or(to);
    let failed = || format!("Conversion failed when converting {value:?} to {to}.");
    if *value == Value::Null {
        return Ok(Value::Null);
    }
    Ok(match base {
        "varchar" | "nvarchar" => Value::Text(text(value, style).ok_or_else(failed)?),
        "int" | "bigint" | "smallint" | "tinyint" => match value {
            Value::Int(it) => Value::Int(*it),
            Value::Text(text) => Value::Int(text.parse().map_err(|_| failed())?),
            _ => return Err(failed()),
        },
        "binary" => match value {
            Value::Bytes(it) => Value::Bytes(it.clone()),
            Value::Text(text) if style == 1 => Value::Bytes(bytes(text).ok_or_else(failed)?),
            _ => return Err(failed()),
        },
        "date" => match value {
            Value::Text(text) => Value::Date(day(text).ok_or_else(failed)?),
            Value::Date(it) => Value::Date(*it),
            _ => return Err(failed()),
        },
        "datetime2" => match value {
            Value::Text(text) => Value::DateTime2(moment(text).ok_or_else(failed)?),
            Value::DateTime2(it) => Value::DateTime2(*it),
            _ => return Err(failed()),
        },
        "datetimeoffset" => match value {
            Value::Text(text) => {
                let (ticks, zone) = zoned(text).ok_or_else(failed)?;
                Value::DateTimeOffset(ticks, zone)
            }
            Value::DateTimeOffset(ticks, zone) => Value::DateTimeOffset(*ticks, *zone),
            _ => return Err(failed()),
        },
        _ => return Err(failed()),
    })
}

fn text(value: &Value, style: i64) -> Option<String> {
    Some(match (value, style) {
        (Value::Text(text), _) => text.clone(),
        (Value::Int(it), 0) => it.to_string(),
        (Value::Bytes(bytes), 1) => bytes
            .iter()
            .fold("0x".to_owned(), |text, it| format!("{text}{it:02X}")),
        (Value::Date(days), 23) => day_text(*days)?,
        (Value::Money(it), 2) => {
            let (sign, it) = (if *it < 0 { "-" } else { "" }, it.unsigned_abs());
            format!("{sign}{}.{:04}", it / 10_000, it % 10_000)
        }
        (Value::DateTime2(ticks), 126) => moment_text(*ticks)?,
        (Value::DateTime2(ticks), 121) => moment_text(*ticks)?.replace('T', " "),
        (Value::DateTimeOffset(ticks, zone), 126) => {
            let local = ticks + i64::from(*zone) * 600_000_000;
            let (sign, minutes) = if *zone < 0 {
                ('-', -zone)
            } else {
                ('+', *zone)
            };
            format!(
                "{}{sign}{:02}:{:02}",
                moment_text(local)?,
                minutes / 60,
                minutes % 60
            )
        }
        _ => return None,
    })
}

fn day_text(days: i64) -> Option<String> {
    let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()? + 1)?;
    Some(date.format("%Y-%m-%d").to_string())
}

/// Without a fraction when there is none, as SQL Server does.
fn moment_text(ticks: i64) -> Option<String> {
    let (day, time) = (day_text(ticks.div_euclid(DAY))?, ticks.rem_euclid(DAY));
    let seconds = time / 10_000_000;
    let fraction = match time % 10_000_000 {
        0 => String::new(),
        fraction => format!(".{fraction:07}"),
    };
    Some(format!(
        "{day}T{:02}:{:02}:{:02}{fraction}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    ))
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x")?.as_bytes();
    digits
        .chunks(2)
        .map(|two| u8::from_str_radix(std::str::from_utf8(two).ok()?, 16).ok())
        .collect()
}

fn day(text: &str) -> Option<i64> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(i64::from(date.num_days_from_ce()) - 1)
}

fn moment(text: &str) -> Option<i64> {
    let Some((date, time)) = text.split_once(['T', ' ']) else {
        return Some(day(text)? * DAY);
    };
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut parts = clock.split(':').map(|it| it.parse::<i64>().ok());
    let seconds = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next().flatten().unwrap_or(0);
    let fraction: i64 = if fraction.len() > 7 {
        return None;
    } else {
        format!("{fraction:0<7}").parse().ok()?
    };
    Some(day(date)? * DAY + seconds * 10_000_000 + fraction)
}

/// In Greenwich, with the minutes east of it.
fn zoned(text: &str) -> Option<(i64, i16)> {
    let place = text.rfind(['+', '-']).filter(|place| *place > 10);
    let (local, zone) = match place {
        Some(place) => text.split_at(place),
        None => (text.trim_end_matches('Z'), "+00:00"),
    };
    let (sign, digits) = zone.split_at(1);
    let (hours, minutes) = digits.split_once(':')?;
    let minutes = hours.parse::<i16>().ok()? * 60 + minutes.parse::<i16>().ok()?;
    let minutes = if sign == "-" { -minutes } else { minutes };
    Some((
        moment(local.trim_end())? - i64::from(minutes) * 600_000_000,
        minutes,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::parse::select;
    use super::*;

    /// What a statement without a table is worth.
    fn check(sql: &str, expected: &str) {
        let parsed = select(sql).unwrap();
        let row = Row {
            names: &[],
            values: &[],
        };
        let told: Vec<String> = parsed
            .values
            .iter()
            .map(|(it, _)| text(&value(it, &row).unwrap(), 0).unwrap())
            .collect();
        assert_eq!(told.join(" "), expected);
    }

    #[test]
    fn values_go_to_text_and_back() {
        check(
            "SELECT CONVERT(varchar(33), CAST(N'2026-03-01 12:34:56.1234567' AS datetime2(7)), 126)",
            "2026-03-01T12:34:56.1234567",
        );
        check(
            "SELECT CONVERT(varchar(33), DATEADD(SECOND, -90, CAST(N'2026-03-01' AS datetime2(3))), 126)",
            "2026-02-28T23:58:30",
        );
        check(
            "SELECT CONVERT(varchar(34), CAST(N'2026-03-01T12:00:00+02:00' AS datetimeoffset(7)), 126)",
            "2026-03-01T12:00:00+02:00",
        );
        check(
            "SELECT CONVERT(varchar(18), CONVERT(binary(8), N'0x00000000000007D1', 1), 1)",
            "0x00000000000007D1",
        );
        check(
            "SELECT CONVERT(varchar(60), CAST(CAST(N'500' AS int) - 100 AS int))",
            "400",
        );
        check(
            "SELECT CONVERT(varchar(10), DATEADD(DAY, -2, CAST(N'2026-03-01' AS date)), 23)",
            "2026-02-27",
        );
        check(
            "SELECT CONVERT(varchar(34), (SELECT MAX(v) FROM (VALUES (CAST(N'2026-03-01T00:00:00+00:00' AS datetimeoffset(3))), \
             (CASE WHEN CAST(N'2026-03-01T00:30:00+01:00' AS datetimeoffset(3)) < CAST(N'2026-03-01T00:00:00+00:00' AS datetimeoffset(3)) \
             THEN CAST(N'2026-03-01T00:30:00+01:00' AS datetimeoffset(3)) ELSE CAST(N'2026-03-01T00:00:00+00:00' AS datetimeoffset(3)) END)) AS x (v)), 126)",
            "2026-03-01T00:00:00+00:00",
        );
    }
}
