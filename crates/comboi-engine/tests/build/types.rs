//! Every type that the lake keeps, there and back: the rows of docs/types.md.

use comboi_engine::{Error, Input, Limits, Session, write_rows};
use comboi_project::Columns;
use serde_json::json;

use super::{Bench, columns};

/// Values of a type, with NULL among them, come back as they were; between, the file has the lake's type.
///
/// What the values are is asked of DuckDB before they are written, what is in the file of Parquet's own schema.
fn check(sql_type: &str, stored: &str, values: &[&str]) {
    let bench = Bench::new();
    let list: Vec<String> = values
        .iter()
        .map(|value| format!("({value}::{sql_type})"))
        .collect();
    let sql = format!(
        "SELECT n, v FROM (SELECT row_number() OVER () AS n, v FROM (VALUES {}, (NULL)) t(v)) ORDER BY n",
        list.join(", ")
    );
    let built = bench.build(&sql, &[]).unwrap();
    let canonical: comboi_project::SqlType = sql_type.parse().unwrap();
    assert_eq!(
        built.columns,
        columns(&[("n", "BIGINT"), ("v", &canonical.to_string())])
    );
    assert_eq!(built.row_count, values.len() as u64 + 1);

    let raw = bench.raw("out.parquet");
    assert_eq!(
        raw.lines().next(),
        Some(format!("n BIGINT | v {stored}").as_str())
    );

    let original = bench.plain(&format!(
        "SELECT v::VARCHAR FROM (VALUES {}, (NULL)) t(v)",
        list.join(", ")
    ));
    let files = [built.file.clone()];
    let input = Input {
        alias: "kept",
        columns: &built.columns,
        files: &files,
    };
    let back = bench.shown(&input);
    let back: Vec<&str> = back
        .lines()
        .skip(1)
        .map(|line| line.split_once(" | ").unwrap().1)
        .collect();
    assert_eq!(back, original, "{sql_type}");
}

fn refused(value: &str, expected: &str) {
    let told = Bench::new().table(&format!("SELECT {value} AS v"), &[]);
    assert!(
        told.contains(expected),
        "{value}\n{told}\nshould contain: {expected}"
    );
}

impl Bench {
    /// What a file really holds: its columns read as Parquet gives them.
    fn raw(&self, name: &str) -> String {
        let db = duckdb::Connection::open_in_memory().unwrap();
        db.execute_batch("SET TimeZone = 'UTC'").unwrap();
        let sql = format!(
            "DESCRIBE FROM read_parquet('{}')",
            self.path(name).display()
        );
        let mut statement = db.prepare(&sql).unwrap();
        let columns = statement
            .query_map([], |row| {
                Ok(format!(
                    "{} {}",
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?
                ))
            })
            .unwrap();
        columns.map(Result::unwrap).collect::<Vec<_>>().join(" | ")
    }

    /// What DuckDB alone says, cell by cell.
    fn plain(&self, sql: &str) -> Vec<String> {
        let db = duckdb::Connection::open_in_memory().unwrap();
        db.execute_batch("SET TimeZone = 'UTC'").unwrap();
        let mut statement = db.prepare(sql).unwrap();
        let cells = statement
            .query_map([], |row| {
                Ok(row
                    .get::<_, Option<String>>(0)?
                    .unwrap_or_else(|| "NULL".into()))
            })
            .unwrap();
        cells.map(Result::unwrap).collect()
    }
}

#[test]
fn plain_types_stay_as_they_are() {
    check("BOOLEAN", "BOOLEAN", &["true", "false"]);
    check("TINYINT", "TINYINT", &["'-128'", "127"]);
    check("SMALLINT", "SMALLINT", &["'-32768'", "32767"]);
    check("INTEGER", "INTEGER", &["'-2147483648'", "2147483647"]);
    check(
        "BIGINT",
        "BIGINT",
        &["'-9223372036854775808'", "9223372036854775807"],
    );
    check(
        "FLOAT",
        "FLOAT",
        &[
            "'nan'",
            "'-inf'",
            "3.4028235e38",
            "1e-45",
            "'-0.0'",
            "'0.0'",
        ],
    );
    check(
        "DOUBLE",
        "DOUBLE",
        &[
            "'nan'",
            "'inf'",
            "1.7976931348623157e308",
            "5e-324",
            "0.1",
            "'-0.0'",
            "'0.0'",
        ],
    );
    check(
        "DECIMAL(18,2)",
        "DECIMAL(18,2)",
        &["9999999999999999.99", "'-0.01'"],
    );
    check(
        "DECIMAL(38,10)",
        "DECIMAL(38,10)",
        &["'9999999999999999999999999999.9999999999'"],
    );
    check(
        "VARCHAR",
        "VARCHAR",
        &["''", "'it''s é 漢 🦆'", "('a' || chr(0) || 'b')", "'NULL '"],
    );
    check("BLOB", "BLOB", &["'\\x00\\xFF'", "''"]);
    check(
        "DATE",
        "DATE",
        &[
            "'0001-01-01'",
            "'9999-12-31'",
            "'2024-02-29'",
            "'4000-01-01 (BC)'",
        ],
    );
    check(
        "TIMESTAMP WITH TIME ZONE",
        "TIMESTAMP WITH TIME ZONE",
        &[
            "'2024-03-31 02:30:00.123456+02'",
            "'0001-01-01 00:00:00+00'",
        ],
    );
}

#[test]
fn wide_and_unsigned_integers_go_up() {
    check("UTINYINT", "SMALLINT", &["0", "255"]);
    check("USMALLINT", "INTEGER", &["0", "65535"]);
    check("UINTEGER", "BIGINT", &["0", "4294967295"]);
    check("UBIGINT", "DECIMAL(20,0)", &["0", "18446744073709551615"]);
    check(
        "HUGEINT",
        "DECIMAL(38,0)",
        &[
            "99999999999999999999999999999999999999",
            "'-99999999999999999999999999999999999999'",
        ],
    );
    check(
        "UHUGEINT",
        "DECIMAL(38,0)",
        &["0", "99999999999999999999999999999999999999"],
    );
    for (value, of) in [
        ("100000000000000000000000000000000000000", "HUGEINT"),
        ("'340282366920938463463374607431768211455'", "UHUGEINT"),
    ] {
        refused(
            &format!("{value}::{of}"),
            "column `v` can't be kept: it has a number of more than 38 digits",
        );
    }
}

#[test]
fn what_has_no_type_of_its_own_becomes_text() {
    check(
        "BIGNUM",
        "VARCHAR",
        &[
            "'-123456789012345678901234567890123456789012345678901234567890'",
            "0",
        ],
    );
    check(
        "UUID",
        "VARCHAR",
        &[
            "'00000000-0000-0000-0000-000000000000'",
            "'ffffffff-ffff-4fff-bfff-ffffffffffff'",
        ],
    );
    check(
        "JSON",
        "VARCHAR",
        &["'{\"b\": [1, null],  \"a\":1e400}'", "'null'"],
    );
    check("ENUM('a', 'it''s')", "VARCHAR", &["'a'", "'it''s'"]);
    check(
        "TIME",
        "VARCHAR",
        &["'23:59:59.999999'", "'24:00:00'", "'00:00:00'"],
    );
    check("TIME_NS", "VARCHAR", &["'23:59:59.123456789'"]);
    check(
        "TIMETZ",
        "VARCHAR",
        &["'12:00:00+15:59:59'", "'12:00:00.000001-03'"],
    );
    check(
        "INTERVAL",
        "VARCHAR",
        &[
            "'-1 year 3 months -4 days -05:06:07.000001'",
            "'178956970 years 7 months'",
            "'0 days'",
        ],
    );
    check("BIT", "VARCHAR", &["'0'", "'0101000'"]);
}

#[test]
fn timestamps_become_instants_and_come_back() {
    check(
        "TIMESTAMP",
        "TIMESTAMP WITH TIME ZONE",
        &[
            "'2024-03-31 02:30:00.123456'",
            "'0001-01-01 00:00:00'",
            "'290000-01-01 00:00:00'",
            "'1969-12-31 23:59:59.999999'",
            "'1582-10-10 00:00:00'",
        ],
    );
    check(
        "TIMESTAMP_S",
        "TIMESTAMP WITH TIME ZONE",
        &["'2024-03-31 02:30:00'", "'1969-12-31 23:59:59'"],
    );
    check(
        "TIMESTAMP_MS",
        "TIMESTAMP WITH TIME ZONE",
        &["'2024-03-31 02:30:00.123'", "'1969-12-31 23:59:59.999'"],
    );
    check(
        "TIMESTAMP_NS",
        "TIMESTAMP WITH TIME ZONE",
        &[
            "'2024-03-31 02:30:00.123456'",
            "'1677-09-22 00:00:00'",
            "'1969-12-31 23:59:59.999999'",
        ],
    );
}

#[test]
fn instants_without_a_time_zone_are_utc() {
    let bench = Bench::new();
    bench
        .build("SELECT TIMESTAMP '2024-06-01 12:00:00' AS v", &[])
        .unwrap();
    let sql = format!(
        "SELECT epoch_us(v)::VARCHAR FROM read_parquet('{}')",
        bench.path("out.parquet").display()
    );
    // date -u -d '2024-06-01 12:00' +%s
    assert_eq!(bench.plain(&sql), ["1717243200000000"]);
}

#[test]
fn what_would_come_back_changed_is_refused() {
    for of in [
        "DATE",
        "TIMESTAMP",
        "TIMESTAMP_S",
        "TIMESTAMP_MS",
        "TIMESTAMP_NS",
        "TIMESTAMPTZ",
    ] {
        refused(
            &format!("'infinity'::{of}"),
            "column `v` can't be kept: it has an infinite value",
        );
        refused(
            &format!("'-infinity'::{of}"),
            "column `v` can't be kept: it has an infinite value",
        );
    }
    refused(
        "'2024-01-01 00:00:00.123456789'::TIMESTAMP_NS",
        "column `v` can't be kept: it has digits below a microsecond",
    );
    refused(
        "[DATE 'infinity']",
        "column `v` can't be kept: it has an infinite value",
    );
    refused(
        "{'a': [MAP {1: TIMESTAMP 'infinity'}]}",
        "column `v` can't be kept: it has an infinite value",
    );
    refused(
        "union_value(a := 1)",
        "column `v`: the lake can't keep UNION(a INTEGER): no reader of Delta tables has unions",
    );
    refused(
        "{'a': TIMESTAMP_NS '2024-01-01'}",
        "column `v`: the lake can't keep TIMESTAMP_NS",
    );
}

#[test]
fn nested_types_follow_their_parts() {
    check("INTEGER[]", "INTEGER[]", &["[1, NULL]", "[]"]);
    check("INTEGER[3]", "INTEGER[]", &["[1, NULL, 3]"]);
    check("DATE[]", "DATE[]", &["['2024-01-01', NULL]", "[]"]);
    check(
        "UUID[]",
        "VARCHAR[]",
        &["['00000000-0000-0000-0000-000000000000', NULL]"],
    );
    check(
        "TIMESTAMP[][]",
        "TIMESTAMP WITH TIME ZONE[][]",
        &["[['2024-01-01', NULL], NULL, []]"],
    );
    check(
        "TIMESTAMP[2]",
        "TIMESTAMP WITH TIME ZONE[]",
        &["['2024-01-01', NULL]"],
    );
    check(
        "STRUCT(a HUGEINT, b VARCHAR)",
        "STRUCT(a DECIMAL(38,0), b VARCHAR)",
        &[
            "{'a': 99999999999999999999999999999999999999, 'b': 'it''s'}",
            "{'a': NULL, 'b': NULL}",
        ],
    );
    check(
        "STRUCT(t TIMESTAMP, l STRUCT(u UUID, d DATE)[])",
        "STRUCT(t TIMESTAMP WITH TIME ZONE, l STRUCT(u VARCHAR, d DATE)[])",
        &[
            "{'t': '2024-01-01 01:02:03', 'l': [{'u': '00000000-0000-0000-0000-000000000000', 'd': '2024-01-01'}, NULL]}",
            "{'t': NULL, 'l': NULL}",
        ],
    );
    check(
        "MAP(VARCHAR, TIMESTAMP)",
        "MAP(VARCHAR, TIMESTAMP WITH TIME ZONE)",
        &["MAP {'a': '2024-01-01', 'b': NULL}", "MAP {}"],
    );
    check(
        "MAP(UUID, UINTEGER[])",
        "MAP(VARCHAR, BIGINT[])",
        &["MAP {'00000000-0000-0000-0000-000000000000': [4294967295]}"],
    );
}

#[test]
fn a_column_of_nothing_but_null_is_an_integer() {
    let bench = Bench::new();
    assert_eq!(bench.table("SELECT NULL AS v", &[]), "v INTEGER\nNULL");
}

#[test]
fn rows_of_comboi_s_own_are_written_alike() {
    let bench = Bench::new();
    let columns = columns(&[
        ("run", "BIGINT"),
        ("began", "TIMESTAMP"),
        ("note", "VARCHAR"),
        ("ok", "BOOLEAN"),
        ("parts", "STRUCT(n INTEGER, t VARCHAR)[]"),
    ]);
    let check =
        |session: &Session, columns: &Columns, rows: &[Vec<serde_json::Value>], expected: &str| {
            write_rows(session, columns, rows, &bench.path("rows.parquet")).unwrap();
            let files = [bench.path("rows.parquet")];
            let shown = bench.shown(&Input {
                alias: "runs",
                columns,
                files: &files,
            });
            assert_eq!(
                shown
                    .split_once('\n')
                    .map(|(_, rows)| rows)
                    .unwrap_or_default(),
                expected
            );
        };
    check(&bench.session, &columns, &[], "");
    check(
        &bench.session,
        &columns,
        &[
            vec![
                json!(1),
                json!("2024-01-02T03:04:05.678901"),
                json!("it's \"fine\""),
                json!(true),
                json!([{"n": 1, "t": "a"}]),
            ],
            vec![json!(2), json!(null), json!("")],
        ],
        "1 | 2024-01-02 03:04:05.678901 | it's \"fine\" | true | [{'n': 1, 't': a}]\n2 | NULL |  | NULL | NULL",
    );
    assert_eq!(
        bench.raw("rows.parquet").split(" | ").nth(1),
        Some("began TIMESTAMP WITH TIME ZONE")
    );
    let bad = write_rows(
        &bench.session,
        &columns,
        &[vec![json!("secret")]],
        &bench.path("rows.parquet"),
    )
    .unwrap_err();
    assert!(
        matches!(bad, Error::Internal { .. }) && !bad.to_string().contains("secret"),
        "{bad}"
    );
}

#[test]
fn a_session_can_be_opened_with_the_machine_s_own_limits() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits::of_machine();
    assert!(limits.threads > 0 && limits.memory_bytes >= 64 << 20);
    assert!(Session::open(&limits, folder.path()).is_ok());
}
