//! `reset-checkpoint` and `restore`, dying at each write.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use comboi_run::Runner;
use comboi_test::{Fault, Faulty, Store, copy, memory};

use crate::shop::{CLEAN, ORDERS, Shop, aside, id, lake, rows, state};

/// A shop with two days in two runs, and how it looks.
async fn shop() -> (Shop, Store, String) {
    let (shop, store) = (Shop::by_file(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    shop.run(&store).await;
    let calm = state(&store).await;
    (shop, store, calm)
}

/// Does something that dies after its n-th write or is lied to about it, for every n; then `after` looks at the store.
async fn check(
    shop: &Shop,
    before: &Store,
    act: impl AsyncFn(Runner) -> Result<(), comboi_run::RunError>,
    after: impl AsyncFn(Store, Fault),
) {
    let counting = Faulty::new(copy(before.as_ref()).await);
    act(shop.runner(Arc::clone(&counting) as Store))
        .await
        .unwrap();
    // Its note, its plan, the commit, its end, and its note goes.
    assert!(counting.writes() >= 5, "only {} writes", counting.writes());
    for n in 0..counting.writes() {
        // Dying before a write is dying after the one before it.
        for fault in [Fault::DiesAfter(n), Fault::Lies(n), Fault::Exists(n)] {
            let store = copy(before.as_ref()).await;
            let faulty = Faulty::with(fault, Arc::clone(&store));
            // Whatever it says.
            drop(act(shop.runner(faulty as Store)).await);
            after(store, fault).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_checkpoint_reads_everything_again_once() {
    let (shop, before, calm) = shop().await;
    let reset = async |runner: Runner| runner.reset_checkpoint(&id(ORDERS)).await.map(drop);
    check(&shop, &before, reset, async |store, fault| {
        let with_both = rows(&store, ORDERS).await;
        assert_eq!(
            with_both.len(),
            4,
            "readers see the rows until they are replaced: {fault:?}"
        );
        reset(shop.runner(Arc::clone(&store))).await.unwrap();
        let report = shop.run(&store).await;
        assert_eq!(report.tasks[0].rows, 4, "{fault:?}");
        assert_eq!(state(&store).await, calm, "{fault:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_table_goes_on_from_its_checkpoint() {
    let (shop, before, calm) = shop().await;
    let restore = async |runner: Runner| runner.restore(&id(ORDERS), 0).await.map(drop);
    check(&shop, &before, restore, async |store, fault| {
        shop.run(&store).await;
        assert_eq!(state(&store).await, calm, "{fault:?}, then a run");
        restore(shop.runner(Arc::clone(&store))).await.unwrap();
        let ids: Vec<String> = rows(&store, ORDERS).await;
        assert_eq!(
            ids,
            ["1,2024-05-01,10.00,day1.csv", "2,2024-05-01,20.50,day1.csv"],
            "{fault:?}"
        );
        shop.run(&store).await;
        assert_eq!(
            state(&store).await,
            calm,
            "{fault:?}, then a restoration and a run"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_come_and_go_with_the_restored_rows() {
    let (shop, store, calm) = shop().await;
    let quarantine = "bronze/shop/orders__quarantine";
    assert_eq!(rows(&store, quarantine).await.len(), 2);
    // Back to the first day, and the second one is read again; back to when it was read for the first time.
    for version in [0, 1, 0] {
        shop.runner(Arc::clone(&store))
            .restore(&id(ORDERS), version)
            .await
            .unwrap();
        shop.run(&store).await;
        assert_eq!(state(&store).await, calm);
    }
    // The second day is gone from the source, so nothing but the noted version tells that its bad row goes as well …
    shop.runner(Arc::clone(&store))
        .restore(&id(ORDERS), 0)
        .await
        .unwrap();
    shop.remove_day(2);
    shop.add_day(3);
    shop.run(&store).await;
    assert_eq!(
        files_of_rows(&store, quarantine).await,
        ["day1.csv", "day3.csv"]
    );
    // … and comes back with its rows.
    shop.runner(Arc::clone(&store))
        .restore(&id(ORDERS), 1)
        .await
        .unwrap();
    shop.run(&store).await;
    assert_eq!(
        files_of_rows(&store, quarantine).await,
        ["day1.csv", "day2.csv", "day3.csv"]
    );
}

/// A version of the quarantine that is no more than history may be what the current version of its table goes with.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_rows_of_a_kept_version_outlive_a_vacuum() {
    let (shop, store, _) = shop().await;
    let quarantine = "bronze/shop/orders__quarantine";
    let restore = async |version| {
        let runner = shop.runner(Arc::clone(&store));
        runner.restore(&id(ORDERS), version).await.unwrap();
    };
    restore(0).await;
    shop.remove_day(2);
    shop.add_day(3);
    shop.run(&store).await;
    restore(1).await;
    let later = shop.runner(Arc::clone(&store)).clock.now() + TimeDelta::days(99);
    let vacuumed = comboi_run::vacuum(&lake(&store), &id(ORDERS), Duration::ZERO, later, false)
        .await
        .unwrap();
    let names: Vec<&str> = vacuumed.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [ORDERS, quarantine, "bronze/shop/orders__files_read"]
    );
    shop.run(&store).await;
    assert_eq!(
        files_of_rows(&store, quarantine).await,
        ["day1.csv", "day2.csv", "day3.csv"]
    );
    // Once no version goes with it any more, it does go.
    let much_later = later + TimeDelta::days(99);
    comboi_run::vacuum(
        &lake(&store),
        &id(ORDERS),
        Duration::ZERO,
        much_later,
        false,
    )
    .await
    .unwrap();
    let gone = lake(&store).quarantine(&id(ORDERS)).snapshot_at(1).await;
    assert!(
        matches!(gone, Err(comboi_lake::Error::NoSuchVersion { .. })),
        "{gone:?}"
    );
}

/// The first column of each row.
async fn files_of_rows(store: &Store, dataset: &str) -> Vec<String> {
    let rows = rows(store, dataset).await;
    rows.iter()
        .filter_map(|row| row.split(',').next().map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_dataset_is_published() {
    let (shop, before, calm) = shop().await;
    let restore = async |runner: Runner| runner.restore(&id(CLEAN), 0).await.map(drop);
    check(&shop, &before, restore, async |store, fault| {
        let again = copy(store.as_ref()).await;
        restore(shop.runner(Arc::clone(&again))).await.unwrap();
        assert_eq!(
            rows(&again, CLEAN).await,
            ["1,2024-05-01,10.00", "2,2024-05-01,20.50"]
        );
        let published = state(&again).await;
        assert!(
            published.contains("silver/orders_clean: 0 orphans, published: true"),
            "{fault:?}: {published}"
        );
        shop.run(&store).await;
        assert_eq!(state(&store).await, calm, "{fault:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purged_quarantine_stays_empty() {
    let (shop, before) = (Shop::strict(2), memory());
    shop.run(&before).await;
    let (all, clean) = (aside(&before, CLEAN).await, rows(&before, CLEAN).await);
    assert_eq!(all.len(), 2);
    let purge = async |runner: Runner| runner.purge_quarantine(&id(CLEAN)).await.map(drop);
    check(&shop, &before, purge, async |store, fault| {
        let left = aside(&store, CLEAN).await;
        assert!(left.is_empty() || left == all, "{fault:?}: {left:?}");
        purge(shop.runner(Arc::clone(&store))).await.unwrap();
        assert_eq!(
            aside(&store, CLEAN).await,
            Vec::<String>::new(),
            "{fault:?}"
        );
        // Nothing that shapes the dataset has changed, so nothing comes back.
        shop.run(&store).await;
        assert_eq!(
            aside(&store, CLEAN).await,
            Vec::<String>::new(),
            "{fault:?}"
        );
        assert_eq!(rows(&store, CLEAN).await, clean, "{fault:?}");
    })
    .await;
    // Built again, the dataset has its bad rows aside again.
    let runner = shop.runner(Arc::clone(&before));
    purge(shop.runner(Arc::clone(&before))).await.unwrap();
    let plan = comboi_plan::Plan::of_everything(&runner.project);
    runner.run(plan, true).await.unwrap();
    assert_eq!(aside(&before, CLEAN).await, all);
}
