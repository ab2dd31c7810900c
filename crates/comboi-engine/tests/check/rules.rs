//! The types of rules, their filters, units and thresholds.

use comboi_engine::{Around, Input, OtherDataset};

use super::{contract, now, told, verdicts};
use crate::build::Bench;

const COLUMNS: &str = "
schema:
  allow_extra_columns: true
  columns:
    - { name: id, type: INTEGER }
    - { name: name, type: VARCHAR }
    - { name: price, type: 'DECIMAL(10,2)' }
    - { name: from_day, type: DATE }
    - { name: to_day, type: DATE }
quality_rules:
";

const ROWS: &str = "SELECT * FROM (VALUES
    (1, 'ann', 1.00, DATE '2026-01-01', DATE '2026-01-05'),
    (2, '', 2.50, DATE '2026-01-05', DATE '2026-01-09'),
    (3, ' ', 0.30, DATE '2026-01-08', DATE '2026-01-10'),
    (5, NULL, NULL, DATE '2026-02-01', NULL),
    (5, 'n/a', 9.99, NULL, DATE '2026-01-10')
) t(id, name, price, from_day, to_day)";

/// Verdicts and samples on one line, whatever spaces values have.
fn one_line(text: &str) -> String {
    spaced(&text.replace('\n', " | "))
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// One rule, its verdict and sample.
fn check(rule: &str, expected: &str) {
    let yaml = format!("{COLUMNS}  - {{ name: r, {rule} }}\n");
    let rows = ROWS.replacen(
        "SELECT *",
        "SELECT id::INTEGER AS id, name, price::DECIMAL(10,2) AS price, from_day, to_day",
        1,
    );
    let all = verdicts(&Bench::new(), &contract(&yaml), &rows).unwrap();
    assert_eq!(one_line(&told(&all[1..])), spaced(expected), "{rule}");
}

#[test]
fn rules_on_single_rows() {
    check(
        "type: missing, column: name",
        "r: failed (error): 2 rows: `name` is NULL or empty (5 rows) | row 2, name  | row 4, name NULL",
    );
    check(
        "type: missing, column: name, values: ['n/a', ' ']",
        "r: failed (error): 3 rows: `name` is missing: NULL or one of `n/a`, ` ` (5 rows) | row 3, name   | row 4, name NULL | row 5, name n/a",
    );
    check(
        "type: missing, column: price",
        "r: failed (error): 1 row: `price` is NULL (5 rows) | row 4, price NULL",
    );
    check(
        "type: not_empty, column: name",
        "r: failed (error): 2 rows: `name` is empty (5 rows) | row 2, name  | row 3, name",
    );
    check(
        "type: rejected_values, column: name, values: [n/a]",
        "r: failed (error): 1 row: `name` is one of `n/a` (5 rows) | row 5, name n/a",
    );
    check(
        "type: range, column: price, greater_than: 0.3, max_value: 2.5",
        "r: failed (error): 2 rows: `price` is not greater than 0.3 or is greater than 2.5 (5 rows) | row 3, price 0.30 | row 5, price 9.99",
    );
    check(
        "type: range, column: price, greater_than: 0.299, less_than: 9.991",
        "r: passed (5 rows)",
    );
    check(
        "type: range, column: id, less_than: 5",
        "r: failed (error): 2 rows: `id` is not less than 5 (5 rows) | row 4, id 5 | row 5, id 5",
    );
    check(
        "type: length, column: name, min_length: 1, max_length: 2",
        "r: failed (error): 3 rows: `name` has less than 1 character or has more than 2 characters (5 rows) | row 1, name ann | row 2, name  | row 5, name n/a",
    );
    check(
        "type: not_pattern, column: name, pattern: '/'",
        "r: failed (error): 1 row: `name` matches `/` (5 rows) | row 5, name n/a",
    );
    check(
        "type: format, column: name, format: integer, where: 'id = 1'",
        "r: failed (error): 1 row: `name` is not a whole number (1 row) | row 1, name ann",
    );
    check(
        "type: multiple_of, column: price, multiple_of: 0.25",
        "r: failed (error): 2 rows: `price` is no multiple of 0.25 (5 rows) | row 3, price 0.30 | row 5, price 9.99",
    );
    check(
        "type: multiple_of, column: id, multiple_of: 5",
        "r: failed (error): 3 rows: `id` is no multiple of 5 (5 rows) | row 1, id 1 | row 2, id 2 | row 3, id 3",
    );
    check(
        "type: multiple_of, column: id, multiple_of: 0.5",
        "r: passed (5 rows)",
    );
    check(
        "type: validity, column: name, constraints: { allowed_values: [ann, 'n/a'], max_length: 2 }",
        "r: failed (error): 4 rows: `name` is none of `ann`, `n/a` or has more than 2 characters (5 rows) | row 1, name ann | row 2, name  | row 3, name   | row 5, name n/a",
    );
    check(
        "type: expression, expression: \"from_day < to_day AND id <> 2\"",
        "r: failed (error): 1 row: `from_day < to_day AND id <> 2` is false (5 rows) | row 2",
    );
    check(
        "type: compare, column: id, operator: '<=', other_column: price",
        "r: failed (error): 1 row: `id` <= `price` does not hold (5 rows) | row 3, id 3, price 0.30",
    );
}

#[test]
fn thresholds_say_how_many_rows_may_break_a_rule() {
    check(
        "type: not_null, column: name, must_be_less_or_equal_to: 1",
        "r: passed (5 rows, 1 of which breaks it)",
    );
    check(
        "type: not_null, column: name, unit: percent, must_be_less_than: 20",
        "r: failed (error): 1 row: `name` is NULL in 20 percent of the rows, must be less than 20 percent (5 rows) | row 4",
    );
    check(
        "type: not_null, column: name, unit: percent, must_be_less_than: 20.01, where: price IS NOT NULL OR id = 5",
        "r: passed (5 rows, 1 of which breaks it)",
    );
    check(
        "type: uniqueness, column: id, must_be_between: [1, 2]",
        "r: passed (5 rows, 2 of which break it)",
    );
    check(
        "type: uniqueness, column: id, where: 'id < 5'",
        "r: passed (3 rows)",
    );
    check(
        "type: uniqueness, column: id, must_be_less_or_equal_to: 1",
        "r: failed (error): 2 rows: 1 value of `id` occurs more than once; the number of such rows must be less or equal to 1 (5 rows) | id 5, rows 2",
    );
    check(
        "type: not_null, column: id, must_be_greater_than: 0",
        "r: failed (error): 0 rows: `id` is NULL; the number of such rows must be greater than 0 (5 rows)",
    );
}

#[test]
fn rules_on_the_rows_around() {
    check(
        "type: monotonic, column: price",
        "r: failed (error): 1 row: `price` is less than in the row before (5 rows) | row 3, price 0.30",
    );
    check(
        "type: monotonic, column: id, strict: true, order_by: price, direction: decreasing",
        "r: failed (error): 3 rows: `id` is not less than in the row before (5 rows) | row 2, price 2.50, id 2 | row 4, price NULL, id 5 | row 5, price 9.99, id 5",
    );
    check(
        "type: sequential, column: id",
        "r: failed (error): 2 rows: `id` is not 1 after the one before (5 rows) | row 4, id 5 | row 5, id 5",
    );
    check(
        "type: sequential, column: from_day, step: 4, where: 'id < 3'",
        "r: passed (5 rows)",
    );
    check(
        "type: no_overlap, from_column: from_day, to_column: to_day",
        "r: failed (error): 2 rows: the range from `from_day` to `to_day` overlaps another range, or ends before it begins (5 rows) | row 2, from_day 2026-01-05, to_day 2026-01-09 | row 3, from_day 2026-01-08, to_day 2026-01-10",
    );
    check(
        "type: no_overlap, from_column: from_day, to_column: to_day, where: 'id <> 2'",
        "r: passed (5 rows)",
    );
    check(
        "type: no_overlap, from_column: from_day, to_column: to_day, where: 'id < 3', gaps: required",
        "r: failed (error): 2 rows: the range from `from_day` to `to_day` overlaps another range or leaves no gap, or ends before it begins (5 rows) | row 1, from_day 2026-01-01, to_day 2026-01-05 | row 2, from_day 2026-01-05, to_day 2026-01-09",
    );
}

#[test]
fn what_is_computed_of_a_column_has_bounds() {
    check(
        "type: aggregate, function: sum, column: price, must_be: 13.79",
        "r: passed (the sum of `price` is 13.79)",
    );
    check(
        "type: aggregate, function: avg, column: id, must_be_less_than: 3.2",
        "r: failed (error): the avg of `id` is 3.2, must be less than 3.2 (the avg of `id` is 3.2)",
    );
    check(
        "type: aggregate, function: median, column: id, must_be: 3",
        "r: passed (the median of `id` is 3.0)",
    );
    check(
        "type: aggregate, function: quantile, quantile: 0.25, column: id, must_be: 2",
        "r: passed (the quantile 0.25 of `id` is 2.0)",
    );
    check(
        "type: aggregate, function: distinct_count, column: id, must_be_greater_than: 1",
        "r: passed (the distinct count of `id` is 4)",
    );
    check(
        "type: aggregate, function: stddev, column: id, must_be_between: [1.78, 1.79]",
        "r: passed (the stddev of `id` is 1.7888543819998317)",
    );
    check(
        "type: aggregate, function: max, column: from_day, must_be_less_than: 2026-02-01",
        "r: failed (error): the max of `from_day` is 2026-02-01, must be less than 2026-02-01 (the max of `from_day` is 2026-02-01)",
    );
    check(
        "type: aggregate, function: max_length, column: name, must_be: 3, where: 'id = 9'",
        "r: failed (error): there is nothing of which the max length of `name` could be computed (no value)",
    );
    check(
        "type: volume, must_be_between: [1, 4], where: 'id < 5'",
        "r: passed (3 rows)",
    );
    check(
        "type: volume, must_not_be: 5",
        "r: failed (error): the number of rows must not be 5 (5 rows)",
    );
}

#[test]
fn queries_for_numbers_and_for_rows() {
    check(
        "type: custom_sql, query: 'SELECT max(id) FROM {dataset}', must_be_less_than: 5",
        "r: failed (error): the query returns 5, must be less than 5 (the query returns 5)",
    );
    check(
        "type: failed_rows, query: 'SELECT id, id * 2 AS twice FROM {dataset} WHERE id > 4 ORDER BY ALL'",
        "r: failed (error): 2 rows: the query returns rows where there should be none (5 rows) | id 5, twice 10 | id 5, twice 10",
    );
    check(
        "type: failed_rows, query: 'SELECT id FROM {dataset} WHERE id > 4', unit: percent, must_be_less_than: 50",
        "r: passed (5 rows, 2 of which break it)",
    );
    check(
        "type: expression, expression: 'no_such > 1'",
        "r: could not run (error): Referenced column \"no_such\" not found in FROM clause",
    );
    check(
        "type: expression, expression: 'id > (SELECT max(id) FROM {dataset})'",
        "r: could not run (error): it looks at more than one row: a condition has no subquery, aggregate or window",
    );
    check(
        "type: not_null, column: id, where: 'id >'",
        "r: could not run (error): its `where`: syntax error at or near \")\" (look at what stands before it: a comma, an operator or a parenthesis may be missing)",
    );
}

fn check_around(rule: &str, earlier: Option<&[u64]>, expected: &str) {
    let bench = Bench::new();
    let yaml = format!("{COLUMNS}  - {{ name: r, {rule} }}\n");
    let (known, files) = bench.stage(
        "staged",
        &ROWS.replacen(
            "SELECT *",
            "SELECT id::INTEGER AS id, name, price::DECIMAL(10,2) AS price, from_day, to_day",
            1,
        ),
    );
    let (other_columns, other_files) = bench.stage(
        "other",
        "SELECT * FROM (VALUES (1::BIGINT, 'ann', 1.00::DECIMAL(9,2)), (2, 'bob', 2.50), (5, 'eve', NULL)) t(key, name, price)",
    );
    let others = [
        OtherDataset {
            name: "silver/others",
            data: Ok(Input {
                alias: "x",
                columns: &other_columns,
                files: &other_files,
            }),
        },
        OtherDataset {
            name: "gone",
            data: Err("it was never built"),
        },
    ];
    let around = Around {
        now: now(),
        others: &others,
        earlier_rows: earlier,
    };
    let input = Input {
        alias: "x",
        columns: &known,
        files: &files,
    };
    let all = comboi_engine::check(&bench.session, &contract(&yaml), &input, &around).unwrap();
    assert_eq!(one_line(&told(&all[1..])), spaced(expected), "{rule}");
}

#[test]
fn a_dataset_is_held_against_another() {
    check_around(
        "type: foreign_key, column: id, dataset: silver/others, to: key",
        None,
        "r: failed (error): 1 row: `id` is not in `silver/others` (5 rows) | row 3, id 3",
    );
    check_around(
        "type: foreign_key, columns: [id, name], dataset: silver/others, to: [key, name], to_where: 'price IS NOT NULL', where: 'id < 3'",
        None,
        "r: failed (error): 1 row: `id`, `name` is not in `silver/others` (2 rows) | row 2, id 2, name",
    );
    check_around(
        "type: foreign_key, column: id, dataset: silver/others",
        None,
        "r: could not run (error): `silver/others` has no column `id`",
    );
    check_around(
        "type: foreign_key, column: id, dataset: gone",
        None,
        "r: could not run (error): it was never built",
    );
    check_around(
        "type: row_count_match, dataset: silver/others",
        None,
        "r: failed (error): the number of rows differs by 2, must be 0 (the number of rows: 5 here, 3 there)",
    );
    check_around(
        "type: row_count_match, dataset: silver/others, where: 'id < 4', unit: percent, must_be_between: [-10, 10]",
        None,
        "r: passed (the number of rows: 3 here, 3 there)",
    );
    check_around(
        "type: equality, dataset: silver/others, columns: [id, price], other_columns: [key, price], where: 'id < 3'",
        None,
        "r: failed (error): the number of rows in one of the two only differs by 1, must be 0 (the number of rows in one of the two only: 2 here, 3 there)",
    );
    check_around(
        "type: equality, dataset: silver/others, columns: [price], other_where: 'price > 2', where: 'id = 2'",
        None,
        "r: passed (the number of rows in one of the two only: 1 here, 1 there)",
    );
    check_around(
        "type: aggregate_match, function: sum, column: price, dataset: silver/others, must_be_less_than: 10",
        None,
        "r: failed (error): the sum of `price` differs by 10.29, must be less than 10 (the sum of `price`: 13.79 here, 3.50 there)",
    );
}

#[test]
fn the_number_of_rows_is_held_against_earlier_versions() {
    let rule = "type: row_count_change, must_be_between: [-50, 25]";
    check_around(rule, Some(&[4, 100]), "r: passed (5 rows, 4 before)");
    check_around(
        rule,
        Some(&[3]),
        "r: failed (error): the number of rows changed by 66.66 percent, must be between -50 and 25 percent (5 rows, 3 before)",
    );
    check_around(rule, Some(&[]), "r: passed (5 rows, the first version)");
    check_around(
        rule,
        Some(&[0]),
        "r: failed (error): there were no rows before (5 rows, 0 before)",
    );
    check_around(
        rule,
        None,
        "r: could not run (error): there are no earlier versions: only a dataset of the lake has them",
    );
    check_around(
        "type: row_count_change, unit: rows, versions: 2, must_be_less_than: -1",
        Some(&[4, 9, 1000]),
        "r: passed (5 rows, 6 before on an average of 2 versions)",
    );
}

#[test]
fn what_tells_about_a_person_is_not_told() {
    let yaml = "
schema: { columns: [{ name: id, type: INTEGER }, { name: age, type: INTEGER, pii: true }] }
quality_rules:
  - { name: oldest, type: aggregate, function: max, column: age, must_be_less_than: 50 }
  - { name: how_many, type: aggregate, function: distinct_count, column: age, must_be: 3 }
  - { name: listed, type: failed_rows, query: 'SELECT id, age, age + 1 AS next FROM {dataset}' }
";
    let all = verdicts(
        &Bench::new(),
        &contract(yaml),
        "SELECT 1 AS id, unnest([42, 87]) AS age",
    )
    .unwrap();
    let text = told(&all[1..]);
    assert!(
        !serde_json::to_string(&all).unwrap().contains("87"),
        "{text}"
    );
    assert_eq!(
        text,
        "oldest: failed (error): the max of `age` is ‹masked›, must be less than 50 (the max of `age` is ‹masked›)\n\
         how_many: failed (error): the distinct count of `age` is 2, must be 3 (the distinct count of `age` is 2)\n\
         listed: failed (error): 2 rows: the query returns rows where there should be none (2 rows)\n  \
         id 1, age ‹masked, 2 characters›, next ‹masked, 2 characters›\n  \
         id 1, age ‹masked, 2 characters›, next ‹masked, 2 characters›"
    );
}

#[test]
fn the_order_of_columns_and_single_extra_ones() {
    super::check(
        "schema: { ordered: true, exact: true, extra_columns: [note], columns: [{ name: a, type: INTEGER }, { name: b, type: INTEGER }] }",
        "SELECT 1 AS b, 2 AS a, 'x' AS note, 3 AS c",
        "
        c_expected: failed (error): the contract has no column `c`, which is INTEGER in the data (an extra column)
        column_order: failed (error): `b` stands before `a`, the contract has it behind (4 columns)
        ",
    );
    super::check(
        "schema: { primary_key: [a, b], unique_keys: [[b, c]], columns: [{ name: a, type: INTEGER }, { name: b, type: INTEGER }, { name: c, type: INTEGER }] }",
        "SELECT * FROM (VALUES (1, 1, 1), (1, 1, 2), (2, NULL, 3)) t(a, b, c)",
        "
        schema: passed (3 columns)
        primary_key_not_null: failed (error): 1 row: `a` or `b` is NULL (3 rows)
          a 2, b NULL
        primary_key_unique: failed (error): 2 rows: 1 combination of `a`, `b` occurs more than once (3 rows, 1 row with NULL left aside)
          a 1, b 1, rows 2
        b_c_unique: passed (3 rows, 1 row with NULL left aside)
        ",
    );
}
