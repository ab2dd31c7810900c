//! One file that somebody names, read as a table's files are.

use std::path::{Path, PathBuf};

use chrono::DateTime;
use comboi_engine::Session;
use comboi_project::{
    ByteSize, Columns, CsvOptions, Entries, FileFormat, FilesSource, FilesTable, Incremental,
    Located, NullPolicy, OneOrMany, Place, RunId, SqlType,
};

use super::extract::Job;
use super::folder;
use super::{FilesReader, settings};
use crate::{Error, Stamp};

/// A size that no file reaches: one staged file is easiest to look at.
const ONE_FILE_BYTES: u64 = 1 << 40;

impl FilesReader<'_> {
    /// A data file as columns and Parquet files: a Parquet file is itself, unless DuckDB would read it wrongly, text is staged below `scratch`, which must
    /// be empty or missing.
    ///
    /// Text has no types of its own: a column that is `wanted` is read as the type that is wanted, and a value that
    /// does not fit is [`Error::BadRows`]. A wanted column that the file does not have is not among the columns.
    pub fn read_one(
        session: &Session,
        file: &Path,
        wanted: &[(String, SqlType)],
        scratch: &Path,
    ) -> Result<(Columns, Vec<PathBuf>), Error> {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let found = folder::one(&file)?;
        let place = Place::file(&file);
        let (source, table) = described(&found.name, &place);
        if settings::format(&table, &found.name)? == FileFormat::Parquet {
            let converted = scratch.join(&found.name);
            let (columns, file) = comboi_engine::parquet_file(session, &file, &converted)?;
            return Ok((columns, vec![file]));
        }
        let reader = FilesReader {
            source: &source,
            table: &table,
            folder: file.parent().unwrap_or(&file),
            max_file_size: ByteSize::from_bytes(ONE_FILE_BYTES),
        };
        let work = reader.work(vec![found], None, String::new(), Vec::new());
        let stamp = Stamp {
            run: RunId(0),
            loaded_at: DateTime::UNIX_EPOCH,
        };
        let mut job = Job::new(&reader, &work, None, session, stamp, scratch)?;
        job.declare_if_there(wanted);
        let extract = job.extract(None)?;
        Ok((extract.columns, extract.staged))
    }
}

/// A source of one table of one file, of which nothing is said.
fn described(name: &str, place: &Place) -> (FilesSource, FilesTable) {
    let source = FilesSource {
        name: Located::new("data".parse().expect("it is a name"), place.clone()),
        path: None,
        checkpoint_key: None,
        on_bad_row: None,
        on_schema_change: None,
        on_changed_file: None,
        metadata_columns: Some(false),
        follow_links: true,
        tables: Vec::new(),
    };
    let table = FilesTable {
        name: Located::new("data".parse().expect("it is a name"), place.clone()),
        description: None,
        files: OneOrMany(vec![Located::new(name.to_owned(), place.clone())]),
        format: None,
        csv: CsvOptions::default(),
        columns: Entries::default(),
        sample_size: 20_480,
        incremental: Some(Located::new(Incremental::Full, place.clone())),
        incremental_column: None,
        lookback: None,
        max_future: None,
        primary_key: None,
        on_null: NullPolicy::Load,
        on_bad_row: None,
        on_schema_change: None,
        on_changed_file: None,
        metadata_columns: None,
        data_retention: None,
    };
    (source, table)
}
