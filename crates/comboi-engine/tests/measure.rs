//! Rows in SQL go in; the contract that was inferred from them comes out, and they keep it.

use comboi_contract::About;
use comboi_engine::{Input, Verdict};
use comboi_project::Stage;

use crate::build::Bench;
use crate::check::{contract, now, told};

/// The contract's lines below `columns:`, after these rows were held to all of it.
fn inferred(rows: &str) -> String {
    let bench = Bench::new();
    let (columns, files) = bench.stage("staged", rows);
    let input = Input {
        alias: "x",
        columns: &columns,
        files: &files,
    };
    let facts = comboi_engine::measure(&bench.session, &input, now()).unwrap();
    let about = About {
        dataset: "shop".to_owned(),
        stage: Stage::Silver,
        owner: "us".to_owned(),
        description: None,
        source: "rows".to_owned(),
    };
    let text = comboi_contract::infer(&facts, &about);
    let (_, below) = text.split_once("dataset: shop\n").unwrap();
    let contract = contract(below);
    let verdicts = comboi_engine::check(
        &bench.session,
        &contract,
        &input,
        &comboi_engine::Around::at(now()),
    )
    .unwrap();
    assert!(
        verdicts.iter().all(Verdict::passed),
        "{rows}\n{text}\n{}",
        told(&verdicts)
    );
    let (_, columns) = text.split_once("columns:\n").unwrap();
    columns.to_owned()
}

fn check(rows: &str, parts: &[&str]) {
    let text = inferred(rows);
    for part in parts {
        match part.strip_prefix("no ") {
            Some(part) => assert!(!text.contains(part), "{part}\n{text}"),
            None => assert!(text.contains(part), "{part}\n{text}"),
        }
    }
}

#[test]
fn rows_keep_the_contract_that_is_inferred_from_them() {
    check(
        "SELECT i AS id, 'O-' || lpad(i::VARCHAR, 6, '0') AS order_no, (i % 3)::VARCHAR || 'x' AS size,
                (i * 1.5)::DECIMAL(10,2) AS amount, TIMESTAMP '2026-05-01 10:00:00' - to_minutes(i) AS updated_at
         FROM range(500) AS t(i)",
        &[
            "name: id\n      type: BIGINT\n      nullable: false  # none of 500 rows is NULL",
            "unique: true  # a different value in each of 500 rows",
            "pattern: \"^O-[0-9]{6}$\"  # all 500 values look like this",
            "allowed_values: [\"0x\", \"1x\", \"2x\"]",
            "min_value: 0  # 500 values, from 0.00 to 748.50",
            "max_age_hours: 24  # its newest value is 3 hours old",
        ],
    );
}

#[test]
fn awkward_values_keep_it_too() {
    check(
        "SELECT * FROM (VALUES
            (1, 'NaN'::DOUBLE, 'infinity'::DOUBLE, '', [1], DATE '0001-01-01', 'a''b\"\\', true, '\\xAA'::BLOB, UUID '00000000-0000-0000-0000-000000000001', INTERVAL 1 DAY),
            (2, -0.0, 1, NULL, NULL, DATE '9999-12-31', '{{env:HOME}}', NULL, NULL, NULL, NULL),
            (2, NULL, NULL, 'é', [], NULL, 'Größe: 5 # x', false, ''::BLOB, UUID '00000000-0000-0000-0000-000000000002', INTERVAL 2 DAY)
         ) AS t(\"weird:#1\", nan, inf, t, l, d, q, b, blob, u, iv)",
        &["name: \"weird:#1\"", "type: INTEGER[]"],
    );
    check(
        "SELECT NULL::VARCHAR AS a, NULL::TIMESTAMP AS at FROM range(3)",
        &["3 of 3 rows are NULL"],
    );
    check(
        "SELECT 1 AS id, 'x' AS b WHERE false",
        &["there are no rows to tell by"],
    );
}

#[test]
fn many_values_that_stand_for_kinds_are_listed_whatever_is_in_them() {
    check(
        "SELECT i AS id, ['no', 'true', '1', 'a: b', 'it''s', 'x, y', 'null', '~', '- z'][1 + i % 9] AS kind FROM range(90) AS t(i)",
        &[
            "allowed_values: [\"- z\", \"1\", \"a: b\", it's, \"no\", \"null\", \"true\", \"x, y\", \"~\"]",
        ],
    );
}

#[test]
fn several_columns_are_the_key_where_none_alone_is() {
    check(
        "SELECT i // 3 AS order_id, i % 3 AS line, 7 AS amount FROM range(300) AS t(i)",
        &[
            "columns: [order_id, line]",
            "[order_id, line] do, in 300 rows",
            "no unique: true",
        ],
    );
}

#[test]
fn people_are_suspected_by_name_and_by_value_and_not_quoted() {
    check(
        "SELECT i AS id, 'ada' || i || '@example.com' AS contact, 'Ada' AS first_name, '10.0.0.' || (i % 250) AS host FROM range(100) AS t(i)",
        &[
            "pii: true  # suspected: 100 of 100 values look like e-mail addresses",
            "pii: true  # suspected: it is called like names of people",
            "pii_columns: [contact, first_name, host]",
            "no Ada",
            "no ada",
        ],
    );
}

#[test]
fn what_is_too_old_is_promised_nothing() {
    check(
        "SELECT i AS id, TIMESTAMP '2001-01-01' AS updated_at FROM range(30) AS t(i)",
        &["so no age is promised", "#   max_age_hours: 24"],
    );
    check(
        "SELECT i AS id, TIMESTAMP '2101-01-01' AS updated_at FROM range(30) AS t(i)",
        &["no sla:"],
    );
}
