//! Datasets in the lake that no file of the project names.

use crate::world::{SMALL_TRANSFORMATIONS, World};

/// The gold dataset `daily` is `per_day` now.
fn renamed() -> World {
    let world = World::small();
    world.run();
    world.write(
        "configs/transformations.yml",
        SMALL_TRANSFORMATIONS.replace("name: daily", "name: per_day"),
    );
    let sql = world.read("transformations/sql/daily.sql");
    world.write("transformations/sql/per_day.sql", sql);
    world
}

const TOLD: &str = "in the lake, not in the project: gold/daily (1 row)";

#[test]
fn they_are_told_of() {
    let world = renamed();
    for command in ["ls", "doctor", "retention"] {
        let told = world.expect(0, &[command]).out;
        assert!(told.contains(TOLD), "{command}: {told}");
    }
    let told = world.expect(0, &["verify"]).out;
    assert!(
        told.contains(
            "3 datasets, 3 files, 1 run: all sound.\nIn the lake, not in the project: gold/daily."
        ),
        "{told}"
    );
    assert_eq!(world.rows("daily"), ["2024-05-01,30.50,2"]);
    world.expect(0, &["history", "gold/daily"]);
    world.expect(0, &["vacuum", "daily"]);
    let all = world.json(&["ls"]);
    let last = all.as_array().unwrap().last().unwrap();
    assert_eq!(
        (&last["dataset"], &last["in_project"]),
        (&"gold/daily".into(), &false.into())
    );
    assert_eq!(last["rows"], 1);
    assert_eq!(last["pipeline"], "default");
    let all = world.json(&["retention"]);
    assert_eq!(all[0]["dataset"], "gold/daily", "{all:#}");
    assert_eq!(all[0]["in_project"], false);
    assert_eq!(world.json(&["verify"])["not_in_project"][0], "gold/daily");
}

#[test]
fn one_is_dropped() {
    let world = renamed();
    let told = world.expect(2, &["drop", "daily"]);
    assert!(
        told.err
            .contains("nothing was deleted; `comboi drop gold/daily --yes`"),
        "{}",
        told.err
    );
    assert_eq!(world.rows("daily").len(), 1);
    // A file of somebody else's in another folder stays.
    world.write("data/gold/metrics/notes.txt", "mine");
    let dropped = world.json(&["drop", "daily", "--yes"]);
    assert_eq!(dropped["dataset"], "gold/daily", "{dropped:#}");
    assert_eq!(dropped["rows"], 1);
    assert_eq!(world.read_folder("data/gold/metrics"), ["notes.txt"]);
    assert_eq!(world.json(&["runs"])[0]["kind"], "drop");
    let told = world.expect(2, &["drop", "daily", "--yes"]).err;
    assert!(told.contains("daily"), "{told}");
    assert!(!world.expect(0, &["ls"]).out.contains("not in the project"));
    world.expect(0, &["verify"]);
    let told = world
        .expect(2, &["drop", "silver/orders_clean", "--yes"])
        .err;
    assert!(
        told.contains("take it out of the configuration first"),
        "{told}"
    );
    assert_eq!(world.rows("orders_clean").len(), 2);
}

#[test]
fn one_is_renamed() {
    let world = renamed();
    let refused = world.expect(2, &["rename", "daily", "weekly"]).err;
    assert!(
        refused.contains("give the dataset its new name in the configuration first"),
        "{refused}"
    );
    let refused = world.expect(2, &["rename", "daily", "orders_clean"]).err;
    assert!(refused.contains("are of two stages"), "{refused}");
    let renamed = world.json(&["rename", "daily", "per_day"]);
    assert_eq!(
        (&renamed["from"], &renamed["to"]),
        (&"gold/daily".into(), &"gold/per_day".into())
    );
    assert_eq!(renamed["rows"], 1);
    assert_eq!(
        world.read_folder("data/gold/metrics"),
        ["per_day", "per_day.parquet"]
    );
    assert_eq!(world.rows("per_day"), ["2024-05-01,30.50,2"]);
    world.expect(0, &["show", "per_day", "--version", "0"]);
    world.expect(0, &["verify", "--deep"]);
    assert!(!world.expect(0, &["ls"]).out.contains("not in the project"));
    world.run();
    // What was built in the meantime keeps its name.
    let taken = self::renamed();
    taken.run();
    let told = taken.expect(1, &["rename", "daily", "per_day"]).err;
    assert!(
        told.contains("`gold/per_day` is in the lake already"),
        "{told}"
    );
    assert_eq!(taken.rows("daily").len(), 1);
}
