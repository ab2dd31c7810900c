//! Datasets that no file of the project names any more: dropped or renamed by a process that dies at any write.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_project::Companion;
use comboi_run::{RunError, Runner};
use comboi_test::{Fault, Faulty, Store, contents, copy, memory, names};

use crate::shop::{CLEAN, DAILY, ORDERS, Shop, aside, beside, id, lake, outcomes, rows, rows_of};

const SALES: &str = "bronze/shop/sales";
const TIDY: &str = "silver/tidy";

/// What a reader gets: all rows, or `None` if it gets an error or there is no such table.
async fn seen(store: &Store, dataset: &str) -> Option<Vec<String>> {
    let table = lake(store).table(&id(dataset));
    let snapshot = table.snapshot().await.ok()??;
    let scratch = tempfile::tempdir().unwrap();
    table.local_files(&snapshot, scratch.path()).await.ok()?;
    Some(rows(store, dataset).await)
}

/// Everything that is there of the lake, but for the state and the record of runs.
async fn objects(store: &Store) -> BTreeMap<String, bytes::Bytes> {
    let mut all = contents(store.as_ref()).await;
    all.retain(|name, _| {
        let mut stages = ["bronze/", "silver/", "gold/"].into_iter();
        stages.any(|stage| name.starts_with(stage))
    });
    all
}

/// Does something that dies after each of its writes, or is lied to about it; then looks at what it left, does it again and looks again.
async fn check(
    shop: &Shop,
    before: &Store,
    act: impl AsyncFn(Runner) -> Result<(), RunError>,
    between: impl AsyncFn(&Store, &str),
    after: impl AsyncFn(&Store, &str),
) {
    let counting = Faulty::new(copy(before.as_ref()).await);
    let store = Arc::clone(&counting) as Store;
    act(shop.runner(Arc::clone(&store))).await.unwrap();
    after(&store, "calm").await;
    assert!(counting.writes() >= 10, "{:#?}", counting.log());
    for n in 0..counting.writes() {
        for fault in [Fault::DiesAfter(n), Fault::Lies(n), Fault::Exists(n)] {
            let how = format!("{fault:?}: {}", counting.log()[n]);
            let store = copy(before.as_ref()).await;
            let faulty = Faulty::with(fault, Arc::clone(&store));
            let first = act(shop.runner(faulty as Store)).await;
            between(&store, &how).await;
            match act(shop.runner(Arc::clone(&store))).await {
                Ok(()) => {}
                // It was done already.
                Err(RunError::Lake(comboi_lake::Error::Missing(_))) => {}
                Err(e) => panic!("{how}: {e}, after {first:?}"),
            }
            after(&store, &how).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_dataset_is_gone_and_nothing_else_is() {
    let (shop, store) = (Shop::strict(2), memory());
    shop.run(&store).await;
    let all = rows(&store, CLEAN).await;
    assert_eq!(aside(&store, CLEAN).await.len(), 2);
    let (mut rest, mut parts) = (objects(&store).await, 0);
    rest.retain(|name, _| !name.starts_with("silver/refined/orders_clean"));
    parts += objects(&store).await.len() - rest.len();
    // Data and log of the dataset and of what is aside, the published file and its note.
    assert_eq!(parts, 6);
    shop.write(
        "configs/transformations.yml",
        "gold:\n  - name: daily\n    inputs:\n      - {alias: orders_clean, stage: bronze, source_path: shop/orders}\n",
    );
    let drop = async |runner: Runner| runner.drop_dataset(&id(CLEAN)).await.map(drop);
    let between = async |store: &Store, how: &str| {
        let seen = seen(store, CLEAN).await;
        assert!(
            seen.is_none() || seen.as_ref() == Some(&all),
            "{how}: {seen:?}"
        );
        if objects(store).await == rest {
            return;
        }
        // It can be seen that it was begun, or it has not.
        let verified = shop.runner(Arc::clone(store)).verify().await;
        assert_eq!(verified.not_in_project, [id(CLEAN)], "{how}");
    };
    let after = async |store: &Store, how: &str| {
        assert_eq!(objects(store).await, rest, "{how}");
        let mut verified = shop.runner(Arc::clone(store)).verify().await;
        // Where there was nothing left to do, no run came that writes the end of the one that died.
        verified.flaws.retain(|flaw| !flaw.of.starts_with("run "));
        assert_eq!(
            (verified.flaws, verified.not_in_project),
            (vec![], vec![]),
            "{how}"
        );
    };
    check(&shop, &store, drop, between, after).await;
}

/// A run that comes between a renaming that was cut off and its repetition reads the source into the new name. What it made stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_run_made_under_the_new_name_is_left_alone() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let (old, new) = (id(DAILY), id("gold/per_day"));
    let transformations = shop.read("configs/transformations.yml");
    let renamed = transformations.replace("name: daily", "name: per_day");
    shop.write("configs/transformations.yml", &renamed);
    shop.write(
        "transformations/sql/per_day.sql",
        &shop.read("transformations/sql/daily.sql"),
    );
    // The note that it goes is the first write of the renaming to the old table; the state of runs comes before.
    let pipeline = "shop".parse().unwrap();
    let at = "2024-05-04T00:00:00Z".parse().unwrap();
    let lake = lake(&store);
    let to = lake.table(&new);
    let run = comboi_project::RunId(2);
    lake.table(&old)
        .announce(Some(&to), &pipeline, run, at)
        .await
        .unwrap();
    shop.run(&store).await;
    let before = seen(&store, "gold/per_day").await;
    assert!(before.is_some());
    let refused = shop.runner(Arc::clone(&store)).rename(&old, &new).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("was made since the renaming"), "{refused}");
    assert_eq!(seen(&store, "gold/per_day").await, before);
    shop.run(&store).await;
    shop.runner(Arc::clone(&store))
        .drop_dataset(&old)
        .await
        .unwrap();
    let verified = shop.runner(Arc::clone(&store)).verify().await;
    assert_eq!((verified.flaws, verified.not_in_project), (vec![], vec![]));
}

/// A table that is being deleted takes no more rows, and one that can't be read can be deleted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_begun_is_brought_to_its_end_first() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let gold_only = "gold:\n  - name: daily\n    inputs:\n      - {alias: orders_clean, stage: bronze, source_path: shop/orders}\n";
    let project = shop.read("configs/transformations.yml");
    shop.write("configs/transformations.yml", gold_only);
    let table = lake(&store).table(&id(CLEAN));
    let later = "2024-05-05T00:00:00Z".parse().unwrap();
    let pipeline = "shop".parse().unwrap();
    let run = comboi_project::RunId(2);
    table.announce(None, &pipeline, run, later).await.unwrap();
    let verified = shop.runner(Arc::clone(&store)).verify().await;
    assert!(
        verified
            .flaws
            .iter()
            .any(|it| it.what.contains("`comboi drop silver/orders_clean --yes`")),
        "{:?}",
        verified.flaws
    );
    shop.write("configs/transformations.yml", &project);
    shop.add_day(2);
    let report = crate::shop::run(&shop.runner(Arc::clone(&store)))
        .await
        .unwrap();
    let refused =
        "it is being deleted: `comboi drop silver/orders_clean --yes` brings that to its end";
    assert!(
        outcomes(&report)[1].contains(refused),
        "{:?}",
        outcomes(&report)
    );
    let log = "silver/refined/orders_clean/_delta_log/00000000000000000000.json";
    comboi_test::put(store.as_ref(), log, "{").await;
    shop.write("configs/transformations.yml", gold_only);
    let runner = shop.runner(Arc::clone(&store));
    assert!(runner.drop_dataset(&id(CLEAN)).await.unwrap().is_some());
    let names = names(store.as_ref()).await;
    assert!(
        !names.iter().any(|it| it.starts_with("silver/")),
        "{names:#?}"
    );
    assert!(runner.drop_dataset(&id(CLEAN)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_table_goes_on_from_its_checkpoint() {
    let (shop, store) = (Shop::by_file(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    shop.run(&store).await;
    let all = rows(&store, ORDERS).await;
    let bad = rows(&store, &format!("{ORDERS}__quarantine")).await;
    assert_eq!((all.len(), bad.len()), (4, 2));
    let config = shop.read("configs/shop.yml");
    shop.write(
        "configs/shop.yml",
        &config.replace("- name: orders", "- name: sales"),
    );
    let transformations = shop.read("configs/transformations.yml");
    shop.write(
        "configs/transformations.yml",
        &transformations.replace("shop/orders}", "shop/sales}"),
    );
    shop.add_day(3);
    let rename = async |runner: Runner| runner.rename(&id(ORDERS), &id(SALES)).await.map(drop);
    let between = async |store: &Store, how: &str| {
        let (old, new) = (seen(store, ORDERS).await, seen(store, SALES).await);
        for seen in [&old, &new] {
            assert!(
                seen.is_none() || seen.as_ref() == Some(&all),
                "{how}: {seen:?}"
            );
        }
        assert!(old.is_some() || new.is_some(), "{how}");
    };
    let after = async |store: &Store, how: &str| {
        assert_eq!(rows(store, SALES).await, all, "{how}");
        let aside = rows_of(&lake(store).quarantine(&id(SALES))).await;
        assert_eq!(aside, bad, "{how}");
        let names = names(store.as_ref()).await;
        assert!(
            !names.iter().any(|it| it.contains("/orders/")),
            "{how}: {names:#?}"
        );
        assert!(
            !names.iter().any(|it| it.contains("/orders__")),
            "{how}: {names:#?}"
        );
        if how.starts_with("DiesAfter") || how == "calm" {
            let store = copy(store.as_ref()).await;
            let report = shop.run(&store).await;
            assert_eq!(report.tasks[0].rows, 1, "{how}");
            assert_eq!(rows(&store, SALES).await.len(), 5, "{how}");
            let verified = shop.runner(Arc::clone(&store)).verify_in_depth().await;
            assert_eq!(
                (verified.flaws, verified.not_in_project),
                (vec![], vec![]),
                "{how}"
            );
        }
    };
    check(&shop, &store, rename, between, after).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renamed_dataset_keeps_its_clusters_and_versions() {
    let (shop, store) = (Shop::deduplicated(), memory());
    shop.run(&store).await;
    shop.add_connecting_order();
    shop.run(&store).await;
    let all = rows(&store, CLEAN).await;
    let clusters = beside(&store, CLEAN, Companion::Clusters).await;
    let transformations = shop.read("configs/transformations.yml");
    let transformations = transformations
        .replace("- name: orders_clean", "- name: tidy")
        .replace("refined/orders_clean.parquet", "refined/tidy.parquet");
    shop.write("configs/transformations.yml", &transformations);
    let contract = shop.read("transformations/contracts/orders_clean.yml");
    shop.write(
        "transformations/contracts/orders_clean.yml",
        &contract.replace("dataset: orders_clean", "dataset: tidy"),
    );
    let sql = shop.read("transformations/sql/orders_clean.sql");
    shop.write("transformations/sql/tidy.sql", &sql);
    let rename = async |runner: Runner| runner.rename(&id(CLEAN), &id(TIDY)).await.map(drop);
    let between = async |store: &Store, how: &str| {
        let (old, new) = (seen(store, CLEAN).await, seen(store, TIDY).await);
        for seen in [&old, &new] {
            assert!(
                seen.is_none() || seen.as_ref() == Some(&all),
                "{how}: {seen:?}"
            );
        }
    };
    let after = async |store: &Store, how: &str| {
        assert_eq!(rows(store, TIDY).await, all, "{how}");
        assert_eq!(
            beside(store, TIDY, Companion::Clusters).await,
            clusters,
            "{how}"
        );
        let objects = objects(store).await;
        let left = objects.keys().find(|it| it.contains("orders_clean"));
        assert_eq!(left, None, "{how}");
        let snapshot = lake(store)
            .table(&id(TIDY))
            .snapshot()
            .await
            .unwrap()
            .unwrap();
        let file = &snapshot.files[0].name;
        let published = &objects["silver/refined/tidy.parquet"];
        assert_eq!(
            &objects[&format!("silver/refined/tidy/{file}")],
            published,
            "{how}"
        );
        // Two builds and the note.
        let history = lake(store).table(&id(TIDY)).history(9).await.unwrap();
        let operations: Vec<_> = history.iter().map(|it| it.operation.as_str()).collect();
        assert_eq!(operations, ["rename", "replace", "replace"], "{how}");
    };
    check(&shop, &store, rename, between, after).await;
    // A name that somebody has is not taken.
    let refused = shop
        .runner(Arc::clone(&store))
        .rename(&id(CLEAN), &id(DAILY))
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains("`gold/daily` is in the lake already"),
        "{refused}"
    );
    assert_eq!(rows(&store, CLEAN).await, all);
}
