//! A lake that an earlier program wrote (`tests/data/README.md`): its rows, names and types stay, and every command works on it.

use std::collections::BTreeSet;
use std::process::Command;

use comboi_test::Postgres;
use serde_json::Value;

use crate::world::{Said, World, said};

/// The tables of the source `stock` as they were when the lake was written.
const STOCK: &str = "\
CREATE TABLE prices (id int PRIMARY KEY, type_ text, price numeric, updated_at timestamptz NOT NULL);
INSERT INTO prices VALUES (1, 'a', 1.25, '2026-01-01 10:00+00'), (2, 'b', 3.5, '2026-01-01 11:00+00'),
    (3, 'c', 10, '2026-01-01 12:00+00');
CREATE TABLE sites (code_ text PRIMARY KEY, name text);
INSERT INTO sites VALUES ('GRZ', 'Graz'), ('VIE', 'Wien');";

/// The project, and the database that it reads.
struct Older {
    world: World,
    stock: Postgres,
}

impl Older {
    fn new() -> Self {
        let older = Self {
            world: World::new(),
            stock: Postgres::database(),
        };
        older.stock.run(STOCK);
        let archive = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/data/lake_of_0_1_0.tar.gz"
        );
        let unpacked = Command::new("tar")
            .args(["-xzf", archive, "-C"])
            .arg(older.world.path(""))
            .status()
            .unwrap();
        assert!(unpacked.success());
        older
            .world
            .write(".env", format!("STOCK_URL={}\n", older.stock.url()));
        older
    }

    fn comboi(&self, words: &[&str]) -> Said {
        said(self.world.command(words).output().unwrap())
    }
}

/// The rows of every dataset, as the earlier program showed them.
const ROWS: &[(&str, &[&str])] = &[
    (
        "bronze/shop/orders",
        &[
            "1,a,DE,10.5,true,12345",
            "2,b,AT,20.25,false,99999",
            "3,c,DE,-1.5,true,54321",
            "4,d,CH,5.0,false,10115",
        ],
    ),
    (
        "bronze/shop/booked",
        &["1,2026-01-01", "2,2026-01-02", "3,2026-01-03"],
    ),
    ("bronze/shop/header", &[]),
    (
        "bronze/stock/prices",
        &[
            "1,a,1.25,2026-01-01 10:00:00+00",
            "2,b,3.5,2026-01-01 11:00:00+00",
            "3,c,10,2026-01-01 12:00:00+00",
        ],
    ),
    ("bronze/stock/sites", &["GRZ,Graz", "VIE,Wien"]),
    (
        "silver/orders_clean",
        &["1,a,DE,10.5,true", "2,b,AT,20.25,false", "4,d,CH,5.0,false"],
    ),
    ("gold/by_country", &["AT,20.25,1", "CH,5.0,1", "DE,10.5,1"]),
];

#[test]
fn its_rows_are_as_they_were_before_and_after_a_run() {
    let older = Older::new();
    let check = || {
        for (dataset, rows) in ROWS {
            assert_eq!(older.world.rows(dataset), *rows, "{dataset}");
        }
    };
    check();
    let report = older.world.json(&["run", "all"]);
    // Run 4 was the last one.
    assert_eq!(report["run"], 5, "{report:#}");
    let tasks = report["tasks"].as_array().unwrap();
    let done = |task: &&Value| task["outcome"] != "skipped";
    let bronze = |task: &&Value| task["dataset"].as_str().unwrap().starts_with("bronze/");
    assert_eq!(
        tasks.iter().filter(bronze).filter(done).count(),
        0,
        "{report:#}"
    );
    check();
}

#[test]
fn what_comes_later_goes_into_the_columns_that_are_there() {
    let older = Older::new();
    let world = &older.world;
    world.write(
        "in/orders/3.csv",
        "id,class_,country,Amount (EUR),active,zip\n5,e,DE,7.5,true,80331\n",
    );
    world.write("in/header/2.csv", "id,amount,d\n7,2.50,2026-02-01\n");
    world.write("in/booked/3.csv", "id,booked_at\n4,2026-01-04\n");
    older.stock.run(
        "INSERT INTO prices VALUES (4, 'd', 2.75, '2026-01-02 10:00+00');
         UPDATE prices SET type_ = 'z', updated_at = '2026-01-02 11:00+00' WHERE id = 1;
         INSERT INTO sites VALUES ('LNZ', 'Linz');",
    );
    let said = older.comboi(&["run", "all"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let rows = |dataset| world.rows(dataset);
    assert_eq!(rows("bronze/shop/orders")[4], "5,e,DE,7.5,true,80331");
    assert_eq!(rows("bronze/shop/header"), ["7,2.50,2026-02-01"]);
    assert_eq!(rows("bronze/shop/booked").len(), 4);
    assert_eq!(
        rows("bronze/stock/prices"),
        [
            "1,z,1.25,2026-01-02 11:00:00+00",
            "2,b,3.5,2026-01-01 11:00:00+00",
            "3,c,10,2026-01-01 12:00:00+00",
            "4,d,2.75,2026-01-02 10:00:00+00",
        ]
    );
    assert_eq!(
        rows("bronze/stock/sites"),
        ["GRZ,Graz", "LNZ,Linz", "VIE,Wien"]
    );
    assert_eq!(
        rows("gold/by_country"),
        ["AT,20.25,1", "CH,5.0,1", "DE,18.0,2"]
    );
    // The names of the files that were read are no longer in the commit.
    let read = |table: &str| world.rows(&format!("{table}__files_read")).len();
    assert_eq!((read("shop/orders"), read("shop/booked")), (3, 3));
    let log = world.files("data/bronze/shop/orders/_delta_log");
    let newest = log.iter().rfind(|name| name.ends_with(".json")).unwrap();
    let newest = world.read(&format!("data/bronze/shop/orders/_delta_log/{newest}"));
    assert!(!newest.contains("orders/1.csv"), "{newest}");
    let verified = older.comboi(&["verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.out, verified.err);
}

/// Every command with words that it should do, in this order, and its exit code.
const COMMANDS: &[(i32, &[&str])] = &[
    (0, &["validate"]),
    (0, &["files"]),
    (0, &["plan"]),
    (0, &["ls"]),
    (0, &["runs"]),
    (0, &["status", "2"]),
    (0, &["doctor"]),
    (0, &["verify"]),
    (0, &["repair"]),
    (0, &["test-connection"]),
    (0, &["discover", "--source", "stock", "--yaml"]),
    (0, &["history", "gold/by_country"]),
    (0, &["show", "silver/people"]),
    (0, &["show", "shop/orders__quarantine"]),
    (0, &["show", "_comboi/tasks"]),
    (0, &["show", "silver/typed_clean"]),
    (0, &["show", "gold/by_country", "--version", "0"]),
    (0, &["contract", "new", "--source", "bronze/shop/orders"]),
    (0, &["contract", "versions", "orders_clean"]),
    (
        0,
        &[
            "contract",
            "export",
            "transformations/contracts/orders_clean.yml",
            "--output",
            "odcs.yml",
        ],
    ),
    (0, &["contract", "import", "odcs.yml"]),
    (
        0,
        &[
            "validate-contract",
            "--contract",
            "transformations/contracts/orders_clean.yml",
            "--data",
            "silver/orders_clean",
        ],
    ),
    (
        0,
        &[
            "build",
            "--validate-contract",
            "--contract",
            "transformations/contracts/orders_clean.yml",
        ],
    ),
    (0, &["reconcile", "--source", "stock", "--table", "prices"]),
    (
        0,
        &[
            "backfill",
            "--source",
            "stock",
            "--table",
            "prices",
            "--from",
            "2026-01-01 00:00+00",
            "--to",
            "2026-01-02 00:00+00",
        ],
    ),
    // The last run did everything, so there is nothing to resume.
    (1, &["retry"]),
    (0, &["run", "all"]),
    (0, &["quarantine", "ls"]),
    (0, &["quarantine", "show", "bronze/shop/orders"]),
    (0, &["quarantine", "replay", "silver/orders_clean"]),
    (0, &["quarantine", "purge", "bronze/shop/orders"]),
    // No dataset has a model.
    (2, &["linkage", "chart", "people"]),
    (0, &["restore", "gold/by_country", "--version", "0"]),
    (0, &["restore", "bronze/shop/orders", "--version", "0"]),
    (0, &["run", "all"]),
    (
        0,
        &["reset-checkpoint", "--source", "shop", "--table", "booked"],
    ),
    (0, &["run", "all"]),
    (0, &["retention"]),
    // They are in the project.
    (2, &["drop", "gold/by_country", "--yes"]),
    (2, &["rename", "gold/by_country", "gold/other"]),
    (0, &["vacuum", "--keep", "0s"]),
    (0, &["verify"]),
    (0, &["scaffold", "--name", "extra", "--stage", "silver"]),
    // There is no queue.
    (1, &["trigger"]),
    (0, &["schema", "config"]),
    (0, &["completions", "bash"]),
    (0, &["init", "another"]),
];

/// Commands that wait for requests.
const LEFT_OUT: [&str; 2] = ["help", "serve"];

#[test]
fn every_command_works_on_it() {
    let older = Older::new();
    for (code, words) in COMMANDS {
        let said = older.comboi(words);
        let told = format!("comboi {}\n{}\n{}", words.join(" "), said.out, said.err);
        assert_eq!(said.code, Some(*code), "{told}");
        assert!(!told.contains("panicked"), "{told}");
    }
    let tried: BTreeSet<&str> = COMMANDS.iter().map(|(_, words)| words[0]).collect();
    let help = older.comboi(&["--help"]).out;
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let missing: Vec<&str> = listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !tried.contains(name) && !LEFT_OUT.contains(name))
        .collect();
    assert_eq!(missing, Vec::<&str>::new(), "commands without a case here");
}
