//! The repository's own project, over its own generated files, held to figures that another program works out from
//! the raw files without SQL.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::world::{World, copy_folder};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The demo's project in a folder of its own.
fn demo() -> World {
    let world = World::new();
    for folder in ["configs", "transformations"] {
        copy_folder(&repository().join(folder), &world.path(folder));
    }
    world
}

fn script(name: &str, words: &[&str]) -> String {
    let output = Command::new(repository().join("scripts").join(name))
        .args(words)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{name}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Lets a day's files arrive, runs, and says what the run added to each table of the source.
fn arrive(world: &World, day: &str) -> Vec<String> {
    let folder = world.path("data/incoming/shop");
    script("demo-data", &[day, folder.to_str().unwrap()]);
    let outcomes = world.outcomes(&["run", "all"]);
    assert!(
        outcomes
            .iter()
            .all(|outcome| outcome.contains(" succeeded ")),
        "{outcomes:#?}\n{}",
        world.read("logs/pipeline.log")
    );
    outcomes
        .into_iter()
        .filter(|outcome| outcome.starts_with("bronze/"))
        .collect()
}

/// Compares the lake with what the other program expects of the files that are there.
fn check(world: &World) -> Value {
    let folder = world.path("data/incoming/shop");
    let expected: Value =
        serde_json::from_str(&script("demo-expected", &[folder.to_str().unwrap()])).unwrap();
    for stage in ["bronze", "silver", "gold"] {
        for (name, rows) in expected[stage].as_object().unwrap() {
            let id = if stage == "bronze" {
                format!("bronze/shop/{name}")
            } else {
                format!("{stage}/{name}")
            };
            let listed = world.json(&["ls"]);
            let found = listed
                .as_array()
                .unwrap()
                .iter()
                .find(|entry| entry["dataset"] == id.as_str())
                .unwrap();
            assert_eq!(&found["rows"], rows, "{id}");
        }
    }
    expected
}

/// The sum of a column as the lake has it, in hundredths, added up from its text.
fn sum(world: &World, dataset: &str, column: &str) -> i64 {
    let shown = world.json(&["show", dataset, "-n", "1000000"]);
    let place = shown["columns"]
        .as_array()
        .unwrap()
        .iter()
        .position(|name| name == column)
        .unwrap();
    let hundredths = |row: &Value| {
        let text = row[place].as_str().unwrap();
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let sign = if text.starts_with('-') { -1 } else { 1 };
        whole.parse::<i64>().unwrap() * 100 + sign * format!("{part:0<2}").parse::<i64>().unwrap()
    };
    shown["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(hundredths)
        .sum()
}

#[test]
fn two_days_arrive_and_the_second_run_takes_only_the_second_day() {
    let world = demo();
    world.expect(0, &["validate"]);
    let first = arrive(&world, "day1");
    check(&world);
    let second = arrive(&world, "day2");
    let expected = check(&world);
    for (table, total) in expected["bronze"].as_object().unwrap() {
        let rows = |outcomes: &[String]| -> u64 {
            let line = outcomes
                .iter()
                .find(|line| line.starts_with(&format!("bronze/shop/{table} ")))
                .unwrap();
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(
            rows(&second) > 0 && rows(&second) < rows(&first),
            "{table}: {first:?} {second:?}"
        );
        assert_eq!(
            Some(rows(&first) + rows(&second)),
            total.as_u64(),
            "{table}"
        );
    }
    let revenue = expected["sums"].as_object().unwrap();
    assert!(!revenue.is_empty());
    for (name, value) in revenue {
        let (dataset, column) = name.rsplit_once('.').unwrap_or_else(|| panic!("{name}"));
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        let (whole, part) = text.split_once('.').unwrap_or((&text, "0"));
        let wanted =
            whole.parse::<i64>().unwrap() * 100 + format!("{part:0<2}").parse::<i64>().unwrap();
        assert_eq!(sum(&world, dataset, column), wanted, "{name}");
    }
}

#[test]
fn exactly_one_rule_warns_and_none_fails() {
    let world = demo();
    arrive(&world, "day1");
    let report = world.json(&["run", "all", "--rebuild"]);
    let verdicts = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|task| task["verdicts"].as_array().unwrap());
    let broken: Vec<&str> = verdicts
        .filter(|verdict| verdict["outcome"] != "passed")
        .map(|verdict| verdict["rule"].as_str().unwrap())
        .collect();
    assert_eq!(broken, ["emails_look_valid"]);
}

#[test]
fn the_template_for_production_has_no_mistake() {
    let world = demo();
    world.expect(0, &["validate", "--config", "configs/initial.yml"]);
}
