//! Rows are found whatever a Parquet file's statistics and Bloom filters make DuckDB believe.
//!
//! `written_by_pyarrow.parquet` is of `comboi-sources/tests/parquet/make.py` (pyarrow 26.0.1): 63 rows in row groups of 9, the values of
//! each column in turns, Bloom filters on all. What is expected is how often a value has its turn.

use std::path::{Path, PathBuf};

use comboi_engine::Input;
use comboi_engine::merge::{Incoming, merge};
use comboi_engine::read_files::{Known, To};

use crate::build::{Bench, columns};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parquet/written_by_pyarrow.parquet")
}

/// A column, a value of it and the rows that have it.
const VALUES: [(&str, &str, u32); 40] = [
    ("bool", "true", 32),
    ("i8", "'-128'::SMALLINT", 21),
    ("i32", "'-2147483648'::INTEGER", 21),
    ("i64", "9223372036854775807", 21),
    ("f16", "0.0::FLOAT", 16),
    ("f16", "'-0.0'::FLOAT", 16),
    ("f16", "1.5::FLOAT", 16),
    ("f16", "'nan'::FLOAT", 16),
    ("f32", "0.0::FLOAT", 13),
    ("f32", "'-0.0'::FLOAT", 13),
    ("f32", "1.5::FLOAT", 13),
    ("f32", "'nan'::FLOAT", 13),
    ("f32", "'inf'::FLOAT", 12),
    ("f64", "0.0::DOUBLE", 13),
    ("f64", "'-0.0'::DOUBLE", 13),
    ("f64", "1.5::DOUBLE", 13),
    ("f64", "'nan'::DOUBLE", 13),
    ("f64", "'inf'::DOUBLE", 12),
    ("d", "'-0.01'::DECIMAL(18,2)", 21),
    ("d", "'0.00'::DECIMAL(18,2)", 21),
    ("d38", "'1.230'::DECIMAL(38,3)", 32),
    ("text", "''", 16),
    ("text", "'a'", 16),
    ("text", "'é\\x00'", 16),
    ("text", "chr(0)", 15),
    ("blob", "''::BLOB", 7),
    ("blob", "'\\x5Cx00'::BLOB", 7),
    ("blob", "'\\x00\\x03'::BLOB", 7),
    ("blob", "'\\xFF\\xFE'::BLOB", 7),
    ("blob", "'abc'::BLOB", 7),
    ("blob", "'\\xC3\\xA9'::BLOB", 7),
    ("blob", "'\\x5C'::BLOB", 7),
    ("blob", "''''::BLOB", 7),
    ("fixed", "'abc'::BLOB", 21),
    ("fixed", "'\\x00\\xFF\\x5C'::BLOB", 21),
    ("fixed", "'\\x5Cx0'::BLOB", 21),
    ("day", "'2020-01-01'::DATE", 32),
    ("day", "'0001-01-01'::DATE", 31),
    ("at", "'1969-12-31 23:59:59.999999+00'::TIMESTAMPTZ", 21),
    ("at", "'1970-01-01 00:00:01+00'::TIMESTAMPTZ", 21),
];

/// Counts of the rows with each value: by a filter, by a list and by a join.
fn counts() -> String {
    let counts = VALUES.map(|(column, value, _)| {
        let column = format!("\"{column}\"");
        format!(
            "SELECT count(*) AS n FROM t WHERE {column} = {value} \
             UNION ALL SELECT count(*) AS n FROM t WHERE {column} IN ({value}, NULL) \
             UNION ALL SELECT count(*) AS n FROM t JOIN (SELECT {value} AS {column}) USING ({column})"
        )
    });
    let numbered: Vec<String> = counts
        .join(" UNION ALL ")
        .split(" UNION ALL ")
        .enumerate()
        .map(|(i, it)| it.replacen("SELECT ", &format!("SELECT {i} AS i, "), 1))
        .collect();
    format!(
        "SELECT string_agg(n::VARCHAR, ' ' ORDER BY i) AS counts FROM ({})",
        numbered.join(" UNION ALL ")
    )
}

fn expected(times: u32) -> String {
    let counts = VALUES.iter().flat_map(|(.., count)| [count * times; 3]);
    counts
        .map(|it| it.to_string())
        .collect::<Vec<_>>()
        .join(" ")
}

fn plain() -> duckdb::Connection {
    let db = duckdb::Connection::open_in_memory().unwrap();
    // Where rows are counted one after the other, they come in their order.
    db.execute_batch("SET threads = 1; SET TimeZone = 'UTC'")
        .unwrap();
    db
}

fn counted_by_duckdb(file: &Path) -> String {
    let db = plain();
    db.execute_batch(&format!("CREATE VIEW t AS FROM '{}'", file.display()))
        .unwrap();
    db.query_row(&counts(), [], |row| row.get(0)).unwrap()
}

fn counted_by_comboi(bench: &Bench, file: &Path) -> String {
    let columns = columns(&[
        ("bool", "BOOLEAN"),
        ("i8", "SMALLINT"),
        ("i32", "INTEGER"),
        ("i64", "BIGINT"),
        ("f16", "FLOAT"),
        ("f32", "FLOAT"),
        ("f64", "DOUBLE"),
        ("d", "DECIMAL(18,2)"),
        ("d38", "DECIMAL(38,3)"),
        ("text", "VARCHAR"),
        ("blob", "BLOB"),
        ("fixed", "BLOB"),
        ("day", "DATE"),
        ("at", "TIMESTAMP WITH TIME ZONE"),
    ]);
    let files = [file.to_owned()];
    let input = Input {
        alias: "t",
        columns: &columns,
        files: &files,
    };
    let shown = bench.table(&counts(), &[input]);
    shown.lines().nth(1).unwrap_or(&shown).to_owned()
}

/// What DuckDB writes of the same rows, twenty times each, with the Bloom filters that it makes by itself.
fn written_by_duckdb(bench: &Bench) -> PathBuf {
    let file = bench.path("duckdb.parquet");
    let copy = format!(
        "COPY (SELECT t.* FROM '{}' AS t, range(20)) TO '{}' (FORMAT parquet)",
        fixture().display(),
        file.display()
    );
    plain().execute_batch(&copy).unwrap();
    file
}

#[test]
fn every_value_of_every_type_is_found() {
    let bench = Bench::new();
    assert_eq!(counted_by_comboi(&bench, &fixture()), expected(1));
    assert_eq!(
        counted_by_comboi(&bench, &written_by_duckdb(&bench)),
        expected(20)
    );
}

/// When this fails, the engine is right: `pruning.rs` can go, and this test.
#[test]
fn duckdb_alone_still_misses_rows() {
    let bench = Bench::new();
    assert_ne!(counted_by_duckdb(&fixture()), expected(1));
    assert_ne!(counted_by_duckdb(&written_by_duckdb(&bench)), expected(20));
}

#[test]
fn a_row_takes_the_place_of_the_one_with_its_key_of_bytes() {
    let bench = Bench::new();
    let (table, new) = (bench.path("table.parquet"), bench.path("new.parquet"));
    let rows = "SELECT unhex(md5(i::VARCHAR)) AS k, i::INTEGER AS v FROM range(1000) r(i)";
    plain()
        .execute_batch(&format!(
            "COPY ({rows}) TO '{}' (FORMAT parquet, DICTIONARY_SIZE_LIMIT 10000); \
             COPY (SELECT k, -v AS v FROM ({rows}) WHERE v = 7) TO '{}' (FORMAT parquet)",
            table.display(),
            new.display()
        ))
        .unwrap();
    let columns = columns(&[("k", "BLOB"), ("v", "INTEGER")]);
    let known = Known {
        columns: columns.clone(),
        files: vec![table.clone()],
    };
    let files = [new];
    let incoming = Incoming {
        files: &files,
        columns: &columns,
        read: &columns,
        key: &["k".to_owned()],
        cursor: None,
        consistent: true,
    };
    let to = To {
        folder: bench.path("merged"),
        file_bytes: 1 << 30,
    };
    let merged = merge(&bench.session, &known, &incoming, &to)
        .unwrap()
        .unwrap();
    assert_eq!((merged.row_count, merged.removed), (1, vec![table]));
    let input = Input {
        alias: "t",
        columns: &columns,
        files: &merged.files,
    };
    let counted = bench.table(
        "SELECT count(*) AS rows, count(DISTINCT k) AS keys, min(v) AS least FROM t",
        &[input],
    );
    assert_eq!(counted.lines().nth(1), Some("1000 | 1000 | -7"));
}
