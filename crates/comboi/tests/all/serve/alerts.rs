//! The log that alerts go by. What the program writes is held to `terraform/alerts/recorded/`, and scripts/check-terraform asks the alerts'
//! queries over what is recorded there.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use comboi_test::{FunctionsHost, Timer};
use serde_json::{Map, Value};

use super::App;
use crate::two_folders::slow_run_that_logs;
use crate::world::{SMALL_CONTRACT, World};

/// Fields that differ each time, and texts, which no alert may go by.
const LEFT_OUT: [&str; 8] = [
    "timestamp",
    "target",
    "message",
    "elapsed_ms",
    "error",
    "message_id",
    "request",
    "slot",
];

fn record(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../terraform/alerts/recorded");
    folder.join(format!("{name}.jsonl"))
}

/// The lines of these events, in an order of their own: errors come by another way than the rest.
fn events(lines: &[String], wanted: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = lines
        .iter()
        .filter_map(|line| serde_json::from_str(line.trim_start_matches("! ")).ok())
        .filter_map(|line: Map<String, Value>| {
            let event = line.get("event")?.as_str()?;
            wanted.contains(&event).then(|| line.clone())
        })
        .map(|mut line| {
            line.retain(|field, _| !LEFT_OUT.contains(&field.as_str()));
            if let Some(age) = line.get_mut("oldest_seconds") {
                *age = Value::from(age.as_u64().unwrap().min(1));
            }
            serde_json::to_string(&line).unwrap()
        })
        .collect();
    found.sort();
    found
}

/// Holds lines to those that were recorded. A record that is not there is written, to be looked at.
fn check(name: &str, found: &[String]) {
    let file = record(name);
    let text = found.join("\n") + "\n";
    match std::fs::read_to_string(&file) {
        Ok(recorded) => assert_eq!(text, recorded, "{}", file.display()),
        Err(_) => {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            panic!("{} was written anew", file.display());
        }
    }
}

/// The same for a handler, whose lines may come after its answer.
fn check_host(name: &str, host: &FunctionsHost, wanted: &[&str]) {
    let recorded = std::fs::read_to_string(record(name)).map_or(0, |text| text.lines().count());
    let begun = Instant::now();
    let patience = Duration::from_secs(if recorded == 0 { 2 } else { 10 });
    loop {
        let found = events(&host.lines(), wanted);
        if (recorded > 0 && found.len() == recorded) || begun.elapsed() > patience {
            return check(name, &found);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

const RUN: [&str; 3] = ["run_began", "run_ended", "dataset_late"];

/// A run of the whole app, by the timer.
fn check_run(name: &str, app: &App) {
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    check_host(name, &host, &RUN);
}

#[test]
fn a_run_that_succeeds() {
    check_run("succeeded", &App::small());
}

#[test]
fn a_run_of_which_a_task_fails() {
    let app = App::small();
    let sql = "SELECT id, day, error('no') AS amount FROM orders\n";
    app.world()
        .write("transformations/sql/orders_clean.sql", sql);
    check_run("task_failed", &app);
}

#[test]
fn a_run_that_breaks_a_contract() {
    let app = App::small();
    app.world()
        .write("in/orders/bad.csv", "id,day,amount\n9,2024-05-01,-1\n");
    check_run("contract_broken", &app);
}

#[test]
fn a_run_whose_data_are_old() {
    let app = App::small();
    let sla = "sla:\n  freshness: {max_age_hours: 24, column: day}\n";
    app.world().write(
        "transformations/contracts/orders_clean.yml",
        format!("{SMALL_CONTRACT}{sla}"),
    );
    check_run("late", &app);
}

#[test]
fn a_run_that_sets_rows_aside() {
    let app = App::small();
    let config = app.world().read("configs/default.yml");
    let config = config.replace(
        "    path: in\n",
        "    path: in\n    on_bad_row: quarantine\n",
    );
    app.world().write("configs/default.yml", config);
    app.world().write(
        "in/orders/bad.csv",
        "id,day,amount\nnine,2024-05-01,1\n4,2024-05-01,1\n",
    );
    check_run("rows_set_aside", &app);
}

#[test]
fn a_message_that_is_refused() {
    let app = App::small();
    let host = app.host();
    app.send("bronze");
    app.drain(&host);
    check_host("refused", &host, &["message_refused"]);
}

#[test]
fn a_message_that_failed_too_often() {
    let app = App::small();
    let host = app.host();
    assert!(host.by_hand(
        "poison",
        r#"{"stage":"bronze","remaining":["silver","gold"]}"#
    ));
    app.drain(&host);
    check_host("poisoned", &host, &["message_poisoned"]);
}

#[test]
fn a_stage_that_is_given_up() {
    let app = App::small();
    std::fs::remove_dir_all(app.world().path("executor")).unwrap();
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    let again = r#"{"stage":"bronze","remaining":["silver","gold"],"poisoned":1,"run":1}"#;
    assert!(host.by_hand("poison", again));
    check_host("given_up", &host, &["run_began", "stage_given_up"]);
}

#[test]
fn a_message_that_nobody_can_read() {
    let app = App::small();
    let host = app.host();
    app.put("not base64!");
    host.drain(&[&app.tasks]);
    assert!(host.fire("driver", Timer::NoMonitor));
    host.drain(&[&app.tasks]);
    check_host("not_base64", &host, &["poison_left"]);
}

#[test]
fn messages_that_nobody_takes() {
    let app = App::small();
    for function in ["executor", "poison"] {
        std::fs::remove_dir_all(app.world().path(function)).unwrap();
    }
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    std::thread::sleep(Duration::from_millis(2100));
    assert!(host.fire("driver", Timer::NoMonitor));
    check_host("waiting", &host, &["queue_seen"]);
}

#[test]
fn an_invocation_that_fails() {
    let app = App::small();
    app.world().write("configs/default.yml", "sources: 7\n");
    let host = app.host();
    assert!(!host.fire("driver", Timer::First));
    check_host("invocation_failed", &host, &["invocation_failed"]);
}

const JSON: [&str; 2] = ["--log-format", "json"];

/// What a command logs for a machine: the job of terraform/ runs it so.
fn logged(run: std::process::Output) -> Vec<String> {
    let text = String::from_utf8(run.stderr).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_run_that_is_killed_and_one_that_is_stopped() {
    let world = World::small();
    world.run();
    let mut killed = slow_run_that_logs(&world, &JSON);
    killed.kill().unwrap();
    killed.wait().unwrap();
    // The next one tells of it.
    let mut next = world.command(&["run", "bronze"]);
    let next = next.args(JSON).output().unwrap();
    check("killed", &events(&logged(next), &RUN));

    let slow = slow_run_that_logs(&world, &JSON);
    let mut kill = Command::new("kill");
    let kill = kill.args(["-TERM", &slow.id().to_string()]).status();
    assert!(kill.unwrap().success());
    let slow = slow.wait_with_output().unwrap();
    check("stopped", &events(&logged(slow), &RUN));
}
