//! Types as DuckDB prints them.

use std::fmt;

use super::SqlType;
use super::keywords::is_keyword;

impl fmt::Display for SqlType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision},{scale})"),
            Self::Varchar(Some(length)) => write!(f, "VARCHAR({length})"),
            Self::Enum(values) => {
                f.write_str("ENUM(")?;
                for (i, value) in values.iter().enumerate() {
                    let gap = if i == 0 { "" } else { ", " };
                    write!(f, "{gap}'{}'", value.replace('\'', "''"))?;
                }
                f.write_str(")")
            }
            Self::List(item) => write!(f, "{item}[]"),
            Self::Array(item, length) => write!(f, "{item}[{length}]"),
            Self::Struct(fields) => named(f, "STRUCT", fields),
            Self::Map(key, value) => write!(f, "MAP({key}, {value})"),
            Self::Union(members) => named(f, "UNION", members),
            plain => f.write_str(word(plain)),
        }
    }
}

fn named(f: &mut fmt::Formatter<'_>, kind: &str, fields: &[(String, SqlType)]) -> fmt::Result {
    write!(f, "{kind}(")?;
    for (i, (name, sql_type)) in fields.iter().enumerate() {
        let gap = if i == 0 { "" } else { ", " };
        write!(f, "{gap}{} {sql_type}", quoted_name(name))?;
    }
    f.write_str(")")
}

fn word(sql_type: &SqlType) -> &'static str {
    use SqlType::*;
    match sql_type {
        Boolean => "BOOLEAN",
        TinyInt => "TINYINT",
        SmallInt => "SMALLINT",
        Integer => "INTEGER",
        BigInt => "BIGINT",
        HugeInt => "HUGEINT",
        UTinyInt => "UTINYINT",
        USmallInt => "USMALLINT",
        UInteger => "UINTEGER",
        UBigInt => "UBIGINT",
        UHugeInt => "UHUGEINT",
        BigNum => "BIGNUM",
        Float => "FLOAT",
        Double => "DOUBLE",
        Decimal(..) => "DECIMAL",
        Varchar(_) => "VARCHAR",
        Blob => "BLOB",
        Bit => "BIT",
        Uuid => "UUID",
        Json => "JSON",
        Date => "DATE",
        Time => "TIME",
        TimeNs => "TIME_NS",
        TimeTz => "TIME WITH TIME ZONE",
        TimestampS => "TIMESTAMP_S",
        TimestampMs => "TIMESTAMP_MS",
        Timestamp => "TIMESTAMP",
        TimestampNs => "TIMESTAMP_NS",
        TimestampTz => "TIMESTAMP WITH TIME ZONE",
        Interval => "INTERVAL",
        Enum(_) => "ENUM",
        List(_) => "LIST",
        Array(..) => "ARRAY",
        Struct(_) => "STRUCT",
        Map(..) => "MAP",
        Union(_) => "UNION",
        Null => "\"NULL\"",
        Geometry => "GEOMETRY",
        Variant => "VARIANT",
    }
}

/// A name as DuckDB prints it: in double quotes unless it is plain ASCII and no word of SQL.
pub fn quoted_name(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_keyword(name);
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}
