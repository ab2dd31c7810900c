//! A run that is asked to stop.

use std::sync::Arc;

use comboi_run::{Event, Outcome, Phase};
use comboi_test::{contents, memory};
use tokio::sync::Notify;

use crate::shop::{CLEAN, Shop, outcomes, rows, run, state};

const CLEAN_SQL: &str = "SELECT id, day, amount FROM orders\n";

/// Hours of work for one row.
const ENDLESS: &str = "\
SELECT id, day, amount FROM orders
WHERE (SELECT count(*) FROM range(1000000) a(x), range(1000000) b(y) WHERE (x * y + id) % 7 = 3) > 0
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ends_in_the_middle_of_a_query_and_is_taken_up_by_retry() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    let calm = {
        let calm = comboi_test::copy(store.as_ref()).await;
        shop.run(&calm).await;
        state(&calm).await
    };
    let silver_before = rows(&store, CLEAN).await;
    let gold_before: Vec<_> = folder(&contents(store.as_ref()).await, "gold/");

    shop.write("transformations/sql/orders_clean.sql", ENDLESS);
    let mut runner = shop.runner(Arc::clone(&store));
    let building = Arc::new(Notify::new());
    let told = Arc::clone(&building);
    runner.listener = Arc::new(move |event| {
        if let Event::TaskReached {
            dataset,
            phase: Phase::Building,
        } = event
            && dataset.to_string() == CLEAN
        {
            told.notify_one();
        }
    });
    let stop = runner.stop.clone();
    let running = tokio::spawn(async move { run(&runner).await });
    building.notified().await;
    // So that the query is under way, more likely than not; it ends the same if it is not.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    stop.request();
    let report = running.await.unwrap().unwrap();
    assert!(report.stopped && !report.is_good());
    assert_eq!(
        outcomes(&report),
        [
            "bronze/shop/orders succeeded 2",
            "silver/orders_clean stopped 0",
            "gold/daily stopped 0"
        ]
    );
    assert_eq!(rows(&store, CLEAN).await, silver_before);
    assert_eq!(
        folder(&contents(store.as_ref()).await, "gold/"),
        gold_before
    );
    assert_eq!(shop.left_in_scratch(), Vec::<std::path::PathBuf>::new());

    shop.write("transformations/sql/orders_clean.sql", CLEAN_SQL);
    let report = shop.runner(Arc::clone(&store)).retry().await.unwrap();
    assert_eq!(
        outcomes(&report),
        ["silver/orders_clean succeeded 4", "gold/daily succeeded 2"]
    );
    assert_eq!(state(&store).await, calm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_it_begins_leaves_everything_to_retry() {
    let (shop, store) = (Shop::with_days(1), memory());
    let runner = shop.runner(Arc::clone(&store));
    runner.stop.request();
    let report = run(&runner).await.unwrap();
    assert_eq!(report.count(Outcome::Stopped), 3);
    let report = shop.runner(Arc::clone(&store)).retry().await.unwrap();
    assert_eq!(report.count(Outcome::Succeeded), 3);
}

fn folder(
    objects: &std::collections::BTreeMap<String, bytes::Bytes>,
    folder: &str,
) -> Vec<(String, bytes::Bytes)> {
    let below = objects.iter().filter(|(name, _)| name.starts_with(folder));
    below
        .map(|(name, bytes)| (name.clone(), bytes.clone()))
        .collect()
}
