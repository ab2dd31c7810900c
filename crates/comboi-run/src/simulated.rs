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

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

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

/// Each number of this part of twenty thousand. Parts are tests of their own, so they run side by side.
fn each_of_part(part: u64) {
    for seed in part * 2_500..(part + 1) * 2_500 {
        let lived = std::panic::catch_unwind(|| live_through(seed));
        assert!(lived.is_ok(), "the number that fails: {seed}");
    }
}

macro_rules! nothing_is_lost_or_doubled {
    ($($test:ident $part:literal),*) => {
        $(
            #[test]
            fn $test() {
                each_of_part($part);
            }
        )*
    };
}

nothing_is_lost_or_doubled!(
    nothing_is_lost_or_doubled_1 0,
    nothing_is_lost_or_doubled_2 1,
    nothing_is_lost_or_doubled_3 2,
    nothing_is_lost_or_doubled_4 3,
    nothing_is_lost_or_doubled_5 4,
    nothing_is_lost_or_doubled_6 5,
    nothing_is_lost_or_doubled_7 6,
    nothing_is_lost_or_doubled_8 7
);

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
