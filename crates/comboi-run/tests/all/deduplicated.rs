//! Clusters over the history of a lake: what goes with which version, what a run leaves that dies.

use std::sync::Arc;
use std::time::Duration;

use comboi_project::Companion;
use comboi_test::{Fault, Faulty, memory};

use crate::shop::{CLEAN, Shop, beside, id, lake, rows, run};

/// Each id with its cluster, then the log.
async fn clusters(store: &comboi_test::Store) -> String {
    let clusters = beside(store, CLEAN, Companion::Clusters).await;
    let log = beside(store, CLEAN, Companion::ClusterLog).await;
    format!("{}; {}", clusters.join(" "), log.join(" "))
}

#[tokio::test]
async fn nothing_new_is_committed_where_no_row_changed_its_cluster() {
    let (shop, store) = (Shop::deduplicated(), memory());
    shop.run(&store).await;
    let version = async || {
        let table = lake(&store).companion(&id(CLEAN), Companion::Clusters);
        table.snapshot().await.unwrap().unwrap().version
    };
    let before = version().await;
    // The same rows out of an edited query.
    shop.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount FROM orders -- all\n",
    );
    let report = shop.run(&store).await;
    assert_eq!(report.tasks[1].rows, 3, "it was built again");
    assert_eq!(version().await, before);
    let found = report.tasks[1].dedupe.as_ref().unwrap();
    assert_eq!((found.row_count, found.cluster_count), (3, 2));
}

/// `FROM orders` is not run: the rows are taken from the files of the input, of which there are several.
#[tokio::test]
async fn rows_that_a_query_hands_on_are_those_that_it_would_return() {
    for shop in [Shop::deduplicated, Shop::compared] {
        let (shop, store) = (shop(), memory());
        shop.run(&store).await;
        shop.add_connecting_order();
        shop.run(&store).await;
        let mut seen = Vec::new();
        for sql in ["SELECT * FROM (FROM orders)", "FROM orders"] {
            shop.write("transformations/sql/orders_clean.sql", &format!("{sql}\n"));
            let report = shop.run(&store).await;
            assert_eq!(report.tasks[1].rows, 4, "{sql}");
            let mut rows = rows(&store, CLEAN).await;
            rows.sort();
            seen.push((rows, clusters(&store).await));
        }
        assert_eq!(seen[0].0.len(), 4);
        assert_eq!(seen[0], seen[1]);
    }
}

#[tokio::test]
async fn a_dataset_that_goes_back_takes_its_clusters_with_it() {
    let (shop, store) = (Shop::deduplicated(), memory());
    shop.run(&store).await;
    let table = lake(&store).table(&id(CLEAN));
    let first = table.snapshot().await.unwrap().unwrap().version;
    shop.add_connecting_order();
    shop.run(&store).await;
    assert_eq!(
        clusters(&store).await,
        "1,2 2,2 3,2 4,2; 2024-05-04 00:00:00+00,merged,1,2,1"
    );
    let runner = shop.runner(Arc::clone(&store));
    runner.restore(&id(CLEAN), first).await.unwrap();
    shop.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount FROM orders WHERE id < 4\n",
    );
    shop.run(&store).await;
    // As if the merge had never been: nothing was split, the log of that version was empty.
    assert_eq!(clusters(&store).await, "1,1 2,2 3,2; ");
}

/// What a dead run left beside the dataset is not what the next one goes on from, though it is newer.
#[tokio::test]
async fn clusters_of_a_dead_run_are_not_taken_up() {
    let (shop, store) = (Shop::deduplicated(), memory());
    shop.run(&store).await;
    shop.add_connecting_order();
    let counting = Faulty::new(comboi_test::copy(store.as_ref()).await);
    let calm = shop.runner(Arc::clone(&counting) as comboi_test::Store);
    run(&calm).await.unwrap();
    let log = counting.log();
    let dataset = log
        .iter()
        .position(|write| write.contains("silver/refined/orders_clean/_delta_log/"))
        .unwrap();
    let dying = Faulty::with(Fault::DiesBefore(dataset), Arc::clone(&store));
    drop(run(&shop.runner(dying as comboi_test::Store)).await);
    let merged = "1,2 2,2 3,2 4,2; 2024-05-04 00:00:00+00,merged,1,2,1";
    assert_eq!(clusters(&store).await, merged);
    assert_eq!(
        rows(&store, CLEAN).await.len(),
        3,
        "nobody saw what came of it"
    );
    // What connected them is taken back.
    shop.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount FROM orders WHERE id < 4\n",
    );
    shop.run(&store).await;
    assert_eq!(clusters(&store).await, "1,1 2,2 3,2; ");
}

#[tokio::test]
async fn vacuum_keeps_the_clusters_of_the_versions_that_stay() {
    let (shop, store) = (Shop::deduplicated(), memory());
    shop.run(&store).await;
    shop.add_connecting_order();
    shop.run(&store).await;
    let later = "2024-06-04T00:00:00Z".parse().unwrap();
    let vacuumed = comboi_run::vacuum(&lake(&store), &id(CLEAN), Duration::ZERO, later, false)
        .await
        .unwrap();
    let names: Vec<String> = vacuumed
        .iter()
        .map(|(name, vacuumed)| format!("{name} {}", vacuumed.files.len()))
        .collect();
    assert_eq!(
        names,
        [
            "silver/orders_clean 1",
            "silver/orders_clean__clusters 1",
            "silver/orders_clean__cluster_log 0"
        ]
    );
    shop.run(&store).await;
    assert_eq!(
        clusters(&store).await,
        "1,2 2,2 3,2 4,2; 2024-05-04 00:00:00+00,merged,1,2,1"
    );
}
