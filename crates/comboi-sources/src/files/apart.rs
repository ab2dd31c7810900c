//! Files taken apart line by line, so that each row knows where it came from.
//!
//! The result is read by DuckDB as [`Layout::Records`](comboi_engine::read_files::Layout::Records); what can't be taken apart goes to [`Rejects`].

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use comboi_engine::read_files::Compression;
use encoding_rs::Encoding;
use memchr::{memchr, memchr2, memchr3};

use super::csv::{Record, Records, Start};
use super::header::Top;
use super::text;

/// A text to take apart.
pub(super) struct Text<'a> {
    /// What its rows call the file.
    pub(super) name: &'a str,
    pub(super) path: &'a Path,
    pub(super) compression: Compression,
    pub(super) encoding: &'static Encoding,
    /// Where it begins in the file.
    pub(super) start: Start,
}

impl Text<'_> {
    pub(super) fn open(&self) -> io::Result<Box<dyn Read>> {
        text::open(self.path, self.compression, self.encoding)
    }
}

/// Records that can't be taken apart.
pub(super) struct Rejects {
    pub(super) path: PathBuf,
    file: BufWriter<File>,
    /// How many there are.
    pub(super) count: u64,
    /// The longest of them as it is written, in bytes.
    pub(super) longest: u64,
    /// How many files there are beside it.
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

    /// A folder of its own for one more file. The paths of all are equally long.
    pub(super) fn next_folder(&mut self) -> PathBuf {
        self.files += 1;
        self.path.with_file_name(format!("{:010}", self.files))
    }

    pub(super) fn push(
        &mut self,
        name: &str,
        place: Start,
        reason: &str,
        text: &[u8],
    ) -> io::Result<()> {
        let Start { line, byte } = place;
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

/// Takes CSV apart; the length of the longest record in what was written to `to`.
pub(super) fn csv(text: &Text<'_>, top: &Top, to: &Path, rejects: &mut Rejects) -> io::Result<u64> {
    let one_column = top.width == 1;
    let mut records = Records::new(|| text.open(), text.start, top.marks, one_column)?;
    records.skip_lines(top.lines)?;
    let mut out = Out::create(to, text.name)?;
    while let Some(mut record) = records.next()? {
        while record.fields.len() > top.width && record.fields.last().is_some_and(Vec::is_empty) {
            record.fields.pop();
        }
        match problem(&record, top.width) {
            Some(reason) => rejects.push(text.name, record.start, &reason, &record.raw)?,
            None => {
                let fields = record.fields.iter().map(Vec::as_slice);
                out.push(record.start, &record.raw, fields)?;
            }
        }
    }
    out.finish()
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
    let values = if found == 1 { "value" } else { "values" };
    (found != width).then(|| format!("{found} {values} for {width} {columns}"))
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
        place: Start,
        raw: &'a [u8],
        values: impl IntoIterator<Item = &'a [u8]>,
    ) -> io::Result<()> {
        let Start { line, byte } = place;
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
    let plain =
        memchr3(b',', b'"', b'\n', value).is_none() && memchr2(b'\r', b' ', value).is_none();
    if plain {
        row.extend_from_slice(value);
        return;
    }
    row.push(b'"');
    let mut rest = value;
    while let Some(quote) = memchr(b'"', rest) {
        let (until, after) = rest.split_at(quote + 1);
        row.extend_from_slice(until);
        row.push(b'"');
        rest = after;
    }
    row.extend_from_slice(rest);
    row.push(b'"');
}
