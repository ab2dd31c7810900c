//! CSV text taken apart, record by record, with the place of each.
//!
//! It reads what DuckDB reads in strict mode: quotes only around whole fields, blanks around them are passed over, a
//! empty value behind the last column is too. Line ends are `\n`, `\r\n` or `\r`, also mixed.

mod input;
#[cfg(test)]
mod tests;

use std::io::{self, Read, Write};

use memchr::{memchr, memchr2, memchr3, memrchr};

use input::Input;

/// The longest record.
pub(super) const LONGEST_RECORD: usize = 16 * 1024 * 1024;
const TOO_LONG: &str = "the record is longer than 16 MiB";

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
    /// Of a record that is too long, what comes first.
    pub(super) raw: Vec<u8>,
    /// Why it can't be taken apart.
    pub(super) problem: Option<&'static str>,
}

/// The records of a text.
pub(super) struct Records<'a, R> {
    input: Input<'a, R>,
    marks: Marks,
    /// An empty line is a record with one field that is empty, not nothing.
    one_column: bool,
}

impl<'a, R: Read> Records<'a, R> {
    /// Of a text that begins at this place of a longer one. `open` gives the text from its beginning, each time anew.
    pub(super) fn new(
        open: impl Fn() -> io::Result<R> + 'a,
        start: Start,
        marks: Marks,
        one_column: bool,
    ) -> io::Result<Self> {
        Ok(Self {
            input: Input::new(Box::new(open), start)?,
            marks,
            one_column,
        })
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
                End::Record if self.input.is_too_long() => return Ok(self.too_long(record)),
                End::Record => break,
                End::Bad(problem) => return self.bad(record, problem),
            }
        }
        record.raw = self.input.taken().to_vec();
        without_line_end(&mut record.raw);
        Ok(record)
    }

    /// Copies lines until so many bytes are copied and a record ends.
    ///
    /// A line that can't be taken apart counts as a record, as it does in [`next`](Self::next). One that is too long is
    /// not copied: it is returned, and copying ends before it.
    pub(super) fn copy(
        &mut self,
        at_least: u64,
        to: &mut impl Write,
    ) -> io::Result<Option<Record>> {
        let begin = self.place().byte;
        loop {
            let copied = self.place().byte - begin;
            if copied >= at_least || self.ended()? {
                return Ok(None);
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
                None => {
                    let too_long = self.copy_record(to)?;
                    if too_long.is_some() {
                        return Ok(too_long);
                    }
                }
            }
        }
    }

    fn copy_record(&mut self, to: &mut impl Write) -> io::Result<Option<Record>> {
        if self.input.peek()?.is_some_and(|it| self.is_no_record(it)) {
            self.input.copy_line(to)?;
            return Ok(None);
        }
        let record = Record {
            start: self.place(),
            ..Record::default()
        };
        self.input.begin();
        let problem = loop {
            match self.field()?.1 {
                End::Field => {}
                End::Record => break None,
                End::Bad(problem) => break Some(problem),
            }
        };
        match (problem, self.input.is_too_long()) {
            (None, false) => to.write_all(self.input.taken())?,
            (Some(_), false) => {
                self.input.put_back(record.start)?;
                self.input.copy_line(to)?;
            }
            (None, true) => return Ok(Some(self.too_long(record))),
            (Some(problem), true) => return self.bad(record, problem).map(Some),
        }
        Ok(None)
    }

    fn too_long(&self, mut record: Record) -> Record {
        record.fields.clear();
        record.raw = self.input.taken().to_vec();
        without_line_end(&mut record.raw);
        record.problem = Some(TOO_LONG);
        record
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
                None => self.keep(&mut field, &[byte]),
            }
            only_blanks &= byte == b' ';
        }
    }

    /// A field of a record that is too long is not kept.
    fn keep(&self, field: &mut Vec<u8>, bytes: &[u8]) {
        if !self.input.is_too_long() {
            field.extend_from_slice(bytes);
        }
    }

    /// What certainly belongs to the field, as far as it is at hand.
    fn take_until_an_end(&mut self, field: &mut Vec<u8>) -> io::Result<()> {
        let too_long = self.input.is_too_long();
        let window = self.input.window()?;
        let end = memchr3(self.marks.delimiter, b'\n', b'\r', window).unwrap_or(window.len());
        let mut sure = window.get(..end).unwrap_or_default();
        if let Some(comment) = self.marks.comment.and_then(|comment| memchr(comment, sure)) {
            sure = sure.get(..comment).unwrap_or_default();
        }
        let count = sure.len();
        if !too_long {
            field.extend_from_slice(sure);
        }
        self.input.advance(count);
        Ok(())
    }

    fn quoted(&mut self, mut field: Vec<u8>) -> io::Result<(Vec<u8>, End)> {
        let Some(quote) = self.marks.quote else {
            return Ok((field, End::Record));
        };
        let escape = self.marks.escape.unwrap_or(quote);
        loop {
            let too_long = self.input.is_too_long();
            let window = self.input.window()?;
            let end = memchr2(quote, escape, window).unwrap_or(window.len());
            if !too_long {
                field.extend_from_slice(window.get(..end).unwrap_or_default());
            }
            self.input.advance(end);
            let Some(byte) = self.input.next()? else {
                break;
            };
            let next = self.input.peek()?;
            let escapes = next == Some(quote) || (escape != quote && next == Some(escape));
            if byte == escape && escapes {
                let escaped = self.input.next()?;
                self.keep(&mut field, escaped.as_slice());
            } else if byte == quote {
                return self.after_quote(field);
            } else {
                self.keep(&mut field, &[byte]);
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
        self.input.put_back(record.start)?;
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
