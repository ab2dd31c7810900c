//! Files that may hold a row again.

use std::path::PathBuf;
use std::sync::Arc;

use comboi_lake::{Change, Snapshot, Table};
use deltalake::arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};

use crate::world::{ORDERS, Staging, columns, commit, parquet, staging, table_in};

const COLUMNS: &str =
    "id BIGINT; at TIMESTAMPTZ; day DATE; price DECIMAL(38,2); code VARCHAR; ratio DOUBLE";
const HUGE: i128 = 99_999_999_999_999_999_999_999_999_999_999_900_000;

/// A file of two rows: each column goes from the one number to the other, in its own way.
fn file(staging: &Staging, name: &str, from: i64, to: i64) -> PathBuf {
    let numbers = [from, to];
    let wide = |n: i64| HUGE + i128::from(n);
    let column = |array: ArrayRef| array;
    let batch = RecordBatch::try_from_iter_with_nullable([
        (
            "id",
            column(Arc::new(Int64Array::from(numbers.to_vec()))),
            true,
        ),
        (
            "at",
            Arc::new(TimestampMicrosecondArray::from(numbers.to_vec()).with_timezone("UTC")),
            true,
        ),
        (
            "day",
            Arc::new(
                numbers
                    .iter()
                    .map(|n| i32::try_from(*n).ok())
                    .collect::<Date32Array>(),
            ),
            true,
        ),
        (
            "price",
            Arc::new(
                Decimal128Array::from(numbers.map(wide).to_vec())
                    .with_precision_and_scale(38, 2)
                    .unwrap(),
            ),
            true,
        ),
        (
            "code",
            Arc::new(StringArray::from(
                numbers.map(|n| format!("{:a>40}{n:04}", "")).to_vec(),
            )),
            true,
        ),
        (
            "ratio",
            Arc::new(
                numbers
                    .iter()
                    .map(|n| Some(*n as f64))
                    .collect::<Float64Array>(),
            ),
            true,
        ),
    ]);
    parquet(&staging.path().join(name), batch.unwrap())
}

fn change(staging: &Staging, run: u32, file: PathBuf) -> Change {
    Change {
        columns: columns(COLUMNS),
        add: vec![file],
        ..staging.append(run, 0, &[])
    }
}

/// The runs whose files are near.
async fn near(table: &Table, base: &Snapshot, staged: &[PathBuf], columns: &[&str]) -> Vec<u32> {
    let columns: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let files = table.files_near(base, staged, &columns).await.unwrap();
    let runs = files.iter().map(|file| file.written_by().unwrap().1.0);
    runs.collect()
}

#[tokio::test]
async fn files_are_near_whose_values_meet() {
    let staging = staging();
    let table = table_in(Arc::new(object_store::memory::InMemory::new()), ORDERS);
    // Thirteen versions, so that the log has a checkpoint, from which most of the statistics come.
    for run in 1..=13_u32 {
        let from = i64::from(run) * 1_000;
        let file = file(&staging, &format!("r{run}"), from, from + 500);
        commit(&table, change(&staging, run, file)).await.unwrap();
    }
    let base = table.snapshot().await.unwrap().unwrap();
    let staged = |from, to| vec![file(&staging, &format!("s{from}-{to}"), from, to)];
    let all: Vec<u32> = (1..=13).collect();
    for column in ["id", "day", "price"] {
        for (from, to, runs) in [
            (1_500, 1_999, vec![1]),
            (1_501, 1_999, vec![]),
            (2_600, 4_000, vec![3, 4]),
            (12_400, 20_000, vec![12, 13]),
            (0, 99, vec![]),
        ] {
            let found = near(&table, &base, &staged(from, to), &[column]).await;
            assert_eq!(found, runs, "{column} from {from} to {to}");
        }
    }
    // The log has instants by the millisecond, rounded up, and the first 32 letters of a text: more may be near, never less.
    let found = near(&table, &base, &staged(2_600, 4_000), &["at"]).await;
    assert!(found.ends_with(&[3, 4]) && found.len() <= 4, "{found:?}");
    let found = near(&table, &base, &staged(9_000_000, 9_000_001), &["at"]).await;
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(
        near(&table, &base, &staged(2_600, 4_000), &["code"]).await,
        all
    );
    // NaN is in no statistics.
    assert_eq!(near(&table, &base, &staged(0, 1), &["ratio"]).await, all);
    assert_eq!(near(&table, &base, &staged(0, 1), &[]).await, all);
    assert_eq!(near(&table, &base, &staged(0, 1), &["missing"]).await, all);
    // Every column has to meet, of all the staged files together.
    let two = [staged(1_500, 1_600), staged(5_000, 5_000)].concat();
    assert_eq!(
        near(&table, &base, &two, &["ratio", "id"]).await,
        [1, 2, 3, 4, 5]
    );
}

#[tokio::test]
async fn a_file_with_null_is_near_others_with_null() {
    let staging = staging();
    let table = table_in(Arc::new(object_store::memory::InMemory::new()), ORDERS);
    let with = |name: &str, ids: Vec<Option<i64>>| {
        let ids: ArrayRef = Arc::new(Int64Array::from(ids));
        let batch = RecordBatch::try_from_iter_with_nullable([("id", ids, true)]).unwrap();
        parquet(&staging.path().join(name), batch)
    };
    for (run, ids) in [
        (1, vec![Some(1), None]),
        (2, vec![Some(2), Some(3)]),
        (3, vec![None]),
    ] {
        let change = Change {
            add: vec![with(&format!("r{run}"), ids)],
            ..staging.append(run, 0, &[])
        };
        commit(&table, change).await.unwrap();
    }
    let base = table.snapshot().await.unwrap().unwrap();
    for (ids, runs) in [
        (vec![Some(9), None], vec![1, 3]),
        (vec![Some(1), None], vec![1, 3]),
        // Of a file that has nothing but NULL no bounds are known.
        (vec![Some(9)], vec![3]),
        (vec![Some(3)], vec![2, 3]),
        (vec![None], vec![1, 2, 3]),
    ] {
        let staged = [with(&format!("s{ids:?}"), ids.clone())];
        assert_eq!(near(&table, &base, &staged, &["id"]).await, runs, "{ids:?}");
    }
}
