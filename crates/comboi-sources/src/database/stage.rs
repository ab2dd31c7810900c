//! Rows on their way from a connection to staged Parquet files.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use comboi_engine::Interrupter;
use comboi_engine::read_files::{LOADED_AT_COLUMN, RUN_ID_COLUMN, has_half_a_pair};
use comboi_project::NullPolicy;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::ahead::{Ahead, Count};
use super::client::Sink;
use super::digest::Digesting;
use crate::{Error, Stamp};

/// How staged files are cut.
#[derive(Clone, Copy, Debug)]
pub struct Cut {
    /// About the size of a file, in bytes.
    pub file_bytes: u64,
    /// The most rows of a row group.
    pub row_group_rows: usize,
    /// About the most that one writer keeps in memory, in bytes.
    pub memory_bytes: usize,
}

/// What becomes of rows without a value in the cursor.
#[derive(Clone, Debug)]
pub(super) struct Nulls {
    /// The place of the column.
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) policy: NullPolicy,
}

/// What all the writers of an extract share.
#[derive(Clone)]
pub(super) struct Staging {
    /// The columns as the lake names them.
    pub(super) schema: SchemaRef,
    /// Comboi's own columns, if they are wanted.
    pub(super) stamp: Option<Stamp>,
    pub(super) nulls: Option<Nulls>,
    pub(super) ahead: Option<Ahead>,
    /// The places of columns of JSON, and of lists of it.
    pub(super) json: Vec<usize>,
    pub(super) cut: Cut,
    pub(super) stop: Interrupter,
}

/// Writes batches to one Parquet file after the other.
pub(super) struct Stager {
    staging: Staging,
    /// Of the files, with comboi's own columns.
    schema: SchemaRef,
    folder: PathBuf,
    prefix: String,
    open: Option<ArrowWriter<File>>,
    pub(super) files: Vec<PathBuf>,
    /// How many rows came, with those that were not wanted.
    pub(super) received: u64,
    /// Of the rows that came, if it is asked for.
    pub(super) digesting: Option<Digesting>,
    pub(super) row_count: u64,
    pub(super) nulls_skipped: u64,
    /// Rows whose cursor the checkpoint does not follow.
    pub(super) ahead: Count,
    /// Values that were cut off, by column.
    pub(super) cut_off: Vec<u64>,
}

impl Stager {
    /// The files are named after the prefix, which no other stager of the folder has.
    pub(super) fn new(staging: Staging, folder: &Path, prefix: &str) -> Self {
        let mut fields: Vec<Field> = staging
            .schema
            .fields()
            .iter()
            .map(|it| it.as_ref().clone())
            .collect();
        if staging.stamp.is_some() {
            let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
            fields.push(Field::new(LOADED_AT_COLUMN, utc, true));
            fields.push(Field::new(RUN_ID_COLUMN, DataType::Int64, true));
        }
        Self {
            schema: Arc::new(Schema::new(fields)),
            folder: folder.to_owned(),
            prefix: prefix.to_owned(),
            open: None,
            files: Vec::new(),
            received: 0,
            digesting: None,
            row_count: 0,
            nulls_skipped: 0,
            ahead: Count::default(),
            cut_off: vec![0; staging.schema.fields().len()],
            staging,
        }
    }

    /// Ends the last file.
    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if let Some(writer) = self.open.take() {
            writer.close().map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    /// Begins a file, if none is open; `first` is the first of its rows.
    fn writer(&mut self, first: &RecordBatch) -> Result<&mut ArrowWriter<File>, Error> {
        if self.open.is_none() {
            let path = self
                .folder
                .join(format!("{}-{}.parquet", self.prefix, self.files.len()));
            let writer = new_file(&path, &self.schema, &self.staging.cut, first)?;
            self.files.push(path);
            self.open = Some(writer);
        }
        Ok(self.open.as_mut().expect("it was set above"))
    }

    fn with_own_columns(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let mut columns: Vec<ArrayRef> = batch.columns().to_vec();
        if let Some(stamp) = &self.staging.stamp {
            let rows = batch.num_rows();
            let at =
                TimestampMicrosecondArray::from_value(stamp.loaded_at.timestamp_micros(), rows);
            columns.push(Arc::new(at.with_timezone("UTC")));
            columns.push(Arc::new(Int64Array::from_value(
                i64::from(stamp.run.0),
                rows,
            )));
        }
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
    }

    /// The rows that are wanted, by the policy on rows without a value in the cursor.
    fn wanted(&mut self, batch: RecordBatch) -> Result<RecordBatch, Error> {
        let Some(Nulls {
            column,
            name,
            policy,
        }) = &self.staging.nulls
        else {
            return Ok(batch);
        };
        let cursor = batch.column(*column);
        match policy {
            _ if cursor.null_count() == 0 => Ok(batch),
            NullPolicy::Load => Ok(batch),
            NullPolicy::Fail => Err(Error::NullInIncrementalColumn(name.clone())),
            NullPolicy::Skip => {
                self.nulls_skipped += cursor.null_count() as u64;
                let there: BooleanArray = (0..cursor.len())
                    .map(|i| Some(cursor.is_valid(i)))
                    .collect();
                arrow_select::filter::filter_record_batch(&batch, &there)
                    .map_err(|e| self.failed(e.into()))
            }
        }
    }

    /// Databases may take half of a surrogate pair for JSON, which files may not have either.
    fn check_json(&self, batch: &RecordBatch) -> Result<(), Error> {
        for place in &self.staging.json {
            if has_half_a_pair_in(batch.column(*place)) {
                return Err(Error::Value {
                    column: batch.schema().field(*place).name().clone(),
                    why: "it is JSON with half of a surrogate pair, which is not a character; write `VARCHAR` for the column under `columns:`".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn failed(&self, error: ParquetError) -> Error {
        let file = self
            .files
            .last()
            .cloned()
            .unwrap_or_else(|| self.folder.clone());
        Error::Staging {
            file,
            source: std::io::Error::other(error),
        }
    }
}

impl Sink for Stager {
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error> {
        if self.staging.stop.stopped() {
            return Err(comboi_engine::Error::Interrupted.into());
        }
        self.check_json(&batch)?;
        self.received += batch.num_rows() as u64;
        if let Some(digesting) = &mut self.digesting {
            digesting.see(&batch)?;
        }
        let batch = self.wanted(batch)?;
        if batch.num_rows() == 0 {
            return Ok(());
        }
        self.row_count += batch.num_rows() as u64;
        if let Some(ahead) = &self.staging.ahead {
            self.ahead.add(ahead.count(&batch)?);
        }
        let batch = self
            .with_own_columns(&batch)
            .map_err(|e| self.failed(e.into()))?;
        let cut = self.staging.cut;
        let writer = self.writer(&batch)?;
        writer.write(&batch).map_err(|e| self.failed(e))?;
        let writer = self.writer(&batch)?;
        if writer.memory_size() >= cut.memory_bytes {
            writer.flush().map_err(|e| self.failed(e))?;
        }
        if self.writer(&batch)?.bytes_written() as u64 >= cut.file_bytes {
            self.finish()?;
        }
        Ok(())
    }

    fn cut_off(&mut self, column: usize, count: u64) {
        if let Some(cut_off) = self.cut_off.get_mut(column) {
            *cut_off += count;
        }
    }
}

/// Begins a file; `first` is the first of its rows.
pub(super) fn new_file(
    path: &Path,
    schema: &SchemaRef,
    cut: &Cut,
    first: &RecordBatch,
) -> Result<ArrowWriter<File>, Error> {
    let staged = |source| Error::Staging {
        file: path.to_owned(),
        source,
    };
    let file = File::create_new(path).map_err(staged)?;
    let options = ArrowWriterOptions::new()
        .with_properties(properties(cut, first))
        .with_skip_arrow_metadata(true);
    ArrowWriter::try_new_with_options(file, Arc::clone(schema), options)
        .map_err(|e| staged(std::io::Error::other(e)))
}

/// Statistics are kept for row groups alone: pages of their own are not what readers of a lake look for. A dictionary is made of
/// a column whose values come again and again; of any other it costs as much as all the rest. There are no bloom filters, which is
/// the library's default: see `FORMAT` in comboi-engine's `parquet.rs`.
fn properties(cut: &Cut, first: &RecordBatch) -> WriterProperties {
    let level = ZstdLevel::try_new(1).expect("zstd has a level 1");
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(cut.row_group_rows))
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true);
    for (field, column) in first.schema().fields().iter().zip(first.columns()) {
        if !field.data_type().is_nested() && !comes_again(column) {
            let path = ColumnPath::new(vec![field.name().clone()]);
            properties = properties.set_column_dictionary_enabled(path, false);
        }
    }
    properties.build()
}

fn has_half_a_pair_in(values: &ArrayRef) -> bool {
    if let Some(lists) = values.as_list_opt::<i32>() {
        return has_half_a_pair_in(lists.values());
    }
    let texts = values.as_string_opt::<i32>().into_iter().flatten();
    texts.flatten().any(has_half_a_pair)
}

/// Whether values are repeated, going by the first thousands of them.
fn comes_again(column: &ArrayRef) -> bool {
    const LOOKED_AT: usize = 8192;
    let column = column.slice(0, column.len().min(LOOKED_AT));
    let data = column.to_data();
    let Some(width) = column.data_type().primitive_width() else {
        return texts_come_again(&column);
    };
    let Some(values) = data.buffers().first() else {
        return true;
    };
    let begin = data.offset() * width;
    let bytes = values
        .as_slice()
        .get(begin..begin + column.len() * width)
        .unwrap_or_default();
    let different: HashSet<&[u8]> = bytes.chunks_exact(width).collect();
    different.len() * 4 <= column.len()
}

fn texts_come_again(column: &ArrayRef) -> bool {
    let Some(texts) = column.as_any().downcast_ref::<StringArray>() else {
        return true;
    };
    let different: HashSet<&str> = texts.iter().flatten().collect();
    different.len() * 4 <= column.len()
}

#[cfg(test)]
mod tests {
    use parquet::file::metadata::ParquetMetaDataReader;

    use super::*;

    /// DuckDB 1.5.5 and 1.5.6 lose rows by them.
    #[test]
    fn staged_files_have_no_bloom_filters() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let texts: ArrayRef = Arc::new(StringArray::from(vec!["a"; 100]));
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
        let batch = RecordBatch::try_from_iter([("a", texts), ("b", numbers)]).unwrap();
        let cut = Cut {
            file_bytes: 1 << 20,
            row_group_rows: 1000,
            memory_bytes: 1 << 20,
        };
        let mut writer = new_file(&path, &batch.schema(), &cut, &batch).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let file = File::open(path).unwrap();
        let footer = ParquetMetaDataReader::new()
            .parse_and_finish(&file)
            .unwrap();
        for column in footer.row_group(0).columns() {
            assert_eq!(column.bloom_filter_offset(), None);
        }
    }
}
