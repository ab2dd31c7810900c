use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use comboi_lake::{Change, Error, Operation};
use comboi_project::RunId;
use comboi_test::{memory, names};
use object_store::ObjectStoreExt;
use object_store::path::Path as Key;

use crate::world::{ORDERS, commit, day, pipeline, read, rows, staging, table_in};

const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn the_history_says_what_each_version_did() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1, 2])).await.unwrap();
    commit(&table, staging.append(2, 0, &[3])).await.unwrap();
    commit(&table, staging.replace(3, &[4])).await.unwrap();
    table
        .restore(0, &pipeline(), RunId(4), day(4))
        .await
        .unwrap();
    let told: Vec<String> = table
        .history(3)
        .await
        .unwrap()
        .iter()
        .map(|v| {
            format!(
                "{} {} run {} rows +{} -{} files +{} -{} at {}",
                v.version,
                v.operation,
                v.run.unwrap(),
                v.rows_added,
                v.rows_removed.unwrap(),
                v.files_added,
                v.files_removed,
                v.committed_at.unwrap().format("%d")
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "3 restore run 4 rows +2 -1 files +1 -1 at 05",
            "2 replace run 3 rows +1 -3 files +1 -2 at 04",
            "1 append run 2 rows +1 -0 files +1 -0 at 03",
        ]
    );
}

#[tokio::test]
async fn a_restoration_brings_back_rows_and_checkpoint_together() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1, 2])).await.unwrap();
    commit(&table, staging.append(2, 0, &[3])).await.unwrap();
    let restored = table
        .restore(0, &pipeline(), RunId(3), day(3))
        .await
        .unwrap();
    assert_eq!(restored.properties["checkpoint"], "2");
    assert_eq!(
        (restored.version, restored.last_commit(&pipeline())),
        (2, Some((RunId(3), 0)))
    );
    assert_eq!(rows(&table).await, "1 2");
    let again = table
        .restore(0, &pipeline(), RunId(3), day(3))
        .await
        .unwrap();
    assert_eq!(again.version, 2, "the same run again changes nothing");
    let back = table
        .restore(1, &pipeline(), RunId(4), day(4))
        .await
        .unwrap();
    assert_eq!(
        (
            read(&table, &back).await.as_str(),
            back.properties["checkpoint"].as_str()
        ),
        ("1 2 3", "3")
    );
    let late = table
        .restore(0, &pipeline(), RunId(2), day(5))
        .await
        .unwrap_err();
    assert!(
        matches!(
            late,
            Error::Superseded {
                by: (RunId(4), 0),
                ..
            }
        ),
        "{late}"
    );
    let never = table
        .restore(77, &pipeline(), RunId(9), day(5))
        .await
        .unwrap_err();
    assert!(
        matches!(
            never,
            Error::NoSuchVersion {
                version: 77,
                oldest: 0,
                newest: 3,
                ..
            }
        ),
        "{never}"
    );
}

#[tokio::test]
async fn vacuum_keeps_what_was_current_within_the_time() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    for run in 1..=4 {
        commit(&table, staging.replace(run, &[i64::from(run)]))
            .await
            .unwrap();
    }
    let parts = |names: Vec<String>| {
        names
            .into_iter()
            .filter(|name| name.contains("part-"))
            .count()
    };
    let before = names(store.as_ref()).await;
    // Version 1 was current until day 3, so it was still to be seen two days before day 4.
    let told = table.vacuum(DAY * 2, day(4), true).await.unwrap();
    assert_eq!((told.files.len(), told.oldest_version), (1, 1));
    assert_eq!(
        names(store.as_ref()).await,
        before,
        "a dry run changes nothing"
    );
    let done = table.vacuum(DAY * 2, day(4), false).await.unwrap();
    assert_eq!((done.files, done.size_bytes), (told.files, told.size_bytes));
    assert_eq!(parts(names(store.as_ref()).await), 3);
    assert_eq!(
        read(&table, &table.snapshot_at(1).await.unwrap()).await,
        "2"
    );
    for gone in [
        table.snapshot_at(0).await.unwrap_err(),
        table
            .restore(0, &pipeline(), RunId(9), day(9))
            .await
            .unwrap_err(),
    ] {
        assert!(
            matches!(
                gone,
                Error::NoSuchVersion {
                    version: 0,
                    oldest: 1,
                    ..
                }
            ),
            "{gone}"
        );
    }
    assert_eq!(rows(&table).await, "4");
    let history: Vec<bool> = table
        .history(9)
        .await
        .unwrap()
        .iter()
        .map(|version| version.readable)
        .collect();
    assert_eq!(history, [true, true, true, true, false]);
    let again = table.vacuum(DAY * 2, day(4), false).await.unwrap();
    assert_eq!(again.files, Vec::<String>::new());
    let all = table.vacuum(Duration::ZERO, day(9), false).await.unwrap();
    assert_eq!(
        (all.files.len(), parts(names(store.as_ref()).await)),
        (2, 1)
    );
}

#[tokio::test]
async fn a_file_that_may_yet_be_committed_is_not_garbage() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(5, 1, &[1])).await.unwrap();
    let yet = [
        "part-shop-000000000005-0000002-a-0",
        "part-shop-000000000006-0000000-a-0",
        "part-other-000000000001-0000000-a-0",
        "foreign",
    ];
    let late = [
        "part-shop-000000000005-0000001-a-0",
        "part-shop-000000000004-0000009-a-0",
    ];
    for name in yet.iter().chain(&late) {
        let key = Key::parse(format!("shop/orders/{name}.parquet")).unwrap();
        store
            .put(&key, Bytes::from_static(b"x").into())
            .await
            .unwrap();
    }
    let vacuumed = table.vacuum(Duration::ZERO, day(99), false).await.unwrap();
    assert_eq!(
        vacuumed.files,
        [
            "part-shop-000000000004-0000009-a-0.parquet",
            "part-shop-000000000005-0000001-a-0.parquet"
        ]
    );
    let left = names(store.as_ref()).await;
    for name in yet {
        assert!(
            left.contains(&format!("shop/orders/{name}.parquet")),
            "{name}"
        );
    }
    assert_eq!(rows(&table).await, "1");
    assert_eq!(
        table.snapshot().await.unwrap().unwrap().version,
        0,
        "nobody could have restored these, so nothing was noted"
    );
}

#[tokio::test]
async fn a_restoration_and_a_vacuum_can_not_both_win() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    commit(&table, staging.replace(1, &[1])).await.unwrap();
    let seen_by_restorer = commit(&table, staging.replace(2, &[2])).await.unwrap();
    table.vacuum(Duration::ZERO, day(9), false).await.unwrap();
    // What a restoration that had looked before the vacuum would now commit.
    let change = Change {
        operation: Operation::Restore,
        ..staging.replace(3, &[1])
    };
    let answer = table
        .commit(Some(&seen_by_restorer), change)
        .await
        .unwrap_err();
    assert!(matches!(answer, Error::Overtaken(_)), "{answer}");
    assert_eq!(rows(&table).await, "2");
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let table = table_in(memory(), ORDERS);
    let answers = [
        table.history(1).await.map(|_| ()),
        table.snapshot_at(0).await.map(|_| ()),
        table
            .restore(0, &pipeline(), RunId(1), day(1))
            .await
            .map(|_| ()),
        table.vacuum(DAY, day(1), false).await.map(|_| ()),
    ];
    for answer in answers {
        assert_eq!(
            answer.unwrap_err().to_string(),
            "`bronze/shop/orders` is not in the lake"
        );
    }
}
