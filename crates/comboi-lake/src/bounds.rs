//! The least and the greatest value of a column, as a Parquet footer or Delta's log has them.

use delta_kernel::expressions::Scalar;
use deltalake::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use deltalake::parquet::data_type::ByteArray;
use deltalake::parquet::file::metadata::ParquetMetaData;
use deltalake::parquet::file::statistics::Statistics;
use deltalake::parquet::schema::types::ColumnDescriptor;

/// What is known of a column's values in some rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// `None` if that is not known, or if there is nothing but NULL.
    pub(crate) bounds: Option<Bounds>,
    /// `None` if that is not known.
    pub(crate) null_count: Option<u64>,
}

impl Values {
    /// Those of the column with this number, counted over the leaves of the schema.
    pub(crate) fn in_file(file: &ParquetMetaData, column: usize) -> Self {
        let Some(descriptor) = file.file_metadata().schema_descr().columns().get(column) else {
            return Self::default();
        };
        let groups = file.row_groups().iter().map(|group| {
            let column = group.column(column);
            let statistics = column.statistics()?;
            let value_count = u64::try_from(column.num_values()).ok()?;
            let null_count = statistics.null_count_opt();
            // Nothing but NULL has no bounds and moves none. A group with NaN in it may have none either,
            // so it is the count that tells.
            let is_empty = null_count == Some(value_count);
            Some((statistics, null_count, is_empty))
        });
        let Some(groups) = groups
            .collect::<Option<Vec<_>>>()
            .filter(|groups| !groups.is_empty())
        else {
            return Self::default();
        };
        let mut bounds = groups
            .iter()
            .filter(|(_, _, is_empty)| !is_empty)
            .map(|(statistics, _, _)| Bounds::of_group(descriptor, statistics));
        let first = bounds.next().flatten();
        let bounds = bounds.fold(first, |all, next| all?.with(next?));
        Self {
            bounds: bounds.filter(|bounds| !may_leave_out_nan(bounds, file)),
            null_count: groups.iter().map(|(_, null_count, _)| *null_count).sum(),
        }
    }

    /// As Delta's log tells them.
    pub(crate) fn logged(
        least: Option<&Scalar>,
        greatest: Option<&Scalar>,
        null_count: Option<&Scalar>,
    ) -> Self {
        Self {
            bounds: least.zip(greatest).and_then(|(a, b)| Bounds::logged(a, b)),
            null_count: match null_count {
                Some(Scalar::Long(count)) => u64::try_from(*count).ok(),
                _ => None,
            },
        }
    }

    /// What is known of both together.
    pub(crate) fn with(self, other: Self) -> Self {
        Self {
            bounds: self.bounds.zip(other.bounds).and_then(|(a, b)| a.with(b)),
            null_count: self.null_count.zip(other.null_count).map(|(a, b)| a + b),
        }
    }

    /// Whether the same value, or NULL, may be in both.
    pub(crate) fn may_share(&self, other: &Self) -> bool {
        let apart = match (&self.bounds, &other.bounds) {
            (Some(a), Some(b)) => a.are_apart(b),
            _ => false,
        };
        let has_null = |values: &Self| values.null_count != Some(0);
        !apart || (has_null(self) && has_null(other))
    }
}

/// No value is below the first or above the second.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Bounds {
    Booleans(bool, bool),
    Integers(i128, i128, Unit),
    Floats(f64, f64),
    Texts(String, String),
}

/// What a whole number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    One,
    Days,
    Micros,
    Scale(u32),
}

impl Bounds {
    fn logged(least: &Scalar, greatest: &Scalar) -> Option<Self> {
        let integers = |a: i128, b: i128, unit| Some(Self::Integers(a, b, unit));
        match (least, greatest) {
            (Scalar::Boolean(a), Scalar::Boolean(b)) => Some(Self::Booleans(*a, *b)),
            (Scalar::Byte(a), Scalar::Byte(b)) => integers((*a).into(), (*b).into(), Unit::One),
            (Scalar::Short(a), Scalar::Short(b)) => integers((*a).into(), (*b).into(), Unit::One),
            (Scalar::Integer(a), Scalar::Integer(b)) => {
                integers((*a).into(), (*b).into(), Unit::One)
            }
            (Scalar::Long(a), Scalar::Long(b)) => integers((*a).into(), (*b).into(), Unit::One),
            (Scalar::Date(a), Scalar::Date(b)) => integers((*a).into(), (*b).into(), Unit::Days),
            (Scalar::Timestamp(a), Scalar::Timestamp(b))
            | (Scalar::TimestampNtz(a), Scalar::TimestampNtz(b)) => {
                integers((*a).into(), (*b).into(), Unit::Micros)
            }
            (Scalar::Decimal(a), Scalar::Decimal(b)) if a.scale() == b.scale() => {
                integers(a.bits(), b.bits(), Unit::Scale(a.scale().into()))
            }
            (Scalar::String(a), Scalar::String(b)) => Some(Self::Texts(a.clone(), b.clone())),
            _ => None,
        }
    }

    /// Whether no value can be in both. Never of floating-point numbers: NaN is in no bounds.
    fn are_apart(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Booleans(low, high), Self::Booleans(l, h)) => high < l || h < low,
            (Self::Integers(low, high, unit), Self::Integers(l, h, u)) => {
                unit == u && (high < l || h < low)
            }
            (Self::Texts(low, high), Self::Texts(l, h)) => high < l || h < low,
            _ => false,
        }
    }

    fn of_group(column: &ColumnDescriptor, group: &Statistics) -> Option<Self> {
        match group {
            Statistics::Int32(v) => Some(Self::Integers(
                (*v.min_opt()?).into(),
                (*v.max_opt()?).into(),
                unit(column)?,
            )),
            Statistics::Int64(v) => Some(Self::Integers(
                (*v.min_opt()?).into(),
                (*v.max_opt()?).into(),
                unit(column)?,
            )),
            Statistics::FixedLenByteArray(v) => {
                let unit @ Unit::Scale(_) = unit(column)? else {
                    return None;
                };
                Some(Self::Integers(
                    big_endian(v.min_opt()?.data())?,
                    big_endian(v.max_opt()?.data())?,
                    unit,
                ))
            }
            Statistics::Float(v) => finite((*v.min_opt()?).into(), (*v.max_opt()?).into()),
            Statistics::Double(v) => finite(*v.min_opt()?, *v.max_opt()?),
            Statistics::ByteArray(v) if is_text(column) => {
                Some(Self::Texts(text(v.min_opt()?)?, text(v.max_opt()?)?))
            }
            Statistics::Boolean(v) => Some(Self::Booleans(*v.min_opt()?, *v.max_opt()?)),
            Statistics::ByteArray(_) | Statistics::Int96(_) => None,
        }
    }

    /// The bounds of both together.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            (Self::Booleans(low, high), Self::Booleans(l, h)) => {
                Some(Self::Booleans(low.min(l), high.max(h)))
            }
            (Self::Integers(low, high, unit), Self::Integers(l, h, u)) if unit == u => {
                Some(Self::Integers(low.min(l), high.max(h), unit))
            }
            (Self::Floats(low, high), Self::Floats(l, h)) => {
                Some(Self::Floats(low.min(l), high.max(h)))
            }
            (Self::Texts(low, high), Self::Texts(l, h)) => {
                Some(Self::Texts(low.min(l), high.max(h)))
            }
            _ => None,
        }
    }
}

/// Parquet's bounds leave NaN out, while for Spark and DuckDB it is above all other numbers. DuckDB writes
/// none for numbers among which are NaN; of other writers nobody knows.
fn may_leave_out_nan(bounds: &Bounds, file: &ParquetMetaData) -> bool {
    let by_duckdb = || {
        let writer = file.file_metadata().created_by();
        writer.is_some_and(|writer| writer.starts_with("DuckDB"))
    };
    matches!(bounds, Bounds::Floats(..)) && !by_duckdb()
}

fn finite(low: f64, high: f64) -> Option<Bounds> {
    (low.is_finite() && high.is_finite()).then_some(Bounds::Floats(low, high))
}

fn text(bytes: &ByteArray) -> Option<String> {
    bytes.as_utf8().ok().map(str::to_owned)
}

fn is_text(column: &ColumnDescriptor) -> bool {
    matches!(column.logical_type_ref(), Some(LogicalType::String))
        || column.converted_type() == ConvertedType::UTF8
}

fn unit(column: &ColumnDescriptor) -> Option<Unit> {
    match column.logical_type_ref() {
        Some(LogicalType::Date) => Some(Unit::Days),
        Some(LogicalType::Timestamp(of)) => {
            matches!(of.unit, TimeUnit::MICROS).then_some(Unit::Micros)
        }
        Some(LogicalType::Decimal(of)) => u32::try_from(of.scale).ok().map(Unit::Scale),
        Some(LogicalType::Integer(of)) => of.is_signed.then_some(Unit::One),
        Some(_) => None,
        None => match column.converted_type() {
            ConvertedType::DATE => Some(Unit::Days),
            ConvertedType::TIMESTAMP_MICROS => Some(Unit::Micros),
            ConvertedType::DECIMAL => u32::try_from(column.type_scale()).ok().map(Unit::Scale),
            ConvertedType::NONE
            | ConvertedType::INT_8
            | ConvertedType::INT_16
            | ConvertedType::INT_32
            | ConvertedType::INT_64 => Some(Unit::One),
            _ => None,
        },
    }
}

fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let mut whole = [if negative { 0xff } else { 0 }; 16];
    let start = whole.len().checked_sub(bytes.len())?;
    whole[start..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_any_length_are_one_number() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[0; 17]), None);
    }

    #[test]
    fn files_share_nothing_when_a_column_is_apart_in_them() {
        let values = |low: i128, high: i128, null_count| Values {
            bounds: Some(Bounds::Integers(low, high, Unit::One)),
            null_count,
        };
        let unknown = Values::default();
        let floats = |low: f64, high: f64| Values {
            bounds: Some(Bounds::Floats(low, high)),
            null_count: Some(0),
        };
        let text = |low: &str, high: &str| Values {
            bounds: Some(Bounds::Texts(low.into(), high.into())),
            null_count: Some(0),
        };
        for (a, b, may_share) in [
            (values(1, 5, Some(0)), values(6, 9, Some(0)), false),
            (values(6, 9, Some(0)), values(1, 5, Some(0)), false),
            (values(1, 5, Some(0)), values(5, 9, Some(0)), true),
            (values(1, 9, Some(0)), values(4, 5, Some(0)), true),
            // NULL is in both, or may be.
            (values(1, 5, Some(1)), values(6, 9, Some(2)), true),
            (values(1, 5, None), values(6, 9, Some(2)), true),
            (values(1, 5, Some(1)), values(6, 9, Some(0)), false),
            (unknown.clone(), values(6, 9, Some(0)), true),
            // NaN may be in both.
            (floats(1.0, 5.0), floats(6.0, 9.0), true),
            (text("a", "b"), text("c", "d"), false),
            (text("a", "c"), text("c", "d"), true),
            // What can't be compared.
            (text("1", "5"), values(6, 9, Some(0)), true),
        ] {
            assert_eq!(a.may_share(&b), may_share, "{a:?} and {b:?}");
        }
    }
}
