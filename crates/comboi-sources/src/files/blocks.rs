//! Large texts in blocks, each a file that knows where it begins.
//!
//! Somewhere in a large file is a row that does not fit. DuckDB finds the block that it is in, and only that one is
//! taken apart line by line.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use super::apart::{Rejects, Text};
use super::csv::{Records, Start};
use super::header::Top;

/// The length of a block; its last record may end behind it.
pub(super) const BLOCK_BYTES: u64 = 4 * 1024 * 1024;

/// Where the blocks begin in their files.
pub(super) type Starts = HashMap<PathBuf, Start>;

/// The blocks of a CSV file, in order, without what is before the first record. A record that is too long is in none.
pub(super) fn csv(
    text: &Text<'_>,
    top: &Top,
    rejects: &mut Rejects,
) -> io::Result<Vec<(PathBuf, Start)>> {
    let one_column = top.width == 1;
    let mut records = Records::new(|| text.open(), text.start, top.marks, one_column)?;
    records.skip_lines(top.lines)?;
    let mut blocks = Vec::new();
    while !records.ended()? {
        let start = records.place();
        let (path, mut file) = create(text, rejects)?;
        let too_long = records.copy(BLOCK_BYTES, &mut file)?;
        file.flush()?;
        let end = too_long.as_ref().map_or(records.place(), |it| it.start);
        if end != start {
            blocks.push((path, start));
        }
        if let Some(record) = too_long {
            let problem = record.problem.unwrap_or_default();
            rejects.push(text.name, record.start, problem, &record.raw)?;
        }
    }
    Ok(blocks)
}

/// The path ends in the file's name, for DuckDB to tell.
fn create(text: &Text<'_>, rejects: &mut Rejects) -> io::Result<(PathBuf, BufWriter<File>)> {
    let path = rejects.next_folder().join(text.name);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = BufWriter::with_capacity(256 * 1024, File::create(&path)?);
    Ok((path, file))
}
