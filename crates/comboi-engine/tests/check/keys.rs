//! Keys that occur more than once.

use super::{check, contract, told, verdicts};
use crate::build::Bench;

const ONE: &str =
    "schema: { columns: [{ name: k, type: VARCHAR, constraints: { unique: true } }] }";

#[test]
fn keys_that_occur_twice_are_counted() {
    check(
        ONE,
        "SELECT unnest(['a', 'b', 'c']) AS k",
        "
        schema: passed (1 column)
        k_unique: passed (3 rows)
    ",
    );
    check(
        ONE,
        "SELECT unnest(['a', 'b', 'a', 'c', 'b', 'a']) AS k",
        "
        schema: passed (1 column)
        k_unique: failed (error): 5 rows: 2 values of `k` occur more than once (6 rows)
          k a, rows 3
          k b, rows 2
    ",
    );
    check(
        ONE,
        "SELECT unnest(['x', 'x']) AS k",
        "
        schema: passed (1 column)
        k_unique: failed (error): 2 rows: 1 value of `k` occurs more than once (2 rows)
          k x, rows 2
    ",
    );
}

#[test]
fn null_is_equal_to_nothing() {
    check(
        ONE,
        "SELECT unnest(['a', NULL, NULL]) AS k",
        "
        schema: passed (1 column)
        k_unique: passed (3 rows, 2 rows with NULL left aside)
    ",
    );
    check(ONE, "SELECT unnest(['a', NULL, 'a', NULL]) AS k", "
        schema: passed (1 column)
        k_unique: failed (error): 2 rows: 1 value of `k` occurs more than once (4 rows, 2 rows with NULL left aside)
          k a, rows 2
    ");
}

#[test]
fn several_columns_count_together() {
    let yaml = "
schema:
  columns:
    - { name: 'group', type: INTEGER }
    - { name: 'Größe\"x\"', type: VARCHAR }
quality_rules:
  - { name: pair, type: uniqueness, columns: ['group', 'größe\"x\"'] }
";
    let yaml = &yaml.replace("größe", "Größe");
    check(
        yaml,
        "SELECT * FROM (VALUES (1, 'a'), (1, 'b'), (2, 'a'), (1, NULL), (1, NULL)) t(\"group\", \"Größe\"\"x\"\"\")",
        "
        schema: passed (2 columns)
        pair: passed (5 rows, 2 rows with NULL left aside)
    ",
    );
    check(yaml, "SELECT * FROM (VALUES (1, 'a'), (1, 'b'), (1, 'a')) t(\"group\", \"Größe\"\"x\"\"\")", "
        schema: passed (2 columns)
        pair: failed (error): 2 rows: 1 combination of `group`, `Größe\"x\"` occurs more than once (3 rows)
          group 1, Größe\"x\" a, rows 2
    ");
}

#[test]
fn equal_values_are_duplicates_however_they_are_stored() {
    let yaml = "schema: { columns: [{ name: k, type: DOUBLE, constraints: { unique: true } }] }";
    check(
        yaml,
        "SELECT unnest(['0.0', '-0.0', 'nan', '1'])::DOUBLE AS k",
        "
        schema: passed (1 column)
        k_unique: failed (error): 2 rows: 1 value of `k` occurs more than once (4 rows)
          k 0.0, rows 2
    ",
    );
}

#[test]
fn one_duplicate_among_many_rows_is_found() {
    let one =
        contract("schema: { columns: [{ name: k, type: BIGINT, constraints: { unique: true } }] }");
    let rows = |twice: &str| {
        format!(
            "SELECT CASE WHEN i = 149999 THEN {twice} ELSE i * 7919 END AS k FROM range(150000) t(i)"
        )
    };
    let bench = Bench::new();
    let passed = told(&verdicts(&bench, &one, &rows("-1")).unwrap());
    assert_eq!(
        passed,
        "schema: passed (1 column)\nk_unique: passed (150,000 rows)"
    );
    let failed = told(&verdicts(&bench, &one, &rows("7919")).unwrap());
    assert_eq!(
        failed,
        "schema: passed (1 column)\nk_unique: failed (error): 2 rows: 1 value of `k` occurs more than once (150,000 rows)\n  k 7919, rows 2"
    );
}

#[test]
fn thousands_of_duplicates_are_counted_exactly() {
    let one =
        contract("schema: { columns: [{ name: k, type: BIGINT, constraints: { unique: true } }] }");
    let bench = Bench::new();
    let rows = "SELECT i % 7000 AS k FROM range(10000) t(i)";
    let told = told(&verdicts(&bench, &one, rows).unwrap());
    assert!(
        told.contains("6,000 rows: 3,000 values of `k` occur more than once (10,000 rows)"),
        "{told}"
    );
}
