//! The records of files, found without understanding them, block by block.
//!
//! One thread at a time finds where records end; what they say is for all threads to find out. No more of a file is
//! in memory than a block, or one record.

use super::super::open::{open, without_mark};
use super::cut::{Broken, Text};
use super::{BAD_FILE, Scan};

/// Records of a file.
pub(super) struct Block {
    /// The place of the file in the scan.
    pub(super) file: usize,
    /// The number of its first record among all records of all files.
    pub(super) first: u64,
    text: Vec<u8>,
    records: Vec<Record>,
    next: usize,
}

impl Block {
    /// The next record: its place and its text, or why there is none.
    pub(super) fn next(&mut self) -> Option<(Record, Result<&[u8], &'static str>)> {
        let record = *self.records.get(self.next)?;
        self.next += 1;
        let text = self.text.get(record.start..record.end).unwrap_or_default();
        let text = if record.too_long {
            Err("the record is longer than 16 MiB")
        } else {
            Ok(text)
        };
        Some((record, text))
    }

    /// The number of the record that [`next`](Self::next) gives next, among all records of all files.
    pub(super) fn number(&self) -> u64 {
        self.first + as_u64(self.next)
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.records.len()
    }
}

/// The place of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Counted from 1; in an array it is the number of the record.
    pub(super) line: u64,
    /// Where it begins in the decompressed text.
    pub(super) byte: u64,
    pub(super) too_long: bool,
}

/// Gives the records of a scan's files, file by file.
pub(super) struct Feeder<'a> {
    scan: &'a Scan,
    state: &'a mut State,
}

/// How far the files are read.
#[derive(Default)]
pub(super) struct State {
    /// How many files were begun.
    begun: usize,
    text: Option<Text>,
    /// How many records there were.
    records: u64,
}

impl<'a> Feeder<'a> {
    pub(super) fn new(scan: &'a Scan, state: &'a mut State) -> Self {
        Self { scan, state }
    }

    /// The next block that has a record. An error names the file.
    pub(super) fn next(&mut self) -> Result<Option<Block>, String> {
        loop {
            let Some(mut text) = self.state.text.take() else {
                let Some(file) = self.scan.files.get(self.state.begun) else {
                    return Ok(None);
                };
                let bytes = open(&file.path, self.scan.compression).and_then(without_mark);
                let bytes =
                    bytes.map_err(|error| self.bad(self.state.begun, &Broken::Read(error)))?;
                self.state.text = Some(Text::new(bytes, self.scan.lines));
                self.state.begun += 1;
                continue;
            };
            let file = self.state.begun - 1;
            let block = text.next().map_err(|error| self.bad(file, &error))?;
            let Some((bytes, mut records)) = block else {
                continue;
            };
            let mut is_enough = false;
            if let Some(most) = self.scan.records {
                let left = usize::try_from(most.saturating_sub(text.given)).unwrap_or(usize::MAX);
                records.truncate(left);
                is_enough = records.len() == left;
            }
            text.given += as_u64(records.len());
            if !is_enough {
                self.state.text = Some(text);
            }
            let first = self.state.records;
            self.state.records += as_u64(records.len());
            if !records.is_empty() {
                return Ok(Some(Block {
                    file,
                    first,
                    text: bytes,
                    records,
                    next: 0,
                }));
            }
        }
    }

    fn bad(&self, file: usize, error: &Broken) -> String {
        let name = self.scan.files.get(file).map(|it| it.name.as_str());
        format!("{BAD_FILE}`{}`: {error}", name.unwrap_or_default())
    }
}

pub(super) fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
