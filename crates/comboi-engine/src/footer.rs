//! What a Parquet file says of itself: what DuckDB reads wrongly or not at all is decided by it.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};

use crate::thrift::{Compact, I32, TEXT};

/// The footer without statistics. `None`: it can't be understood; [`unsupported`] may know why.
pub(crate) fn read(file: &Path) -> Option<ParquetMetaData> {
    let options = ParquetMetaDataOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    ParquetMetaDataReader::new()
        .with_metadata_options(Some(options))
        .parse_and_finish(&File::open(file).ok()?)
        .ok()
}

/// Why a file can't be read whose footer [`read`] does not understand, and what to do, if it is sound; the text names the file.
pub(crate) fn unsupported(file: &Path) -> Option<String> {
    match peculiarity(file).ok()?? {
        Peculiarity::Encrypted => Some(called_encrypted(file)),
        Peculiarity::Decimal {
            column,
            precision,
            scale,
        } => Some(format!(
            "`{}` has a column `{column}` of DECIMAL({precision},{scale}), which is not a type that can be read: write it with 1 to 38 \
             digits, of which 0 or more are after the point, or as text",
            file.display()
        )),
    }
}

/// What is said of a file that is encrypted, wholly or in part.
pub(crate) fn encrypted(file: &Path) -> Option<String> {
    let is_encrypted = matches!(peculiarity(file), Ok(Some(Peculiarity::Encrypted)));
    is_encrypted.then(|| called_encrypted(file))
}

fn called_encrypted(file: &Path) -> String {
    format!(
        "`{}` is encrypted, and encrypted Parquet can't be read: write it without encryption",
        file.display()
    )
}

enum Peculiarity {
    /// Wholly or in part.
    Encrypted,
    /// Digits that there can't be, or that DuckDB does not read.
    Decimal {
        column: String,
        precision: i64,
        scale: i64,
    },
}

/// The footer, its length in 4 bytes and `PAR1`, or `PARE` if the footer is encrypted too.
const TAIL_BYTES: i64 = 8;
/// Fields of `FileMetaData`; a file without encrypted columns has no algorithm.
const SCHEMA: i16 = 2;
const ENCRYPTION_ALGORITHM: i16 = 8;

fn peculiarity(path: &Path) -> io::Result<Option<Peculiarity>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-TAIL_BYTES))?;
    let mut tail = [0; 8];
    file.read_exact(&mut tail)?;
    let [a, b, c, d, magic @ ..] = tail;
    if magic == *b"PARE" {
        return Ok(Some(Peculiarity::Encrypted));
    }
    let length = i64::from(u32::from_le_bytes([a, b, c, d]));
    file.seek(SeekFrom::End(-TAIL_BYTES - length))?;
    let mut footer = Compact::new(BufReader::new(file));
    let (mut last, mut found) = (0, None);
    while let Some((id, of)) = footer.field(&mut last)? {
        match id {
            ENCRYPTION_ALGORITHM => return Ok(Some(Peculiarity::Encrypted)),
            SCHEMA => {
                let (count, _) = footer.list()?;
                for _ in 0..count {
                    let decimal = wrong_decimal(&mut footer)?;
                    found = found.or(decimal);
                }
            }
            _ => footer.skip(of)?,
        }
    }
    Ok(found)
}

/// Fields of `SchemaElement`.
const NAME: i16 = 4;
const CONVERTED_TYPE: i16 = 6;
const SCALE: i16 = 7;
const PRECISION: i16 = 8;
/// Of the converted types.
const DECIMAL: i64 = 5;

/// Takes an element of a schema, whether it is one or not.
fn wrong_decimal(schema: &mut Compact<impl Read>) -> io::Result<Option<Peculiarity>> {
    let (mut last, mut column, mut is_decimal) = (0, String::new(), false);
    let (mut precision, mut scale) = (0, 0);
    while let Some((id, of)) = schema.field(&mut last)? {
        match (id, of) {
            (NAME, TEXT) => column = schema.text()?,
            (CONVERTED_TYPE, I32) => is_decimal = schema.integer()? == DECIMAL,
            (SCALE, I32) => scale = schema.integer()?,
            (PRECISION, I32) => precision = schema.integer()?,
            (_, of) => schema.skip(of)?,
        }
    }
    let is_right = (1..=38).contains(&precision) && (0..=precision).contains(&scale);
    Ok((is_decimal && !is_right).then_some(Peculiarity::Decimal {
        column,
        precision,
        scale,
    }))
}
