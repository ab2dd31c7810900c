//! Bytes with their place.

use std::io::{self, Read, Write};

use memchr::{memchr_iter, memchr2};

use super::{LONGEST_RECORD, Start};

/// How much is read at once.
pub(super) const CHUNK: usize = 256 * 1024;

/// Opens a text at its beginning.
pub(super) type Open<'a, R> = Box<dyn Fn() -> io::Result<R> + 'a>;

/// Bytes with their place, of which those of the current record can be put back.
pub(super) struct Input<'a, R> {
    open: Open<'a, R>,
    text: R,
    /// Where the text begins.
    first: Start,
    buffer: Vec<u8>,
    at: usize,
    /// Where the current record begins in the buffer.
    begin: usize,
    /// The first bytes of a record that is too long to be kept as a whole.
    kept: Vec<u8>,
    place: Start,
    /// The last byte was `\r`: a `\n` belongs to the same line end.
    return_before: bool,
    ended: bool,
}

impl<'a, R: Read> Input<'a, R> {
    pub(super) fn new(open: Open<'a, R>, start: Start) -> io::Result<Self> {
        Ok(Self {
            text: open()?,
            open,
            first: start,
            buffer: Vec::new(),
            at: 0,
            begin: 0,
            kept: Vec::new(),
            place: start,
            return_before: false,
            ended: false,
        })
    }

    /// Where the next byte is.
    pub(super) fn place(&self) -> Start {
        self.place
    }

    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.window()?.first().copied())
    }

    /// The next bytes, as far as they are at hand; none at the end.
    pub(super) fn window(&mut self) -> io::Result<&[u8]> {
        if self.at == self.buffer.len() && !self.ended {
            self.fill()?;
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.is_too_long() {
            if self.kept.is_empty() {
                let taken = self.buffer.get(self.begin..self.at).unwrap_or_default();
                let first = taken.get(..LONGEST_RECORD).unwrap_or(taken);
                self.kept.extend_from_slice(first);
            }
            self.begin = self.at;
        }
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

    pub(super) fn next(&mut self) -> io::Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.advance(1);
        }
        Ok(byte)
    }

    /// Passes over bytes that are at hand.
    pub(super) fn advance(&mut self, count: usize) {
        let bytes = self.buffer.get(self.at..self.at + count);
        let bytes = bytes.unwrap_or_default();
        let Some(last) = bytes.last() else { return };
        let mut ends = memchr_iter(b'\n', bytes).count();
        if self.return_before && bytes.first() == Some(&b'\n') {
            ends -= 1;
        }
        for place in memchr_iter(b'\r', bytes) {
            if bytes.get(place + 1) != Some(&b'\n') {
                ends += 1;
            }
        }
        self.place.line += u64::try_from(ends).unwrap_or(0);
        self.place.byte += u64::try_from(bytes.len()).unwrap_or(0);
        self.return_before = *last == b'\r';
        self.at += count;
    }

    /// A record begins here.
    pub(super) fn begin(&mut self) {
        self.begin = self.at;
        self.kept.clear();
    }

    /// Whether the current record is longer than a record may be.
    pub(super) fn is_too_long(&self) -> bool {
        !self.kept.is_empty() || self.at - self.begin > LONGEST_RECORD
    }

    /// What was read since the record began, as far as it is kept.
    pub(super) fn taken(&self) -> &[u8] {
        if !self.kept.is_empty() {
            return &self.kept;
        }
        let taken = self.buffer.get(self.begin..self.at).unwrap_or_default();
        taken.get(..LONGEST_RECORD).unwrap_or(taken)
    }

    /// Goes back to the place where the current record begins.
    pub(super) fn put_back(&mut self, place: Start) -> io::Result<()> {
        if self.kept.is_empty() {
            self.at = self.begin;
        } else {
            self.text = (self.open)()?;
            let before = place.byte.saturating_sub(self.first.byte);
            io::copy(&mut self.text.by_ref().take(before), &mut io::sink())?;
            self.buffer.clear();
            (self.at, self.begin, self.ended) = (0, 0, false);
            self.kept.clear();
        }
        self.place = place;
        self.return_before = false;
        Ok(())
    }

    /// Takes the rest of the line with its end.
    pub(super) fn take_line(&mut self) -> io::Result<()> {
        loop {
            let window = self.window()?;
            if window.is_empty() {
                return Ok(());
            }
            let end = memchr2(b'\n', b'\r', window);
            let count = end.map_or(window.len(), |end| end + 1);
            self.advance(count);
            if end.is_some() {
                if self.return_before && self.peek()? == Some(b'\n') {
                    self.advance(1);
                }
                return Ok(());
            }
        }
    }

    /// Copies the rest of the line with its end, however long it is.
    pub(super) fn copy_line(&mut self, to: &mut impl Write) -> io::Result<()> {
        loop {
            self.begin();
            let window = self.window()?;
            if window.is_empty() {
                return Ok(());
            }
            let end = memchr2(b'\n', b'\r', window);
            let count = end.map_or(window.len(), |end| end + 1);
            to.write_all(window.get(..count).unwrap_or_default())?;
            self.advance(count);
            if end.is_some() {
                if self.return_before && self.peek()? == Some(b'\n') {
                    to.write_all(b"\n")?;
                    self.advance(1);
                }
                return Ok(());
            }
        }
    }
}
