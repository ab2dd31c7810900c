//! Columns that come, change and go.

use super::{Shop, table};

fn shop(policy: &str) -> Shop {
    let shop = Shop::new(
        "CREATE TABLE t (id int PRIMARY KEY, v int)",
        &table(&["t", "incremental_column: id", "primary_key: id", policy]),
    );
    shop.database.run("INSERT INTO t VALUES (1, 10)");
    shop.run();
    shop
}

#[test]
fn evolve_adds_and_widens() {
    let shop = shop("on_schema_change: evolve");
    shop.database.run("ALTER TABLE t ADD c text; ALTER TABLE t ALTER v TYPE bigint; INSERT INTO t VALUES (2, 5000000000, 'x')");
    let report = shop.world.json(&["run", "bronze"]);
    assert_eq!(
        report["tasks"][0]["notes"],
        serde_json::json!([
            "`v` is BIGINT instead of INTEGER",
            "new column `c` (VARCHAR)"
        ])
    );
    assert_eq!(shop.world.rows("t"), ["1,10,NULL", "2,5000000000,x"]);
    shop.database
        .run("ALTER TABLE t DROP v; INSERT INTO t VALUES (3, 'y')");
    let report = shop.world.json(&["run", "bronze"]);
    assert_eq!(
        report["tasks"][0]["warnings"][0],
        "the source has no `v` any more (dropped or renamed): rows that are there keep their last value, new rows have NULL; `comboi restore bronze/shop/t --version 1` brings the version before this run back"
    );
    assert_eq!(
        shop.world.rows("t"),
        ["1,10,NULL", "2,5000000000,x", "3,NULL,y"]
    );
}

#[test]
fn freeze_names_the_columns() {
    let shop = shop("on_schema_change: freeze");
    shop.database
        .run("ALTER TABLE t ADD c text; INSERT INTO t VALUES (2, 1, 'x')");
    assert_eq!(
        shop.failure(),
        "the columns of the source are not those of the table: new column `c` (VARCHAR); nothing was loaded (`on_schema_change`)"
    );
    assert_eq!(shop.world.rows("t"), ["1,10"]);
}

#[test]
fn discard_leaves_new_columns_out() {
    let shop = shop("on_schema_change: discard");
    shop.database
        .run("ALTER TABLE t ADD c text; INSERT INTO t VALUES (2, 1, 'x')");
    let report = shop.world.json(&["run", "bronze"]);
    assert_eq!(
        report["tasks"][0]["notes"][0],
        "columns that the table does not take: `c`"
    );
    assert_eq!(shop.world.rows("t"), ["1,10", "2,1"]);
}

/// 2^53 + 1 is no `DOUBLE`.
#[test]
fn values_that_the_table_s_type_does_not_have_are_refused() {
    for (before, after, good, bad) in [
        ("float8[]", "bigint[]", "{7}", "{9007199254740993}"),
        ("float8", "bigint", "7", "9007199254740993"),
    ] {
        let sql = format!(
            "CREATE TABLE t (id int PRIMARY KEY, v {before}); INSERT INTO t VALUES (1, '{good}')"
        );
        let shop = Shop::new(
            &sql,
            &table(&["t", "incremental_column: id", "primary_key: id"]),
        );
        shop.run();
        shop.database.run(&format!(
            "ALTER TABLE t DROP v; ALTER TABLE t ADD v {after}; INSERT INTO t VALUES (2, '{good}')"
        ));
        // The row that was there has lost its value, and is read again.
        assert_eq!(shop.run(), ["bronze/shop/t succeeded 2"], "{after}");
        let before = shop.world.rows("t");
        shop.database
            .run(&format!("INSERT INTO t VALUES (3, '{bad}')"));
        let failure = shop.failure();
        assert!(
            failure.starts_with("some values do not fit the types"),
            "{failure}"
        );
        assert_eq!(shop.world.rows("t"), before);
    }
}

#[test]
fn a_column_that_is_dropped() {
    for (policy, more) in [
        ("on_schema_change: discard", ""),
        ("on_schema_change: {evolve: any}", ""),
        ("on_schema_change: discard", "columns: {gone: VARCHAR}"),
    ] {
        let sql =
            "CREATE TABLE t (id int PRIMARY KEY, gone int, v int); INSERT INTO t VALUES (1, 7, 8)";
        let mut lines = vec!["t", "incremental_column: id", "primary_key: id", policy];
        lines.extend(Some(more).filter(|it| !it.is_empty()));
        let shop = Shop::new(sql, &table(&lines));
        shop.run();
        shop.database
            .run("ALTER TABLE t DROP gone; INSERT INTO t VALUES (2, 9)");
        let report = shop.world.json(&["run", "bronze"]);
        let told = report["tasks"][0]["warnings"][0].as_str();
        let told = told.unwrap_or_else(|| panic!("{report:#}"));
        assert!(
            told.starts_with("the source has no `gone` any more"),
            "{told}"
        );
        assert_eq!(shop.world.rows("t"), ["1,7,8", "2,NULL,9"], "{policy}");
        assert_eq!(shop.run(), ["bronze/shop/t skipped 0"], "{policy}");
    }
}

#[test]
fn discard_reads_texts_as_before() {
    let sql = "CREATE EXTENSION postgis; CREATE TABLE t (id int, m money, g geometry); INSERT INTO t VALUES (1, '1.50', 'POINT(1 2)')";
    let shop = Shop::new(
        sql,
        &table(&["t", "incremental_column: id", "on_schema_change: discard"]),
    );
    shop.run();
    shop.database
        .run("INSERT INTO t VALUES (2, '2.50', 'POINT(3 4)')");
    shop.run();
    assert_eq!(
        shop.world.rows("t"),
        ["1,1.50,POINT(1 2)", "2,2.50,POINT(3 4)"]
    );
}

/// PostgreSQL does not write rows anew for a default, so their `xmin` stays.
#[test]
fn a_column_with_a_default_moves_no_row_for_xmin() {
    // Rows are read once more as long as any transaction of the server is open that was open when they were written.
    let settled = || {
        let shop = Shop::new(
            "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)",
            &table(&["t", "incremental: xmin", "primary_key: id"]),
        );
        shop.run();
        std::thread::sleep(std::time::Duration::from_secs(1));
        shop.run();
        shop.database.run("ALTER TABLE t ADD c int DEFAULT 7");
        (shop.run() == ["bronze/shop/t succeeded 0"]).then_some(shop)
    };
    let shop = (0..20).find_map(|_| settled()).unwrap();
    assert_eq!(shop.world.rows("t"), ["1,NULL", "2,NULL"]);
    shop.database.run("UPDATE t SET id = id WHERE id = 2");
    assert_eq!(shop.run(), ["bronze/shop/t succeeded 1"]);
    assert_eq!(shop.world.rows("t"), ["1,NULL", "2,7"]);
}

/// A table without a key whose rows at the lower bound are read again in every run.
fn without_key(rows: &str) -> Shop {
    let shop = Shop::new(
        "CREATE TABLE t (id int, v text)",
        &table(&["t", "incremental_column: id"]),
    );
    shop.database.run(rows);
    shop.run();
    shop
}

/// Changes the database, runs, and says what the table has then. A run after that finds nothing.
fn rows_after(shop: &Shop, sql: &str) -> Vec<String> {
    shop.database.run(sql);
    shop.run();
    assert_eq!(shop.run(), ["bronze/shop/t skipped 0"], "{sql}");
    shop.world.rows("t")
}

#[test]
fn a_column_with_a_default_doubles_no_row_without_a_key() {
    let shop = without_key("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (2, 'b')");
    assert_eq!(
        rows_after(
            &shop,
            "ALTER TABLE t ADD c int DEFAULT 7; INSERT INTO t VALUES (2, 'x', 8)"
        ),
        ["1,a,NULL", "2,b,NULL", "2,b,NULL", "2,x,8"]
    );
    assert_eq!(
        rows_after(&shop, "INSERT INTO t VALUES (2, 'b', 8), (2, 'x', 8)"),
        [
            "1,a,NULL", "2,b,8", "2,b,NULL", "2,b,NULL", "2,x,8", "2,x,8"
        ]
    );
    // The older rows are written anew, with NULL where their files had no column.
    assert_eq!(
        rows_after(
            &shop,
            "ALTER TABLE t ADD d bool NOT NULL DEFAULT true; ALTER TABLE t ALTER c TYPE bigint; INSERT INTO t VALUES (3, 'c', 1)"
        )
        .len(),
        7
    );
    assert_eq!(
        rows_after(&shop, "INSERT INTO t VALUES (3, 'c', 1), (3, 'c', NULL)")[6..],
        ["3,c,1,true", "3,c,1,true", "3,c,NULL,true"]
    );
}

#[test]
fn a_field_that_a_struct_gets_doubles_no_row_without_a_key() {
    let shop = Shop::new("CREATE TABLE t (id int, j jsonb, l jsonb)", "");
    let declare = |fields: &str| {
        let columns = format!(
            "columns: {{j: \"STRUCT(a BIGINT{fields})\", l: \"STRUCT(a BIGINT{fields})[]\"}}"
        );
        shop.configure(&table(&["t", "incremental_column: id", &columns]));
    };
    let one = r#"{"a": 1, "b": 5}"#;
    let loose = r#"{"a": 1, "b": 5, "c": {"d": 6}}"#;
    declare("");
    shop.database
        .run(r#"INSERT INTO t VALUES (1, '{"a": 1}', '[{"a": 1}]'), (1, '{"a": 2}', '[]')"#);
    shop.run();
    declare(", b BIGINT");
    let changed = format!(
        "UPDATE t SET j = '{one}', l = '[{one}]' WHERE l <> '[]'; INSERT INTO t VALUES (2, '{one}', '[{one}]')"
    );
    let first = [
        "1,{'a': 1, 'b': NULL},[{'a': 1, 'b': NULL}]",
        "1,{'a': 2, 'b': NULL},[]",
        "2,{'a': 1, 'b': 5},[{'a': 1, 'b': 5}]",
    ];
    assert_eq!(rows_after(&shop, &changed), first);
    declare(", b BIGINT, c STRUCT(d BIGINT)");
    let changed = format!(
        "UPDATE t SET j = '{loose}', l = '[{loose}]' WHERE id = 2; INSERT INTO t VALUES (2, '{loose}', '[]')"
    );
    let rows = rows_after(&shop, &changed);
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert_eq!(
        rows[2],
        "2,{'a': 1, 'b': 5, 'c': NULL},[{'a': 1, 'b': 5, 'c': NULL}]"
    );
}

#[test]
fn a_field_that_a_composite_gets_doubles_no_row_without_a_key() {
    let shop = Shop::new(
        "CREATE TYPE pair AS (a int, b text); CREATE TABLE t (id int, p pair, ps pair[])",
        &table(&["t", "incremental_column: id"]),
    );
    shop.database.run(
        r#"INSERT INTO t VALUES (1, '(1,"x,y")', ARRAY['(1,x)'::pair, NULL]), (1, '(2,)', NULL), (1, '(2,)', NULL)"#,
    );
    shop.run();
    let doubled = [
        r#"1,(1,"x,y"),['(1,x)', NULL]"#,
        "1,(2,),NULL",
        "1,(2,),NULL",
    ];
    assert_eq!(shop.world.rows("t"), doubled);
    let rows = rows_after(
        &shop,
        "ALTER TYPE pair ADD ATTRIBUTE c int; INSERT INTO t VALUES (1, '(2,,)', NULL), (2, '(3,,4)', NULL)",
    );
    assert_eq!(rows.len(), 5, "{rows:?}");
    assert_eq!(rows[3..], ["1,(2,,),NULL", "2,(3,,4),NULL"]);
    let rows = rows_after(
        &shop,
        "ALTER TYPE pair ADD ATTRIBUTE d int, ADD ATTRIBUTE e int; UPDATE t SET p = '(3,,4,5,6)' WHERE id = 2",
    );
    assert_eq!(rows.len(), 5, "{rows:?}");
}

#[test]
fn a_renamed_column_doubles_no_row_without_a_key() {
    let shop = without_key("INSERT INTO t VALUES (1, 'a'), (2, 'b'), (2, NULL)");
    shop.database.run("ALTER TABLE t RENAME v TO w");
    let report = shop.world.json(&["run", "bronze"]);
    assert_eq!(
        report["tasks"][0]["warnings"][0],
        "the source has no `v` any more (dropped or renamed): NULL in every row that is read from now on; `comboi restore bronze/shop/t --version 0` brings the version before this run back"
    );
    assert_eq!(
        rows_after(&shop, "INSERT INTO t VALUES (2, 'b')"),
        ["1,a,NULL", "2,NULL,NULL", "2,NULL,b", "2,b,NULL"]
    );
    // Named as before, its rows have their values again.
    assert_eq!(
        rows_after(
            &shop,
            "ALTER TABLE t RENAME w TO v; INSERT INTO t VALUES (2, 'z')"
        ),
        [
            "1,a,NULL",
            "2,NULL,NULL",
            "2,NULL,b",
            "2,b,NULL",
            "2,z,NULL"
        ]
    );
}

#[test]
fn a_column_that_goes_and_comes_back_doubles_no_row_without_a_key() {
    let shop = without_key("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    assert_eq!(
        rows_after(&shop, "ALTER TABLE t DROP v; INSERT INTO t VALUES (2), (3)"),
        ["1,a", "2,NULL", "2,b", "3,NULL"]
    );
    assert_eq!(
        rows_after(
            &shop,
            "ALTER TABLE t ADD v text DEFAULT 'new'; INSERT INTO t VALUES (3, 'c')"
        ),
        ["1,a", "2,NULL", "2,b", "3,NULL", "3,c"]
    );
}
