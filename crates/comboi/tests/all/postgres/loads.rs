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
        let before = versions(&shop);
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if versions(&shop) > before + 1 {
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

fn versions(shop: &Shop) -> usize {
    let files = shop.world.read_folder("data/bronze/shop/many/_delta_log");
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
    let before = versions(&shop);
    shop.world
        .expect(0, &["reset-checkpoint", "--source", "shop"]);
    assert_eq!(shop.run(), ["bronze/shop/many succeeded 20000"]);
    assert_eq!(versions(&shop), before + 2);
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
    kill_a_run_after_commits(&shop, 2);
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
        kill_a_run_after_commits(&shop, 2);
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
fn kill_a_run_after_commits(shop: &Shop, commits: usize) {
    let mut child = shop
        .world
        .command(&["run", "bronze"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while versions(shop) < commits {
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
