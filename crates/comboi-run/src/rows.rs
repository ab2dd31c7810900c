//! Rows of comboi's own on their way into the lake. Written without DuckDB: to open one takes longer than all that is written here.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder,
    TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, Utc};
use comboi_project::{Column, Columns, SqlType};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde_json::Value;

use crate::task::TaskError;

/// Columns of these names and types.
pub(crate) fn columns(columns: &[(&str, SqlType)]) -> Columns {
    let columns = columns.iter();
    columns
        .map(|(name, sql_type)| Column::new(*name, sql_type.clone()))
        .collect()
}

/// Writes rows to one Parquet file. Columns are `VARCHAR`, `BIGINT`, `DOUBLE`, `BOOLEAN` or `TIMESTAMPTZ`; a moment is a text of RFC 3339.
pub(crate) fn write(columns: &Columns, rows: &[Vec<Value>], to: &Path) -> Result<(), TaskError> {
    let arrays: Result<Vec<(Field, ArrayRef)>, TaskError> = columns
        .iter()
        .enumerate()
        .map(|(place, column)| {
            let values = rows
                .iter()
                .map(|row| row.get(place).unwrap_or(&Value::Null));
            let array = array(column, values)?;
            Ok((
                Field::new(&column.name, array.data_type().clone(), true),
                array,
            ))
        })
        .collect();
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = arrays?.into_iter().unzip();
    let schema = Arc::new(Schema::new(fields));
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let failed = |e: parquet::errors::ParquetError| {
        TaskError::Scratch(to.to_owned(), std::io::Error::other(e))
    };
    let file = File::create(to).map_err(|e| TaskError::Scratch(to.to_owned(), e))?;
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)
        .map_err(|e| TaskError::Defect(format!("rows do not fit their columns: {e}")))?;
    let mut writer = ArrowWriter::try_new(file, schema, Some(properties)).map_err(failed)?;
    writer.write(&batch).map_err(failed)?;
    writer.close().map_err(failed)?;
    Ok(())
}

fn array<'a>(
    column: &Column,
    values: impl Iterator<Item = &'a Value>,
) -> Result<ArrayRef, TaskError> {
    let unfit = || TaskError::Defect(format!("a value of `{}` is not of its type", column.name));
    match column.sql_type {
        SqlType::Varchar(_) => filled(StringBuilder::new(), values, |to, value| {
            to.append_option(text(value));
            Ok(())
        }),
        SqlType::BigInt => filled(Int64Builder::new(), values, |to, value| {
            to.append_option(given(value, Value::as_i64).ok_or_else(unfit)?);
            Ok(())
        }),
        SqlType::Boolean => filled(BooleanBuilder::new(), values, |to, value| {
            to.append_option(given(value, Value::as_bool).ok_or_else(unfit)?);
            Ok(())
        }),
        SqlType::Double => filled(Float64Builder::new(), values, |to, value| {
            to.append_option(given(value, Value::as_f64).ok_or_else(unfit)?);
            Ok(())
        }),
        SqlType::TimestampTz => {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            let moments = TimestampMicrosecondBuilder::new().with_data_type(utc);
            filled(moments, values, |to, value| {
                let micros = |value: &Value| {
                    let moment: DateTime<Utc> = value.as_str()?.parse().ok()?;
                    Some(moment.timestamp_micros())
                };
                to.append_option(given(value, micros).ok_or_else(unfit)?);
                Ok(())
            })
        }
        _ => Err(unfit()),
    }
}

fn filled<'a, B: ArrayBuilder>(
    mut builder: B,
    values: impl Iterator<Item = &'a Value>,
    put: impl Fn(&mut B, &Value) -> Result<(), TaskError>,
) -> Result<ArrayRef, TaskError> {
    for value in values {
        put(&mut builder, value)?;
    }
    Ok(builder.finish())
}

/// Texts as they are, anything else as JSON.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// `None`: it is something else.
#[expect(
    clippy::option_option,
    reason = "nothing given is not the same as nothing fitting"
)]
fn given<T>(value: &Value, read: impl Fn(&Value) -> Option<T>) -> Option<Option<T>> {
    if value.is_null() {
        return Some(None);
    }
    read(value).map(Some)
}
