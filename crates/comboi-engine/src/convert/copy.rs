//! A Parquet file written again, column by column: levels stay, values are converted.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

use num_bigint::{BigInt, Sign};
use parquet::basic::{Compression, LogicalType, TimeUnit};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_typed_column_reader};
use parquet::data_type::{AsBytes, ByteArray, ByteArrayType, DataType, Int64Type, Int96Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::ColumnDescriptor;

use super::change::{Change, schema};
use super::{Refused, Work};
use crate::footer;

/// Rows that are in memory at a time.
const BATCH_ROWS: usize = 4096;

/// Writes `to`, with the rows in their order.
pub(super) fn copy(work: &Work<'_>, changes: &[Change], to: &Path) -> Result<(), Refused> {
    let failed = |error: ParquetError| work.failed(error, to);
    let reader = open(work)?;
    let schema = schema(
        &work.footer.file_metadata().schema_descr().root_schema_ptr(),
        &mut changes.iter().copied(),
    )
    .map_err(failed)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    let file = File::create(to).map_err(|e| failed(e.into()))?;
    let mut writer = SerializedFileWriter::new(BufWriter::new(file), schema, Arc::new(properties))
        .map_err(failed)?;
    for i in 0..reader.num_row_groups() {
        let group = reader.get_row_group(i).map_err(failed)?;
        let mut written = writer.next_row_group().map_err(failed)?;
        for (column, change) in changes.iter().enumerate() {
            work.not_stopped()?;
            let mut to = written.next_column().map_err(failed)?.ok_or_else(|| {
                failed(ParquetError::General(
                    "it has fewer columns than its schema".into(),
                ))
            })?;
            copy_column(&*group, column, *change, &mut to).map_err(failed)?;
            to.close().map_err(failed)?;
        }
        written.close().map_err(failed)?;
    }
    writer.close().map(drop).map_err(failed)
}

fn open(work: &Work<'_>) -> Result<SerializedFileReader<File>, Refused> {
    if let Some(why) = footer::encrypted(work.file) {
        return Err(Refused::File(why));
    }
    let file = File::open(work.file).map_err(|e| super::unreadable(work.file, &e))?;
    SerializedFileReader::new(file).map_err(|error| work.failed(error, work.file))
}

fn copy_column(
    group: &dyn RowGroupReader,
    column: usize,
    change: Change,
    to: &mut SerializedColumnWriter<'_>,
) -> Result<(), ParquetError> {
    let descriptor = group.metadata().column(column).column_descr_ptr();
    let levels = Levels::of(&descriptor);
    let reader = group.get_column_reader(column)?;
    if let Change::Text(scale) = change {
        let text = |bytes: &[u8]| ByteArray::from(digits(bytes, scale).into_bytes());
        return match reader {
            ColumnReader::ByteArrayColumnReader(it) => {
                transfer::<_, ByteArrayType>(it, to, levels, |value| text(value.data()))
            }
            ColumnReader::FixedLenByteArrayColumnReader(it) => {
                transfer::<_, ByteArrayType>(it, to, levels, |value| text(value.as_bytes()))
            }
            _ => Err(ParquetError::General(
                "a number of 64 bits can't have more than 38 digits".into(),
            )),
        };
    }
    match reader {
        ColumnReader::BoolColumnReader(it) => same(it, to, levels),
        ColumnReader::Int32ColumnReader(it) => same(it, to, levels),
        ColumnReader::Int64ColumnReader(it) => same(it, to, levels),
        ColumnReader::Int96ColumnReader(it) => same(it, to, levels),
        ColumnReader::FloatColumnReader(it) => same(it, to, levels),
        ColumnReader::DoubleColumnReader(it) => same(it, to, levels),
        ColumnReader::ByteArrayColumnReader(it) => same(it, to, levels),
        ColumnReader::FixedLenByteArrayColumnReader(it) => same(it, to, levels),
    }
}

/// Which levels a column has.
#[derive(Clone, Copy)]
struct Levels {
    definition: bool,
    repetition: bool,
}

impl Levels {
    fn of(column: &ColumnDescriptor) -> Self {
        Self {
            definition: column.max_def_level() > 0,
            repetition: column.max_rep_level() > 0,
        }
    }
}

fn same<T: DataType>(
    from: ColumnReaderImpl<T>,
    to: &mut SerializedColumnWriter<'_>,
    levels: Levels,
) -> Result<(), ParquetError> {
    transfer::<T, T>(from, to, levels, |value| value)
}

fn transfer<T: DataType, U: DataType>(
    mut from: ColumnReaderImpl<T>,
    to: &mut SerializedColumnWriter<'_>,
    levels: Levels,
    convert: impl Fn(T::T) -> U::T,
) -> Result<(), ParquetError> {
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        values.clear();
        definition.clear();
        repetition.clear();
        let read = from.read_records(
            BATCH_ROWS,
            Some(&mut definition),
            Some(&mut repetition),
            &mut values,
        )?;
        if read.0 == 0 {
            return Ok(());
        }
        let converted: Vec<U::T> = values.drain(..).map(&convert).collect();
        to.typed::<U>().write_batch(
            &converted,
            levels.definition.then_some(&definition),
            levels.repetition.then_some(&repetition),
        )?;
    }
}

/// A number in two's complement, its highest byte first, with so many of its digits after the point.
fn digits(bytes: &[u8], scale: usize) -> String {
    let number = BigInt::from_signed_bytes_be(bytes);
    let sign = if number.sign() == Sign::Minus {
        "-"
    } else {
        ""
    };
    let all = format!(
        "{:0>width$}",
        number.magnitude().to_string(),
        width = scale + 1
    );
    match all.split_at(all.len() - scale) {
        (whole, "") => format!("{sign}{whole}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    }
}

/// Refuses times with digits below a microsecond in columns where DuckDB cuts them off without a word. (It keeps those of `TIMESTAMP_NS`, so
/// they are found row by row.)
pub(super) fn check_times(work: &Work<'_>) -> Result<(), Refused> {
    let columns = work.footer.file_metadata().schema_descr().columns().iter();
    let times: Vec<usize> = columns
        .enumerate()
        .filter(|(_, column)| loses_digits(column))
        .map(|(place, _)| place)
        .collect();
    if times.is_empty() {
        return Ok(());
    }
    let reader = open(work)?;
    for i in 0..reader.num_row_groups() {
        let failed = |error| work.failed(error, work.file);
        let group = reader.get_row_group(i).map_err(failed)?;
        for column in &times {
            work.not_stopped()?;
            let reader = group.get_column_reader(*column).map_err(failed)?;
            if has_more_digits(reader).map_err(failed)? {
                let descriptor = group.metadata().column(*column).column_descr();
                return Err(work.refused(&format!(
                    "column `{}` has times with digits below a microsecond, which can't be kept: write them with microseconds, or as text",
                    descriptor.path().string()
                )));
            }
        }
    }
    Ok(())
}

fn loses_digits(column: &ColumnDescriptor) -> bool {
    match column.logical_type_ref() {
        Some(LogicalType::Time(time)) => time.unit == TimeUnit::NANOS,
        Some(LogicalType::Timestamp(it)) => it.unit == TimeUnit::NANOS && it.is_adjusted_to_u_t_c,
        _ => column.physical_type() == parquet::basic::Type::INT96,
    }
}

fn has_more_digits(reader: ColumnReader) -> Result<bool, ParquetError> {
    match reader {
        reader @ ColumnReader::Int96ColumnReader(_) => {
            let nanos = |value: &<Int96Type as DataType>::T| {
                i64::from(value.data()[0]) + (i64::from(value.data()[1]) << 32)
            };
            any(get_typed_column_reader::<Int96Type>(reader), |value| {
                nanos(value) % 1000 != 0
            })
        }
        reader @ ColumnReader::Int64ColumnReader(_) => {
            any(get_typed_column_reader::<Int64Type>(reader), |value| {
                value % 1000 != 0
            })
        }
        _ => Ok(false),
    }
}

fn any<T: DataType>(
    mut from: ColumnReaderImpl<T>,
    is: impl Fn(&T::T) -> bool,
) -> Result<bool, ParquetError> {
    let (mut values, mut definition, mut repetition) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        values.clear();
        definition.clear();
        repetition.clear();
        let read = from.read_records(
            BATCH_ROWS,
            Some(&mut definition),
            Some(&mut repetition),
            &mut values,
        )?;
        if values.iter().any(&is) {
            return Ok(true);
        }
        if read.0 == 0 {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::digits;

    /// Two's complement by hand.
    #[test]
    fn a_decimal_keeps_every_digit() {
        assert_eq!(digits(&[0x01, 0xe2, 0x40], 2), "1234.56");
        assert_eq!(digits(&[0xff], 2), "-0.01");
        assert_eq!(digits(&[0x00; 17], 3), "0.000");
        assert_eq!(digits(&[], 0), "0");
        assert_eq!(digits(&[0x80, 0x00], 0), "-32768");
        // 2^200 - 1
        let mut most = [0xff; 26];
        most[0] = 0;
        assert_eq!(
            digits(&most, 10),
            "160693804425899027554196209234116260252220299378279.2835301375"
        );
    }
}
