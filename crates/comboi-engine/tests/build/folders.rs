//! Folders whose names are patterns.

use comboi_engine::{Input, Limits, check};

use super::Bench;
use crate::check::{contract, now, told};

#[test]
fn a_folder_is_itself_and_not_what_its_name_matches() {
    let above = tempfile::tempdir().unwrap();
    let limits = || Limits {
        memory_bytes: 256 << 20,
        threads: 2,
        max_spill_bytes: None,
    };
    let folder = |name: &str| {
        let mut named = tempfile::Builder::new();
        let named = named.prefix(name).rand_bytes(0);
        named.tempdir_in(above.path()).unwrap()
    };
    let other = Bench::within(folder("a1 b'c"), limits());
    let bench = Bench::within(folder("a[1]* b'c"), limits());
    other.stage("orders", "SELECT 'other' AS x");
    let (columns, files) = bench.stage("orders", "SELECT 'mine' AS x");
    let input = Input {
        alias: "orders",
        columns: &columns,
        files: &files,
    };
    let built = bench.build("SELECT x, length(x) AS n FROM orders", &[input]);
    let built = built.unwrap();
    assert_eq!(bench.read(&built), "x VARCHAR | n BIGINT\nmine | 4");

    let contract = contract(
        "schema:\n  columns:\n    - name: x\n      type: VARCHAR\n      constraints: { allowed_values: [mine] }\n",
    );
    let verdicts = check(
        &bench.session,
        &contract,
        &input,
        &comboi_engine::Around::at(now()),
    )
    .unwrap();
    let said = told(&verdicts);
    assert!(said.lines().count() > 0, "nothing was checked");
    assert!(verdicts.iter().all(|it| it.passed()), "{said}");
}
