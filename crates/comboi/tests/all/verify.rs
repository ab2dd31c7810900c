//! Lakes that somebody has laid hands on.

use crate::azure::Cloud;
use crate::world::World;

fn first(world: &World, folder: &str, ends: &str) -> String {
    let files = world.files(folder);
    let found = files.iter().find(|file| {
        file.ends_with(ends) && !file.contains("_delta_log/") && !file.contains("_files_read/")
    });
    format!("{folder}/{}", found.unwrap())
}

#[test]
fn a_lake_that_is_sound() {
    let world = World::small();
    assert_eq!(
        world.expect(0, &["verify"]).out,
        "0 datasets, 0 files, 0 runs: all sound.\n"
    );
    world.run();
    assert_eq!(
        world.expect(0, &["verify"]).out,
        "3 datasets, 3 files, 1 run: all sound.\n"
    );
    let cloud = Cloud::small();
    cloud.world.run();
    assert_eq!(
        cloud.world.expect(0, &["verify"]).out,
        "3 datasets, 3 files, 1 run: all sound.\n"
    );
}

#[test]
fn a_flipped_bit() {
    let (world, cloud) = (World::small(), Cloud::small());
    for (world, bronze) in [
        (&world, Some("data/bronze/shop/orders")),
        (&cloud.world, None),
    ] {
        world.run();
        assert_eq!(
            world.expect(0, &["verify", "--deep"]).out,
            "3 datasets, 3 files, 1 run: all sound.\nDigests of 6 files checked, of all kept versions; 0 without a digest not checked.\n"
        );
        let Some(bronze) = bronze else { continue };
        let file = first(world, bronze, ".parquet");
        let mut bytes = std::fs::read(world.path(&file)).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        world.write(&file, &bytes);
        world.expect(0, &["verify"]);
        let told = world.expect(1, &["verify", "--deep"]).out;
        assert!(
            told.contains(
                "`bronze/shop/orders` is damaged: a file has other bytes than were written"
            ),
            "{told}"
        );
        let json = world.json(&["verify", "--deep"]);
        let digests = serde_json::json!({ "checked": 6, "not_checked": 0 });
        assert_eq!(json["digests"], digests, "{json:#}");
        assert_eq!(world.json(&["verify"])["digests"], serde_json::Value::Null);
        let shown = world.expect(1, &["show", "bronze/shop/orders"]).err;
        assert!(shown.contains("its digest differs"), "{shown}");
    }
}

#[test]
fn what_can_be_mended_is_mended() {
    let world = World::small();
    world.run();
    let published = "data/gold/metrics/daily.parquet";
    std::fs::remove_file(world.path(published)).unwrap();
    let told = world.expect(1, &["verify"]).out;
    assert!(
        told.contains("gold/daily: its file is not where readers"),
        "{told}"
    );
    assert!(told.contains("`comboi repair` mends 1 of them."), "{told}");
    world.expect(0, &["repair"]);
    assert!(world.path(published).is_file());
    assert_eq!(
        world.expect(0, &["verify"]).out,
        "3 datasets, 3 files, 1 run: all sound.\n"
    );
    assert_eq!(world.json(&["run", "all"])["run"], 2);
}

#[test]
fn what_can_not_be_mended_is_named() {
    let world = World::small();
    world.run();
    let file = first(&world, "data/silver/refined/orders_clean", ".parquet");
    std::fs::remove_file(world.path(&file)).unwrap();
    let bronze = first(&world, "data/bronze/shop/orders", ".parquet");
    let bytes = std::fs::read(world.path(&bronze)).unwrap();
    world.write(&bronze, &bytes[1..]);
    world.write(
        "data/bronze/_comboi/runs/default/runs/000000000001/plan.json",
        "{",
    );
    for command in ["verify", "repair"] {
        let told = world.expect(1, &[command]).out;
        assert!(
            told.contains("`silver/orders_clean` is damaged: a file is missing"),
            "{told}"
        );
        assert!(
            told.contains("`bronze/shop/orders` is damaged: a file has"),
            "{told}"
        );
        assert!(
            told.contains("run 1: the plan of run 1 is damaged"),
            "{told}"
        );
        assert!(!told.contains("mends"), "{told}");
    }
    let json = world.json(&["verify"]);
    assert_eq!(json["flaws"].as_array().unwrap().len(), 3, "{json:#}");
}

/// A lake that was brought back from an older copy, beside runs that know better.
#[test]
fn a_lake_that_went_back() {
    let world = World::small();
    world.run();
    let before = world.copy();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    for table in ["data/bronze/shop", "data/silver", "data/gold"] {
        std::fs::remove_dir_all(world.path(table)).unwrap();
        crate::world::copy_folder(&before.path(table), &world.path(table));
    }
    let told = world.expect(1, &["verify"]).out;
    assert!(
        told.contains("bronze/shop/orders: run 2 committed version 1, and the lake has 0 only"),
        "{told}"
    );
}

/// A copy of a lake has no links: what counts is what is in the files.
#[test]
fn a_copy() {
    let world = World::small();
    world.run();
    let copy = world.copy();
    assert_eq!(
        copy.expect(0, &["verify"]).out,
        "3 datasets, 3 files, 1 run: all sound.\n"
    );
    let published = "data/gold/metrics/daily.parquet";
    let mut bytes = std::fs::read(copy.path(published)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    copy.write(published, &bytes);
    let told = copy.expect(1, &["verify"]).out;
    assert!(
        told.contains("gold/daily: its file is not where readers"),
        "{told}"
    );
    copy.expect(0, &["repair"]);
    copy.expect(0, &["verify"]);
}

/// What is built is built again when it is lost, and `doctor` and `plan` see that it is.
#[test]
fn a_lost_file_of_a_dataset_that_is_built() {
    let world = World::small();
    world.run();
    let file = first(&world, "data/gold/metrics/daily", ".parquet");
    std::fs::remove_file(world.path(&file)).unwrap();
    let told = world.expect(1, &["doctor"]).out;
    assert!(
        told.contains("`gold/daily` is damaged: a file is missing"),
        "{told}"
    );
    let plan = world.expect(0, &["plan"]).out;
    assert!(plan.contains("its file is missing or cut short"), "{plan}");
    let report = world.json(&["run", "all"]);
    let task = &report["tasks"][2];
    assert_eq!(task["dataset"], "gold/daily", "{task:#}");
    assert_eq!(task["outcome"], "succeeded", "{task:#}");
    let warning = task["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("a file is missing (`part-default-"),
        "{warning}"
    );
    world.expect(0, &["verify"]);
    world.expect(0, &["doctor"]);
}
