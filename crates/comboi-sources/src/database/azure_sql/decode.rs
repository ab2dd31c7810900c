//! SQL Server's values into Arrow arrays. `mssql-tds` hands each value of a row to its [`RowWriter`] as it comes off the wire.

use std::borrow::Cow;
use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use comboi_project::SqlType;
use mssql_tds::datatypes::column_values::{
    SqlDate, SqlDateTime, SqlDateTime2, SqlDateTimeOffset, SqlMoney, SqlSmallDateTime,
    SqlSmallMoney, SqlTime, SqlXml,
};
use mssql_tds::datatypes::decoder::DecimalParts;
use mssql_tds::datatypes::row_writer::RowWriter;
use mssql_tds::datatypes::sql_json::SqlJson;
use mssql_tds::datatypes::sql_string::EncodingType;
use mssql_tds::datatypes::sql_vector::SqlVector;

use super::moments;
use super::strings::decode;
use crate::database::{SourceColumn, arrow_schema};

/// A value that could not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not fit the column: why, and what to write in the configuration.
    Value(&'static str),
    /// It is not of the type that the server told of.
    Malformed,
}

use Refusal::Malformed;

const TOO_LONG: &str = "the texts of a few rows are longer than two gigabytes together; leave the column out in a `query`";

/// The rows of a batch that is being filled. The first value that can't be taken is remembered: the batch is worth nothing then,
/// as its columns may be of different lengths.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<Column>,
    count: usize,
    bytes: usize,
    refused: Option<(usize, Refusal)>,
}

impl Rows {
    /// For columns of a source.
    pub(super) fn new(columns: &[SourceColumn]) -> Self {
        let schema = arrow_schema(columns);
        let fields = schema.fields().iter().zip(columns);
        let columns = fields
            .map(|(field, column)| Column {
                values: Values::new(field.data_type()),
                nulls: NullBufferBuilder::new(0),
                is_time: column.sql_type == SqlType::Time,
                cut_off: 0,
                scale: match column.sql_type {
                    SqlType::Decimal(_, scale) => scale,
                    _ => 0,
                },
            })
            .collect();
        Self {
            schema,
            columns,
            count: 0,
            bytes: 0,
            refused: None,
        }
    }

    /// For so many columns of text.
    pub(super) fn of_texts(count: usize) -> Self {
        let field = |_| Field::new("", DataType::Utf8, true);
        let column = |_| Column {
            values: Values::new(&DataType::Utf8),
            nulls: NullBufferBuilder::new(0),
            is_time: false,
            cut_off: 0,
            scale: 0,
        };
        Self {
            schema: Arc::new(Schema::new((0..count).map(field).collect::<Vec<_>>())),
            columns: (0..count).map(column).collect(),
            count: 0,
            bytes: 0,
            refused: None,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// About what the rows take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The first value that could not be taken, with its column.
    pub(super) fn refused(&self) -> Option<(usize, Refusal)> {
        self.refused
    }

    /// How many values had a seventh digit of a second that is not kept, by column.
    pub(super) fn cut_off(&self) -> impl Iterator<Item = u64> {
        self.columns.iter().map(|it| it.cut_off)
    }

    /// The rows so far.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, (usize, Refusal)> {
        let columns = self.columns.iter_mut().zip(self.schema.fields());
        let arrays: Result<Vec<ArrayRef>, (usize, Refusal)> = columns
            .enumerate()
            .map(|(place, (column, field))| {
                let finished = column.finish(field.data_type());
                finished.map_err(|_| (place, Malformed))
            })
            .collect();
        self.count = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays?).map_err(|_| (0, Malformed))
    }

    /// The rows so far, if they are texts.
    pub(super) fn texts(&mut self) -> Result<Vec<Vec<Option<String>>>, (usize, Refusal)> {
        let count = self.count;
        let batch = self.batch()?;
        let text = |row: usize, column: &ArrayRef| {
            let column = column.as_any().downcast_ref::<StringArray>()?;
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        Ok((0..count)
            .map(|row| batch.columns().iter().map(|it| text(row, it)).collect())
            .collect())
    }

    /// Puts a value into a column.
    fn put(
        &mut self,
        place: usize,
        bytes: usize,
        push: impl FnOnce(&mut Column) -> Result<(), Refusal>,
    ) {
        self.bytes += bytes;
        let pushed = match self.columns.get_mut(place) {
            Some(column) => {
                column.nulls.append_non_null();
                push(column)
            }
            None => Err(Malformed),
        };
        if let Err(refusal) = pushed {
            self.refused.get_or_insert((place, refusal));
        }
    }

    /// A whole number, into whatever the column keeps.
    fn whole(&mut self, place: usize, value: i64) {
        self.put(place, 8, |column| match &mut column.values {
            Values::Int16(values) => push(values, value.try_into()),
            Values::Int32(values) => push(values, value.try_into()),
            Values::Int64(values) => push::<i64, ArrowError>(values, Ok(value)),
            Values::Int128(values) => push::<i128, ArrowError>(values, Ok(value.into())),
            Values::Text(..) => column.text(|out| {
                out.extend(value.to_string().bytes());
                Ok(())
            }),
            _ => Err(Malformed),
        });
    }

    fn decimal(&mut self, place: usize, value: &DecimalParts) {
        let magnitude = i128::try_from(value.magnitude());
        let units = magnitude.map(|it| if value.is_positive { it } else { -it });
        self.put(place, 16, |column| match &mut column.values {
            Values::Int128(values) if value.scale == column.scale => push(values, units),
            _ => Err(Malformed),
        });
    }

    /// A moment of which all but the last of seven digits of a second is kept.
    fn ticks(&mut self, place: usize, days: u32, ticks: u64) {
        self.micros(place, moments::micros(days, ticks));
        if let Some(column) = self.columns.get_mut(place) {
            column.cut_off += u64::from(!ticks.is_multiple_of(10));
        }
    }

    fn micros(&mut self, place: usize, micros: Option<i64>) {
        self.put(place, 8, |column| match &mut column.values {
            Values::Int64(values) => push(values, micros.ok_or(())),
            _ => Err(Malformed),
        });
    }

    fn is_text(&self, place: usize) -> bool {
        matches!(
            self.columns.get(place).map(|it| &it.values),
            Some(Values::Text(..))
        )
    }

    fn string(&mut self, place: usize, bytes: &[u8], encoding: EncodingType) {
        self.put(place, bytes.len(), |column| {
            column.text(|out| decode(bytes, encoding, out))
        });
    }
}

fn push<T, E>(values: &mut Vec<T>, value: Result<T, E>) -> Result<(), Refusal> {
    values.push(value.map_err(|_| Malformed)?);
    Ok(())
}

struct Column {
    values: Values,
    nulls: NullBufferBuilder,
    /// Whether a text is a TIME.
    is_time: bool,
    /// How many of all values had a seventh digit of a second that is not kept.
    cut_off: u64,
    /// How many digits of a decimal are behind the point.
    scale: u8,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int128(Vec<i128>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    /// Ends and bytes, as in the next.
    Text(Vec<i32>, Vec<u8>),
    Bytes(Vec<i32>, Vec<u8>),
}

impl Values {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Bool(BooleanBufferBuilder::new(0)),
            DataType::Int16 => Self::Int16(Vec::new()),
            DataType::Int32 | DataType::Date32 => Self::Int32(Vec::new()),
            DataType::Int64 | DataType::Timestamp(..) => Self::Int64(Vec::new()),
            DataType::Decimal128(..) => Self::Int128(Vec::new()),
            DataType::Float32 => Self::Float32(Vec::new()),
            DataType::Float64 => Self::Float64(Vec::new()),
            DataType::Binary => Self::Bytes(vec![0], Vec::new()),
            _ => Self::Text(vec![0], Vec::new()),
        }
    }
}

impl Column {
    fn push_null(&mut self) {
        self.nulls.append_null();
        match &mut self.values {
            Values::Bool(values) => values.append(false),
            Values::Int16(values) => values.push(0),
            Values::Int32(values) => values.push(0),
            Values::Int64(values) => values.push(0),
            Values::Int128(values) => values.push(0),
            Values::Float32(values) => values.push(0.0),
            Values::Float64(values) => values.push(0.0),
            Values::Text(ends, _) | Values::Bytes(ends, _) => {
                ends.push(*ends.last().unwrap_or(&0));
            }
        }
    }

    /// A text.
    fn text(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let Values::Text(ends, out) = &mut self.values else {
            return Err(Malformed);
        };
        write(out)?;
        ends.push(end(out.len())?);
        Ok(())
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.nulls.finish();
        Ok(match (&mut self.values, data_type) {
            (Values::Bool(values), _) => Arc::new(BooleanArray::new(values.finish(), nulls)),
            (Values::Int16(values), _) => Arc::new(Int16Array::try_new(take(values), nulls)?),
            (Values::Int32(values), DataType::Date32) => {
                Arc::new(Date32Array::try_new(take(values), nulls)?)
            }
            (Values::Int32(values), _) => Arc::new(Int32Array::try_new(take(values), nulls)?),
            (Values::Int64(values), DataType::Timestamp(..)) => Arc::new(
                TimestampMicrosecondArray::try_new(take(values), nulls)?.with_timezone("UTC"),
            ),
            (Values::Int64(values), _) => Arc::new(Int64Array::try_new(take(values), nulls)?),
            (Values::Int128(values), data_type) => Arc::new(
                Decimal128Array::try_new(take(values), nulls)?.with_data_type(data_type.clone()),
            ),
            (Values::Float32(values), _) => Arc::new(Float32Array::try_new(take(values), nulls)?),
            (Values::Float64(values), _) => Arc::new(Float64Array::try_new(take(values), nulls)?),
            (Values::Text(ends, bytes), _) => {
                let (ends, bytes) = finished(ends, bytes);
                Arc::new(StringArray::try_new(ends, bytes, nulls)?)
            }
            (Values::Bytes(ends, bytes), _) => {
                let (ends, bytes) = finished(ends, bytes);
                Arc::new(BinaryArray::try_new(ends, bytes, nulls)?)
            }
        })
    }
}

fn take<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let next = Vec::with_capacity(values.len());
    ScalarBuffer::from(std::mem::replace(values, next))
}

fn finished(ends: &mut Vec<i32>, bytes: &mut Vec<u8>) -> (OffsetBuffer<i32>, Buffer) {
    let mut next = Vec::with_capacity(ends.len());
    next.push(0);
    let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, next)));
    let next = Vec::with_capacity(bytes.len());
    (ends, Buffer::from_vec(std::mem::replace(bytes, next)))
}

fn end(length: usize) -> Result<i32, Refusal> {
    i32::try_from(length).map_err(|_| Refusal::Value(TOO_LONG))
}

fn hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.extend(b"0x");
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

impl RowWriter for Rows {
    fn write_null(&mut self, col: usize) {
        match self.columns.get_mut(col) {
            Some(column) => column.push_null(),
            None => {
                self.refused.get_or_insert((col, Malformed));
            }
        }
    }

    fn write_bool(&mut self, col: usize, val: bool) {
        self.put(col, 1, |column| match &mut column.values {
            Values::Bool(values) => {
                values.append(val);
                Ok(())
            }
            _ => Err(Malformed),
        });
    }

    fn write_u8(&mut self, col: usize, val: u8) {
        self.whole(col, val.into());
    }

    fn write_i16(&mut self, col: usize, val: i16) {
        self.whole(col, val.into());
    }

    fn write_i32(&mut self, col: usize, val: i32) {
        self.whole(col, val.into());
    }

    fn write_i64(&mut self, col: usize, val: i64) {
        self.whole(col, val);
    }

    fn write_f32(&mut self, col: usize, val: f32) {
        self.put(col, 4, |column| match &mut column.values {
            Values::Float32(values) => push::<_, ArrowError>(values, Ok(val)),
            _ => Err(Malformed),
        });
    }

    fn write_f64(&mut self, col: usize, val: f64) {
        self.put(col, 8, |column| match &mut column.values {
            Values::Float64(values) => push::<_, ArrowError>(values, Ok(val)),
            _ => Err(Malformed),
        });
    }

    fn write_string(&mut self, col: usize, bytes: Cow<'_, [u8]>, encoding_type: EncodingType) {
        self.string(col, &bytes, encoding_type);
    }

    fn write_bytes(&mut self, col: usize, bytes: Cow<'_, [u8]>) {
        self.put(col, bytes.len(), |column| match &mut column.values {
            Values::Bytes(ends, out) => {
                out.extend_from_slice(&bytes);
                ends.push(end(out.len())?);
                Ok(())
            }
            // A row version.
            _ => column.text(|out| {
                hex(&bytes, out);
                Ok(())
            }),
        });
    }

    fn write_decimal(&mut self, col: usize, val: DecimalParts) {
        self.decimal(col, &val);
    }

    fn write_numeric(&mut self, col: usize, val: DecimalParts) {
        self.decimal(col, &val);
    }

    fn write_date(&mut self, col: usize, val: SqlDate) {
        let days = moments::days(val.get_days());
        self.put(col, 4, |column| match &mut column.values {
            Values::Int32(values) => push(values, days.try_into()),
            _ => Err(Malformed),
        });
    }

    // The field is called nanoseconds and counts in hundreds of them.
    fn write_time(&mut self, col: usize, val: SqlTime) {
        self.put(col, 16, |column| {
            let is_time = column.is_time;
            let is_cut = is_time && !val.time_nanoseconds.is_multiple_of(10);
            column.cut_off += u64::from(is_cut);
            column.text(|out| {
                if is_time {
                    moments::write_short_time(out, val.time_nanoseconds);
                } else {
                    moments::write_time(out, val.time_nanoseconds, val.scale);
                }
                Ok(())
            })
        });
    }

    fn write_datetime(&mut self, col: usize, val: SqlDateTime) {
        self.micros(col, Some(moments::datetime_micros(val.days, val.time)));
    }

    fn write_smalldatetime(&mut self, col: usize, val: SqlSmallDateTime) {
        self.micros(col, Some(moments::smalldatetime_micros(val.days, val.time)));
    }

    fn write_datetime2(&mut self, col: usize, val: SqlDateTime2) {
        let ticks = val.time.time_nanoseconds;
        if !self.is_text(col) {
            self.ticks(col, val.days, ticks);
            return;
        }
        self.put(col, 27, |column| {
            column.text(|out| {
                moments::write_moment(out, val.days, ticks, val.time.scale).ok_or(Malformed)
            })
        });
    }

    fn write_datetimeoffset(&mut self, col: usize, val: SqlDateTimeOffset) {
        let SqlDateTime2 { days, time } = val.datetime2;
        if !self.is_text(col) {
            self.ticks(col, days, time.time_nanoseconds);
            return;
        }
        self.put(col, 34, |column| {
            column.text(|out| {
                moments::write_zoned(out, days, time.time_nanoseconds, time.scale, val.offset)
                    .ok_or(Malformed)
            })
        });
    }

    fn write_money(&mut self, col: usize, val: SqlMoney) {
        let units = (i64::from(val.msb_part) << 32) | i64::from(val.lsb_part.cast_unsigned());
        self.whole(col, units);
    }

    fn write_smallmoney(&mut self, col: usize, val: SqlSmallMoney) {
        self.whole(col, val.int_val.into());
    }

    fn write_uuid(&mut self, col: usize, val: uuid::Uuid) {
        self.put(col, 36, |column| {
            column.text(|out| {
                out.extend(val.hyphenated().encode_lower(&mut [0; 36]).bytes());
                Ok(())
            })
        });
    }

    fn write_xml(&mut self, col: usize, val: SqlXml) {
        let bytes = val.bytes.strip_prefix(&[0xff, 0xfe]).unwrap_or(&val.bytes);
        self.string(col, bytes, EncodingType::Utf16);
    }

    fn write_json(&mut self, col: usize, val: SqlJson) {
        self.string(col, &val.bytes, EncodingType::Utf8);
    }

    fn write_vector(&mut self, col: usize, _: SqlVector) {
        self.refused.get_or_insert((col, Malformed));
    }

    fn end_row(&mut self) {
        self.count += 1;
    }
}
