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

/// Bronze, a contract from it in which the e-mail address is a pseudonym, its SQL, and the entry that the README has.
fn through_the_readme(world: &World) {
    customers(world);
    world.expect(0, &["run", "bronze"]);
    let contract = "transformations/contracts/customers_clean.yml";
    let from = ["--source", "data/bronze/crm_database/customers.parquet"];
    world.expect(
        0,
        &[&["build"], &from[..], &["--output", contract]].concat(),
    );
    world.write(
        "configs/transformations.yml",
        "silver:\n  - name: customers_clean\n    type: sql\n    inputs:\n      - alias: bronze_customers\n        stage: bronze\n        source_path: \"crm_database/customers.parquet\"\n    quality_checks:\n      - contract:customers_clean\n",
    );
    let sql = [
        "build",
        "--generate-sql",
        "--contract",
        contract,
        "--output",
        "transformations/sql/customers_clean.sql",
    ];
    let said = world.expect(0, &sql);
    assert!(
        said.out.contains("its input is `bronze_customers`"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("note: `email` tells about a person"),
        "{}",
        said.out
    );
    let said = world.expect(2, &["run", "all"]);
    assert!(
        said.err.contains("`email` tells about a person"),
        "{}",
        said.err
    );
    assert!(said.err.contains("customers_clean.yml:"), "{}", said.err);
    let yaml = world.read(contract);
    let (yaml, _) = yaml.split_once("  # Before this is published").unwrap();
    // The pattern of addresses is not one of pseudonyms.
    let yaml: String = yaml
        .lines()
        .filter(|line| !line.contains("@"))
        .map(|line| format!("{line}\n"))
        .collect();
    let yaml = yaml
        .replace(
            "      constraints:\n    - name: country",
            "    - name: country",
        )
        .replace(
            "      constraints:\n        # - unique: true",
            "      # constraints:\n        # - unique: true",
        );
    world.write(
        contract,
        format!("{yaml}  columns:\n    - {{ column: email, handling: hmac }}\n"),
    );
    world.expect(0, &sql);
}

/// `printf user0@example.com | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef`
const PSEUDONYM: &str = "3741b248d7f73dba8710f3821e52372e03bd93ff552f95a7e543633550cb05d0";

fn with_key(world: &World) {
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        format!("{config}privacy:\n  key: \"{{{{env:PSEUDONYM_KEY}}}}\"\n"),
    );
    world.write(".env", "PSEUDONYM_KEY=0123456789abcdef0123456789abcdef\n");
}

#[test]
fn generated_sql_runs_and_keeps_its_contract() {
    let world = World::new();
    through_the_readme(&world);
    let said = world.expect(2, &["run", "all"]);
    assert!(
        said.err.contains("`comboi_hmac` needs a key"),
        "{}",
        said.err
    );
    with_key(&world);
    world.expect(0, &["validate"]);
    world.run();
    let rows = world.rows("customers_clean");
    assert_eq!(rows.len(), 60);
    assert!(
        rows[0].starts_with(&format!("C-0000,{PSEUDONYM},DE,")),
        "{}",
        rows[0]
    );
    let told = [world.read("logs/pipeline.log"), world.files(".").join("\n")].concat();
    assert!(
        !told.contains("0123456789abcdef"),
        "the key stays where it is"
    );

    // The moment of the run is no reason to build it again; a change of the input is.
    let again = world.outcomes(&["run", "all"]);
    assert_eq!(again[1], "silver/customers_clean skipped 0");
    let moments = |world: &World| {
        let mut moments: Vec<String> = world
            .rows("customers_clean")
            .iter()
            .map(|row| row.rsplit(',').next().unwrap().to_owned())
            .collect();
        moments.dedup();
        moments
    };
    let first = moments(&world);
    assert_eq!(first.len(), 1, "one moment for all rows");
    world.write(
        "in/customers/day2.csv",
        "customer_id,email,country,created_at,updated_at\nC-0000, USER0@example.com ,FR,2026-01-01T00:00:00Z,2026-03-01T00:00:00Z\n",
    );
    world.run();
    let rows = world.rows("customers_clean");
    assert_eq!(
        rows.len(),
        60,
        "the later row of the same key takes the place of the earlier one"
    );
    assert!(
        rows[0].starts_with(&format!("C-0000,{PSEUDONYM},FR,")),
        "{}",
        rows[0]
    );
    assert!(moments(&world) > first);
}

#[test]
fn a_contract_that_changes_is_told_until_its_sql_is_written_anew() {
    let world = World::new();
    through_the_readme(&world);
    with_key(&world);
    let sql = "transformations/sql/customers_clean.sql";
    let contract = "transformations/contracts/customers_clean.yml";
    world.write(
        sql,
        world
            .read(sql)
            .replace("SELECT *\nFROM cleaned", "SELECT *, 1 AS one\nFROM cleaned"),
    );
    world.expect(0, &["validate"]);
    let yaml = world.read(contract).replace(
        "name: created_at\n      type: TIMESTAMP WITH TIME ZONE",
        "name: created_at\n      type: DATE",
    );
    world.write(contract, yaml);
    let said = world.expect(2, &["validate"]);
    assert!(
        said.err
            .contains("the line would be `CAST(created_at AS DATE) AS created_at,`")
            && said
                .err
                .contains("transformations/sql/customers_clean.sql:13"),
        "{}",
        said.err
    );
    world.expect(
        0,
        &["contract", "sql", "--contract", contract, "--output", sql],
    );
    assert!(
        world.read(sql).contains("SELECT *, 1 AS one"),
        "{}",
        world.read(sql)
    );
    world.expect(0, &["validate"]);
    world.write(sql, world.read(sql).replace("IS NOT NULL", "IS NULL"));
    let said = world.expect(2, &["validate"]);
    assert!(
        said.err.contains("somebody wrote between the marks"),
        "{}",
        said.err
    );
    let said = world.expect(
        2,
        &["contract", "sql", "--contract", contract, "--output", sql],
    );
    assert!(said.err.contains("was edited"), "{}", said.err);
    world.expect(
        0,
        &[
            "contract",
            "sql",
            "--contract",
            contract,
            "--output",
            sql,
            "--force",
        ],
    );
}

#[test]
fn a_scaffold_works_as_it_stands() {
    let world = World::new();
    customers(&world);
    world.write(
        "configs/transformations.yml",
        "# what is built\nsilver:\n  # nothing yet\n",
    );
    world.expect(
        0,
        &[
            "scaffold",
            "--name",
            "my_transformation",
            "--type",
            "sql",
            "--stage",
            "silver",
            "--contract",
        ],
    );
    world.expect(
        0,
        &[
            "scaffold",
            "--name",
            "my_dataset",
            "--contract-only",
            "--stage",
            "silver",
        ],
    );
    world.expect(0, &["run", "bronze"]);
    let said = world.expect(
        0,
        &[
            "scaffold",
            "--name",
            "countries",
            "--stage",
            "gold",
            "--input",
            "crm_database/customers",
        ],
    );
    assert!(
        said.out
            .contains("wrote its entry into configs/transformations.yml"),
        "{}",
        said.out
    );
    world.expect(0, &["validate"]);
    world.run();
    assert_eq!(world.rows("countries").len(), 60);
    assert_eq!(world.rows("my_transformation").len(), 1);
    assert!(
        world
            .read("configs/transformations.yml")
            .starts_with("# what is built\nsilver:\n  - name: my_transformation\n")
    );
    let said = world.expect(2, &["scaffold", "--name", "countries", "--stage", "gold"]);
    assert!(said.err.contains("is there already"), "{}", said.err);
    // With a contract of its own: columns, keys and query come from the input.
    world.expect(
        0,
        &[
            "scaffold",
            "--name",
            "people",
            "--stage",
            "silver",
            "--contract",
            "--input",
            "crm_database/customers",
        ],
    );
    assert!(
        world
            .read("transformations/contracts/people.yml")
            .contains("allowed_values: [AT, DE, FR]")
    );
    assert!(
        world
            .read("transformations/sql/people.sql")
            .contains("FROM customers\n")
    );
}

const CONTRACT: &str = "transformations/contracts/orders_clean.yml";

#[test]
fn a_change_that_breaks_readers_is_published_only_with_a_version_that_says_so() {
    let world = World::small();
    world.run();
    let before = world.read(CONTRACT);
    world.write("v1.yml", &before);
    let sql = "transformations/sql/orders_clean.sql";
    world.write(sql, "SELECT id, day FROM orders\n");
    world.write(
        "transformations/sql/daily.sql",
        "SELECT day FROM orders_clean GROUP BY day\n",
    );
    let (without, _) = before.split_once("    - name: amount").unwrap();
    world.write(CONTRACT, without);

    let files = world.files("data/silver");
    let report = world.json(&["run", "all"]);
    let failure = &report["tasks"][1]["failure"];
    assert_eq!(failure["kind"], "contract", "{report:#}");
    let message = failure["message"].as_str().unwrap();
    assert_eq!(
        message,
        "contract `orders_clean` breaks what readers of the published version were promised, and its version still is 1.0.0: column `amount` is gone; give it version 2.0.0, or take the change back; nothing was written"
    );
    assert_eq!(world.files("data/silver"), files);
    assert_eq!(world.comboi(&["run", "all"]).code, Some(3));
    let said = world.expect(2, &["validate"]);
    assert!(said.err.contains("orders_clean.yml:1:10"), "{}", said.err);

    let said = world.expect(3, &["contract", "diff", CONTRACT]);
    assert_eq!(
        said.out,
        "breaking    major  column `amount` is gone\n\nThis demands a major version; it goes from 1.0.0 to 1.0.0, which is not enough: 2.0.0 at least.\n"
    );
    assert_eq!(
        world
            .expect(3, &["contract", "diff", "v1.yml", CONTRACT])
            .out,
        said.out
    );
    assert_eq!(
        world
            .expect(3, &["contract", "diff", "orders_clean", CONTRACT])
            .out,
        said.out
    );
    let json = world.json(&["contract", "diff", CONTRACT]);
    assert_eq!(json["breaking"], true);
    assert_eq!(json["least_version"], "2.0.0");

    world.write(CONTRACT, without.replace("1.0.0", "2.0.0"));
    world.expect(0, &["contract", "diff", CONTRACT]);
    world.expect(0, &["validate"]);
    world.run();
    let versions = world.json(&["contract", "versions", "orders_clean"]);
    let versions: Vec<&str> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["version"].as_str().unwrap())
        .collect();
    assert_eq!(versions, ["2.0.0", "1.0.0"]);
    world.expect(0, &["contract", "diff", CONTRACT]);
}

#[test]
fn what_breaks_nobody_needs_a_version_only_where_it_is_strict() {
    let world = World::small();
    world.run();
    let before = world.read(CONTRACT);
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount, 1 AS one, 2 AS two FROM orders WHERE amount IS NOT NULL\n",
    );
    let listed = format!("{before}    - name: one\n      type: INTEGER\n");
    world.write(CONTRACT, &listed);
    let said = world.expect(0, &["run", "all"]);
    assert!(said.out.contains("two_expected"), "{}", said.out);

    // Strict: what is not listed is an error, and what is new needs a version.
    world.write(
        CONTRACT,
        format!("{listed}    - name: two\n      type: INTEGER\nevolution: {{ mode: strict }}\n"),
    );
    let said = world.expect(3, &["run", "all"]);
    assert!(
        said.out.contains("differs from the published version")
            && said.out.contains("column `two` (INTEGER) is new"),
        "{}",
        said.out
    );
    world.write(
        CONTRACT,
        format!(
            "{}evolution: {{ mode: strict }}\n",
            listed.replace("1.0.0", "1.1.0")
        ),
    );
    let said = world.expect(3, &["run", "all"]);
    assert!(
        said.out
            .contains("two_expected: failed (error): the contract has no column `two`"),
        "{}",
        said.out
    );

    // Auto: what is not listed is published and told.
    world.write(CONTRACT, format!("{listed}evolution: {{ mode: auto }}\n"));
    let said = world.expect(0, &["run", "all"]);
    assert!(!said.out.contains("two_expected"), "{}", said.out);
    assert!(
        said.out
            .contains("published too, though contract `orders_clean` does not list it: `two`"),
        "{}",
        said.out
    );
}

#[test]
fn deprecated_columns_are_told_where_they_are_made_and_where_they_are_read() {
    let world = World::small();
    let contract = world.read(CONTRACT).replace(
        "      type: DECIMAL(12,2)\n",
        "      type: DECIMAL(12,2)\n      deprecated: since 1.1\n      replacement: id\n",
    );
    world.write(CONTRACT, contract);
    let said = world.run();
    assert!(
        said.out
            .contains("`amount` is deprecated (since 1.1); use `id`"),
        "{}",
        said.out
    );
    assert!(
        said.out
            .contains("its query reads `orders_clean.amount`, which is deprecated"),
        "{}",
        said.out
    );
}

#[test]
fn an_excluded_column_is_not_published() {
    let world = World::small();
    world.write(
        CONTRACT,
        format!(
            "{}privacy:\n  columns: [{{ column: secret, handling: exclude }}]\n",
            world.read(CONTRACT)
        ),
    );
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount, 'x' AS Secret FROM orders\n",
    );
    let report = world.json(&["run", "all"]);
    let text = report.to_string();
    assert!(
        text.contains("`secret` is excluded by the contract, and the query returns it"),
        "{report:#}"
    );
    assert!(
        world
            .files("data/silver")
            .iter()
            .all(|file| !file.ends_with(".parquet"))
    );
}

const DOCUMENT: &str = "\
apiVersion: v3.0.2
kind: DataContract
id: 53581432-6c55-4ba2-a65f-72344a91553a
version: 1.1.0
status: active
domain: seller
schema:
  - name: Payments
    businessName: Core payment metrics
    properties:
      - name: id
        logicalType: integer
        required: true
        unique: true
      - name: amount
        logicalType: number
        logicalTypeOptions: { minimum: 0 }
    quality:
      - name: enough
        rule: rowCount
        mustBeGreaterOrEqualTo: 2
      - name: theirs
        type: custom
        engine: soda
        implementation: duplicate_percent(id) < 1
  - name: Other
    properties: []
";

#[test]
fn a_document_of_the_standard_is_a_contract() {
    let world = World::new();
    world.write("payments.odcs.yaml", DOCUMENT);
    world.write("good.csv", "id,amount\n1,5.5\n2,0\n");
    world.write("bad.csv", "id,amount\n1,-5.5\n");
    let hold = |data: &str, code: i32| {
        let words = [
            "validate-contract",
            "--contract",
            "payments.odcs.yaml",
            "--object",
            "Payments",
            "--data",
            data,
        ];
        world.expect(code, &words).out
    };
    assert!(
        hold("good.csv", 0).contains("5 of 5 rules passed"),
        "{}",
        hold("good.csv", 0)
    );
    let told = hold("bad.csv", 3);
    assert!(
        told.contains("amount_min_value: failed")
            && told.contains("enough: failed")
            && told.contains("  at payments.odcs.yaml\n")
            && told.contains("note: `theirs` (soda) is not checked"),
        "{told}"
    );
    // An object without columns: whatever comes is fine.
    let other = [
        "validate-contract",
        "--contract",
        "payments.odcs.yaml",
        "--object",
        "Other",
    ];
    let other = world.expect(0, &[&other[..], &["--data", "good.csv"]].concat());
    assert!(other.out.contains("rules passed"), "{}", other.out);
    let which = [
        "validate-contract",
        "--contract",
        "payments.odcs.yaml",
        "--data",
        "good.csv",
    ];
    let said = world.expect(2, &which);
    assert!(
        said.err
            .contains("say which object is meant: Payments, Other"),
        "{}",
        said.err
    );

    let import = [
        "contract",
        "import",
        "payments.odcs.yaml",
        "--object",
        "Payments",
        "--output",
        "payments.yml",
    ];
    let said = world.expect(0, &import);
    assert!(
        said.out.contains("note: `theirs` (soda) is not checked"),
        "{}",
        said.out
    );
    let export = ["contract", "export", "payments.yml", "--output", "out.json"];
    world.expect(0, &export);
    // The document as another program reads it, number for number and key for key.
    world.expect(
        0,
        &[
            "contract",
            "export",
            "payments.yml",
            "--output",
            "out.odcs.yaml",
        ],
    );
    let again = [
        "contract",
        "import",
        "out.odcs.yaml",
        "--object",
        "Payments",
        "--output",
        "again.yml",
    ];
    world.expect(0, &again);
    world.expect(
        0,
        &["contract", "export", "again.yml", "--output", "again.json"],
    );
    assert_eq!(world.read("again.json"), world.read("out.json"));
    let out: serde_json::Value = serde_json::from_str(&world.read("out.json")).unwrap();
    assert_eq!(out["apiVersion"], "v3.0.2");
    assert_eq!(out["domain"], "seller");
    assert_eq!(out["schema"][0]["quality"][1]["engine"], "soda");
    assert_eq!(out["schema"][1]["name"], "Other");
}
