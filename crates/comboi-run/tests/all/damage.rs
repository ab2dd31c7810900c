//! What comboi wrote down is damaged or lost: it says so or goes on, and reads nothing twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_lake::{Change, Operation, Remove};
use comboi_project::RunId;
use comboi_test::{Store, copy, memory, names, put, remove};

use crate::shop::{ORDERS, Shop, id, lake, outcomes, rows, run, state};

const GARBAGE: &[u8] = b"{\"last_run\": ";

/// A shop with a run behind it and a day to come, and how it looks when that has been read.
async fn shop() -> (Shop, Store, String) {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    let calm = copy(store.as_ref()).await;
    shop.run(&calm).await;
    (shop, store, state(&calm).await)
}

/// An earlier comboi kept numbers and open runs in one object.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_of_an_earlier_comboi_is_of_no_matter_to_a_run() {
    for schedule in [
        GARBAGE,
        br#"{"format":1,"last_run":1,"last_pipeline_run":1}"#,
    ] {
        let (shop, store, calm) = shop().await;
        put(store.as_ref(), "shop/schedule.json", schedule).await;
        assert_eq!(shop.run(&store).await.run, RunId(2));
        assert_eq!(state(&store).await, calm);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_receipt_or_plan_is_named_by_retry_and_of_no_matter_to_a_run() {
    for (object, what) in [
        ("receipts/silver/orders_clean.json", "receipt"),
        ("plan.json", "plan"),
    ] {
        let (shop, store, calm) = shop().await;
        put(
            store.as_ref(),
            &format!("shop/runs/000000000001/{object}"),
            GARBAGE,
        )
        .await;
        let error = shop
            .runner(Arc::clone(&store))
            .retry()
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&format!("the {what} of run 1 is damaged")),
            "{error}"
        );
        shop.run(&store).await;
        assert_eq!(state(&store).await, calm, "{object}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_nobody_began_costs_its_number() {
    let (shop, store, calm) = shop().await;
    put(store.as_ref(), "shop/runs/000000000002/plan.json", GARBAGE).await;
    assert_eq!(shop.run(&store).await.run, RunId(3));
    assert_eq!(state(&store).await, calm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_runs_can_be_lost_and_nothing_else_is() {
    let (shop, store, calm) = shop().await;
    for name in names(store.as_ref())
        .await
        .iter()
        .filter(|name| name.starts_with("shop/"))
    {
        remove(store.as_ref(), name).await;
    }
    let report = shop.run(&store).await;
    assert_eq!(outcomes(&report)[0], "bronze/shop/orders succeeded 2");
    assert_eq!(state(&store).await, calm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_runs_can_come_from_a_backup() {
    let (shop, store, calm) = shop().await;
    let backup = comboi_test::contents(store.as_ref()).await;
    let past = Shop::with_days(1);
    for _ in 0..3 {
        past.run(&store).await;
    }
    for name in names(store.as_ref())
        .await
        .iter()
        .filter(|name| name.starts_with("shop/"))
    {
        remove(store.as_ref(), name).await;
    }
    for (name, bytes) in backup
        .into_iter()
        .filter(|(name, _)| name.starts_with("shop/"))
    {
        put(store.as_ref(), &name, bytes).await;
    }
    assert_eq!(shop.run(&store).await.run, RunId(5));
    assert_eq!(state(&store).await, calm);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkpoint_that_cannot_be_understood_stops_its_table_and_reads_nothing_anew() {
    let (shop, store, _) = shop().await;
    let before = rows(&store, ORDERS).await;
    let table = lake(&store).table(&id(ORDERS));
    let base = table.snapshot().await.unwrap().unwrap();
    let change = Change {
        pipeline: "somebody".parse().unwrap(),
        run: RunId(1),
        chunk: 0,
        operation: Operation::Append,
        columns: base.columns.clone(),
        add: Vec::new(),
        remove: Remove::Nothing,
        properties: BTreeMap::from([("checkpoint".to_owned(), "{}".to_owned())]),
        at: base.committed_at,
    };
    table.commit(Some(&base), change).await.unwrap();
    let report = run(&shop.runner(Arc::clone(&store))).await.unwrap();
    let outcomes = outcomes(&report);
    assert!(
        outcomes[0].contains("the checkpoint of `bronze/shop/orders` can't be understood"),
        "{}",
        outcomes[0]
    );
    assert_eq!(
        outcomes[1..],
        [
            "silver/orders_clean upstream failed 0",
            "gold/daily upstream failed 0"
        ]
    );
    assert_eq!(rows(&store, ORDERS).await, before);
}
