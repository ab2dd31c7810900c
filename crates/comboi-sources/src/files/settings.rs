//! What the configuration says of a table's files, as values.

use comboi_engine::read_files::{Compression, TextRules};
use comboi_project::{FileFormat, FilesTable, Located};

use super::header::Said;
use super::text;
use crate::Error;
use crate::columns::Declared;

/// How a file is written, by its name where nothing is said.
pub(super) fn format(table: &FilesTable, name: &str) -> Result<FileFormat, Error> {
    if let Some(format) = table.format {
        return Ok(format);
    }
    let plain = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(name)
        .to_ascii_lowercase();
    match plain.rsplit_once('.').map(|(_, extension)| extension) {
        Some("csv" | "tsv" | "txt") => Ok(FileFormat::Csv),
        Some("json") => Ok(FileFormat::Json),
        Some("ndjson" | "jsonl") => Ok(FileFormat::Ndjson),
        Some("parquet" | "pq") => Ok(FileFormat::Parquet),
        _ => Err(Error::Configuration(format!(
            "the name of `{name}` does not say how it is written: add `format: csv` (or json, ndjson, parquet) to the table"
        ))),
    }
}

pub(super) fn compression(name: &str) -> Compression {
    let name = name.to_ascii_lowercase();
    if name.ends_with(".gz") {
        Compression::Gzip
    } else if name.ends_with(".zst") {
        Compression::Zstd
    } else {
        Compression::None
    }
}

/// How the table's CSV files are written.
pub(super) fn said(table: &FilesTable, tsv: bool) -> Result<Said, Error> {
    let csv = &table.csv;
    let quote = match &csv.quote {
        None => Some(b'"'),
        Some(none) if none.value.is_empty() => None,
        Some(_) => one("quote", csv.quote.as_ref())?,
    };
    Ok(Said {
        header: csv.header.unwrap_or(true),
        delimiter: one("delimiter", csv.delimiter.as_ref())?,
        usual_delimiter: if tsv { b'\t' } else { b',' },
        quote,
        escape: one("escape", csv.escape.as_ref())?,
        comment: one("comment", csv.comment.as_ref())?,
        encoding: text::encoding(csv.encoding.as_ref().map(|it| it.value.as_str()))?,
        skip_lines: csv.skip_lines.unwrap_or(0).into(),
    })
}

/// One ASCII character; a tab also as `\t`.
fn one(key: &str, text: Option<&Located<String>>) -> Result<Option<u8>, Error> {
    let Some(text) = text else { return Ok(None) };
    match text.value.as_bytes() {
        b"\\t" | b"tab" => Ok(Some(b'\t')),
        [byte] if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | 0) => Ok(Some(*byte)),
        _ => Err(Error::Configuration(format!(
            "{}: `csv: {key}` must be one ASCII character (or `\\t`)",
            text.place
        ))),
    }
}

pub(super) fn text_rules(table: &FilesTable) -> Result<TextRules, Error> {
    let csv = &table.csv;
    let text = |it: &Option<Located<String>>| it.as_ref().map(|it| it.value.clone());
    let decimal_comma = match csv.decimal_separator.as_ref().map(|it| it.value.as_str()) {
        None | Some(".") => false,
        Some(",") => true,
        Some(other) => {
            return Err(Error::Configuration(format!(
                "`csv: decimal_separator` is `.` or `,`, not `{other}`"
            )));
        }
    };
    Ok(TextRules {
        null_values: csv
            .null_values
            .as_ref()
            .map(|it| it.iter().cloned().collect())
            .unwrap_or_default(),
        decimal_comma,
        date_format: text(&csv.date_format),
        timestamp_format: text(&csv.timestamp_format),
    })
}

/// The types that the configuration says, by the names that it uses.
pub(super) fn declared(table: &FilesTable) -> Vec<Declared> {
    let declared = table.columns.iter();
    declared
        .map(|(name, sql_type)| (name.value.clone(), sql_type.value.clone()))
        .collect()
}
