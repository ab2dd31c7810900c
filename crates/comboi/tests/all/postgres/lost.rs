//! Nothing is lost and nothing is doubled: writers that never rest, a program that is killed at any time, every way of finding what is
//! new. In the end bronze is what the source is.

use std::process::Stdio;
use std::time::Duration;

use comboi_test::Postgres;

use super::{Shop, table};

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

/// Several sessions whose transactions overlap: some end late, some are rolled back; many rows share a moment; rows are changed and
/// `at` is moved with them.
struct Writers {
    sessions: Vec<tokio_postgres::Client>,
    open: Vec<bool>,
    next: u64,
    updates: bool,
}

impl Writers {
    fn new(database: &Postgres, updates: bool) -> Self {
        let sessions: Vec<_> = (0..4).map(|_| database.session()).collect();
        Self {
            open: vec![false; sessions.len()],
            sessions,
            next: 1,
            updates,
        }
    }

    fn act(&mut self, database: &Postgres, dice: &mut Dice) {
        let who = usize::try_from(dice.roll(self.sessions.len() as u64)).unwrap();
        let run = |sql: &str| {
            // Two sessions may wait for each other's row; then it is left.
            drop(database.block_on(
                self.sessions[who].batch_execute(&format!("SET lock_timeout = '50ms'; {sql}")),
            ));
        };
        if !self.open[who] {
            run("ROLLBACK");
            run("BEGIN");
            self.open[who] = true;
        }
        match dice.roll(10) {
            0..=4 => {
                self.next += 1;
                run(&format!(
                    "INSERT INTO t VALUES ({}, 'new', date_trunc('milliseconds', clock_timestamp()), nextval('s'))",
                    self.next
                ));
            }
            5..=6 if self.updates => {
                let id = dice.roll(self.next) + 1;
                run(&format!(
                    "UPDATE t SET v = v || '.', at = date_trunc('milliseconds', clock_timestamp()), n = nextval('s') WHERE id = {id}"
                ));
            }
            7 => {
                run("ROLLBACK");
                self.open[who] = false;
            }
            _ => {
                run("COMMIT");
                self.open[who] = false;
            }
        }
    }

    fn end(&mut self, database: &Postgres) {
        for session in &self.sessions {
            drop(database.block_on(session.batch_execute("COMMIT")));
        }
    }
}

/// How many rows are lost and how many are doubled or stale, after a history of writers, runs and kills. A blind reader may not see
/// other people's transactions.
fn play(seed: u64, keys: &[&str], updates: bool, blind: bool) -> (usize, usize) {
    let mut lines = vec!["t"];
    lines.extend(keys);
    let shop = Shop::new(
        "CREATE SEQUENCE s; CREATE TABLE t (id bigint PRIMARY KEY, v text, at timestamptz, n bigint); CREATE INDEX ON t (at)",
        &table(&lines),
    );
    let role = format!("blind_{}", shop.database.name());
    if blind {
        shop.database.run(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON t TO {role}"
        ));
        let url = shop
            .database
            .url()
            .replace("postgres:comboi@", &format!("{role}:x@"));
        shop.connect_by(&format!("conn_str: \"{url}\""), &table(&lines));
    }
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut writers = Writers::new(&shop.database, updates);
    for _ in 0..8 {
        for _ in 0..dice.roll(30) {
            writers.act(&shop.database, &mut dice);
        }
        let mut child = shop
            .world
            .command(&["run", "bronze"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let kill_after = (dice.roll(3) == 0).then(|| Duration::from_millis(20 + dice.roll(250)));
        let begun = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            if kill_after.is_some_and(|after| begun.elapsed() > after) {
                child.kill().unwrap();
                child.wait().unwrap();
                break;
            }
            writers.act(&shop.database, &mut dice);
        }
    }
    writers.end(&shop.database);
    shop.world.run();
    if blind {
        shop.database
            .run(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    }
    let wanted: Vec<String> = shop
        .database
        .run("SELECT id || ',' || v FROM t")
        .into_iter()
        .flatten()
        .flatten()
        .collect();
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
            play(seed, keys, updates, false),
            (0, 0),
            "{keys:?}, seed {seed}: rows lost, rows doubled or stale"
        );
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
fn by_transaction_ids() {
    check(&["incremental: xmin", "primary_key: id"], true);
}

#[test]
fn by_a_moment_without_a_key() {
    check(&["incremental_column: at"], false);
}

#[test]
fn by_a_number_without_a_key() {
    check(&["incremental_column: n"], false);
}

/// The test of the test: where the horizon can't be seen, a run goes on from the greatest value that it saw, and these histories lose
/// rows by it.
#[test]
fn without_the_horizon_rows_are_lost() {
    let lost: usize = (1..=6)
        .map(|seed| {
            play(
                seed,
                &["incremental_column: n", "primary_key: id"],
                true,
                true,
            )
            .0
        })
        .sum();
    assert!(lost > 0, "the histories are too tame to show anything");
}
