//! Two processes run the same pipeline at once, and nothing keeps them apart.

use std::sync::Arc;

use comboi_test::{Fault, Faulty, Store, copy, memory};

use crate::shop::{ORDERS, Shop, id, lake, rows, rows_of, run, state};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_loses_or_doubles_a_row() {
    let (shop, first) = (Shop::with_days(1), memory());
    shop.run(&first).await;
    shop.add_day(2);
    let calm = copy(first.as_ref()).await;
    shop.run(&calm).await;
    let calm = state(&calm).await;
    for round in 0..6 {
        let store = copy(first.as_ref()).await;
        let runners = [(); 2].map(|()| shop.runner(Arc::clone(&store)));
        let [one, other] = runners.map(|runner| tokio::spawn(async move { run(&runner).await }));
        let (one, other) = (one.await.unwrap().unwrap(), other.await.unwrap().unwrap());
        assert_ne!(one.run, other.run, "a number is given out once");
        // One may be told that it came too late, but then the other is through.
        assert!(one.is_good() || other.is_good(), "round {round}");
        assert_eq!(state(&store).await, calm, "round {round}");
        shop.run(&store).await;
        assert_eq!(state(&store).await, calm, "round {round}, one run later");
    }
}

/// The number of the write that commits to the bronze table.
async fn commit_of(shop: &Shop, store: &Store) -> usize {
    let counting = Faulty::new(copy(store.as_ref()).await);
    shop.run(&(Arc::clone(&counting) as Store)).await;
    let log = counting.log();
    log.iter()
        .position(|write| write.contains("/orders/_delta_log/"))
        .unwrap()
}

/// Both have put their bad rows aside when the older run commits; the newer one has to begin again, and the bad
/// rows of the older one, which it had taken away, come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_are_kept_of_whoever_commits() {
    let (shop, store) = (Shop::by_file(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    let at = commit_of(&shop, &store).await;
    let asleep = |shop: &Shop| {
        let faulty = Faulty::with(Fault::Waits(at), Arc::clone(&store));
        let runner = shop.runner(Arc::clone(&faulty) as Store);
        (faulty, tokio::spawn(async move { run(&runner).await }))
    };
    let (older, older_run) = asleep(&shop);
    older.waits().await;
    shop.add_day(3);
    let (newer, newer_run) = asleep(&shop);
    newer.waits().await;
    older.let_go();
    drop(older_run.await.unwrap());
    newer.let_go();
    assert!(newer_run.await.unwrap().unwrap().is_good());
    let bad = rows(&store, "bronze/shop/orders__quarantine").await;
    let files: Vec<&str> = bad.iter().filter_map(|row| row.split(',').next()).collect();
    assert_eq!(files, ["day1.csv", "day2.csv", "day3.csv"]);
    let good = rows(&store, ORDERS).await;
    let ids: Vec<&str> = good
        .iter()
        .filter_map(|row| row.split(',').next())
        .collect();
    assert_eq!(ids, ["1", "2", "3", "5", "6"]);
    // Both of them committed: else this was about nothing.
    assert_eq!(
        lake(&store)
            .table(&id(ORDERS))
            .snapshot()
            .await
            .unwrap()
            .unwrap()
            .version,
        2
    );
    let recorded = rows_of(&lake(&store).record("tasks")).await;
    assert!(recorded.len() >= 6, "{recorded:?}");
}
