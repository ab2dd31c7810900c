//! The text of files: out of their compression and their encoding.

use std::io::{self, Read};
use std::path::Path;

use comboi_engine::read_files::{self, Compression};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use crate::Error;

/// The encoding of this name; UTF-8 without one.
pub(super) fn encoding(name: Option<&str>) -> Result<&'static Encoding, Error> {
    let Some(name) = name else { return Ok(UTF_8) };
    comboi_project::encoding(name)
        .ok_or_else(|| Error::Configuration(format!("unknown encoding `{name}`")))
}

/// The encoding of a file: UTF-16 if it begins with the byte-order mark of UTF-16, else this one.
pub(super) fn encoding_of(
    path: &Path,
    compression: Compression,
    encoding: &'static Encoding,
) -> io::Result<&'static Encoding> {
    let mut first = Vec::new();
    read_files::open(path, compression)?
        .take(3)
        .read_to_end(&mut first)?;
    Ok(Encoding::for_bom(&first).map_or(encoding, |(marked, _)| marked))
}

/// A file's bytes as UTF-8 text without a byte-order mark. UTF-8 itself is passed through unchecked, so that a bad
/// byte is a matter of its line; in another encoding it is an error of kind `InvalidData`.
pub(super) fn open(
    path: &Path,
    compression: Compression,
    encoding: &'static Encoding,
) -> io::Result<Box<dyn Read>> {
    let bytes = read_files::open(path, compression)?;
    if encoding == UTF_8 {
        return Ok(read_files::without_mark(bytes)?);
    }
    Ok(Box::new(Decoded {
        bytes,
        decoder: encoding.new_decoder(),
        input: Vec::new(),
        output: Vec::new(),
        at: 0,
        ended: false,
    }))
}

struct Decoded {
    bytes: Box<dyn Read + Send>,
    decoder: Decoder,
    input: Vec<u8>,
    output: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Decoded {
    fn more(&mut self) -> io::Result<()> {
        if self.input.is_empty() {
            self.input.resize(64 * 1024, 0);
            let count = self.bytes.read(&mut self.input)?;
            self.input.truncate(count);
            self.ended = count == 0;
        }
        let room = self
            .decoder
            .max_utf8_buffer_length_without_replacement(self.input.len())
            .unwrap_or(1024 * 1024);
        self.output.resize(room.max(16), 0);
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(
            &self.input,
            &mut self.output,
            self.ended,
        );
        self.input.drain(..read);
        self.output.truncate(written);
        self.at = 0;
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => {
                let name = self.decoder.encoding().name();
                Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!(
                        "its text is not {name} throughout: say its encoding under `csv: encoding`"
                    ),
                ))
            }
        }
    }
}

impl Read for Decoded {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.at == self.output.len() {
            if self.ended {
                return Ok(0);
            }
            self.more()?;
        }
        let rest = self.output.get(self.at..).unwrap_or_default();
        let count = rest.len().min(to.len());
        to.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        self.at += count;
        Ok(count)
    }
}
