//! State of a run under way that somebody has laid hands on: the next timer finds a way, or somebody is told.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use comboi_plan::Plan;

use super::Chance;
use super::shop::{Process, Shop, project};
use super::sound;
use super::time::Time;
use crate::by_message::Answer;
use crate::message::TaskMessage;

const CONFIG: &str = "configs/shop.yml";
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug)]
enum Damage {
    CutShort,
    Zeroed,
    Gone,
    OtherJson,
}

/// What is there when bronze is through.
const OBJECTS: [&str; 5] = [
    "shop/schedule.json",
    "shop/requests/timer-1",
    "shop/runs/000000000001/plan.json",
    "shop/runs/000000000001/receipts/bronze/shop/orders.json",
    "shop/runs/000000000001/alive",
];

async fn message(process: &Process, message: &TaskMessage, number: u64) -> Answer {
    let plan = Plan::of_everything(project());
    let name = format!("m{number}");
    let runner = &process.runner;
    let answer = runner.on_message(&name, message, CONFIG, plan, None).await;
    answer.unwrap_or_default()
}

async fn timer(process: &Process, number: u64) -> Result<Answer, String> {
    let plan = Plan::of_everything(project());
    let slot = format!("timer-{number}");
    let answer = process.runner.on_timer(&slot, CONFIG, plan).await;
    answer.map_err(|e| e.to_string())
}

async fn check(object: &str, damage: Damage, shop: &Arc<Shop>) {
    shop.misbehaves.store(false, Ordering::SeqCst);
    let process = shop.process();
    let begun = timer(&process, 1).await.expect("a run begins");
    let silver = message(&process, &begun.send[0], 1).await.send;
    let contents = comboi_test::contents(shop.store.as_ref()).await;
    let names: Vec<&String> = contents.keys().collect();
    let bytes = contents.get(object);
    let bytes = bytes.unwrap_or_else(|| panic!("{object} is none of {names:?}"));
    let store = shop.store.as_ref();
    match damage {
        Damage::CutShort => {
            comboi_test::put(store, object, bytes.slice(..bytes.len() / 2)).await;
        }
        Damage::Zeroed => comboi_test::put(store, object, vec![0; bytes.len()]).await,
        Damage::Gone => comboi_test::remove(store, object).await,
        Damage::OtherJson => comboi_test::put(store, object, "{\"name\": \"other\"}").await,
    }
    shop.sells();
    let mut messages = silver;
    for hour in 2..6 {
        while let Some(next) = messages.pop() {
            messages.extend(message(&process, &next, hour).await.send);
        }
        shop.time.sleep(HOUR).await;
        match timer(&process, hour).await {
            Ok(answer) => messages = answer.send,
            Err(told) => {
                assert!(
                    told.contains("`comboi repair`"),
                    "{object} {damage:?}: {told}"
                );
                let mended = process.runner.state.forget_schedule().await;
                mended.expect("it can be taken away");
            }
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
    for object in OBJECTS {
        for damage in [
            Damage::CutShort,
            Damage::Zeroed,
            Damage::Gone,
            Damage::OtherJson,
        ] {
            let time = Time::default();
            time.runtime().block_on(async {
                let shop = Shop::open(Chance::of(7), time.clone());
                check(object, damage, &shop).await;
            });
        }
    }
}
