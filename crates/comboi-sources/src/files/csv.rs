//! CSV text taken apart, record by record, with the place of each.
//!
//! It reads what DuckDB reads in strict mode: quotes only around whole fields, blanks around them are passed over, a
//! delimiter at the end of a line that is one too many is too. Line ends are `\n`, `\r\n` or `\r`, also mixed.

use std::io::{self, Read};

/// The longest record; what is longer has most likely lost a quote.
pub(super) const LONGEST_RECORD: usize = 16 * 1024 * 1024;

/// What the text is made of. All of it is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    /// Before a quote inside quotes; the quote itself by default.
    pub(super) escape: Option<u8>,
    pub(super) comment: Option<u8>,
}

/// One record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// The line that it begins in, counted from 1.
    pub(super) line: u64,
    /// Where it begins, in bytes of the decompressed UTF-8 text without a byte-order mark.
    pub(super) byte: u64,
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
    pub(super) fn new(text: R, marks: Marks, one_column: bool) -> Self {
        Self {
            input: Input::new(text),
            marks,
            one_column,
        }
    }

    /// Passes over whole lines.
    pub(super) fn skip_lines(&mut self, count: u64) -> io::Result<()> {
        for _ in 0..count {
            let mut line = Vec::new();
            self.input.line(&mut line, usize::MAX)?;
        }
        Ok(())
    }

    /// How many lines have been read.
    pub(super) fn lines(&self) -> u64 {
        self.input.line - 1
    }

    /// Whether nothing is left.
    pub(super) fn ended(&mut self) -> io::Result<bool> {
        Ok(self.input.peek()?.is_none())
    }

    /// The next record.
    pub(super) fn next(&mut self) -> io::Result<Option<Record>> {
        loop {
            let Some(first) = self.input.peek()? else {
                return Ok(None);
            };
            let comment = self.marks.comment == Some(first);
            let empty = (first == b'\n' || first == b'\r') && !self.one_column;
            if !comment && !empty {
                return self.record().map(Some);
            }
            let mut line = Vec::new();
            self.input.line(&mut line, usize::MAX)?;
        }
    }

    fn record(&mut self) -> io::Result<Record> {
        let mut record = Record {
            line: self.input.line,
            byte: self.input.byte,
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
        record.raw = self.input.taken();
        without_line_end(&mut record.raw);
        Ok(record)
    }

    /// One field, and what comes after it.
    fn field(&mut self) -> io::Result<(Vec<u8>, End)> {
        let mut field = Vec::new();
        while let Some(byte) = self.input.next()? {
            if Some(byte) == self.marks.quote && field.iter().all(|b| *b == b' ') {
                field.clear();
                return self.quoted(field);
            }
            match self.ends(byte)? {
                Some(end) => return Ok((field, end)),
                None => field.push(byte),
            }
            if self.input.taken_len() > LONGEST_RECORD {
                return Ok((field, End::Bad("the line is longer than 16 MiB")));
            }
        }
        Ok((field, End::Record))
    }

    fn quoted(&mut self, mut field: Vec<u8>) -> io::Result<(Vec<u8>, End)> {
        let (quote, escape) = (self.marks.quote, self.marks.escape.or(self.marks.quote));
        while let Some(byte) = self.input.next()? {
            let next = self.input.peek()?;
            if Some(byte) == escape
                && next.is_some()
                && (next == quote || (escape != quote && next == escape))
            {
                field.extend(self.input.next()?);
            } else if Some(byte) == quote {
                return self.after_quote(field);
            } else {
                field.push(byte);
            }
            if self.input.taken_len() > LONGEST_RECORD {
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
                let mut rest = Vec::new();
                self.input.line(&mut rest, usize::MAX)?;
                Some(End::Record)
            }
            _ => None,
        })
    }

    /// The line that the record began in, as a record that can't be taken apart. What follows it is read again, so
    /// that a lost quote does not take the rest of the file with it.
    fn bad(&mut self, mut record: Record, problem: &'static str) -> io::Result<Record> {
        self.input.put_back(record.line, record.byte);
        self.input.begin();
        let mut line = Vec::new();
        self.input.line(&mut line, LONGEST_RECORD)?;
        without_line_end(&mut line);
        record.raw = line;
        record.problem = Some(problem);
        Ok(record)
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

/// Bytes with their place, of which those of the current record can be put back.
struct Input<R> {
    text: R,
    buffer: Vec<u8>,
    at: usize,
    /// Where the current record begins in the buffer.
    begin: usize,
    line: u64,
    byte: u64,
    /// The last byte was `\r`: a `\n` belongs to the same line end.
    return_before: bool,
    ended: bool,
}

const CHUNK: usize = 256 * 1024;

impl<R: Read> Input<R> {
    fn new(text: R) -> Self {
        Self {
            text,
            buffer: Vec::new(),
            at: 0,
            begin: 0,
            line: 1,
            byte: 0,
            return_before: false,
            ended: false,
        }
    }

    fn peek(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.buffer.len() && !self.ended {
            self.fill()?;
        }
        Ok(self.buffer.get(self.at).copied())
    }

    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.begin);
        self.at -= self.begin;
        self.begin = 0;
        let before = self.buffer.len();
        let limit = u64::try_from(CHUNK).unwrap_or(u64::MAX);
        self.text
            .by_ref()
            .take(limit)
            .read_to_end(&mut self.buffer)?;
        self.ended = self.buffer.len() == before;
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<u8>> {
        let Some(byte) = self.peek()? else {
            return Ok(None);
        };
        self.at += 1;
        self.byte += 1;
        if byte == b'\r' || (byte == b'\n' && !self.return_before) {
            self.line += 1;
        }
        self.return_before = byte == b'\r';
        Ok(Some(byte))
    }

    fn begin(&mut self) {
        self.begin = self.at;
    }

    fn taken(&self) -> Vec<u8> {
        self.buffer
            .get(self.begin..self.at)
            .unwrap_or_default()
            .to_vec()
    }

    fn taken_len(&self) -> usize {
        self.at - self.begin
    }

    fn put_back(&mut self, line: u64, byte: u64) {
        self.at = self.begin;
        self.line = line;
        self.byte = byte;
        self.return_before = false;
    }

    /// The rest of the line with its end, up to a length.
    fn line(&mut self, to: &mut Vec<u8>, longest: usize) -> io::Result<()> {
        // What is passed over need not be kept.
        self.begin();
        while let Some(byte) = self.next()? {
            if to.len() < longest {
                to.push(byte);
            }
            if to.len() >= longest.min(LONGEST_RECORD) {
                self.begin();
            }
            if byte == b'\n' {
                break;
            }
            if byte == b'\r' {
                if self.peek()? == Some(b'\n') {
                    to.extend(self.next()?);
                }
                break;
            }
        }
        Ok(())
    }
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
    use std::fmt::Write as _;

    use super::*;

    const COMMA: Marks = Marks {
        delimiter: b',',
        quote: Some(b'"'),
        escape: None,
        comment: None,
    };

    fn check_with(marks: Marks, one_column: bool, text: &str, expected: &str) {
        let mut records = Records::new(text.as_bytes(), marks, one_column);
        let mut found = String::new();
        while let Some(record) = records.next().unwrap() {
            let fields: Vec<_> = record
                .fields
                .iter()
                .map(|field| String::from_utf8_lossy(field).replace('\n', "⏎"))
                .collect();
            let what = record.problem.map_or_else(
                || fields.join("|"),
                |problem| format!("{problem}: {}", String::from_utf8_lossy(&record.raw)),
            );
            writeln!(found, "{}@{} {what}", record.line, record.byte).unwrap();
        }
        assert_eq!(found.trim_end(), expected, "{text:?}");
    }

    fn check(text: &str, expected: &str) {
        check_with(COMMA, false, text, expected);
    }

    #[test]
    fn places_count_real_lines_and_bytes() {
        check("a,b\n1,\"x\ny\"\n\n2,z", "1@0 a|b\n2@4 1|x⏎y\n5@13 2|z");
        check("a,b\r\n1,2\r\n3,4", "1@0 a|b\n2@5 1|2\n3@10 3|4");
        check("a,b\r1,2\r", "1@0 a|b\n2@4 1|2");
    }

    #[test]
    fn quotes_are_around_whole_fields() {
        check("\"a \"\"b\"\"\",  \"c\" ,d\"e", "1@0 a \"b\"|c|d\"e");
        check("\"\",", "1@0 |");
        let backslash = Marks {
            escape: Some(b'\\'),
            ..COMMA
        };
        check_with(backslash, false, r#""a \" b \\ \c""#, r#"1@0 a " b \ \c"#);
        check_with(
            Marks {
                quote: None,
                ..COMMA
            },
            false,
            "\"a,b",
            "1@0 \"a|b",
        );
    }

    #[test]
    fn a_lost_quote_takes_one_line_with_it() {
        check(
            "1,\"a\n2,b\n3,c\n",
            "1@0 a quote is opened and never closed: 1,\"a\n2@5 2|b\n3@9 3|c",
        );
        check(
            "1,\"a\"b\n2,c",
            "1@0 there is text after a closing quote: 1,\"a\"b\n2@7 2|c",
        );
    }

    #[test]
    fn comments_and_empty_lines() {
        let hash = Marks {
            comment: Some(b'#'),
            ..COMMA
        };
        check_with(hash, false, "#x\n1,2#y\n\n3,4", "2@3 1|2\n4@10 3|4");
        check_with(COMMA, true, "a\n\nb\n", "1@0 a\n2@2 \n3@3 b");
    }

    #[test]
    fn records_may_be_longer_than_a_chunk() {
        let long = "x".repeat(3 * CHUNK);
        check(
            &format!("1,\"{long}\"\n2,y"),
            &format!("1@0 1|{long}\n2@{} 2|y", 3 * CHUNK + 5),
        );
    }

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
