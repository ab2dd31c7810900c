//! Very many runs by messages, each over a storage, a queue and hosts that misbehave as a number has it.
//!
//! What decides is the code that runs on Azure: the timer's and the messages' answers, the steps, the ledger, the state of runs, the look at
//! the lake. Only the work of a task is simulated: its commits are what [`shop::Shop`] makes of them. Time is simulated too, so a day takes a
//! millisecond. A number that fails is told, and does the same each time.

mod damage;
mod host;
mod shop;
mod sound;
mod time;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use host::Host;
use shop::Shop;
use time::Time;

/// Numbers by chance, the same each time.
#[derive(Clone)]
struct Chance(Arc<AtomicU64>);

impl Chance {
    fn of(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// A number below this one.
    fn below(&self, bound: u64) -> u64 {
        let state = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }

    /// Whether something happens that happens so often in a thousand times.
    fn happens(&self, permille: u64) -> bool {
        self.below(1000) < permille
    }
}

/// A day or more of a shop's runs; panics when something is lost, doubled, mixed up or never ends.
fn live_through(seed: u64) {
    let time = Time::default();
    time.runtime().block_on(async {
        let shop = Shop::open(Chance::of(seed), time.clone());
        let host = Host::start(Arc::clone(&shop));
        host.until_all_is_quiet().await;
        sound::check(&shop).await;
    });
}

/// Ten thousand messages for three hosts and two timers, three in ten of them twice and one in a hundred garbage; panics as above.
fn live_through_a_flood(seed: u64) {
    let time = Time::default();
    time.runtime().block_on(async {
        let shop = Shop::open(Chance::of(seed), time.clone());
        let host = Host::of(Arc::clone(&shop), 3);
        host.under_load(10_000).await;
        sound::check(&shop).await;
    });
}

/// Each of these numbers, a process of as many threads as there are.
fn each(seeds: std::ops::Range<u64>) {
    let next = AtomicU64::new(seeds.start);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    let failed = || failed.lock().unwrap_or_else(PoisonError::into_inner);
                    if seed >= seeds.end || failed().is_some() {
                        return;
                    }
                    if std::panic::catch_unwind(|| live_through(seed)).is_err() {
                        failed().get_or_insert(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(failed, None, "the number that fails");
}

#[test]
fn nothing_is_lost_or_doubled() {
    each(0..1_000);
}

/// Numbers that have found something, here or in the simulation itself.
#[test]
fn numbers_that_failed_once() {
    for seed in [15, 251, 19_512] {
        live_through(seed);
    }
}

/// `cargo test -p comboi-run --lib -- --ignored --exact simulated::ten_thousand_messages`
#[test]
#[ignore = "takes minutes; for whoever changes the protocol"]
fn ten_thousand_messages() {
    live_through_a_flood(2);
}

#[test]
#[ignore = "takes seven minutes; for whoever changes the protocol"]
fn nothing_is_lost_or_doubled_in_twenty_thousand_simulations() {
    each(1_000..21_000);
}
