//! What Delta's log says of a file's values, so that readers can pass over the file: taken from its
//! Parquet footer, exact or left out.
//!
//! JSON is written by hand, because a decimal of 38 digits has no other way into it without loss.

use deltalake::parquet::basic::{ConvertedType, LogicalType, TimeUnit};
use deltalake::parquet::data_type::ByteArray;
use deltalake::parquet::file::metadata::ParquetMetaData;
use deltalake::parquet::file::statistics::Statistics;
use deltalake::parquet::schema::types::ColumnDescriptor;
use serde_json::json;

/// How many columns have their values in the log, counted as Delta does by default.
const INDEXED: usize = 32;
/// How many characters of a text go into the log.
const PREFIX: usize = 32;

/// The statistics of a file, as Delta has them in its log.
pub(crate) fn stats(file: &ParquetMetaData) -> String {
    let mut lowest = Tree::default();
    let mut highest = Tree::default();
    let mut nulls = Tree::default();
    let schema = file.file_metadata().schema_descr();
    let indexed = schema
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| column.max_rep_level() == 0);
    for (i, column) in indexed.take(INDEXED) {
        let groups = file.row_groups().iter().map(|group| {
            let column = group.column(i);
            Some(Group {
                statistics: column.statistics()?,
                value_count: u64::try_from(column.num_values()).ok()?,
            })
        });
        let Some(groups) = groups
            .collect::<Option<Vec<_>>>()
            .filter(|groups| !groups.is_empty())
        else {
            continue;
        };
        let path = column.path().parts();
        let null_count: Option<u64> = groups
            .iter()
            .map(|group| group.statistics.null_count_opt())
            .sum();
        if let Some(null_count) = null_count {
            nulls.put(path, null_count.to_string());
        }
        if let Some((low, high)) = bounds(column, &groups) {
            lowest.put(path, low);
            highest.put(path, high);
        }
    }
    let rows = file.file_metadata().num_rows();
    format!(
        r#"{{"numRecords":{rows},"minValues":{},"maxValues":{},"nullCount":{}}}"#,
        lowest.text(),
        highest.text(),
        nulls.text()
    )
}

/// A JSON object whose leaves are JSON already.
#[derive(Default)]
struct Tree(Vec<(String, Node)>);

enum Node {
    Leaf(String),
    Branch(Tree),
}

impl Tree {
    fn put(&mut self, path: &[String], leaf: String) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.0.push((name.clone(), Node::Leaf(leaf)));
            return;
        }
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.clone(), Node::Branch(Self::default())));
        }
        let branch = self.0.iter_mut().find(|(known, _)| known == name);
        if let Some((_, Node::Branch(branch))) = branch {
            branch.put(rest, leaf);
        }
    }

    fn text(&self) -> String {
        let fields: Vec<String> = self
            .0
            .iter()
            .map(|(name, node)| {
                let value = match node {
                    Node::Leaf(leaf) => leaf.clone(),
                    Node::Branch(branch) => branch.text(),
                };
                format!("{}:{value}", json!(name))
            })
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

/// One column in one row group.
struct Group<'a> {
    statistics: &'a Statistics,
    /// NULLs included.
    value_count: u64,
}

/// The lowest and the highest value as JSON; `None` if any row group does not say, or says something
/// that Delta has no words for.
fn bounds(column: &ColumnDescriptor, groups: &[Group]) -> Option<(String, String)> {
    let mut all: Option<Bounds> = None;
    for group in groups {
        // Nothing but NULL has no bounds and moves none. A group with NaN in it may have none either,
        // so it is the count that tells.
        if group.statistics.null_count_opt() == Some(group.value_count) {
            continue;
        }
        let of_group = Bounds::of(column, group.statistics)?;
        all = Some(match all {
            None => of_group,
            Some(all) => all.with(of_group)?,
        });
    }
    all?.json()
}

#[derive(Clone, Debug)]
enum Bounds {
    Integers(i128, i128, Unit),
    Floats(f64, f64),
    Texts(String, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    One,
    Days,
    Micros,
    Scale(u32),
}

impl Bounds {
    fn of(column: &ColumnDescriptor, group: &Statistics) -> Option<Self> {
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
            Statistics::ByteArray(_) | Statistics::Boolean(_) | Statistics::Int96(_) => None,
        }
    }

    fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
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

    fn json(self) -> Option<(String, String)> {
        match self {
            Self::Integers(low, high, unit) => {
                Some((unit.json(low, Round::Down)?, unit.json(high, Round::Up)?))
            }
            Self::Floats(low, high) => Some((json!(low).to_string(), json!(high).to_string())),
            Self::Texts(low, high) => {
                let low: String = low.chars().take(PREFIX).collect();
                Some((json!(low).to_string(), json!(above(high)?).to_string()))
            }
        }
    }
}

/// A text that is not below any that starts as this one does.
fn above(text: String) -> Option<String> {
    if text.chars().nth(PREFIX).is_none() {
        return Some(text);
    }
    let prefix: String = text.chars().take(PREFIX).collect();
    (!text.contains(char::MAX)).then(|| format!("{prefix}{}", char::MAX))
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

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

impl Unit {
    fn json(self, value: i128, round: Round) -> Option<String> {
        match self {
            Self::One => Some(value.to_string()),
            Self::Scale(scale) => Some(decimal(value, scale)),
            Self::Days => {
                let day = chrono::DateTime::from_timestamp(
                    i64::try_from(value).ok()?.checked_mul(86_400)?,
                    0,
                )?;
                four_digit_year(&day)?;
                Some(json!(day.format("%Y-%m-%d").to_string()).to_string())
            }
            // Readers may take the text to be cut to milliseconds, so both ends are widened to whole ones.
            Self::Micros => {
                let micros = i64::try_from(value).ok()?;
                let millis = match round {
                    Round::Down => micros.div_euclid(1_000),
                    Round::Up => micros.checked_add(999)?.div_euclid(1_000),
                };
                let instant = chrono::DateTime::from_timestamp_millis(millis)?;
                four_digit_year(&instant)?;
                Some(json!(instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).to_string())
            }
        }
    }
}

fn four_digit_year(instant: &chrono::DateTime<chrono::Utc>) -> Option<()> {
    (1..=9999)
        .contains(&chrono::Datelike::year(instant))
        .then_some(())
}

fn decimal(value: i128, scale: u32) -> String {
    let digits = format!(
        "{:0width$}",
        value.unsigned_abs(),
        width = scale as usize + 1
    );
    let sign = if value < 0 { "-" } else { "" };
    match digits.split_at_checked(digits.len() - scale as usize) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_digit_by_digit() {
        for (value, scale, expected) in [
            (12_345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (0, 3, "0.000"),
            (7, 0, "7"),
            (
                99_999_999_999_999_999_999_999_999_999_999_999_999,
                0,
                "99999999999999999999999999999999999999",
            ),
            (
                -99_999_999_999_999_999_999_999_999_999_999_999_999,
                38,
                "-0.99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(decimal(value, scale), expected);
        }
    }

    #[test]
    fn the_ends_of_instants_are_widened_to_milliseconds() {
        let ends = |micros| {
            (
                Unit::Micros.json(micros, Round::Down),
                Unit::Micros.json(micros, Round::Up),
            )
        };
        assert_eq!(
            ends(1_500),
            (
                Some(r#""1970-01-01T00:00:00.001Z""#.into()),
                Some(r#""1970-01-01T00:00:00.002Z""#.into())
            )
        );
        assert_eq!(
            ends(-1),
            (
                Some(r#""1969-12-31T23:59:59.999Z""#.into()),
                Some(r#""1970-01-01T00:00:00.000Z""#.into())
            )
        );
        assert_eq!(ends(i128::from(i64::MAX)), (None, None));
    }

    #[test]
    fn a_long_text_is_cut_so_that_it_stays_above_the_whole() {
        let long = "z".repeat(40);
        let cut = above(long.clone()).unwrap();
        assert!(cut > long && cut.chars().count() == PREFIX + 1);
        assert_eq!(above("short".into()), Some("short".into()));
        assert_eq!(above(char::MAX.to_string().repeat(40)), None);
    }

    #[test]
    fn bytes_of_any_length_are_one_number() {
        assert_eq!(big_endian(&[0xff, 0xfe]), Some(-2));
        assert_eq!(big_endian(&[0x01, 0x00]), Some(256));
        assert_eq!(big_endian(&[0; 17]), None);
    }
}
