//! Rules about single values: what they break on, for each type.

use comboi_project::{Constraint, Literal};

use super::{check, check_column, check_contract, constrain, contract};

#[test]
fn nulls_are_counted() {
    check(
        "
schema:
  columns:
    - { name: id, type: INTEGER, nullable: false }
    - { name: a, type: VARCHAR }
    - { name: b, type: VARCHAR }
quality_rules:
  - { name: both, type: not_null, columns: [a, b], severity: warning }
  - { name: first, type: not_null, column: A }
",
        "VALUES (1, 'x', 'y'), (NULL, 'x', NULL), (3, NULL, NULL)) AS t(id, a, b)"
            .replace("VALUES", "SELECT * FROM (VALUES")
            .as_str(),
        "
        schema: passed (3 columns)
        id_not_null: failed (error): 1 row: `id` is NULL (3 rows)
          row 2
        both: failed (warning): 2 rows: `a` or `b` is NULL (3 rows)
          row 2, a x, b NULL
          row 3, a NULL, b NULL
        first: failed (error): 1 row: `a` is NULL (3 rows)
          row 3
        ",
    );
}

#[test]
fn bounds_are_inside() {
    check_column(
        "INTEGER",
        "min_value: -5, max_value: 5",
        "-5, 5, NULL",
        "
        x_min_value: passed (3 rows)
        x_max_value: passed (3 rows)
    ",
    );
    check_column(
        "INTEGER",
        "min_value: -5, max_value: 5",
        "-6, -5, 5, 6",
        "
        x_min_value: failed (error): 1 row: `x` is less than -5 (4 rows)
          row 1, x -6
        x_max_value: failed (error): 1 row: `x` is greater than 5 (4 rows)
          row 4, x 6
    ",
    );
}

#[test]
fn decimals_are_never_rounded() {
    check_column(
        "DECIMAL(10,2)",
        "min_value: 0.005",
        "0.00, 0.01",
        "
        x_min_value: failed (error): 1 row: `x` is less than 0.005 (2 rows)
          row 1, x 0.00
    ",
    );
    check_column(
        "DECIMAL(10,2)",
        "max_value: 0.005",
        "0.00, 0.01, NULL",
        "
        x_max_value: failed (error): 1 row: `x` is greater than 0.005 (3 rows)
          row 2, x 0.01
    ",
    );
    check_column(
        "DECIMAL(4,2)",
        "max_value: 1e30",
        "99.99",
        "x_max_value: passed (1 row)",
    );
    check_column(
        "DECIMAL(4,2)",
        "min_value: 100",
        "99.99, NULL",
        "
        x_min_value: failed (error): 1 row: `x` is less than 100 (2 rows)
          row 1, x 99.99
    ",
    );
    check_column("DECIMAL(38,0)", "max_value: 99999999999999999999999999999999999998", "'99999999999999999999999999999999999998', '99999999999999999999999999999999999999'", "
        x_max_value: failed (error): 1 row: `x` is greater than 99999999999999999999999999999999999998 (2 rows)
          row 2, x 99999999999999999999999999999999999999
    ");
    let mut contract = contract("schema: { columns: [{ name: x, type: INTEGER }] }");
    constrain(&mut contract, Constraint::MinValue(literal("0.5")));
    constrain(&mut contract, Constraint::MaxValue(literal("1.5")));
    check_contract(
        &contract,
        "SELECT unnest([0, 1, 2]) AS x",
        "
        schema: passed (1 column)
        x_min_value: failed (error): 1 row: `x` is less than 0.5 (3 rows)
          row 1, x 0
        x_max_value: failed (error): 1 row: `x` is greater than 1.5 (3 rows)
          row 3, x 2
    ",
    );
    check_column(
        "BIGINT",
        "max_value: 9007199254740992",
        "9007199254740992, 9007199254740993",
        "
        x_max_value: failed (error): 1 row: `x` is greater than 9007199254740992 (2 rows)
          row 2, x 9007199254740993
    ",
    );
}

#[test]
fn nan_is_no_number_and_infinity_is_a_large_one() {
    check_column(
        "DOUBLE",
        "min_value: 0, max_value: 10",
        "'5.0', 'nan', 'inf', '-inf', NULL",
        "
        x_min_value: failed (error): 2 rows: `x` is less than 0 (5 rows)
          row 2, x nan
          row 4, x -inf
        x_max_value: failed (error): 2 rows: `x` is greater than 10 (5 rows)
          row 2, x nan
          row 3, x inf
    ",
    );
    check_column(
        "FLOAT",
        "min_value: 0.1, max_value: 0.1",
        "'0.1'",
        "
        x_min_value: passed (1 row)
        x_max_value: passed (1 row)
    ",
    );
}

#[test]
fn moments_keep_their_time_of_day_and_their_zone() {
    check_column(
        "TIMESTAMPTZ",
        "min_value: '2026-01-01T00:00:00+02:00'",
        "'2025-12-31 21:59:59+00', '2025-12-31 22:00:00+00'",
        "
        x_min_value: failed (error): 1 row: `x` is less than 2026-01-01T00:00:00+02:00 (2 rows)
          row 1, x 2025-12-31 21:59:59+00
    ",
    );
    check_column(
        "TIMESTAMP",
        "min_value: '2026-01-01T00:00:00+02:00'",
        "'2025-12-31 21:59:59', '2025-12-31 22:00:00'",
        "
        x_min_value: failed (error): 1 row: `x` is less than 2026-01-01T00:00:00+02:00 (2 rows)
          row 1, x 2025-12-31 21:59:59
    ",
    );
    check_column(
        "DATE",
        "min_value: '2026-01-02', max_value: '2026-01-03'",
        "'2026-01-01', '2026-01-02', '2026-01-04'",
        "
        x_min_value: failed (error): 1 row: `x` is less than 2026-01-02 (3 rows)
          row 1, x 2026-01-01
        x_max_value: failed (error): 1 row: `x` is greater than 2026-01-03 (3 rows)
          row 3, x 2026-01-04
    ",
    );
    check_column(
        "TIME",
        "max_value: '12:00:00'",
        "'11:59:59', '12:00:01'",
        "
        x_max_value: failed (error): 1 row: `x` is greater than 12:00:00 (2 rows)
          row 2, x 12:00:01
    ",
    );
}

#[test]
fn a_pattern_is_found_anywhere_unless_it_is_anchored() {
    check_column(
        "VARCHAR",
        "pattern: 'b+'",
        "'abc', 'ac', '', NULL",
        "
        x_pattern: failed (error): 2 rows: `x` does not match `b+` (4 rows)
          row 2, x ac
          row 3, x 
    ",
    );
    check_column(
        "VARCHAR",
        "pattern: '^b+$'",
        "'abc', 'bb'",
        "
        x_pattern: failed (error): 1 row: `x` does not match `^b+$` (2 rows)
          row 1, x abc
    ",
    );
    check_column(
        "VARCHAR",
        "pattern: \"^it''s$\"",
        "'it''''s', 'its'",
        "
        x_pattern: failed (error): 1 row: `x` does not match `^it''s$` (2 rows)
          row 2, x its
    ",
    );
}

#[test]
fn lengths_are_counted_in_characters() {
    check_column(
        "VARCHAR",
        "min_length: 2, max_length: 3",
        "'ä', 'äö', 'äöü', 'äöüß', '', NULL",
        "
        x_min_length: failed (error): 2 rows: `x` has less than 2 characters (6 rows)
          row 1, x ä
          row 5, x 
        x_max_length: failed (error): 1 row: `x` has more than 3 characters (6 rows)
          row 4, x äöüß
    ",
    );
    check_column(
        "VARCHAR",
        "min_length: 2, max_length: 3",
        "'ab', 'abc', '😀😀😀'",
        "
        x_min_length: passed (3 rows)
        x_max_length: passed (3 rows)
    ",
    );
}

#[test]
fn other_values_than_those_allowed_are_counted() {
    check_column(
        "VARCHAR",
        "allowed_values: [new, \"it's\", NO]",
        "'new', 'it''s', 'NO', 'New', NULL",
        "
        x_allowed_values: failed (error): 1 row: `x` is none of `new`, `it's`, `NO` (5 rows)
          row 4, x New
    ",
    );
    check_column(
        "DECIMAL(10,2)",
        "allowed_values: [1, 2.50]",
        "1.00, 2.5, 2.51",
        "
        x_allowed_values: failed (error): 1 row: `x` is none of `1`, `2.50` (3 rows)
          row 3, x 2.51
    ",
    );
    check_column("INTEGER", "allowed_values: [1, 2, 3, 4, 5, 6, 7]", "7, 8", "
        x_allowed_values: failed (error): 1 row: `x` is none of `1`, `2`, `3`, `4`, `5` and 2 more (2 rows)
          row 2, x 8
    ");
    check_column(
        "DATE",
        "allowed_values: ['2026-01-01']",
        "'2026-01-01', '2026-01-02'",
        "
        x_allowed_values: failed (error): 1 row: `x` is none of `2026-01-01` (2 rows)
          row 2, x 2026-01-02
    ",
    );
    check_column(
        "BOOLEAN",
        "allowed_values: [true]",
        "true, false",
        "
        x_allowed_values: failed (error): 1 row: `x` is none of `true` (2 rows)
          row 2, x false
    ",
    );
}

#[test]
fn a_value_that_a_decimal_can_not_have_is_not_rounded_into_one() {
    let mut contract = contract("schema: { columns: [{ name: x, type: 'DECIMAL(10,2)' }] }");
    constrain(
        &mut contract,
        Constraint::AllowedValues(vec![literal("0.005")]),
    );
    check_contract(
        &contract,
        "SELECT unnest([0.01, NULL])::DECIMAL(10,2) AS x",
        "
        schema: passed (1 column)
        x_allowed_values: failed (error): 1 row: `x` is none of `0.005` (2 rows)
          row 1, x 0.01
    ",
    );
}

#[test]
fn a_rule_that_makes_no_sense_can_not_run_and_hides_nothing() {
    let mut contract =
        contract("schema: { columns: [{ name: x, type: TIMESTAMP, nullable: false }] }");
    constrain(&mut contract, Constraint::MinValue(literal("2026-13-01")));
    constrain(&mut contract, Constraint::Pattern("([".to_owned()));
    constrain(
        &mut contract,
        Constraint::AllowedValues(vec![literal("never")]),
    );
    constrain(&mut contract, Constraint::MaxValue(literal("2026-02-01")));
    check_contract(&contract, "SELECT unnest([TIMESTAMP '2026-01-01', '2026-03-01', NULL]) AS x", "
        schema: passed (1 column)
        x_not_null: failed (error): 1 row: `x` is NULL (3 rows)
          row 3
        x_min_value: could not run (error): timestamp field value out of range: \"2026-13-01\"
        x_pattern: could not run (error): missing ]: [
        x_allowed_values: could not run (error): invalid timestamp field format: \"never\", expected format is (YYYY-MM-DD HH:MM:SS[.US][±HH[:MM[:SS]]| ZONE])
        x_max_value: failed (error): 1 row: `x` is greater than 2026-02-01 (3 rows)
          row 2, x 2026-03-01 00:00:00
    ");
}

#[test]
fn a_bound_that_is_no_number_can_not_run() {
    let mut contract = contract("schema: { columns: [{ name: x, type: INTEGER }] }");
    for bound in ["ten", "nan", "1; DROP TABLE shop"] {
        constrain(&mut contract, Constraint::MinValue(literal(bound)));
    }
    check_contract(
        &contract,
        "SELECT 1 AS x",
        "
        schema: passed (1 column)
        x_min_value: could not run (error): `ten` is not a number
        x_min_value: could not run (error): `nan` is not a number
        x_min_value: could not run (error): `1; DROP TABLE shop` is not a number
    ",
    );
}

#[test]
fn no_rows_break_nothing() {
    check(
        "
schema:
  columns:
    - { name: x, type: INTEGER, nullable: false, constraints: { unique: true, min_value: 1, allowed_values: [1] } }
quality_rules:
  - { name: none_bad, type: custom_sql, query: 'SELECT count(*) FROM {dataset} WHERE x < 0' }
",
        "SELECT 1 AS x WHERE false",
        "
        schema: passed (1 column)
        x_not_null: passed (0 rows)
        x_unique: passed (0 rows)
        x_min_value: passed (0 rows)
        x_allowed_values: passed (0 rows)
        none_bad: passed (the query returns 0)
        ",
    );
}

fn literal(text: &str) -> Literal {
    Literal {
        text: text.to_owned(),
        quoted: true,
    }
}

/// Of one column, the values that break a constraint, sorted as they stand.
fn check_bound(sql_type: &str, constraint: &str, values: &str, expected: &str) {
    let yaml = format!(
        "schema: {{columns: [{{name: x, type: '{sql_type}', constraints: {{{constraint}}}}}]}}"
    );
    let rows = format!("SELECT x::{sql_type} AS x FROM (SELECT unnest([{values}]) AS x)");
    let all = super::verdicts(&crate::build::Bench::new(), &contract(&yaml), &rows).unwrap();
    let told = super::told(&all[1..]);
    let broken = told.lines().filter_map(|line| line.split_once(", x "));
    let broken: Vec<&str> = broken.map(|(_, value)| value).collect();
    assert_eq!(
        broken.join(" "),
        expected,
        "{sql_type} {constraint}\n{told}"
    );
    assert_eq!(
        told.contains(": passed ("),
        expected.is_empty(),
        "{sql_type} {constraint}\n{told}"
    );
}

/// dbt-utils tests its `accepted_range` with `max_value: 11.1` on whole numbers.
#[test]
fn bounds_that_are_no_values_of_the_type_are_exact() {
    check_bound("BIGINT", "max_value: 11.1", "11, 12", "12");
    check_bound("BIGINT", "less_than: 11.1", "11, 12", "12");
    check_bound("BIGINT", "min_value: 11.1", "11, 12", "11");
    check_bound("BIGINT", "greater_than: -11.1", "-12, -11", "-12");
    check_bound("INTEGER", "max_value: -11.1", "-12, -11", "-11");
    check_bound("TINYINT", "max_value: 300", "-128, 127", "");
    check_bound("TINYINT", "min_value: 127.5", "-128, 127", "-128 127");
    check_bound("BIGINT", "max_value: 1e30", "9223372036854775807", "");
    check_bound("HUGEINT", "min_value: -1e60", "-1, 1", "");
    check_bound("UBIGINT", "min_value: -0.5", "0, 1", "");
    // No double has this number.
    let values = "9007199254740992, 9007199254740993";
    let bound = "less_than: 9007199254740992.5";
    check_bound("BIGINT", bound, values, "9007199254740993");
    check_bound("DECIMAL(10,2)", "max_value: 0.0049", "0.00, 0.01", "0.01");
    check_bound("FLOAT", "max_value: 1e300", "'1', 'inf'", "inf");
    check_bound("DOUBLE", "min_value: -1e400", "'-inf', '-1.5'", "-inf");
    check_bound("BIGINT", "allowed_values: [7.0, 1e1]", "7, 10, 70", "70");
}

#[test]
fn bounds_between_two_dates_are_exact() {
    let days = "'2024-02-29', '2024-03-01'";
    let noon = "2024-02-29T12:00:00";
    let (first, second) = ("2024-02-29", "2024-03-01");
    check_bound("DATE", &format!("less_than: '{noon}'"), days, second);
    check_bound("DATE", &format!("max_value: '{noon}'"), days, second);
    check_bound("DATE", &format!("min_value: '{noon}'"), days, first);
    check_bound("DATE", &format!("greater_than: '{noon}'"), days, first);
    // That is 2024-02-29T23:30:00 in UTC.
    let berlin = "min_value: '2024-03-01T00:30:00+01:00'";
    check_bound("DATE", berlin, days, first);
    let times = "'2024-02-29 12:00:00.123456', '2024-02-29 12:00:00.123457'";
    let bound = |key: &str| format!("{key}: '2024-02-29T12:00:00.1234565'");
    let (first, second) = ("2024-02-29 12:00:00.123456", "2024-02-29 12:00:00.123457");
    check_bound("TIMESTAMP", &bound("max_value"), times, second);
    check_bound("TIMESTAMP", &bound("less_than"), times, second);
    check_bound("TIMESTAMP", &bound("min_value"), times, first);
    check_bound("TIMESTAMP", &bound("greater_than"), times, first);
}

#[test]
fn blobs_lists_and_maps_have_a_length() {
    // The letter is two bytes and one character.
    check_column(
        "BLOB",
        "min_length: 2, max_length: 3",
        r"'\xC3\xA9', 'a', 'abcd', NULL",
        "
        x_min_length: failed (error): 1 row: `x` has less than 2 bytes (4 rows)
          row 2, x a
        x_max_length: failed (error): 1 row: `x` has more than 3 bytes (4 rows)
          row 3, x abcd
        ",
    );
    check_column(
        "INTEGER[]",
        "min_length: 1, max_length: 2",
        "[], [1, NULL], [1, 2, 3], NULL",
        "
        x_min_length: failed (error): 1 row: `x` has less than 1 element (4 rows)
          row 1, x []
        x_max_length: failed (error): 1 row: `x` has more than 2 elements (4 rows)
          row 3, x [1, 2, 3]
        ",
    );
    check_column(
        "MAP(VARCHAR, INTEGER)",
        "max_length: 1",
        "map {'a': 1}, map {'a': 1, 'b': 2}",
        "
        x_max_length: failed (error): 1 row: `x` has more than 1 entry (2 rows)
          row 2, x {a=1, b=2}
        ",
    );
}

/// By Unicode's property `White_Space`, and characters that show nothing.
#[test]
fn texts_of_nothing_but_white_space_are_empty() {
    let blank = [
        9, 10, 11, 12, 13, 32, 133, 160, 5760, 8195, 8203, 8232, 8239, 8287, 12288, 65279,
    ];
    let blank: Vec<String> = blank.iter().map(|code| format!("chr({code})")).collect();
    let blank = blank.join(", ");
    check(
        "
schema: {columns: [{name: x, type: VARCHAR}]}
quality_rules: [{name: r, type: not_empty, column: x, must_be: 17}]
",
        &format!(
            "SELECT unnest(['', {blank}, '.', chr(160) || 'a', chr(10) || '0', 'é', NULL]) AS x"
        ),
        "
        schema: passed (1 column)
        r: passed (22 rows, 17 of which break it)
        ",
    );
}
