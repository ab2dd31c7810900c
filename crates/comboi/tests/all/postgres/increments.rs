//! What is new, and what was late.

use super::{Shop, table};

const ORDERS: &str = "CREATE TABLE orders (id bigint PRIMARY KEY, note text, at timestamptz)";

#[test]
fn a_row_that_is_committed_late_is_not_missed() {
    let tables = table(&["orders", "incremental_column: at"])
        + &table(&["by_id", "table: orders", "incremental_column: id"]);
    let shop = Shop::new(ORDERS, &tables);
    shop.database
        .run("INSERT INTO orders VALUES (1, 'first', clock_timestamp())");
    let late = shop.database.session();
    shop.database
        .block_on(
            late.batch_execute("BEGIN; INSERT INTO orders VALUES (2, 'late', clock_timestamp())"),
        )
        .unwrap();
    shop.database
        .run("INSERT INTO orders VALUES (3, 'third', clock_timestamp())");
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/orders succeeded 2",
            "bronze/shop/by_id succeeded 2"
        ]
    );
    shop.database
        .block_on(late.batch_execute("COMMIT"))
        .unwrap();
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/orders succeeded 1",
            "bronze/shop/by_id succeeded 1"
        ]
    );
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/orders skipped 0",
            "bronze/shop/by_id skipped 0"
        ]
    );
    for dataset in ["orders", "by_id"] {
        let ids: Vec<String> = shop
            .world
            .rows(dataset)
            .iter()
            .map(|row| row.split(',').next().unwrap().to_owned())
            .collect();
        assert_eq!(ids, ["1", "2", "3"], "{dataset}");
    }
}

#[test]
fn the_report_says_what_is_not_certain() {
    let shop = Shop::new(ORDERS, &table(&["orders", "incremental_column: at"]));
    shop.database
        .run("INSERT INTO orders VALUES (1, 'first', clock_timestamp() - interval '2 minutes')");
    let open = shop.database.session();
    shop.database
        .block_on(
            open.batch_execute("BEGIN; INSERT INTO orders VALUES (2, 'late', clock_timestamp())"),
        )
        .unwrap();
    shop.run();
    shop.database
        .run("INSERT INTO orders VALUES (3, 'third', clock_timestamp() - interval '1 minute')");
    let report = shop.world.json(&["run", "bronze"]);
    let note = report["tasks"][0]["notes"][0].as_str().unwrap().to_owned();
    assert!(
        note.starts_with("a transaction has been open since "),
        "{note}"
    );

    let role = format!("reader_{}", shop.database.name());
    shop.database.run(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT SELECT ON orders TO {role}"
    ));
    let url = shop
        .database
        .url()
        .replace("postgres:comboi@", &format!("{role}:reader@"));
    shop.connect_by(
        &format!("conn_str: \"{url}\""),
        &table(&["orders", "incremental_column: at", "lookback: 1h"]),
    );
    let report = shop.world.json(&["run", "bronze"]);
    assert_eq!(
        report["tasks"][0]["warnings"][0],
        "best effort: other people's transactions can't be seen (the login may not, or the server is a replica); rows that are committed more than 1h late are missed"
    );
    shop.database
        .block_on(open.batch_execute("COMMIT"))
        .unwrap();
    assert_eq!(shop.run(), ["bronze/shop/orders succeeded 1"]);
    shop.database
        .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
}

#[test]
fn ties_are_neither_lost_nor_doubled() {
    for (of, values) in [
        ("timestamp", ["2024-01-01", "2024-01-02"]),
        ("date", ["2024-01-01", "2024-01-02"]),
        ("text", ["a", "b"]),
        ("integer", ["1", "2"]),
    ] {
        let [one, two] = values;
        let shop = Shop::new(
            &format!("CREATE TABLE t (at {of}, n int)"),
            &table(&["t", "incremental_column: at"]),
        );
        shop.database.run(&format!(
            "INSERT INTO t VALUES ('{one}', 1), ('{one}', 1), ('{two}', 2)"
        ));
        assert_eq!(shop.run(), ["bronze/shop/t succeeded 3"], "{of}");
        shop.database
            .run(&format!("INSERT INTO t VALUES ('{two}', 2), ('{two}', 3)"));
        assert_eq!(shop.run(), ["bronze/shop/t succeeded 2"], "{of}");
        assert_eq!(shop.run(), ["bronze/shop/t skipped 0"], "{of}");
        assert_eq!(shop.world.rows("t").len(), 5, "{of}");
    }
}

#[test]
fn a_changed_row_takes_the_place_of_the_old_one() {
    let keyed = |mode: &str| table(&["orders", "primary_key: id", mode]);
    for mode in [
        "incremental_column: at",
        "incremental_column: [at, id]",
        "incremental: xmin",
    ] {
        let shop = Shop::new(ORDERS, &keyed(mode));
        shop.database
            .run("INSERT INTO orders SELECT i, 'old', '2024-01-01' FROM generate_series(1, 5) i");
        assert_eq!(shop.run(), ["bronze/shop/orders succeeded 5"], "{mode}");
        shop.database.run("UPDATE orders SET note = 'new', at = '2024-02-01' WHERE id = 3; INSERT INTO orders VALUES (6, 'new', '2024-02-01')");
        assert_eq!(shop.run(), ["bronze/shop/orders succeeded 2"], "{mode}");
        let midnight = |day: &str| format!("2024-{day} 00:00:00+00");
        let (old, new) = (midnight("01-01"), midnight("02-01"));
        let expected = [
            format!("1,old,{old}"),
            format!("2,old,{old}"),
            format!("3,new,{new}"),
            format!("4,old,{old}"),
            format!("5,old,{old}"),
            format!("6,new,{new}"),
        ];
        assert_eq!(shop.world.rows("orders"), expected, "{mode}");
        assert_eq!(shop.run(), ["bronze/shop/orders skipped 0"], "{mode}");
    }
}

#[test]
fn rows_without_a_cursor_by_policy() {
    let with = |policy: &str| {
        let shop = Shop::new(
            ORDERS,
            &table(&["orders", "incremental_column: at", policy]),
        );
        shop.database
            .run("INSERT INTO orders VALUES (1, 'a', '2024-01-01'), (2, 'b', NULL)");
        shop
    };
    let shop = with("on_null: load");
    assert_eq!(shop.run(), ["bronze/shop/orders succeeded 2"]);
    shop.database
        .run("INSERT INTO orders VALUES (3, 'c', NULL)");
    assert_eq!(shop.run(), ["bronze/shop/orders succeeded 1"]);
    let shop = with("on_null: skip");
    let report = shop.world.json(&["run", "bronze"]);
    let warnings = report["tasks"][0]["warnings"].as_array().unwrap();
    assert!(
        warnings.contains(&"rows without a value in `at` that were left out: 1".into()),
        "{warnings:?}"
    );
    assert_eq!(shop.world.rows("orders").len(), 1);
    let shop = with("on_null: fail");
    assert_eq!(
        shop.failure(),
        "a row has no value in `at`, the incremental column (`on_null: fail`); nothing was loaded"
    );
}

#[test]
fn a_whole_table_is_replaced_when_it_changed() {
    let shop = Shop::new(ORDERS, &table(&["orders"]));
    shop.database
        .run("INSERT INTO orders VALUES (1, 'a', NULL), (2, 'b', NULL)");
    assert_eq!(shop.run(), ["bronze/shop/orders succeeded 2"]);
    assert_eq!(shop.run(), ["bronze/shop/orders skipped 0"]);
    shop.database.run("DELETE FROM orders WHERE id = 1");
    assert_eq!(shop.run(), ["bronze/shop/orders succeeded 1"]);
    assert_eq!(shop.world.rows("orders"), ["2,b,NULL"]);
}

#[test]
fn plan_tells_filter_and_estimate_and_writes_nothing() {
    let shop = Shop::new(ORDERS, &table(&["orders", "incremental_column: id"]));
    shop.database.run(
        "INSERT INTO orders SELECT i, 'x', NULL FROM generate_series(1, 1000) i; ANALYZE orders",
    );
    let plan = shop.world.expect(0, &["plan"]).out;
    assert!(
        plan.contains("shop/orders (everything)") && plan.contains("~1,000 rows"),
        "{plan}"
    );
    assert!(shop.world.read_folder("data").is_empty());
    shop.run();
    let plan = shop.world.expect(0, &["plan"]).out;
    assert!(plan.contains("shop/orders (id >= 1000)"), "{plan}");
}

#[test]
fn a_range_is_read_again_and_the_checkpoint_stays() {
    let shop = Shop::new(
        ORDERS,
        &table(&["orders", "incremental_column: at", "primary_key: id"]),
    );
    shop.database.run("INSERT INTO orders SELECT i, 'old', timestamptz '2024-01-01 00:00+00' + i * interval '1 day' FROM generate_series(0, 20) i");
    shop.run();
    // Nobody moved `at`, so no run finds these.
    shop.database
        .run("UPDATE orders SET note = 'mended' WHERE id IN (3, 4, 18)");
    assert_eq!(shop.run(), ["bronze/shop/orders skipped 0"]);
    let words = [
        "backfill",
        "--source",
        "shop",
        "--table",
        "orders",
        "--from",
        "2024-01-01",
        "--to",
        "2024-01-15",
        "--chunk",
        "7d",
    ];
    let said = shop.world.expect(0, &words);
    assert_eq!(
        said.out,
        "bronze/shop/orders [2024-01-01, 2024-01-08): 2 new or changed rows\nbronze/shop/orders [2024-01-08, 2024-01-15): 0 new or changed rows\nbronze/shop/orders: 2 new or changed rows; the checkpoint is where it was\n"
    );
    let mended = shop
        .world
        .rows("orders")
        .iter()
        .filter(|row| row.contains("mended"))
        .count();
    assert_eq!(mended, 2);
    assert_eq!(shop.run(), ["bronze/shop/orders skipped 0"]);
}

#[test]
fn reconcile_names_the_ranges_that_differ() {
    let shop = Shop::new(
        ORDERS,
        &table(&["orders", "incremental_column: at", "primary_key: id"]),
    );
    shop.database
        .run("INSERT INTO orders SELECT i, 'old', '2024-01-01' FROM generate_series(1, 100) i");
    shop.run();
    let words = [
        "reconcile",
        "--source",
        "shop",
        "--table",
        "orders",
        "--ranges",
        "4",
    ];
    assert_eq!(
        shop.world.expect(0, &words).out,
        "bronze/shop/orders: the lake has what the source has, 100 rows, in 4 ranges of `id`\n"
    );
    shop.database
        .run("DELETE FROM orders WHERE id = 30; UPDATE orders SET note = 'mended' WHERE id = 80");
    let said = shop.world.expect(1, &words).out;
    assert!(
        said.starts_with(
            "bronze/shop/orders: 99 rows in the source, 100 rows in the lake. Ranges that differ:\n"
        ),
        "{said}"
    );
    assert!(
        said.contains("1 too many") && said.contains("other values"),
        "{said}"
    );
    let found = shop.world.json(&words);
    let differ = found["ranges"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|range| range["same"] == false)
        .count();
    assert_eq!(differ, 2);
}

/// A file that nobody asks for can be gone: so it is seen which ones a run reads.
#[test]
fn only_files_that_may_have_a_row_again_are_read() {
    let tables = table(&["orders", "incremental_column: id"])
        + &table(&[
            "by_key",
            "table: orders",
            "incremental_column: at",
            "primary_key: id",
        ])
        + &table(&[
            "by_xmin",
            "table: orders",
            "incremental: xmin",
            "primary_key: id",
        ]);
    let shop = Shop::new(ORDERS, &tables);
    let insert = |from: u32, to: u32| {
        shop.database.run(&format!(
            "INSERT INTO orders SELECT i, 'note', '2026-01-01'::timestamptz + i * interval '1 hour' FROM generate_series({from}, {to}) i"
        ));
    };
    insert(1, 1_000);
    shop.run();
    insert(1_001, 1_010);
    shop.run();
    let mut first_loads = Vec::new();
    for dataset in ["orders", "by_key", "by_xmin"] {
        let folder = shop.world.path(&format!("data/bronze/shop/{dataset}"));
        let files = std::fs::read_dir(folder).unwrap();
        first_loads.extend(files.map(|file| file.unwrap().path()).filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name.starts_with("part-default-000000000001-")
        }));
    }
    assert!(first_loads.len() >= 3, "{first_loads:?}");
    for path in &first_loads {
        std::fs::rename(path, path.with_extension("away")).unwrap();
    }
    insert(1_011, 1_020);
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/orders succeeded 10",
            "bronze/shop/by_key succeeded 10",
            "bronze/shop/by_xmin succeeded 10"
        ]
    );
    // The row that another one takes the place of is in a file that is not there.
    shop.database
        .run("UPDATE orders SET at = '2027-01-01' WHERE id = 5");
    assert_eq!(
        shop.run(),
        [
            "bronze/shop/orders skipped 0",
            "bronze/shop/by_key failed 0",
            "bronze/shop/by_xmin failed 0"
        ]
    );
    for path in &first_loads {
        std::fs::rename(path.with_extension("away"), path).unwrap();
    }
    let outcomes = shop.run();
    assert_eq!(
        outcomes[1..],
        [
            "bronze/shop/by_key succeeded 1",
            "bronze/shop/by_xmin succeeded 1"
        ]
    );
    for dataset in ["orders", "by_key", "by_xmin"] {
        assert_eq!(shop.world.rows(dataset).len(), 1_020, "{dataset}");
    }
    let fives: Vec<String> = shop
        .world
        .rows("by_key")
        .into_iter()
        .filter(|row| row.starts_with("5,"))
        .collect();
    assert!(
        fives.len() == 1 && fives[0].contains("2027-01-01"),
        "{fives:?}"
    );
}
