//! Every write of a run fails once, in every way; the next run ends where a calm run ends.

use std::sync::Arc;

use comboi_plan::Plan;
use comboi_run::{RunError, RunReport, Runner};
use comboi_test::{Fault, Faulty, Store, copy, memory};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::files_read::older;
use crate::shop::{Shop, outcomes, state};

/// Cases that are tried at once: many of them sleep before they try again.
const AT_ONCE: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Then {
    Run,
    Retry,
}

/// A shop whose next run is to fail, and the store as it is before that.
struct Before {
    shop: Shop,
    store: Store,
    rebuild: bool,
}

impl Before {
    fn the_first_load() -> Arc<Self> {
        Arc::new(Self {
            shop: Shop::with_days(2),
            store: memory(),
            rebuild: false,
        })
    }

    async fn an_increment() -> Arc<Self> {
        let (shop, store) = (Shop::with_days(1), memory());
        shop.run(&store).await;
        shop.add_day(2);
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// Two clusters are about to become one.
    async fn a_merge() -> Arc<Self> {
        let (shop, store) = (Shop::deduplicated(), memory());
        shop.run(&store).await;
        shop.add_connecting_order();
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// The same, of rows that are compared.
    async fn a_compared_merge() -> Arc<Self> {
        let (shop, store) = (Shop::compared(), memory());
        shop.run(&store).await;
        shop.add_connecting_order();
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// Rows come that take the place of others.
    async fn rows_with_a_key() -> Arc<Self> {
        let (shop, store) = (Shop::keyed(1), memory());
        shop.run(&store).await;
        shop.add_changed_orders();
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// Nothing is new, and everything is built all the same.
    async fn a_rebuild() -> Arc<Self> {
        let (shop, store) = (Shop::with_days(2), memory());
        shop.run(&store).await;
        Arc::new(Self {
            shop,
            store,
            rebuild: true,
        })
    }

    /// Rows were set aside, and more of them come.
    async fn rows_aside() -> Arc<Self> {
        let (shop, store) = (Shop::strict(1), memory());
        shop.run(&store).await;
        shop.add_day(2);
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// An earlier comboi kept the names of the files that were read in the checkpoint.
    async fn an_older_table() -> Arc<Self> {
        let (shop, store) = (Shop::by_file(1), memory());
        shop.run(&store).await;
        older(&store).await;
        shop.add_day(2);
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    /// A run has died in the middle, so the next one ends it first.
    async fn after_a_dead_run() -> Arc<Self> {
        let (shop, store) = (Shop::with_days(1), memory());
        shop.run(&store).await;
        shop.add_day(2);
        let dying = Faulty::with(Fault::DiesAfter(8), Arc::clone(&store));
        let runner = shop.runner(dying as Store);
        let died = runner
            .run(Plan::of_everything(&runner.project), false)
            .await;
        assert!(died.is_err(), "its end can't be written");
        Arc::new(Self {
            shop,
            store,
            rebuild: false,
        })
    }

    async fn run(&self, runner: &Runner) -> Result<RunReport, RunError> {
        let plan = Plan::of_everything(&runner.project);
        runner.run(plan, self.rebuild).await
    }

    /// How many writes a run is made of that nothing happens to, and what it ends in.
    async fn calm(&self) -> (usize, String) {
        let store = copy(self.store.as_ref()).await;
        let counting = Faulty::new(Arc::clone(&store));
        let runner = self.shop.runner(Arc::clone(&counting) as Store);
        let report = self.run(&runner).await.unwrap();
        assert!(report.is_good(), "{}", outcomes(&report).join("\n"));
        (counting.writes(), state(&store).await)
    }

    /// Whatever became of a run, the next one has written its end, and nothing is noted as open.
    async fn every_run_has_ended(&self, store: &Store, fault: Fault) {
        let runner = self.shop.runner(Arc::clone(store));
        let views = comboi_run::runs(&runner.state, 100, runner.clock.now())
            .await
            .unwrap();
        for view in &views {
            assert!(view.ended_at.is_some(), "{fault:?}: {view:?}");
        }
        let numbers: std::collections::BTreeSet<_> = views.iter().map(|view| view.run).collect();
        assert_eq!(numbers.len(), views.len());
        let open = runner
            .state
            .open(comboi_lake::OpenBy::Process)
            .await
            .unwrap();
        assert_eq!(open, [], "{fault:?}");
    }

    async fn with(&self, fault: Fault, then: Then) -> String {
        let store = copy(self.store.as_ref()).await;
        let faulty = Faulty::with(fault, Arc::clone(&store));
        let first = self.run(&self.shop.runner(faulty as Store)).await;
        if let (Ok(report), Fault::Lies(_) | Fault::Exists(_) | Fault::Refuses(..)) =
            (&first, fault)
        {
            assert!(
                report.is_good(),
                "one write is tried again: {}",
                outcomes(report).join("\n")
            );
        }
        let runner = self.shop.runner(Arc::clone(&store));
        let second = match then {
            Then::Run => self.run(&runner).await,
            Then::Retry => match runner.retry().await {
                Err(RunError::NothingToRetry(_)) => self.run(&runner).await,
                tried => tried,
            },
        };
        let second = second.unwrap();
        assert!(
            second.is_good(),
            "{fault:?}: {}",
            outcomes(&second).join("\n")
        );
        self.every_run_has_ended(&store, fault).await;
        state(&store).await
    }
}

/// Tries every kind of fault at every write.
async fn check(before: Arc<Before>, kinds: &[fn(usize) -> Fault], then: Then) {
    let (writes, calm) = before.calm().await;
    // Its note, plan and end; a receipt for each of three tasks; data, log, copy and its note of two that are built; the record.
    assert!(
        writes >= 16,
        "only {writes} writes: is the store that fails the one that is written to?"
    );
    let (mut cases, places) = (JoinSet::new(), Arc::new(Semaphore::new(AT_ONCE)));
    for fault in kinds.iter().flat_map(|kind| (0..writes).map(kind)) {
        let (before, places) = (Arc::clone(&before), Arc::clone(&places));
        cases.spawn(async move {
            let _place = places.acquire().await.unwrap();
            (fault, before.with(fault, then).await)
        });
    }
    let mut tried = 0;
    while let Some(case) = cases.join_next().await {
        let (fault, state) = case.unwrap();
        assert_eq!(state, calm, "{fault:?}, then {then:?}");
        tried += 1;
    }
    assert_eq!(tried, writes * kinds.len());
    assert_eq!(
        before.shop.left_in_scratch(),
        Vec::<std::path::PathBuf>::new()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_run_ends_in_this() {
    let (_, state) = Before::an_increment().await.calm().await;
    assert_eq!(
        state,
        r#"bronze/shop/orders
  1,2024-05-01,10.00,day1.csv
  2,2024-05-01,20.50,day1.csv
  3,2024-05-02,5.25,day2.csv
  5,2024-05-02,1.00,day2.csv
bronze/shop/orders__quarantine
  day1.csv,4,52,id,`id` is not a BIGINT,x,2024-05-01,1.00
  day2.csv,3,32,amount,`amount` is not a DECIMAL(12,2),4,2024-05-02,one
silver/orders_clean
  1,2024-05-01,10.00
  2,2024-05-01,20.50
  3,2024-05-02,5.25
  5,2024-05-02,1.00
gold/daily
  2024-05-01,30.50,2
  2024-05-02,6.25,2
checkpoint: {"format":1,"mode":"column","files":{"day1.csv":{"size":70,"modified":1700000000000000000},"day2.csv":{"size":67,"modified":1700000000000000000}},"watermark":{"column":"id","type":"BIGINT","value":"5"},"row_count":4}
bronze/shop/orders: 0 orphans
silver/orders_clean: 0 orphans, published: true
gold/daily: 0 orphans, published: true
"#
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_first_load_by_death() {
    check(Before::the_first_load(), &[Fault::DiesAfter], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_increment_by_death() {
    check(
        Before::an_increment().await,
        &[Fault::DiesBefore],
        Then::Run,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_increment_by_death_and_retry() {
    check(
        Before::an_increment().await,
        &[Fault::DiesAfter],
        Then::Retry,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_increment_by_a_wrong_answer() {
    check(
        Before::an_increment().await,
        &[Fault::Lies, Fault::Exists],
        Then::Run,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_increment_by_a_refusal() {
    check(
        Before::an_increment().await,
        &[|n| Fault::Refuses(n, 1)],
        Then::Run,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_older_table_by_death() {
    let before = Before::an_older_table().await;
    check(before, &[Fault::DiesAfter], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_an_older_table_by_a_wrong_answer() {
    check(Before::an_older_table().await, &[Fault::Lies], Then::Retry).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_dead_run_by_death() {
    check(
        Before::after_a_dead_run().await,
        &[Fault::DiesAfter],
        Then::Run,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_dead_run_by_a_wrong_answer() {
    check(
        Before::after_a_dead_run().await,
        &[Fault::Lies, Fault::Exists],
        Then::Retry,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_merge_ends_in_this() {
    let (_, state) = Before::a_merge().await.calm().await;
    let (_, clean) = state.split_once("silver/orders_clean\n").unwrap();
    let (clean, _) = clean.split_once("checkpoint").unwrap();
    assert_eq!(
        clean,
        "  1,2024-05-01,10.00,2,4,true
  2,2024-05-02,20.50,2,4,false
  3,2024-05-02,7.00,2,4,false
  4,2024-05-01,20.50,2,4,false
gold/daily
  2024-05-01,30.50,2
  2024-05-02,27.50,2
silver/orders_clean__clusters
  1,2
  2,2
  3,2
  4,2
silver/orders_clean__cluster_log
  2024-05-04 00:00:00+00,merged,1,2,1
"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calm_merge_of_compared_rows_ends_in_this() {
    let (_, state) = Before::a_compared_merge().await.calm().await;
    let (_, beside) = state.split_once("silver/orders_clean__clusters\n").unwrap();
    let (beside, _) = beside.split_once("checkpoint").unwrap();
    // log2(31), as one level weighs; the share of matches is a half and weighs nothing.
    assert_eq!(
        beside,
        "  1,2
  2,2
  3,2
  4,2
silver/orders_clean__cluster_log
  2024-05-04 00:00:00+00,merged,1,2,1
silver/orders_clean__pairs
  0.96875,4.954196310386875,1,4,1,0
  0.96875,4.954196310386875,2,3,1,0
  0.96875,4.954196310386875,2,4,1,1
"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_merge_by_death() {
    let before = Before::a_compared_merge().await;
    check(before, &[Fault::DiesAfter], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_merge_by_a_wrong_answer() {
    check(Before::a_merge().await, &[Fault::Lies], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_rebuild_by_a_refusal() {
    let once = |n| Fault::Refuses(n, 1);
    check(Before::a_rebuild().await, &[once], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_are_set_aside_end_in_one_place() {
    let (_, state) = Before::rows_aside().await.calm().await;
    let (_, clean) = state.split_once("silver/orders_clean\n").unwrap();
    let (clean, _) = clean.split_once("checkpoint").unwrap();
    assert_eq!(
        clean,
        "  1,2024-05-01,10.00
gold/daily
  2024-05-01,10.00,1
silver/orders_clean__quarantine
  2,2024-05-01,20.50,[usual]
  5,2024-05-02,1.00,[usual]
"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rows_aside_by_death() {
    check(Before::rows_aside().await, &[Fault::DiesAfter], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rows_aside_by_a_wrong_answer() {
    check(Before::rows_aside().await, &[Fault::Lies], Then::Retry).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_with_a_key_end_once() {
    let (_, state) = Before::rows_with_a_key().await.calm().await;
    let (_, clean) = state.split_once("silver/orders_clean\n").unwrap();
    let (clean, _) = clean.split_once("gold/daily").unwrap();
    assert_eq!(
        clean,
        "  1,2024-05-04,11.00\n  2,2024-05-01,20.50\n  8,2024-05-04,2.00\n"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rows_with_a_key_by_death() {
    let before = Before::rows_with_a_key().await;
    check(before, &[Fault::DiesAfter], Then::Run).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_rows_with_a_key_by_a_wrong_answer() {
    check(Before::rows_with_a_key().await, &[Fault::Lies], Then::Retry).await;
}
