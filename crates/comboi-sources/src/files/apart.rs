//! Files taken apart line by line, so that each row knows where it came from.
//!
//! The result is read by DuckDB as [`Layout::Records`]; what can't be taken apart goes to [`Rejects`].

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use comboi_engine::read_files::{Compression, Layout};
use encoding_rs::UTF_8;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::csv::{LONGEST_RECORD, Record, Records};
use super::header::{Said, Top};
use super::text;

/// Records that can't be taken apart.
pub(super) struct Rejects {
    pub(super) path: PathBuf,
    file: BufWriter<File>,
    /// How many there are.
    pub(super) count: u64,
    /// The longest of them as it is written, in bytes.
    pub(super) longest: u64,
    /// How many files were taken apart.
    files: u32,
}

impl Rejects {
    pub(super) fn create(path: PathBuf) -> io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(File::create(&path)?),
            path,
            count: 0,
            longest: 0,
            files: 0,
        })
    }

    /// Where the records of one more file go.
    pub(super) fn next_file(&mut self) -> PathBuf {
        self.files += 1;
        self.path.with_file_name(format!("{}.csv", self.files))
    }

    fn push(
        &mut self,
        name: &str,
        line: u64,
        byte: u64,
        reason: &str,
        text: &[u8],
    ) -> io::Result<()> {
        let mut row = Vec::new();
        let text = String::from_utf8_lossy(text);
        field(&mut row, name.as_bytes());
        write!(row, ",{line},{byte},,")?;
        field(&mut row, reason.as_bytes());
        row.push(b',');
        field(&mut row, text.as_bytes());
        row.push(b'\n');
        self.count += 1;
        self.longest = self.longest.max(length(&row));
        self.file.write_all(&row)
    }

    /// Everything is in the file from now on.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Takes a CSV file apart; the layout of what was written to `to`.
pub(super) fn csv(
    name: &str,
    path: &Path,
    compression: Compression,
    said: &Said,
    top: &Top,
    to: &Path,
    rejects: &mut Rejects,
) -> io::Result<Layout> {
    let mut records = Records::new(
        text::open(path, compression, said.encoding)?,
        top.marks,
        top.width == 1,
    );
    records.skip_lines(top.lines)?;
    let mut out = Out::create(to, name)?;
    while let Some(mut record) = records.next()? {
        if record.fields.len() == top.width + 1 && record.fields.last().is_some_and(Vec::is_empty) {
            record.fields.pop();
        }
        match problem(&record, top.width) {
            Some(reason) => rejects.push(name, record.line, record.byte, &reason, &record.raw)?,
            None => out.push(
                record.line,
                record.byte,
                &record.raw,
                record.fields.iter().map(Vec::as_slice),
            )?,
        }
    }
    Ok(Layout::Records {
        longest: out.finish()?,
    })
}

fn problem(record: &Record, width: usize) -> Option<String> {
    if let Some(problem) = record.problem {
        return Some(problem.to_owned());
    }
    if std::str::from_utf8(&record.raw).is_err() {
        return Some("its text is not UTF-8 (`csv: encoding` says which one it is)".to_owned());
    }
    let found = record.fields.len();
    let columns = if width == 1 { "column" } else { "columns" };
    (found != width).then(|| format!("{found} values for {width} {columns}"))
}

/// Takes lines of JSON apart.
pub(super) fn json_lines(
    name: &str,
    path: &Path,
    compression: Compression,
    to: &Path,
    rejects: &mut Rejects,
) -> io::Result<Layout> {
    let mut text = BufReader::with_capacity(256 * 1024, text::open(path, compression, UTF_8)?);
    let mut out = Out::create(to, name)?;
    let (mut number, mut byte, mut line) = (0, 0, Vec::new());
    loop {
        line.clear();
        let limit = u64::try_from(LONGEST_RECORD).unwrap_or(u64::MAX);
        let read = text.by_ref().take(limit).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        number += 1;
        let whole = line.ends_with(b"\n") || read < LONGEST_RECORD;
        let content = line.trim_ascii();
        if !whole {
            rejects.push(name, number, byte, "the line is longer than 16 MiB", &[])?;
            byte += pass_over(&mut text)?;
        } else if std::str::from_utf8(content).is_err() {
            rejects.push(name, number, byte, "its text is not UTF-8", content)?;
        } else if !content.is_empty() {
            out.push(number, byte, content, [content])?;
        }
        byte += u64::try_from(read).unwrap_or(0);
    }
    Ok(Layout::JsonRecords {
        longest: out.finish()?,
    })
}

fn pass_over(text: &mut impl BufRead) -> io::Result<u64> {
    let mut count = 0;
    loop {
        let chunk = text.fill_buf()?;
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |end| end + 1);
        text.consume(used);
        count += u64::try_from(used).unwrap_or(0);
        if end.is_some() || used == 0 {
            return Ok(count);
        }
    }
}

/// Takes an array of JSON apart; its records are counted from 1. Text that is no array is an error of kind
/// `InvalidData`, for the file as a whole.
pub(super) fn json_array(
    name: &str,
    path: &Path,
    compression: Compression,
    to: &Path,
) -> io::Result<Layout> {
    let text = BufReader::with_capacity(256 * 1024, text::open(path, compression, UTF_8)?);
    let mut out = Out::create(to, name)?;
    let mut json = serde_json::Deserializer::from_reader(text);
    let read = Array(&mut out)
        .deserialize(&mut json)
        .and_then(|()| json.end());
    match read {
        // Nothing at all is no record.
        Err(e) if e.is_eof() && e.line() == 1 && e.column() == 0 => {}
        Err(e) if e.is_io() => return Err(e.into()),
        // The message of serde_json quotes values of the wrong kind; the place says enough.
        Err(e) => {
            let why = format!(
                "it is not one JSON array throughout: line {}, column {}",
                e.line(),
                e.column()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(()) => {}
    }
    Ok(Layout::JsonRecords {
        longest: out.finish()?,
    })
}

struct Array<'a>(&'a mut Out);

impl<'de> DeserializeSeed<'de> for Array<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Array<'_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(item) = items.next_element::<Box<RawValue>>()? {
            number += 1;
            let item = item.get().as_bytes();
            let written = self.0.push(number, 0, item, [item]);
            written.map_err(serde::de::Error::custom)?;
        }
        Ok(())
    }
}

struct Out {
    name: String,
    file: BufWriter<File>,
    row: Vec<u8>,
    longest: u64,
}

impl Out {
    fn create(path: &Path, name: &str) -> io::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            file: BufWriter::with_capacity(256 * 1024, File::create(path)?),
            row: Vec::new(),
            longest: 0,
        })
    }

    fn push<'a>(
        &mut self,
        line: u64,
        byte: u64,
        raw: &'a [u8],
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        self.row.clear();
        field(&mut self.row, self.name.as_bytes());
        write!(self.row, ",{line},{byte}")?;
        for value in std::iter::once(raw).chain(values) {
            self.row.push(b',');
            field(&mut self.row, value);
        }
        self.row.push(b'\n');
        self.longest = self.longest.max(length(&self.row));
        self.file.write_all(&self.row)
    }

    fn finish(mut self) -> io::Result<u64> {
        self.file.flush()?;
        Ok(self.longest)
    }
}

fn length(row: &[u8]) -> u64 {
    u64::try_from(row.len()).unwrap_or(u64::MAX)
}

/// A value of plain CSV.
fn field(row: &mut Vec<u8>, value: &[u8]) {
    if !value
        .iter()
        .any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r' | b' '))
    {
        row.extend_from_slice(value);
        return;
    }
    row.push(b'"');
    for byte in value {
        if *byte == b'"' {
            row.push(b'"');
        }
        row.push(*byte);
    }
    row.push(b'"');
}
