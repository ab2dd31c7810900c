//! A run is planned for a tick of the timer, and whoever plans it dies at any write: the next ticks are not held up.

use std::collections::VecDeque;
use std::sync::Arc;

use comboi_plan::Plan;
use comboi_run::{Clock, RunStatus, Runner};
use comboi_test::{Fault, Faulty, Store, copy, memory};

use crate::shop::{Shop, state};

/// A tick, and everything that follows of it.
async fn tick(runner: &Runner, slot: &str) {
    let plan = || Plan::of_everything(&runner.project);
    let answer = runner.on_timer(slot, "configs/shop.yml", plan()).await;
    let mut queue = VecDeque::from(answer.unwrap().send);
    let mut number = 0;
    while let Some(message) = queue.pop_front() {
        number += 1;
        let name = format!("{slot}-{number}");
        let answer = runner
            .on_message(&name, &message, "configs/shop.yml", plan(), None)
            .await;
        queue.extend(answer.unwrap().send);
    }
}

/// A runner so many minutes from now, by the clock of the store.
fn in_minutes(minutes: i64, runner: Runner) -> Runner {
    let time = Clock::system().now() + chrono::TimeDelta::minutes(minutes);
    Runner {
        clock: Clock::stopped_at(time),
        ..runner
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_whose_beginning_was_cut_off_ends() {
    let (shop, before) = (Shop::with_days(1), memory());
    let calm = copy(before.as_ref()).await;
    let counting = Faulty::new(Arc::clone(&calm));
    let runner = in_minutes(0, shop.runner(Arc::clone(&counting) as Store));
    let plan = Plan::of_everything(&runner.project);
    runner.begin("slot-1", plan.clone()).await.unwrap();
    let writes = counting.writes();
    assert!(writes >= 3, "plan, request, note: {:?}", counting.log());
    tick(&in_minutes(15, shop.runner(Arc::clone(&calm))), "slot-1").await;
    let expected = state(&calm).await;
    let kinds: [fn(usize) -> Fault; 4] = [
        Fault::DiesBefore,
        Fault::DiesAfter,
        Fault::Lies,
        Fault::Exists,
    ];
    for fault in kinds.iter().flat_map(|kind| (0..writes).map(kind)) {
        let store = copy(before.as_ref()).await;
        let faulty = Faulty::with(fault, Arc::clone(&store));
        // Whether it was told that it succeeded makes no difference to those who come after.
        let first = in_minutes(0, shop.runner(faulty as Store));
        drop(first.begin("slot-1", plan.clone()).await);
        let runner = |minutes| in_minutes(minutes, shop.runner(Arc::clone(&store)));
        tick(&runner(15), "slot-2").await;
        tick(&runner(30), "slot-3").await;
        let runner = runner(30);
        let views = comboi_run::runs(&runner.state, 100, runner.clock.now()).await;
        let views = views.unwrap();
        // A plan that nobody began is seen as interrupted, and has its end once a run was planned ten minutes later.
        for view in &views {
            let unbegun = view.status == RunStatus::Interrupted;
            assert!(view.ended_at.is_some() || unbegun, "{fault:?}: {view:?}");
        }
        let good = views
            .iter()
            .filter(|view| view.status == RunStatus::Succeeded);
        assert!(good.count() >= 1, "{fault:?}");
        let open = runner.state.open(comboi_lake::OpenBy::Messages).await;
        assert_eq!(open.unwrap(), [], "{fault:?}");
        assert_eq!(state(&store).await, expected, "{fault:?}");
    }
}

/// A plan that an earlier comboi left, behind which others came since.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_plan_that_nobody_began_holds_up_nothing() {
    let (shop, store) = (Shop::with_days(1), memory());
    // Its plan is its first write.
    let dying = Faulty::with(Fault::DiesAfter(0), Arc::clone(&store));
    let runner = in_minutes(0, shop.runner(dying as Store));
    let plan = Plan::of_everything(&runner.project);
    runner.begin("slot-1", plan).await.unwrap_err();
    shop.run(&store).await;
    let seen = async |runner: &Runner| {
        let views = comboi_run::runs(&runner.state, 100, runner.clock.now()).await;
        let views = views.unwrap();
        let seen = views
            .iter()
            .map(|it| (it.run.0, it.status, it.ended_at.is_some()));
        seen.collect::<Vec<_>>()
    };
    let succeeded = |run| (run, RunStatus::Succeeded, true);
    let runner = |minutes| in_minutes(minutes, shop.runner(Arc::clone(&store)));
    assert_eq!(
        seen(&runner(0)).await,
        [succeeded(2), (1, RunStatus::Interrupted, false)]
    );
    // It may be about to be begun, as long as no run was planned ten minutes later by the clock of the store.
    tick(&runner(20), "slot-2").await;
    assert_eq!(
        seen(&runner(20)).await,
        [
            succeeded(3),
            succeeded(2),
            (1, RunStatus::Interrupted, false)
        ]
    );
}
