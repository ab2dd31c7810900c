//! Which rows are the same thing by exact keys.

use super::Bench;

#[track_caller]
fn check(dedupe: &str, rows: &str, expected: &str) {
    let mut bench = Bench::new();
    bench
        .run(
            &format!("unique_id: id\n{dedupe}"),
            &format!("SELECT * FROM (VALUES {rows}) t(id, email, name, born)"),
        )
        .unwrap();
    assert_eq!(bench.clusters(), expected);
}

#[test]
fn rows_that_agree_in_a_key_are_one() {
    check(
        "keys: [email]",
        "(1, 'a@x', 'Ann', 1990), (2, 'b@x', 'Bob', 1991), (3, 'a@x', 'Anna', NULL)",
        "1:1 2:2 3:1",
    );
}

#[test]
fn keys_connect_across_each_other() {
    check(
        "keys: [email, [name, born]]",
        "(4, 'a@x', 'Ann', 1990), (3, 'b@x', 'Ann', 1990), (2, 'b@x', 'Bob', 1991), (1, 'c@x', 'Ann', 1991)",
        "1:1 2:2 3:2 4:2",
    );
}

#[test]
fn nothing_and_blanks_connect_nobody() {
    check(
        "keys: [email, \"name, born\"]",
        "(1, NULL, 'Ann', 1990), (2, NULL, 'Ann', NULL), (3, '', 'Ann', NULL), (4, ' ', NULL, 1990), (5, '', NULL, 1990)",
        "1:1 2:2 3:3 4:4 5:5",
    );
}

/// As the contracts' `not_empty` has it: a text is blank if it has nothing but white space and characters that show nothing.
#[test]
fn white_space_of_any_kind_connects_nobody() {
    for code in [9, 10, 13, 160, 8203, 12288, 65279] {
        let blank = format!("chr({code})");
        check(
            "keys: [email]",
            &format!(
                "(1, {blank}, 'Ann', 1), (2, {blank}, 'Bob', 1), (3, ' ' || {blank}, 'Cy', 1), (4, 'a' || {blank}, 'Di', 1), (5, 'a' || {blank}, 'Ed', 1)"
            ),
            "1:1 2:2 3:3 4:4 5:4",
        );
        check(
            "keys: [\"substr(email, 2)\"]",
            &format!("(1, 'a' || {blank}, 'Ann', 1), (2, 'b' || {blank}, 'Bob', 1)"),
            "1:1 2:2",
        );
    }
}

#[test]
fn a_key_may_be_an_expression() {
    check(
        "keys: [\"lower(email), born // 10\"]",
        "(1, 'A@x', 'Ann', 1990), (2, 'a@X', 'Ann', 1995), (3, 'a@x', 'Ann', 1989)",
        "1:1 2:1 3:3",
    );
}

#[test]
fn an_empty_dataset_and_a_single_row_are_no_mistake() {
    check("keys: [email]", "(1, 'a@x', 'Ann', 1990)", "1:1");
    let mut bench = Bench::new();
    let none = "SELECT 1 AS id, 'a' AS email WHERE false";
    let done = bench.run("unique_id: id\nkeys: [email]", none).unwrap();
    assert_eq!(
        bench.read(&done.built),
        "id | email | cluster_id | cluster_size"
    );
    assert_eq!(
        (done.report.cluster_count, done.report.largest_cluster_rows),
        (0, 0)
    );
}

#[test]
fn the_report_says_what_each_key_found() {
    let mut bench = Bench::new();
    let done = bench.run(
        "unique_id: id\nkeys: [email, [name, born]]",
        "SELECT * FROM (VALUES (1, 'a@x', 'Ann', 1990), (2, 'a@x', 'Ann', 1990), (3, 'a@x', 'Bob', 1990), (4, 'c@x', 'Bob', 1990)) t(id, email, name, born)",
    );
    let report = serde_json::to_string(&done.unwrap().report).unwrap();
    assert_eq!(
        report,
        r#"{"row_count":4,"cluster_count":1,"largest_cluster_rows":4,"keys":[{"key":"email","shared_values":1,"rows":3,"most_rows":3},{"key":"name, born","shared_values":2,"rows":4,"most_rows":2}],"merged_clusters":0,"split_clusters":0}"#
    );
}

/// Many rows, so that what is done in batches is done in several, with the clusters known from arithmetic.
#[test]
fn many_rows_come_together_as_they_should() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            "unique_id: id\nkeys: [a, b]",
            // Rows 4k..4k+3 are one: 4k and 4k+1 by a, 4k+2 and 4k+3 by a, 4k+1 and 4k+2 by b.
            "SELECT i AS id, i // 2 AS a, CASE WHEN i % 4 IN (1, 2) THEN i // 4 END AS b FROM range(300000) t(i)",
        )
        .unwrap();
    let report = &done.report;
    assert_eq!(
        (
            report.row_count,
            report.cluster_count,
            report.largest_cluster_rows
        ),
        (300_000, 75_000, 4)
    );
    assert_eq!(done.built.row_count, 75_000);
}
