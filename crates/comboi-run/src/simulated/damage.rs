//! State of a run under way that somebody has laid hands on: the next timer finds a way, or somebody is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::Chance;
use super::shop::{Process, Shop, plan};
use super::sound;
use super::time::Time;
use crate::by_message::Answer;
use crate::message::TaskMessage;

const CONFIG: &str = "configs/shop.yml";
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
enum Damage {
    CutShort,
    Emptied,
    Zeroed,
    Gone,
    OtherJson,
    /// It is whole, and belongs elsewhere or to another time.
    Misplaced,
}

/// What is there when bronze is through.
const OBJECTS: [&str; 5] = [
    OPEN,
    "shop/requests/timer-1",
    "shop/runs/000000000001/plan.json",
    RECEIPT,
    "shop/runs/000000000001/alive",
];
/// There only until the run has ended.
const OPEN: &str = "shop/open/messages/000000000001";
const RECEIPT: &str = "shop/runs/000000000001/receipts/bronze/shop/orders.json";
/// Another one.
const RETURNS: &str = "shop/runs/000000000001/receipts/bronze/shop/returns.json";
/// What is there besides when the run has ended.
const END: &str = "shop/runs/000000000001/closed.json";

/// What the object might be taken for, whole as it is.
fn misplaced(object: &str, contents: &BTreeMap<String, Bytes>) -> Bytes {
    let text = |name: &str| String::from_utf8(contents[name].to_vec()).expect("it is text");
    match object {
        "shop/requests/timer-1" => "7".into(),
        RECEIPT => contents[RETURNS].clone(),
        object => text(object).replace("\"run\":1,", "\"run\":7,").into(),
    }
}

async fn message(process: &Process, message: &TaskMessage, number: u64) -> Answer {
    let plan = plan();
    let name = format!("m{number}");
    let runner = &process.runner;
    let answer = runner.on_message(&name, message, CONFIG, plan, None).await;
    answer.unwrap_or_default()
}

async fn timer(process: &Process, number: u64) -> Result<Answer, String> {
    let plan = plan();
    let slot = format!("timer-{number}");
    let answer = process.runner.on_timer(&slot, CONFIG, plan).await;
    answer.map_err(|e| e.to_string())
}

/// `ended`: whether the run has ended before the damage.
async fn check(object: &str, damage: Damage, ended: bool, shop: &Arc<Shop>) {
    shop.misbehaves.store(false, Ordering::SeqCst);
    let process = shop.process();
    let begun = timer(&process, 1).await.expect("a run begins");
    let mut messages = message(&process, &begun.send[0], 1).await.send;
    while ended && let Some(next) = messages.pop() {
        messages.extend(message(&process, &next, 1).await.send);
    }
    if ended {
        // A message of it comes again.
        messages.clone_from(&begun.send);
    }
    let contents = comboi_test::contents(shop.store.as_ref()).await;
    let names: Vec<&String> = contents.keys().collect();
    let bytes = contents.get(object);
    let bytes = bytes.unwrap_or_else(|| panic!("{object} is none of {names:?}"));
    let store = shop.store.as_ref();
    match damage {
        Damage::CutShort => {
            comboi_test::put(store, object, bytes.slice(..bytes.len() / 2)).await;
        }
        Damage::Emptied => comboi_test::put(store, object, Vec::new()).await,
        Damage::Misplaced => comboi_test::put(store, object, misplaced(object, &contents)).await,
        Damage::Zeroed => comboi_test::put(store, object, vec![0; bytes.len()]).await,
        Damage::Gone => comboi_test::remove(store, object).await,
        Damage::OtherJson => comboi_test::put(store, object, "{\"name\": \"other\"}").await,
    }
    shop.sells();
    for hour in 2..6 {
        while let Some(next) = messages.pop() {
            messages.extend(message(&process, &next, hour).await.send);
        }
        shop.time.sleep(HOUR).await;
        match timer(&process, hour).await {
            Ok(answer) => messages = answer.send,
            Err(told) => panic!("{object} {damage:?}: {told}"),
        }
    }
    while let Some(next) = messages.pop() {
        messages.extend(message(&process, &next, 6).await.send);
    }
    let open = process
        .runner
        .open_runs()
        .await
        .expect("nothing is damaged that counts");
    assert!(open.is_empty(), "{object} {damage:?}: {open:?}");
    sound::of_lake(shop).await;
}

#[test]
fn the_next_run_does_what_a_damaged_one_can_not() {
    let under_way = OBJECTS.map(|object| (object, false));
    let ended = OBJECTS
        .into_iter()
        .filter(|object| *object != OPEN)
        .chain([END])
        .map(|object| (object, true));
    for (object, ended) in under_way.into_iter().chain(ended) {
        for damage in [
            Damage::CutShort,
            Damage::Emptied,
            Damage::Zeroed,
            Damage::Gone,
            Damage::OtherJson,
            Damage::Misplaced,
        ] {
            let time = Time::default();
            time.runtime().block_on(async {
                let shop = Shop::open(Chance::of(7), time.clone());
                check(object, damage, ended, &shop).await;
            });
        }
    }
}
