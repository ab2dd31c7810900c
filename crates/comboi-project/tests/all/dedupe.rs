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
        .map(|line| match line.strip_prefix("    splink") {
            Some(splink) => format!("    splink{splink}\n"),
            None => format!("      {}\n", line.trim()),
        })
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

#[test]
fn comparisons_are_ways_that_there_are() {
    check_dedupe(
        "unique_id: id
         keys: [email, [surname, born]]
         comparisons: {a: name, b: {damerau: 1}, c: {jaro_winkler: [0.9, 0.8]}, d: {within: 0.01}, e: date_of_birth}
         threshold: 0.9
         save_model: models/people.json
         output: {pairs: true}",
        "no problem",
    );
    check_dedupe(
        "unique_id: id
         keys: [email]
         comparisons: {a: nmae, b: {damerau: 0}, c: {jaro_winkler: 2}, d: within, e: {name: 1}, f: {x: 1, y: 2}, g: {days: []}}",
        "configs/transformations.yml:6:24 there is no comparison `nmae` (did you mean `name`?)
         configs/transformations.yml:6:43 0 is what equal values have anyway (1 or more)
         configs/transformations.yml:6:65 likeness is between 0 and 1 (such as 0.9)
         configs/transformations.yml:6:72 `within` needs a number (such as `{within: 1}`)
         configs/transformations.yml:6:90 `name` takes nothing (write `name` alone)
         configs/transformations.yml:6:97 a column is compared in one way (such as `name`, or `{damerau: 1}`)
         configs/transformations.yml:6:121 a threshold at least is needed",
    );
}

#[test]
fn what_is_about_probabilities_needs_a_model() {
    check_dedupe(
        "unique_id: id
         keys: [email]
         threshold: 0.9
         recall: 2
         on_large_cluster: split
         save_model: m.json
         output: {pairs: true}",
        "configs/transformations.yml:4:7 a cluster of rows that share a key can't be split: there is no threshold to raise (`on_large_cluster` is `fail` or `warn` here)
         configs/transformations.yml:4:7 there are no pairs to write where no rows are compared (name `comparisons`, or take `output.pairs` away)
         configs/transformations.yml:6:18 `threshold` says nothing where no rows are compared (name `comparisons`, or take it away)
         configs/transformations.yml:7:15 `recall` is more than 0 and at most 1 (such as 0.95)
         configs/transformations.yml:9:19 there is no model to save where no rows are compared (name `comparisons`, or take it away)",
    );
}

/// What stands under `splink:`, in line 3; the file `m.json` is there.
#[track_caller]
fn check_splink(splink: &str, expected: &str) {
    check(
        &format!(
            "== configs/p.yml\nname: p\n== configs/transformations.yml\nsilver:\n  - name: people\n    splink: {splink}\n== transformations/sql/people.sql\nSELECT 1 AS id\n== m.json\n{{\"unique_id_column_name\": \"id\"}}\n"
        ),
        expected,
    );
}

#[test]
fn splink_has_the_forms_that_people_know() {
    check_splink("m.json", "no problem");
    check_splink("{settings: m.json}", "no problem");
    check_splink("{enabled: false}", "no problem");
    check_splink(
        "{settings: {unique_id_column_name: id, comparisons: []}}",
        "no problem",
    );
    check_splink(
        "{unique_id_column_name: id, comparisons: [], blocking_rule: \"l.a = r.a\"}",
        "no problem",
    );
    check_splink(
        "{enabled: true}",
        "configs/transformations.yml:3:13 `splink` has no settings (name a file with Splink's settings, write them here, or use `dedupe:` with `keys` and `comparisons`)",
    );
    check_splink(
        "models/m.json",
        "configs/transformations.yml:3:13 there is no model `models/m.json` (paths are relative to the project's folder; `comboi linkage train` makes a model of `comparisons`)",
    );
    check_splink(
        "{settings: m.json, comparisons: []}",
        "configs/transformations.yml:3:32 Splink's settings stand under `settings`, or here; not in both places (move this key below `settings`)",
    );
    check_splink(
        "{comparisons: []}",
        "configs/transformations.yml:3:13 nothing tells the rows apart before they are deduplicated (name a column that is never NULL and never there twice: `unique_id: <column>`)",
    );
    check_splink(
        "{enabled: sometimes, settings: m.json}",
        "configs/transformations.yml:3:23 expected `true` or `false`, found `sometimes`",
    );
}

#[test]
fn one_model_is_enough() {
    check_dedupe(
        "unique_id: id
         keys: [email]
         comparisons: {a: name}
    splink: {comparisons: []}",
        "configs/transformations.yml:6:21 `splink` says how rows are compared, and so does `comparisons` (keep one of them; `splink` is at configs/transformations.yml:7:13)",
    );
}
