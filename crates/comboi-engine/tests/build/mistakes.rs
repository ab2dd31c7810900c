//! What people read when their SQL can't be run.

use comboi_engine::Input;

use super::{Bench, columns};

fn check(sql: &str, expected: &str) {
    let bench = Bench::new();
    let (columns, files) = bench.stage(
        "people",
        "SELECT * FROM (VALUES (1, 'joe@example.com', '2024-13-45')) t(id, email, born)",
    );
    let people = Input {
        alias: "people",
        columns: &columns,
        files: &files,
    };
    assert_eq!(bench.table(sql, &[people]), expected);
    assert!(
        !bench.path("out.parquet").exists(),
        "nothing is left behind"
    );
}

#[test]
fn a_mistake_is_shown_where_it_is() {
    check(
        "SELECT id,\n  'é', emial\nFROM people",
        "error: referenced column \"emial\" not found in FROM clause\n  q.sql:2:8\n  hint: did you mean `email`?",
    );
    check(
        "\u{feff}SELECT id,,\nFROM people;",
        "error: syntax error at or near \",\"\n  q.sql:1:11\n  hint: look at what stands before it: a comma, an operator or a parenthesis may be missing",
    );
    check(
        "SELECT 'abc",
        "error: unterminated quoted string at or near \"'abc\"\n  q.sql:1:8",
    );
    check(
        "SELECT id FROM people\nJOIN customer USING (id)",
        "error: `customer` is not an input of this query\n  q.sql:2:6\n  hint: its inputs are `people`; list what it reads under `inputs`",
    );
    check(
        "SELECT lenght(email) AS n FROM people",
        "error: there is no function `lenght`\n  q.sql:1:8\n  hint: did you mean `length`?",
    );
    check(
        "SELECT id, round(email, 'x') AS r FROM people",
        "error: no function matches the given name and argument types 'round(VARCHAR, STRING_LITERAL)'. You might need to add explicit type casts\n  q.sql:1:12\n  hint: it could be one of: round(TINYINT) -> TINYINT; round(TINYINT, INTEGER) -> TINYINT; round(SMALLINT) -> SMALLINT; round(SMALLINT, INTEGER) -> SMALLINT; round(INTEGER) -> INTEGER",
    );
}

#[test]
fn functions_of_other_databases_have_one_here() {
    check(
        "SELECT initcap(email) AS n FROM people",
        "error: there is no function `initcap`\n  q.sql:1:8\n  hint: DuckDB has `upper(x[1]) || lower(x[2:])`, which changes the first letter of the text only",
    );
    check(
        "SELECT NVL(email, '') AS n FROM people",
        "error: there is no function `nvl`\n  q.sql:1:8\n  hint: DuckDB has `coalesce(a, b)`",
    );
    // Nothing is like it: no hint is better than a wrong one.
    check(
        "SELECT frobnicate(email) AS n FROM people",
        "error: there is no function `frobnicate`\n  q.sql:1:8",
    );
}

#[test]
fn several_refusals_are_shown_at_once() {
    check(
        "SELECT * FROM 'x.csv', nope",
        "error: `x.csv` is not an input of this query\n  q.sql:1:15\n  hint: a query reads no files: make the file a source, and its table an input\n\n\
         error: `nope` is not an input of this query\n  q.sql:1:24\n  hint: its inputs are `people`; list what it reads under `inputs`",
    );
}

#[test]
fn no_value_of_a_row_is_shown() {
    check(
        "SELECT id,\n  email::INTEGER AS e\nFROM people",
        "error: could not convert string … (wanted: INT32), in column email\n  q.sql:2:8",
    );
    check(
        "SELECT born::DATE AS d FROM people",
        "error: date field value out of range …, in column born\n  q.sql:1:12",
    );
    check(
        "SELECT strptime(email, '%d') AS d FROM people",
        "error: could not parse string …\n  q.sql",
    );
    check(
        "SELECT id + 2147483647::INTEGER AS d FROM people",
        "error: overflow in addition of INT32 …\n  q.sql",
    );
    check(
        "SELECT error(email) AS d FROM people",
        "error: the query stopped with error(), whose text is left out since it may quote rows\n  q.sql",
    );
    check(
        "SELECT CASE WHEN id = 1 THEN error('too small') END AS d FROM people",
        "error: too small\n  q.sql",
    );
}

#[test]
fn names_that_the_lake_can_not_have_are_refused_all_at_once() {
    check(
        "SELECT id, email AS ID, id + 1, {'a b': 1} AS s FROM people",
        "error: two columns are called `ID` (capitals make no difference)\n  q.sql\n  hint: give one of them another name with AS\n\n\
         error: column `(id + 1)` has '(' in its name, which readers of the lake refuse\n  q.sql\n  hint: give it a plain name with AS\n\n\
         error: column `s`: field `a b` has ' ' in its name, which readers of the lake refuse\n  q.sql\n  hint: give it a plain name with AS",
    );
}

#[test]
fn a_file_that_is_not_parquet_is_named() {
    let bench = Bench::new();
    let columns = columns(&[("id", "INTEGER")]);
    for (name, bytes) in [
        ("short.parquet", &b"PAR1"[..]),
        ("text.parquet", b"this is no parquet file at all"),
    ] {
        let file = bench.path(name);
        std::fs::write(&file, bytes).unwrap();
        let files = [file.clone()];
        let told = bench
            .build(
                "FROM t",
                &[Input {
                    alias: "t",
                    columns: &columns,
                    files: &files,
                }],
            )
            .unwrap_err();
        assert!(
            matches!(told, comboi_engine::Error::Unreadable { .. }),
            "{told:?}"
        );
        assert!(
            told.to_string().contains(name) && told.to_string().starts_with("could not read `t`: "),
            "{told}"
        );
    }
}

#[test]
fn a_truncated_file_is_named() {
    let bench = Bench::new();
    let (columns, files) = bench.stage(
        "t",
        "SELECT i, md5(i::VARCHAR) AS m FROM range(100000) t(i)",
    );
    let bytes = std::fs::read(&files[0]).unwrap();
    let mut holed = bytes.clone();
    holed[1000..bytes.len() / 2].fill(0xAB);
    for broken in [&bytes[..bytes.len() / 2], &holed] {
        std::fs::write(&files[0], broken).unwrap();
        let told = bench
            .build(
                "SELECT max(m) AS m, sum(i) AS i FROM t",
                &[Input {
                    alias: "t",
                    columns: &columns,
                    files: &files,
                }],
            )
            .unwrap_err();
        assert!(
            matches!(told, comboi_engine::Error::Unreadable { .. }),
            "{told:?}"
        );
        let name = files[0].to_string_lossy().into_owned();
        assert!(told.to_string().contains(&name), "{told}");
    }
}

/// Of a page that was not compressed DuckDB says neither in which file it is nor what it is.
#[test]
fn the_one_of_many_files_that_is_damaged_is_named() {
    let bench = Bench::new();
    let (columns, mut files) = bench.stage("good", "SELECT i FROM range(1000) t(i)");
    let bad = bench.path("bad.parquet");
    let copy = format!(
        "COPY (SELECT hash(i)::VARCHAR AS i FROM range(9000) t(i)) TO '{}' (FORMAT parquet, COMPRESSION uncompressed)",
        bad.display()
    );
    duckdb::Connection::open_in_memory()
        .unwrap()
        .execute(&copy, [])
        .unwrap();
    let mut bytes = std::fs::read(&bad).unwrap();
    bytes[30_000..30_200].fill(0xFF);
    std::fs::write(&bad, bytes).unwrap();
    files.push(bad);
    let input = Input {
        alias: "t",
        columns: &columns,
        files: &files,
    };
    let told = bench
        .build("SELECT max(i) AS m FROM t", &[input])
        .unwrap_err()
        .to_string();
    assert!(
        told.starts_with("could not read `t` for q.sql: `"),
        "{told}"
    );
    assert!(told.contains("bad.parquet` is damaged: "), "{told}");
    assert!(!told.contains("good"), "{told}");
}
