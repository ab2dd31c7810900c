//! Which rows are shown, and what is masked.

use comboi_engine::{Input, Verdict, VerdictOutcome};

use super::{check, contract, now, told, verdicts};
use crate::build::Bench;

#[test]
fn rows_are_named_by_the_key_of_the_dataset() {
    check(
        "
schema:
  columns:
    - { name: id, type: VARCHAR, constraints: { unique: true } }
    - { name: amount, type: INTEGER, constraints: { min_value: 0 } }
",
        "SELECT 'O-' || i AS id, (CASE WHEN i % 2 = 0 THEN -i ELSE i END)::INTEGER AS amount FROM range(1, 16) t(i)",
        "
        schema: passed (2 columns)
        id_unique: passed (15 rows)
        amount_min_value: failed (error): 7 rows: `amount` is less than 0 (15 rows)
          id O-2, amount -2
          id O-4, amount -4
          id O-6, amount -6
          id O-8, amount -8
          id O-10, amount -10
        ",
    );
}

#[test]
fn personal_values_never_leave_duckdb() {
    let yaml = "
schema:
  columns:
    - { name: email, type: VARCHAR, pii: true, constraints: { unique: true, pattern: '@' } }
    - { name: age, type: INTEGER, classification: public, constraints: { max_value: 120 } }
";
    let rows = "SELECT * FROM (VALUES ('canary one', 300), ('canary two', 20), ('canary two', 20), ('a@b', 400)) t(email, age)";
    let expected = "
        schema: passed (2 columns)
        email_unique: failed (error): 2 rows: 1 value of `email` occurs more than once (4 rows)
          first row 2, email ‹masked, 10 characters›, rows 2
        email_pattern: failed (error): 3 rows: `email` does not match `@` (4 rows)
          row 1, email ‹masked, 10 characters›
          row 2, email ‹masked, 10 characters›
          row 3, email ‹masked, 10 characters›
        age_max_value: failed (error): 2 rows: `age` is greater than 120 (4 rows)
          row 1, age 300
          row 4, age 400
        ";
    check(yaml, rows, expected);
    let all = verdicts(&Bench::new(), &contract(yaml), rows).unwrap();
    assert!(!serde_json::to_string(&all).unwrap().contains("canary"));
    // A dataset that is personal as a whole.
    let whole = format!(
        "{}privacy: {{ classification: PII }}\n",
        yaml.replace(", pii: true", "")
            .replace(", classification: public", "")
    );
    check(
        &whole,
        rows,
        &expected
            .replace("age 300", "age ‹masked, 3 characters›")
            .replace("age 400", "age ‹masked, 3 characters›"),
    );
}

#[test]
fn long_values_are_cut() {
    let bench = Bench::new();
    let one = contract(
        "schema: { columns: [{ name: x, type: VARCHAR, constraints: { max_length: 3 } }] }",
    );
    let all = verdicts(&bench, &one, "SELECT repeat('ä', 5000) AS x").unwrap();
    let VerdictOutcome::Failed { sample, .. } = &all[1].outcome else {
        panic!()
    };
    assert_eq!(
        sample.rows,
        [[Some("1".to_owned()), Some(format!("{}…", "ä".repeat(100)))]]
    );
}

#[test]
fn rows_of_several_files_are_told_apart() {
    let bench = Bench::new();
    let (columns, a) = bench.stage("a", "SELECT unnest([1, -1]) AS \"x\"");
    let (_, b) = bench.stage("it's b", "SELECT unnest([1, 2, -3]) AS \"x\"");
    let files = [a[0].clone(), b[0].clone()];
    let one = contract(
        "schema: { columns: [{ name: x, type: INTEGER, constraints: { min_value: 0 } }] }",
    );
    let all = comboi_engine::check(
        &bench.session,
        &one,
        &Input {
            alias: "x",
            columns: &columns,
            files: &files,
        },
        &comboi_engine::Around::at(now()),
    )
    .unwrap();
    assert_eq!(
        told(&all[1..]),
        "x_min_value: failed (error): 2 rows: `x` is less than 0 (5 rows)\n  row 2 of a.parquet, x -1\n  row 3 of it's b.parquet, x -3"
    );
}

#[test]
fn a_verdict_comes_back_from_json() {
    let one = contract(
        "version: \"1\"\nschema:\n  columns:\n    - { name: x, type: INTEGER, constraints: { min_value: 5 } }\n",
    );
    let all = verdicts(&Bench::new(), &one, "SELECT 1 AS x").unwrap();
    let json = serde_json::to_value(&all[1]).unwrap();
    let mut shown = json.clone();
    shown["place"]["file"] = "shop.yml".into();
    assert_eq!(
        shown,
        serde_json::json!({
            "rule": "x_min_value",
            "kind": "min_value",
            "severity": "error",
            "action": "fail",
            "outcome": "failed",
            "failed_count": 1,
            "detail": "`x` is less than 5",
            "sample": { "columns": ["row", "x"], "rows": [["1", "1"]] },
            "measured": "1 row",
            "value": "1",
            "threshold": "must be 0 rows",
            "row_count": 1,
            "place": { "file": "shop.yml", "line": 5, "column": 48 },
        })
    );
    assert_eq!(serde_json::from_value::<Verdict>(json).unwrap(), all[1]);
}
