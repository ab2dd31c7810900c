//! Digests change with what shapes a dataset, and with nothing else.

use crate::load;

const BASE: &str = "\
== configs/p.yml
sources: [{ name: s, type: files, tables: [{ name: t, files: t.csv }, { name: u, files: u.csv }] }]
== configs/transformations.yml
silver: [{ name: a, inputs: [{ alias: x, dataset: s/t }], quality_checks: [contract:a] }]
== transformations/sql/a.sql
SELECT * FROM x
== transformations/contracts/a.yml
dataset: a
schema: { columns: [{ name: id, type: INTEGER }] }
";

fn digest(files: &str) -> String {
    load(files)
        .unwrap()
        .digest(&"silver/a".parse().unwrap())
        .unwrap()
}

#[test]
fn what_shapes_a_dataset_changes_its_digest() {
    let base = digest(BASE);
    assert_eq!(base.len(), 64);
    for (from, to) in [
        ("SELECT * FROM x", "SELECT id FROM x"),
        ("alias: x", "alias: y"),
        ("dataset: s/t", "dataset: s/u"),
        ("type: INTEGER", "type: BIGINT"),
        ("name: id", "name: \"id2\""),
        (", quality_checks: [contract:a]", ""),
        (
            "inputs: [{",
            "dedupe: { unique_id: id, keys: [b] }, inputs: [{",
        ),
    ] {
        let changed = BASE.replace(from, to);
        assert_ne!(changed, BASE);
        assert_ne!(digest(&changed), base, "{from} -> {to}");
    }
}

#[test]
fn nothing_else_does() {
    let base = digest(BASE);
    for (from, to) in [
        ("dataset: a\n", "# a comment\n\ndataset:   a\n"),
        (
            "schema: { columns: [{ name: id, type: INTEGER }] }",
            "schema:\n  columns:\n    - name: id\n      type: INTEGER\n",
        ),
        ("files: t.csv", "files: other.csv"),
        (
            "silver: [{ name: a,",
            "silver: [{ name: a, tags: [x], description: y,",
        ),
    ] {
        let changed = BASE.replace(from, to);
        assert_ne!(changed, BASE);
        assert_eq!(digest(&changed), base, "{from} -> {to}");
    }
}

#[test]
fn it_is_the_same_in_every_version_of_comboi() {
    // Computed with Python's hashlib over the text that digest.rs describes. Should it ever change, every dataset of
    // every user is built again once.
    assert_eq!(
        digest(BASE),
        "d9c61d403f5cb15012032eed7efd8ac8f80dfe75a2e93b63ea81fcddd8ee109d"
    );
}
