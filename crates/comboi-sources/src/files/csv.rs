//! CSV text taken apart, record by record, with the place of each.
//!
//! It reads what DuckDB reads in strict mode: quotes only around whole fields, blanks around them are passed over, a
//! delimiter at the end of a line that is one too many is too. Line ends are `\n`, `\r\n` or `\r`, also mixed.

mod input;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use memchr::{memchr, memchr2, memchr3, memrchr};

use input::Input;

/// The longest record; what is longer has most likely lost a quote.
const LONGEST_RECORD: usize = 16 * 1024 * 1024;

/// What the text is made of. All of it is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    /// Before a quote inside quotes; the quote itself by default.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// Counted from 1.
    pub(super) line: u64,
    /// In bytes of the decompressed UTF-8 text without a byte-order mark, counted from 0.
    pub(super) byte: u64,
}

impl Default for Start {
    fn default() -> Self {
        Self { line: 1, byte: 0 }
    }
}

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it begins.
    pub(super) start: Start,
    pub(super) fields: Vec<Vec<u8>>,
    /// As it was written, without its line end.
    pub(super) raw: Vec<u8>,
    /// Why it can't be taken apart.
    pub(super) problem: Option<&'static str>,
}

/// The records of a text.
pub(super) struct Records<R> {
    input: Input<R>,
    marks: Marks,
    /// An empty line is a record with one field that is empty, not nothing.
    one_column: bool,
}

impl<R: Read> Records<R> {
    /// Of a text that begins at this place of a longer one.
    pub(super) fn new(text: R, start: Start, marks: Marks, one_column: bool) -> Self {
        Self {
            input: Input::new(text, start),
            marks,
            one_column,
        }
    }

    /// Passes over whole lines.
    pub(super) fn skip_lines(&mut self, count: u64) -> io::Result<()> {
        for _ in 0..count {
            self.input.copy_line(&mut io::sink())?;
        }
        Ok(())
    }

    /// Where the next line begins.
    pub(super) fn place(&self) -> Start {
        self.input.place()
    }

    /// Whether nothing is left.
    pub(super) fn ended(&mut self) -> io::Result<bool> {
        Ok(self.input.peek()?.is_none())
    }

    /// The next record.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        while let Some(first) = self.input.peek()? {
            if !self.is_no_record(first) {
                return self.record().map(Some);
            }
            self.input.copy_line(&mut io::sink())?;
        }
        Ok(None)
    }

    fn is_no_record(&self, first: u8) -> bool {
        let empty = matches!(first, b'\n' | b'\r') && !self.one_column;
        self.marks.comment == Some(first) || empty
    }

    fn record(&mut self) -> io::Result<Record> {
        let mut record = Record {
            start: self.place(),
            ..Record::default()
        };
        self.input.begin();
        loop {
            let (field, end) = self.field()?;
            record.fields.push(field);
            match end {
                End::Field => {}
                End::Record => break,
                End::Bad(problem) => return self.bad(record, problem),
            }
        }
        record.raw = self.input.taken().to_vec();
        without_line_end(&mut record.raw);
        Ok(record)
    }

    /// Copies lines until so many bytes are copied and a record ends. How many it were: 0 at the end of the text.
    ///
    /// A line that can't be taken apart counts as a record, as it does in [`next`](Self::next).
    pub(super) fn copy(&mut self, at_least: u64, to: &mut impl Write) -> io::Result<u64> {
        let begin = self.place().byte;
        loop {
            let copied = self.place().byte - begin;
            if copied >= at_least || self.ended()? {
                return Ok(copied);
            }
            let window = self.input.window()?;
            // Before the first quote, lines are records.
            let plain = self.marks.quote.and_then(|quote| memchr(quote, window));
            let plain = window.get(..plain.unwrap_or(window.len()));
            match memrchr(b'\n', plain.unwrap_or_default()) {
                Some(end) => {
                    to.write_all(window.get(..=end).unwrap_or_default())?;
                    self.input.advance(end + 1);
                }
                None => self.copy_record(to)?,
            }
        }
    }

    fn copy_record(&mut self, to: &mut impl Write) -> io::Result<()> {
        let start = self.place();
        let Some(first) = self.input.peek()? else {
            return Ok(());
        };
        if self.is_no_record(first) {
            return self.input.copy_line(to);
        }
        self.input.begin();
        loop {
            match self.field()?.1 {
                End::Field => {}
                End::Record => return to.write_all(self.input.taken()),
                End::Bad(_) => {
                    self.input.put_back(start);
                    return self.input.copy_line(to);
                }
            }
        }
    }

    /// One field, and what comes after it.
    fn field(&mut self) -> io::Result<(Vec<u8>, End)> {
        let mut field = Vec::new();
        let mut only_blanks = true;
        loop {
            if !only_blanks {
                self.take_until_an_end(&mut field)?;
            }
            let Some(byte) = self.input.next()? else {
                return Ok((field, End::Record));
            };
            if Some(byte) == self.marks.quote && only_blanks {
                field.clear();
                return self.quoted(field);
            }
            match self.ends(byte)? {
                Some(end) => return Ok((field, end)),
                None => field.push(byte),
            }
            only_blanks &= byte == b' ';
            if self.input.taken().len() > LONGEST_RECORD {
                return Ok((field, End::Bad("the line is longer than 16 MiB")));
            }
        }
    }

    /// What certainly belongs to the field, as far as it is at hand.
    fn take_until_an_end(&mut self, field: &mut Vec<u8>) -> io::Result<()> {
        let window = self.input.window()?;
        let end = memchr3(self.marks.delimiter, b'\n', b'\r', window).unwrap_or(window.len());
        let mut sure = window.get(..end).unwrap_or_default();
        if let Some(comment) = self.marks.comment.and_then(|comment| memchr(comment, sure)) {
            sure = sure.get(..comment).unwrap_or_default();
        }
        field.extend_from_slice(sure);
        let count = sure.len();
        self.input.advance(count);
        Ok(())
    }

    fn quoted(&mut self, mut field: Vec<u8>) -> io::Result<(Vec<u8>, End)> {
        let Some(quote) = self.marks.quote else {
            return Ok((field, End::Record));
        };
        let escape = self.marks.escape.unwrap_or(quote);
        loop {
            let window = self.input.window()?;
            let end = memchr2(quote, escape, window).unwrap_or(window.len());
            field.extend_from_slice(window.get(..end).unwrap_or_default());
            self.input.advance(end);
            let Some(byte) = self.input.next()? else {
                break;
            };
            let next = self.input.peek()?;
            let escapes = next == Some(quote) || (escape != quote && next == Some(escape));
            if byte == escape && escapes {
                field.extend(self.input.next()?);
            } else if byte == quote {
                return self.after_quote(field);
            } else {
                field.push(byte);
            }
            if self.input.taken().len() > LONGEST_RECORD {
                break;
            }
        }
        Ok((field, End::Bad("a quote is opened and never closed")))
    }

    fn after_quote(&mut self, field: Vec<u8>) -> io::Result<(Vec<u8>, End)> {
        while let Some(byte) = self.input.next()? {
            match self.ends(byte)? {
                Some(end) => return Ok((field, end)),
                None if byte == b' ' => {}
                None => return Ok((field, End::Bad("there is text after a closing quote"))),
            }
        }
        Ok((field, End::Record))
    }

    fn ends(&mut self, byte: u8) -> io::Result<Option<End>> {
        Ok(match byte {
            byte if byte == self.marks.delimiter => Some(End::Field),
            b'\n' => Some(End::Record),
            b'\r' => {
                if self.input.peek()? == Some(b'\n') {
                    self.input.next()?;
                }
                Some(End::Record)
            }
            _ if self.marks.comment == Some(byte) => {
                self.input.take_line()?;
                Some(End::Record)
            }
            _ => None,
        })
    }

    /// The line that the record began in, as a record that can't be taken apart. What follows it is read again, so
    /// that a lost quote does not take the rest of the file with it.
    fn bad(&mut self, mut record: Record, problem: &'static str) -> io::Result<Record> {
        self.input.put_back(record.start);
        let mut line = First(Vec::new());
        self.input.copy_line(&mut line)?;
        record.raw = line.0;
        without_line_end(&mut record.raw);
        record.problem = Some(problem);
        Ok(record)
    }
}

/// The first bytes of what is written.
struct First(Vec<u8>);

impl Write for First {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LONGEST_RECORD - self.0.len();
        self.0.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum End {
    Field,
    Record,
    Bad(&'static str),
}

fn without_line_end(raw: &mut Vec<u8>) {
    while matches!(raw.last(), Some(b'\n' | b'\r')) {
        raw.pop();
    }
}
