//! Tables of a modelled SQL Server, read by the real program over the wire.
//!
//! Nothing is lost and nothing is doubled: writers that never rest, a program that is killed at any time, every way of finding what is
//! new. In the end bronze is what the source is.

mod digits;
mod types;

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use comboi_test::tds::{Model, Table, Tds, Transaction, Type, Value};

use crate::world::World;

/// A generator of numbers that are the same each time (xorshift64*, Vigna 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % sides
    }
}

/// A server with one table, and a project that reads it.
struct Shop {
    model: Arc<Model>,
    server: Tds,
    world: World,
}

impl Shop {
    fn new(keys: &[&str]) -> Self {
        let columns = [
            ("id", Type::Int),
            ("v", Type::NVarChar(100)),
            ("at", Type::DateTimeOffset(7)),
            ("n", Type::BigInt),
            ("rv", Type::Rowversion),
        ];
        Self::of(&columns, keys)
    }

    fn of(columns: &[(&str, Type)], keys: &[&str]) -> Self {
        let model = Model::new([Table::new("t", columns)]);
        let shop = Self {
            server: Tds::new(Arc::clone(&model) as Arc<_>),
            model,
            world: World::new(),
        };
        shop.configure(keys);
        shop
    }

    fn configure(&self, keys: &[&str]) {
        let keys: String = keys.iter().map(|key| format!("        {key}\n")).collect();
        let config = format!(
            "sources:\n  - name: shop\n    type: azure_sql\n    connection:\n      dsn: \"{}\"\n    tables:\n      - name: t\n{keys}",
            self.server.dsn()
        );
        self.world.write("configs/default.yml", config);
    }
}

/// Several sessions whose transactions overlap: some end late, some are rolled back; many rows share a moment; rows are changed and
/// their cursors are moved with them.
struct Writers {
    open: [Option<Transaction>; 4],
    next: i64,
    sequence: i64,
    updates: bool,
}

impl Writers {
    fn new(updates: bool) -> Self {
        Self {
            open: Default::default(),
            next: 0,
            sequence: 0,
            updates,
        }
    }

    fn act(&mut self, model: &Arc<Model>, dice: &mut Dice) {
        // Up to 2 milliseconds; moments are written in whole ones.
        model.advance(dice.roll(20_000).cast_signed());
        let at = model.now() / 10_000 * 10_000;
        let who = usize::try_from(dice.roll(4)).unwrap();
        let open = self.open[who].get_or_insert_with(|| model.begin());
        let mut write = |id: i64, text: String| {
            self.sequence += 1;
            let row = vec![
                Value::Int(id),
                Value::Text(text),
                Value::DateTimeOffset(at, 0),
                Value::Int(self.sequence),
                Value::Null,
            ];
            // Another session may have the row; then it is left.
            open.write("t", row)
        };
        match dice.roll(10) {
            0..=4 => {
                self.next += 1;
                write(self.next, "new".into());
            }
            5..=6 if self.updates && self.next > 0 => {
                let id = dice.roll(self.next.unsigned_abs()).cast_signed() + 1;
                write(id, format!("changed at {at}"));
            }
            7 => drop(self.open[who].take()),
            _ => {
                if let Some(open) = self.open[who].take() {
                    open.commit();
                }
            }
        }
    }
}

/// How many rows are lost and how many are doubled or stale, after a history of writers, runs and kills. A blind reader may not see
/// other people's transactions.
fn play(seed: u64, keys: &[&str], updates: bool, prepare: fn(&Model)) -> (usize, usize) {
    let shop = Shop::new(keys);
    prepare(&shop.model);
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut writers = Writers::new(updates);
    for _ in 0..8 {
        for _ in 0..dice.roll(30) {
            writers.act(&shop.model, &mut dice);
        }
        let mut child = shop
            .world
            .command(&["run", "bronze"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let kill_after = (dice.roll(3) == 0).then(|| Duration::from_millis(20 + dice.roll(250)));
        let begun = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if kill_after.is_some_and(|after| begun.elapsed() > after) {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            writers.act(&shop.model, &mut dice);
            std::thread::sleep(Duration::from_millis(3));
        }
    }
    for open in &mut writers.open {
        if let Some(open) = open.take() {
            open.commit();
        }
    }
    shop.world.run();
    let text = |value: &Value| match value {
        Value::Int(it) => it.to_string(),
        Value::Text(text) => text.clone(),
        other => panic!("{other:?}"),
    };
    let wanted: Vec<String> = shop
        .model
        .rows("t")
        .iter()
        .map(|row| format!("{},{}", text(&row[0]), text(&row[1])))
        .collect();
    assert!(
        wanted.len() > 20,
        "the history is too short to show anything"
    );
    let mut found: Vec<String> = shop
        .world
        .rows("t")
        .iter()
        .map(|row| row.splitn(3, ',').take(2).collect::<Vec<_>>().join(","))
        .collect();
    let mut lost = 0;
    for row in wanted {
        match found.iter().position(|it| *it == row) {
            Some(at) => drop(found.swap_remove(at)),
            None => lost += 1,
        }
    }
    (lost, found.len())
}

fn check(keys: &[&str], updates: bool) {
    for seed in 1..=4 {
        assert_eq!(
            play(seed, keys, updates, |_| {}),
            (0, 0),
            "{keys:?}, seed {seed}: rows lost, rows doubled or stale"
        );
    }
}

const BY_ROWVERSION: &str = "incremental: rowversion\n        incremental_column: rv";

#[test]
fn by_row_versions_with_a_key() {
    check(&[BY_ROWVERSION, "primary_key: id"], true);
}

#[test]
fn by_row_versions_without_a_key() {
    check(&[BY_ROWVERSION], false);
}

#[test]
fn by_row_versions_where_no_snapshot_can_be_had() {
    for seed in 1..=3 {
        let played = play(seed, &[BY_ROWVERSION, "primary_key: id"], true, |model| {
            model.set_snapshots(false);
        });
        assert_eq!(played, (0, 0), "seed {seed}");
    }
}

#[test]
fn by_a_moment_with_a_key() {
    check(&["incremental_column: at", "primary_key: id"], true);
}

#[test]
fn by_a_moment_and_a_number_with_a_key() {
    check(&["incremental_column: [at, id]", "primary_key: id"], true);
}

#[test]
fn by_a_number_that_a_sequence_gives_with_a_key() {
    check(&["incremental_column: n", "primary_key: id"], true);
}

#[test]
fn by_a_moment_without_a_key() {
    check(&["incremental_column: at"], false);
}

#[test]
fn all_of_it_each_time() {
    check(&["incremental: full", "primary_key: id"], true);
}

/// What a command says of the table, by `of`.
fn told(shop: &Shop, words: &[&str], of: &str) -> Vec<String> {
    let report = shop.world.json(words);
    let texts = report["tasks"][0][of].as_array().unwrap().iter();
    texts.map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_transaction_that_holds_row_versions_back_is_told() {
    const SINCE: &str = "a transaction has been open since 2026-03-01 12:00:00 UTC: rows that were written since it began wait, \
        also those of other transactions, and are read once it has ended";
    const FORGOTTEN: &str = "; end it if somebody forgot it";
    let shop = Shop::new(&[BY_ROWVERSION, "primary_key: id"]);
    let row = |id| {
        vec![
            Value::Int(id),
            Value::Text("x".into()),
            Value::DateTimeOffset(shop.model.now(), 0),
            Value::Int(id),
            Value::Null,
        ]
    };
    let write = |id| {
        let transaction = shop.model.begin();
        assert!(transaction.write("t", row(id)));
        transaction
    };
    write(1).commit();
    assert_eq!(
        shop.world.outcomes(&["run", "bronze"]),
        ["bronze/shop/t succeeded 1"]
    );
    let forgotten = write(3);
    shop.model.advance(10_000_000);
    write(4).commit();
    let run = ["run", "bronze"].as_slice();
    assert_eq!(told(&shop, run, "notes"), [SINCE]);
    assert_eq!(told(&shop, run, "warnings"), [""; 0]);
    assert_eq!(shop.world.outcomes(run), ["bronze/shop/t skipped 0"]);
    shop.model.advance(3_600 * 10_000_000);
    let warning = format!("{SINCE}{FORGOTTEN}");
    assert_eq!(told(&shop, run, "warnings"), [warning.as_str()]);
    assert_eq!(told(&shop, &["plan"], "warnings"), [warning.as_str()]);
    let said = shop.world.expect(0, &["doctor"]);
    let line = format!("doubtful  table bronze/shop/t  {warning}\n");
    assert!(said.out.contains(&line), "{}", said.out);
    shop.world
        .expect(3, &["run", "bronze", "--fail-on", "warning"]);
    // Without the right to see transactions, it may be forgotten for all that comboi knows.
    shop.model.set_shows_transactions(false);
    let blind = told(&shop, run, "warnings");
    let unseen = "a transaction is open, and the login may not see since when: ";
    assert!(
        blind.len() == 1 && blind[0].starts_with(unseen),
        "{blind:?}"
    );
    forgotten.commit();
    assert_eq!(shop.world.outcomes(run), ["bronze/shop/t succeeded 2"]);
    assert_eq!(told(&shop, run, "warnings"), [""; 0]);
}

/// The test of the test: where the horizon can't be seen, a run goes on from the greatest value that it saw, and these histories lose
/// rows by it.
#[test]
fn without_the_horizon_rows_are_lost() {
    let blind = |model: &Model| model.set_shows_transactions(false);
    let lost: usize = (1..=6)
        .map(|seed| {
            play(
                seed,
                &["incremental_column: n", "primary_key: id"],
                true,
                blind,
            )
            .0
        })
        .sum();
    assert!(lost > 0, "the histories are too tame to show anything");
}

/// The same for row versions.
#[test]
fn without_the_least_active_row_version_rows_are_lost() {
    let lost: usize = (1..=6)
        .map(|seed| {
            play(
                seed,
                &[BY_ROWVERSION, "primary_key: id"],
                true,
                Model::forget_active_row_versions,
            )
            .0
        })
        .sum();
    assert!(lost > 0, "the histories are too tame to show anything");
}
