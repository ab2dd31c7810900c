//! Two processes run the same pipeline at once, and nothing keeps them apart.

use std::sync::Arc;

use chrono::TimeDelta;
use comboi_plan::Plan;
use comboi_run::{Clock, Outcome, Process, RunStatus, Runner};
use comboi_test::{Fault, Faulty, Store, copy, memory};

use crate::shop::{CLEAN, DAILY, ORDERS, Shop, id, lake, outcomes, rows, rows_of, run, state};

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

/// A machine of its own, of which nobody else can see whether its processes are there.
fn elsewhere(runner: Runner, host: &str) -> Runner {
    Runner {
        process: Process {
            host: host.to_owned(),
            machine: host.to_owned(),
            pid: 1,
            started: "1".to_owned(),
        },
        ..runner
    }
}

/// One run sleeps before the write that its log has first with this in its name, while another one is done as a whole.
async fn overlapping(
    shop: &Shop,
    store: &Store,
    asleep_before: &str,
    meanwhile: impl AsyncFnOnce(),
) -> Vec<String> {
    let counting = Faulty::new(copy(store.as_ref()).await);
    let plan = Plan::of_everything(&shop.runner(Arc::clone(store)).project);
    let counted = shop.runner(Arc::clone(&counting) as Store);
    counted.run(plan.clone(), true).await.unwrap();
    let log = counting.log();
    let at = log.iter().position(|write| write.contains(asleep_before));
    let faulty = Faulty::with(Fault::Waits(at.unwrap()), Arc::clone(store));
    let older = elsewhere(shop.runner(Arc::clone(&faulty) as Store), "laptop");
    let running = tokio::spawn(async move { older.run(plan, true).await });
    faulty.waits().await;
    meanwhile().await;
    faulty.let_go();
    outcomes(&running.await.unwrap().unwrap())
}

/// The older run has silver before it and finds that of the later one, which was built of later orders.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_later_run_built_of_later_inputs_stays() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let asleep_before = "receipts/bronze/shop/orders";
    let older = overlapping(&shop, &store, asleep_before, async || {
        shop.add_day(2);
        let later = elsewhere(shop.runner(Arc::clone(&store)), "ci");
        let report = run(&later).await.unwrap();
        assert!(report.is_good(), "{}", outcomes(&report).join("\n"));
        assert_eq!(report.run.0, 3);
    })
    .await;
    assert_eq!(
        older,
        [
            "bronze/shop/orders skipped 0",
            "silver/orders_clean skipped 0",
            "gold/daily skipped 0"
        ]
    );
    let ids = rows(&store, CLEAN).await;
    assert_eq!(ids.len(), 4, "both days: {ids:?}");
    // The later run was put on record first.
    let recorded = rows_of(&lake(&store).record("tasks")).await;
    for run in ["shop,1,", "shop,2,", "shop,3,"] {
        let of_run = recorded.iter().filter(|row| row.starts_with(run));
        assert_eq!(of_run.count(), 3, "{run} {recorded:?}");
    }
    assert_eq!(
        rows(&store, DAILY).await,
        ["2024-05-01,30.50,2", "2024-05-02,6.25,2"]
    );
}

/// The later run has built silver by another query: the older one can't put its own there, and says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_later_run_built_otherwise_is_not_taken_for_built() {
    let (shop, store) = (Shop::with_days(1), memory());
    shop.run(&store).await;
    let other = "SELECT id, day, amount FROM orders WHERE id > 1\n";
    let older = overlapping(&shop, &store, "receipts/bronze/shop/orders", async || {
        let ours = shop.read("transformations/sql/orders_clean.sql");
        shop.write("transformations/sql/orders_clean.sql", other);
        let later = elsewhere(shop.runner(Arc::clone(&store)), "ci");
        assert!(run(&later).await.unwrap().is_good());
        shop.write("transformations/sql/orders_clean.sql", &ours);
    })
    .await;
    assert!(
        older[1].starts_with("silver/orders_clean failed 0: run 3 has changed"),
        "{older:?}"
    );
    assert_eq!(older[2], "gold/daily upstream failed 0");
    assert_eq!(rows(&store, CLEAN).await, ["2,2024-05-01,20.50"]);
    // The next run builds what it is asked for.
    assert!(
        run(&shop.runner(Arc::clone(&store)))
            .await
            .unwrap()
            .is_good()
    );
    assert_eq!(rows(&store, CLEAN).await.len(), 2);
}

/// Somebody takes the checkpoint away while a run is about to read: the run does not call the table extracted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_later_run_did_by_hand_is_no_extract() {
    let (shop, store) = (Shop::by_file(1), memory());
    shop.run(&store).await;
    shop.add_day(2);
    // Its plan is there, and nothing else.
    let older = overlapping(&shop, &store, "orders__quarantine/part-", async || {
        let by_hand = elsewhere(shop.runner(Arc::clone(&store)), "ci");
        assert!(by_hand.reset_checkpoint(&id(ORDERS)).await.unwrap());
    })
    .await;
    assert!(
        older[0].starts_with("bronze/shop/orders failed 0: run 3 has changed"),
        "{older:?}"
    );
    shop.run(&store).await;
    assert_eq!(rows(&store, ORDERS).await.len(), 4);
}

/// Two runs of one number, as two copies of a lake may have: neither takes the other's work for its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runs_of_one_number_are_told_apart() {
    let (shop, ours) = (Shop::with_days(1), memory());
    shop.run(&ours).await;
    let theirs = copy(ours.as_ref()).await;
    shop.add_day(2);
    shop.run(&theirs).await;
    // Our run 2 has another query; the orders of their run 2 are put in the place of ours.
    shop.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount FROM orders WHERE id < 9\n",
    );
    shop.add_day(3);
    shop.run(&ours).await;
    for name in comboi_test::names(ours.as_ref()).await {
        if name.starts_with("bronze/shop/orders") {
            comboi_test::remove(ours.as_ref(), &name).await;
        }
    }
    for (name, bytes) in comboi_test::contents(theirs.as_ref()).await {
        if name.starts_with("bronze/shop/orders") {
            comboi_test::put(ours.as_ref(), &name, bytes).await;
        }
    }
    let plan = Plan::of_everything(&shop.runner(Arc::clone(&ours)).project);
    let silver = plan.without(|task| task.dataset.to_string() != CLEAN);
    let runner = shop.runner(Arc::clone(&ours));
    let report = runner.run(silver, false).await.unwrap();
    // Version 1 of run 2 was read before, and this is one too.
    assert_eq!(outcomes(&report), ["silver/orders_clean succeeded 4"]);
}

/// A run of another machine is under way as long as there is a sign of life of it within ten minutes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_elsewhere_is_interrupted_after_ten_minutes_without_a_sign() {
    let (shop, store) = (Shop::with_days(1), memory());
    let faulty = Faulty::with(Fault::DiesAfter(4), Arc::clone(&store));
    let dead = elsewhere(shop.runner(faulty as Store), "laptop");
    #[expect(
        clippy::disallowed_methods,
        reason = "the storage's clock is the machine's"
    )]
    let begun = chrono::DateTime::from(std::time::SystemTime::now());
    drop(run(&dead).await);
    let status = async |after: i64| {
        let runner = shop.runner(Arc::clone(&store));
        let now = begun + TimeDelta::minutes(after);
        let views = comboi_run::runs(&runner.state, 9, now).await.unwrap();
        views.iter().map(|view| view.status).collect::<Vec<_>>()
    };
    assert_eq!(status(9).await, [RunStatus::Open]);
    assert_eq!(status(11).await, [RunStatus::Interrupted]);
    // It may still be under way, so rows that it may be reading are not removed.
    let later = elsewhere(shop.runner(Arc::clone(&store)), "ci");
    let later = Runner {
        clock: Clock::stopped_at(begun),
        ..later
    };
    let refused = later
        .remove_past_age(&id(CLEAN), std::time::Duration::ZERO)
        .await
        .unwrap_err();
    assert!(
        refused.to_string().contains("run 1 is under way"),
        "{refused}"
    );
    let nothing = later.retry().await.unwrap_err().to_string();
    assert!(
        nothing.starts_with("run 1 is under way on `laptop`"),
        "{nothing}"
    );
    // Nor is it closed by a run that begins now; that one does all the work.
    let report = run(&later).await.unwrap();
    assert_eq!(
        report.count(Outcome::Succeeded),
        3,
        "{:?}",
        outcomes(&report)
    );
    assert_eq!(status(9).await, [RunStatus::Succeeded, RunStatus::Open]);
}

/// Another process of this machine that is there is not waited for: the second run is refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_run_on_one_machine_is_refused_while_the_first_is_there() {
    let (shop, store) = (Shop::with_days(1), memory());
    let mut child = std::process::Command::new("sleep")
        .arg("600")
        .spawn()
        .unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
    let started = stat.split_whitespace().nth(21).unwrap().to_owned();
    let faulty = Faulty::with(Fault::DiesAfter(4), Arc::clone(&store));
    let first = Runner {
        process: Process {
            pid: child.id(),
            started,
            ..Process::this()
        },
        ..shop.runner(faulty as Store)
    };
    drop(run(&first).await);
    let second = shop.runner(Arc::clone(&store));
    let refused = run(&second).await.unwrap_err().to_string();
    let expected = format!("run 1 is under way (process {} of this machine", child.id());
    assert!(refused.starts_with(&expected), "{refused}");
    let by_hand = second.restore(&id(ORDERS), 0).await.unwrap_err();
    assert!(by_hand.to_string().starts_with(&expected), "{by_hand}");
    child.kill().unwrap();
    child.wait().unwrap();
    let report = run(&second).await.unwrap();
    assert!(
        report.is_good() && report.run.0 == 2,
        "{:?}",
        outcomes(&report)
    );
    let now = second.clock.now();
    let first = comboi_run::run(&second.state, comboi_project::RunId(1), now).await;
    let first = first.unwrap().unwrap();
    assert_eq!(first.status, RunStatus::Interrupted);
    assert!(first.ended_at.is_some(), "it is closed");
    let recorded = rows_of(&lake(&store).record("tasks")).await;
    let of_first = recorded.iter().filter(|row| row.starts_with("shop,1,"));
    assert_eq!(of_first.count(), 3, "{recorded:?}");
}
