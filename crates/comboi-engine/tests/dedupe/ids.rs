//! The names of clusters over the runs.

use super::Bench;

/// Rows are `id key`, or `id key other_key`; each line of a run gives the clusters and the log after it.
#[track_caller]
fn check(more: &str, runs: &[(&str, &str)]) {
    let mut bench = Bench::new();
    for (rows, expected) in runs {
        let rows: Vec<String> = rows
            .split(", ")
            .map(|row| {
                let mut cells = row.split(' ');
                let id = cells.next().unwrap();
                let mut key = || {
                    cells
                        .next()
                        .map_or("NULL".to_owned(), |key| format!("'{key}'"))
                };
                format!("({id}, {}, {})", key(), key())
            })
            .collect();
        bench
            .run(
                &format!("unique_id: id\nkeys: [k, o]\n{more}"),
                &format!("SELECT * FROM (VALUES {}) t(id, k, o)", rows.join(", ")),
            )
            .unwrap();
        assert_eq!(bench.clusters(), *expected);
    }
}

#[test]
fn a_cluster_keeps_its_name_when_rows_come_and_go() {
    check(
        "",
        &[
            ("5 a, 6 a, 9 b", "5:5 6:5 9:9"),
            ("1 a, 5 a, 6 a, 9 b", "1:5 5:5 6:5 9:9"),
            ("1 a, 6 a, 9 b", "1:5 6:5 9:9"),
            ("1 a, 3 c, 6 a, 9 b, 4 b", "1:5 3:3 4:9 6:5 9:9"),
        ],
    );
}

#[test]
fn the_larger_of_two_that_merge_keeps_its_name() {
    check(
        "",
        &[
            ("1 a, 2 b, 3 b", "1:1 2:2 3:2"),
            ("1 b, 2 b, 3 b", "1:2 2:2 3:2; run 2 merged 1>2 1"),
            // What leaves again is called as it was before.
            (
                "1 a, 2 b, 3 b",
                "1:1 2:2 3:2; run 2 merged 1>2 1; run 3 split 2>1 1",
            ),
        ],
    );
    check(
        "",
        &[
            ("1 a, 2 b", "1:1 2:2"),
            ("1 a, 2 a", "1:1 2:1; run 2 merged 2>1 1"),
        ],
    );
}

#[test]
fn the_part_with_the_row_of_the_name_keeps_it() {
    check(
        "",
        &[
            ("1 a, 2 a, 3 a", "1:1 2:1 3:1"),
            ("1 a, 2 b, 3 b", "1:1 2:2 3:2; run 2 split 1>2 2"),
        ],
    );
}

#[test]
fn without_that_row_most_of_the_others_keep_it() {
    check(
        "",
        &[
            ("1 a, 2 a, 3 a, 4 a", "1:1 2:1 3:1 4:1"),
            ("2 a, 3 b, 4 b", "2:2 3:1 4:1; run 2 split 1>2 1"),
            // The row comes back as a stranger: the name is its own again.
            (
                "1 z, 2 a, 3 b, 4 b",
                "1:1 2:2 3:3 4:3; run 2 split 1>2 1; run 3 renamed 1>3 2",
            ),
        ],
    );
}

#[test]
fn rows_may_move_from_one_cluster_to_another() {
    check(
        "",
        &[
            ("1 a, 2 a, 3 a, 4 b, 5 b", "1:1 2:1 3:1 4:4 5:4"),
            (
                "1 a, 2 a, 3 b, 4 b, 5 b",
                "1:1 2:1 3:4 4:4 5:4; run 2 moved 1>4 1",
            ),
        ],
    );
}

#[test]
fn what_was_one_stays_one_where_that_is_wanted() {
    check(
        "incremental: true",
        &[
            ("1 a, 2 a, 3 b", "1:1 2:1 3:3"),
            ("1 a, 2 x, 3 b, 4 x", "1:1 2:1 3:3 4:1"),
        ],
    );
}

/// In whatever form it is kept.
#[test]
fn a_row_that_is_left_alone_keeps_the_name_of_its_cluster() {
    for (output, row) in [
        ("{}", "2 | a | 1 | 1"),
        ("{keep: all}", "2 | a | 1 | 1 | true"),
        ("{keep: golden}", "2 | a | 1 | 1 | [2]"),
    ] {
        let mut bench = Bench::new();
        let dedupe = format!("unique_id: id\nkeys: [k]\noutput: {output}");
        let mut run = |rows: &str| {
            let rows = format!("SELECT * FROM (VALUES {rows}) t(id, k)");
            let done = bench.run(&dedupe, &rows).unwrap();
            bench.read(&done.built).lines().nth(1).map(str::to_owned)
        };
        run("(1, 'a'), (2, 'a')");
        assert_eq!(run("(2, 'a'), (3, 'b')").as_deref(), Some(row));
    }
}

#[test]
fn the_same_rows_again_change_nothing() {
    let mut bench = Bench::new();
    let (dedupe, rows) = (
        "unique_id: id\nkeys: [k]",
        "SELECT * FROM (VALUES ('x', 1), ('y', 1)) t(id, k)",
    );
    let first = bench.run(dedupe, rows).unwrap();
    assert!(first.clusters.is_some() && first.log.is_none());
    let again = bench.run(dedupe, rows).unwrap();
    assert!(again.clusters.is_none() && again.log.is_none());
    assert_eq!(bench.read(&again.built), bench.read(&first.built));
}

/// No two clusters ever have one name, and a cluster that stays as it is keeps its own, whatever happens to the others.
#[test]
fn names_are_never_shared_in_any_history() {
    for seed in 0..6_u64 {
        let mut bench = Bench::new();
        let mut random = seed;
        let mut next = move |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % below
        };
        for _ in 0..6 {
            let rows: Vec<String> = (0..12)
                .filter_map(|id| {
                    let (there, key) = (next(4), next(5));
                    (there > 0).then(|| format!("({id}, {key})"))
                })
                .collect();
            let rows = format!("SELECT * FROM (VALUES {}) t(id, k)", rows.join(", "));
            let done = bench
                .run("unique_id: id\nkeys: [k]\noutput: {keep: all}", &rows)
                .unwrap();
            let shown = bench.read(&done.built);
            let mut names = std::collections::BTreeMap::new();
            for line in shown.lines().skip(1) {
                let cells: Vec<&str> = line.split(" | ").collect();
                let key = names
                    .entry(cells[2].to_owned())
                    .or_insert(cells[1].to_owned());
                assert_eq!(key, cells[1], "seed {seed}\n{shown}");
            }
        }
    }
}
