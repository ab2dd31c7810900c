//! Two folders, as on two machines, work on one lake.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::world::{SMALL_CONFIG, World, copy_folder};

/// Where the state of runs is.
const RUNS: &str = "data/bronze/_comboi/runs/default";

/// Hours of work for one row.
const SLOW: &str = "SELECT sum(hash(a.range + b.range)) AS amount FROM range(10000000) a, range(10000000) b, orders_clean\n";

/// The folder of a project whose lake and sources are those of `lake`.
fn folder_on(lake: &World) -> World {
    let world = World::small();
    let place = |name: &str| lake.path(name).display().to_string();
    let config = SMALL_CONFIG.replace("path: in", &format!("path: {}", place("in")));
    let stages = ["bronze", "silver", "gold"].map(|stage| {
        let folder = place(&format!("data/{stage}"));
        format!("  {stage}: {{local_path: {folder}}}\n")
    });
    world.write(
        "configs/default.yml",
        format!("{config}stages:\n{}", stages.concat()),
    );
    world
}

fn statuses(world: &World) -> Vec<String> {
    let runs = world.json(&["runs"]);
    let status = |run: &serde_json::Value| {
        let status = run["status"].as_str().unwrap();
        format!("{} {} {status}", run["run"], run["kind"].as_str().unwrap())
    };
    runs.as_array().unwrap().iter().map(status).collect()
}

/// A run that is in the middle of a query.
fn slow_run(world: &World) -> Child {
    slow_run_that_logs(world, &[])
}

/// The same with options for its log.
pub(crate) fn slow_run_that_logs(world: &World, options: &[&str]) -> Child {
    let quick = world.read("transformations/sql/daily.sql");
    world.write("transformations/sql/daily.sql", SLOW);
    let run = world
        .command(&[&["run", "gold"], options].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while world.read_folder(".comboi/scratch").is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    world.write("transformations/sql/daily.sql", quick);
    run
}

#[test]
fn both_see_the_same_runs_and_number_theirs_apart() {
    let lake = World::small();
    let (a, b) = (folder_on(&lake), folder_on(&lake));
    a.run();
    lake.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    b.run();
    assert_eq!(
        statuses(&a),
        ["2 pipeline succeeded", "1 pipeline succeeded"]
    );
    assert_eq!(statuses(&a), statuses(&b));
    assert_eq!(b.rows("orders_clean").len(), 3);
    // One takes up what the other left undone.
    a.write(
        "transformations/sql/daily.sql",
        "SELECT CAST('x' AS DATE) AS day FROM orders_clean\n",
    );
    a.expect(1, &["run", "all"]);
    assert_eq!(b.outcomes(&["retry"]), ["gold/daily skipped 0"]);
    assert_eq!(
        statuses(&a)[..2],
        ["4 retry of run 3 succeeded", "3 pipeline failed"]
    );
    assert!(!a.path(".comboi/runs").exists());
}

#[test]
fn a_second_run_is_refused_while_the_first_is_under_way_and_a_killed_one_is_interrupted() {
    let lake = World::small();
    let (a, b) = (folder_on(&lake), folder_on(&lake));
    a.run();
    lake.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    let mut slow = slow_run(&a);
    for world in [&a, &b] {
        let said = world.expect(1, &["run", "all"]);
        let expected = format!(
            "error: run 2 is under way (process {} of this machine",
            slow.id()
        );
        assert!(said.err.contains(&expected), "{}", said.err);
    }
    assert_eq!(b.rows("orders").len(), 2, "nothing was begun");
    assert_eq!(statuses(&b), ["2 pipeline open", "1 pipeline succeeded"]);
    slow.kill().unwrap();
    slow.wait().unwrap();
    assert_eq!(
        statuses(&b),
        ["2 pipeline interrupted", "1 pipeline succeeded"]
    );
    let said = b.expect(130, &["status", "2"]);
    assert!(
        said.out.contains("not done") && said.out.contains("comboi retry"),
        "{}",
        said.out
    );
    b.run();
    assert_eq!(
        statuses(&a),
        [
            "3 pipeline succeeded",
            "2 pipeline interrupted",
            "1 pipeline succeeded"
        ]
    );
    let two = &a.json(&["runs"])[1];
    assert!(!two["ended_at"].is_null(), "{two:#}");
    assert_eq!(b.rows("orders_clean").len(), 3);
    let recorded = a.json(&["show", "_comboi/tasks", "-n", "100"]);
    assert_eq!(recorded["rows"].as_array().unwrap().len(), 7);
    assert!(a.expect(0, &["verify"]).out.contains("all sound"));
}

#[test]
fn a_run_that_is_stopped_is_interrupted() {
    let world = World::small();
    world.run();
    let mut slow = slow_run(&world);
    let pid = slow.id().to_string();
    let kill = Command::new("kill").args(["-INT", &pid]).status();
    assert!(kill.unwrap().success());
    assert_eq!(slow.wait().unwrap().code(), Some(130));
    assert_eq!(
        statuses(&world),
        ["2 pipeline interrupted", "1 pipeline succeeded"]
    );
    assert_eq!(world.outcomes(&["retry"]), ["gold/daily skipped 0"]);
}

#[test]
fn what_is_done_by_hand_has_an_end() {
    let world = World::small();
    world.run();
    world.expect(0, &["restore", "bronze/shop/orders", "--version", "0"]);
    world.expect(1, &["restore", "bronze/shop/orders", "--version", "77"]);
    assert_eq!(
        statuses(&world),
        [
            "3 restore failed",
            "2 restore succeeded",
            "1 pipeline succeeded"
        ]
    );
    let said = world.expect(1, &["status", "3"]);
    assert!(said.out.contains("has no version 77"), "{}", said.out);
}

/// Where an earlier comboi kept the state of runs, from what this one keeps: the same objects, one that told numbers, and no identities.
fn as_an_earlier_comboi(world: &World, last: u32) {
    let earlier = world.path(".comboi/runs/default");
    copy_folder(&world.path(RUNS), &earlier);
    std::fs::remove_dir_all(world.path(RUNS)).unwrap();
    drop(std::fs::remove_dir_all(earlier.join("open")));
    for run in std::fs::read_dir(earlier.join("runs")).unwrap() {
        let plan = run.unwrap().path().join("plan.json");
        let text = std::fs::read_to_string(&plan).unwrap();
        let mut order: serde_json::Value = serde_json::from_str(&text).unwrap();
        let order = order.as_object_mut().unwrap();
        order.remove("id");
        order.remove("process");
        std::fs::write(&plan, serde_json::to_vec(&order).unwrap()).unwrap();
    }
    let schedule = format!(r#"{{"format":1,"last_run":{last},"last_pipeline_run":{last}}}"#);
    world.write(".comboi/runs/default/schedule.json", schedule);
}

#[test]
fn what_an_earlier_comboi_kept_in_the_project_is_taken_up() {
    let world = World::small();
    let daily = world.read("transformations/sql/daily.sql");
    world.write(
        "transformations/sql/daily.sql",
        "SELECT CAST('x' AS DATE) AS day FROM orders_clean\n",
    );
    world.expect(1, &["run", "all"]);
    // It had got to number 7 by runs that committed nothing.
    as_an_earlier_comboi(&world, 7);
    assert_eq!(statuses(&world), ["1 pipeline failed"]);
    world.expect(1, &["status", "1"]);
    world.write("transformations/sql/daily.sql", daily);
    let said = world.expect(0, &["retry"]);
    assert!(
        said.err
            .contains("note: the state of runs is now kept with the lake"),
        "{}",
        said.err
    );
    assert_eq!(
        statuses(&world),
        ["8 retry of run 1 succeeded", "1 pipeline failed"]
    );
    // It is said once.
    let said = world.run();
    assert!(
        !said.err.contains("the state of runs is now"),
        "{}",
        said.err
    );
    assert!(
        world.path(".comboi/runs/default/schedule.json").is_file(),
        "nothing is deleted"
    );
    std::fs::remove_dir_all(world.path(".comboi/runs")).unwrap();
    world.run();
    assert_eq!(statuses(&world)[0], "10 pipeline succeeded");
    assert!(world.expect(0, &["verify"]).out.contains("all sound"));
}

#[test]
fn numbers_do_not_go_back_when_the_state_is_deleted_or_only_a_table_is_left() {
    let world = World::small();
    for _ in 0..3 {
        world.expect(0, &["run", "all", "--rebuild"]);
    }
    std::fs::remove_dir_all(world.path(RUNS)).unwrap();
    // Gold was built by run 3, and nothing else tells of it.
    std::fs::remove_dir_all(world.path("data/bronze/_comboi")).unwrap();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    assert_eq!(world.json(&["run", "all"])["run"], 4);
    assert_eq!(world.rows("orders_clean").len(), 3);
}

/// Built once: makes every hard link fail, as exFAT does.
fn without_links() -> std::path::PathBuf {
    let library = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let library = library.join(format!("no-links-{}.so", std::process::id()));
    let source = "#include <errno.h>\nint link(const char *a, const char *b) { errno = EPERM; return -1; }\nint linkat(int d, const char *a, int e, const char *b, int f) { errno = EPERM; return -1; }\n";
    let mut cc = Command::new("cc")
        .args(["-shared", "-fPIC", "-x", "c", "-", "-o"])
        .arg(&library)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut cc.stdin.take().unwrap(), source.as_bytes()).unwrap();
    assert!(cc.wait().unwrap().success());
    library
}

#[test]
fn a_folder_without_hard_links_is_refused() {
    let world = World::small();
    let library = without_links();
    for words in [["doctor"].as_slice(), &["run", "all"]] {
        let output = world.command(words).env("LD_PRELOAD", &library).output();
        let said = crate::world::said(output.unwrap());
        let told = format!("{}{}", said.out, said.err);
        let expected = "is on a file system without hard links";
        assert!(told.contains(expected), "{words:?}: {told}");
        assert_eq!(said.code, Some(1), "{words:?}: {told}");
    }
    assert_eq!(statuses(&world), [""; 0]);
    world.run();
}
