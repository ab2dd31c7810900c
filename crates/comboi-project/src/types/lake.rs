//! What the lake keeps of a column: types that every reader of Delta tables knows.

use super::SqlType;

/// The lake has no type in which values of a column would come back as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the lake can't keep {sql_type}: {reason}")]
pub struct NotKept {
    /// The type, or the part of it, that can't be kept.
    pub sql_type: SqlType,
    /// Why.
    pub reason: &'static str,
    /// What to write in the query instead.
    pub hint: &'static str,
}

impl SqlType {
    /// The type in which the lake keeps a column of this type.
    ///
    /// Values are the same or the write fails: `HUGEINT` beyond 38 digits, `TIMESTAMP_NS` between two
    /// microseconds and infinite dates are found when they are written, since the type alone can't tell.
    /// The result is its own lake type.
    pub fn lake_type(&self) -> Result<Self, NotKept> {
        kept(self, true)
    }
}

fn kept(sql_type: &SqlType, top: bool) -> Result<SqlType, NotKept> {
    use SqlType::*;
    let inner = |item: &SqlType| kept(item, false).map(Box::new);
    let refused = |reason, hint| {
        Err(NotKept {
            sql_type: sql_type.clone(),
            reason,
            hint,
        })
    };
    Ok(match sql_type {
        Boolean | TinyInt | SmallInt | Integer | BigInt | Float | Double | Decimal(..) | Blob
        | Date => sql_type.clone(),
        HugeInt | UHugeInt => Decimal(38, 0),
        UTinyInt => SmallInt,
        USmallInt => Integer,
        UInteger => BigInt,
        UBigInt => Decimal(20, 0),
        Varchar(_) | BigNum | Uuid | Json | Enum(_) | Time | TimeNs | TimeTz | Interval | Bit
        | Null => Varchar(None),
        TimestampS | TimestampMs | Timestamp | TimestampTz => TimestampTz,
        TimestampNs if top => TimestampTz,
        TimestampNs => {
            return refused(
                "nanoseconds inside a nested type can't be checked to be whole microseconds",
                "cast the field to TIMESTAMP (microseconds), or to VARCHAR to keep every digit",
            );
        }
        List(item) | Array(item, _) => List(inner(item)?),
        Struct(fields) => Struct(
            fields
                .iter()
                .map(|(name, of)| Ok((name.clone(), kept(of, false)?)))
                .collect::<Result<_, _>>()?,
        ),
        Map(key, value) => Map(inner(key)?, inner(value)?),
        Union(_) => {
            return refused(
                "no reader of Delta tables has unions",
                "make a STRUCT with one field per member, or cast it to VARCHAR",
            );
        }
        Geometry => {
            return refused(
                "no reader of Delta tables has geometries",
                "write it as text with ST_AsText(…)",
            );
        }
        Variant => {
            return refused(
                "no reader of Delta tables has variants",
                "cast it to JSON or to VARCHAR",
            );
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::SqlType;

    fn check(sql_type: &str, expected: &str) {
        let sql_type: SqlType = sql_type.parse().unwrap();
        let kept = match sql_type.lake_type() {
            Ok(kept) => {
                assert_eq!(
                    kept.lake_type(),
                    Ok(kept.clone()),
                    "a lake type is its own lake type"
                );
                kept.to_string()
            }
            Err(not_kept) => not_kept.to_string(),
        };
        assert_eq!(kept, expected, "{sql_type}");
    }

    #[test]
    fn what_delta_knows_stays_as_it_is() {
        for same in [
            "BOOLEAN",
            "TINYINT",
            "BIGINT",
            "FLOAT",
            "DOUBLE",
            "DECIMAL(18,2)",
            "VARCHAR",
            "BLOB",
            "DATE",
        ] {
            check(same, same);
        }
        check("VARCHAR(10)", "VARCHAR");
    }

    #[test]
    fn wide_and_unsigned_integers_go_up() {
        check("HUGEINT", "DECIMAL(38,0)");
        check("UHUGEINT", "DECIMAL(38,0)");
        check("UTINYINT", "SMALLINT");
        check("USMALLINT", "INTEGER");
        check("UINTEGER", "BIGINT");
        check("UBIGINT", "DECIMAL(20,0)");
    }

    #[test]
    fn what_has_no_type_of_its_own_becomes_text() {
        for text in [
            "BIGNUM",
            "UUID",
            "JSON",
            "ENUM('a')",
            "TIME",
            "TIME_NS",
            "TIMETZ",
            "INTERVAL",
            "BIT",
            "\"NULL\"",
        ] {
            check(text, "VARCHAR");
        }
    }

    #[test]
    fn every_timestamp_is_an_instant() {
        for timestamp in [
            "TIMESTAMP",
            "TIMESTAMP_S",
            "TIMESTAMP_MS",
            "TIMESTAMP_NS",
            "TIMESTAMPTZ",
        ] {
            check(timestamp, "TIMESTAMP WITH TIME ZONE");
        }
    }

    #[test]
    fn nested_types_follow_their_parts() {
        check("UINTEGER[3]", "BIGINT[]");
        check(
            "STRUCT(a UUID, b HUGEINT[])",
            "STRUCT(a VARCHAR, b DECIMAL(38,0)[])",
        );
        check(
            "MAP(UUID, TIMESTAMP)",
            "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)",
        );
    }

    #[test]
    fn what_would_come_back_changed_is_refused() {
        check(
            "UNION(a INTEGER)",
            "the lake can't keep UNION(a INTEGER): no reader of Delta tables has unions",
        );
        check(
            "GEOMETRY[]",
            "the lake can't keep GEOMETRY: no reader of Delta tables has geometries",
        );
        check(
            "VARIANT",
            "the lake can't keep VARIANT: no reader of Delta tables has variants",
        );
        check(
            "STRUCT(a TIMESTAMP_NS)",
            "the lake can't keep TIMESTAMP_NS: nanoseconds inside a nested type can't be checked to be whole microseconds",
        );
    }
}
