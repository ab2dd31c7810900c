//! What is at the top of a CSV file: its delimiter and the names of its columns.

use std::io::{self, Read};
use std::path::Path;

use comboi_engine::read_files::Compression;
use encoding_rs::{Encoding, UTF_8};

use super::csv::{Marks, Records, Start};
use super::plain::peculiar;
use super::text;

/// How a table's CSV files are written, as far as it was said.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said {
    pub(super) header: bool,
    pub(super) delimiter: Option<u8>,
    /// If neither was said nor can be told.
    pub(super) usual_delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
    pub(super) encoding: &'static Encoding,
    pub(super) skip_lines: u64,
}

/// The top of a file. Files with the same top can be read together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Top {
    /// Names as written, or none without a header.
    pub(super) names: Option<Vec<String>>,
    /// How many columns there are.
    pub(super) width: usize,
    pub(super) marks: Marks,
    /// How many lines come before the first record.
    pub(super) lines: u64,
    /// DuckDB understands it just as we do, so it may read the file itself.
    pub(super) plain: bool,
    /// It has escapes that DuckDB leaves out and that we keep.
    pub(super) other_escapes: bool,
    /// Nothing comes after it.
    pub(super) no_rows: bool,
}

/// The top of a file; `None` if it is empty.
pub(super) fn top(path: &Path, compression: Compression, said: &Said) -> io::Result<Option<Top>> {
    let (marks, skip_lines) = marks(path, compression, said)?;
    let open = || text::open(path, compression, said.encoding);
    let mut records = Records::new(open, Start::default(), marks, false)?;
    records.skip_lines(skip_lines)?;
    let Some(first) = records.next()? else {
        return Ok(None);
    };
    let lines = if said.header {
        records.place().line - 1
    } else {
        skip_lines
    };
    let peculiar = peculiar(path, compression, said.encoding, marks)?;
    // DuckDB skips lines without heeding quotes, and does not count comments among them.
    let plain = said.encoding == UTF_8
        && (said.comment.is_none() || lines <= 1)
        && first.problem.is_none()
        && !peculiar.long_line
        && !first.raw.iter().any(|b| matches!(b, b'\n' | b'\r'));
    let no_rows = said.header && records.ended()?;
    let names = match said.header {
        true => Some(names(&first.fields)?),
        false => None,
    };
    Ok(Some(Top {
        names,
        width: first.fields.len(),
        marks,
        lines,
        plain,
        other_escapes: peculiar.other_escapes,
        no_rows,
    }))
}

fn names(fields: &[Vec<u8>]) -> io::Result<Vec<String>> {
    let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let name = |field: &Vec<u8>| {
        let name = std::str::from_utf8(field)
            .map_err(|_| wrong("its header is not UTF-8 (set `csv: encoding`)"))?;
        if name.contains('\0') {
            let what = "its header has NUL characters (if it is UTF-16, set `csv: encoding` to `utf-16le`)";
            return Err(wrong(what));
        }
        Ok(name.trim().to_owned())
    };
    fields.iter().map(name).collect()
}

/// The characters that separate and quote fields, and how many lines come before the first record or the header.
///
/// A first line `sep=;` is neither: it names the delimiter, as Excel writes and reads it.
fn marks(path: &Path, compression: Compression, said: &Said) -> io::Result<(Marks, u64)> {
    let mut marks = Marks {
        delimiter: said.delimiter.unwrap_or(said.usual_delimiter),
        quote: said.quote,
        escape: said.escape,
        comment: said.comment,
    };
    // A record that is one field, whatever the delimiter: a NUL is in no text.
    let undivided = Marks {
        delimiter: 0,
        ..marks
    };
    let open = || Ok(text::open(path, compression, said.encoding)?.take(1024 * 1024));
    let mut records = Records::new(open, Start::default(), undivided, false)?;
    records.skip_lines(said.skip_lines)?;
    let first = records.next()?.unwrap_or_default();
    if let [b's', b'e', b'p', b'=', delimiter] = first.raw[..] {
        marks.delimiter = said.delimiter.unwrap_or(delimiter);
        return Ok((marks, records.place().line - 1));
    }
    if said.delimiter.is_none() {
        marks.delimiter = likely_delimiter(&first.raw, said.quote, said.usual_delimiter);
    }
    Ok((marks, said.skip_lines))
}

/// The character that splits a line into most fields, quotes heeded; `usual` if none does.
pub(super) fn likely_delimiter(line: &[u8], quote: Option<u8>, usual: u8) -> u8 {
    let count = |delimiter: u8| {
        let mut inside = false;
        line.iter()
            .filter(|byte| {
                inside ^= Some(**byte) == quote;
                !inside && **byte == delimiter
            })
            .count()
    };
    let others = [b',', b';', b'\t', b'|']
        .into_iter()
        .filter(|it| *it != usual);
    others
        .fold((usual, count(usual)), |best, it| {
            if count(it) > best.1 {
                (it, count(it))
            } else {
                best
            }
        })
        .0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delimiter_is_what_splits_most() {
        let check = |line: &str, expected: char| {
            assert_eq!(
                char::from(likely_delimiter(line.as_bytes(), Some(b'"'), b',')),
                expected,
                "{line}"
            );
        };
        check("a,b", ',');
        check("a;b;c,d", ';');
        check("a\tb", '\t');
        check("\"a;b;c\",d", ',');
        check("alone", ',');
    }
}
