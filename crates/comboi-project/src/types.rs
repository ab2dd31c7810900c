//! The types of columns: DuckDB's, as they are written in contracts and as DuckDB prints them, and
//! the ones in which the lake keeps them.

/// A DuckDB type, told apart down to precision, scale and nesting.
///
/// Parsed from any spelling that DuckDB accepts (`INT`, `int4`, `DECIMAL(18,2)`, `STRUCT(a INT, "b c" TEXT)[]`,
/// `TIMESTAMP WITH TIME ZONE`) and printed in DuckDB's own canonical one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SqlType {
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    HugeInt,
    UTinyInt,
    USmallInt,
    UInteger,
    UBigInt,
    UHugeInt,
    /// An integer of any length (`BIGNUM`, once `VARINT`).
    BigNum,
    Float,
    Double,
    /// Precision and scale.
    Decimal(u8, u8),
    /// Text; in a contract possibly with the greatest number of characters.
    Varchar(Option<u32>),
    Blob,
    Bit,
    Uuid,
    Json,
    Date,
    Time,
    TimeNs,
    TimeTz,
    TimestampS,
    TimestampMs,
    /// Microseconds, without a time zone.
    Timestamp,
    TimestampNs,
    /// Microseconds, an instant.
    TimestampTz,
    Interval,
    Enum(Vec<String>),
    List(Box<SqlType>),
    /// A list of fixed length.
    Array(Box<SqlType>, u32),
    Struct(Vec<(String, SqlType)>),
    Map(Box<SqlType>, Box<SqlType>),
    Union(Vec<(String, SqlType)>),
    /// The type of a column of nothing but NULL.
    Null,
    Geometry,
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// As the query or the source named it; any text.
    pub name: String,
    /// What people's SQL sees. What the lake keeps follows from it: [`SqlType::lake_type`].
    pub sql_type: SqlType,
}

/// The columns of a dataset, in order. No two names are the same when case is left aside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(pub Vec<Column>);
