//! Rows past their age go, wherever they are, and nothing brings them back.

use std::sync::Arc;
use std::time::Duration;

use comboi_engine::{Input, Limits, Session};
use comboi_plan::Plan;
use comboi_project::{Column, Columns, Companion, SqlType, Stage};
use comboi_run::{Clock, Runner};
use comboi_test::{Fault, Faulty, Store, contents, copy, memory};

use crate::shop::{CLEAN, DAILY, ORDERS, Shop, aside, beside, id, lake, rows, run};

const ASIDE: &str = "bronze/shop/orders__quarantine";

/// The same runner on another day. On May 5, what is of May 1 is past three days.
fn on_may(day: u32, runner: Runner) -> Runner {
    let noon = if day == 1 { "12" } else { "00" };
    Runner {
        clock: Clock::stopped_at(format!("2024-05-0{day}T{noon}:00:00Z").parse().unwrap()),
        ..runner
    }
}

/// A shop whose first two days came in time.
async fn shop() -> (Shop, Store) {
    let (shop, store) = (Shop::forgetful(1), memory());
    let before = |store: &Store| on_may(1, shop.runner(Arc::clone(store)));
    assert!(run(&before(&store)).await.unwrap().is_good());
    // Its row aside has no readable age, and is as old as its reading.
    shop.write(
        "in/day2.csv",
        "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,9.00\n5,2024-05-02,1.00\n6,,4.00\n",
    );
    assert!(run(&before(&store)).await.unwrap().is_good());
    (shop, store)
}

async fn remove(runner: Runner) -> Result<(), comboi_run::RunError> {
    let runner = on_may(5, runner);
    for dataset in [ORDERS, CLEAN] {
        runner.remove_past_age(&id(dataset), Duration::ZERO).await?;
    }
    Ok(())
}

/// What readers see, and the days that any Parquet file below bronze and silver has, be it of an old version.
async fn look(store: &Store) -> String {
    let mut text = String::new();
    for dataset in [ORDERS, ASIDE, CLEAN] {
        text.push_str(&format!(
            "{dataset}\n  {}\n",
            rows(store, dataset).await.join("\n  ")
        ));
    }
    text.push_str(&format!(
        "aside\n  {}\n",
        aside(store, CLEAN).await.join("\n  ")
    ));
    text.push_str(&format!("stored: {}\n", stored_days(store).await.join(" ")));
    text
}

async fn stored_days(store: &Store) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        threads: 1,
        max_spill_bytes: None,
    };
    let session = Session::open(&limits, scratch.path()).unwrap();
    let columns = Columns(vec![
        Column::new("day", SqlType::Date),
        Column::new("text", SqlType::Varchar(None)),
    ]);
    let mut days = Vec::new();
    for (name, bytes) in contents(store.as_ref()).await {
        let of_orders = name.starts_with("bronze/shop") || name.starts_with("silver");
        if !of_orders || !name.ends_with(".parquet") || name.contains("_delta_log") {
            continue;
        }
        let file = scratch.path().join(format!("{}.parquet", days.len()));
        std::fs::write(&file, bytes).unwrap();
        let input = Input {
            alias: "t",
            columns: &columns,
            files: &[file],
        };
        let shown = comboi_engine::show(&session, &input, 1000).unwrap();
        days.extend(
            shown
                .rows
                .into_iter()
                .flatten()
                .map(|cell| cell.unwrap_or_default()),
        );
    }
    days.sort();
    days.dedup();
    days.retain(|day| !day.is_empty());
    days
}

const AFTER: &str = "\
bronze/shop/orders
  3,2024-05-02,5.25,day2.csv
  4,2024-05-02,9.00,day2.csv
  5,2024-05-02,1.00,day2.csv
  6,NULL,4.00,day2.csv
bronze/shop/orders__quarantine
  
silver/orders_clean
  4,2024-05-02,9.00
  6,NULL,4.00
aside
  5,2024-05-02,1.00,[usual]
stored: 2024-05-02
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_past_their_age_go_for_good() {
    let (shop, store) = shop().await;
    let before = look(&store).await;
    assert!(
        before.contains("1,2024-05-01,10.00") && before.contains("x,2024-05-01,1.00"),
        "{before}"
    );

    let runner = on_may(5, shop.runner(Arc::clone(&store)));
    let told = async |dataset| {
        let past = runner.past_age(&id(dataset)).await.unwrap().unwrap();
        let line = |age: &comboi_run::TableAge| {
            let (rows, versions) = (age.row_count, age.version_count());
            format!(
                "{}: {} of {rows} past, {} unknown, {} files, {versions} versions",
                age.name, age.past, age.unknown, age.file_count
            )
        };
        past.tables.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        told(ORDERS).await,
        [
            "bronze/shop/orders: 2 of 6 past, 1 unknown, 1 files, 2 versions",
            "bronze/shop/orders__quarantine: 1 of 1 past, 0 unknown, 1 files, 2 versions"
        ]
    );
    assert_eq!(
        told(CLEAN).await,
        [
            "silver/orders_clean: 1 of 3 past, 1 unknown, 1 files, 2 versions",
            "silver/orders_clean__quarantine: 1 of 2 past, 0 unknown, 1 files, 2 versions"
        ]
    );
    assert_eq!(look(&store).await, before, "a plan changes nothing");

    remove(shop.runner(Arc::clone(&store))).await.unwrap();
    assert_eq!(look(&store).await, AFTER);
    let table = lake(&store).table(&id(CLEAN));
    let gone = table.snapshot_at(0).await;
    assert!(
        matches!(gone, Err(comboi_lake::Error::NoSuchVersion { .. })),
        "{gone:?}"
    );

    // What reads it is built again, and nothing comes back: not when files are read again, not when the query is run again.
    let later = || on_may(5, shop.runner(Arc::clone(&store)));
    assert!(run(&later()).await.unwrap().is_good());
    assert_eq!(
        rows(&store, DAILY).await,
        ["2024-05-02,9.00,1", "NULL,4.00,1"]
    );
    later().reset_checkpoint(&id(ORDERS)).await.unwrap();
    let report = run(&later()).await.unwrap();
    assert_eq!(report.tasks[0].rows, 4);
    assert_eq!(
        report.tasks[0].notes,
        ["2 rows past their age left out (`day` 3 days)"]
    );
    let again = look(&store).await;
    // The bad row was read again, just now.
    let again = again.replace(
        "  day1.csv,4,52,id,`id` is not a BIGINT,x,2024-05-01,1.00\n",
        "  \n",
    );
    assert_eq!(
        again.replace("stored: 2024-05-02 x,2024-05-01,1.00", "stored: 2024-05-02"),
        AFTER
    );
}

/// How many rows a dataset has, and whether there are other files than its own: told by the log, which takes less time than
/// reading them.
async fn count(store: &Store, dataset: &str, folder: &str) -> String {
    let lake = lake(store);
    let all = contents(store.as_ref()).await;
    let table = lake.table(&id(dataset)).snapshot().await.unwrap().unwrap();
    let aside = lake
        .quarantine(&id(dataset))
        .snapshot()
        .await
        .unwrap()
        .unwrap();
    let noted = comboi_run::quarantined(&lake, &id(dataset)).await.unwrap();
    let noted = noted.map_or(0, |noted| noted.row_count());
    assert_eq!(
        noted,
        aside.row_count(),
        "the dataset knows of its rows aside"
    );
    let stored = all
        .keys()
        .filter(|name| name.starts_with(folder) && name.ends_with(".parquet"))
        .filter(|name| !name.contains("_delta_log/") && **name != format!("{folder}.parquet"));
    let others = stored.count() - table.files.len() - aside.files.len();
    format!(
        "{} rows, {noted} aside, {others} other files",
        table.row_count()
    )
}

/// Removes what is past its age and dies after its n-th write, for every n; then does it again.
async fn dies(dataset: &str, folder: &str, expected: &str) {
    let (shop, before) = shop().await;
    let remove = async |store: &Store| {
        let runner = on_may(5, shop.runner(Arc::clone(store)));
        runner.remove_past_age(&id(dataset), Duration::ZERO).await
    };
    let counting = Faulty::new(copy(before.as_ref()).await);
    remove(&(Arc::clone(&counting) as Store)).await.unwrap();
    // Its note, its plan and its end; data and log of what is aside and of the dataset; that earlier versions go, of both.
    assert!(counting.writes() >= 8, "only {} writes", counting.writes());
    for n in 0..counting.writes() {
        let fault = Fault::DiesAfter(n);
        let store = copy(before.as_ref()).await;
        let died = remove(&(Faulty::with(fault, Arc::clone(&store)) as Store)).await;
        assert!(n + 1 >= counting.writes() || died.is_err(), "{fault:?}");
        remove(&store).await.unwrap();
        assert_eq!(count(&store, dataset, folder).await, expected, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removal_that_dies_is_begun_again() {
    let expected = "2 rows, 1 aside, 0 other files";
    dies(CLEAN, "silver/refined/orders_clean", expected).await;
}

/// The same steps over the files of a table: `cargo nextest run -p comboi-run --run-ignored all of_a_table`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes as long again, for the same steps"]
async fn a_removal_of_a_table_that_dies_is_begun_again() {
    dies(
        ORDERS,
        "bronze/shop/orders",
        "4 rows, 0 aside, 0 other files",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn versions_that_somebody_may_be_reading_stay_for_a_while() {
    let (shop, store) = shop().await;
    let keep = Duration::from_secs(7 * 24 * 3600);
    let runner = |store: &Store| on_may(5, shop.runner(Arc::clone(store)));
    runner(&store)
        .remove_past_age(&id(CLEAN), keep)
        .await
        .unwrap();
    lake(&store).table(&id(CLEAN)).snapshot_at(1).await.unwrap();
    assert!(stored_days(&store).await.contains(&"2024-05-01".to_owned()));
    // Nothing is past its age any more, and yet there is something to delete.
    let past = runner(&store).past_age(&id(CLEAN)).await.unwrap().unwrap();
    assert_eq!((past.row_count(), past.tables[0].version_count()), (0, 2));
    remove(shop.runner(Arc::clone(&store))).await.unwrap();
    assert_eq!(look(&store).await, AFTER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_goes_while_a_run_may_be_reading_it() {
    let (shop, store) = shop().await;
    let runner = on_may(5, shop.runner(Arc::clone(&store)));
    let plan = Plan::of_everything(&runner.project);
    let run = runner.begin("timer-1", plan).await.unwrap();
    let before = look(&store).await;
    let refused = remove(shop.runner(Arc::clone(&store))).await.unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("run 3 is under way"), "{refused}");
    assert_eq!(look(&store).await, before);
    for stage in Stage::ALL {
        runner.step(run, stage, None).await.unwrap();
    }
    assert!(runner.end(run).await.unwrap().unwrap().is_good());
    remove(shop.runner(Arc::clone(&store))).await.unwrap();
    assert_eq!(look(&store).await, AFTER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_beside_a_deduplication_goes_with_the_next_run() {
    let (shop, store) = (Shop::deduplicated(), memory());
    let contract = shop.read("transformations/contracts/orders_clean.yml");
    shop.write(
        "transformations/contracts/orders_clean.yml",
        &format!("{contract}sla: {{data_retention: {{max_age_days: 3}}}}\n"),
    );
    let before = on_may(1, shop.runner(Arc::clone(&store)));
    assert!(run(&before).await.unwrap().is_good());
    assert_eq!(
        beside(&store, CLEAN, Companion::Clusters).await,
        ["1,1", "2,2", "3,2"]
    );
    let later = || on_may(5, shop.runner(Arc::clone(&store)));
    let removed = later().remove_past_age(&id(CLEAN), Duration::ZERO).await;
    assert_eq!(removed.unwrap().unwrap().row_count(), 1);
    assert!(run(&later()).await.unwrap().is_good());
    assert_eq!(
        beside(&store, CLEAN, Companion::Clusters).await,
        ["2,2", "3,2"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_that_is_not_there_is_told() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let config = shop.read("configs/shop.yml");
    let retention = "        data_retention: {max_age_days: 3, column: dya}\n";
    shop.write("configs/shop.yml", &format!("{config}{retention}"));
    let copied = copy(store.as_ref()).await;
    let failed = shop
        .runner(copied)
        .remove_past_age(&id(ORDERS), Duration::ZERO)
        .await;
    let text = failed.unwrap_err().to_string();
    assert!(
        text.starts_with("`bronze/shop/orders`: there is no column `dya`, by which "),
        "{text}"
    );
    shop.add_day(2);
    let report = run(&shop.runner(store)).await.unwrap();
    let failure = report.tasks[0].failure.as_ref().unwrap();
    assert!(
        failure.message.contains("no column `dya`")
            && failure.message.ends_with("nothing was written"),
        "{}",
        failure.message
    );
}
