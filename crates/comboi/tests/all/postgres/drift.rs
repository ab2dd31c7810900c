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
