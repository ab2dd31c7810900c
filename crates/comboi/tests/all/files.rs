//! What lies in the lake can be read by others.

use crate::world::{SMALL_CONFIG, World};

#[test]
fn the_published_file_is_the_current_version() {
    let world = World::small();
    world.run();
    let file = "data/gold/metrics/daily.parquet";
    let first = std::fs::read(world.path(file)).unwrap();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    let second = std::fs::read(world.path(file)).unwrap();
    assert_ne!(first, second);
    let said = world.expect(0, &["show", "gold/daily"]);
    assert!(said.out.contains("2024-05-02"), "{}", said.out);
    assert_eq!(
        world
            .files("data/gold/metrics")
            .iter()
            .filter(|name| name.ends_with(".parquet") && !name.contains('/'))
            .count(),
        1
    );
}

#[test]
fn a_published_file_that_is_gone_comes_back_with_the_next_run() {
    let world = World::small();
    world.run();
    std::fs::remove_file(world.path("data/gold/metrics/daily.parquet")).unwrap();
    world.run();
    assert!(world.path("data/gold/metrics/daily.parquet").is_file());
}

#[test]
fn bad_rows_are_put_aside_once_with_their_line() {
    let world = World::small();
    let config = world.read("configs/default.yml").replace(
        "        files:",
        "        on_bad_row: quarantine\n        files:",
    );
    world.write("configs/default.yml", config);
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\nx,2024-05-01,1.00\n2,2024-05-01,20.50\n",
    );
    let report = world.json(&["run", "all"]);
    assert_eq!(report["tasks"][0]["quarantined_rows"], 1);
    assert_eq!(
        world.rows("bronze/shop/orders"),
        ["1,2024-05-01,10.00", "2,2024-05-01,20.50"]
    );
    let aside = world.rows("bronze/shop/orders__quarantine");
    assert_eq!(aside.len(), 1);
    assert!(
        aside[0].starts_with("3,"),
        "the bad row stands on line 3: {}",
        aside[0]
    );
    world.expect(0, &["reset-checkpoint", "--source", "shop"]);
    world.run();
    assert_eq!(
        world.rows("bronze/shop/orders__quarantine").len(),
        1,
        "found again, kept once"
    );
}

#[test]
fn what_the_sources_have_is_left_alone() {
    let world = World::small();
    let before = world.read("in/orders/day1.csv");
    world.run();
    assert_eq!(world.read("in/orders/day1.csv"), before);
    assert_eq!(world.files("in"), ["orders/day1.csv"]);
}

/// A file that nobody asks for can be gone: so it is seen that a run that adds new files reads none of the table's own.
#[test]
fn new_files_are_added_without_the_table_s_own() {
    let world = World::small();
    let config = world.read("configs/default.yml");
    let types_are_found = config.lines().filter(|line| !line.contains("columns:"));
    world.write(
        "configs/default.yml",
        types_are_found.collect::<Vec<_>>().join("\n"),
    );
    let bronze = |outcome: &str| format!("bronze/shop/orders {outcome}");
    let run = || world.outcomes(&["run", "bronze"]);
    assert_eq!(run(), [bronze("succeeded 2")]);
    let folder = world.path("data/bronze/shop/orders");
    let entries = std::fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().path());
    let parts: Vec<_> = entries
        .filter(|it| it.extension().is_some_and(|it| it == "parquet"))
        .collect();
    let [part] = parts.as_slice() else {
        panic!("{parts:?}")
    };
    let away = part.with_extension("away");
    std::fs::rename(part, &away).unwrap();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    assert_eq!(run(), [bronze("succeeded 1")]);
    // A wider type: older rows are written anew, for which they have to be there.
    world.write(
        "in/orders/day3.csv",
        "id,day,amount\n4.5,2024-05-03,1.00\n5,2024-05-03,1.00\n",
    );
    assert_eq!(run(), [bronze("failed 0")]);
    std::fs::rename(&away, part).unwrap();
    assert_eq!(run(), [bronze("succeeded 2")]);
    let rows = world.rows("bronze/shop/orders");
    let ids: Vec<&str> = rows
        .iter()
        .map(|row| row.split(',').next().unwrap())
        .collect();
    assert_eq!(ids, ["1.0", "2.0", "3.0", "4.5", "5.0"]);
}

/// Rows aside of files that are read again are written anew.
#[test]
fn rows_aside_stay_when_a_table_grows_by_a_column() {
    let world = World::small();
    let grows = SMALL_CONFIG.replace(
        "        files:",
        "        incremental_column: id\n        on_bad_row: quarantine\n        files:",
    );
    world.write("configs/default.yml", grows);
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,soon,1.00\n",
    );
    world.expect(0, &["run", "bronze"]);
    world.write(
        "in/orders/day2.csv",
        "id,day,amount\n3,2024-05-02,10.00\n4,later,1.00\n",
    );
    world.expect(0, &["run", "bronze"]);
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,1.00\n5,2024-05-03,1.00\n",
    );
    world.expect(0, &["run", "bronze"]);
    let aside = world
        .expect(
            0,
            &[
                "quarantine",
                "show",
                "bronze/shop/orders",
                "--output",
                "json",
            ],
        )
        .out;
    assert!(
        aside.contains("later") && !aside.contains("soon"),
        "{aside}"
    );
    assert_eq!(world.rows("bronze/shop/orders").len(), 3);
}
