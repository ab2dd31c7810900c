//! The levels of nested columns of Parquet files, as far as a wrong one would change rows without a word.
//!
//! Values of lists belong to the record that began last. DuckDB begins one with the first value of a column, whatever its
//! repetition level says, so that all values behind it move to other rows.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::column::page::{Page, PageReader as _};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::serialized_reader::SerializedPageReader;

/// What is wrong with a column of lists, if its first value does not begin a record.
///
/// One page is read of each chunk of such a column. What can't be read is told when all is read.
pub(crate) fn wrong_levels(path: &Path, footer: &ParquetMetaData) -> Option<String> {
    let mut file = None;
    for group in footer.row_groups() {
        let columns = group.columns().iter();
        for chunk in columns.filter(|it| it.column_descr().max_rep_level() > 0) {
            if file.is_none() {
                file = Some(Arc::new(File::open(path).ok()?));
            }
            let rows = usize::try_from(group.num_rows()).unwrap_or(usize::MAX);
            let first = file.clone().and_then(|file| first_level(file, chunk, rows));
            if first.is_some_and(|level| level != 0) {
                return Some(format!(
                    "the first value of column `{}` does not begin a row (its repetition level is not 0)",
                    chunk.column_path().string()
                ));
            }
        }
    }
    None
}

/// The repetition level of the first value.
fn first_level(file: Arc<File>, chunk: &ColumnChunkMetaData, rows: usize) -> Option<u8> {
    let mut pages = SerializedPageReader::new(file, chunk, rows, None).ok()?;
    loop {
        match pages.get_next_page().ok()?? {
            Page::DictionaryPage { .. } => {}
            Page::DataPage {
                buf,
                rep_level_encoding,
                num_values,
                ..
            } => {
                // The levels are behind their length, if they are not in the encoding that is gone.
                let is_hybrid = rep_level_encoding == parquet::basic::Encoding::RLE;
                let levels = buf.get(4..)?;
                return (is_hybrid && num_values > 0).then(|| first_of(levels, chunk))?;
            }
            Page::DataPageV2 {
                buf, num_values, ..
            } => return (num_values > 0).then(|| first_of(&buf, chunk))?,
        }
    }
}

/// The first of levels in the hybrid of run lengths and packed bits. No format has more than 255 levels.
fn first_of(levels: &[u8], chunk: &ColumnChunkMetaData) -> Option<u8> {
    let most = chunk.column_descr().max_rep_level();
    let width = (u16::BITS - most.cast_unsigned().leading_zeros()).min(8);
    let header = levels.iter().position(|byte| byte & 0x80 == 0)?;
    let value = *levels.get(header + 1)?;
    let is_packed = levels.first()? & 1 == 1;
    let mask = u8::MAX >> (u8::BITS - width);
    Some(if is_packed { value & mask } else { value })
}
