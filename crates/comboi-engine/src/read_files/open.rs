//! The bytes of a file, out of their compression.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::Compression;

/// Opens a file and decompresses what is read from it. A file that is not compressed as its name says is `InvalidData`.
pub fn open(path: &Path, compression: Compression) -> io::Result<Box<dyn Read + Send>> {
    let mut file = File::open(path)?;
    let mut first = Vec::with_capacity(4);
    file.by_ref().take(4).read_to_end(&mut first)?;
    if let Some(why) = misnamed(&first, compression) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    let file = io::Cursor::new(first).chain(file);
    Ok(match compression {
        Compression::None => Box::new(file),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Compression::Zstd => Box::new(zstd::stream::read::Decoder::new(file)?),
    })
}

/// What a file is, by its first bytes, if that is not what its name says.
fn misnamed(first: &[u8], compression: Compression) -> Option<&'static str> {
    let is_gzip = first.starts_with(&[0x1f, 0x8b]);
    // A frame of data, or one to be passed over.
    let is_zstd = first.ends_with(&[0xb5, 0x2f, 0xfd]) || first.ends_with(&[0x2a, 0x4d, 0x18]);
    match compression {
        Compression::None if is_gzip => Some("it is compressed by gzip: end its name with `.gz`"),
        Compression::None if first == [0x28, 0xb5, 0x2f, 0xfd] => {
            Some("it is compressed by zstd: end its name with `.zst`")
        }
        Compression::None if first == b"PK\x03\x04" => {
            Some("it is a zip archive, which can't be read: unpack it")
        }
        Compression::Gzip if !first.is_empty() && !is_gzip => {
            Some("it is not compressed by gzip, as its name says: rename it")
        }
        Compression::Zstd if !first.is_empty() && !is_zstd => {
            Some("it is not compressed by zstd, as its name says: rename it")
        }
        _ => None,
    }
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
