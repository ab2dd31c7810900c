//! What DuckDB 1.5.5 reads otherwise than we do in the text of CSV files.
//!
//! A last line that is longer than its buffers is left out without a word. An escape in quotes is left out wherever it
//! stands, also where it escapes nothing (`"C:\tmp"`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use comboi_engine::read_files::Compression;
use encoding_rs::{Encoding, UTF_8};
use memchr::{memchr, memchr2, memrchr2};

use super::csv::{LONGEST_RECORD, Marks};
use super::text;

/// What there is in a text. A line that is just as long as a record may be counts as longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peculiar {
    /// A line that is longer than a record may be.
    pub(super) long_line: bool,
    /// An escape that is neither before a quote nor before itself.
    pub(super) other_escapes: bool,
}

/// Of a file that is not compressed, only the end is looked at where that is enough.
pub(super) fn peculiar(
    path: &Path,
    compression: Compression,
    encoding: &'static Encoding,
    marks: Marks,
) -> io::Result<Peculiar> {
    let escapes = marks
        .quote
        .zip(marks.escape)
        .filter(|(quote, escape)| quote != escape);
    if compression == Compression::None && encoding == UTF_8 && escapes.is_none() {
        return Ok(Peculiar {
            long_line: ends_with_a_long_line(path)?,
            other_escapes: false,
        });
    }
    look(text::open(path, compression, encoding)?, escapes)
}

fn ends_with_a_long_line(path: &Path) -> io::Result<bool> {
    const LONGEST: u64 = LONGEST_RECORD as u64;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if length <= LONGEST {
        return Ok(false);
    }
    for bytes in [64 * 1024, LONGEST] {
        file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
        let mut end = Vec::new();
        file.by_ref().take(bytes).read_to_end(&mut end)?;
        let is_text = |byte: &u8| !matches!(byte, b'\n' | b'\r');
        let last = end.iter().rposition(is_text).unwrap_or(0);
        let line = end.get(..last).unwrap_or_default();
        if memrchr2(b'\n', b'\r', line).is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// `escapes` is the quote and what escapes it.
fn look(mut text: impl Read, escapes: Option<(u8, u8)>) -> io::Result<Peculiar> {
    let mut found = Peculiar::default();
    let mut buffer = vec![0; 256 * 1024];
    let (mut line, mut is_escaped) = (0, false);
    loop {
        let count = text.read(&mut buffer)?;
        if count == 0 {
            found.other_escapes |= is_escaped;
            return Ok(found);
        }
        let bytes = buffer.get(..count).unwrap_or_default();
        let ends = memchr2(b'\n', b'\r', bytes).zip(memrchr2(b'\n', b'\r', bytes));
        line += ends.map_or(count, |(first, _)| first);
        found.long_line |= line > LONGEST_RECORD;
        if let Some((_, last)) = ends {
            line = count - last - 1;
        }
        if let Some((quote, escape)) = escapes
            && !found.other_escapes
        {
            let is_needed = |byte: u8| byte == quote || byte == escape;
            let mut at = usize::from(is_escaped);
            found.other_escapes = is_escaped && !bytes.first().is_some_and(|it| is_needed(*it));
            is_escaped = false;
            while let Some(place) = memchr(escape, bytes.get(at..).unwrap_or_default()) {
                match bytes.get(at + place + 1) {
                    None => is_escaped = true,
                    Some(next) => found.other_escapes |= !is_needed(*next),
                }
                at += place + 2;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_that_are_not_needed() {
        for (text, expected) in [
            (r#""a \" b \\ c""#, false),
            (r#""a \\" "#, false),
            (r#""C:\tmp""#, true),
            (r#""a \\\c""#, true),
            (r#""a\"#, true),
            ("", false),
        ] {
            // Wherever a chunk ends.
            for split in 0..=text.len() {
                let (a, b) = text.as_bytes().split_at(split);
                let found = look(a.chain(b), Some((b'"', b'\\'))).unwrap();
                assert_eq!(found.other_escapes, expected, "{text} {split}");
            }
        }
    }

    #[test]
    fn lines_that_are_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let long = "x".repeat(LONGEST_RECORD + 1);
        let fits = "x".repeat(LONGEST_RECORD / 2);
        for (text, anywhere, at_the_end) in [
            (format!("a\n{long}"), true, true),
            (format!("a\r\n{long}\r\n"), true, true),
            (format!("a\n{long}\nb\n"), true, false),
            (format!("a\n{fits}\n"), false, false),
            (format!("{fits}\n{fits}"), false, false),
        ] {
            std::fs::write(&path, &text).unwrap();
            let found = look(text.as_bytes(), None).unwrap();
            assert_eq!(found.long_line, anywhere, "{}", text.len());
            assert_eq!(ends_with_a_long_line(&path).unwrap(), at_the_end);
        }
    }
}
