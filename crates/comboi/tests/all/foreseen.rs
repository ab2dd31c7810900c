//! What is known before a run: `validate` finds mistakes of all kinds at once, with and without a lake, and `plan` ends as `run` would.

use serde_json::Value;

use crate::world::{SMALL_CONFIG, SMALL_CONTRACT, SMALL_TRANSFORMATIONS, World};

/// A change to a small project that has been run, and how `plan` and `run` of the stages then end.
struct Mistake {
    name: &'static str,
    make: fn(&World),
    stage: &'static str,
    code: i32,
    /// What `plan` says about it.
    says: &'static str,
}

const MISTAKES: [Mistake; 10] = [
    Mistake {
        name: "an unknown key in the configuration",
        make: |world| {
            world.write(
                "configs/default.yml",
                format!("{SMALL_CONFIG}\nnonsense: 1\n"),
            );
        },
        stage: "all",
        code: 2,
        says: "unknown key `nonsense`",
    },
    Mistake {
        name: "a query that is not one SELECT",
        make: |world| {
            world.write(
                "transformations/sql/daily.sql",
                "DELETE FROM orders_clean\n",
            );
        },
        stage: "all",
        code: 2,
        says: "transformations/sql/daily.sql",
    },
    Mistake {
        name: "a rule whose SQL does not parse",
        make: |world| {
            contract(
                world,
                "  - {name: odd, type: expression, expression: 'amount >'}\n",
            );
        },
        stage: "all",
        code: 2,
        says: "odd",
    },
    Mistake {
        name: "a column that no input has",
        make: |world| {
            world.write(
                "transformations/sql/daily.sql",
                "SELECT day, sum(amuont) AS amount FROM orders_clean GROUP BY day\n",
            );
        },
        stage: "all",
        code: 1,
        says: "amuont",
    },
    Mistake {
        name: "a type that the query does not return",
        make: |world| {
            let contract = SMALL_CONTRACT.replace("type: DATE", "type: TIMESTAMP");
            let contract = contract.replace("1.0.0", "2.0.0");
            world.write("transformations/contracts/orders_clean.yml", contract);
        },
        stage: "all",
        code: 3,
        says: "`day` is DATE, not TIMESTAMP",
    },
    Mistake {
        name: "a column that the contract has and the query does not return",
        make: |world| {
            world.write(
                "transformations/sql/orders_clean.sql",
                "SELECT id, day FROM orders\n",
            );
        },
        stage: "silver",
        code: 3,
        says: "`amount`",
    },
    Mistake {
        name: "a rule about a column that is not there",
        make: |world| {
            contract(
                world,
                "  - {name: odd, type: expression, expression: 'amuont > 0'}\n",
            );
        },
        stage: "all",
        code: 3,
        says: "there is no column `amuont`",
    },
    Mistake {
        name: "the same rule as a warning",
        make: |world| {
            contract(
                world,
                "  - {name: odd, type: expression, expression: 'amuont > 0', severity: warning}\n",
            );
        },
        stage: "all",
        code: 0,
        says: "there is no column `amuont`",
    },
    Mistake {
        name: "files that are not there",
        make: |world| std::fs::remove_dir_all(world.path("in")).unwrap(),
        stage: "all",
        code: 1,
        says: "would fail",
    },
    Mistake {
        name: "an input that was never built",
        make: |world| {
            world.write(
                "configs/transformations.yml",
                format!("{SMALL_TRANSFORMATIONS}  - {{name: other, inputs: [more]}}\n").replace(
                    "silver:\n",
                    "silver:\n  - {name: more, inputs: [shop/orders]}\n",
                ),
            );
            world.write("transformations/sql/more.sql", "SELECT id FROM orders\n");
            world.write("transformations/sql/other.sql", "SELECT id FROM more\n");
        },
        stage: "gold",
        code: 1,
        says: "`silver/more`, which is not in the lake",
    },
];

fn contract(world: &World, rule: &str) {
    let text = format!("{SMALL_CONTRACT}\nquality_rules:\n{rule}");
    world.write("transformations/contracts/orders_clean.yml", text);
}

#[test]
fn a_plan_ends_as_the_run_after_it() {
    let good = World::small();
    good.run();
    for mistake in &MISTAKES {
        let world = good.copy();
        (mistake.make)(&world);
        let plan = world.comboi(&["plan", mistake.stage]);
        let run = world.comboi(&["run", mistake.stage]);
        let said = format!(
            "{}\n{}\n{}\n{}{}",
            mistake.name, plan.out, plan.err, run.out, run.err
        );
        assert_eq!(
            (plan.code, run.code),
            (Some(mistake.code), Some(mistake.code)),
            "{said}"
        );
        assert!(
            format!("{}{}", plan.out, plan.err).contains(mistake.says),
            "{said}"
        );
    }
}

/// The contract that was published had a column more, which breaks who reads it.
#[test]
fn a_plan_knows_of_broken_promises_as_the_run_does() {
    let world = World::small();
    world.run();
    let (fewer, _) = SMALL_CONTRACT.split_once("    - name: amount").unwrap();
    world.write("transformations/contracts/orders_clean.yml", fewer);
    let plan = world.expect(3, &["plan", "silver"]);
    assert!(plan.out.contains("breaks what readers"), "{}", plan.out);
    assert!(plan.out.contains("1 task that would fail"), "{}", plan.out);
    world.expect(0, &["plan", "silver", "--fail-on", "never"]);
    let told = world.json(&["plan", "silver"]);
    assert_eq!(told["tasks"][0]["failure_kind"], "contract", "{told}");
    world.expect(3, &["run", "silver"]);
}

/// The column may come with the files that are new, so the plan only warns; and it does come.
#[test]
fn a_column_that_may_still_come_is_a_warning() {
    let world = World::small();
    world.run();
    world.write(
        "in/orders/day2.csv",
        "id,day,amount,note\n3,2024-05-02,1.00,x\n",
    );
    let sql = "SELECT day, sum(amount) AS amount, max(note) AS note FROM all_orders GROUP BY day\n";
    world.write("transformations/sql/daily.sql", sql);
    let transformations = SMALL_TRANSFORMATIONS
        .split("gold:")
        .next()
        .unwrap()
        .to_owned();
    let gold = "gold:\n  - {name: daily, inputs: [{alias: all_orders, dataset: shop/orders}]}\n";
    world.write("configs/transformations.yml", transformations + gold);
    let plan = world.expect(0, &["plan"]);
    assert!(
        plan.out
            .contains("would fail if bronze/shop/orders has the columns that it had"),
        "{}",
        plan.out
    );
    world.expect(3, &["plan", "--fail-on", "warning"]);
    world.run();
}

fn messages(told: &Value) -> Vec<&str> {
    let problems = told["problems"].as_array().unwrap();
    problems
        .iter()
        .map(|problem| problem["message"].as_str().unwrap())
        .collect()
}

#[test]
fn mistakes_of_all_kinds_are_found_at_once() {
    let world = World::small();
    world.run();
    world.write(
        "configs/default.yml",
        format!("{SMALL_CONFIG}\nnonsense: 1\n"),
    );
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amuont AS amount FROM orders\n",
    );
    world.write(
        "transformations/sql/daily.sql",
        "SELECT day FROM orders_clean WHERE\n",
    );
    contract(
        &world,
        "  - {name: odd, type: expresion, expression: 'amount > 0'}\n",
    );
    let told = world.json(&["validate"]);
    let messages = messages(&told);
    for part in ["nonsense", "amuont", "syntax error", "expresion"] {
        assert!(
            messages.iter().any(|it| it.contains(part)),
            "{part}: {messages:?}"
        );
    }
    assert_eq!(messages.len(), 4, "{messages:?}");
}

/// What depends on the entry that has a mistake gives no second one.
#[test]
fn one_mistake_is_not_said_twice() {
    let world = World::small();
    world.run();
    for (what, with) in [
        (
            "source_path: shop/orders.parquet",
            "source_path: shop/oders.parquet",
        ),
        ("alias: orders\n", "alias: 5-5\n"),
        ("inputs:", "input:"),
    ] {
        let changed = SMALL_TRANSFORMATIONS.replacen(what, with, 1);
        assert_ne!(changed, SMALL_TRANSFORMATIONS, "{what}");
        world.write("configs/transformations.yml", changed);
        let told = world.json(&["validate"]);
        assert_eq!(messages(&told).len(), 1, "{with}: {told}");
    }
}

#[test]
fn a_clone_without_a_lake_knows_columns_by_the_file_of_schemas() {
    let world = World::small();
    let before = world.expect(0, &["validate"]);
    assert!(before.out.contains("not known yet"), "{}", before.out);
    world.run();
    let said = world.expect(0, &["validate", "--update-schemas"]);
    assert!(said.out.contains("schemas.yml is written"), "{}", said.out);
    let said = world.expect(0, &["validate", "--update-schemas"]);
    assert!(
        said.out.contains("schemas.yml is up to date"),
        "{}",
        said.out
    );
    let schemas = world.read("transformations/schemas.yml");
    assert!(
        schemas.contains(
            "bronze/shop/orders:\n  id: BIGINT\n  day: DATE\n  amount: \"DECIMAL(12,2)\""
        ),
        "{schemas}"
    );
    assert!(!schemas.contains("2024"), "no values: {schemas}");

    let clone = world.copy();
    std::fs::remove_dir_all(clone.path("data")).unwrap();
    let said = clone.expect(0, &["validate"]);
    assert!(
        said.out
            .contains("of 1 table from transformations/schemas.yml"),
        "{}",
        said.out
    );
    clone.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amuont AS amount FROM orders\n",
    );
    let said = clone.expect(2, &["validate"]);
    assert!(
        said.err.contains("amuont") && said.err.contains("orders_clean.sql:1:17"),
        "{}",
        said.err
    );

    // The lake has the last word, and where the file differs is said.
    let text = schemas.replace("amount:", "total:");
    world.write("transformations/schemas.yml", &text);
    let said = world.expect(0, &["validate"]);
    assert!(
        said.out.contains("transformations/schemas.yml:"),
        "{}",
        said.out
    );
    assert!(
        said.out.contains("`amount` is new") && said.out.contains("there is no `total`"),
        "{}",
        said.out
    );
    world.expect(3, &["validate", "--fail-on", "warning"]);

    // A conflict of two branches is a mistake, until the file is written anew.
    world.write(
        "transformations/schemas.yml",
        format!("<<<<<<< ours\n{text}"),
    );
    world.expect(2, &["validate"]);
    world.expect(0, &["validate", "--update-schemas"]);
    assert_eq!(world.read("transformations/schemas.yml"), schemas);
}

/// Without a lake and without the file, the contract of an input says which columns it has.
#[test]
fn contracts_make_columns_known() {
    let world = World::small();
    let sql = "SELECT day, sum(amuont) AS amount FROM orders_clean GROUP BY day\n";
    world.write("transformations/sql/daily.sql", sql);
    let said = world.expect(2, &["validate"]);
    assert!(said.err.contains("amuont"), "{}", said.err);
}

/// There is nothing else that knows what it lists.
#[test]
fn a_file_of_schemas_that_can_not_be_read_is_not_emptied() {
    let world = World::small();
    let text = "bronze/shop/orders: {id: BIGNIT}\n";
    world.write("transformations/schemas.yml", text);
    let said = world.expect(2, &["validate", "--update-schemas"]);
    assert!(said.err.contains("BIGNIT"), "{}", said.err);
    assert_eq!(world.read("transformations/schemas.yml"), text);
}

#[test]
fn a_column_that_the_contract_does_not_list_is_a_warning() {
    let world = World::small();
    world.run();
    let sql = "SELECT id, day, amount, 1 AS extra FROM orders\n";
    world.write("transformations/sql/orders_clean.sql", sql);
    for words in [&["validate"][..], &["plan"], &["run", "all"]] {
        let said = world.expect(0, words);
        assert!(said.out.contains("`extra`"), "{words:?}: {}", said.out);
    }
    world.write(
        "transformations/sql/orders_clean.sql",
        sql.replace("1 AS", "2 AS"),
    );
    for words in [&["validate"][..], &["plan"], &["run", "all"]] {
        world.expect(3, &[words, &["--fail-on", "warning"]].concat());
    }
}

/// A table without columns could be read by nobody, and nothing could be added to it.
#[test]
fn a_table_begins_with_its_first_column() {
    let world = World::small();
    let config = SMALL_CONFIG.replace("path: in\n", "path: in\n    metadata_columns: false\n");
    let (config, _) = config.split_once("        columns:").unwrap();
    world.write("configs/default.yml", config);
    world.write("in/orders/day1.csv", "");
    world.expect(0, &["run", "bronze"]);
    world.write("in/orders/day2.csv", "id,day,amount\n1,2024-05-01,7\n");
    world.expect(0, &["plan", "bronze"]);
    world.expect(0, &["run", "bronze"]);
    assert_eq!(world.rows("orders"), ["1,2024-05-01,7"]);
    world.expect(0, &["verify"]);
}

#[test]
fn files_that_nothing_uses_are_warned_of() {
    let world = World::small();
    world.write("transformations/sql/old.sql", "SELECT 1 AS one\n");
    world.write(
        "transformations/contracts/old.yml",
        SMALL_CONTRACT.replace("orders_clean", "old"),
    );
    let told = world.json(&["validate"]);
    let warnings = told["warnings"].as_array().unwrap();
    let files: Vec<&str> = warnings
        .iter()
        .map(|it| it["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        [
            "transformations/contracts/old.yml",
            "transformations/sql/old.sql"
        ],
        "{told}"
    );
    // Another configuration of the folder may use them.
    world.write(
        "configs/nightly-transformations.yml",
        "silver: [{name: old}]\n",
    );
    assert_eq!(world.json(&["validate"])["warnings"], serde_json::json!([]));
}

/// A project that was just made knows its columns before it has a lake, and they are those that it gets.
#[test]
fn a_new_project_knows_its_columns() {
    let world = World::new();
    world.expect(0, &["init"]);
    let said = world.expect(0, &["validate"]);
    assert!(
        said.out
            .contains("of 1 table from transformations/schemas.yml"),
        "{}",
        said.out
    );
    let before = world.read("transformations/schemas.yml");
    world.run();
    let said = world.expect(0, &["validate", "--update-schemas"]);
    assert!(said.out.contains("is up to date"), "{}", said.out);
    assert_eq!(world.read("transformations/schemas.yml"), before);
}

#[test]
fn an_empty_file_makes_no_contract() {
    let world = World::new();
    world.write("empty.csv", "");
    let said = world.expect(2, &["contract", "new", "--source", "empty.csv"]);
    assert!(said.err.contains("empty.csv"), "{}", said.err);
    assert_eq!(said.out, "");
}
