//! A run that falls asleep before one of its writes and wakes when the next run is through.

use std::sync::Arc;

use comboi_test::{Fault, Faulty, Store, copy, memory};
use tokio::task::JoinSet;

use crate::shop::{DAILY, Shop, outcomes, rows, run, state};

/// Zombies that are tried at once.
const AT_ONCE: usize = 4;

/// The first day is in the lake and the second one waits. When the run of the second has fallen asleep, the third comes.
async fn zombie(store: Store, asleep_before: usize) -> String {
    let shop = Shop::with_days(2);
    let faulty = Faulty::with(Fault::Waits(asleep_before), Arc::clone(&store));
    let old = shop.runner(Arc::clone(&faulty) as Store);
    let sleeping = tokio::spawn(async move { run(&old).await });
    faulty.waits().await;
    shop.add_day(3);
    shop.run(&store).await;
    faulty.let_go();
    // Whatever it says, it has come too late.
    drop(sleeping.await.unwrap());
    let state = state(&store).await;
    let report = shop.run(&store).await;
    let none = outcomes(&report)
        .iter()
        .all(|task| task.ends_with("skipped 0"));
    assert!(
        none,
        "nothing is left to do: {}",
        outcomes(&report).join("\n")
    );
    state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn brings_back_nothing_and_doubles_nothing() {
    let shop = Shop::with_days(1);
    let first = memory();
    shop.run(&first).await;

    let calm = copy(first.as_ref()).await;
    shop.add_day(2);
    let counting = Faulty::new(copy(first.as_ref()).await);
    shop.run(&(Arc::clone(&counting) as Store)).await;
    shop.add_day(3);
    shop.run(&calm).await;
    assert_eq!(
        rows(&calm, DAILY).await,
        [
            "2024-05-01,30.50,2",
            "2024-05-02,6.25,2",
            "2024-05-03,7.00,1"
        ]
    );
    let calm = state(&calm).await;

    assert!(counting.writes() >= 20, "only {} writes", counting.writes());
    let mut zombies = JoinSet::new();
    for n in 0..counting.writes() {
        if zombies.len() == AT_ONCE {
            let (n, state) = zombies.join_next().await.unwrap().unwrap();
            assert_eq!(
                state,
                calm,
                "asleep before write {n}: {}",
                counting.log()[n]
            );
        }
        let store = copy(first.as_ref()).await;
        zombies.spawn(async move { (n, zombie(store, n).await) });
    }
    while let Some(zombie) = zombies.join_next().await {
        let (n, state) = zombie.unwrap();
        assert_eq!(
            state,
            calm,
            "asleep before write {n}: {}",
            counting.log()[n]
        );
    }
}
