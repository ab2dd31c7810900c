//! What the machine does to a run: no permission, closed pipes, signals, files that can't grow.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::world::{World, said};

/// The program run by a shell, which is told as `$comboi` where it is.
fn shell(world: &World, script: &str) -> crate::world::Said {
    let output = Command::new("sh")
        .args(["-c", script])
        .current_dir(world.path("."))
        .env_clear()
        .env("comboi", env!("CARGO_BIN_EXE_comboi"))
        .env("PATH", "/usr/bin:/bin")
        .output();
    said(output.unwrap())
}

#[test]
fn ctrl_c_in_the_middle_of_a_query_leaves_the_lake_as_it_was() {
    let world = World::small();
    world.run();
    let before = world.rows("gold/daily");
    let quick = world.read("transformations/sql/daily.sql");
    world.write(
        "transformations/sql/daily.sql",
        "SELECT sum(hash(a.range + b.range)) AS amount FROM range(10000000) a, range(10000000) b, orders_clean\n",
    );
    for signal in ["-INT", "-TERM"] {
        let run = world
            .command(&["run", "gold", "--output", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The query is under way once its task has a folder for what does not fit into memory.
        while world.read_folder(".comboi/scratch").is_empty() {
            std::thread::sleep(Duration::from_millis(10));
        }
        let kill = Command::new("kill")
            .args([signal, &run.id().to_string()])
            .status();
        assert!(kill.unwrap().success());
        let said = said(run.wait_with_output().unwrap());
        assert_eq!(said.code, Some(130), "{signal}: {}", said.err);
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(report["tasks"][0]["outcome"], "stopped", "{signal}");
        assert!(said.err.contains("comboi retry"), "{}", said.err);
        assert_eq!(
            world.read_folder(".comboi/scratch"),
            [""; 0],
            "{signal}: what was begun is cleared away"
        );
    }
    assert_eq!(world.rows("gold/daily"), before);
    world.write(
        "transformations/sql/daily.sql",
        quick.replace("day, sum", "day, 2 AS x, sum"),
    );
    assert_eq!(world.outcomes(&["retry"]), ["gold/daily succeeded 1"]);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::small();
    world.run();
    for command in [
        "plan",
        "ls",
        "show gold/daily",
        "history gold/daily",
        "schema config",
        "completions bash",
        "run all",
    ] {
        // The reader is gone before anything is written.
        let said = shell(
            &world,
            &format!("{{ $comboi {command}; echo $? >code; }} | :"),
        );
        assert_eq!(said.err, "", "{command}");
        assert_eq!(world.read("code"), "0\n", "{command}");
    }
}

#[test]
fn an_output_that_can_not_be_written_is_an_error() {
    let world = World::small();
    for command in ["plan", "schema config", "completions bash"] {
        let said = shell(&world, &format!("$comboi {command} >/dev/full"));
        assert_eq!(said.code, Some(1), "{command}: {}", said.err);
        assert!(said.err.starts_with("error: "), "{command}: {}", said.err);
    }
}

#[test]
fn no_home_no_input_and_no_terminal_are_needed() {
    let world = World::small();
    let said = shell(
        &world,
        "$comboi run all <&- && $comboi run all --rebuild <&- >&- 2>&-",
    );
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

#[test]
fn a_file_that_can_not_grow_ends_in_an_error_and_the_next_run_goes_on() {
    let world = World::small();
    world.run();
    let before = world.rows("bronze/shop/orders");
    let mut rows = "id,day,amount\n".to_owned();
    for id in 0..60_000_u64 {
        let scattered = id.wrapping_mul(6_364_136_223_846_793_005) % 1_000_000_007;
        rows.push_str(&format!(
            "{scattered},2024-05-02,{}.{:02}\n",
            scattered % 9973,
            scattered % 97
        ));
    }
    world.write("in/orders/day2.csv", rows);
    // 64 or 128 kB, as the shell counts.
    let said = shell(
        &world,
        "trap '' XFSZ; ulimit -f 128; exec $comboi run bronze",
    );
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(
        said.out.contains("bronze/shop/orders   failed"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("the scratch folder") && !said.out.contains("a good file"),
        "no file of the source is to blame: {}",
        said.out
    );
    assert_eq!(world.rows("bronze/shop/orders"), before);
    assert_eq!(
        world.outcomes(&["retry"]),
        ["bronze/shop/orders succeeded 60000"]
    );
}

#[test]
fn a_stage_whose_folder_can_not_be_made_fails_alone() {
    let world = World::small();
    world.write("data/gold", "a file where a folder belongs");
    let said = world.expect(1, &["run", "all"]);
    assert!(said.out.contains("2 succeeded, 1 failed"), "{}", said.out);
    assert!(
        said.out.contains("data/gold") && said.out.contains("Not a directory"),
        "{}",
        said.out
    );
}

#[test]
fn a_run_is_told_even_when_its_metrics_can_not_be_written() {
    let world = World::small();
    std::fs::create_dir_all(world.path("logs/metrics.json")).unwrap();
    let said = world.expect(1, &["run", "all", "--output", "json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["tasks"][2]["outcome"], "succeeded");
    assert!(said.err.contains("logs/metrics.json"), "{}", said.err);
}

#[test]
fn a_killed_run_is_taken_up() {
    let world = World::small();
    world.write(
        "transformations/sql/daily.sql",
        "SELECT count(*) AS orders FROM range(10000000) a, range(10000000) b, orders_clean WHERE hash(a.range + b.range) = 1\n",
    );
    let mut run = world
        .command(&["run", "all"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !world
        .path("data/silver/refined/orders_clean.parquet")
        .exists()
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    run.kill().unwrap();
    assert_eq!(run.wait().unwrap().signal(), Some(9));
    world.write(
        "transformations/sql/daily.sql",
        "SELECT count(*) AS orders FROM orders_clean\n",
    );
    let outcomes = world.outcomes(&["retry"]);
    assert_eq!(outcomes.last().unwrap(), "gold/daily succeeded 1");
    assert_eq!(world.rows("gold/daily"), ["2"]);
    assert_eq!(world.read_folder(".comboi/scratch"), [""; 0]);
}

#[test]
fn the_name_of_the_projects_folder_does_not_matter() {
    let world = World::new();
    let folder = r#"a%20b \ ü 'c' "d" #e & [f]*? $g {h}"#;
    crate::world::copy_folder(&World::small().path("."), &world.path(folder));
    let comboi = |words: &[&str]| {
        let output = world
            .command(words)
            .current_dir(world.path(folder))
            .output();
        let said = said(output.unwrap());
        assert_eq!(said.code, Some(0), "{words:?}: {}{}", said.out, said.err);
        said.out
    };
    comboi(&["run", "all"]);
    world.write(
        &format!("{folder}/in/orders/it's [2] 100%25.csv"),
        "id,day,amount\n3,2024-05-02,5.25\n",
    );
    comboi(&["run", "all"]);
    comboi(&["restore", "gold/daily", "--version", "0"]);
    comboi(&["vacuum", "--keep", "0s"]);
    comboi(&["run", "all", "--rebuild"]);
    assert!(comboi(&["show", "gold/daily"]).contains("2024-05-02"));
}
