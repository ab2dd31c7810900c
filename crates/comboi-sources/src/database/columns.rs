//! Columns on their way from a database to the lake.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use comboi_project::SqlType;

use crate::names::place_of;

/// A column of a relation of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceColumn {
    /// Its name in the database.
    pub name: String,
    /// Its type, as the database calls it: `numeric(15,2)`.
    pub source_type: String,
    /// The type that queries over the lake see. It has a lake type, which is the type of the values that are read.
    pub sql_type: SqlType,
    /// How the database writes it on the way, where its own form is not read here: an expression in which `{}` stands for the column.
    pub sent_as: Option<String>,
    /// Whether values are composites of PostgreSQL, or arrays of them, whose texts get longer when their type gets a field.
    pub is_composite: bool,
}

/// The type that is wanted instead of the database's, for each of a relation's columns.
pub(super) fn wanted<'a>(
    names: &[String],
    said: &'a BTreeMap<String, SqlType>,
) -> Vec<Option<&'a SqlType>> {
    let mut wanted = vec![None; names.len()];
    for (name, of) in said {
        if let Some(place) = place_of(names.iter().map(String::as_str), name) {
            wanted[place] = Some(of);
        }
    }
    wanted
}

/// Whether values are read in the database's own type and get the other one by the rules for files with types. As texts they would be
/// held to those for texts, by which `FLOAT` takes the `0.1` of a `DOUBLE` although the two numbers differ.
pub(super) fn is_converted(own: &SqlType, said: &SqlType) -> bool {
    use SqlType::{Boolean, Decimal, Double, Float, Json, List};
    let is_number = |of: &SqlType| of.is_number() || *of == Boolean;
    match (own, said) {
        // NaN, which a `DECIMAL` can't be, is one of the texts.
        (Decimal(..), Float | Double) => false,
        (List(_), Json) => true,
        _ => (is_number(own) && is_number(said)) || (own.is_moment() && said.is_moment()),
    }
}

/// The schema of batches with these columns: their lake types.
///
/// `BOOLEAN` Boolean, `TINYINT…BIGINT` Int8…Int64, `FLOAT`/`DOUBLE` Float32/64, `DECIMAL(p,s)` Decimal128(p,s), `VARCHAR` Utf8,
/// `BLOB` Binary, `DATE` Date32, `TIMESTAMPTZ` Timestamp(µs, UTC), `LIST` List, `STRUCT` Struct.
pub fn arrow_schema(columns: &[SourceColumn]) -> SchemaRef {
    let fields: Vec<Field> = columns
        .iter()
        .map(|column| Field::new(&column.name, data_type(&lake_type(&column.sql_type)), true))
        .collect();
    Arc::new(Schema::new(fields))
}

/// The lake type of a column that a connection described; what has none is an error there.
fn lake_type(sql_type: &SqlType) -> SqlType {
    sql_type
        .lake_type()
        .expect("a source column has a type that the lake keeps")
}

/// The Arrow type of a lake type.
fn data_type(lake: &SqlType) -> DataType {
    match lake {
        SqlType::Boolean => DataType::Boolean,
        SqlType::TinyInt => DataType::Int8,
        SqlType::SmallInt => DataType::Int16,
        SqlType::Integer => DataType::Int32,
        SqlType::BigInt => DataType::Int64,
        SqlType::Float => DataType::Float32,
        SqlType::Double => DataType::Float64,
        SqlType::Decimal(precision, scale) => DataType::Decimal128(
            *precision,
            i8::try_from(*scale).expect("a scale is at most 38"),
        ),
        SqlType::Blob => DataType::Binary,
        SqlType::Date => DataType::Date32,
        SqlType::TimestampTz => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        SqlType::List(item) => {
            DataType::List(Arc::new(Field::new("element", data_type(item), true)))
        }
        SqlType::Struct(fields) => DataType::Struct(
            fields
                .iter()
                .map(|(name, of)| Field::new(name, data_type(of), true))
                .collect::<Fields>(),
        ),
        // Every other lake type is text, but for maps, which no database sends.
        _ => DataType::Utf8,
    }
}
