//! Rules that are queries.

use std::thread;
use std::time::Duration;

use comboi_engine::Error;

use super::{check, contract, told, verdicts};
use crate::build::Bench;

fn yaml(query: &str, expected: &str) -> String {
    let query = query.replace('\'', "''");
    format!(
        "schema: {{ columns: [{{ name: a, type: INTEGER }}, {{ name: b, type: VARCHAR }}] }}\nquality_rules:\n  - {{ name: q, type: custom_sql, query: '{query}', expected: {expected} }}\n"
    )
}

const ROWS: &str = "SELECT * FROM (VALUES (1, 'x'), (2, 'y'), (3, NULL)) t(a, b)";

fn check_query(query: &str, expected: &str, verdict: &str) {
    let bench = Bench::new();
    let all = verdicts(&bench, &contract(&yaml(query, expected)), ROWS).unwrap();
    assert_eq!(told(&all[1..]), verdict, "{query}");
}

#[test]
fn rows_that_a_query_counts_are_shown() {
    for query in [
        "SELECT COUNT(*) FROM {dataset} WHERE a > 1 AND b IS NULL",
        "select count(*) from shop where a > 1 and b is null;",
        "SELECT count(*) FROM \"{dataset}\" WHERE shop.a > 1 AND b IS NULL -- where",
        "SELECT count(*) AS bad FROM {dataset} /* where */ WHERE (a > 1) AND b IS NULL",
        "SELECT count(*) FROM {dataset} WHERE CASE WHEN 'where' = 'x' THEN false ELSE a > 1 END AND b IS NULL",
    ] {
        check_query(
            query,
            "0",
            "q: failed (error): 1 row: the query counts rows where there should be none (3 rows)\n  row 3",
        );
    }
    check_query(
        "SELECT count(*) FROM {dataset} WHERE a > 3",
        "0",
        "q: passed (the query returns 0)",
    );
}

/// No text of these rows is a number.
#[test]
fn a_cast_behind_a_condition_meets_only_the_rows_that_the_condition_lets_through() {
    check_query(
        "SELECT count(*) FROM {dataset} WHERE regexp_full_match(b, '[0-9]+') AND b::INTEGER > 1",
        "0",
        "q: passed (the query returns 0)",
    );
}

#[test]
fn any_query_of_one_number_will_do() {
    check_query(
        "SELECT sum(a) FROM {dataset}",
        "6",
        "q: passed (the query returns 6)",
    );
    check_query(
        "SELECT sum(a) * 1000 FROM {dataset}",
        "6",
        "q: failed (error): the query returns 6,000, 6 is expected (the query returns 6,000)",
    );
    check_query(
        "SELECT avg(a) FROM {dataset}",
        "2",
        "q: passed (the query returns 2.0)",
    );
    check_query(
        "SELECT 0.10::DECIMAL(5,2)",
        "0.1",
        "q: passed (the query returns 0.10)",
    );
    check_query(
        "WITH t AS (SELECT a FROM {dataset}) SELECT count(*) FROM t WHERE a > 1",
        "2",
        "q: passed (the query returns 2)",
    );
    check_query(
        "SELECT count(*) FROM {dataset} WHERE a > 1",
        "1",
        "q: failed (error): the query returns 2, 1 is expected (the query returns 2)",
    );
    check_query(
        "SELECT count(*) FROM {dataset} x WHERE EXISTS (SELECT 1 FROM {dataset} y WHERE y.a = x.a + 1)",
        "2",
        "q: passed (the query returns 2)",
    );
    check_query(
        "SELECT count(DISTINCT b) FROM {dataset} WHERE a > 0",
        "2",
        "q: passed (the query returns 2)",
    );
    check_query(
        "SELECT count(*) FROM {dataset} WHERE a > 0 LIMIT 1",
        "3",
        "q: passed (the query returns 3)",
    );
    check_query(
        "SELECT count(*) FROM {dataset} WHERE a > 0 GROUP BY b HAVING b = 'x'",
        "1",
        "q: passed (the query returns 1)",
    );
}

#[test]
fn a_query_that_gives_no_number_is_never_passed() {
    check_query(
        "SELECT max(a) FROM {dataset} WHERE a > 9",
        "0",
        "q: failed (error): the query returns NULL, 0 is expected (the query returns NULL)",
    );
    check_query(
        "SELECT a FROM {dataset}",
        "1",
        "q: could not run (error): it returns several rows, not one number",
    );
    check_query(
        "SELECT a FROM {dataset} WHERE a > 9",
        "0",
        "q: could not run (error): it returns no row, not one number",
    );
    check_query(
        "SELECT a, b FROM {dataset}",
        "0",
        "q: could not run (error): it returns 2 columns, not one number",
    );
    check_query(
        "SELECT count(*) = 3 FROM {dataset}",
        "1",
        "q: could not run (error): it returns BOOLEAN, not a number",
    );
    check_query(
        "SELECT max(b) FROM {dataset}",
        "0",
        "q: could not run (error): it returns VARCHAR, not a number",
    );
}

/// It could not run, and its words are among the reasons. Nothing of what it looked for is told.
fn refuse(query: &str, words: &str) {
    let bench = Bench::new();
    bench.stage("secret", "SELECT 'canary' AS secret");
    std::fs::write(bench.path("secret.csv"), "canary\n1\n").unwrap();
    let query = query.replace("{folder}", bench.folder.path().to_str().unwrap());
    let all = verdicts(&bench, &contract(&yaml(&query, "0")), ROWS).unwrap();
    let told = told(&all[1..]);
    assert!(
        told.starts_with("q: could not run (error): ") && told.contains(words),
        "{query}\n{told}\nshould contain: {words}"
    );
    assert!(!told.contains("canary"), "{told}");
    assert!(!bench.path("stolen.csv").exists());
}

#[test]
fn a_query_sees_the_dataset_and_nothing_else() {
    refuse(
        "SELECT count(*) FROM read_csv('{folder}/secret.csv')",
        "read_csv",
    );
    refuse(
        "SELECT count(*) FROM '{folder}/secret.parquet'",
        "is not an input",
    );
    refuse(
        "SELECT count(*) FROM {dataset} WHERE b IN (SELECT content FROM read_text('{folder}/secret.csv'))",
        "read_text",
    );
    refuse("SELECT count(*) FROM other", "`other` is not an input");
    refuse("SELECT count(*) FROM duckdb_settings()", "duckdb_settings");
    refuse(
        "SELECT count(*) FROM {dataset} WHERE getenv('HOME') IS NULL",
        "getenv",
    );
    refuse("COPY {dataset} TO '{folder}/stolen.csv'", "SELECT");
    refuse("SELECT 0; COPY (SELECT 1) TO '{folder}/stolen.csv'", "");
    refuse("SELECT 0; SELECT 0", "2 statements");
    refuse("SET memory_limit = '1TB'", "SELECT");
    refuse(
        "SELECT count(*) FROM enable_logging('QueryLog')",
        "enable_logging",
    );
    refuse("SELEC 1", "SELEC");
    refuse("SELECT nothing FROM {dataset}", "nothing");
    refuse(
        "SELECT count(*) FROM {dataset} WHERE nothing > 1",
        "nothing",
    );
    refuse(
        "SELECT count(*) FROM {dataset} WHERE a) FROM {dataset} --",
        "",
    );
}

#[test]
fn a_query_that_stumbles_over_a_row_hides_no_other_rule_and_tells_no_value() {
    let yaml = "
schema: { columns: [{ name: a, type: INTEGER, constraints: { max_value: 2 } }, { name: b, type: VARCHAR }] }
quality_rules:
  - { name: casts, type: custom_sql, query: 'SELECT count(*) FROM {dataset} WHERE b::INTEGER > 1' }
  - { name: alone, type: custom_sql, query: 'SELECT sum(b::INTEGER) FROM {dataset}' }
  - { name: says, type: custom_sql, query: 'SELECT count(*) FROM {dataset} WHERE error(b)' }
  - { name: good, type: custom_sql, query: 'SELECT count(*) FROM {dataset} WHERE a < 0' }
";
    let bench = Bench::new();
    let rows = "SELECT * FROM (VALUES (1, 'canary'), (3, 'canary')) t(a, b)";
    let told = told(&verdicts(&bench, &contract(yaml), rows).unwrap());
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines[1], "a_max_value: failed (error): 1 row: `a` is greater than 2 (2 rows)",
        "{told}"
    );
    assert!(
        lines[3].starts_with("casts: could not run (error): could not convert string"),
        "{told}"
    );
    assert!(
        lines[4].starts_with("alone: could not run (error): could not convert string"),
        "{told}"
    );
    assert!(
        lines[5].starts_with("says: could not run (error): "),
        "{told}"
    );
    assert_eq!(lines[6], "good: passed (the query returns 0)");
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn a_query_that_never_ends_can_be_stopped() {
    let endless = "SELECT count(*) FROM {dataset}, range(10000000000) r(i), range(10000000000) s(j) WHERE hash(i, j) = a";
    let bench = Bench::new();
    let contract = contract(&yaml(endless, "0"));
    let interrupter = bench.session.interrupter();
    let (columns, files) = bench.stage("staged", ROWS);
    let stopper = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        interrupter.stop();
    });
    let staged = comboi_engine::Input {
        alias: "x",
        columns: &columns,
        files: &files,
    };
    let result = comboi_engine::check(
        &bench.session,
        &contract,
        &staged,
        &comboi_engine::Around::at(super::now()),
    );
    stopper.join().unwrap();
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn a_dataset_may_be_called_like_a_word_of_sql() {
    let mut named = contract(&yaml("SELECT count(*) FROM {dataset} WHERE a > 2", "0"));
    named.dataset.value = "select".parse().unwrap();
    super::check_contract(
        &named,
        ROWS,
        "
        schema: passed (2 columns)
        q: failed (error): 1 row: the query counts rows where there should be none (3 rows)
          row 3
    ",
    );
    check(
        &yaml("SELECT count(*) FROM SHOP WHERE a > 2", "1"),
        ROWS,
        "
        schema: passed (2 columns)
        q: passed (the query returns 1)
    ",
    );
}

fn with_rule(rule: &str) -> comboi_project::Contract {
    contract(&format!(
        "schema: {{ columns: [{{ name: a, type: INTEGER }}, {{ name: b, type: VARCHAR }}] }}\nquality_rules:\n  - {{ name: q, {rule} }}\n"
    ))
}

/// PostgreSQL and DuckDB refuse each of these behind `SELECT … WHERE`, or take it for more than a condition.
#[test]
fn a_condition_is_parsed_alone() {
    let bench = Bench::new();
    for condition in [
        "a > 0) OR (1=1",
        "a > 0) OR (1=1 --",
        "a > 0 /*",
        "a > 0) /* (",
        "true) UNION (SELECT 1",
        "a > 0; SELECT 1",
        "a > 0;",
        "b = ''x) OR (1=1",
        "b = $$x) OR (1=1",
        "a > 0) -- (",
        "a AS c",
        "a, b",
        "a > 0 GROUP BY a",
    ] {
        for rule in [
            format!("type: expression, expression: '{condition}'"),
            format!("type: not_null, column: a, where: '{condition}'"),
        ] {
            let contract = with_rule(&rule);
            let found = comboi_engine::check_contract_sql(&bench.session, &contract).unwrap();
            assert_eq!(found.len(), 1, "{rule}: {found:?}");
            let all = verdicts(&bench, &contract, ROWS).unwrap();
            let verdict = told(&all[1..]);
            assert!(verdict.contains("could not"), "{rule}: {verdict}");
        }
    }
    for condition in [
        "a > 0 -- as it should be",
        "(a > 0) OR (b = '')'')",
        "/* ( */ a > 0",
        "b = ''a;b'' OR a > 0",
        "a IN (1, 2, 3)",
    ] {
        let contract = with_rule(&format!("type: expression, expression: '{condition}'"));
        let found = comboi_engine::check_contract_sql(&bench.session, &contract).unwrap();
        assert!(found.is_empty(), "{condition}: {found:?}");
        let all = verdicts(&bench, &contract, ROWS).unwrap();
        assert_eq!(told(&all[1..]), "q: passed (3 rows)", "{condition}");
    }
}

/// A number that is computed of a personal column may be one person's; a count is not.
#[test]
fn numbers_of_personal_columns_are_not_shown() {
    let bench = Bench::new();
    let contract = contract(
        "schema: { columns: [{ name: id, type: INTEGER }, { name: salary, type: INTEGER, pii: true }] }
quality_rules:
  - { name: most, type: custom_sql, query: 'SELECT max(salary) FROM {dataset}', expected: 1 }
  - { name: least, type: custom_sql, query: 'SELECT min(Salary) FROM {dataset}', must_be_less_than: 2 }
  - { name: inside, type: custom_sql, query: 'SELECT sum(x) FROM (SELECT salary AS x FROM {dataset})', must_be_greater_than: 0 }
  - { name: people, type: custom_sql, query: 'SELECT count(DISTINCT salary) FROM {dataset}', expected: 3 }
",
    );
    let rows = "SELECT * FROM (VALUES (1, 5125), (2, 7390)) t(id, salary)";
    let all = verdicts(&bench, &contract, rows).unwrap();
    assert_eq!(
        told(&all[1..]),
        "most: failed (error): the query returns ‹masked›, 1 is expected (the query returns ‹masked›)\n\
         least: failed (error): the query returns ‹masked›, must be less than 2 (the query returns ‹masked›)\n\
         inside: passed (the query returns ‹masked›)\n\
         people: failed (error): the query returns 2, 3 is expected (the query returns 2)"
    );
    let kept = serde_json::to_string(&all).unwrap();
    for secret in ["5125", "5,125", "7390", "7,390", "12515", "12,515"] {
        assert!(!kept.contains(secret), "{kept}");
    }
}
