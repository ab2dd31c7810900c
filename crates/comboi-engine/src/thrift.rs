//! The few parts of Thrift's compact protocol that tell where a page of a Parquet file ends.
//!
//! The crate `parquet` keeps its own reader of page headers to itself, and reads a whole page to check it.

use std::io::{self, Read};

/// A stream of Thrift's compact protocol. It counts the bytes that it takes.
pub(crate) struct Compact<R> {
    from: R,
    pub(crate) taken: u64,
}

/// Types as the protocol numbers them.
pub(crate) const I32: u8 = 5;
pub(crate) const TEXT: u8 = 8;
const STRUCT: u8 = 12;
/// Deeper than anything in the format.
const MOST_DEPTH: usize = 32;

impl<R: Read> Compact<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, taken: 0 }
    }

    /// The number and the type of the next field of a structure; `None` at its end. `last` is the number of the field before.
    pub(crate) fn field(&mut self, last: &mut i16) -> io::Result<Option<(i16, u8)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *last = match i16::from(byte >> 4) {
            0 => i16::try_from(self.integer()?).map_err(|_| broken())?,
            step => last.checked_add(step).ok_or_else(broken)?,
        };
        Ok(Some((*last, byte & 0x0f)))
    }

    /// A whole number of any width.
    pub(crate) fn integer(&mut self) -> io::Result<i64> {
        let raw = self.varint()?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// Passes over a value of this type.
    pub(crate) fn skip(&mut self, of: u8) -> io::Result<()> {
        self.skip_at(of, MOST_DEPTH)
    }

    fn skip_at(&mut self, of: u8, depth: usize) -> io::Result<()> {
        let deeper = depth.checked_sub(1).ok_or_else(broken)?;
        match of {
            // The two booleans of a field are their type.
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.skip_bytes(8),
            TEXT => {
                let length = self.varint()?;
                self.skip_bytes(length)
            }
            9 | 10 => self.skip_list(deeper),
            11 => self.skip_map(deeper),
            STRUCT => {
                let mut last = 0;
                while let Some((_, of)) = self.field(&mut last)? {
                    self.skip_at(of, deeper)?;
                }
                Ok(())
            }
            _ => Err(broken()),
        }
    }

    /// How many items a list has, which follow, and their type.
    pub(crate) fn list(&mut self) -> io::Result<(u64, u8)> {
        let byte = self.byte()?;
        let count = match byte >> 4 {
            15 => self.varint()?,
            count => u64::from(count),
        };
        Ok((count, byte & 0x0f))
    }

    /// A text of a name's length.
    pub(crate) fn text(&mut self) -> io::Result<String> {
        let length = self.varint()?;
        let mut bytes = Vec::new();
        self.from.by_ref().take(length).read_to_end(&mut bytes)?;
        self.taken += length;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip_list(&mut self, depth: usize) -> io::Result<()> {
        let (count, of) = self.list()?;
        (0..count).try_for_each(|_| self.skip_item(of, depth))
    }

    fn skip_map(&mut self, depth: usize) -> io::Result<()> {
        let count = self.varint()?;
        if count == 0 {
            return Ok(());
        }
        let of = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip_item(of >> 4, depth)?;
            self.skip_item(of & 0x0f, depth)
        })
    }

    /// An item of a list, where a boolean is a byte.
    fn skip_item(&mut self, of: u8, depth: usize) -> io::Result<()> {
        match of {
            1 | 2 => self.byte().map(drop),
            of => self.skip_at(of, depth),
        }
    }

    fn skip_bytes(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.from.by_ref().take(count), &mut io::sink())?;
        self.taken += skipped;
        if skipped == count {
            Ok(())
        } else {
            Err(broken())
        }
    }

    fn varint(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.from.read_exact(&mut byte)?;
        self.taken += 1;
        Ok(byte[0])
    }
}

fn broken() -> io::Error {
    io::Error::from(io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header of a page with a checksum, byte by byte as the protocol's specification has it: type 0, 300 and 200 bytes,
    /// checksum -2, and a structure of a list, a text, a boolean and a double.
    #[test]
    fn a_header_is_taken_field_by_field() {
        let bytes = [
            0x15, 0x00, 0x15, 0xd8, 0x04, 0x15, 0x90, 0x03, 0x15, 0x03, 0x1c, 0x19, 0x25, 0x02,
            0x04, 0x18, 0x02, b'h', b'i', 0x11, 0x17, 0, 0, 0, 0, 0, 0, 0, 0, 0x00, 0x00, 0xff,
        ];
        let mut header = Compact::new(bytes.as_slice());
        let (mut last, mut numbers) = (0, Vec::new());
        while let Some((id, of)) = header.field(&mut last).unwrap() {
            match of {
                I32 => numbers.push((id, header.integer().unwrap())),
                of => header.skip(of).unwrap(),
            }
        }
        assert_eq!(numbers, [(1, 0), (2, 300), (3, 200), (4, -2)]);
        assert_eq!(header.taken, 31, "the last byte is of the page");
    }
}
