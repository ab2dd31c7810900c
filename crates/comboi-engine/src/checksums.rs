//! Checksums of the pages of Parquet files, which DuckDB does not look at.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use crate::footer;
use crate::thrift::{Compact, I32};

/// What is wrong with a page of a Parquet file, if the page has a checksum and it is another than that of its bytes.
///
/// Pages are read, not decompressed. Of a column chunk whose first pages have no checksum nothing more than these two headers is
/// read. A file that can't be understood, or not be read to its end, is not this function's business: `None`.
pub fn damaged_page(file: &Path) -> io::Result<Option<String>> {
    match footer::read(file) {
        Some(footer) => damaged_page_of(file, &footer),
        None => Ok(None),
    }
}

pub(crate) fn damaged_page_of(path: &Path, footer: &ParquetMetaData) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    for chunk in footer.row_groups().iter().flat_map(|it| it.columns()) {
        if has_checksums(&mut file, chunk)? && !pages_are_whole(&mut file, chunk)? {
            return Ok(Some(format!(
                "a page of column `{}` is not what its checksum says",
                chunk.column_path().string()
            )));
        }
    }
    Ok(None)
}

/// More than the fields of a page's header up to its checksum take.
const FIRST_BYTES: u64 = 32;

/// Some writers give a checksum to dictionaries, some do not, so the first page of data counts too.
fn has_checksums(file: &mut File, chunk: &ColumnChunkMetaData) -> io::Result<bool> {
    for at in [
        Some(start(chunk)),
        u64::try_from(chunk.data_page_offset()).ok(),
    ] {
        let Some(at) = at else { continue };
        file.seek(SeekFrom::Start(at))?;
        let mut first = Vec::with_capacity(FIRST_BYTES.try_into().unwrap_or_default());
        file.take(FIRST_BYTES).read_to_end(&mut first)?;
        if checksum_of(&first).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The checksum in the first bytes of a header.
fn checksum_of(header: &[u8]) -> Option<u32> {
    let mut fields = Compact::new(header);
    let mut last = 0;
    while let Ok(Some((id, I32))) = fields.field(&mut last) {
        let value = fields.integer().ok()?;
        if id == CHECKSUM {
            return bits(value);
        }
    }
    None
}

fn pages_are_whole(file: &mut File, chunk: &ColumnChunkMetaData) -> io::Result<bool> {
    let Ok(length) = u64::try_from(chunk.compressed_size()) else {
        return Ok(true);
    };
    file.seek(SeekFrom::Start(start(chunk)))?;
    let mut pages = BufReader::with_capacity(1 << 16, file.take(length));
    let (mut taken, mut buffer) = (0, Vec::new());
    while taken < length {
        let Some(header) = header(&mut pages) else {
            break;
        };
        buffer.clear();
        pages
            .by_ref()
            .take(header.page_bytes)
            .read_to_end(&mut buffer)?;
        if header
            .checksum
            .is_some_and(|it| it != crc32fast::hash(&buffer))
        {
            return Ok(false);
        }
        taken += header.header_bytes + header.page_bytes;
    }
    Ok(true)
}

/// Where the first page is.
fn start(chunk: &ColumnChunkMetaData) -> u64 {
    let dictionary = chunk.dictionary_page_offset().filter(|at| *at > 0);
    let first = dictionary.map_or(chunk.data_page_offset(), |at| {
        at.min(chunk.data_page_offset())
    });
    u64::try_from(first).unwrap_or(0)
}

struct Header {
    header_bytes: u64,
    page_bytes: u64,
    checksum: Option<u32>,
}

const PAGE_BYTES: i16 = 3;
const CHECKSUM: i16 = 4;

fn header(from: &mut impl Read) -> Option<Header> {
    let mut fields = Compact::new(from);
    let (mut last, mut page_bytes, mut checksum) = (0, None, None);
    while let Some((id, of)) = fields.field(&mut last).ok()? {
        match (id, of) {
            (PAGE_BYTES, I32) => page_bytes = u64::try_from(fields.integer().ok()?).ok(),
            (CHECKSUM, I32) => checksum = bits(fields.integer().ok()?),
            (_, of) => fields.skip(of).ok()?,
        }
    }
    Some(Header {
        header_bytes: fields.taken,
        page_bytes: page_bytes?,
        checksum,
    })
}

/// The format has it as a signed number.
fn bits(checksum: i64) -> Option<u32> {
    i32::try_from(checksum).ok().map(i32::cast_unsigned)
}
