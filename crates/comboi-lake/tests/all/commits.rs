use std::sync::Arc;

use comboi_lake::{Change, Error, Operation, Remove, worth_retrying};
use comboi_project::RunId;
use comboi_test::{contents, memory, names};
use deltalake::kernel::transaction::CommitBuilder;
use deltalake::kernel::{Action, Add};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder};
use object_store::ObjectStore;
use url::Url;

use crate::world::{ORDERS, columns, commit, pipeline, read, rows, staging, table_in};

#[tokio::test]
async fn what_is_committed_is_what_is_read() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    assert_eq!(rows(&table).await, "-");
    assert_eq!(table.latest().await.unwrap(), None);
    let first = commit(&table, staging.append(1, 0, &[1, 2])).await.unwrap();
    let second = commit(&table, staging.append(2, 0, &[3])).await.unwrap();
    assert_eq!(rows(&table).await, "1 2 3");
    assert_eq!((first.version, second.version), (0, 1));
    assert_eq!(
        (
            second.row_count(),
            second.files.len(),
            second.columns.clone()
        ),
        (3, 2, columns("id BIGINT"))
    );
    assert_eq!(
        second.properties.get("checkpoint").map(String::as_str),
        Some("3")
    );
    assert_eq!(second.committed_at, crate::world::day(2));
    assert!(second.by_comboi);
    let latest = table.latest().await.unwrap().unwrap();
    assert_eq!(latest, second.clone().into(), "a quick look tells the same");
    let before = table.snapshot_at(0).await.unwrap();
    assert_eq!(read(&table, &before).await, "1 2");
    assert_eq!(
        before.properties.get("checkpoint").map(String::as_str),
        Some("2")
    );
}

#[tokio::test]
async fn a_replacement_leaves_nothing_of_what_was() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1, 2])).await.unwrap();
    let mut widened = staging.replace(2, &[3]);
    widened.columns = columns("other BIGINT");
    widened.add = vec![crate::world::numbers_as(
        &staging.path().join("other.parquet"),
        &["other"],
        &[3],
    )];
    let replaced = commit(&table, widened).await.unwrap();
    assert_eq!(
        (rows(&table).await.as_str(), replaced.columns),
        ("3", columns("other BIGINT"))
    );
}

#[tokio::test]
async fn the_same_run_again_changes_nothing() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(7, 0, &[1])).await.unwrap();
    commit(&table, staging.append(7, 1, &[2])).await.unwrap();
    let before = contents(store.as_ref()).await;
    for (run, chunk) in [(7, 1), (7, 0), (6, 9)] {
        let answer = commit(&table, staging.append(run, chunk, &[99]))
            .await
            .unwrap_err();
        assert!(
            matches!(
                answer,
                Error::Superseded {
                    by: (RunId(7), 1),
                    ..
                }
            ),
            "{answer}"
        );
        assert!(!worth_retrying(&answer));
    }
    assert_eq!(contents(store.as_ref()).await, before);
    assert_eq!(
        table
            .snapshot()
            .await
            .unwrap()
            .unwrap()
            .last_commit(&pipeline()),
        Some((RunId(7), 1))
    );
}

#[tokio::test]
async fn whoever_comes_second_is_told_and_leaves_nothing() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    let late = commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    commit(&table, staging.append(2, 0, &[2])).await.unwrap();
    let before = contents(store.as_ref()).await;
    for base in [Some(&late), None] {
        let answer = table
            .commit(base, staging.append(3, 0, &[99]))
            .await
            .unwrap_err();
        assert!(matches!(answer, Error::Overtaken(_)), "{answer}");
    }
    assert_eq!(contents(store.as_ref()).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twelve_at_once_lose_nothing() {
    let (table, staging) = (table_in(memory(), ORDERS), Arc::new(staging()));
    let writers = (1..=12).map(|number| {
        let (table, staging) = (table.clone(), Arc::clone(&staging));
        tokio::spawn(async move {
            let mut change = staging.append(1, 0, &[number]);
            change.pipeline = format!("pipeline_{number}").parse().unwrap();
            loop {
                match commit(&table, change.clone()).await {
                    Ok(committed) => return committed.version,
                    Err(Error::Overtaken(_)) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    let mut versions = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        versions.push(writer.await.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (0..12).collect::<Vec<_>>());
    assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11 12");
}

#[tokio::test]
async fn notes_stay_until_they_are_changed() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    let note = |run, key: &str, value: &str| Change {
        operation: Operation::ResetCheckpoint,
        add: Vec::new(),
        properties: [(key.to_owned(), value.to_owned())].into(),
        ..staging.append(run, 0, &[])
    };
    let noted = commit(&table, note(2, "build", "abc")).await.unwrap();
    assert_eq!(
        noted.properties,
        [
            ("build".into(), "abc".into()),
            ("checkpoint".into(), "1".into())
        ]
        .into()
    );
    let reset = commit(&table, note(3, "checkpoint", "")).await.unwrap();
    assert_eq!(reset.properties, [("build".into(), "abc".into())].into());
    assert_eq!(rows(&table).await, "1");
    for own in ["format", "fence.shop", "oldest", "committed"] {
        let answer = commit(&table, note(4, own, "x")).await.unwrap_err();
        assert!(matches!(answer, Error::Refused { .. }), "{own}: {answer}");
    }
}

#[tokio::test]
async fn only_files_of_the_version_can_go() {
    let (table, staging) = (table_in(memory(), ORDERS), staging());
    let base = commit(&table, staging.append(1, 0, &[1, 2])).await.unwrap();
    let rewritten = Change {
        operation: Operation::Rewrite,
        remove: Remove::Files(vec![base.files[0].name.clone()]),
        ..staging.append(2, 0, &[1, 2])
    };
    commit(&table, rewritten.clone()).await.unwrap();
    assert_eq!(rows(&table).await, "1 2");
    let answer = commit(
        &table,
        Change {
            run: RunId(3),
            ..rewritten
        },
    )
    .await
    .unwrap_err();
    assert!(matches!(answer, Error::Refused { .. }), "{answer}");
}

/// Another Delta program: the library itself, which moves an append onto a later version.
async fn foreign(store: &Arc<dyn ObjectStore>, table: &str) -> DeltaTable {
    let url = Url::parse(&format!("memory:///{table}/")).unwrap();
    DeltaTableBuilder::from_url(url.clone())
        .unwrap()
        .with_storage_backend(Arc::clone(store), url)
        .load()
        .await
        .unwrap()
}

async fn foreign_append(table: &DeltaTable) -> Result<(), String> {
    let add = Add {
        path: "foreign.parquet".into(),
        size: 1,
        stats: Some(r#"{"numRecords":1}"#.into()),
        data_change: true,
        ..Add::default()
    };
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: None,
        predicate: None,
    };
    CommitBuilder::default()
        .with_actions(vec![Action::Add(add)])
        .build(
            Some(table.snapshot().unwrap()),
            table.log_store(),
            operation,
        )
        .await
        .map(|_| ())
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn a_replacement_does_not_swallow_a_foreign_append() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    let base = commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    foreign_append(&foreign(&store, "shop/orders").await)
        .await
        .unwrap();
    let answer = table
        .commit(Some(&base), staging.replace(2, &[5]))
        .await
        .unwrap_err();
    assert!(matches!(answer, Error::Overtaken(_)), "{answer}");
    let now = table.snapshot().await.unwrap().unwrap();
    assert!(!now.by_comboi);
    let latest = table.latest().await.unwrap().unwrap();
    assert_eq!(
        (latest.version, latest.row_count, latest.by_comboi),
        (1, 2, false)
    );
    assert_eq!((now.version, now.row_count()), (1, 2));
    let replaced = table
        .commit(Some(&now), staging.replace(2, &[5]))
        .await
        .unwrap();
    assert_eq!((replaced.row_count(), replaced.by_comboi), (1, true));
}

#[tokio::test]
async fn a_foreign_append_that_comes_second_does_not_survive_a_replacement_by_accident() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    let late = foreign(&store, "shop/orders").await;
    commit(&table, staging.replace(2, &[5])).await.unwrap();
    let answer = foreign_append(&late).await.unwrap_err();
    assert!(
        answer.contains("conflict") || answer.contains("etadata"),
        "{answer}"
    );
    assert_eq!(rows(&table).await, "5");
}

#[tokio::test]
async fn a_late_process_can_not_commit_behind_a_cleaned_log() {
    let store = memory();
    let (table, staging) = (table_in(Arc::clone(&store), ORDERS), staging());
    let stale = commit(&table, staging.append(1, 0, &[1])).await.unwrap();
    for run in 2..=11 {
        let mut change = staging.append(run, 0, &[i64::from(run)]);
        // Far enough ahead for everything before the checkpoint to be past its time.
        change.at = chrono::DateTime::from_timestamp(7_258_118_400, 0).unwrap();
        commit(&table, change).await.unwrap();
    }
    let log = names(store.as_ref()).await;
    assert!(
        !log.iter()
            .any(|name| name.ends_with("_delta_log/00000000000000000001.json")),
        "{log:?}"
    );
    let mut zombie = staging.append(50, 0, &[99]);
    zombie.pipeline = "other".parse().unwrap();
    let answer = table.commit(Some(&stale), zombie).await.unwrap_err();
    assert!(matches!(answer, Error::Overtaken(_)), "{answer}");
    assert_eq!(rows(&table).await, "1 2 3 4 5 6 7 8 9 10 11");
}
