//! A Parquet file written again, column by column: levels stay, values are converted.

use std::fs::File;
use std::io::BufWriter;
use std::ops::RangeInclusive;
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

/// Refuses times that DuckDB changes without a word: digits below a microsecond that it cuts off (it keeps those of `TIMESTAMP_NS`, so
/// they are found row by row), and `INT96` beyond its range.
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
            if let Some(times) = unkept(reader).map_err(failed)? {
                let descriptor = group.metadata().column(*column).column_descr();
                return Err(work.refused(&format!(
                    "column `{}` has {times}, or as text",
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

const FINER: &str =
    "times with digits below a microsecond, which can't be kept: write them with microseconds";
const BEYOND: &str =
    "times that are not in a TIMESTAMP's years (290309 BC to 294247): write them with microseconds";

/// Which times of a column can't be kept, if there are any.
fn unkept(reader: ColumnReader) -> Result<Option<&'static str>, ParquetError> {
    match reader {
        reader @ ColumnReader::Int96ColumnReader(_) => {
            find(get_typed_column_reader::<Int96Type>(reader), |value| {
                let [low, high, day] = <[u32; 3]>::try_from(value.data()).ok()?;
                unkept_int96((i64::from(high) << 32 | i64::from(low), day.cast_signed()))
            })
        }
        reader @ ColumnReader::Int64ColumnReader(_) => {
            find(get_typed_column_reader::<Int64Type>(reader), |value| {
                (value % 1000 != 0).then_some(FINER)
            })
        }
        _ => Ok(None),
    }
}

/// `INT96` is nanoseconds of a day, and the Julian day. Spark lets the day run over for years after 290000.
fn unkept_int96((nanos, day): (i64, i32)) -> Option<&'static str> {
    const EPOCH: i128 = 2_440_588;
    const DAY_MICROS: i128 = 86_400_000_000;
    /// Of DuckDB: 290309-12-22 BC, and the last one before infinity.
    const KEPT: RangeInclusive<i128> = -9_223_372_022_400_000_000..=9_223_372_036_854_775_806;
    if nanos % 1000 != 0 {
        return Some(FINER);
    }
    let micros = (i128::from(day) - EPOCH) * DAY_MICROS + i128::from(nanos / 1000);
    (!KEPT.contains(&micros)).then_some(BEYOND)
}

fn find<T: DataType>(
    mut from: ColumnReaderImpl<T>,
    what: impl Fn(&T::T) -> Option<&'static str>,
) -> Result<Option<&'static str>, ParquetError> {
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
        if let Some(found) = values.iter().find_map(&what) {
            return Ok(Some(found));
        }
        if read.0 == 0 {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BEYOND, FINER, digits, unkept_int96};

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

    /// The last one is what Spark 3.4.3 writes for the end of 290000 (`int96_from_spark.parquet` of apache/parquet-testing).
    #[test]
    fn days_of_int96() {
        assert_eq!(unkept_int96((74_096_123_456_000, 2_460_311)), None);
        assert_eq!(unkept_int96((10_800_000_000_000, 5_373_484)), None);
        assert_eq!(unkept_int96((0, 0)), None);
        assert_eq!(unkept_int96((1, 2_460_311)), Some(FINER));
        assert_eq!(
            unkept_int96((-32_509_551_616_000, -105_862_232)),
            Some(BEYOND)
        );
    }
}
