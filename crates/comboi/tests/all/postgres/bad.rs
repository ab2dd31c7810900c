//! Mistakes: one clear message each, and the lake as it was.

use super::{Shop, table};

const T: &str = "CREATE TABLE t (id int, v text, created_at date); INSERT INTO t VALUES (1, 'a', NULL), (1, 'b', NULL)";

fn check(tables: &str, expected: &str) {
    let shop = Shop::new(T, tables);
    assert_eq!(shop.failure(), expected);
    assert!(shop.world.read_folder("data/bronze/shop").is_empty());
}

#[test]
fn what_is_not_there() {
    check(
        &table(&["t", "table: nothing"]),
        "could not understand what is to be read: relation \"nothing\" does not exist (`comboi discover` lists the tables that there are; names are taken as they are written, with their case); nothing of it was loaded",
    );
    check(
        &table(&["t", "incremental_column: creatd_at"]),
        "there is no column `creatd_at`, the `incremental_column`; did you mean `created_at`?",
    );
    check(
        &table(&["t", "columns: {creatd_at: DATE}"]),
        "there is no column `creatd_at`, which `columns` gives a type to; did you mean `created_at`?",
    );
    check(
        &table(&["t", "query: SELECT x FROM t"]),
        "could not understand what is to be read: column \"x\" does not exist (`comboi discover` lists the columns that there are); nothing of it was loaded",
    );
}

#[test]
fn a_table_without_columns() {
    let shop = Shop::new("CREATE TABLE t ()", &table(&["t"]));
    let expected = "the table `t` has no columns, so there is nothing to load; nothing was read. Add a column in the database, name another table, or take `t` out of the configuration";
    assert_eq!(shop.failure(), expected);
    let planned = shop.world.comboi(&["plan"]);
    let told = planned.out + &planned.err;
    assert!(told.contains(expected), "{told}");
}

#[test]
fn queries_that_are_none() {
    check(
        &table(&["t", "query: SELECT 1 AS a; DROP TABLE t"]),
        "the query holds more than one statement; write one SELECT",
    );
    check(
        &table(&["t", "query: DELETE FROM t"]),
        "the query does not return rows: it has to begin with SELECT, WITH, VALUES or TABLE",
    );
    let shop = Shop::new(
        T,
        &table(&[
            "t",
            "query: WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone",
        ]),
    );
    assert!(
        shop.failure()
            .starts_with("could not understand what is to be read: "),
        "{}",
        shop.failure()
    );
    assert_eq!(shop.database.value("SELECT count(*) FROM t"), "2");
    check(
        &table(&["t", "query: \"SELECT 1 AS a, 2 AS a\""]),
        "the query returns two columns `a`; give one of them another name with AS",
    );
}

#[test]
fn keys_that_are_none() {
    check(
        &table(&["t", "incremental_column: id", "primary_key: id"]),
        "1 rows share their `id` with another row, and `primary_key` says that it tells rows apart; nothing was loaded. Name more columns in `primary_key`, or leave it out",
    );
    check(
        &table(&["t", "incremental_column: id", "primary_key: nr"]),
        "there is no column `nr`, which `primary_key` or `incremental_column` names; there are id, v, created_at",
    );
}

#[test]
fn logins_that_fail_show_no_secret() {
    let shop = Shop::new(T, "");
    let url = shop.database.url();
    let failing = |url: &str| {
        shop.connect_by(&format!("conn_str: \"{url}\""), &table(&["t"]));
        let message = shop.failure();
        assert!(!message.contains("s3cret"), "{message}");
        message
    };
    let wrong = failing(&url.replace("comboi@", "s3cret@"));
    assert!(
        wrong.contains(
            "password authentication failed for user \"postgres\" (check user and password)"
        ),
        "{wrong}"
    );
    let nowhere = failing(
        &url.replace("localhost", "no-such-host.invalid")
            .replace("comboi@", "s3cret@"),
    );
    assert!(
        nowhere.starts_with("could not connect to no-such-host.invalid:"),
        "{nowhere}"
    );
    let gone = failing(&url.replace(shop.database.name(), "no_such_database"));
    assert!(
        gone.contains(
            "database \"no_such_database\" does not exist (check the name of the database)"
        ),
        "{gone}"
    );
}

#[test]
fn a_login_that_may_not_read() {
    let shop = Shop::new(T, "");
    let role = format!("nobody_{}", shop.database.name());
    shop.database
        .run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'"));
    let url = shop
        .database
        .url()
        .replace("postgres:comboi@", &format!("{role}:x@"));
    shop.connect_by(&format!("conn_str: \"{url}\""), &table(&["t"]));
    let message = shop.failure();
    shop.database.run(&format!("DROP ROLE {role}"));
    assert!(
        message.contains("permission denied for table t (grant the login the right to SELECT)"),
        "{message}"
    );
}

#[test]
fn mistakes_in_the_configuration_are_found_by_validate() {
    let shop = Shop::new(T, "");
    shop.configure(
        &(table(&["a", "incremental: rowversion", "incremental_column: v"])
            + &table(&["b", "incremental: xmin"])
            + &table(&["c", "incremental: watermark"])
            + &table(&["d", "table: t", "query: SELECT 1"])
            + &table(&["e", "parallelism: 0"])),
    );
    let said = shop.world.expect(2, &["validate"]);
    let told = format!("{}{}", said.out, said.err);
    for expected in [
        "PostgreSQL has no row versions",
        "`b` has no `primary_key`, and `xmin` tells which rows were written, not which are new",
        "`c` does not say by which column it grows",
        "`d` has a table and a query",
        "`parallelism` has to be 1 at least",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
}
