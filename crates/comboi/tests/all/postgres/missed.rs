//! Rows that come in another order than their values: each is found, or every run, `plan` and `doctor` warn of it.

use super::{Shop, table};

const RUN: &[&str] = &["run", "bronze"];

/// What a command warns of in all tables.
fn warnings(shop: &Shop, words: &[&str]) -> Vec<String> {
    let report = shop.world.json(words);
    let tasks = report["tasks"].as_array().unwrap().iter();
    let warnings = tasks.flat_map(|task| task["warnings"].as_array().unwrap());
    warnings.map(|it| it.as_str().unwrap().to_owned()).collect()
}

fn doctor(shop: &Shop) -> Vec<String> {
    let said = shop.world.expect(0, &["doctor"]).out;
    let lines = said.lines().filter(|line| line.contains(" table bronze/"));
    lines.map(str::to_owned).collect()
}

/// Every run warns of it, and so do `plan` and `doctor`.
fn check_warned(shop: &Shop, of: &str) {
    for words in [RUN, RUN, &["plan"]] {
        let told = warnings(shop, words);
        assert!(told.iter().any(|it| it.contains(of)), "{words:?}: {told:?}");
    }
    let told = doctor(shop);
    let is_told = |line: &String| line.starts_with("doubtful") && line.contains(of);
    assert!(told.iter().any(is_told), "{told:?}");
}

fn check_quiet(shop: &Shop) {
    for words in [RUN, &["plan"]] {
        assert_eq!(warnings(shop, words), [""; 0], "{words:?}");
    }
    assert_eq!(doctor(shop), [""; 0]);
}

/// Whether the lake has what the source has: numbers and texts of rows.
fn is_same(shop: &Shop, dataset: &str) -> bool {
    let source = shop.database.run("SELECT id || ',' || v FROM t");
    let mut source: Vec<String> = source.into_iter().flatten().flatten().collect();
    source.sort();
    let rows = shop.world.rows(dataset);
    let mut lake: Vec<String> = rows
        .iter()
        .map(|row| row.splitn(3, ',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    lake.sort();
    source == lake
}

/// Tables over `t` for each of these ways.
fn ways(ways: &[(&str, &str)]) -> String {
    let one = |(name, keys): &(&str, &str)| table(&[name, "table: t", "primary_key: id", keys]);
    ways.iter().map(one).collect()
}

fn do_in(shop: &Shop, session: &tokio_postgres::Client, sql: &str) {
    shop.database.block_on(session.batch_execute(sql)).unwrap();
}

const THREE_WAYS: &[(&str, &str)] = &[
    ("by_at", "incremental_column: at"),
    ("by_n", "incremental_column: n"),
    ("by_xmin", "incremental: xmin"),
];

const T: &str =
    "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT now(), n bigserial)";

/// A row whose time was so many minutes ago.
fn row(id: u32, minutes: u32) -> String {
    format!("INSERT INTO t VALUES ({id}, 'v', now() - interval '{minutes} min')")
}

fn check_all_same(shop: &Shop) {
    for (dataset, _) in THREE_WAYS {
        assert!(
            is_same(shop, dataset),
            "{dataset}: {:?}",
            shop.world.rows(dataset)
        );
    }
}

#[test]
fn a_prepared_transaction_is_waited_for() {
    let shop = Shop::new(T, &ways(THREE_WAYS));
    shop.database.run(&row(1, 9));
    shop.run();
    let session = shop.database.session();
    let name = shop.database.name();
    do_in(&shop, &session, &format!("BEGIN; {}", row(2, 8)));
    shop.database.run(&row(3, 7));
    do_in(&shop, &session, &format!("PREPARE TRANSACTION '{name}'"));
    shop.run();
    shop.database.run(&row(4, 6));
    shop.run();
    shop.database.run(&format!("COMMIT PREPARED '{name}'"));
    shop.run();
    check_all_same(&shop);
    check_quiet(&shop);
}

#[test]
fn a_session_that_does_not_say_what_it_does_is_waited_for() {
    let shop = Shop::new(T, &ways(THREE_WAYS));
    let off = format!(
        "ALTER DATABASE {} SET track_activities = off",
        shop.database.name()
    );
    shop.database.run(&off);
    shop.database.run(&row(1, 9));
    shop.run();
    let session = shop.database.session();
    do_in(&shop, &session, &format!("BEGIN; {}", row(2, 8)));
    shop.database.run(&row(3, 7));
    shop.run();
    do_in(&shop, &session, "COMMIT");
    shop.run();
    check_all_same(&shop);
    check_quiet(&shop);
}

#[test]
fn the_clocks_of_applications_need_a_lookback() {
    let sql = "CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz)";
    let tables = ways(&[
        ("without", "incremental_column: at"),
        ("with", "incremental_column: at\n  lookback: 10m"),
    ]);
    let shop = Shop::new(sql, &tables);
    shop.database.run(&format!("{}; {}", row(1, 1), row(2, 1)));
    shop.run();
    shop.database.run(&row(3, 5));
    shop.database
        .run("UPDATE t SET v = 'changed', at = at - interval '1 min' WHERE id = 1");
    shop.run();
    assert!(is_same(&shop, "with"), "{:?}", shop.world.rows("with"));
    // The test of the test.
    assert!(!is_same(&shop, "without"));
    check_warned(
        &shop,
        "`at`: it has no default and no trigger, so applications set it by their own clocks",
    );
    shop.configure(&ways(&[(
        "with",
        "incremental_column: at\n  lookback: 10m",
    )]));
    check_quiet(&shop);
}

#[test]
fn sequences_that_sessions_take_many_numbers_of() {
    let sql = "CREATE SEQUENCE s CACHE 20; CREATE TABLE t (id int PRIMARY KEY, v text, n bigint DEFAULT nextval('s'))";
    let tables = ways(&[
        ("without", "incremental_column: n"),
        ("with", "incremental_column: n\n  lookback: 100"),
        ("by_xmin", "incremental: xmin"),
    ]);
    let shop = Shop::new(sql, &tables);
    let (one, two) = (shop.database.session(), shop.database.session());
    do_in(&shop, &one, "INSERT INTO t VALUES (1, 'v')");
    do_in(&shop, &two, "INSERT INTO t VALUES (2, 'v')");
    shop.run();
    do_in(&shop, &one, "INSERT INTO t VALUES (3, 'v')");
    shop.run();
    assert!(is_same(&shop, "with") && is_same(&shop, "by_xmin"));
    // The test of the test.
    assert!(!is_same(&shop, "without"));
    check_warned(
        &shop,
        "`n`: each session takes 20 numbers of its sequence `s` at once (CACHE)",
    );
    let others: String = ways(&[
        ("with", "incremental_column: n\n  lookback: 100"),
        ("by_xmin", "incremental: xmin"),
    ]);
    shop.configure(&others);
    check_quiet(&shop);
}

#[test]
fn a_source_that_was_set_back() {
    for (of, next, told) in [
        (
            "serial",
            "nextval('t_id_seq')",
            "its sequence `t_id_seq` is at 7, and rows were read up to 10: it was set back",
        ),
        (
            "int",
            "(SELECT coalesce(max(id), 0) FROM t) + i",
            "the greatest `id` of the source is 7, and the checkpoint is 10",
        ),
    ] {
        let sql = format!("CREATE TABLE t (id {of} PRIMARY KEY, v text)");
        let shop = Shop::new(&sql, &ways(&[("t", "incremental_column: id")]));
        let insert = |count: u32, v: &str| {
            shop.database.run(&format!(
                "INSERT INTO t SELECT {next}, '{v}' FROM generate_series(1, {count}) i"
            ));
        };
        insert(10, "old");
        shop.run();
        shop.database.run("DELETE FROM t WHERE id > 5");
        if of == "serial" {
            shop.database.run("ALTER SEQUENCE t_id_seq RESTART 6");
        }
        insert(2, "new");
        check_warned(&shop, told);
        let reset = ["reset-checkpoint", "--source", "shop", "--table", "t"];
        shop.world.expect(0, &reset);
        shop.run();
        assert!(is_same(&shop, "t"), "{:?}", shop.world.rows("t"));
    }
}

#[test]
fn values_in_the_future() {
    for (of, value, more, told) in [
        (
            "timestamptz",
            "2999-01-01",
            "",
            "which is beyond the server's clock and `max_future`: 1.",
        ),
        (
            "timestamptz",
            "infinity",
            "\n  columns: {at: VARCHAR}",
            "which is beyond the server's clock and `max_future`: 1.",
        ),
        (
            "date",
            "2999-01-01",
            "",
            "which is beyond the server's clock and `max_future`: 1.",
        ),
        (
            "float8",
            "NaN",
            "",
            "rows whose `at` is NaN or an infinity: 1.",
        ),
    ] {
        let first = if of == "float8" { "1" } else { "2026-01-01" };
        let next = if of == "float8" { "2" } else { "2026-01-02" };
        let sql = format!("CREATE TABLE t (id int PRIMARY KEY, v text, at {of})");
        let shop = Shop::new(
            &sql,
            &ways(&[("t", &format!("incremental_column: at{more}"))]),
        );
        let insert = |id: u32, at: &str| {
            shop.database
                .run(&format!("INSERT INTO t VALUES ({id}, 'v', '{at}')"));
        };
        insert(1, first);
        insert(2, value);
        shop.run();
        insert(3, next);
        shop.run();
        assert!(is_same(&shop, "t"), "{of} {value}");
        check_warned(&shop, told);
    }
}

/// An infinity below all other values, which comes after them.
#[test]
fn values_below_all_others() {
    for (of, value, more) in [
        ("timestamptz", "-infinity", "\n  columns: {at: VARCHAR}"),
        (
            "timestamp",
            "-infinity",
            "\n  columns: {at: VARCHAR}\n  lookback: 1h\n  primary_key: id",
        ),
        (
            "date",
            "-infinity",
            "\n  columns: {at: VARCHAR}\n  on_null: skip",
        ),
        ("float8", "-Infinity", ""),
        ("numeric", "-Infinity", "\n  columns: {at: VARCHAR}"),
    ] {
        let is_number = !more.contains("VARCHAR") || of == "numeric";
        let at = |day: u32| {
            if is_number {
                day.to_string()
            } else {
                format!("2026-01-0{day}")
            }
        };
        let shop = Shop::new(
            &format!("CREATE TABLE t (id int, v text, at {of})"),
            &table(&["t", &format!("incremental_column: at{more}")]),
        );
        let insert = |id: u32, at: &str| {
            shop.database
                .run(&format!("INSERT INTO t VALUES ({id}, 'v', '{at}')"));
        };
        insert(1, &at(1));
        insert(2, &at(2));
        shop.run();
        insert(3, value);
        shop.run();
        assert!(is_same(&shop, "t"), "{of}: {:?}", shop.world.rows("t"));
        insert(4, &at(3));
        insert(5, value);
        shop.run();
        check_warned(&shop, "rows whose `at` is NaN or an infinity: 2.");
        assert!(is_same(&shop, "t"), "{of}: {:?}", shop.world.rows("t"));
    }
}

/// In the night in which clocks go back, local times come a second time, below those that were read. The zone is made for the test:
/// clocks go back in half an hour, then they have done so a minute ago.
#[test]
fn local_times_that_come_twice() {
    for (standard, summer) in [(1, 2), (-5, -4)] {
        let sql = "CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'v', at timestamp DEFAULT localtimestamp)";
        let shop = Shop::new(sql, &ways(&[("t", "incremental_column: at")]));
        let set_zone = |minutes: i32| {
            // In a zone's POSIX form, west of Greenwich is positive, and days count from 0.
            let zone = shop.database.value(&format!(
                "SELECT 'STD' || {} || 'DST' || {} || ',0/0,' || extract(doy FROM at)::int - 1 || '/' || to_char(at, 'HH24:MI:SS') \
                 FROM (SELECT now() AT TIME ZONE 'UTC' + interval '{summer} hours {minutes} minutes' AS at) AS a",
                -standard, -summer
            ));
            let name = shop.database.name();
            shop.database
                .run(&format!("ALTER DATABASE {name} SET TimeZone = '{zone}'"));
        };
        set_zone(30);
        shop.database
            .run("INSERT INTO t VALUES (1, 'v', localtimestamp - interval '1 day')");
        shop.run();
        shop.database
            .run("INSERT INTO t VALUES (2, 'v', localtimestamp - interval '1 min')");
        shop.run();
        set_zone(-1);
        // The same minute, as clocks tell it now: an hour earlier.
        shop.database.run("INSERT INTO t (id) VALUES (3)");
        shop.run();
        assert!(
            is_same(&shop, "t"),
            "{standard}: {:?}",
            shop.world.rows("t")
        );
        // Clocks were set back a minute ago, and the times before that are not left behind yet.
        shop.database
            .run("INSERT INTO t VALUES (4, 'v', localtimestamp + interval '1 second')");
        shop.run();
        assert!(
            is_same(&shop, "t"),
            "{standard}: {:?}",
            shop.world.rows("t")
        );
        check_quiet(&shop);
    }
}

#[test]
fn texts_and_decimals_that_applications_set() {
    for column in ["id", "n"] {
        let shop = Shop::new(
            "CREATE TABLE t (id text PRIMARY KEY, n numeric(10,2), v text); INSERT INTO t VALUES ('b', 10, 'x')",
            &table(&[
                "t",
                "primary_key: id",
                &format!("incremental_column: {column}"),
            ]),
        );
        check_warned(
            &shop,
            "a row with a lower value than rows that were read before is missed",
        );
    }
}
