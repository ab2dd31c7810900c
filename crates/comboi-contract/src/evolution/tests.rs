use std::sync::Arc;

use comboi_project::NamedContract;

use super::*;

fn contract(version: &str, columns: &[&str], rest: &str) -> Arc<Contract> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.yml");
    let columns: Vec<String> = columns
        .iter()
        .map(|column| format!("    - {{ {column} }}\n"))
        .collect();
    let yaml = format!(
        "version: \"{version}\"\ndataset: shop\nschema:\n  columns:\n{}{rest}",
        columns.concat()
    );
    std::fs::write(&path, &yaml).unwrap();
    NamedContract::load(&path, &|_| None)
        .unwrap_or_else(|problems| panic!("{problems}\n{yaml}"))
        .contract
}

/// A line for each change: `major` or `minor`, and what it is.
fn between(old: &Contract, new: &Contract) -> Vec<String> {
    let found = difference(&Promise::of(old), &Promise::of(new), &Policy::of(new));
    found
        .changes
        .iter()
        .map(|change| format!("{} {}", change.demands, change.what))
        .collect()
}

const BEFORE: [&str; 3] = [
    "name: id, type: BIGINT, nullable: false, constraints: { unique: true }",
    "name: kind, type: VARCHAR(20), constraints: { allowed_values: [a, b] }",
    "name: amount, type: 'DECIMAL(10,2)', constraints: { min_value: 0 }",
];

fn check(at: usize, column: &str, evolution: &str, expected: &[&str]) {
    let mut columns = BEFORE.to_vec();
    if column.is_empty() {
        columns.remove(at);
    } else if at < columns.len() {
        columns[at] = column;
    } else {
        columns.push(column);
    }
    let old = contract("1.0.0", &BEFORE, "");
    let new = contract("1.0.0", &columns, evolution);
    assert_eq!(between(&old, &new), expected, "{column} {evolution}");
}

#[test]
fn nothing_changed_is_nothing() {
    check(0, BEFORE[0], "", &[]);
}

#[test]
fn who_knows_the_old_version_must_be_able_to_read_the_new_data() {
    check(1, "", "", &["major column `kind` is gone"]);
    check(
        3,
        "name: note, type: VARCHAR",
        "",
        &["minor column `note` (VARCHAR) is new"],
    );
    check(
        3,
        "name: note, type: VARCHAR, nullable: false",
        "",
        &["minor column `note` (VARCHAR) is new"],
    );
    check(
        0,
        "name: id, type: HUGEINT, nullable: false, constraints: { unique: true }",
        "",
        &["major `id` is HUGEINT (wider), no longer BIGINT"],
    );
    check(
        0,
        "name: id, type: INTEGER, nullable: false, constraints: { unique: true }",
        "",
        &["minor `id` is INTEGER (narrower), no longer BIGINT"],
    );
    check(
        0,
        "name: id, type: VARCHAR, nullable: false, constraints: { unique: true }",
        "",
        &["major `id` is VARCHAR, no longer BIGINT"],
    );
    check(
        0,
        "name: id, type: BIGINT, constraints: { unique: true }",
        "",
        &["major `id` may be NULL now"],
    );
    check(
        0,
        "name: id, type: BIGINT, nullable: false",
        "",
        &["major rule `id_unique` is gone, or no longer an error"],
    );
    check(
        1,
        "name: kind, type: VARCHAR(20), constraints: { allowed_values: [a, b, c] }",
        "",
        &["major rule `kind_allowed_values` has now c"],
    );
    check(
        1,
        "name: kind, type: VARCHAR(20), constraints: { allowed_values: [b] }",
        "",
        &["minor rule `kind_allowed_values` has no longer a"],
    );
    check(
        2,
        "name: amount, type: 'DECIMAL(10,2)', constraints: { min_value: -5 }",
        "",
        &["major rule `amount_min_value` is -5, no longer 0"],
    );
    check(
        2,
        "name: amount, type: 'DECIMAL(10,2)', constraints: { min_value: 10 }",
        "",
        &["minor rule `amount_min_value` is 10, no longer 0"],
    );
    check(
        2,
        "name: amount, type: 'DECIMAL(10,2)', severity: warning, constraints: { min_value: 0 }",
        "",
        &["major rule `amount_min_value` is gone, or no longer an error"],
    );
    check(
        2,
        "name: amount, type: 'DECIMAL(10,2)', deprecated: true, constraints: { min_value: 0 }",
        "",
        &["minor `amount` is deprecated"],
    );
    check(
        2,
        "name: amount, type: 'DECIMAL(10,2)', description: x, constraints: { min_value: 0 }",
        "",
        &["patch descriptions, owner or tags are others"],
    );
}

#[test]
fn the_contract_says_who_has_to_keep_working() {
    let removed = "evolution: { compatibility: backward }\n";
    check(1, "", removed, &["minor column `kind` is gone"]);
    check(
        3,
        "name: note, type: VARCHAR, nullable: false",
        removed,
        &["major column `note` (VARCHAR) is new"],
    );
    check(
        1,
        "",
        "evolution: { compatibility: none }\n",
        &["minor column `kind` is gone"],
    );
    check(
        1,
        "",
        "evolution: { allow_column_removal: true }\n",
        &["minor column `kind` is gone"],
    );
    check(
        3,
        "name: note, type: VARCHAR",
        "evolution: { allow_new_columns: false }\n",
        &["major column `note` (VARCHAR) is new"],
    );
    check(
        0,
        "name: id, type: VARCHAR, nullable: false, constraints: { unique: true }",
        "evolution: { allow_type_changes: true }\n",
        &["minor `id` is VARCHAR, no longer BIGINT"],
    );
    check(
        0,
        "name: id, type: HUGEINT, nullable: false, constraints: { unique: true }",
        "evolution: { compatibility: full }\n",
        &["major `id` is HUGEINT (wider), no longer BIGINT"],
    );
}

fn told(old: &str, new: &str, columns: &[&str], mode: EvolutionMode) -> bool {
    let old = contract(old, &BEFORE, "");
    let new = contract(new, columns, "");
    difference(&Promise::of(&old), &Promise::of(&new), &Policy::of(&new)).is_told(mode)
}

#[test]
fn a_version_says_what_changed() {
    use EvolutionMode::*;
    let removed = &BEFORE[..2];
    let added = [&BEFORE[..], &["name: note, type: VARCHAR"]].concat();
    for (old, new, columns, mode, expected) in [
        ("1.0.0", "1.0.0", removed, Lenient, false),
        ("1.0.0", "1.9.9", removed, Lenient, false),
        ("1.0.0", "2.0.0", removed, Lenient, true),
        ("1.4.0", "1.3.0", removed, Lenient, false),
        ("0.3.0", "0.4.0", removed, Lenient, true),
        ("0.3.0", "0.3.1", removed, Lenient, false),
        ("1.0.0", "1.0.0", &added[..], Lenient, true),
        ("1.0.0", "1.0.0", &added[..], Auto, true),
        ("1.0.0", "1.0.0", &added[..], Strict, false),
        ("1.0.0", "1.0.1", &added[..], Strict, false),
        ("1.0.0", "1.1.0", &added[..], Strict, true),
        ("1.0.0", "1.0.0", &BEFORE[..], Strict, true),
    ] {
        assert_eq!(
            told(old, new, columns, mode),
            expected,
            "{old} {new} {columns:?} {mode}"
        );
    }
}

#[test]
fn a_promise_comes_back_from_its_text() {
    let contract = contract(
        "1.0.0",
        &BEFORE,
        "quality_rules:\n  - { name: q, type: custom_sql, query: 'SELECT count(*) FROM {dataset}' }\nsla:\n  freshness: { max_age_hours: 24, column: updated_at }\n"
            .replace("sla:\n  freshness: { max_age_hours: 24, column: updated_at }\n", "sla: { completeness: { min_row_count: 5 } }\n")
            .as_str(),
    );
    let promise = Promise::of(&contract);
    let text = serde_json::to_string(&promise).unwrap();
    assert_eq!(serde_json::from_str::<Promise>(&text).unwrap(), promise);
    assert!(!text.contains("place"), "{text}");
}
