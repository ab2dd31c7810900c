//! What lies in the lake can be read by others.

use crate::world::World;

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
