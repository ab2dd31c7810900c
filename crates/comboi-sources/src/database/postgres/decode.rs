//! PostgreSQL's binary `COPY` into Arrow arrays.
//!
//! The format is that of <https://www.postgresql.org/docs/current/sql-copy.html>, "Binary Format"; values have the binary form of
//! their types' send functions.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, ListArray, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{BooleanBufferBuilder, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};

use super::moments::{write_interval, write_time, write_time_tz};
use super::numeric::{NotExact, Numeric};

/// How a value is sent, and what it becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    /// Four bytes without a sign, kept in eight with one.
    Oid,
    Float4,
    Float8,
    /// Kept with this precision and scale.
    Decimal(u8, u8),
    /// Kept as text with every digit.
    NumericText,
    /// UTF-8.
    Text,
    /// A version and UTF-8.
    Jsonb,
    Bytes,
    Date,
    Timestamp,
    Time,
    TimeTz,
    Interval,
    Uuid,
    List(Box<Form>),
}

/// A value that could not be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It does not fit the column: why, and what to write in the configuration.
    Value(&'static str),
    /// The bytes are not what the type sends.
    Malformed,
}

use Refusal::Malformed;

const NO_NUMBER: &str = "it is NaN or an infinity, and DECIMAL has neither; write `VARCHAR` or `DOUBLE` for the column under `columns:`";
const TOO_LONG: &str = "it has more digits than the column; write a wider `DECIMAL`, or `VARCHAR`, for the column under `columns:`";
const INFINITE: &str = "it is an infinity, and the lake has no such date; write `VARCHAR` for the column under `columns:`";
const TOO_FAR: &str =
    "it is beyond the last date that the lake has; write `VARCHAR` for the column under `columns:`";
const DIMENSIONS: &str = "it is an array of other dimensions than the column; write the type with all of them for the column under `columns:`, such as `INTEGER[][]`, or `VARCHAR` where rows have different ones";

/// Days from 1970 to 2000, where PostgreSQL's dates begin.
const DAYS: i32 = 10_957;
const MICROS: i64 = DAYS as i64 * 86_400_000_000;

/// The rows of a batch that is being filled.
pub(super) struct Decoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    rows: usize,
    bytes: usize,
    /// Whether the header of the stream has been read.
    begun: bool,
    /// Whether its end has been read.
    ended: bool,
}

impl Decoder {
    pub(super) fn new(schema: SchemaRef, forms: &[Form]) -> Self {
        let columns = forms
            .iter()
            .zip(schema.fields())
            .map(|(form, field)| Column::new(form.clone(), field.data_type()));
        Self {
            columns: columns.collect(),
            schema,
            rows: 0,
            bytes: 0,
            begun: false,
            ended: false,
        }
    }

    /// Whether the stream said that there is no more.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// About what the rows take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes the rows of a message. The error says in which column.
    pub(super) fn take(&mut self, message: &[u8]) -> Result<(), (Option<usize>, Refusal)> {
        let mut rest = message;
        let malformed = |_: ()| (None, Malformed);
        if !self.begun {
            header(&mut rest).ok_or(()).map_err(malformed)?;
            self.begun = true;
        }
        while !rest.is_empty() {
            let count = i16::from_be_bytes(fixed(&mut rest).ok_or(()).map_err(malformed)?);
            if count == -1 && rest.is_empty() {
                self.ended = true;
                return Ok(());
            }
            if usize::try_from(count) != Ok(self.columns.len()) {
                return Err((None, Malformed));
            }
            for (place, column) in self.columns.iter_mut().enumerate() {
                let value = value(&mut rest).ok_or(()).map_err(malformed)?;
                column
                    .push(value)
                    .map_err(|refusal| (Some(place), refusal))?;
            }
            self.rows += 1;
        }
        self.bytes += message.len();
        Ok(())
    }

    /// The rows so far.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, (Option<usize>, Refusal)> {
        let columns = self.columns.iter_mut().zip(self.schema.fields());
        let arrays: Result<Vec<ArrayRef>, (Option<usize>, Refusal)> = columns
            .enumerate()
            .map(|(place, (column, field))| {
                let finished = column.finish(field.data_type());
                finished.map_err(|_| (Some(place), Malformed))
            })
            .collect();
        self.rows = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), arrays?).map_err(|_| (None, Malformed))
    }
}

fn header(rest: &mut &[u8]) -> Option<()> {
    let signature: [u8; 11] = fixed(rest)?;
    let flags = u32::from_be_bytes(fixed(rest)?);
    let extension = u32::from_be_bytes(fixed(rest)?);
    *rest = rest.get(usize::try_from(extension).ok()?..)?;
    (signature == *b"PGCOPY\n\xff\r\n\0" && flags & 0xffff_0000 == 0).then_some(())
}

fn fixed<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

/// A length and so many bytes; `Some(None)` is NULL.
fn value<'a>(rest: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    let length = i32::from_be_bytes(fixed(rest)?);
    if length == -1 {
        return Some(None);
    }
    let (head, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(Some(head))
}

struct Column {
    form: Form,
    values: Values,
    nulls: NullBufferBuilder,
}

enum Values {
    Bool(BooleanBufferBuilder),
    Int16(Vec<i16>),
    Int32(Vec<i32>),
    Int64(Vec<i64>),
    Int128(Vec<i128>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    /// Ends and bytes.
    Bytes(Vec<i32>, Vec<u8>),
    /// Ends and elements.
    List(Vec<i32>, Box<Column>),
}

impl Column {
    fn new(form: Form, data_type: &DataType) -> Self {
        let values = match (&form, data_type) {
            (Form::List(item), DataType::List(field)) => Values::List(
                vec![0],
                Box::new(Self::new(item.as_ref().clone(), field.data_type())),
            ),
            (_, DataType::Boolean) => Values::Bool(BooleanBufferBuilder::new(0)),
            (_, DataType::Int16) => Values::Int16(Vec::new()),
            (_, DataType::Int32 | DataType::Date32) => Values::Int32(Vec::new()),
            (_, DataType::Int64 | DataType::Timestamp(..)) => Values::Int64(Vec::new()),
            (_, DataType::Decimal128(..)) => Values::Int128(Vec::new()),
            (_, DataType::Float32) => Values::Float32(Vec::new()),
            (_, DataType::Float64) => Values::Float64(Vec::new()),
            _ => Values::Bytes(vec![0], Vec::new()),
        };
        Self {
            form,
            values,
            nulls: NullBufferBuilder::new(0),
        }
    }

    fn push(&mut self, value: Option<&[u8]>) -> Result<(), Refusal> {
        let Some(bytes) = value else {
            self.nulls.append_null();
            match &mut self.values {
                Values::Bool(values) => values.append(false),
                Values::Int16(values) => values.push(0),
                Values::Int32(values) => values.push(0),
                Values::Int64(values) => values.push(0),
                Values::Int128(values) => values.push(0),
                Values::Float32(values) => values.push(0.0),
                Values::Float64(values) => values.push(0.0),
                Values::Bytes(ends, _) | Values::List(ends, _) => {
                    ends.push(*ends.last().unwrap_or(&0));
                }
            }
            return Ok(());
        };
        match &mut self.values {
            Values::Bool(values) => values.append(*bytes.first().ok_or(Malformed)? != 0),
            Values::Int16(values) => values.push(i16::from_be_bytes(exact(bytes)?)),
            Values::Int32(values) => values.push(int32(&self.form, bytes)?),
            Values::Int64(values) => values.push(int64(&self.form, bytes)?),
            Values::Int128(values) => values.push(decimal(&self.form, bytes)?),
            Values::Float32(values) => values.push(f32::from_be_bytes(exact(bytes)?)),
            Values::Float64(values) => values.push(f64::from_be_bytes(exact(bytes)?)),
            Values::Bytes(ends, out) => {
                text(&self.form, bytes, out)?;
                ends.push(end(out.len())?);
            }
            Values::List(ends, items) => {
                let count = elements(bytes, items)?;
                ends.push(
                    ends.last()
                        .unwrap_or(&0)
                        .checked_add(count)
                        .ok_or(Malformed)?,
                );
            }
        }
        self.nulls.append_non_null();
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
            (Values::Bytes(ends, bytes), data_type) => {
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
                let bytes = take(bytes).into_inner();
                if *data_type == DataType::Binary {
                    Arc::new(BinaryArray::try_new(ends, bytes, nulls)?)
                } else {
                    Arc::new(StringArray::try_new(ends, bytes, nulls)?)
                }
            }
            (Values::List(ends, items), data_type) => {
                let field = match data_type {
                    DataType::List(field) => Arc::clone(field),
                    _ => Arc::new(Field::new("element", DataType::Null, true)),
                };
                let ends = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(ends, vec![0])));
                let items = items.finish(field.data_type())?;
                Arc::new(ListArray::try_new(field, ends, items, nulls)?)
            }
        })
    }
}

fn take<T: arrow_buffer::ArrowNativeType>(values: &mut Vec<T>) -> ScalarBuffer<T> {
    let next = Vec::with_capacity(values.len());
    ScalarBuffer::from(std::mem::replace(values, next))
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Refusal> {
    bytes.try_into().map_err(|_| Malformed)
}

fn end(length: usize) -> Result<i32, Refusal> {
    i32::try_from(length).map_err(|_| Malformed)
}

fn int32(form: &Form, bytes: &[u8]) -> Result<i32, Refusal> {
    let value = i32::from_be_bytes(exact(bytes)?);
    match form {
        Form::Date if value == i32::MAX || value == i32::MIN => Err(Refusal::Value(INFINITE)),
        Form::Date => value.checked_add(DAYS).ok_or(Refusal::Value(TOO_FAR)),
        _ => Ok(value),
    }
}

fn int64(form: &Form, bytes: &[u8]) -> Result<i64, Refusal> {
    if *form == Form::Oid {
        return Ok(i64::from(u32::from_be_bytes(exact(bytes)?)));
    }
    let value = i64::from_be_bytes(exact(bytes)?);
    match form {
        Form::Timestamp if value == i64::MAX || value == i64::MIN => Err(Refusal::Value(INFINITE)),
        Form::Timestamp => value.checked_add(MICROS).ok_or(Refusal::Value(TOO_FAR)),
        _ => Ok(value),
    }
}

fn decimal(form: &Form, bytes: &[u8]) -> Result<i128, Refusal> {
    let Form::Decimal(precision, scale) = form else {
        return Err(Malformed);
    };
    let number = Numeric::parse(bytes).ok_or(Malformed)?;
    number.units(*precision, *scale).map_err(|why| match why {
        NotExact::NoNumber => Refusal::Value(NO_NUMBER),
        NotExact::TooLong => Refusal::Value(TOO_LONG),
    })
}

fn text(form: &Form, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    match form {
        Form::NumericText => Numeric::parse(bytes).ok_or(Malformed)?.write(out),
        Form::Jsonb => out.extend(bytes.get(1..).ok_or(Malformed)?),
        Form::Time => write_time(out, i64::from_be_bytes(exact(bytes)?)),
        Form::TimeTz => {
            let (micros, zone) = bytes.split_at_checked(8).ok_or(Malformed)?;
            write_time_tz(
                out,
                i64::from_be_bytes(exact(micros)?),
                i32::from_be_bytes(exact(zone)?),
            );
        }
        Form::Interval => {
            let mut rest = bytes;
            let micros = i64::from_be_bytes(fixed(&mut rest).ok_or(Malformed)?);
            let days = i32::from_be_bytes(fixed(&mut rest).ok_or(Malformed)?);
            let months = i32::from_be_bytes(fixed(&mut rest).ok_or(Malformed)?);
            // PostgreSQL 17 has infinite ones: the ends of all three.
            if matches!(
                (months, days, micros),
                (i32::MAX, i32::MAX, i64::MAX) | (i32::MIN, i32::MIN, i64::MIN)
            ) {
                return Err(Refusal::Value(INFINITE));
            }
            write_interval(out, months, days, micros);
        }
        Form::Uuid => uuid(exact(bytes)?, out),
        _ => out.extend(bytes),
    }
    Ok(())
}

fn uuid(bytes: [u8; 16], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for (place, byte) in bytes.into_iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
}

/// The elements of an array, which has as many dimensions as the column; how many the outermost has.
fn elements(bytes: &[u8], items: &mut Column) -> Result<i32, Refusal> {
    let mut rest = bytes;
    let (dimensions, _has_nulls, _of) = (word(&mut rest)?, word(&mut rest)?, word(&mut rest)?);
    match dimensions {
        0 => return Ok(0),
        1 if !matches!(items.values, Values::List(..)) => {}
        _ => return nested(dimensions, &mut rest, items),
    }
    let (count, _first) = (word(&mut rest)?, word(&mut rest)?);
    for _ in 0..count {
        items.push(value(&mut rest).ok_or(Malformed)?)?;
    }
    Ok(count)
}

fn word(rest: &mut &[u8]) -> Result<i32, Refusal> {
    fixed(rest).map(i32::from_be_bytes).ok_or(Malformed)
}

/// The same for several dimensions: their lengths stand in front, then all the elements.
fn nested(dimensions: i32, rest: &mut &[u8], items: &mut Column) -> Result<i32, Refusal> {
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(word(rest)?);
        let _first = word(rest)?;
    }
    fill(&lengths, rest, items)?;
    lengths.first().copied().ok_or(Malformed)
}

fn fill(lengths: &[i32], rest: &mut &[u8], items: &mut Column) -> Result<(), Refusal> {
    let Some((count, inner)) = lengths.split_first() else {
        return Err(Refusal::Value(DIMENSIONS));
    };
    for _ in 0..*count {
        match (&mut items.values, inner.first()) {
            (Values::List(ends, elements), Some(length)) => {
                let last = *ends.last().unwrap_or(&0);
                ends.push(last.checked_add(*length).ok_or(Malformed)?);
                items.nulls.append_non_null();
                fill(inner, rest, elements)?;
            }
            (Values::List(..), None) | (_, Some(_)) => return Err(Refusal::Value(DIMENSIONS)),
            (_, None) => items.push(value(rest).ok_or(Malformed)?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_schema::Schema;

    fn decoder(form: Form, data_type: DataType) -> Decoder {
        let schema = Schema::new(vec![Field::new("v", data_type, true)]);
        Decoder::new(Arc::new(schema), &[form])
    }

    fn stream(rows: &[&[u8]]) -> Vec<u8> {
        let mut bytes = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
        for row in rows {
            bytes.extend(1_i16.to_be_bytes());
            bytes.extend(i32::try_from(row.len()).unwrap().to_be_bytes());
            bytes.extend(*row);
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    #[test]
    fn a_stream_that_is_cut_off_or_longer_is_refused() {
        let whole = stream(&[&7_i32.to_be_bytes(), &8_i32.to_be_bytes()]);
        let mut good = decoder(Form::Int4, DataType::Int32);
        assert_eq!(good.take(&whole), Ok(()));
        assert!(good.ended());
        assert_eq!(good.batch().unwrap().num_rows(), 2);
        let after_header = 19;
        for length in 1..whole.len() - 2 {
            // Whole rows, of ten bytes each, are a good beginning.
            if length >= after_header && (length - after_header).is_multiple_of(10) {
                continue;
            }
            let taken = decoder(Form::Int4, DataType::Int32).take(&whole[..length]);
            assert_eq!(taken.unwrap_err().1, Malformed, "{length} bytes");
        }
        let mut half = decoder(Form::Int4, DataType::Int32);
        assert_eq!(half.take(&whole[..whole.len() - 2]), Ok(()));
        assert!(!half.ended());
        for wrong in [
            [&whole[..], &[0]].concat(),
            stream(&[b"too long"]),
            stream(&[b""]),
            b"no copy".to_vec(),
        ] {
            let taken = decoder(Form::Int4, DataType::Int32).take(&wrong);
            assert_eq!(taken.unwrap_err().1, Malformed);
        }
    }

    /// Arrays as `array_send` writes them: dimensions, flags, the element's type, then each dimension's length and lower bound.
    #[test]
    fn an_array_has_the_dimensions_of_its_column() {
        let array = |lengths: &[i32], values: &[i32]| {
            let mut words = vec![i32::try_from(lengths.len()).unwrap(), 0, 23];
            words.extend(lengths.iter().flat_map(|length| [*length, 1]));
            words.extend(values.iter().flat_map(|value| [4, *value]));
            words
                .iter()
                .flat_map(|word| word.to_be_bytes())
                .collect::<Vec<u8>>()
        };
        let read = |depth: usize, array: &[u8]| {
            let list = |of: DataType| DataType::List(Arc::new(Field::new("element", of, true)));
            let (mut form, mut of) = (Form::Int4, DataType::Int32);
            for _ in 0..depth {
                (form, of) = (Form::List(Box::new(form)), list(of));
            }
            let mut decoder = decoder(form, of);
            decoder.take(&stream(&[array])).map_err(|(_, why)| why)?;
            let batch = decoder.batch().map_err(|(_, why)| why)?;
            Ok(format!(
                "{:?}",
                arrow_cast::display::array_value_to_string(batch.column(0), 0).unwrap()
            ))
        };
        let other = Err(Refusal::Value(DIMENSIONS));
        let (flat, deep) = (array(&[2], &[1, 2]), array(&[2, 3], &[1, 2, 3, 4, 5, 6]));
        let deeper = array(&[1, 2, 1], &[7, 8]);
        assert_eq!(read(1, &flat), Ok("\"[1, 2]\"".to_owned()));
        assert_eq!(read(2, &deep), Ok("\"[[1, 2, 3], [4, 5, 6]]\"".to_owned()));
        assert_eq!(read(3, &deeper), Ok("\"[[[7], [8]]]\"".to_owned()));
        for depth in 1..=3 {
            assert_eq!(read(depth, &array(&[], &[])), Ok("\"[]\"".to_owned()));
        }
        for (depth, array) in [
            (2, &flat),
            (3, &flat),
            (1, &deep),
            (3, &deep),
            (1, &deeper),
            (2, &deeper),
        ] {
            assert_eq!(read(depth, array), other, "{depth}");
        }
        assert_eq!(read(2, &deep[..deep.len() - 4]), Err(Malformed));
    }

    #[test]
    fn an_interval_without_an_end_is_refused() {
        let sent = |micros: i64, days: i32, months: i32| {
            let mut bytes = micros.to_be_bytes().to_vec();
            bytes.extend(days.to_be_bytes());
            bytes.extend(months.to_be_bytes());
            decoder(Form::Interval, DataType::Utf8).take(&stream(&[&bytes]))
        };
        let refused = Err((Some(0), Refusal::Value(INFINITE)));
        assert_eq!(sent(i64::MAX, i32::MAX, i32::MAX), refused);
        assert_eq!(sent(i64::MIN, i32::MIN, i32::MIN), refused);
        assert_eq!(sent(i64::MAX, i32::MAX, 0), Ok(()));
    }
}
