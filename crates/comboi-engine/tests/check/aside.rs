//! Rows that are set aside: each ends in exactly one place.

use comboi_engine::{Around, Aside, Input, quarantine_columns, set_aside, show};
use comboi_project::RunId;

use super::{contract, now, told};
use crate::build::Bench;

const YAML: &str = "
schema:
  columns:
    - { name: id, type: INTEGER, action: quarantine, nullable: false }
    - { name: amount, type: 'DECIMAL(8,2)' }
    - { name: code, type: UUID }
quality_rules:
  - { name: not_negative, type: range, column: amount, min_value: 0, action: quarantine }
  - { name: not_huge, type: range, column: amount, max_value: 1000, action: drop }
  - { name: once, type: uniqueness, column: id, action: quarantine, where: amount IS NOT NULL }
  - { name: some, type: volume, min_rows: 3 }
";

const ROWS: &str = "SELECT id::INTEGER AS id, amount::DECIMAL(8,2) AS amount, '00000000-0000-0000-0000-000000000001'::UUID AS code FROM (VALUES
    (1, 5), (2, -1), (NULL, -2), (3, 2000), (NULL, 3000), (4, 1), (4, 2), (4, NULL), (5, 1000)) t(id, amount)";

#[test]
fn every_row_ends_in_one_place() {
    let bench = Bench::new();
    let contract = contract(YAML);
    let (columns, files) = bench.stage("staged", ROWS);
    let input = Input {
        alias: "x",
        columns: &columns,
        files: &files,
    };
    let around = Around::at(now());
    let verdicts = comboi_engine::check(&bench.session, &contract, &input, &around).unwrap();
    assert_eq!(
        told(&verdicts)
            .lines()
            .filter(|line| !line.starts_with(' '))
            .collect::<Vec<_>>(),
        [
            "schema: passed (3 columns)",
            "id_not_null: failed (warning, quarantine): 2 rows: `id` is NULL (9 rows)",
            "not_negative: failed (warning, quarantine): 2 rows: `amount` is less than 0 (9 rows)",
            "not_huge: failed (warning, drop): 2 rows: `amount` is greater than 1000 (9 rows)",
            "once: failed (warning, quarantine): 2 rows: 1 value of `id` occurs more than once (8 rows, 2 rows with NULL left aside)",
            "some: passed (9 rows)",
        ]
    );
    let (kept, quarantined) = (bench.path("kept.parquet"), bench.path("bad.parquet"));
    let to = Aside {
        kept: &kept,
        quarantined: &quarantined,
        run: RunId(7),
        at: now(),
    };
    let done = set_aside(&bench.session, &[&contract], &input, &around, &to).unwrap();
    assert_eq!(
        (done.kept_rows, done.quarantined_rows, done.dropped_rows),
        (3, 5, 1)
    );
    let shown = |columns, file: &std::path::PathBuf| {
        let files = [file.clone()];
        let input = Input {
            alias: "x",
            columns,
            files: &files,
        };
        let rows = show(&bench.session, &input, 20).unwrap();
        let mut lines: Vec<String> = rows
            .rows
            .iter()
            .map(|row| {
                let cells = row.iter().map(|cell| cell.as_deref().unwrap_or("NULL"));
                cells.collect::<Vec<_>>().join(" ")
            })
            .collect();
        lines.sort();
        lines.join("\n")
    };
    let uuid = "00000000-0000-0000-0000-000000000001";
    assert_eq!(
        shown(&columns, &kept).replace(uuid, "u"),
        "1 5.00 u\n4 NULL u\n5 1000.00 u"
    );
    assert_eq!(
        shown(&quarantine_columns(&columns), &quarantined).replace(uuid, "u"),
        "2 -1.00 u [not_negative] 7 2026-05-01 12:00:00+00\n\
         4 1.00 u [once] 7 2026-05-01 12:00:00+00\n\
         4 2.00 u [once] 7 2026-05-01 12:00:00+00\n\
         NULL -2.00 u [id_not_null, not_negative] 7 2026-05-01 12:00:00+00\n\
         NULL 3000.00 u [id_not_null, not_huge] 7 2026-05-01 12:00:00+00"
    );
}

#[test]
fn windows_and_other_datasets_say_which_rows_go_too() {
    let contract = contract(
        "
schema: { columns: [{ name: a, type: INTEGER }, { name: b, type: INTEGER }] }
quality_rules:
  - { name: apart, type: no_overlap, from_column: a, to_column: b, action: drop }
  - { name: known, type: foreign_key, column: b, dataset: shop, to: a, action: quarantine, where: b < 100 }
",
    );
    let bench = Bench::new();
    let (columns, files) = bench.stage(
        "staged",
        "SELECT * FROM (VALUES (1, 5), (5, 9), (8, 10), (10, 200)) t(a, b)",
    );
    let input = Input {
        alias: "x",
        columns: &columns,
        files: &files,
    };
    let (kept, quarantined) = (bench.path("kept.parquet"), bench.path("bad.parquet"));
    let to = Aside {
        kept: &kept,
        quarantined: &quarantined,
        run: RunId(1),
        at: now(),
    };
    let around = Around::at(now());
    let done = set_aside(&bench.session, &[&contract], &input, &around, &to).unwrap();
    // (5, 9) and (8, 10) overlap; 9 is nobody's beginning, which puts (5, 9) aside instead of dropping it.
    assert_eq!(
        (done.kept_rows, done.quarantined_rows, done.dropped_rows),
        (2, 1, 1)
    );
}
