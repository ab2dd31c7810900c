//! Rules about single rows, as SQL that is true for a row that breaks the rule.
//!
//! A NULL breaks none of them but `not_null`: the comparison is then NULL, and no filter keeps such a row.

use comboi_project::{Column, Number, SqlType};

use crate::sql;

/// A value of a contract, ready to be compared with a column.
enum Bound {
    Literal(String),
    /// Greater than anything the column can hold.
    AboveAll,
    /// Less than anything the column can hold.
    BelowAll,
}

/// Which neighbour stands for a bound that lies between two values of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Towards {
    Below,
    Above,
}

impl Towards {
    fn whole(self, number: &Number, scale: usize) -> Number {
        match self {
            Self::Below => number.floor(scale),
            Self::Above => number.ceil(scale),
        }
    }
}

/// Rows whose value is less than the least allowed one. NaN is no number, so it breaks the rule too.
pub(super) fn below(column: &Column, least: &str) -> Result<String, String> {
    let name = sql::ident(&column.name);
    Ok(match bound(&column.sql_type, least, Towards::Above)? {
        Bound::Literal(least) if is_float(&column.sql_type) => {
            format!("({name} < {least} OR isnan({name}))")
        }
        Bound::Literal(least) => format!("({name} < {least})"),
        Bound::AboveAll => format!("({name} IS NOT NULL)"),
        Bound::BelowAll => "false".to_owned(),
    })
}

/// Rows whose value is greater than the greatest allowed one; DuckDB sorts NaN above every number.
pub(super) fn above(column: &Column, greatest: &str) -> Result<String, String> {
    let name = sql::ident(&column.name);
    Ok(match bound(&column.sql_type, greatest, Towards::Below)? {
        Bound::Literal(greatest) => format!("({name} > {greatest})"),
        Bound::BelowAll => format!("({name} IS NOT NULL)"),
        Bound::AboveAll => "false".to_owned(),
    })
}

/// Rows whose value is not greater than this.
pub(super) fn not_greater(column: &Column, than: &str) -> Result<String, String> {
    let name = sql::ident(&column.name);
    Ok(match bound(&column.sql_type, than, Towards::Below)? {
        Bound::Literal(than) if is_float(&column.sql_type) => {
            format!("({name} <= {than} OR isnan({name}))")
        }
        Bound::Literal(than) => format!("({name} <= {than})"),
        Bound::AboveAll => format!("({name} IS NOT NULL)"),
        Bound::BelowAll => "false".to_owned(),
    })
}

/// Rows whose value is not less than this.
pub(super) fn not_less(column: &Column, than: &str) -> Result<String, String> {
    let name = sql::ident(&column.name);
    Ok(match bound(&column.sql_type, than, Towards::Above)? {
        Bound::Literal(than) => format!("({name} >= {than})"),
        Bound::BelowAll => format!("({name} IS NOT NULL)"),
        Bound::AboveAll => "false".to_owned(),
    })
}

/// Rows whose value is one of these.
pub(super) fn among(column: &Column, values: &[&str]) -> Result<String, String> {
    let name = sql::ident(&column.name);
    let literals: Result<Vec<Option<String>>, String> = values
        .iter()
        .map(|value| member(&column.sql_type, value))
        .collect();
    let literals: Vec<String> = literals?.into_iter().flatten().collect();
    Ok(match (literals.is_empty(), &column.sql_type) {
        (true, _) => "false".to_owned(),
        (false, SqlType::Enum(_)) => format!("({name}::VARCHAR IN ({}))", literals.join(", ")),
        (false, _) => format!("({name} IN ({}))", literals.join(", ")),
    })
}

/// Rows whose number is no multiple of another, which is above 0. Exact: both are counted in units of the smaller scale.
pub(super) fn no_multiple(column: &Column, of: &str) -> Result<String, String> {
    let number = Number::parse(of).ok_or_else(|| format!("`{of}` is not a number"))?;
    let own_scale = match &column.sql_type {
        SqlType::Decimal(_, scale) => usize::from(*scale),
        whole if whole.is_integer() => 0,
        other => {
            return Err(format!(
                "`{}` is {other}, whose values are not exact",
                column.name
            ));
        }
    };
    let scale = (own_scale..=38)
        .find(|scale| number.fits_scale(*scale))
        .ok_or_else(|| format!("`{of}` has more than 38 digits"))?;
    let name = sql::ident(&column.name);
    let (width, units) = match &column.sql_type {
        _ if own_scale == 0 && scale == 0 => return Ok(format!("({name} % {number} <> 0)")),
        SqlType::Decimal(width, _) => (usize::from(*width), number.units(scale)),
        // Whole numbers of a part: of so many digits that they fit in any case.
        _ => (38, number.units(scale)),
    };
    // A decimal times a power of ten is exact as long as DuckDB has the digits for it; a text is exact, and slow.
    let counted = if width + scale < 38 {
        let power = format!("1{}", "0".repeat(scale));
        format!("({name} * {power}::DECIMAL({},0))::HUGEINT", scale + 1)
    } else {
        format!("replace({name}::DECIMAL(38,{scale})::VARCHAR, '.', '')::HUGEINT")
    };
    Ok(format!("({counted} % {units}::HUGEINT <> 0)"))
}

/// Rows whose value is NULL or one of these; texts that a column of another type can't have are left out.
pub(super) fn missing(column: &Column, values: &[&str]) -> Result<String, String> {
    let can_be = |value: &&&str| column.sql_type.is_text() || !value.trim().is_empty();
    let values: Vec<&str> = values.iter().filter(can_be).copied().collect();
    Ok(format!(
        "({} IS NULL OR {})",
        sql::ident(&column.name),
        among(column, &values)?
    ))
}

/// Rows whose text is empty or blank.
pub(super) fn empty(column: &Column) -> String {
    sql::is_blank(&as_text(column))
}

/// Rows whose value is none of these.
pub(super) fn not_among(column: &Column, values: &[&str]) -> Result<String, String> {
    let name = sql::ident(&column.name);
    let literals: Result<Vec<Option<String>>, String> = values
        .iter()
        .map(|value| member(&column.sql_type, value))
        .collect();
    let literals: Vec<String> = literals?.into_iter().flatten().collect();
    Ok(match (literals.is_empty(), &column.sql_type) {
        (true, _) => format!("({name} IS NOT NULL)"),
        // A value that the type itself does not know is then simply never met.
        (false, SqlType::Enum(_)) => format!("({name}::VARCHAR NOT IN ({}))", literals.join(", ")),
        (false, _) => format!("({name} NOT IN ({}))", literals.join(", ")),
    })
}

/// Rows whose text does not contain a match of a regular expression.
pub(super) fn unmatched(column: &Column, regex: &str) -> String {
    format!(
        "(NOT regexp_matches({}, {}))",
        as_text(column),
        sql::text(regex)
    )
}

/// Rows whose text contains a match of a regular expression.
pub(super) fn matched(column: &Column, regex: &str) -> String {
    format!(
        "(regexp_matches({}, {}))",
        as_text(column),
        sql::text(regex)
    )
}

/// Rows that are shorter: characters of a text, bytes of a blob, elements of a list.
pub(super) fn shorter(column: &Column, least: u64) -> String {
    match &column.sql_type {
        // Counting characters is slow and rarely needed: one takes 1 to 4 bytes.
        SqlType::Varchar(_) => {
            let name = sql::ident(&column.name);
            format!(
                "(strlen({name}) < {} AND length({name}) < {least})",
                least.saturating_mul(4)
            )
        }
        _ => format!("({} < {least})", length(column)),
    }
}

/// Rows that are longer.
pub(super) fn longer(column: &Column, greatest: u64) -> String {
    match &column.sql_type {
        SqlType::Varchar(_) => {
            let name = sql::ident(&column.name);
            format!("(strlen({name}) > {greatest} AND length({name}) > {greatest})")
        }
        _ => format!("({} > {greatest})", length(column)),
    }
}

fn length(column: &Column) -> String {
    let name = sql::ident(&column.name);
    match &column.sql_type {
        SqlType::Blob => format!("octet_length({name})"),
        SqlType::List(_) | SqlType::Array(..) => format!("len({name})"),
        SqlType::Map(..) => format!("cardinality({name})"),
        _ => format!("length({})", as_text(column)),
    }
}

pub(super) fn as_text(column: &Column) -> String {
    let name = sql::ident(&column.name);
    match &column.sql_type {
        SqlType::Varchar(_) => name,
        _ => format!("{name}::VARCHAR"),
    }
}

fn bound(sql_type: &SqlType, text: &str, towards: Towards) -> Result<Bound, String> {
    let number = || Number::parse(text).ok_or_else(|| format!("`{text}` is not a number"));
    let literal = |sql: String| Ok(Bound::Literal(sql));
    match sql_type {
        SqlType::BigNum => literal(format!("'{}'::BIGNUM", towards.whole(&number()?, 0))),
        _ if sql_type.is_integer() => Ok(whole_bound(sql_type, &towards.whole(&number()?, 0))),
        SqlType::Decimal(precision, scale) => {
            let number = towards.whole(&number()?, usize::from(*scale));
            Ok(if number.whole_digits() > usize::from(precision - scale) {
                beyond(&number)
            } else {
                Bound::Literal(format!("'{number}'::{sql_type}"))
            })
        }
        SqlType::Float | SqlType::Double if text.trim().eq_ignore_ascii_case("nan") => {
            Err("`nan` is not a number".to_owned())
        }
        SqlType::Float | SqlType::Double => literal(float_bound(sql_type, text, towards)),
        _ => {
            literal(moment_bound(sql_type, text, towards).unwrap_or_else(|| typed(text, sql_type)))
        }
    }
}

/// The nearest number of the type. Beyond its greatest number there is infinity, which is a value too.
fn float_bound(sql_type: &SqlType, text: &str, towards: Towards) -> String {
    let greatest = match sql_type {
        SqlType::Float => f64::from(f32::MAX),
        _ => f64::MAX,
    };
    let beyond = match sql_type {
        SqlType::Float => text.trim().parse::<f32>().is_ok_and(f32::is_infinite),
        _ => text.trim().parse::<f64>().is_ok_and(f64::is_infinite),
    };
    match Number::parse(text).filter(|_| beyond) {
        Some(number) if number.is_negative() == (towards == Towards::Above) => {
            let sign = if number.is_negative() { "-" } else { "" };
            format!("'{sign}{greatest:e}'::{sql_type}")
        }
        _ => typed(text, sql_type),
    }
}

/// A date or timestamp; one between two microseconds is the one on that side.
fn moment_bound(sql_type: &SqlType, text: &str, towards: Towards) -> Option<String> {
    let literal = moment(sql_type, text)?;
    let exact = *sql_type == SqlType::TimestampNs || nanoseconds(text) == 0;
    Some(if exact || towards == Towards::Below {
        literal
    } else {
        format!("({literal} + INTERVAL 1 MICROSECOND)")
    })
}

/// The nanoseconds of a time beyond its last whole microsecond.
fn nanoseconds(text: &str) -> u32 {
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.chars().take_while(char::is_ascii_digit);
    let beyond: String = digits.chain("000000000".chars()).skip(6).take(3).collect();
    beyond.parse().unwrap_or(0)
}

fn whole_bound(sql_type: &SqlType, number: &Number) -> Bound {
    // So many digits fit for certain; comparing in the column's own type is fastest.
    let (room, signed) = match sql_type {
        SqlType::TinyInt => (2, true),
        SqlType::SmallInt => (4, true),
        SqlType::Integer => (9, true),
        SqlType::BigInt => (18, true),
        SqlType::UTinyInt => (2, false),
        SqlType::USmallInt => (4, false),
        SqlType::UInteger => (9, false),
        SqlType::UBigInt => (19, false),
        SqlType::UHugeInt => (38, false),
        _ => (38, true),
    };
    match number.whole_digits() {
        digits if digits <= room && (signed || !number.is_negative()) => {
            Bound::Literal(format!("'{number}'::{sql_type}"))
        }
        // The lake keeps integers of up to 38 digits.
        digits if digits > 38 => beyond(number),
        _ if number.is_negative() && !signed => Bound::BelowAll,
        _ => Bound::Literal(format!("'{number}'::HUGEINT")),
    }
}

fn beyond(number: &Number) -> Bound {
    if number.is_negative() {
        Bound::BelowAll
    } else {
        Bound::AboveAll
    }
}

/// A member of a list of allowed values; `None`: no value of this type can be equal to it.
fn member(sql_type: &SqlType, text: &str) -> Result<Option<String>, String> {
    let scale = match sql_type {
        SqlType::Decimal(_, scale) => usize::from(*scale),
        _ if sql_type.is_integer() => 0,
        SqlType::Enum(_) => return Ok(Some(sql::text(text))),
        moment
            if moment.is_moment() && *moment != SqlType::TimestampNs && nanoseconds(text) != 0 =>
        {
            return Ok(None);
        }
        _ => {
            return Ok(Some(
                moment(sql_type, text).unwrap_or_else(|| typed(text, sql_type)),
            ));
        }
    };
    let number = Number::parse(text).ok_or_else(|| format!("`{text}` is not a number"))?;
    if !number.fits_scale(scale) {
        return Ok(None);
    }
    Ok(match bound(sql_type, text, Towards::Below)? {
        Bound::Literal(literal) => Some(literal),
        Bound::AboveAll | Bound::BelowAll => None,
    })
}

/// A date or timestamp. DuckDB's own cast of a text to `DATE` drops the time of day and the one to `TIMESTAMP`
/// drops the offset, so both go through an instant in UTC, which has whole microseconds: the rest is cut off.
pub(super) fn moment(sql_type: &SqlType, text: &str) -> Option<String> {
    let instant = format!("{}::TIMESTAMPTZ", sql::text(text.trim()));
    match sql_type {
        SqlType::TimestampNs if nanoseconds(text) != 0 => Some(format!(
            "make_timestamp_ns(epoch_ns({instant}) + {})",
            nanoseconds(text)
        )),
        SqlType::Date if text.trim().len() <= 10 => Some(typed(text, sql_type)),
        SqlType::Date
        | SqlType::Timestamp
        | SqlType::TimestampS
        | SqlType::TimestampMs
        | SqlType::TimestampNs => Some(format!("({instant} AT TIME ZONE 'UTC')")),
        SqlType::TimestampTz => Some(instant),
        _ => None,
    }
}

fn typed(text: &str, sql_type: &SqlType) -> String {
    let text = if sql_type.is_text() {
        text
    } else {
        text.trim()
    };
    format!("{}::{sql_type}", sql::text(text))
}

fn is_float(sql_type: &SqlType) -> bool {
    matches!(sql_type, SqlType::Float | SqlType::Double)
}
