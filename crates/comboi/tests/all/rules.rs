//! Rules of contracts, and the rows that they set aside.

use crate::world::World;

const CONTRACT: &str = "\
version: \"1.0.0\"
dataset: orders_clean
schema:
  columns:
    - { name: id, type: BIGINT, nullable: false, constraints: { unique: true } }
    - { name: day, type: DATE }
    - { name: amount, type: 'DECIMAL(12,2)' }
quality_rules:
  - { name: not_tiny, type: range, column: amount, min_value: 2, action: quarantine }
  - { name: known_day, type: foreign_key, column: day, dataset: days, action: quarantine }
  - { name: steady, type: row_count_change, unit: rows, must_be_greater_or_equal_to: -1 }
  - { name: many, type: volume, min_rows: 100, severity: warning }
quarantine: { max_rows: 2 }
";

/// Orders are held against a table of days; one is too small, one has a day that nobody knows.
fn shop() -> World {
    let world = World::new();
    world.write(
        "configs/default.yml",
        "name: shop
sources:
  - name: shop
    type: files
    path: in
    tables:
      - { name: orders, files: 'orders/*.csv', columns: { id: BIGINT, day: DATE, amount: 'DECIMAL(12,2)' } }
      - { name: days, files: 'days.csv', columns: { day: DATE } }
",
    );
    world.write(
        "configs/transformations.yml",
        "silver:
  - { name: orders_clean, inputs: [shop/orders], quality_checks: ['contract:orders_clean'] }
  - { name: days, inputs: [{ alias: d, dataset: shop/days }] }
gold:
  - { name: daily, inputs: [orders_clean] }
",
    );
    world.write("transformations/contracts/orders_clean.yml", CONTRACT);
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, amount FROM orders\n",
    );
    world.write("transformations/sql/days.sql", "SELECT day FROM d\n");
    world.write(
        "transformations/sql/daily.sql",
        "SELECT day, count(*) AS orders FROM orders_clean GROUP BY day\n",
    );
    world.write("in/days.csv", "day\n2024-05-01\n");
    world.write(
        "in/orders/a.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,1.50\n3,2024-05-02,20.00\n",
    );
    world
}

#[test]
fn rows_aside_are_told_replayed_and_purged() {
    let world = shop();
    // A bare name that source and silver share has to say which.
    let said = world.expect(2, &["validate"]);
    assert!(said.err.contains("`days` may be"), "{}", said.err);
    let path = "transformations/contracts/orders_clean.yml";
    world.write(
        path,
        CONTRACT.replace("dataset: days", "dataset: silver/days"),
    );
    world.expect(0, &["validate"]);
    let said = world.run();
    assert!(
        said.out.contains(
            "not_tiny: failed (warning, quarantine): 1 row: `amount` is less than 2 (3 rows)"
        ),
        "{}",
        said.out
    );
    assert_eq!(world.rows("orders_clean"), ["1,2024-05-01,10.00"]);
    assert_eq!(world.rows("daily"), ["2024-05-01,1"]);

    let listed = world.json(&["quarantine", "ls"]);
    assert_eq!(listed[0]["dataset"], "silver/orders_clean");
    assert_eq!(
        listed[0]["rules"],
        serde_json::json!({ "known_day": 1, "not_tiny": 1 })
    );
    let shown = world.json(&["quarantine", "show", "orders_clean"]);
    let rows = shown["rows"].as_array().unwrap();
    let rows: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}", row[0].as_str().unwrap(), row[3].as_str().unwrap()))
        .collect();
    assert!(
        rows.contains(&"2 [not_tiny]".to_owned()) && rows.contains(&"3 [known_day]".to_owned())
    );

    // The day arrives: what is held against it is checked again, without being asked.
    world.write("in/days2.csv", "day\n2024-05-02\n");
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        config.replace("'days.csv'", "'days*.csv'"),
    );
    world.run();
    assert_eq!(
        world.rows("orders_clean"),
        ["1,2024-05-01,10.00", "3,2024-05-02,20.00"]
    );
    // The query is mended, and what is aside is replayed.
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, greatest(amount, 2.00)::DECIMAL(12,2) AS amount FROM orders\n",
    );
    let said = world.expect(0, &["quarantine", "replay", "orders_clean"]);
    assert!(said.out.contains("silver/orders_clean"), "{}", said.out);
    assert_eq!(world.rows("orders_clean").len(), 3);
    assert_eq!(world.json(&["quarantine", "ls"]), serde_json::json!([]));
    let said = world.expect(0, &["quarantine", "replay", "orders_clean"]);
    assert!(said.out.contains("nothing to replay"), "{}", said.out);

    // Too many: nothing is published, and nothing goes aside.
    world.write(
        "in/orders/b.csv",
        "id,day,amount\n4,2023-01-01,5.00\n5,2023-01-01,5.00\n6,2023-01-01,5.00\n",
    );
    let said = world.expect(3, &["run", "all"]);
    assert!(
        said.out.contains("3 rows set aside, 2 rows may be"),
        "{}",
        said.out
    );
    assert_eq!(world.rows("orders_clean").len(), 3);

    // Purged is purged.
    world.write(
        path,
        CONTRACT
            .replace("dataset: days", "dataset: silver/days")
            .replace("max_rows: 2", "max_rows: 3"),
    );
    world.run();
    let said = world.expect(0, &["quarantine", "purge", "orders_clean"]);
    assert!(said.out.contains("3 rows forgotten"), "{}", said.out);
    world.run();
    assert_eq!(world.json(&["quarantine", "ls"]), serde_json::json!([]));
    // What was measured is kept, as a table like any other.
    let verdicts = world.rows("_comboi/verdicts").join("\n");
    assert!(
        verdicts
            .contains("range,quarantine,3,33.333333,1.0,must be 0 rows,`amount` is less than 2"),
        "{verdicts}"
    );
}

#[test]
fn rows_aside_may_be_a_share_and_growth_a_promise() {
    let world = shop();
    let contract = CONTRACT
        .replace("dataset: days", "dataset: silver/days")
        .replace("max_rows: 2", "max_percent: 30");
    world.write("transformations/contracts/orders_clean.yml", &contract);
    // Two of three rows are too many.
    let said = world.expect(3, &["run", "all"]);
    assert!(
        said.out
            .contains("66.67 percent set aside, 30 percent may be"),
        "{}",
        said.out
    );
    world.expect(1, &["show", "orders_clean"]);
    // Two of seven are not.
    let orders = |ids: std::ops::Range<u32>| {
        let rows = ids.map(|id| format!("{id},2024-05-01,10.00\n"));
        format!("id,day,amount\n{}", rows.collect::<String>())
    };
    world.write("in/orders/b.csv", orders(11..15));
    world.run();
    assert_eq!(world.rows("orders_clean").len(), 5);

    // Half as many again are promised for each version: six of five rows keep readers on the last one, eight do not.
    let growing = format!("{contract}sla:\n  completeness: {{ expected_growth_rate: 0.5 }}\n");
    world.write("transformations/contracts/orders_clean.yml", growing);
    world.write("in/orders/c.csv", orders(21..22));
    let said = world.expect(3, &["run", "all"]);
    assert!(said.out.contains("sla_growth: failed"), "{}", said.out);
    assert_eq!(world.rows("orders_clean").len(), 5);
    world.write("in/orders/d.csv", orders(31..33));
    world.run();
    assert_eq!(world.rows("orders_clean").len(), 8);
}

#[test]
fn verdicts_are_told_to_machines() {
    let world = shop();
    let contract = "c.yml";
    world.write(
        contract,
        "dataset: orders\nschema: { columns: [{ name: id, type: BIGINT }], extra_columns: [day, amount] }\nquality_rules:\n  - { name: few, type: volume, max_rows: 2, severity: warning }\n  - { name: one, type: expression, expression: id < 3, description: x }\n",
    );
    world.write("in/orders/b.csv", "id,day,amount\n4,2024-05-01,5.00\n");
    let words = |more: &[&'static str]| {
        let mut words = vec![
            "validate-contract",
            "--contract",
            contract,
            "--data",
            "in/orders",
        ];
        words.extend(more);
        words
    };
    let said = world.expect(3, &words(&[]));
    assert!(
        said.out
            .contains("one: failed (error): 2 rows: `id < 3` is false (4 rows)"),
        "{}",
        said.out
    );
    let junit = world.expect(3, &words(&["--output", "junit"])).out;
    assert!(
        junit.contains("<testsuite name=\"orders\" tests=\"3\" failures=\"1\" errors=\"0\""),
        "{junit}"
    );
    let strict = world
        .expect(3, &words(&["--output", "junit", "--fail-on", "warning"]))
        .out;
    assert!(strict.contains("failures=\"2\""), "{strict}");
    let github = world
        .expect(0, &words(&["--output", "github", "--fail-on", "never"]))
        .out;
    assert!(
        github.starts_with(
            "::warning file=c.yml,line=4,col=5,title=orders%3A few::few: failed (warning)"
        ),
        "{github}"
    );
    // A folder whose files are different things is none; neither is SQL that does not parse.
    world.write("in/orders/c.csv", "id,other\n4,x\n");
    let said = world.expect(2, &words(&[]));
    assert!(
        said.err.contains("the files are no single dataset"),
        "{}",
        said.err
    );
    world.write(
        contract,
        "dataset: orders\nschema: { columns: [{ name: id, type: BIGINT }] }\nquality_rules:\n  - { name: one, type: expression, expression: 'id <' }\n",
    );
    let said = world.expect(2, &words(&[]));
    assert!(said.err.contains("c.yml:4:"), "{}", said.err);
}
