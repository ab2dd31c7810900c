//! What people's SQL can't do.

use comboi_engine::{Input, SqlFile, uses_the_clock};

use super::Bench;

/// The SQL is refused, and says so with these words.
fn check(sql: &str, expected: &str) {
    let bench = Bench::new();
    let (columns, files) = bench.stage("orders", "SELECT 1 AS id");
    bench.stage("secret", "SELECT 'canary' AS secret");
    std::fs::write(bench.path("secret.csv"), "secret\ncanary\n").unwrap();
    let folder = bench.folder.path().to_str().unwrap().to_owned();
    let orders = Input {
        alias: "orders",
        columns: &columns,
        files: &files,
    };
    let told = bench.table(&sql.replace("{folder}", &folder), &[orders]);
    assert!(
        told.contains(expected),
        "{sql}\n{told}\nshould contain: {expected}"
    );
    assert!(!told.contains("canary"), "{sql}\n{told}");
    assert!(!bench.path("out.parquet").exists() && !bench.path("stolen.csv").exists());
}

#[test]
fn other_files_can_not_be_read() {
    for sql in [
        "SELECT * FROM '{folder}/secret.parquet'",
        "SELECT * FROM \"{folder}/secret.csv\"",
        "SELECT * FROM read_parquet('{folder}/secret.parquet')",
        "SELECT * FROM main.parquet_scan('{folder}/secret.parquet')",
        "SELECT * FROM read_csv('{folder}/*.csv')",
        "SELECT (SELECT content FROM read_text('{folder}/secret.csv')) AS x FROM orders",
        "SELECT * FROM orders WHERE id IN (SELECT size FROM read_blob('{folder}/secret.csv'))",
        "WITH orders AS (FROM glob('{folder}/*')) FROM orders",
        "SELECT * FROM orders, LATERAL (FROM read_json(orders.id::VARCHAR))",
    ] {
        check(sql, "a query reads no files");
    }
    check(
        "SELECT * FROM orders UNION ALL BY NAME FROM sniff_csv('{folder}/secret.csv')",
        "the table function `sniff_csv` can't be used here",
    );
}

#[test]
fn nothing_but_one_select_runs() {
    for sql in [
        "COPY (SELECT 1) TO '{folder}/stolen.csv'",
        "ATTACH '{folder}/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '1TB'",
        "PRAGMA database_list",
        "CREATE TABLE t AS SELECT 1",
        "DROP VIEW orders",
        "CALL enable_logging()",
        "EXPORT DATABASE '{folder}/db'",
        "EXPLAIN SELECT 1",
        "SELECT 1; COPY (SELECT 1) TO '{folder}/stolen.csv'",
        "INSERT INTO orders VALUES (1)",
        "CHECKPOINT",
    ] {
        check(
            sql,
            "a transformation is one SELECT, and this is something else",
        );
    }
    check(
        "SELECT 1 AS a; SELECT 2 AS a",
        "there are 2 statements in this file",
    );
    check(
        "SELECT 1 AS a) TO '{folder}/stolen.csv'; --",
        "syntax error at or near \")\"\n  q.sql:1:14",
    );
    check(
        "SELECT 1 AS a\0 FROM read_csv('x')",
        "there is a NUL character in this query\n  q.sql:1:14",
    );
    check("-- nothing\n;", "there is no query in this file");
    check("", "there is no query in this file");
}

#[test]
fn settings_logs_and_other_statements_stay_out_of_reach() {
    for name in [
        "enable_logging()",
        "duckdb_settings()",
        "duckdb_secrets()",
        "query('SELECT 1')",
        "query_table('orders')",
        "pragma_version()",
        "json_execute_serialized_sql('{}')",
        "which_secret('a', 'b')",
        "duckdb_logs()",
        "test_all_types()",
    ] {
        let function = name.split('(').next().unwrap();
        check(
            &format!("SELECT * FROM {name}"),
            &format!("the table function `{function}` can't be used here"),
        );
    }
    for table in [
        "duckdb_settings",
        "information_schema.tables",
        "sqlite_master",
        "system.main.duckdb_views",
        "customers",
    ] {
        check(
            &format!("SELECT * FROM {table}"),
            &format!("`{table}` is not an input of this query"),
        );
    }
    check(
        "SELECT getenv('HOME') AS h",
        "the function `getenv` can't be used here",
    );
    check(
        "SELECT write_log('x') AS h",
        "the function `write_log` can't be used here",
    );
    check(
        "SHOW TABLES",
        "DESCRIBE, SHOW and SUMMARIZE can't be used here",
    );
    check(
        "SUMMARIZE orders",
        "DESCRIBE, SHOW and SUMMARIZE can't be used here",
    );
    check("SELECT ? AS x", "a parameter (`?`, `$1`) has no value here");
    check(
        "SELECT $1 AS x",
        "a parameter (`?`, `$1`) has no value here",
    );
}

#[test]
fn ordinary_queries_get_through() {
    let bench = Bench::new();
    let (columns, files) = bench.stage("orders", "SELECT 1 AS id, 'a' AS s");
    let orders = Input {
        alias: "orders",
        columns: &columns,
        files: &files,
    };
    for sql in [
        "\u{feff}SELECT id FROM orders;",
        "SELECT id FROM orders /* ; */ ; -- ;\n",
        "VALUES (1)",
        "FROM orders SELECT id",
        "TABLE orders",
        "(SELECT id FROM orders) UNION ALL SELECT 2 ORDER BY 1 LIMIT 3",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 3), m AS MATERIALIZED (FROM n) SELECT i FROM m",
        "PIVOT orders ON s IN ('a', 'b') USING sum(id)",
        "SELECT * FROM orders PIVOT (sum(id) FOR s IN ('a'))",
        "UNPIVOT orders ON id INTO NAME k VALUE v",
        "SELECT unnest([1, 2]) AS u, generate_series FROM generate_series(1, 2)",
        "SELECT key FROM orders, json_each('{\"a\": 1}')",
        "SELECT id FROM orders QUALIFY row_number() OVER (PARTITION BY s ORDER BY id DESC) = 1",
        "SELECT list_transform([1, 2], lambda x: x + id) AS l FROM orders",
        "SELECT o.id FROM orders o ASOF JOIN orders p ON o.id >= p.id",
    ] {
        let told = bench
            .build(sql, &[orders])
            .map(|built| built.row_count > 0)
            .map_err(|e| e.to_string());
        assert_eq!(told, Ok(true), "{sql}");
    }
}

#[test]
fn queries_that_ask_for_the_time_are_known() {
    let bench = Bench::new();
    let clock = |text: &str| {
        uses_the_clock(
            &bench.session,
            &SqlFile {
                path: "q.sql".as_ref(),
                text,
            },
        )
        .unwrap()
    };
    for sql in [
        "SELECT now()",
        "SELECT CURRENT_TIMESTAMP",
        "SELECT 1 FROM t WHERE d < current_date",
        "SELECT random()",
        "WITH a AS (SELECT uuid()) FROM a",
        "SELECT age(d) FROM t",
        "FROM t USING SAMPLE 10%",
        "SELECT Today()",
        "SELECT get_current_timestamp() FROM t;",
        "SELECT ago(INTERVAL 1 HOUR)",
        "SELECT i.ago() FROM t",
        "SELECT system.main.ago(i) FROM t",
        "SELECT current_setting('temp_directory')",
        "SELECT LOCALTIMESTAMP",
        "SELECT current_localtime()",
        "SELECT uuidv7() FROM t",
    ] {
        assert!(clock(sql), "{sql}");
    }
    for sql in [
        "SELECT d FROM t",
        "SELECT 'now()' AS x",
        "SELECT age(d, e) FROM t",
        // Columns, whatever functions there are.
        "SELECT uuid, today, now, random FROM t",
        "SELECT CASE WHEN a THEN error('no') END FROM t",
        "SELECT json_group_object(k, v), nullif(a, b), comboi_run_at(), comboi_hmac(a) FROM t",
        "FROM t USING SAMPLE reservoir(10 ROWS) REPEATABLE (42)",
        "SELECT date_trunc('day', d) FROM t -- now()",
    ] {
        assert!(!clock(sql), "{sql}");
    }
}
