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
    let (names, rows): (Vec<_>, Vec<_>) = bronze.partition(|file| file.starts_with("_files_read/"));
    text.push_str(&format!(
        "bronze: {} files, {} of names\n",
        rows.len(),
        names.len()
    ));
    text.push_str(&world.rows("shop/orders__files_read").len().to_string());
    text.push_str(&format!("scratch: {:?}\n", world.files(".comboi/scratch")));
    text
}

/// Every run has an end: those that were killed are interrupted.
fn ended(world: &World, how: &str) {
    let runs = world.json(&["runs"]);
    let runs = runs.as_array().unwrap();
    assert!(runs.len() >= 2, "{how}");
    for (place, run) in runs.iter().enumerate() {
        let killed = place == 1 && runs.len() == 3;
        let fine = match run["status"].as_str().unwrap() {
            "succeeded" => true,
            "interrupted" => killed,
            _ => false,
        };
        assert!(fine && !run["ended_at"].is_null(), "{how}: {run:#}");
    }
    // What ends in `#1` was never put in its place, and nobody reads it.
    let mut open = world.files("data/bronze/_comboi/runs/default/open");
    open.retain(|name| !name.contains('#'));
    assert_eq!(open, [""; 0], "{how}");
}

/// Runs, and says whether it was killed: there is no such change when it was not.
pub(crate) fn dies(world: &World, at: usize, when: &str) -> bool {
    dies_in(world, &["run", "all", "--jobs", "1"], at, when)
}

/// The same of another command.
fn dies_in(world: &World, words: &[&str], at: usize, when: &str) -> bool {
    let status = world
        .command(words)
        .env("LD_PRELOAD", &*KILLER)
        .env("KILL_AT", at.to_string())
        .env("KILL_WHEN", when)
        .output()
        .unwrap()
        .status;
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    assert!(
        status.success() || signal == Some(9),
        "killed {when} change {at}: {status}"
    );
    signal.is_some()
}

/// Kills the second run before and after every fourth change from this one on, runs again, and compares with a run that was left alone.
/// After a change nobody sees more than before the next one, so both of every other change are all there is.
fn check(first: usize) {
    let calm = WAITING.copy();
    calm.run();
    let expected = state(&calm);
    assert!(
        expected.contains("5,2024-05-02,1.00")
            && expected.contains("bronze: 2 files, 1 of names\n2"),
        "{expected}"
    );

    let mut killed = 0;
    for at in (first..).step_by(4) {
        for (at, when) in [(at, "before"), (at, "after")] {
            let world = WAITING.copy();
            if !dies(&world, at, when) {
                assert!(
                    killed > 20,
                    "only {killed} instants: is the library loaded?"
                );
                return; // There is no such change: all have been tried.
            }
            killed += 1;
            world.run();
            ended(&world, &format!("killed {when} change {at}"));
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

/// A run in which a column takes the type of its first values, and one that the configuration names takes the name that its source
/// has for it: the rows, the schema and the checkpoint come together or not at all.
#[test]
fn while_columns_take_their_types_and_names() {
    let waiting = World::new();
    waiting.write(
        "configs/default.yml",
        "sources:\n  - name: shop\n    type: files\n    path: in\n    tables:\n      - {name: t, files: '*.csv', columns: {extra: BIGINT}}\n",
    );
    waiting.write("in/1.csv", "id,note\n1,\n");
    waiting.run();
    waiting.write("in/2.csv", "id,note,Extra\n2,7,8\n");
    let seen = |world: &World| -> Vec<String> {
        let mut log = world.files("data/bronze/shop/t/_delta_log");
        log.retain(|name| name.ends_with(".json"));
        let entry = world.read(&format!(
            "data/bronze/shop/t/_delta_log/{}",
            log.last().unwrap()
        ));
        let metadata = entry.lines().find(|line| line.contains("schemaString"));
        let metadata: serde_json::Value = serde_json::from_str(metadata.unwrap()).unwrap();
        let schema = metadata["metaData"]["schemaString"].as_str().unwrap();
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let fields = schema["fields"].as_array().unwrap().iter();
        let told = fields.map(|it| {
            let noted = &it["metadata"];
            let [of, source] =
                ["comboi.type", "comboi.source_name"].map(|name| noted[name].to_string());
            format!("{}: {of} of {source}", it["name"])
        });
        told.take(3).chain(world.rows("t")).collect()
    };
    let before = seen(&waiting);
    let after = [
        r#""id": "BIGINT" of "id""#,
        r#""note": "BIGINT" of "note""#,
        r#""extra": "BIGINT" of "Extra""#,
        "1,NULL,NULL",
        "2,7,8",
    ];
    let (mut killed, mut befores) = (0, 0);
    for at in (1..).step_by(2) {
        for when in ["before", "after"] {
            let world = waiting.copy();
            if !dies(&world, at, when) {
                assert!(
                    killed > 20 && befores > 2 && befores < killed,
                    "{befores} of {killed}"
                );
                return;
            }
            killed += 1;
            let left = seen(&world);
            assert!(
                left == before || left == after,
                "killed {when} change {at}: {left:?}"
            );
            befores += usize::from(left == before);
            world.run();
            assert_eq!(seen(&world), after, "killed {when} change {at}");
        }
    }
}

/// A dataset that has another name in the project now is renamed, or dropped.
#[test]
fn while_a_dataset_is_dropped_or_renamed() {
    let waiting = World::small();
    waiting.run();
    waiting.write(
        "configs/transformations.yml",
        crate::world::SMALL_TRANSFORMATIONS.replace("name: daily", "name: per_day"),
    );
    waiting.write(
        "transformations/sql/per_day.sql",
        waiting.read("transformations/sql/daily.sql"),
    );
    let rename = ["rename", "daily", "per_day"];
    let drop = ["drop", "gold/daily", "--yes"];
    for words in [&rename[..], &drop[..]] {
        for at in 1.. {
            let how = format!("{words:?} killed before change {at}");
            let world = waiting.copy();
            if !dies_in(&world, words, at, "before") {
                assert!(at > 11, "{how}: it makes fewer changes");
                break;
            }
            let again = world.comboi(words);
            // When it was done, the name is not known any more.
            let unknown = again.code == Some(2) && again.err.contains("daily");
            assert!(
                again.code == Some(0) || unknown,
                "{how}: {}{}",
                again.out,
                again.err
            );
            let files = world.files("data/gold");
            let left = files.iter().find(|it| it.contains("/daily"));
            assert_eq!(left, None, "{how}");
            assert_eq!(files.is_empty(), words[0] == "drop", "{how}: {files:?}");
            world.run();
            assert_eq!(world.rows("gold/per_day"), ["2024-05-01,30.50,2"], "{how}");
            world.expect(0, &["verify", "--deep"]);
        }
    }
}

const STATE: &str = "data/bronze/_comboi/runs/default/runs";

/// The next run has the number after this one.
fn counted(world: &World, last: u32) {
    world.write(&format!("{STATE}/{last:012}/alive"), "");
}

/// A hundred runs are kept, so number 101 forgets the first. Whatever of it is left when it dies, number 110 forgets.
#[test]
fn while_an_old_run_is_forgotten() {
    let aged = World::small();
    aged.run();
    counted(&aged, 100);
    let first = |world: &World| {
        let files = world.files(STATE).into_iter();
        files.filter(|it| it.starts_with("000000000001/")).count()
    };
    let all = first(&aged);
    assert!(all >= 5, "a plan, three receipts and an end: {all}");
    let mut left = std::collections::BTreeSet::new();
    for at in 1.. {
        let world = aged.copy();
        if !dies(&world, at, "before") {
            break;
        }
        left.insert(first(&world));
        if first(&world) == all {
            continue; // It was not there yet.
        }
        world.run();
        counted(&world, 109);
        world.run();
        assert_eq!(first(&world), 0, "killed before change {at}");
        let newest = &world.json(&["runs"])[0];
        assert_eq!(newest["run"], 110, "{newest}");
        assert_eq!(world.rows("daily"), ["2024-05-01,30.50,2"]);
    }
    assert!(
        left.iter().copied().eq(0..=all),
        "files that were left, of {all}: {left:?}"
    );
}
