//! Types that hold all values of others.

use comboi_project::SqlType;

/// Whether every value of `from` is one of `to`.
pub(super) fn widens(from: &SqlType, to: &SqlType) -> bool {
    use SqlType::*;
    if from == to {
        return true;
    }
    match (from, to) {
        (Varchar(Some(_)) | Enum(_) | Uuid, Varchar(None)) => true,
        (Varchar(Some(from)), Varchar(Some(to))) => from <= to,
        (Float, Double) => true,
        (Decimal(precision, scale), Decimal(to_precision, to_scale)) => {
            scale <= to_scale && precision - scale <= to_precision - to_scale
        }
        (Enum(from), Enum(to)) => from.iter().all(|value| to.contains(value)),
        (Date, Timestamp | TimestampS | TimestampMs) => true,
        (TimestampS | TimestampMs, Timestamp) => true,
        (List(from), List(to)) => widens(from, to),
        (Array(from, n), Array(to, m)) => n == m && widens(from, to),
        (Map(key, value), Map(to_key, to_value)) => widens(key, to_key) && widens(value, to_value),
        (Struct(from), Struct(to)) => {
            from.len() == to.len()
                && from
                    .iter()
                    .zip(to)
                    .all(|((name, from), (to_name, to))| name == to_name && widens(from, to))
        }
        (from, Decimal(precision, scale)) => {
            digits(from).is_some_and(|digits| digits <= precision - scale)
        }
        (from, to) => match (range(from), range(to)) {
            (Some((low, high)), Some((to_low, to_high))) => to_low >= low && to_high >= high,
            _ => false,
        },
    }
}

/// Bits below and above zero.
fn range(sql_type: &SqlType) -> Option<(u8, u8)> {
    use SqlType::*;
    Some(match sql_type {
        TinyInt => (7, 7),
        SmallInt => (15, 15),
        Integer => (31, 31),
        BigInt => (63, 63),
        HugeInt => (127, 127),
        UTinyInt => (0, 8),
        USmallInt => (0, 16),
        UInteger => (0, 32),
        UBigInt => (0, 64),
        UHugeInt => (0, 128),
        _ => return None,
    })
}

/// The most decimal digits of a whole number's type.
fn digits(sql_type: &SqlType) -> Option<u8> {
    use SqlType::*;
    Some(match sql_type {
        TinyInt | UTinyInt => 3,
        SmallInt | USmallInt => 5,
        Integer | UInteger => 10,
        BigInt => 19,
        UBigInt => 20,
        _ => return None,
    })
}
