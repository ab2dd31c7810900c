//! A lake to play in, and Parquet files of numbers to put into it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use comboi_lake::{Change, Lake, Operation, Remove, Root, Snapshot, Table};
use comboi_project::{Column, Columns, PathTemplate, PipelineName, RunId, Stage};
use deltalake::arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use deltalake::arrow::datatypes::Int64Type;
use deltalake::parquet::arrow::ArrowWriter;
use deltalake::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use object_store::ObjectStore;

pub(crate) const ORDERS: &str = "bronze/shop/orders";
pub(crate) const CLEAN: &str = "silver/clean";

pub(crate) fn lake(root: impl Fn(Stage) -> Root) -> Lake {
    let stages = Stage::ALL
        .into_iter()
        .map(|stage| (stage, (root(stage), PathTemplate::default_of(stage))));
    Lake::new(stages.collect()).unwrap()
}

pub(crate) fn lake_in(store: Arc<dyn ObjectStore>) -> Lake {
    lake(|_| Root::store(Arc::clone(&store)))
}

pub(crate) fn table_in(store: Arc<dyn ObjectStore>, dataset: &str) -> Table {
    lake_in(store).table(&dataset.parse().unwrap())
}

pub(crate) fn folder_lake(folder: &Path) -> Lake {
    lake(|stage| Root::folder(&folder.join(stage.as_str())).unwrap())
}

pub(crate) fn pipeline() -> PipelineName {
    "shop".parse().unwrap()
}

pub(crate) fn columns(text: &str) -> Columns {
    let column = |text: &str| {
        let (name, sql_type) = text.split_once(' ').unwrap();
        Column::new(name, sql_type.parse().unwrap())
    };
    text.split("; ").map(column).collect()
}

/// Midnight of a day in 2026, counted from 1 January.
pub(crate) fn day(number: i64) -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + Duration::days(number)
}

/// A Parquet file with columns of numbers; all have the same rows.
pub(crate) fn numbers_as(path: &Path, names: &[&str], rows: &[i64]) -> PathBuf {
    let column = || Arc::new(Int64Array::from(rows.to_vec())) as ArrayRef;
    parquet(
        path,
        RecordBatch::try_from_iter(names.iter().map(|name| (*name, column()))).unwrap(),
    )
}

pub(crate) fn parquet(path: &Path, batch: RecordBatch) -> PathBuf {
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path.to_owned()
}

/// A folder with staged files, gone with the test.
pub(crate) struct Staging {
    folder: tempfile::TempDir,
}

pub(crate) fn staging() -> Staging {
    Staging {
        folder: tempfile::tempdir().unwrap(),
    }
}

impl Staging {
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file with one column `id` of these numbers.
    pub(crate) fn numbers(&self, rows: &[i64]) -> PathBuf {
        let name = rows
            .iter()
            .map(i64::to_string)
            .collect::<Vec<_>>()
            .join("_");
        numbers_as(&self.path().join(format!("n{name}.parquet")), &["id"], rows)
    }

    /// A change that appends these numbers and moves the checkpoint to the last.
    pub(crate) fn append(&self, run: u32, chunk: u32, rows: &[i64]) -> Change {
        let checkpoint = rows.last().map_or(String::new(), i64::to_string);
        Change {
            pipeline: pipeline(),
            run: RunId(run),
            chunk,
            operation: Operation::Append,
            columns: columns("id BIGINT"),
            add: vec![self.numbers(rows)],
            remove: Remove::Nothing,
            properties: BTreeMap::from([("checkpoint".to_owned(), checkpoint)]),
            at: day(i64::from(run)),
        }
    }

    /// A change that puts these numbers in the place of all.
    pub(crate) fn replace(&self, run: u32, rows: &[i64]) -> Change {
        Change {
            operation: Operation::Replace,
            remove: Remove::All,
            ..self.append(run, 0, rows)
        }
    }
}

/// The numbers in a column of all files of a version, in order.
pub(crate) async fn read(table: &Table, snapshot: &Snapshot) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let mut rows = Vec::new();
    for file in table.local_files(snapshot, scratch.path()).await.unwrap() {
        for batch in ParquetRecordBatchReaderBuilder::try_new(File::open(file).unwrap())
            .unwrap()
            .build()
            .unwrap()
        {
            rows.extend(
                batch
                    .unwrap()
                    .column(0)
                    .as_primitive::<Int64Type>()
                    .values()
                    .to_vec(),
            );
        }
    }
    rows.sort_unstable();
    rows.iter()
        .map(i64::to_string)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The numbers that are in the dataset now; `-` when it is not there.
pub(crate) async fn rows(table: &Table) -> String {
    match table.snapshot().await.unwrap() {
        Some(snapshot) => read(table, &snapshot).await,
        None => "-".to_owned(),
    }
}

/// Commits onto what is there.
pub(crate) async fn commit(table: &Table, change: Change) -> Result<Snapshot, comboi_lake::Error> {
    let base = table.snapshot().await?;
    table.commit(base.as_ref(), change).await
}
