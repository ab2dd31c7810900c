//! `retry` takes up what a run left undone, and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_run::{RunReport, Runner};
use comboi_test::{Store, copy, memory, names, remove};

use crate::shop::{CLEAN, DAILY, Shop, id, outcomes, rows, run, state};

const BROKEN: &str = "SELECT CAST('no date' AS DATE) AS day FROM orders_clean\n";
const DAILY_SQL: &str = "SELECT day, count(*) AS orders FROM orders_clean GROUP BY day\n";

async fn retry(shop: &Shop, store: &Store) -> RunReport {
    shop.runner(Arc::clone(store)).retry().await.unwrap()
}

async fn refused(runner: &Runner) -> String {
    runner.retry().await.unwrap_err().to_string()
}

/// A shop whose gold failed in run 1.
async fn half_done() -> (Shop, Store) {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.write("transformations/sql/daily.sql", BROKEN);
    let report = run(&shop.runner(Arc::clone(&store))).await.unwrap();
    let outcomes = outcomes(&report);
    assert_eq!(
        outcomes[..2],
        [
            "bronze/shop/orders succeeded 2",
            "silver/orders_clean succeeded 2"
        ]
    );
    assert!(
        outcomes[2].starts_with("gold/daily failed 0"),
        "{}",
        outcomes[2]
    );
    shop.write("transformations/sql/daily.sql", DAILY_SQL);
    (shop, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn takes_what_failed_with_the_versions_of_what_was_done() {
    let (shop, store) = half_done().await;
    shop.add_day(2);
    // A later version of what gold reads, which the run that is taken up did not see.
    shop.runner(Arc::clone(&store))
        .restore(&id(CLEAN), 0)
        .await
        .unwrap();
    let report = retry(&shop, &store).await;
    assert_eq!(outcomes(&report), ["gold/daily succeeded 1"]);
    assert_eq!(report.tasks[0].inputs, BTreeMap::from([(id(CLEAN), 0)]));
    assert_eq!(rows(&store, DAILY).await, ["2024-05-01,2"]);

    let nothing = refused(&shop.runner(Arc::clone(&store))).await;
    assert_eq!(nothing, "run 3 did everything that it was to do");
    shop.run(&store).await;
    assert_eq!(rows(&store, DAILY).await, ["2024-05-01,2", "2024-05-02,2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_retry_can_be_retried() {
    let (shop, store) = half_done().await;
    shop.write("transformations/sql/daily.sql", BROKEN);
    assert_eq!(
        retry(&shop, &store)
            .await
            .count(comboi_run::Outcome::Failed),
        1
    );
    shop.write("transformations/sql/daily.sql", DAILY_SQL);
    let report = retry(&shop, &store).await;
    assert_eq!(outcomes(&report), ["gold/daily succeeded 1"]);
    assert_eq!(report.run.0, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn says_when_there_is_nothing_to_take_up() {
    let (shop, store) = (Shop::with_days(1), memory());
    assert_eq!(
        refused(&shop.runner(Arc::clone(&store))).await,
        "there was no run yet"
    );
    shop.run(&store).await;
    let all = refused(&shop.runner(Arc::clone(&store))).await;
    assert_eq!(all, "run 1 did everything that it was to do");
    remove(store.as_ref(), "shop/runs/000000000001/plan.json").await;
    let lost = refused(&shop.runner(Arc::clone(&store))).await;
    assert_eq!(
        lost,
        "run 1 left no plan; `comboi run all` begins a new run"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn loses_and_doubles_nothing_when_receipts_are_lost() {
    let (shop, before) = (Shop::with_days(1), memory());
    shop.run(&before).await;
    shop.add_day(2);
    shop.run(&before).await;
    let calm = state(&before).await;
    let receipts: Vec<String> = names(before.as_ref())
        .await
        .into_iter()
        .filter(|name| name.starts_with("shop/runs/000000000002/receipts/"))
        .collect();
    assert_eq!(receipts.len(), 3);
    // Any of them, or all.
    for lost in 1..8_usize {
        let store = copy(before.as_ref()).await;
        for (n, name) in receipts.iter().enumerate() {
            if lost & (1 << n) != 0 {
                remove(store.as_ref(), name).await;
            }
        }
        let report = retry(&shop, &store).await;
        assert_eq!(report.tasks.len(), lost.count_ones() as usize);
        assert!(
            report
                .tasks
                .iter()
                .all(|task| task.outcome == comboi_run::Outcome::Skipped)
        );
        assert_eq!(state(&store).await, calm, "{lost:03b}");
    }
}
