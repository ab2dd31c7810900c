//! The types of columns: DuckDB's, as they are written in contracts and as DuckDB prints them, and
//! the ones in which the lake keeps them.

mod keywords;
mod lake;
mod parse;
mod print;

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use lake::NotKept;
pub use parse::BadType;
pub use print::quoted_name;

/// A DuckDB type, told apart down to precision, scale and nesting.
///
/// Parsed from any spelling that DuckDB accepts (`INT`, `int4`, `DECIMAL(18,2)`, `STRUCT(a INT, "b c" TEXT)[]`,
/// `TIMESTAMP WITH TIME ZONE`) and printed in DuckDB's own canonical one. In JSON and YAML it is that text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SqlType {
    /// `BOOLEAN`
    Boolean,
    /// `TINYINT`, 8 bits.
    TinyInt,
    /// `SMALLINT`, 16 bits.
    SmallInt,
    /// `INTEGER`, 32 bits.
    Integer,
    /// `BIGINT`, 64 bits.
    BigInt,
    /// `HUGEINT`, 128 bits: what `SUM` of integers gives.
    HugeInt,
    /// `UTINYINT`
    UTinyInt,
    /// `USMALLINT`
    USmallInt,
    /// `UINTEGER`
    UInteger,
    /// `UBIGINT`
    UBigInt,
    /// `UHUGEINT`
    UHugeInt,
    /// An integer of any length (`BIGNUM`, once `VARINT`).
    BigNum,
    /// `FLOAT`, 32 bits.
    Float,
    /// `DOUBLE`, 64 bits.
    Double,
    /// Precision (1 to 38) and scale (at most the precision).
    Decimal(u8, u8),
    /// Text; in a contract possibly with the greatest number of characters.
    Varchar(Option<u32>),
    /// `BLOB`
    Blob,
    /// `BIT`
    Bit,
    /// `UUID`
    Uuid,
    /// `JSON`
    Json,
    /// `DATE`
    Date,
    /// `TIME`, microseconds.
    Time,
    /// `TIME_NS`
    TimeNs,
    /// `TIME WITH TIME ZONE`
    TimeTz,
    /// `TIMESTAMP_S`
    TimestampS,
    /// `TIMESTAMP_MS`
    TimestampMs,
    /// Microseconds, without a time zone.
    Timestamp,
    /// `TIMESTAMP_NS`
    TimestampNs,
    /// Microseconds, an instant.
    TimestampTz,
    /// `INTERVAL`
    Interval,
    /// `ENUM`, with its values in order.
    Enum(Vec<String>),
    /// A list of any length.
    List(Box<SqlType>),
    /// A list of fixed length.
    Array(Box<SqlType>, u32),
    /// Named fields, in order.
    Struct(Vec<(String, SqlType)>),
    /// Key and value.
    Map(Box<SqlType>, Box<SqlType>),
    /// Tagged members, in order.
    Union(Vec<(String, SqlType)>),
    /// The type of a column of nothing but NULL.
    Null,
    /// `GEOMETRY`, its coordinate reference system left aside.
    Geometry,
    /// `VARIANT`
    Variant,
}

impl SqlType {
    /// Whether values are whole numbers.
    pub fn is_integer(&self) -> bool {
        use SqlType::*;
        matches!(
            self,
            TinyInt
                | SmallInt
                | Integer
                | BigInt
                | HugeInt
                | UTinyInt
                | USmallInt
                | UInteger
                | UBigInt
                | UHugeInt
                | BigNum
        )
    }

    /// Whether values are numbers.
    pub fn is_number(&self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double | Self::Decimal(..))
    }

    /// Whether values are text to a person: `VARCHAR`, `JSON`, `UUID` or an `ENUM`.
    pub fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Varchar(_) | Self::Json | Self::Uuid | Self::Enum(_)
        )
    }

    /// Whether values are points in time: a date or any timestamp.
    pub fn is_moment(&self) -> bool {
        use SqlType::*;
        matches!(
            self,
            Date | TimestampS | TimestampMs | Timestamp | TimestampNs | TimestampTz
        )
    }

    /// Whether values have parts of their own: a list, array, struct, map or union.
    pub fn is_nested(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::Array(..) | Self::Struct(_) | Self::Map(..) | Self::Union(_)
        )
    }
}

impl Serialize for SqlType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SqlType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// A column of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// As the query or the source named it; any text.
    pub name: String,
    /// What people's SQL sees. What the lake keeps follows from it: [`SqlType::lake_type`].
    #[serde(rename = "type")]
    pub sql_type: SqlType,
    /// What its source calls it, which decides where values go; empty while no source has had such a column. `None`: it
    /// is not from a source, or from one that was read before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_name: Option<String>,
    /// The same of the fields of its values, as far as it is noted.
    #[serde(skip)]
    pub field_names: FieldNames,
}

/// What a source calls fields of nested values, by the path of the names that the table has for them, from the column on.
/// Items of a list add nothing to a path.
pub type FieldNames = BTreeMap<Vec<String>, String>;

impl Column {
    /// A column of this name and type that is not from a source.
    pub fn new(name: impl Into<String>, sql_type: SqlType) -> Self {
        Self {
            name: name.into(),
            sql_type,
            source_name: None,
            field_names: FieldNames::new(),
        }
    }

    /// The same column with the name that its source has for it.
    #[must_use]
    pub fn of_source(self, source_name: impl Into<String>) -> Self {
        Self {
            source_name: Some(source_name.into()),
            ..self
        }
    }

    /// Whether it is a source's column of which no value has come yet, so that its type is not known: no file has it.
    pub fn is_untyped(&self) -> bool {
        self.sql_type == SqlType::Null && self.source_name.is_some()
    }
}

/// The columns of a dataset, in order. No two names are the same when case is left aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Columns(pub Vec<Column>);

impl Columns {
    /// The column of this name, whatever the case of its letters: as SQL finds it.
    pub fn get(&self, name: &str) -> Option<&Column> {
        self.0.iter().find(|column| same_name(&column.name, name))
    }

    /// Where the column of this name stands, counted from 0, whatever the case of its letters.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0
            .iter()
            .position(|column| same_name(&column.name, name))
    }

    /// The columns, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Column> {
        self.0.iter()
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|column| column.name.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a Columns {
    type Item = &'a Column;
    type IntoIter = std::slice::Iter<'a, Column>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Column> for Columns {
    fn from_iter<I: IntoIterator<Item = Column>>(columns: I) -> Self {
        Self(columns.into_iter().collect())
    }
}

/// Whether SQL takes both for the same column: DuckDB folds the case of ASCII letters only.
fn same_name(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
