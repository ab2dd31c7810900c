//! What a Parquet file says of itself.

use std::fs::File;
use std::path::{Path, PathBuf};

use comboi_project::Columns;
use deltalake::parquet::arrow::parquet_to_arrow_schema;
use deltalake::parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::checked::Version;
use crate::digest::Digest;
use crate::error::Source;
use crate::schema::file_misfit;
use crate::stats::stats;

/// A file that was staged on this machine and looked through.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    pub(crate) size_bytes: u64,
    pub(crate) row_count: u64,
    pub(crate) stats: String,
    pub(crate) digest: Digest,
    /// What the file was when its digest was made.
    pub(crate) version: Version,
}

/// Why a staged file can't be committed.
pub(crate) enum Unfit {
    /// It could not be read.
    Unreadable(Source),
    /// It is something else than it should be.
    Wrong(String),
}

/// Reads a file for its digest, and checks its footer against the columns that it should have.
pub(crate) fn look(path: &Path, columns: &Columns) -> Result<Staged, Unfit> {
    let file = File::open(path).map_err(|e| Unfit::Unreadable(e.into()))?;
    let metadata = file.metadata().map_err(|e| Unfit::Unreadable(e.into()))?;
    let digest = Digest::of(&file).map_err(|e| Unfit::Unreadable(e.into()))?;
    let wrong = |what: String| Unfit::Wrong(format!("{what} (`{}`)", path.display()));
    let footer: ParquetMetaData = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Skip)
        .parse_and_finish(&file)
        .map_err(|_| wrong("a staged file is no Parquet file".to_owned()))?;
    let of_file = footer.file_metadata();
    let schema = parquet_to_arrow_schema(of_file.schema_descr(), None)
        .map_err(|_| wrong("a staged file has types that the lake does not keep".to_owned()))?;
    if let Some(what) = file_misfit(columns, &schema) {
        return Err(wrong(what));
    }
    let in_groups: i64 = footer
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .sum();
    match u64::try_from(of_file.num_rows()) {
        Ok(row_count) if in_groups == of_file.num_rows() => Ok(Staged {
            path: path.to_owned(),
            size_bytes: metadata.len(),
            row_count,
            stats: stats(&footer),
            digest,
            version: Version::of(&metadata),
        }),
        _ => Err(wrong(
            "the row groups of a staged file don't add up to its rows".to_owned(),
        )),
    }
}
