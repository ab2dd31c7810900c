//! Contracts that comboi writes, and what it makes of them.

use crate::postgres::{Shop, table};
use crate::world::World;

/// Customers as a shop delivers them: by hand, so that what is inferred can be seen to be right.
fn customers(world: &World) {
    let mut text = String::from("customer_id,email,country,created_at,updated_at\n");
    for i in 0..60 {
        let country = ["DE", "FR", "AT"][i % 3];
        text += &format!(
            "C-{i:04},user{i}@example.com,{country},2026-01-01T00:00:00Z,2026-02-01T10:{i:02}:00Z\n"
        );
    }
    world.write("in/customers/day1.csv", text);
    world.write(
        "configs/default.yml",
        "sources:\n  - name: crm_database\n    type: files\n    path: in\n    tables:\n      - name: customers\n        files: \"customers/*.csv\"\nstages:\n  bronze:\n    local_path: data/bronze\n",
    );
}

#[test]
fn the_commands_of_the_prototype_work_with_comboi_build() {
    let world = World::new();
    customers(&world);
    world.expect(0, &["run", "bronze"]);
    let contract = "transformations/contracts/customers_clean.yml";
    world.expect(
        0,
        &[
            "build",
            "--source",
            "data/bronze/crm_database/customers.parquet",
            "--output",
            contract,
            "--dataset",
            "customers_clean",
            "--stage",
            "silver",
            "--owner",
            "data-team",
            "--description",
            "Cleansed customer data with GDPR compliance",
        ],
    );
    let text = world.read(contract);
    for part in [
        "dataset: customers_clean",
        "description: Cleansed customer data with GDPR compliance",
        "- unique: true  # a different value in each of 60 rows",
        "- allowed_values: [AT, DE, FR]  # 60 values have no other",
        "pii_columns: [email]",
        "column: updated_at",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("_comboi_"), "{text}");
    world.expect(0, &["build", "--validate-contract", "--contract", contract]);
    world.expect(
        0,
        &[
            "validate-contract",
            "--contract",
            contract,
            "--data",
            "crm_database/customers",
        ],
    );
    world.expect(
        0,
        &[
            "build",
            "--validate-contract",
            "--contract",
            contract,
            "--source",
            "in/customers/day1.csv",
        ],
    );
}

#[test]
fn a_contract_that_is_there_is_written_over_only_when_asked_to() {
    let world = World::new();
    customers(&world);
    world.write("mine.yml", "mine");
    let words = [
        "contract",
        "new",
        "--source",
        "in/customers/day1.csv",
        "--output",
        "mine.yml",
    ];
    let said = world.expect(2, &words);
    assert_eq!(
        said.err,
        "error: `mine.yml` is there already; `--force` writes over it\n"
    );
    assert_eq!(world.read("mine.yml"), "mine");
    let forced = [&words[..], &["--force"]].concat();
    world.expect(0, &forced);
    assert!(world.read("mine.yml").contains("dataset: mine\n"));
    assert_eq!(world.files(".").len(), 3, "{:?}", world.files("."));
}

#[test]
fn what_can_not_be_made_a_contract_is_said() {
    let world = World::new();
    let said = world.expect(2, &["contract", "new"]);
    assert!(
        said.err.contains("say what the contract is made from"),
        "{}",
        said.err
    );
    let said = world.expect(2, &["contract", "new", "--source", "nothing.csv"]);
    assert!(
        said.err.contains("`nothing.csv` is no file"),
        "{}",
        said.err
    );
    world.write("a.csv", "x\n1\n");
    let said = world.expect(2, &["build", "--source", "a.csv", "--output", "17.yml"]);
    assert!(
        said.err.contains("give it one with `--dataset`"),
        "{}",
        said.err
    );
    let said = world.expect(2, &["build", "--contract", "a.yml"]);
    assert!(said.err.contains("say what to do with it"), "{}", said.err);
}

#[test]
fn a_table_of_a_database_tells_its_keys_and_what_is_never_null() {
    let shop = Shop::new(
        "CREATE TABLE \"Order Items\" (order_id int, line int, note text, amount numeric(10,2) NOT NULL, PRIMARY KEY (order_id, line));
         INSERT INTO \"Order Items\" SELECT i / 3, i % 3, NULL, i FROM generate_series(0, 299) i;
         CREATE TABLE log (id int)",
        &table(&["log"]),
    );
    let url = shop.database.url();
    let made = |connection: &str| {
        let words = [
            "build",
            "--connection",
            connection,
            "--table",
            "public.\"Order Items\"",
            "--dataset",
            "items",
        ];
        shop.world.expect(0, &words).out
    };
    let text = made(&url);
    for part in [
        "# Inferred from table public.\"Order Items\" (300 rows).",
        "type: DECIMAL(10,2)\n      nullable: false  # the database declares it NOT NULL",
        "columns: [order_id, line]",
        "# the database declares them the primary key",
        "nullable: true  # 300 of 300 rows are NULL",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert_eq!(made("shop"), text, "by the name of a source");
    let before = shop.world.files(".");
    let words = ["build", "--connection", &url, "--table", "orderitems"];
    let said = shop.world.expect(2, &words);
    assert!(
        said.err.contains("there is no table `orderitems`"),
        "{}",
        said.err
    );
    let few = [
        "contract",
        "new",
        "--connection",
        "shop",
        "--table",
        "Order Items",
        "--sample-rows",
        "30",
    ];
    let said = shop.world.expect(0, &few);
    assert!(
        said.out.contains("(30 rows; there are more)"),
        "{}",
        said.out
    );
    assert_eq!(
        shop.world.files("."),
        before,
        "nothing is left in the project"
    );
}
