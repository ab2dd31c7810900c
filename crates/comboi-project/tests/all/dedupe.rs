//! What can be seen to be wrong with a deduplication before its query is known.

use crate::check;

/// The keys under `dedupe:`, which stand from line 4 on, 7 characters in.
#[track_caller]
fn check_dedupe(dedupe: &str, expected: &str) {
    check_with_contract(dedupe, "", expected);
}

#[track_caller]
fn check_with_contract(dedupe: &str, columns: &str, expected: &str) {
    let lines: String = dedupe
        .trim()
        .lines()
        .map(|line| format!("      {}\n", line.trim()))
        .collect();
    let checks = if columns.is_empty() {
        String::new()
    } else {
        "    quality_checks: [contract:people]\n".to_owned()
    };
    let contract = if columns.is_empty() {
        String::new()
    } else {
        format!(
            "== transformations/contracts/people.yml\ndataset: people\nschema:\n  columns: {columns}\n"
        )
    };
    check(
        &format!(
            "== configs/p.yml\nname: p\n== configs/transformations.yml\nsilver:\n  - name: people\n    dedupe:\n{lines}{checks}== transformations/sql/people.sql\nSELECT 1 AS id\n{contract}"
        ),
        expected,
    );
}

#[test]
fn a_deduplication_without_mistakes_has_none() {
    check_dedupe(
        "unique_id: id
         keys: [email, [name, born], \"substr(postcode, 1, 4), lower(name)\"]
         source: origin
         max_cluster_size: 20
         on_large_cluster: warn
         incremental: true
         output: {keep: golden, survivor: [latest: at, {source_priority: [sap, crm]}, most_complete], golden: {default: latest, name: longest, phone: {concat: /}, vat: {source_priority: [sap]}, at: {earliest: at}}}",
        "no problem",
    );
}

#[test]
fn all_mistakes_are_found_at_once() {
    check_dedupe(
        "kyes: [email]
         max_cluster_size: 1
         output: {keep: most, survivor: [lastest: at, latest, first: x, {latest: a, min: b}], golden: {name: latest, b: {max: x}, c: {source_priority: []}, d: source_priority}}",
        "configs/transformations.yml:4:7 `dedupe` says not which rows are the same thing (name what they share, such as `keys: [email, [surname, birth_date]]`)
         configs/transformations.yml:4:7 nothing tells the rows apart before they are deduplicated (name a column that is never NULL and never there twice: `unique_id: <column>`)
         configs/transformations.yml:4:7 unknown key `kyes` (did you mean `keys`?)
         configs/transformations.yml:5:25 no two rows could be one thing (a cluster has two rows at least)
         configs/transformations.yml:6:22 expected `survivor`, `golden`, `all`, found `most`
         configs/transformations.yml:6:39 there is no rule `lastest` (did you mean `latest`?)
         configs/transformations.yml:6:52 `latest` needs a column (write `latest: <column>`)
         configs/transformations.yml:6:67 `first` takes nothing (write `first` alone)
         configs/transformations.yml:6:70 a rule has one key (such as `latest: updated_at`; begin a new line with `-` for another rule)
         configs/transformations.yml:6:101 `golden` says nothing where `keep` is `survivor` (write `keep: golden`, or take the rules away)
         configs/transformations.yml:6:107 nothing says by which column the rows of `name` are the latest (name it: `latest: updated_at`)
         configs/transformations.yml:6:124 `max` takes nothing (write `max` alone)
         configs/transformations.yml:6:149 the list is empty: one source at least is needed
         configs/transformations.yml:6:157 `source_priority` needs the sources (write `source_priority: [sap, crm]`, the best first)",
    );
}

#[test]
fn rules_that_have_nothing_to_go_by_are_mistakes() {
    check_dedupe(
        "unique_id: id
         keys: [email]
         output: {golden: {name: latest}, survivor: [source_priority: [a]]}",
        "configs/transformations.yml:6:25 `golden` says nothing where `keep` is `survivor` (write `keep: golden`, or take the rules away)
         configs/transformations.yml:6:31 nothing says by which column the rows of `name` are the latest (name it: `latest: updated_at`)
         configs/transformations.yml:6:51 nothing says which source a row is from (name the column: `source: <column>` in `dedupe`)",
    );
}

#[test]
fn a_key_has_parts() {
    check_dedupe(
        "unique_id: id
         keys: [\"\", \"a,,b\", [], [a, [b]]]",
        "configs/transformations.yml:5:14 a part of the key is empty (write columns or expressions with one comma between them)
         configs/transformations.yml:5:18 a part of the key is empty (write columns or expressions with one comma between them)
         configs/transformations.yml:5:26 the key is empty (name a column, or several: `[surname, dob]`)
         configs/transformations.yml:5:34 expected a text, found a list",
    );
}

const NOTHING: &str = "configs/transformations.yml:4:7 nothing tells the rows apart before they are deduplicated (name a column that is never NULL and never there twice: `unique_id: <column>`)";

#[test]
fn the_contract_may_say_what_tells_rows_apart() {
    let key = "{name: id, type: BIGINT, nullable: false, constraints: [{unique: true}]}";
    let other = "{name: code, type: BIGINT, constraints: [{unique: true}, {not_null: true}]}";
    let loose = "{name: mail, type: VARCHAR, constraints: [{unique: true}]}";
    check_with_contract("keys: [email]", &format!("[{key}, {loose}]"), "no problem");
    check_with_contract("keys: [email]", &format!("[{key}, {other}]"), NOTHING);
    check_with_contract("keys: [email]", &format!("[{loose}]"), NOTHING);
}

#[test]
fn names_of_what_is_kept_beside_a_dataset_are_taken() {
    check(
        "== configs/p.yml
         name: p
         == configs/transformations.yml
         silver: [{name: people__clusters}]
         == transformations/sql/people__clusters.sql
         SELECT 1 AS id",
        "configs/transformations.yml:1:26 `people__clusters` is the name of what is kept beside a dataset that is deduplicated (choose a name that does not end in `__clusters`)",
    );
}
