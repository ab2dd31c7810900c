//! The type that holds the values of two others, none of them changed.

use comboi_project::SqlType;

/// The narrowest type that holds every value of both, if there is one that is not text. Between whole numbers and
/// `DOUBLE` it is `DOUBLE`, which is exact up to 2^53: values beyond are found when they are converted.
pub(crate) fn widen(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    use SqlType::*;
    let date_like = |it: &SqlType| matches!(it, Date | TimestampS | TimestampMs | Timestamp);
    match (a, b) {
        _ if a == b => Some(a.clone()),
        (Null, other) | (other, Null) => Some(other.clone()),
        (Varchar(_), Varchar(_)) => Some(Varchar(None)),
        (Float | Double, Float | Double) => Some(Double),
        (Float | Double, whole) | (whole, Float | Double) if whole.is_integer() => Some(Double),
        (Decimal(..), Decimal(..)) => decimals(digits(a)?, digits(b)?),
        (Decimal(..), whole) | (whole, Decimal(..)) if whole.is_integer() => {
            decimals(digits(a)?, digits(b)?)
        }
        _ if a.is_integer() && b.is_integer() => integers(a, b),
        _ if date_like(a) && date_like(b) => Some(Timestamp),
        (TimestampTz, other) | (other, TimestampTz) if date_like(other) => Some(TimestampTz),
        (List(a), List(b)) => Some(List(Box::new(widen(a, b)?))),
        (Struct(a), Struct(b)) => fields(a, b),
        (Json, nested) | (nested, Json) if nested.is_nested() => Some(Json),
        _ => None,
    }
}

/// What is known of a type: without fields of which no value has come, and nothing if it is a list of which no item has.
/// And whether a list was among that, so that empty lists become NULL.
pub(crate) fn known_part(of: &SqlType) -> (SqlType, bool) {
    use SqlType::*;
    match of {
        List(item) => match known_part(item) {
            (Null, _) => (Null, true),
            (item, emptied) => (List(Box::new(item)), emptied),
        },
        Array(item, length) => match known_part(item) {
            (Null, _) => (Null, true),
            (item, emptied) => (Array(Box::new(item), *length), emptied),
        },
        Map(key, value) => match (known_part(key), known_part(value)) {
            ((Null, _), _) | (_, (Null, _)) => (Null, true),
            ((key, a), (value, b)) => (Map(Box::new(key), Box::new(value)), a || b),
        },
        Struct(fields) => {
            let mut emptied = false;
            let known = fields.iter().filter_map(|(name, of)| {
                let (of, empty) = known_part(of);
                emptied |= empty;
                (of != Null).then(|| (name.clone(), of))
            });
            let known: Vec<_> = known.collect();
            (
                if known.is_empty() {
                    Null
                } else {
                    Struct(known)
                },
                emptied,
            )
        }
        other => (other.clone(), false),
    }
}

/// Digits before and after the point.
fn digits(of: &SqlType) -> Option<(u8, u8)> {
    use SqlType::*;
    Some(match of {
        Decimal(precision, scale) => (precision - scale, *scale),
        TinyInt | UTinyInt => (3, 0),
        SmallInt | USmallInt => (5, 0),
        Integer | UInteger => (10, 0),
        BigInt => (19, 0),
        UBigInt => (20, 0),
        HugeInt => (38, 0),
        _ => return None,
    })
}

fn decimals(a: (u8, u8), b: (u8, u8)) -> Option<SqlType> {
    let (before, after) = (a.0.max(b.0), a.1.max(b.1));
    (before + after <= 38).then_some(SqlType::Decimal(before + after, after))
}

fn integers(a: &SqlType, b: &SqlType) -> Option<SqlType> {
    use SqlType::*;
    let signed = |of: &SqlType| {
        Some(match of {
            TinyInt => 0,
            SmallInt | UTinyInt => 1,
            Integer | USmallInt => 2,
            BigInt | UInteger => 3,
            HugeInt | UBigInt => 4,
            _ => return None,
        })
    };
    let unsigned = |of: &SqlType| match of {
        UTinyInt => Some(0),
        USmallInt => Some(1),
        UInteger => Some(2),
        UBigInt => Some(3),
        _ => None,
    };
    if let (Some(a), Some(b)) = (unsigned(a), unsigned(b)) {
        return [UTinyInt, USmallInt, UInteger, UBigInt]
            .into_iter()
            .nth(a.max(b));
    }
    [TinyInt, SmallInt, Integer, BigInt, HugeInt]
        .into_iter()
        .nth(signed(a)?.max(signed(b)?))
}

fn fields(a: &[(String, SqlType)], b: &[(String, SqlType)]) -> Option<SqlType> {
    let mut all = a.to_vec();
    for (name, of) in b {
        match all
            .iter_mut()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
        {
            Some((_, known)) => *known = widen(known, of)?,
            None => all.push((name.clone(), of.clone())),
        }
    }
    Some(SqlType::Struct(all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &str, b: &str, expected: &str) {
        let parse = |text: &str| text.parse::<SqlType>().unwrap();
        for (a, b) in [(a, b), (b, a)] {
            let wider =
                widen(&parse(a), &parse(b)).map_or_else(|| "-".to_owned(), |it| it.to_string());
            assert_eq!(wider, expected, "{a} and {b}");
        }
    }

    #[test]
    fn numbers() {
        check("TINYINT", "BIGINT", "BIGINT");
        check("UTINYINT", "TINYINT", "SMALLINT");
        check("UINTEGER", "USMALLINT", "UINTEGER");
        check("UBIGINT", "BIGINT", "HUGEINT");
        check("DECIMAL(10,2)", "DECIMAL(8,4)", "DECIMAL(12,4)");
        check("DECIMAL(38,2)", "DECIMAL(38,3)", "-");
        check("BIGINT", "DECIMAL(10,2)", "DECIMAL(21,2)");
        check("FLOAT", "DOUBLE", "DOUBLE");
        check("BIGINT", "DOUBLE", "DOUBLE");
        check("DOUBLE", "DECIMAL(10,2)", "-");
    }

    #[test]
    fn moments() {
        check("DATE", "TIMESTAMP", "TIMESTAMP");
        check(
            "DATE",
            "TIMESTAMP WITH TIME ZONE",
            "TIMESTAMP WITH TIME ZONE",
        );
        check("TIMESTAMP", "TIMESTAMP_MS", "TIMESTAMP");
    }

    #[test]
    fn nothing_in_common_is_not_text_by_itself() {
        check("BIGINT", "VARCHAR", "-");
        check("BOOLEAN", "BIGINT", "-");
        check("DATE", "BIGINT", "-");
    }

    #[test]
    fn nested() {
        let a = "STRUCT(a BIGINT, b VARCHAR)";
        assert_eq!(
            widen(
                &a.parse().unwrap(),
                &"STRUCT(b VARCHAR, c DATE, a DOUBLE)".parse().unwrap()
            )
            .unwrap()
            .to_string(),
            "STRUCT(a DOUBLE, b VARCHAR, c DATE)"
        );
        check("INTEGER[]", "BIGINT[]", "BIGINT[]");
    }
}
