//! The program killed with SIGKILL at every change it makes to the file system's names, before and after it.
//!
//! Whatever the instant, running again ends in the state of a run that was never killed: each row once, each
//! published file whole, no file left over once a clean run and a vacuum have gone over it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::world::World;

/// The library that kills, compiled once.
static KILLER: LazyLock<PathBuf> = LazyLock::new(|| {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all/killer.c");
    let library =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("killer-{}.so", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&library)
        .arg(source)
        .arg("-ldl")
        .status();
    assert!(
        compiled
            .expect("a C compiler is there: Rust links with it")
            .success()
    );
    library
});

/// A world with day one in the lake and day two waiting; made once, copied for each instant.
static WAITING: LazyLock<World> = LazyLock::new(|| {
    let world = World::small();
    world.run();
    world.write(
        "in/orders/day2.csv",
        "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,\n5,2024-05-02,1.00\n",
    );
    world
});

/// What readers see, and what lies in the lake, but for names and times that differ from run to run.
fn state(world: &World) -> String {
    let mut text = String::new();
    for dataset in ["bronze/shop/orders", "silver/orders_clean", "gold/daily"] {
        text.push_str(&format!(
            "{dataset}\n  {}\n",
            world.rows(dataset).join("\n  ")
        ));
    }
    world.expect(0, &["vacuum", "--keep", "0s"]);
    for table in [
        "data/silver/refined/orders_clean",
        "data/gold/metrics/daily",
    ] {
        let parts: Vec<String> = world
            .files(table)
            .into_iter()
            .filter(|file| file.ends_with(".parquet") && !file.contains("_delta_log/"))
            .collect();
        let part = std::fs::read(world.path(table).join(&parts[0])).unwrap();
        let published = std::fs::read(world.path(&format!("{table}.parquet"))).unwrap();
        text.push_str(&format!(
            "{table}: {} file, published: {}\n",
            parts.len(),
            part == published
        ));
    }
    let bronze = world
        .files("data/bronze/shop/orders")
        .into_iter()
        .filter(|file| !file.contains("_delta_log/"));
    text.push_str(&format!("bronze: {} files\n", bronze.count()));
    text.push_str(&format!("scratch: {:?}\n", world.files(".comboi/scratch")));
    text
}

/// Kills the second run before and after every fourth change from this one on, runs again, and compares with a run that was left alone.
/// After a change nobody sees more than before the next one, so both of every other change are all there is.
fn check(first: usize) {
    let calm = WAITING.copy();
    calm.run();
    let expected = state(&calm);
    assert!(
        expected.contains("5,2024-05-02,1.00") && expected.contains("bronze: 2 files"),
        "{expected}"
    );

    let mut killed = 0;
    for at in (first..).step_by(4) {
        for (at, when) in [(at, "before"), (at, "after")] {
            let world = WAITING.copy();
            let status = world
                .command(&["run", "all", "--jobs", "1"])
                .env("LD_PRELOAD", &*KILLER)
                .env("KILL_AT", at.to_string())
                .env("KILL_WHEN", when)
                .output()
                .unwrap()
                .status;
            if status.success() {
                assert!(
                    killed > 20,
                    "only {killed} instants: is the library loaded?"
                );
                return; // There is no such change: all have been tried.
            }
            assert_eq!(
                std::os::unix::process::ExitStatusExt::signal(&status),
                Some(9),
                "killed {when} change {at}"
            );
            killed += 1;
            world.run();
            assert_eq!(state(&world), expected, "killed {when} change {at}");
        }
    }
}

#[test]
fn before_and_after_any_change_1() {
    check(1);
}

#[test]
fn before_and_after_any_change_2() {
    check(3);
}
