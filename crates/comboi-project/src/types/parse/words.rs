//! Types by their names.

use super::Wrong;
use crate::SqlType;

/// Types of one word and no parameters, by every name that `duckdb_types()` lists.
pub(super) fn named(word: &str) -> Option<SqlType> {
    use SqlType::*;
    Some(match word {
        "boolean" | "bool" | "logical" => Boolean,
        "tinyint" | "int1" => TinyInt,
        "smallint" | "int2" | "int16" | "short" => SmallInt,
        "integer" | "int" | "int4" | "int32" | "integral" | "signed" => Integer,
        "bigint" | "int8" | "int64" | "long" | "oid" => BigInt,
        "hugeint" | "int128" => HugeInt,
        "utinyint" | "uint8" => UTinyInt,
        "usmallint" | "uint16" => USmallInt,
        "uinteger" | "uint32" => UInteger,
        "ubigint" | "uint64" => UBigInt,
        "uhugeint" | "uint128" => UHugeInt,
        "bignum" | "varint" => BigNum,
        "real" | "float4" => Float,
        "float8" => Double,
        "blob" | "bytea" | "binary" | "varbinary" => Blob,
        "bit" | "bitstring" => Bit,
        "uuid" | "guid" => Uuid,
        "json" => Json,
        "date" => Date,
        "time_ns" => TimeNs,
        "timetz" => TimeTz,
        "timestamp_s" => TimestampS,
        "timestamp_ms" => TimestampMs,
        "datetime" | "timestamp_us" => Timestamp,
        "timestamp_ns" => TimestampNs,
        "timestamptz" => TimestampTz,
        "null" => Null,
        "variant" => Variant,
        _ => return None,
    })
}

/// What is wrong with a word that is no type, and which one may have been meant.
pub(super) fn unknown(shown: &str) -> Wrong {
    const NAMES: [&str; 42] = [
        "BOOLEAN",
        "TINYINT",
        "SMALLINT",
        "INTEGER",
        "INT",
        "BIGINT",
        "HUGEINT",
        "UTINYINT",
        "USMALLINT",
        "UINTEGER",
        "UBIGINT",
        "UHUGEINT",
        "BIGNUM",
        "FLOAT",
        "REAL",
        "DOUBLE",
        "DECIMAL",
        "NUMERIC",
        "VARCHAR",
        "TEXT",
        "STRING",
        "CHAR",
        "BLOB",
        "BIT",
        "UUID",
        "JSON",
        "DATE",
        "TIME",
        "TIME_NS",
        "TIMETZ",
        "TIMESTAMP",
        "TIMESTAMP_S",
        "TIMESTAMP_MS",
        "TIMESTAMP_NS",
        "TIMESTAMPTZ",
        "DATETIME",
        "INTERVAL",
        "ENUM",
        "STRUCT",
        "MAP",
        "UNION",
        "LIST",
    ];
    let suggestion = match shown.to_ascii_lowercase().as_str() {
        "list" | "array" => Some("VARCHAR[]".to_owned()),
        "number" | "money" => Some("DECIMAL(18,2)".to_owned()),
        "datetime2" | "smalldatetime" => Some("TIMESTAMP".to_owned()),
        "datetimeoffset" => Some("TIMESTAMPTZ".to_owned()),
        "uniqueidentifier" => Some("UUID".to_owned()),
        lower => crate::suggest::nearest(&lower.to_ascii_uppercase(), NAMES).map(str::to_owned),
    };
    Wrong {
        reason: format!("DuckDB has no type `{shown}`"),
        suggestion,
    }
}
