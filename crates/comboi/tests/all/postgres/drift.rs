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
