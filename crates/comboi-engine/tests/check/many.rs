//! The number of rows, their age, and whole contracts.

use comboi_engine::{Input, Limits};

use super::{check, contract, now, told, verdicts};
use crate::build::Bench;

#[test]
fn the_number_of_rows_has_bounds() {
    let yaml = "
schema: { columns: [{ name: x, type: BIGINT }] }
quality_rules:
  - { name: some, type: volume, min_rows: 2, max_rows: 3000 }
sla: { completeness: { min_row_count: 1500, severity: warning } }
";
    let rows = |count: u32| format!("SELECT i AS x FROM range({count}) t(i)");
    check(
        yaml,
        &rows(3000),
        "
        schema: passed (1 column)
        some: passed (3,000 rows)
        sla_completeness: passed (3,000 rows)
    ",
    );
    check(
        yaml,
        &rows(1),
        "
        schema: passed (1 column)
        some: failed (error): at least 2 rows are expected (1 row)
        sla_completeness: failed (warning): at least 1,500 rows are expected (1 row)
    ",
    );
    check(
        yaml,
        &rows(3001),
        "
        schema: passed (1 column)
        some: failed (error): at most 3,000 rows are expected (3,001 rows)
        sla_completeness: passed (3,001 rows)
    ",
    );
}

fn check_age(sql_type: &str, values: &str, expected: &str) {
    let yaml = format!(
        "schema: {{ columns: [{{ name: at, type: {sql_type} }}] }}\nsla: {{ freshness: {{ max_age_hours: 24 }} }}\n"
    );
    let rows = format!("SELECT unnest([{values}])::{sql_type} AS at");
    let all = verdicts(&Bench::new(), &contract(&yaml), &rows).unwrap();
    assert_eq!(told(&all[1..]), expected, "{sql_type} {values}");
}

#[test]
fn age_is_measured_on_the_data() {
    // It is 2026-05-01 12:00 UTC.
    check_age(
        "TIMESTAMPTZ",
        "'2026-04-30 14:00:00+02', '2020-01-01 00:00:00+00', NULL",
        "sla_freshness: passed (the newest row is 1 d old)",
    );
    check_age(
        "TIMESTAMPTZ",
        "'2026-04-30 13:59:59+02'",
        "sla_freshness: failed (error): the newest `at` is 1 d old, 1 d are allowed (the newest row is 1 d old)",
    );
    check_age(
        "TIMESTAMP",
        "'2026-05-01 10:30:00'",
        "sla_freshness: passed (the newest row is 1 h 30 min old)",
    );
    check_age(
        "TIMESTAMP",
        "'2026-04-28 12:00:00'",
        "sla_freshness: failed (error): the newest `at` is 3 d old, 1 d are allowed (the newest row is 3 d old)",
    );
    check_age(
        "DATE",
        "'2026-05-01'",
        "sla_freshness: passed (the newest row is 12 h old)",
    );
    check_age(
        "DATE",
        "'2026-04-30'",
        "sla_freshness: failed (error): the newest `at` is 1 d 12 h old, 1 d are allowed (the newest row is 1 d 12 h old)",
    );
}

#[test]
fn nothing_known_is_not_fresh() {
    check_age(
        "TIMESTAMP",
        "NULL, NULL",
        "sla_freshness: failed (error): `at` is NULL in every row, so nothing is known to be fresh (2 rows)",
    );
    check_age(
        "TIMESTAMP",
        "",
        "sla_freshness: failed (error): there are no rows, so nothing is fresh (0 rows)",
    );
}

#[test]
fn the_future_does_not_make_old_data_fresh() {
    check_age(
        "TIMESTAMP",
        "'2026-05-02', '2026-05-01 11:00:00'",
        "sla_freshness: passed (the newest row is 1 h old, 1 row in the future left aside)",
    );
    check_age(
        "TIMESTAMP",
        "'2099-01-01', '2026-01-01'",
        "sla_freshness: failed (error): the newest `at` is 120 d 12 h old, 1 d are allowed (the newest row is 120 d 12 h old, 1 row in the future left aside)",
    );
    check_age(
        "TIMESTAMPTZ",
        "'2099-01-01', NULL",
        "sla_freshness: failed (error): `at` lies in the future in every row that has it (2 rows, 1 row in the future left aside)",
    );
}

#[test]
fn the_contract_of_the_guide_is_checked_in_its_order() {
    check(
        r#"version: "1.0.0"
stage: "silver"
schema:
  columns:
    - name: customer_id
      type: VARCHAR
      nullable: false
      constraints:
        - unique: true
        - not_null: true
    - name: consent_marketing
      type: BOOLEAN
      nullable: false
    - name: consent_timestamp
      type: TIMESTAMP
quality_rules:
  - name: "no_duplicate_customers"
    type: "uniqueness"
    column: "customer_id"
    severity: "error"
  - name: "consent_timestamp_when_given"
    type: "custom_sql"
    query: "SELECT COUNT(*) FROM {dataset} WHERE consent_marketing = true AND consent_timestamp IS NULL"
    expected: 0
    severity: "error"
  - name: "minimum_rows"
    type: "volume"
    min_rows: 1
sla:
  freshness:
    max_age_hours: 24
  completeness:
    min_row_count: 1
privacy:
  classification: "PII"
"#,
        "SELECT * FROM (VALUES ('a', true, TIMESTAMP '2026-05-01 11:00:00'), ('b', true, NULL), ('b', NULL, NULL)) t(customer_id, consent_marketing, consent_timestamp)",
        "
        schema: passed (3 columns)
        customer_id_unique: failed (error): 2 rows: 1 value of `customer_id` occurs more than once (3 rows)
          first row 2, customer_id ‹masked, 1 characters›, rows 2
        customer_id_not_null: passed (3 rows)
        consent_marketing_not_null: failed (error): 1 row: `consent_marketing` is NULL (3 rows)
          row 3
        no_duplicate_customers: failed (error): 2 rows: 1 value of `customer_id` occurs more than once (3 rows)
          first row 2, customer_id ‹masked, 1 characters›, rows 2
        consent_timestamp_when_given: failed (error): 1 row: the query counts rows where there should be none (3 rows)
          row 2
        minimum_rows: passed (3 rows)
        sla_freshness: passed (the newest row is 1 h old)
        sla_completeness: passed (3 rows)
        ",
    );
}

#[test]
fn odd_names_of_columns_are_only_names() {
    check(
        "
schema:
  columns:
    - { name: \"a\\\"b'c\", type: INTEGER, nullable: false, constraints: { min_value: 1, unique: true } }
    - { name: select, type: VARCHAR, constraints: { pattern: x, max_length: 1 } }
    - { name: Ünï😀, type: TIMESTAMP, constraints: { min_value: '2026-01-01' } }
",
        "SELECT 0 AS \"a\"\"b'c\", 'yy' AS \"select\", TIMESTAMP '2025-01-01' AS \"Ünï😀\"",
        "
        schema: passed (3 columns)
        a\"b'c_not_null: passed (1 row)
        a\"b'c_min_value: failed (error): 1 row: `a\"b'c` is less than 1 (1 row)
          a\"b'c 0
        a\"b'c_unique: passed (1 row)
        select_pattern: failed (error): 1 row: `select` does not match `x` (1 row)
          a\"b'c 0, select yy
        select_max_length: failed (error): 1 row: `select` has more than 1 character (1 row)
          a\"b'c 0, select yy
        Ünï😀_min_value: failed (error): 1 row: `Ünï😀` is less than 2026-01-01 (1 row)
          a\"b'c 0, Ünï😀 2025-01-01 00:00:00
        ",
    );
}

#[test]
fn a_dataset_without_files_is_empty() {
    let bench = Bench::new();
    let columns = crate::build::columns(&[("x", "INTEGER")]);
    let one = contract(
        "schema: { columns: [{ name: x, type: INTEGER, nullable: false, constraints: { unique: true } }] }",
    );
    let all = comboi_engine::check(
        &bench.session,
        &one,
        &Input {
            alias: "x",
            columns: &columns,
            files: &[],
        },
        &comboi_engine::Around::at(now()),
    )
    .unwrap();
    assert_eq!(
        told(&all),
        "schema: passed (1 column)\nx_not_null: passed (0 rows)\nx_unique: passed (0 rows)"
    );
}

#[test]
fn a_file_that_is_not_parquet_is_an_error_that_names_it() {
    let bench = Bench::new();
    let columns = crate::build::columns(&[("x", "INTEGER")]);
    std::fs::write(bench.path("bad.parquet"), "not parquet at all").unwrap();
    let files = [bench.path("bad.parquet")];
    let one = contract("schema: { columns: [{ name: x, type: INTEGER }] }");
    let error = comboi_engine::check(
        &bench.session,
        &one,
        &Input {
            alias: "x",
            columns: &columns,
            files: &files,
        },
        &comboi_engine::Around::at(now()),
    )
    .unwrap_err();
    assert!(error.to_string().contains("bad.parquet"), "{error}");
}

#[test]
fn damaged_data_is_no_fault_of_a_rule_and_names_its_file() {
    let bench = Bench::new();
    let (columns, files) = bench.stage("t", "SELECT md5(i::VARCHAR) AS k FROM range(20000) t(i)");
    let mut bytes = std::fs::read(&files[0]).unwrap();
    bytes[4..60].fill(0xFF);
    std::fs::write(&files[0], bytes).unwrap();
    let one = contract(
        "schema: { columns: [{ name: k, type: VARCHAR, constraints: { pattern: '^[0-9a-f]+$' } }] }",
    );
    let input = Input {
        alias: "x",
        columns: &columns,
        files: &files,
    };
    let error = comboi_engine::check(
        &bench.session,
        &one,
        &input,
        &comboi_engine::Around::at(now()),
    )
    .unwrap_err();
    assert!(
        matches!(error, comboi_engine::Error::Unreadable { .. }),
        "{error:?}"
    );
    assert!(
        error.to_string().contains("t.parquet` is damaged: "),
        "{error}"
    );
}

#[test]
fn many_rows_are_checked_within_little_memory() {
    let bench = Bench::with(Limits {
        memory_bytes: 64 << 20,
        threads: 2,
        max_spill_bytes: None,
    });
    let one = contract(
        "schema: { columns: [{ name: k, type: VARCHAR, constraints: { unique: true, pattern: '^[0-9a-f]{32}$' } }, { name: n, type: BIGINT, constraints: { unique: true, min_value: 0 } }] }",
    );
    let all = verdicts(
        &bench,
        &one,
        "SELECT md5(i::VARCHAR) AS k, i AS n FROM range(300000) t(i)",
    )
    .unwrap();
    assert!(
        all.iter().all(comboi_engine::Verdict::passed),
        "{}",
        told(&all)
    );
}
