//! What a copy of a Parquet file has otherwise.

use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, Encoding, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::{ColumnDescriptor, Type, TypePtr};

/// The most digits that DuckDB's DECIMAL has.
const MOST_DIGITS: i32 = 38;

/// What becomes of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The same values of the same type.
    Nothing,
    /// The same bytes, without what they mean.
    Bytes,
    /// The decimal's digits as text, this many of them after the point.
    Text(usize),
}

/// What becomes of each column; `None`: DuckDB reads the file as it is.
pub(super) fn changes(footer: &ParquetMetaData) -> Result<Option<Vec<Change>>, String> {
    let columns = footer.file_metadata().schema_descr().columns();
    let changes: Vec<Change> = columns.iter().map(|it| change(it)).collect();
    let mut other_pages = false;
    for chunk in footer.row_groups().iter().flat_map(|it| it.columns()) {
        let floats = matches!(
            chunk.column_type(),
            PhysicalType::FLOAT | PhysicalType::DOUBLE
        );
        match chunk.compression() {
            Compression::LZO => {
                return Err("it is compressed with LZO, which can't be read: write it with another codec, such as zstd".to_owned());
            }
            Compression::LZ4 => other_pages = true,
            _ => {
                other_pages |= !floats
                    && chunk
                        .encodings()
                        .any(|it| it == Encoding::BYTE_STREAM_SPLIT);
            }
        }
    }
    let is_needed = other_pages || changes.iter().any(|it| *it != Change::Nothing);
    Ok(is_needed.then_some(changes))
}

fn change(column: &ColumnDescriptor) -> Change {
    let decimal = column.converted_type() == ConvertedType::DECIMAL
        || matches!(column.logical_type_ref(), Some(LogicalType::Decimal(_)));
    match column.logical_type_ref() {
        Some(LogicalType::Geometry(_) | LogicalType::Geography(_)) => Change::Bytes,
        _ if decimal && column.type_precision() > MOST_DIGITS => {
            Change::Text(usize::try_from(column.type_scale()).unwrap_or(0))
        }
        _ => Change::Nothing,
    }
}

/// The schema of the copy. `changes` has one for each primitive type, in their order.
pub(super) fn schema(
    of: &TypePtr,
    changes: &mut impl Iterator<Item = Change>,
) -> Result<TypePtr, ParquetError> {
    let info = of.get_basic_info();
    let id = info.has_id().then(|| info.id());
    if of.is_primitive() {
        let (converted, logical) = match changes.next() {
            None | Some(Change::Nothing) => return Ok(Arc::clone(of)),
            Some(Change::Bytes) => (ConvertedType::NONE, None),
            Some(Change::Text(_)) => (ConvertedType::UTF8, Some(LogicalType::String)),
        };
        let text = Type::primitive_type_builder(info.name(), PhysicalType::BYTE_ARRAY)
            .with_repetition(info.repetition())
            .with_converted_type(converted)
            .with_logical_type(logical)
            .with_id(id);
        return text.build().map(Arc::new);
    }
    let fields: Result<Vec<TypePtr>, ParquetError> = of
        .get_fields()
        .iter()
        .map(|it| schema(it, changes))
        .collect();
    let mut group = Type::group_type_builder(info.name())
        .with_fields(fields?)
        .with_converted_type(info.converted_type())
        .with_logical_type(info.logical_type_ref().cloned())
        .with_id(id);
    if info.has_repetition() {
        group = group.with_repetition(info.repetition());
    }
    group.build().map(Arc::new)
}
