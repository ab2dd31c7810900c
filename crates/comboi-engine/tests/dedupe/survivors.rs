//! Which rows and which values are kept.

use super::Bench;

const ROWS: &str = "SELECT * FROM (VALUES
    (1, 'a@x', 'Ann',      NULL,  DATE '2024-01-01', 'crm', 10),
    (2, 'a@x', 'Ann Lee',  '111', DATE '2024-03-01', 'web', 30),
    (3, 'a@x', 'A. Lee',   '222', DATE '2024-02-01', 'sap', 20),
    (4, 'a@x', 'Ann Lee',  NULL,  NULL,              'old', 20),
    (5, 'b@x', 'Bob',      '333', DATE '2024-01-01', 'crm', 5)) t(id, email, name, phone, updated_at, src, points)";

#[track_caller]
fn check(output: &str, expected: &str) {
    let mut bench = Bench::new();
    let dedupe = format!("unique_id: id\nkeys: [email]\nsource: src\noutput: {output}");
    let done = bench.run(&dedupe, ROWS).unwrap_or_else(|e| panic!("{e}"));
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    assert_eq!(bench.read(&done.built), expected.join("\n"));
}

/// Only the ids of the rows that survive, by the rules in this order.
#[track_caller]
fn check_row(rules: &str, id: &str) {
    let mut bench = Bench::new();
    let dedupe =
        format!("unique_id: id\nkeys: [email]\nsource: src\noutput: {{survivor: {rules}}}");
    let done = bench.run(&dedupe, ROWS).unwrap();
    let shown = bench.read(&done.built);
    let ids: Vec<&str> = shown
        .lines()
        .skip(1)
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(ids, [id, "5"], "{rules}");
}

#[test]
fn one_row_of_each_cluster_survives_as_it_came() {
    check(
        "{}",
        "id | email | name | phone | updated_at | src | points | cluster_id | cluster_size
         2 | a@x | Ann Lee | 111 | 2024-03-01 | web | 30 | 1 | 4
         5 | b@x | Bob | 333 | 2024-01-01 | crm | 5 | 5 | 1",
    );
}

#[test]
fn rules_decide_one_after_the_other() {
    check_row("[latest: updated_at]", "2");
    check_row("[earliest: updated_at]", "1");
    check_row("[max: points]", "2");
    check_row("[min: points]", "1");
    check_row("[longest: name]", "2");
    check_row("[source_priority: [sap, crm]]", "3");
    check_row("[source_priority: [none]]", "1");
    check_row("[most_complete]", "2");
    check_row("[first]", "1");
    check_row("[longest: name, min: points]", "4");
    check_row("[first, max: points]", "1");
    // What only an unlisted source and a row without a value could win.
    check_row("[source_priority: [old, none]]", "4");
}

/// Names that statements of comboi's own use as well.
#[test]
fn columns_may_be_called_anything() {
    let rows = "SELECT * FROM (VALUES
        (1, 'a', 7, 'x', 1, 2, 3), (2, 'a', 8, 'y', 4, 5, 6), (3, 'a', 8, 'y', 7, 8, 9)) t(uid, c, size, r, n2, first, v3)";
    let check = |output: &str, expected: &str| {
        let mut bench = Bench::new();
        let dedupe = format!("unique_id: uid\nkeys: [c]\noutput: {output}");
        let done = bench.run(&dedupe, rows).unwrap();
        assert_eq!(bench.read(&done.built), expected, "{output}");
    };
    check(
        "{keep: survivor, survivor: [max: first]}",
        "uid | c | size | r | n2 | first | v3 | cluster_id | cluster_size\n3 | a | 8 | y | 7 | 8 | 9 | 1 | 3",
    );
    check(
        "{keep: golden, survivor: [first], golden: {default: most_frequent}}",
        "uid | c | size | r | n2 | first | v3 | cluster_id | cluster_size | merged_ids\n1 | a | 8 | y | 1 | 2 | 3 | 1 | 3 | [1, 2, 3]",
    );
}

#[test]
fn all_rows_can_be_kept_with_their_cluster() {
    check(
        "{keep: all, survivor: [source_priority: [sap]]}",
        "id | email | name | phone | updated_at | src | points | cluster_id | cluster_size | is_survivor
         1 | a@x | Ann | - | 2024-01-01 | crm | 10 | 1 | 4 | false
         2 | a@x | Ann Lee | 111 | 2024-03-01 | web | 30 | 1 | 4 | false
         3 | a@x | A. Lee | 222 | 2024-02-01 | sap | 20 | 1 | 4 | true
         4 | a@x | Ann Lee | - | - | old | 20 | 1 | 4 | false
         5 | b@x | Bob | 333 | 2024-01-01 | crm | 5 | 5 | 1 | true",
    );
}

#[test]
fn a_golden_record_has_the_survivors_values_and_nothing_of_a_null() {
    check(
        "{keep: golden, survivor: [first]}",
        "id | email | name | phone | updated_at | src | points | cluster_id | cluster_size | merged_ids
         1 | a@x | Ann | 111 | 2024-01-01 | crm | 10 | 1 | 4 | [1, 2, 3, 4]
         5 | b@x | Bob | 333 | 2024-01-01 | crm | 5 | 5 | 1 | [5]",
    );
}

/// The record of the four rows, its columns chosen by these rules.
#[track_caller]
fn check_golden(rules: &str, record: &str) {
    let mut bench = Bench::new();
    let dedupe = format!(
        "unique_id: id\nkeys: [email]\nsource: src\noutput: {{keep: golden, survivor: [min: updated_at], golden: {rules}}}"
    );
    let done = bench.run(&dedupe, ROWS).unwrap();
    let shown = bench.read(&done.built);
    let line = shown.lines().nth(1).unwrap();
    let cells: Vec<&str> = line.split(" | ").take(7).collect();
    assert_eq!(cells.join(" | "), record, "{rules}");
}

#[test]
fn every_rule_picks_its_value() {
    check_golden(
        "{default: latest}",
        "1 | a@x | Ann Lee | 111 | 2024-03-01 | web | 30",
    );
    check_golden(
        "{default: earliest}",
        "1 | a@x | Ann | 222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{phone: {latest: points}}",
        "1 | a@x | Ann | 111 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{name: most_frequent}",
        "1 | a@x | Ann Lee | 222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{points: most_frequent}",
        "1 | a@x | Ann | 222 | 2024-01-01 | crm | 20",
    );
    check_golden(
        "{name: longest}",
        "1 | a@x | Ann Lee | 222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{default: most_complete}",
        "1 | a@x | Ann Lee | 111 | 2024-03-01 | web | 30",
    );
    check_golden(
        "{phone: {source_priority: [crm, sap]}}",
        "1 | a@x | Ann | 222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{points: max, phone: min}",
        "1 | a@x | Ann | 111 | 2024-01-01 | crm | 30",
    );
    check_golden(
        "{name: concat}",
        "1 | a@x | A. Lee, Ann, Ann Lee | 222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{phone: {concat: /}}",
        "1 | a@x | Ann | 111/222 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{phone: first}",
        "1 | a@x | Ann | 111 | 2024-01-01 | crm | 10",
    );
    check_golden(
        "{default: first, name: survivor}",
        "1 | a@x | Ann | 111 | 2024-01-01 | crm | 10",
    );
}

/// Types that the lake keeps in another form, and names that SQL has words for.
#[test]
fn values_of_every_type_come_through() {
    let mut bench = Bench::new();
    let done = bench
        .run(
            "unique_id: id\nkeys: [\"order\"]\noutput: {keep: golden, golden: {default: most_frequent}}",
            "SELECT uuid AS id, 1 AS \"order\", TIMESTAMP '2024-05-01 10:00:00.5' AS ts, [1, 2] AS list, {'a': DATE '2024-01-01'} AS s, 170141183460469231731::HUGEINT AS big
             FROM (VALUES (UUID '00000000-0000-0000-0000-00000000000b'), (UUID '00000000-0000-0000-0000-00000000000a')) t(uuid)",
        )
        .unwrap();
    assert_eq!(
        bench.read(&done.built),
        "id | order | ts | list | s | big | cluster_id | cluster_size | merged_ids\n\
         00000000-0000-0000-0000-00000000000a | 1 | 2024-05-01 10:00:00.5 | [1, 2] | {'a': 2024-01-01} | 170141183460469231731 | \
         00000000-0000-0000-0000-00000000000a | 2 | [00000000-0000-0000-0000-00000000000a, 00000000-0000-0000-0000-00000000000b]"
    );
}
