//! Rows that are compared: a model of Splink's own, one that is trained, one that would compare too much.

use std::path::Path;
use std::sync::Arc;

use comboi_project::{Companion, Stage};
use comboi_run::RunReport;
use comboi_test::{Store, memory};

use crate::shop::{Shop, beside, id, lake, outcomes, rows, run};

const PEOPLE: &str = "silver/people";

/// 1,000 made-up people, and Splink's own clusters of them.
fn people(model: &str) -> Shop {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../comboi-linkage/tests/data");
    let shop = Shop::with_days(0);
    shop.write(
        "configs/shop.yml",
        "name: shop
sources:
  - name: crm
    type: files
    path: in
    tables:
      - {name: people, files: people.parquet}
      - {name: splinks, files: splinks.parquet}
",
    );
    shop.write(
        "configs/transformations.yml",
        &format!("silver:\n  - name: people\n    inputs: [crm/people]\n{model}gold:\n  - name: different\n    inputs: [silver/people, crm/splinks]\n"),
    );
    shop.write("transformations/sql/people.sql", "SELECT * FROM people");
    shop.write(
        "transformations/sql/different.sql",
        "SELECT count(*) AS n, count(*) FILTER (p.cluster_id <> s.cluster_id) AS different FROM people p JOIN splinks s USING (unique_id)",
    );
    for (from, to) in [
        ("fake_1000.parquet", "in/people.parquet"),
        ("fake_1000_clusters_0.95.parquet", "in/splinks.parquet"),
        ("fake_1000.model.json", "models/splinks.json"),
    ] {
        shop.copy(&data.join(from), to);
    }
    shop
}

/// What a person who does not know Splink writes.
const EASY: &str = "    dedupe:
      unique_id: unique_id
      keys: [[first_name, surname], [surname, dob], email]
      comparisons: {first_name: name, surname: name, dob: date_of_birth, city: exact, email: email}
      output: {keep: all, pairs: true}
      save_model: models/own.json
";

async fn found(shop: &Shop) -> (RunReport, Store) {
    let store = memory();
    let report = shop.run(&store).await;
    (report, store)
}

#[tokio::test]
async fn a_model_of_splinks_own_gives_splinks_own_clusters() {
    let shop = people(
        "    splink: models/splinks.json\n    dedupe: {lambda: model, output: {keep: all}}\n",
    );
    let (_, store) = found(&shop).await;
    assert_eq!(rows(&store, "gold/different").await, ["1000,0"]);
}

#[tokio::test]
async fn training_is_the_same_every_time_and_its_model_can_be_brought_back() {
    let shop = people(EASY);
    let (report, store) = found(&shop).await;
    let (_, again) = found(&shop).await;
    let first = rows(&store, PEOPLE).await;
    assert!(
        rows(&again, PEOPLE).await == first,
        "the same to the last digit"
    );
    let task = &report.tasks[2];
    let (dedupe, linkage) = (
        task.dedupe.as_ref().unwrap(),
        task.linkage.as_ref().unwrap(),
    );
    // 251 people are behind the rows; half of the pairs can't be known to be one.
    assert!((300..600).contains(&dedupe.cluster_count), "{dedupe:?}");
    let lambda = linkage["lambda"].as_f64().unwrap();
    assert!(
        (0.001..0.02).contains(&lambda),
        "2,031 of 499,500 pairs match, not {lambda}"
    );
    assert_eq!(linkage["rules"].as_array().unwrap().len(), 3);
    let pairs = beside(&store, PEOPLE, Companion::Pairs).await;
    assert_eq!(pairs.len() as u64, linkage["pairs"].as_u64().unwrap());

    let brought =
        people("    splink: models/own.json\n    dedupe: {lambda: model, output: {keep: all}}\n");
    brought.write("models/own.json", &shop.read("models/own.json"));
    let (_, brought) = found(&brought).await;
    assert_eq!(
        beside(&brought, PEOPLE, Companion::Clusters).await,
        beside(&store, PEOPLE, Companion::Clusters).await
    );
}

#[tokio::test]
async fn rules_that_would_compare_too_much_are_refused_before_they_do() {
    let shop = people(&EASY.replace("email]\n", "city]\n      pairs_budget: 10\n"));
    let store = memory();
    let report = run(&shop.runner(Arc::clone(&store))).await.unwrap();
    let said = outcomes(&report)[2].clone();
    for part in [
        "budget of 10000",
        "pairs by `l.city = r.city`",
        "`dedupe.pairs_budget`",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(
        lake(&store)
            .table(&id(PEOPLE))
            .snapshot()
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn no_rows_and_one_row_are_no_mistake() {
    for (rows_left, clusters) in [(0, 0), (1, 1)] {
        let shop = people(EASY);
        shop.write(
            "transformations/sql/people.sql",
            &format!("SELECT * FROM people WHERE unique_id < {rows_left}"),
        );
        let (report, _) = found(&shop).await;
        assert_eq!(
            report.tasks[2].dedupe.as_ref().unwrap().cluster_count,
            clusters
        );
        assert_eq!(report.tasks[2].dataset.stage(), Stage::Silver);
    }
}

#[tokio::test]
async fn a_cluster_that_is_too_large_is_split() {
    let shop = people(&EASY.replace("save_model: models/own.json", "max_cluster_size: 2"));
    let (report, _) = found(&shop).await;
    let dedupe = report.tasks[2].dedupe.as_ref().unwrap();
    assert_eq!(dedupe.largest_cluster_rows, 2);
    let linkage = report.tasks[2].linkage.as_ref().unwrap();
    assert!(
        linkage["split_clusters"].as_u64().unwrap() > 10,
        "{linkage}"
    );
}
