//! Columns and their types.

use super::{check, check_contract, contract};

#[test]
fn columns_as_promised_are_one_verdict() {
    check(
        "schema: { columns: [{ name: ID, type: int8 }, { name: 'Straße\"1\"', type: 'VARCHAR[]' }] }",
        "SELECT ['a'] AS \"Straße\"\"1\"\"\", 1::BIGINT AS id",
        "schema: passed (2 columns)",
    );
}

#[test]
fn each_column_that_differs_is_a_verdict() {
    check(
        "
schema:
  columns:
    - { name: customer_id, type: VARCHAR }
    - { name: amount, type: 'DECIMAL(10,2)' }
    - { name: tags, type: 'STRUCT(a INTEGER, b VARCHAR[])[]' }
    - { name: placed_at, type: TIMESTAMP }
",
        "SELECT 'x' AS customerid, 1.5::DECIMAL(12,2) AS amount, [{'a': 1, 'b': ['x']}] AS tags, TIMESTAMPTZ '2026-01-01' AS placed_at, 1 AS extra",
        "
        customer_id_present: failed (error): the data has no column `customer_id`; did you mean `customerid`? (5 columns)
        amount_type: failed (error): `amount` is DECIMAL(12,2), not DECIMAL(10,2) (5 columns)
        placed_at_type: failed (error): `placed_at` is TIMESTAMP WITH TIME ZONE, not TIMESTAMP (5 columns)
        customerid_expected: failed (warning): the contract has no column `customerid`, which is VARCHAR in the data (an extra column)
        extra_expected: failed (warning): the contract has no column `extra`, which is INTEGER in the data (an extra column)
        ",
    );
}

#[test]
fn nested_types_are_compared_inside() {
    check(
        "schema: { columns: [{ name: s, type: 'STRUCT(a INTEGER, b MAP(VARCHAR, DECIMAL(9,2)))' }] }",
        "SELECT {'A': 1, 'b': MAP {'k': 1.25::DECIMAL(9,3)}} AS s",
        "s_type: failed (error): `s` is STRUCT(A INTEGER, b MAP(VARCHAR, DECIMAL(9,3))), not STRUCT(a INTEGER, b MAP(VARCHAR, DECIMAL(9,2))) (1 column)",
    );
    check(
        "schema: { columns: [{ name: s, type: 'STRUCT(a INTEGER, b VARCHAR[])[]' }] }",
        "SELECT [{'A': 1, 'B': ['x']}] AS s",
        "schema: passed (1 column)",
    );
}

#[test]
fn fields_and_lengths_are_part_of_a_type() {
    check(
        "schema: { columns: [{ name: s, type: 'STRUCT(a INTEGER)' }, { name: v, type: 'INTEGER[3]' }] }",
        "SELECT {'b': 1} AS s, [1, 2]::INTEGER[2] AS v",
        "
        s_type: failed (error): `s` is STRUCT(b INTEGER), not STRUCT(a INTEGER) (2 columns)
        v_type: failed (error): `v` is INTEGER[2], not INTEGER[3] (2 columns)
        ",
    );
}

#[test]
fn extra_columns_may_be_welcome_and_comboi_s_own_always_are() {
    check(
        "schema: { allow_extra_columns: true, columns: [{ name: id, type: INTEGER }] }",
        "SELECT 1 AS id, 2 AS other",
        "schema: passed (2 columns)",
    );
    check(
        "schema: { columns: [{ name: id, type: INTEGER }] }",
        "SELECT 1 AS id, 2::BIGINT AS _comboi_run_id",
        "schema: passed (2 columns)",
    );
}

#[test]
fn the_length_of_a_text_type_is_held_to() {
    check(
        "schema: { columns: [{ name: code, type: 'VARCHAR(3)' }] }",
        "SELECT unnest(['abc', 'äöü', 'abcd', NULL]) AS code",
        "
        schema: passed (1 column)
        code_length: failed (error): 1 row: `code` has more than 3 characters (4 rows)
          row 3, code abcd
        ",
    );
}

#[test]
fn rules_on_a_missing_column_can_not_run_and_hide_nothing() {
    let mut contract = contract(
        "
schema:
  columns:
    - { name: id, type: INTEGER, constraints: { unique: true } }
    - { name: gone, type: TIMESTAMP, nullable: false, constraints: { min_value: '2026-01-01' } }
sla: { freshness: { max_age_hours: 1, column: gone } }
",
    );
    contract.quality_rules.clear();
    check_contract(
        &contract,
        "SELECT 1 AS id",
        "
        gone_present: failed (error): the data has no column `gone` (1 column)
        id_unique: passed (1 row)
        gone_not_null: could not run (error): the data has no column `gone`
        gone_min_value: could not run (error): the data has no column `gone`
        sla_freshness: could not run (error): the data has no column `gone`
        ",
    );
}
