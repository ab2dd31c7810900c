//! The bytes of a file, out of their compression.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Compression;

/// Opens a file and decompresses what is read from it.
pub fn open(path: &Path, compression: Compression) -> io::Result<Box<dyn Read + Send>> {
    let file = File::open(path)?;
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    })
}

/// UTF-8 text without its byte-order mark, if it has one.
pub fn without_mark(mut bytes: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut first = Vec::with_capacity(3);
    bytes.by_ref().take(3).read_to_end(&mut first)?;
    if first == b"\xEF\xBB\xBF" {
        first.clear();
    }
    Ok(Box::new(io::Cursor::new(first).chain(bytes)))
}
