//! First loads: in parts, killed, and gone on with.

use super::{Shop, table};

const MANY: &str = "CREATE TABLE many (id bigint PRIMARY KEY, at timestamptz, filler text); \
    INSERT INTO many SELECT i, timestamptz '2024-01-01' + i * interval '1 second', repeat('x', 50) FROM generate_series(1, 20000) i; ANALYZE many";

#[test]
fn a_first_load_is_committed_in_parts() {
    let shop = Shop::new(
        MANY,
        &table(&[
            "many",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 5000",
            "parallelism: 3",
        ]),
    );
    assert_eq!(shop.run(), ["bronze/shop/many succeeded 20000"]);
    let history = shop.world.json(&["history", "many"]);
    assert!(history.as_array().unwrap().len() >= 4, "{history:#}");
    assert_eq!(shop.run(), ["bronze/shop/many skipped 0"]);
    assert_eq!(shop.world.rows("many").len(), 20_000);
}

#[test]
fn tables_with_partitions_and_views_are_divided_too() {
    let shop = Shop::new(
        &format!(
            "{MANY}; CREATE VIEW seen AS SELECT * FROM many; \
             CREATE TABLE parted (LIKE many) PARTITION BY RANGE (id); \
             CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (1) TO (8000); \
             CREATE TABLE parted_2 PARTITION OF parted DEFAULT PARTITION BY LIST (filler); \
             CREATE TABLE parted_2_all PARTITION OF parted_2 DEFAULT; \
             INSERT INTO parted SELECT * FROM many; ANALYZE parted"
        ),
        &(table(&[
            "seen",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 5000",
        ]) + &table(&["parted", "incremental_column: at", "commit_rows: 5000"])),
    );
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/seen succeeded 20000",
            "bronze/shop/parted succeeded 20000"
        ]
    );
    for name in ["seen", "parted"] {
        let history = shop.world.json(&["history", name]);
        assert!(history.as_array().unwrap().len() >= 4, "{name} {history:#}");
        let mut rows = shop.world.rows(name);
        rows.dedup();
        assert_eq!(rows.len(), 20_000, "{name}");
    }
    assert_eq!(
        shop.run(),
        ["bronze/shop/seen skipped 0", "bronze/shop/parted skipped 0"]
    );
}

/// A range of the key is only asked for where it costs less than everything.
#[test]
fn a_query_that_has_to_read_everything_is_asked_once() {
    let shop = Shop::new(
        MANY,
        &table(&[
            "many",
            "query: SELECT max(id) AS id, at, md5(filler) AS filler FROM many GROUP BY at, md5(filler)",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 2000",
        ]),
    );
    assert_eq!(shop.run(), ["bronze/shop/many succeeded 20000"]);
    let history = shop.world.json(&["history", "many"]);
    assert_eq!(history.as_array().unwrap().len(), 1, "{history:#}");
}

/// The program is killed after so many commits of a first load; what it then does is the rest, and what changed meanwhile is right.
#[test]
fn a_first_load_that_was_killed_goes_on() {
    let shop = Shop::new(
        MANY,
        &table(&[
            "many",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 2000",
            "parallelism: 2",
        ]),
    );
    let mut kills = 0;
    loop {
        let mut child = shop
            .world
            .command(&["run", "bronze"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let before = versions(&shop, "many");
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if versions(&shop, "many") > before + 1 {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        };
        if let Some(status) = ended {
            assert!(status.success());
            break;
        }
        kills += 1;
        // Rows move to other pages, those that were read and those that were not.
        shop.database.run("UPDATE many SET filler = 'changed', at = clock_timestamp() WHERE id % 1000 = 7; INSERT INTO many SELECT max(id) + 1, clock_timestamp(), 'new' FROM many");
    }
    assert!(kills >= 2, "it was killed {kills} times");
    shop.world.run();
    let expected: Vec<String> = shop
        .database
        .run("SELECT id || ',' || filler FROM many ORDER BY 1")
        .into_iter()
        .flatten()
        .flatten()
        .collect();
    let mut found: Vec<String> = shop
        .world
        .rows("many")
        .iter()
        .map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            format!("{},{}", cells[0], cells[2])
        })
        .collect();
    found.sort();
    let mut expected = expected;
    expected.sort();
    assert_eq!(found, expected);
}

/// Ways to read `many` without a key: by pages; by ranges of a column that no two rows of the query share.
const KEYLESS: [&str; 3] = [
    "table: many",
    "query: SELECT id, at, filler FROM many WHERE id > 0",
    "query: SELECT m.id, m.at, m.filler FROM many m LEFT JOIN kinds k ON k.id = m.id % 3 WHERE m.filler IS NOT NULL",
];
const KINDS: &str =
    "CREATE TABLE kinds (id int PRIMARY KEY); INSERT INTO kinds VALUES (0), (1); ANALYZE kinds";

fn keyless(way: &str) -> Shop {
    let lines = [
        "t",
        way,
        "incremental_column: at",
        "commit_rows: 2000",
        "parallelism: 1",
    ];
    Shop::new(&format!("{MANY}; {KINDS}"), &table(&lines))
}

/// The rows of the source, each as often as it is there.
fn check_same(shop: &Shop, how: &str) {
    let expected = shop
        .database
        .run("SELECT id || ',' || at || ',' || filler FROM many");
    let mut expected: Vec<String> = expected.into_iter().flatten().flatten().collect();
    expected.sort();
    assert_eq!(shop.world.rows("t"), expected, "{how}");
}

#[test]
fn a_first_load_without_a_key_goes_on() {
    for way in KEYLESS {
        let shop = keyless(way);
        kill_a_run_after_commits(&shop, "t", 3);
        shop.database
            .run("UPDATE many SET filler = 'z', at = at + interval '1 year' WHERE id = 19990");
        let report = shop.world.json(&["run", "bronze"]);
        let task = &report["tasks"][0];
        assert!(
            task["rows"].as_u64().unwrap() <= 16_000,
            "{way}: {report:#}"
        );
        assert_eq!(task["notes"], serde_json::json!([]), "{way}");
        shop.run();
        check_same(&shop, way);
        assert_eq!(shop.run(), ["bronze/shop/t skipped 0"], "{way}");
    }
}

/// Killed before or after any fifth change of the file system, and gone on with.
#[test]
fn a_first_load_without_a_key_that_is_killed_anywhere() {
    let lines = [
        "t",
        KEYLESS[0],
        "incremental_column: at",
        "commit_rows: 6000",
        "parallelism: 1",
    ];
    let shop = Shop::new(MANY, &table(&lines));
    let calm = shop.world.copy();
    calm.run();
    let expected = calm.rows("t");
    assert_eq!(expected.len(), 20_000);
    for at in (1..).step_by(5) {
        let when = ["before", "after"][at % 2];
        let world = shop.world.copy();
        if !crate::killed::dies(&world, at, when) {
            assert!(at > 20, "only {at} changes");
            return;
        }
        world.run();
        assert_eq!(world.rows("t"), expected, "killed {when} change {at}");
        let outcome = world.outcomes(&["run", "bronze"]);
        assert_eq!(
            outcome,
            ["bronze/shop/t skipped 0"],
            "killed {when} change {at}"
        );
    }
}

#[test]
fn a_first_load_without_a_key_begins_anew_if_what_it_read_changed() {
    for (way, why) in KEYLESS.iter().zip([
        "everything was read anew: rows were written or deleted where its first load had read",
        "everything was read anew: the rows that its first load had read last are not the same any more",
        "everything was read anew: the rows that its first load had read last are not the same any more",
    ]) {
        let shop = keyless(way);
        kill_a_run_after_commits(&shop, "t", 3);
        shop.database.run("DELETE FROM many WHERE id % 100 = 7");
        let report = shop.world.json(&["run", "bronze"]);
        let task = &report["tasks"][0];
        assert_eq!(task["rows"], 19_800, "{way}: {report:#}");
        let note = task["notes"][0].as_str().unwrap();
        assert!(note.starts_with(why), "{way}: {note}");
        check_same(&shop, way);
        // In parts again: a run that is killed now goes on.
        let history = shop.world.json(&["history", "t"]);
        assert!(history.as_array().unwrap().len() >= 8, "{way}: {history:#}");
    }
}

/// Rows of such queries may share all their numbers, or be others each time.
#[test]
fn queries_whose_rows_nothing_tells_apart_are_read_in_one_piece() {
    let sql = format!(
        "{MANY}; {KINDS}; CREATE TABLE twice (id int, v text); INSERT INTO twice VALUES (1, 'a'), (1, 'b')"
    );
    for query in [
        "SELECT id % 10000 AS id, at FROM many",
        "SELECT m.id, m.at FROM many m JOIN twice t ON t.id = m.id % 2",
        "SELECT b.id, a.at FROM many a JOIN many b ON b.id = a.id % 100 + 1",
        "SELECT id, at FROM many UNION ALL SELECT id, at FROM many",
        "SELECT m.id, m.at FROM many m, generate_series(1, 2) g",
        "SELECT id, at, generate_series(1, 2) AS g FROM many",
        "SELECT id, at FROM many TABLESAMPLE SYSTEM (100)",
        "SELECT id, at FROM many LIMIT 20000",
        "SELECT k.id, m.at FROM many m LEFT JOIN kinds k ON k.id = m.id % 3",
    ] {
        let query = format!("query: {}", serde_json::to_string(query).unwrap());
        let lines = ["t", &query, "incremental_column: at", "commit_rows: 2000"];
        let shop = Shop::new(&sql, &table(&lines));
        let told = shop.world.expect(0, &["doctor"]).out;
        let warning = "is read in one piece, and from the beginning again when that is interrupted or takes longer than a function may; name a `table:` instead of the `query`, or an indexed whole number as its `primary_key`";
        assert!(told.contains(warning), "{query}: {told}");
        shop.run();
        let history = shop.world.json(&["history", "t"]);
        assert_eq!(history.as_array().unwrap().len(), 1, "{query}: {history:#}");
    }
    for way in KEYLESS {
        let told = keyless(way).world.expect(0, &["doctor"]).out;
        assert!(!told.contains("in one piece"), "{way}: {told}");
    }
}

fn versions(shop: &Shop, table: &str) -> usize {
    let files = shop
        .world
        .read_folder(&format!("data/bronze/shop/{table}/_delta_log"));
    files.iter().filter(|name| name.ends_with(".json")).count()
}

#[test]
fn a_table_that_is_read_anew_is_there_before_or_after_never_in_between() {
    let shop = Shop::new(
        MANY,
        &table(&[
            "many",
            "incremental_column: at",
            "primary_key: id",
            "commit_rows: 2000",
        ]),
    );
    shop.run();
    let before = versions(&shop, "many");
    shop.world
        .expect(0, &["reset-checkpoint", "--source", "shop"]);
    assert_eq!(shop.run(), ["bronze/shop/many succeeded 20000"]);
    assert_eq!(versions(&shop, "many"), before + 2);
    assert_eq!(shop.world.rows("many").len(), 20_000);
}

#[test]
fn a_table_that_was_rewritten_since_is_read_anew() {
    let shop = Shop::new(
        MANY,
        &table(&[
            "many",
            "incremental_column: at",
            "commit_rows: 2000",
            "parallelism: 1",
        ]),
    );
    kill_a_run_after_commits(&shop, "many", 2);
    shop.database.run("VACUUM FULL many");
    shop.world.run();
    assert_eq!(shop.world.rows("many").len(), 20_000);
    assert_eq!(shop.run(), ["bronze/shop/many skipped 0"]);
}

/// What PostgreSQL writes anew may come to lie where a load that was killed has read already, and its cursor need not have moved.
#[test]
fn rows_that_moved_to_pages_that_were_read_are_not_missed() {
    for key in [Some("primary_key: id"), None] {
        let mut lines = vec![
            "many",
            "incremental_column: at",
            "commit_rows: 2000",
            "parallelism: 1",
        ];
        lines.extend(key);
        let shop = Shop::new(MANY, &table(&lines));
        kill_a_run_after_commits(&shop, "many", 2);
        shop.database.run("DELETE FROM many WHERE id <= 500");
        shop.database.run("VACUUM many");
        shop.database
            .run("UPDATE many SET filler = 'moved' WHERE id > 19500");
        let lowest = "SELECT min((ctid::text::point)[0])::int::text FROM many WHERE id > 19500";
        assert_eq!(shop.database.run(lowest), [[Some("0".to_owned())]]);
        shop.run();
        let mut found: Vec<(u64, bool)> = shop
            .world
            .rows("many")
            .iter()
            .map(|row| {
                let cells: Vec<&str> = row.split(',').collect();
                (cells[0].parse().unwrap(), cells[2] == "moved")
            })
            .filter(|(id, _)| *id > 500)
            .collect();
        found.sort_unstable();
        let expected: Vec<(u64, bool)> = (501..=20_000).map(|id| (id, id > 19_500)).collect();
        assert_eq!(found.len(), expected.len(), "{key:?}");
        assert_eq!(found, expected, "{key:?}");
    }
}

/// The program is ended by SIGKILL when a table has so many versions.
fn kill_a_run_after_commits(shop: &Shop, table: &str, commits: usize) {
    let mut child = shop
        .world
        .command(&["run", "bronze"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while versions(shop, table) < commits {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Connections that read parts of a table see one state of it, however busy it is: what is taken from one row is in another.
#[test]
fn parts_that_are_read_at_once_are_of_one_state() {
    let shop = Shop::new(
        "CREATE TABLE account (id int PRIMARY KEY, balance bigint) WITH (fillfactor = 50); \
         INSERT INTO account SELECT i, 100 FROM generate_series(1, 20000) i; ANALYZE account",
        &table(&["account", "parallelism: 4"]),
    );
    let done = std::sync::atomic::AtomicBool::new(false);
    let mut found = Vec::new();
    std::thread::scope(|threads| {
        for writer in 1..=2 {
            let (shop, done) = (&shop, &done);
            threads.spawn(move || {
                let client = shop.database.session();
                let mut from = writer * 31;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    from = (from * 7919 + 1) % 10_000;
                    let to = 10_001 + from * 13 % 10_000;
                    let sql = format!(
                        "UPDATE account SET balance = balance + CASE id WHEN {from} THEN -1 ELSE 1 END WHERE id IN ({from}, {to})"
                    );
                    // The other writer may have locked the same two rows the other way round.
                    drop(shop.database.block_on(client.batch_execute(&sql)));
                }
            });
        }
        for _ in 0..5 {
            found.push((shop.run(), shop.world.rows("account")));
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    for (outcome, rows) in found {
        assert_eq!(outcome, ["bronze/shop/account succeeded 20000"]);
        let balance = |row: &String| row.split(',').nth(1).unwrap().parse::<i64>().unwrap();
        assert_eq!(rows.iter().map(balance).sum::<i64>(), 2_000_000);
    }
}
