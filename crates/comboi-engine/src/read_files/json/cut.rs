//! The records of one text, found without understanding them, block by block.

use std::io::{self, Read};

use memchr::{memchr, memchr_iter, memrchr};

use super::records::{Record, as_u64};
use super::scanner::Scanner;
use super::text::{trim, trim_start};

/// A block has at least this many bytes, if there are so many.
const BLOCK_BYTES: usize = 256 * 1024;
/// The longest record.
const LONGEST: usize = 16 * 1024 * 1024;

/// Why a file can't be read on.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("it could not be read to its end: {0}")]
    Read(#[from] io::Error),
    #[error("it is not one JSON array throughout: line {line}, column {column}: {why}")]
    Array {
        line: u64,
        column: u64,
        why: &'static str,
    },
}

/// How records follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// Not known yet.
    ByContent,
    /// One in each line.
    Lines,
    /// One after the other, of as many lines as they like; what is no object or array is a line.
    Values,
    /// Between the brackets of an array.
    Array,
    /// Behind the array.
    Behind,
}

/// A text and how far it is read.
pub(super) struct Text {
    bytes: Box<dyn Read + Send>,
    order: Order,
    /// What was read and not given yet.
    buffer: Vec<u8>,
    ended: bool,
    /// Where the record begins that is being looked at; what is before it was given.
    start: usize,
    scanner: Scanner,
    /// Line and byte of this record, once its beginning is forgotten.
    too_long: Option<(u64, u64)>,
    /// How many bytes came before the buffer.
    before: u64,
    /// How many lines came before `start`, and where its own line begins.
    lines: u64,
    line_begins: u64,
    /// How many records were found, and given.
    found: u64,
    pub(super) given: u64,
}

pub(super) type Records = (Vec<u8>, Vec<Record>);

impl Text {
    pub(super) fn new(bytes: Box<dyn Read + Send>, lines: bool) -> Self {
        Self {
            bytes,
            order: if lines {
                Order::Lines
            } else {
                Order::ByContent
            },
            buffer: Vec::new(),
            ended: false,
            start: 0,
            scanner: Scanner::default(),
            too_long: None,
            before: 0,
            lines: 0,
            line_begins: 0,
            found: 0,
            given: 0,
        }
    }

    /// The next records with the bytes that they are in; `None` in the end.
    pub(super) fn next(&mut self) -> Result<Option<Records>, Broken> {
        let mut records = Vec::new();
        while records.is_empty() {
            if self.ended {
                return Ok(None);
            }
            self.fill()?;
            self.cut(&mut records)?;
            if records.is_empty() {
                drop(self.give());
                self.forget_what_is_too_long();
            }
        }
        Ok(Some((self.give(), records)))
    }

    /// What is before `start`.
    fn give(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        let given = std::mem::replace(&mut self.buffer, rest);
        self.before += as_u64(given.len());
        self.scanner.at -= given.len();
        self.start = 0;
        given
    }

    fn fill(&mut self) -> io::Result<()> {
        // What is there is not enough: as much again keeps the number of looks at it small.
        let more = BLOCK_BYTES.max(self.buffer.len());
        let count = self
            .bytes
            .by_ref()
            .take(as_u64(more))
            .read_to_end(&mut self.buffer)?;
        self.ended = count < more;
        Ok(())
    }

    fn cut(&mut self, records: &mut Vec<Record>) -> Result<(), Broken> {
        if self.order == Order::ByContent {
            self.skip_space();
            self.find_order();
        }
        match self.order {
            Order::ByContent => {}
            Order::Lines => while self.cut_line(records) {},
            Order::Values => while self.cut_value(records) {},
            Order::Array => while self.cut_item(records)? {},
            Order::Behind => {}
        }
        if self.order == Order::Behind {
            self.skip_space();
            if self.start < self.buffer.len() {
                return Err(self.broken("there is more text behind its end"));
            }
        }
        if self.order == Order::Array && self.ended {
            self.pass(self.buffer.len());
            return Err(self.broken("it ends before the array does"));
        }
        Ok(())
    }

    /// By the first records. Nothing but white space is in no order.
    fn find_order(&mut self) {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        self.order = match rest.first() {
            None => Order::ByContent,
            Some(b'[') => {
                self.pass(self.start + 1);
                Order::Array
            }
            Some(_) => {
                let line_end = memchr(b'\n', rest).unwrap_or(rest.len());
                let line = rest.get(..line_end).unwrap_or_default();
                let mut scanner = Scanner::default();
                let is_whole = line.first() == Some(&b'{')
                    && scanner
                        .closed(line)
                        .is_some_and(|end| trim(line.get(end..).unwrap_or_default()).is_empty());
                if is_whole {
                    Order::Lines
                } else {
                    Order::Values
                }
            }
        };
    }

    fn cut_line(&mut self, records: &mut Vec<Record>) -> bool {
        let (end, next) = match self.scanner.line_end(&self.buffer) {
            Some(end) => (end, end + 1),
            None if self.ended && (self.start < self.buffer.len() || self.too_long.is_some()) => {
                (self.buffer.len(), self.buffer.len())
            }
            None => return false,
        };
        let line = self.lines + 1;
        self.push(records, self.start, end, line);
        self.pass(next);
        true
    }

    fn cut_value(&mut self, records: &mut Vec<Record>) -> bool {
        if self.scanner.at == self.start && self.too_long.is_none() {
            self.skip_space();
            let first = self.buffer.get(self.start);
            self.scanner.by_line = !matches!(first, None | Some(b'{' | b'['));
        }
        let end = if self.scanner.by_line {
            self.scanner.line_end(&self.buffer)
        } else {
            self.scanner.closed(&self.buffer)
        };
        let end = match end {
            Some(end) => end,
            None if self.ended => self.buffer.len(),
            None => return false,
        };
        if end == self.start && self.too_long.is_none() {
            return false;
        }
        let line = self.lines + 1;
        self.push(records, self.start, end, line);
        self.pass(end);
        true
    }

    fn cut_item(&mut self, records: &mut Vec<Record>) -> Result<bool, Broken> {
        let Some(end) = self.scanner.ended(&self.buffer) else {
            return Ok(false);
        };
        let is_last = self.buffer.get(end) == Some(&b']');
        let text = self.buffer.get(self.start..end).unwrap_or_default();
        let is_empty = trim(text).is_empty() && self.too_long.is_none();
        if !(is_empty && is_last && self.found == 0) {
            let line = self.found + 1;
            if is_empty {
                self.push_empty(records, line);
            } else {
                self.push(records, self.start, end, line);
            }
        }
        if self.buffer.get(end) == Some(&b'}') {
            self.pass(end);
            return Err(self.broken("a bracket is closed that was not opened"));
        }
        self.pass(end + 1);
        if is_last {
            self.order = Order::Behind;
        }
        Ok(!is_last)
    }

    /// A record from here to there, without the white space around it; none if that is all there is.
    fn push(&mut self, records: &mut Vec<Record>, start: usize, end: usize, line: u64) {
        let text = self.buffer.get(start..end).unwrap_or_default();
        let indent = text.len() - trim_start(text).len();
        let length = trim(text).len();
        let begun = self.too_long.take();
        let too_long = begun.is_some() || length > LONGEST;
        if length == 0 && !too_long {
            return;
        }
        self.found += 1;
        // The indent of a line is part of it.
        let is_line = self.order == Order::Lines;
        let byte = self.before + as_u64(if is_line { start } else { start + indent });
        let (first_line, byte) = begun.unwrap_or((line, byte));
        let is_item = self.order == Order::Array;
        records.push(Record {
            start: start + indent,
            end: start + indent + if too_long { 0 } else { length },
            line: if is_item { line } else { first_line },
            byte,
            too_long,
        });
    }

    /// What is missing between two commas.
    fn push_empty(&mut self, records: &mut Vec<Record>, line: u64) {
        self.found += 1;
        records.push(Record {
            start: self.start,
            end: self.start,
            line,
            byte: self.before + as_u64(self.start),
            too_long: false,
        });
    }

    fn skip_space(&mut self) {
        let rest = self.buffer.get(self.start..).unwrap_or_default();
        let space = rest.len() - trim_start(rest).len();
        self.pass(self.start + space);
    }

    /// The next record begins here.
    fn pass(&mut self, start: usize) {
        self.count_lines(self.start, start);
        self.start = start;
        self.scanner = Scanner {
            at: start,
            ..Scanner::default()
        };
    }

    fn count_lines(&mut self, from: usize, to: usize) {
        let passed = self.buffer.get(from..to).unwrap_or_default();
        if let Some(last) = memrchr(b'\n', passed) {
            self.lines += as_u64(memchr_iter(b'\n', passed).count());
            self.line_begins = self.before + as_u64(from + last + 1);
        }
    }

    /// Of a record that is too long, only its end is of interest.
    fn forget_what_is_too_long(&mut self) {
        let looked_at = self.scanner.at;
        if self.too_long.is_none() {
            if looked_at <= LONGEST {
                return;
            }
            let text = self.buffer.get(..looked_at).unwrap_or_default();
            let indent = text.len() - trim_start(text).len();
            self.too_long = Some((self.lines + 1, self.before + as_u64(indent)));
        }
        self.count_lines(0, looked_at);
        self.before += as_u64(looked_at);
        self.buffer.drain(..looked_at);
        self.scanner.at = 0;
    }

    fn broken(&self, why: &'static str) -> Broken {
        Broken::Array {
            line: self.lines + 1,
            column: self.before + as_u64(self.start) - self.line_begins + 1,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `line@byte text`, one record a line; what ends the file comes last.
    fn records(text: &[u8], lines: bool) -> String {
        let mut text = Text::new(Box::new(io::Cursor::new(text.to_vec())), lines);
        let mut said = Vec::new();
        loop {
            match text.next() {
                Ok(None) => return said.join("\n"),
                Err(error) => {
                    said.push(error.to_string());
                    return said.join("\n");
                }
                Ok(Some((bytes, records))) => {
                    for it in records {
                        let text = String::from_utf8_lossy(&bytes[it.start..it.end]).into_owned();
                        let text = if it.too_long {
                            "too long".to_owned()
                        } else {
                            text
                        };
                        said.push(format!("{}@{} {text}", it.line, it.byte));
                    }
                }
            }
        }
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(records(text.as_bytes(), false), expected, "{text}");
    }

    #[test]
    fn lines() {
        let text = "{\"a\":1}\r\n\n  {\"b\":\n[1]\nx";
        assert_eq!(
            records(text.as_bytes(), true),
            "1@0 {\"a\":1}\n3@10 {\"b\":\n4@18 [1]\n5@22 x"
        );
        assert_eq!(records(b"", true), "");
        assert_eq!(records(b" \n\n ", true), "");
    }

    #[test]
    fn the_content_decides() {
        check("", "");
        check(" \n ", "");
        check("{\"a\":1}", "1@0 {\"a\":1}");
        check(
            "\n{\"a\":1}\n{\"a\":\n{\"a\":3}\n",
            "2@1 {\"a\":1}\n3@9 {\"a\":\n4@15 {\"a\":3}",
        );
        check("{\n \"a\": 1\n}\n", "1@0 {\n \"a\": 1\n}");
        check(
            "{\n\"a\": \"}\\\"\"}{\"b\":1}\n\n{\"c\":1}",
            "1@0 {\n\"a\": \"}\\\"\"}\n2@13 {\"b\":1}\n4@22 {\"c\":1}",
        );
        check("null", "1@0 null");
        check("<html>\n<p>", "1@0 <html>\n2@7 <p>");
        check("{\"a\":1", "1@0 {\"a\":1");
        check("[]", "");
        check("[ ]\n", "");
        check(
            "[{\"a\":[1,2]} ,\n 7,\"x,]\"]",
            "1@1 {\"a\":[1,2]}\n2@16 7\n3@18 \"x,]\"",
        );
        check("[1,,2,]", "1@1 1\n2@3 \n3@4 2\n4@6 ");
    }

    #[test]
    fn an_array_that_is_not_one() {
        let broken = "it is not one JSON array throughout: line";
        check(
            "[1,\n2",
            &format!("{broken} 2, column 2: it ends before the array does"),
        );
        check(
            "[1]\n{}",
            &format!("{broken} 2, column 1: there is more text behind its end"),
        );
        check(
            "[\"a]",
            &format!("{broken} 1, column 5: it ends before the array does"),
        );
        check(
            "[1}]",
            &format!("{broken} 1, column 3: a bracket is closed that was not opened"),
        );
    }

    #[test]
    fn across_blocks() {
        let long = format!("{{\"a\":\"{}\"}}", "x\\\"".repeat(BLOCK_BYTES));
        let record = |line: u64, byte: usize| format!("{line}@{byte} {long}");
        let length = long.len();
        assert_eq!(
            records(format!("{long}\n{long}\n").as_bytes(), true),
            format!("{}\n{}", record(1, 0), record(2, length + 1))
        );
        check(
            &format!("[{long},{long}]"),
            &format!("{}\n{}", record(1, 1), record(2, length + 2)),
        );
        let short = "{\"a\":1}\n".repeat(100_000);
        assert_eq!(records(short.as_bytes(), true).lines().count(), 100_000);
        assert!(records(short.as_bytes(), false).ends_with("\n100000@799992 {\"a\":1}"));
    }

    #[test]
    fn a_record_that_is_too_long_costs_itself_only() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(LONGEST * 2));
        let behind = long.len() + 1;
        for lines in [true, false] {
            assert_eq!(
                records(format!("{long}\n{{\"b\":1}}\n").as_bytes(), lines),
                format!("1@0 too long\n2@{behind} {{\"b\":1}}"),
                "{lines}"
            );
        }
        check(
            &format!("[{long},{{\"b\":1}}]"),
            &format!("1@1 too long\n2@{} {{\"b\":1}}", behind + 1),
        );
    }
}
