//! A replica is read: it has the rows, and can't tell who is still at work on its primary.

use super::{Shop, table};

const T: &str = "CREATE TABLE t (id int PRIMARY KEY, at timestamptz); \
    INSERT INTO t SELECT i, '2026-03-01 12:00:00+00'::timestamptz + i * interval '1 second' FROM generate_series(1, 20000) i";

/// A row that is committed after one with a later time, between two runs.
fn check(keys: &[&str], warnings: &str) {
    let mut lines = vec!["t"];
    lines.extend(keys);
    let shop = Shop::new(T, "");
    let read = || {
        let url = shop.database.replica_url();
        shop.connect_by(&format!("conn_str: \"{url}\""), &table(&lines));
        let report = shop.world.json(&["run", "bronze"]);
        (
            report["tasks"][0]["total_rows"].as_u64(),
            report["tasks"][0]["warnings"].to_string(),
        )
    };
    assert_eq!(read().0, Some(20_000));
    let late = shop.database.session();
    let insert = "BEGIN; INSERT INTO t VALUES (20001, '2026-03-02 12:00:00+00')";
    shop.database.block_on(late.batch_execute(insert)).unwrap();
    shop.database
        .run("INSERT INTO t VALUES (20002, '2026-03-02 12:00:30+00')");
    let (rows, told) = read();
    assert_eq!(rows, Some(20_001));
    assert!(told.contains(warnings), "{told}");
    shop.database
        .block_on(late.batch_execute("COMMIT"))
        .unwrap();
    assert_eq!(read().0, Some(20_002));
    assert_eq!(read().0, Some(20_002));
    let said = shop.world.expect(0, &["test-connection"]).out;
    assert!(said.contains("a replica"), "{said}");
}

#[test]
fn by_time_with_a_lookback() {
    check(
        &["incremental_column: at", "primary_key: id", "lookback: 1h"],
        "best effort: other people's transactions can't be seen (the login may not, or the server is a replica); rows that are committed more than 1h late are missed",
    );
}

/// The transactions' own numbers come with them, and so does which of them are open.
#[test]
fn by_transaction_numbers() {
    check(&["incremental: xmin", "primary_key: id"], "[");
}
