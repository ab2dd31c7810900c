//! Which files a table was read from is kept beside it: commits stay small, and no file is read twice or passed over.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_lake::{Change, Operation, Remove};
use comboi_project::RunId;
use comboi_test::{Store, contents, copy, memory, names, remove};

use crate::shop::{ORDERS, Shop, id, lake, outcomes, rows, run, state};

const FILES_READ: &str = "bronze/shop/orders/_files_read/";

/// Makes the table of orders one of an earlier comboi, which kept all names in the checkpoint.
pub(crate) async fn older(store: &Store) {
    let lake = lake(store);
    let checkpoint = comboi_run::checkpoint_of(&lake, &id(ORDERS)).await.unwrap();
    let checkpoint = checkpoint.unwrap().to_string();
    assert!(
        checkpoint.starts_with(r#"{"format":1,"mode":"new_files","files":{"day1.csv":{"size":"#),
        "{checkpoint}"
    );
    note(store, checkpoint).await;
    for name in names(store.as_ref()).await {
        if name.starts_with(FILES_READ) {
            remove(store.as_ref(), &name).await;
        }
    }
}

/// Another program's hand notes this checkpoint.
async fn note(store: &Store, checkpoint: String) {
    let table = lake(store).table(&id(ORDERS));
    let base = table.snapshot().await.unwrap().unwrap();
    let change = Change {
        pipeline: "somebody".parse().unwrap(),
        run: RunId(u32::try_from(base.version).unwrap() + 1),
        chunk: 0,
        operation: Operation::Append,
        columns: base.columns.clone(),
        add: Vec::new(),
        remove: Remove::Nothing,
        properties: BTreeMap::from([("checkpoint".to_owned(), checkpoint)]),
        at: base.committed_at,
    };
    table.commit(Some(&base), change).await.unwrap();
}

/// The checkpoint as the table's newest commit notes it.
async fn noted(store: &Store) -> String {
    let latest = lake(store).table(&id(ORDERS)).latest().await.unwrap();
    latest.unwrap().properties["checkpoint"].clone()
}

/// How many files each Parquet file of the newest version names, the most first.
async fn parts(store: &Store) -> Vec<u64> {
    let snapshot = lake(store)
        .files_read(&id(ORDERS))
        .snapshot()
        .await
        .unwrap();
    let files = snapshot.unwrap().files;
    let mut rows: Vec<u64> = files.iter().map(|file| file.row_count).collect();
    rows.sort_unstable_by(|a, b| b.cmp(a));
    rows
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_does_not_grow_with_the_files_that_were_read() {
    let (shop, store) = (Shop::by_file(0), memory());
    // As a binary counter: what is as large as what comes is written with it.
    let expected: [&[u64]; 9] = [
        &[1],
        &[2],
        &[2, 1],
        &[4],
        &[4, 1],
        &[4, 2],
        &[4, 2, 1],
        &[8],
        &[8, 1],
    ];
    for (number, expected) in expected.iter().enumerate() {
        shop.write(
            &format!("in/{number}.csv"),
            &format!("id,day,amount\n{number},2024-05-01,1.00\n"),
        );
        shop.run(&store).await;
        assert_eq!(parts(&store).await, *expected);
        assert_eq!(
            noted(&store).await,
            format!(
                r#"{{"format":2,"mode":"new_files","files":{{}},"files_version":{number},"row_count":{}}}"#,
                number + 1
            )
        );
    }
    assert_eq!(rows(&store, ORDERS).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_table_goes_over_in_its_next_commit() {
    let (shop, store) = (Shop::by_file(2), memory());
    shop.run(&store).await;
    let calm = copy(store.as_ref()).await;
    older(&store).await;
    // Nothing is new, so there is no commit.
    shop.run(&store).await;
    assert!(noted(&store).await.starts_with(r#"{"format":1,"#));
    for store in [&calm, &store] {
        shop.add_day(3);
        shop.run(store).await;
        assert_eq!(shop.run(store).await.tasks[0].rows, 0);
    }
    assert!(noted(&store).await.starts_with(r#"{"format":2,"#));
    assert_eq!(parts(&store).await, [3]);
    assert_eq!(state(&store).await, state(&calm).await);
}

/// A file that goes and comes back is not read again, and one that changed is, wherever its row lies.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_row_of_a_file_counts() {
    let (shop, store) = (Shop::by_file(3), memory());
    shop.run(&store).await;
    shop.write(
        "in/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,99.00\n",
    );
    shop.remove_day(2);
    shop.run(&store).await;
    // All that was known before, and a row each for what changed and what is gone.
    assert_eq!(parts(&store).await, [3, 2]);
    let gone = shop
        .runner(Arc::clone(&store))
        .gone_files(&id(ORDERS))
        .await
        .unwrap();
    assert_eq!(gone, ["day2.csv"]);
    shop.add_day(2);
    assert_eq!(
        outcomes(&shop.run(&store).await)[0],
        format!("{ORDERS} skipped 0")
    );
    shop.write("in/day4.csv", "id,day,amount\n9,2024-05-04,1.00\n");
    shop.write("in/day5.csv", "id,day,amount\n10,2024-05-05,1.00\n");
    shop.run(&store).await;
    // Five files; what no longer counts went when its part was written again.
    assert_eq!(parts(&store).await, [5]);
    let amounts = rows(&store, ORDERS).await;
    assert!(
        amounts.contains(&"2,2024-05-01,99.00,day1.csv".to_owned()),
        "{amounts:?}"
    );
    assert_eq!(amounts.len(), 7, "{amounts:?}");
}

/// Without it nobody knows what was read, so nothing is; the way that is told works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_table_of_files_is_never_taken_for_an_empty_one() {
    let (shop, store) = (Shop::by_file(2), memory());
    shop.run(&store).await;
    shop.add_day(3);
    let part = |name: &&String| name.contains("/part-");
    let all = contents(store.as_ref()).await;
    let all: Vec<&String> = all.keys().filter(|it| it.starts_with(FILES_READ)).collect();
    let part = all.iter().copied().find(part).unwrap();
    for (lost, told) in [
        (
            all.clone(),
            "version 0 of the table of files that have been read is not in the lake",
        ),
        (
            vec![part],
            "`bronze/shop/orders__files_read` is damaged: a file is missing",
        ),
    ] {
        let store = copy(store.as_ref()).await;
        for name in lost {
            remove(store.as_ref(), name).await;
        }
        let runner = shop.runner(Arc::clone(&store));
        let flaws = runner.verify().await.flaws;
        assert!(
            flaws.len() == 1 && flaws[0].what.contains(told),
            "{flaws:?}"
        );
        let report = run(&runner).await.unwrap();
        let failure = &outcomes(&report)[0];
        assert!(
            failure.contains(told) && failure.contains("comboi reset-checkpoint"),
            "{failure}"
        );
        assert_eq!(rows(&store, ORDERS).await.len(), 4);
        let runner = shop.runner(Arc::clone(&store));
        runner.reset_checkpoint(&id(ORDERS)).await.unwrap();
        shop.run(&store).await;
        assert_eq!(rows(&store, ORDERS).await.len(), 5);
        assert_eq!(shop.runner(Arc::clone(&store)).verify().await.flaws, []);
    }
}
