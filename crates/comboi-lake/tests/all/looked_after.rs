//! Logs that are looked after and mended by processes that die at any write, or are lied to about it: readers find every row.

use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use comboi_lake::{Change, Table};
use comboi_test::{Fault, Faulty, Store, copy, memory, names, put};

use crate::world::{ORDERS, Staging, commit, rows, staging, table_in};

const LOG: &str = "shop/orders/_delta_log";

/// In the year 2200 everything that was written today is past its time.
fn late(staging: &Staging, run: u32) -> Change {
    Change {
        at: DateTime::from_timestamp(7_258_118_400, 0).unwrap(),
        ..staging.append(run, 0, &[i64::from(run)])
    }
}

async fn runs(store: &Store, staging: &Staging, runs: std::ops::RangeInclusive<u32>) {
    let table = table_in(Arc::clone(store), ORDERS);
    for run in runs {
        commit(&table, late(staging, run)).await.unwrap();
    }
}

/// Lets this fail in each way at each of its writes, then looks at what it left.
async fn check(before: &Store, act: impl AsyncFn(Table), after: impl AsyncFn(Store, Fault)) {
    let counting = Faulty::new(copy(before.as_ref()).await);
    act(table_in(Arc::clone(&counting) as Store, ORDERS)).await;
    assert!(counting.writes() >= 2, "{:?}", counting.log());
    for write in 0..counting.writes() {
        // Dying before a write is dying after the one before it.
        for fault in [Fault::DiesAfter(write), Fault::Lies(write)] {
            let store = copy(before.as_ref()).await;
            let faulty = Faulty::with(fault, Arc::clone(&store));
            act(table_in(faulty as Store, ORDERS)).await;
            after(store, fault).await;
        }
    }
}

/// The entries of the log that are there.
async fn entries(store: &Store) -> Vec<String> {
    let names = names(store.as_ref()).await;
    let entries = names.into_iter().filter(|name| name.ends_with(".json"));
    entries.collect()
}

/// Version 10 gets a checkpoint, and what came before it goes.
#[tokio::test]
async fn a_checkpoint_that_is_due() {
    let (store, staging) = (memory(), staging());
    runs(&store, &staging, 1..=10).await;
    let last = async |table: Table| drop(commit(&table, late(&staging, 11)).await);
    check(&store, last, async |store, fault| {
        let table = table_in(Arc::clone(&store), ORDERS);
        drop(commit(&table, late(&staging, 11)).await);
        assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11", "{fault:?}");
        if !matches!(fault, Fault::DiesAfter(_)) {
            return;
        }
        runs(&store, &staging, 12..=21).await;
        let expected = (1..=21).map(|it: u32| it.to_string()).collect::<Vec<_>>();
        assert_eq!(rows(&table).await, expected.join(" "), "{fault:?}");
        let newest = format!("{LOG}/{:020}.json", 20);
        assert_eq!(entries(&store).await, [newest], "{fault:?}");
    })
    .await;
}

/// A vacuum takes files and log entries away.
#[tokio::test]
async fn a_vacuum() {
    let (store, staging) = (memory(), staging());
    runs(&store, &staging, 1..=3).await;
    let table = table_in(Arc::clone(&store), ORDERS);
    let replaced = Change {
        at: late(&staging, 4).at,
        ..staging.replace(4, &[4])
    };
    commit(&table, replaced).await.unwrap();
    let vacuum = async |table: Table| {
        let at = late(&staging, 4).at;
        drop(table.vacuum(Duration::ZERO, at, false).await);
    };
    check(&store, vacuum, async |store, fault| {
        let table = table_in(Arc::clone(&store), ORDERS);
        assert_eq!(rows(&table).await, "4", "{fault:?}");
        vacuum(table.clone()).await;
        assert_eq!(rows(&table).await, "4", "{fault:?}");
        let parts = names(store.as_ref()).await;
        let parts = parts.iter().filter(|name| name.contains("part-"));
        assert_eq!(parts.count(), 1, "{fault:?}");
    })
    .await;
}

/// All that a damaged checkpoint said stands in the entries.
#[tokio::test]
async fn checkpoints_that_are_forgotten() {
    let (store, staging) = (memory(), staging());
    let table = table_in(Arc::clone(&store), ORDERS);
    for run in 1..=12 {
        commit(&table, staging.append(run, 0, &[i64::from(run)]))
            .await
            .unwrap();
    }
    let checkpoint = format!("{LOG}/{:020}.checkpoint.parquet", 10);
    put(store.as_ref(), &checkpoint, "PAR1").await;
    assert!(table.snapshot().await.is_err());
    assert!(table.can_do_without_checkpoint().await.unwrap());
    let forget = async |table: Table| drop(table.forget_checkpoints().await);
    check(&store, forget, async |store, fault| {
        let table = table_in(Arc::clone(&store), ORDERS);
        forget(table.clone()).await;
        assert_eq!(
            rows(&table).await,
            "1 2 3 4 5 6 7 8 9 10 11 12",
            "{fault:?}"
        );
    })
    .await;
    // Without its first entries it can't be read without the checkpoint, which nobody takes away then.
    comboi_test::remove(store.as_ref(), &format!("{LOG}/{:020}.json", 0)).await;
    assert!(!table.forget_checkpoints().await.unwrap());
    assert!(names(store.as_ref()).await.contains(&checkpoint));
}
