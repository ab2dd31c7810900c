//! Which files a table was read from, kept in a table beside it.
//!
//! In the checkpoint, each commit would repeat the names of all of them. So they are rows of a Delta table, which is committed first, and the
//! checkpoint notes the version that goes with it. What an extract left there that died is in no such version: the next extract goes on from
//! what the checkpoint notes, whatever the table has become since, as with the quarantine.
//!
//! A row is a file as it was read. If it has changed or gone since, it has a later row too, which counts. Small Parquet files are written again
//! together with new rows, so that each has more rows than all smaller ones together: there are few, and a commit writes little.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;
use arrow_array::{Array as _, RecordBatch};
use bytes::Bytes;
use comboi_lake::{Change, DataFile, Lake, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, DatasetId, SqlType};
use comboi_sources::{BadCheckpoint, Checkpoint, Seen};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use super::CHECKPOINT;
use crate::rows;
use crate::task::{TaskError, chain};
use crate::writer;

/// What a commit of a table notes.
type Properties = BTreeMap<String, String>;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    file: String,
    seen: Seen,
    /// The version of the table in which the row came. Of two rows of a file, the one with the greater version counts.
    version: u64,
}

/// A Parquet file of the table.
#[derive(Clone, Debug)]
struct Part {
    file: DataFile,
    rows: Vec<Row>,
}

/// How far a table of files has been read, and where it is kept which files these were.
#[derive(Clone, Debug, Default)]
pub(crate) struct FilesRead {
    /// With all files; `None` if nothing has been read.
    pub(crate) checkpoint: Option<Checkpoint>,
    /// The version that goes with it; `None` of a checkpoint that has its files in itself.
    version: Option<u64>,
    parts: Vec<Part>,
}

/// How far a table of files has been read; `None` if nothing has been read.
pub async fn checkpoint_of(
    lake: &Lake,
    id: &DatasetId,
) -> Result<Option<Checkpoint>, Box<dyn std::error::Error + Send + Sync>> {
    let latest = lake.table(id).latest().await?;
    let properties = latest.map(|latest| latest.properties);
    let read = FilesRead::of(lake, id, properties.as_ref()).await?;
    Ok(read.checkpoint)
}

/// The version of the table of files that goes with a version of a table.
pub(crate) fn files_version(properties: &Properties) -> Option<u64> {
    let checkpoint: Checkpoint = properties.get(CHECKPOINT)?.parse().ok()?;
    checkpoint.files_version()
}

impl FilesRead {
    /// What goes with a version of a table, by what that one notes.
    pub(crate) async fn of(
        lake: &Lake,
        id: &DatasetId,
        properties: Option<&Properties>,
    ) -> Result<Self, TaskError> {
        let text = properties.and_then(|properties| properties.get(CHECKPOINT));
        let checkpoint = text.map(|text| text.parse::<Checkpoint>()).transpose();
        let checkpoint = checkpoint.map_err(|e| TaskError::Damaged(id.clone(), e))?;
        let version = checkpoint.as_ref().and_then(Checkpoint::files_version);
        let (Some(checkpoint), Some(version)) = (&checkpoint, version) else {
            return Ok(Self {
                checkpoint,
                ..Self::default()
            });
        };
        let table = lake.files_read(id);
        let snapshot = match table.snapshot_at(version).await {
            Err(comboi_lake::Error::NoSuchVersion { .. } | comboi_lake::Error::Missing(_)) => {
                let lost = BadCheckpoint::FilesLost(version);
                return Err(TaskError::Damaged(id.clone(), lost));
            }
            found => found?,
        };
        let mut parts = Vec::new();
        for file in snapshot.files {
            let rows = read(table.bytes_of(&file).await?).map_err(|what| {
                let (dataset, file) = (table.name().to_owned(), file.name.clone());
                comboi_lake::Error::Damaged {
                    dataset,
                    file,
                    what,
                }
            })?;
            parts.push(Part { file, rows });
        }
        let mut read = Self {
            checkpoint: None,
            version: Some(version),
            parts,
        };
        let files = read.current().into_iter();
        let files = files.map(|(name, row)| (name.to_owned(), row.seen));
        let files = files.collect();
        read.checkpoint = Some(checkpoint.clone().with_files(files));
        Ok(read)
    }

    /// The row of each file that counts.
    fn current(&self) -> BTreeMap<&str, &Row> {
        let mut current: BTreeMap<&str, &Row> = BTreeMap::new();
        for row in self.parts.iter().flat_map(|part| &part.rows) {
            let known = current.entry(&row.file).or_insert(row);
            if known.version < row.version {
                *known = row;
            }
        }
        current
    }

    /// Commits which files have been read according to this checkpoint. Answers the checkpoint as the table's own commit is to note it.
    ///
    /// `change` says by whom and when.
    pub(crate) async fn put(
        &self,
        table: &Table,
        checkpoint: Checkpoint,
        change: Change,
        scratch: &Path,
    ) -> Result<Checkpoint, TaskError> {
        if !checkpoint.grows() {
            return Ok(checkpoint);
        }
        let current = self.current();
        let is_new = |(file, seen): &(&String, &Seen)| {
            current
                .get(file.as_str())
                .is_none_or(|row| row.seen != **seen)
        };
        let new: BTreeMap<&String, &Seen> = checkpoint.files.iter().filter(is_new).collect();
        if let Some(version) = self.version.filter(|_| new.is_empty()) {
            return Ok(checkpoint.without_files(version));
        }
        let newest = table.snapshot().await?;
        let version = newest.as_ref().map_or(0, |newest| newest.version + 1);
        let (stay, again) = self.divide(newest.as_ref(), new.len());
        let counts = |row: &&Row| {
            !new.contains_key(&row.file)
                && current.get(row.file.as_str()).is_some_and(|it| *it == *row)
        };
        let again = again.into_iter().flat_map(|part| &part.rows).filter(counts);
        let new = new.iter().map(|(file, seen)| Row {
            file: (*file).clone(),
            seen: **seen,
            version,
        });
        let rows: Vec<Vec<Value>> = again.cloned().chain(new).map(|row| row.values()).collect();
        let staged = scratch.join("files-read.parquet");
        rows::write(&columns(), &rows, &staged)?;
        let there = newest.iter().flat_map(|newest| &newest.files);
        let gone: Vec<String> = there
            .filter(|file| stay.iter().all(|part| part.file.name != file.name))
            .map(|file| file.name.clone())
            .collect();
        let change = Change {
            chunk: writer::next_chunk(newest.as_ref(), &change.pipeline, change.run),
            operation: match gone.is_empty() {
                true => Operation::Append,
                false => Operation::Replace,
            },
            columns: columns(),
            add: vec![staged],
            remove: Remove::Files(gone),
            ..change
        };
        let committed = table.commit_only(newest.as_ref(), change).await?;
        Ok(checkpoint.without_files(committed.version))
    }

    /// Which Parquet files stay as they are when so many rows come, and which are written again with these: the smaller ones, and those that
    /// the newest version does not have.
    fn divide(&self, newest: Option<&Snapshot>, new: usize) -> (Vec<&Part>, Vec<&Part>) {
        let is_there = |part: &&Part| newest.is_some_and(|it| it.files.contains(&part.file));
        let (mut stay, mut again): (Vec<&Part>, Vec<&Part>) = self.parts.iter().partition(is_there);
        stay.sort_by_key(|part| part.rows.len());
        let mut rows = new + again.iter().map(|part| part.rows.len()).sum::<usize>();
        let smaller = stay.iter().take_while(|part| {
            let is_smaller = part.rows.len() <= rows;
            rows += part.rows.len();
            is_smaller
        });
        let smaller = smaller.count();
        again.extend(stay.drain(..smaller));
        (stay, again)
    }
}

fn columns() -> Columns {
    rows::columns(&[
        ("file", SqlType::Varchar(None)),
        ("size", SqlType::BigInt),
        ("modified", SqlType::BigInt),
        ("gone", SqlType::Boolean),
        ("version", SqlType::BigInt),
    ])
}

impl Row {
    /// In the order of the columns.
    fn values(&self) -> Vec<Value> {
        let Seen {
            size,
            modified,
            gone,
        } = self.seen;
        let version = self.version;
        vec![
            json!(self.file),
            json!(size),
            json!(modified),
            json!(gone),
            json!(version),
        ]
    }
}

/// The rows of a Parquet file; else what is wrong with it.
fn read(bytes: Bytes) -> Result<Vec<Row>, String> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).and_then(|it| it.build());
    let mut rows = Vec::new();
    for batch in reader.map_err(|e| chain(&e))? {
        let batch = batch.map_err(|e| chain(&e))?;
        let of_batch = rows_of(&batch).ok_or("it is not a list of files as comboi writes it")?;
        rows.extend(of_batch);
    }
    Ok(rows)
}

fn rows_of(batch: &RecordBatch) -> Option<Vec<Row>> {
    let column = |name| batch.column_by_name(name).filter(|it| it.null_count() == 0);
    let numbers = |name| column(name)?.as_primitive_opt::<Int64Type>();
    let files = column("file")?.as_string_opt::<i32>()?;
    let gone = column("gone")?.as_boolean_opt()?;
    let (size, modified, version) = (numbers("size")?, numbers("modified")?, numbers("version")?);
    let row = |place: usize| {
        Some(Row {
            file: files.value(place).to_owned(),
            seen: Seen {
                size: u64::try_from(size.value(place)).ok()?,
                modified: modified.value(place),
                gone: gone.value(place),
            },
            version: u64::try_from(version.value(place)).ok()?,
        })
    };
    (0..batch.num_rows()).map(row).collect()
}
