//! Each run takes what is new, and only that.

use crate::world::{SMALL_CONFIG, World};

#[test]
fn a_second_run_with_nothing_new_does_nothing() {
    let world = World::small();
    assert_eq!(
        world.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders succeeded 2",
            "silver/orders_clean succeeded 2",
            "gold/daily succeeded 1"
        ]
    );
    assert_eq!(
        world.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders skipped 0",
            "silver/orders_clean skipped 0",
            "gold/daily skipped 0"
        ]
    );
    assert_eq!(world.rows("gold/daily"), ["2024-05-01,30.50,2"]);
}

#[test]
fn a_new_file_is_read_and_what_depends_on_it_is_built_again() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    assert_eq!(
        world.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders succeeded 1",
            "silver/orders_clean succeeded 3",
            "gold/daily succeeded 2"
        ]
    );
    assert_eq!(
        world.rows("gold/daily"),
        ["2024-05-01,30.50,2", "2024-05-02,5.25,1"]
    );
}

#[test]
fn a_changed_query_or_contract_builds_its_dataset_again_and_no_other() {
    let world = World::small();
    world.run();
    world.write(
        "transformations/sql/daily.sql",
        "SELECT day, count(*) AS orders FROM orders_clean GROUP BY day\n",
    );
    assert_eq!(
        world.outcomes(&["run", "all"]),
        [
            "bronze/shop/orders skipped 0",
            "silver/orders_clean skipped 0",
            "gold/daily succeeded 1"
        ]
    );
}

#[test]
fn a_query_that_asks_for_the_time_is_built_on_every_run() {
    let world = World::small();
    world.write(
        "transformations/sql/daily.sql",
        "SELECT count(*) AS orders, current_date AS today FROM orders_clean\n",
    );
    world.run();
    assert_eq!(world.outcomes(&["run", "gold"]), ["gold/daily succeeded 1"]);
}

#[test]
fn ties_at_the_watermark_are_neither_lost_nor_doubled() {
    let world = World::small();
    let table = "        files: \"orders/*.csv\"\n        incremental_column: day\n";
    world.write(
        "configs/default.yml",
        SMALL_CONFIG.replace("        files: \"orders/*.csv\"\n", table),
    );
    world.run();
    // The same file grows: one row of the last day again (it is another order), one twin of a known row, one of a new day.
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,20.50\n2,2024-05-01,20.50\n3,2024-05-01,7.00\n4,2024-05-02,1.00\n",
    );
    world.expect(0, &["run", "bronze"]);
    assert_eq!(
        world.rows("bronze/shop/orders"),
        [
            "1,2024-05-01,10.00",
            "2,2024-05-01,20.50",
            "2,2024-05-01,20.50",
            "3,2024-05-01,7.00",
            "4,2024-05-02,1.00"
        ]
    );
    assert_eq!(
        world.outcomes(&["run", "bronze"]),
        ["bronze/shop/orders skipped 0"]
    );
}

#[test]
fn a_checkpoint_that_is_reset_reads_everything_again_and_doubles_nothing() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    let before = world.rows("bronze/shop/orders");
    world.expect(
        0,
        &["reset-checkpoint", "--stage", "bronze", "--source", "shop"],
    );
    assert_eq!(
        world.rows("bronze/shop/orders"),
        before,
        "readers see the rows until they are replaced"
    );
    assert_eq!(
        world.outcomes(&["run", "bronze"]),
        ["bronze/shop/orders succeeded 3"]
    );
    assert_eq!(world.rows("bronze/shop/orders"), before);
}

#[test]
fn a_restored_table_goes_on_from_the_checkpoint_that_belongs_to_its_rows() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    let with_both = world.rows("bronze/shop/orders");
    world.expect(0, &["restore", "bronze/shop/orders", "--version", "0"]);
    assert_eq!(
        world.rows("bronze/shop/orders"),
        ["1,2024-05-01,10.00", "2,2024-05-01,20.50"]
    );
    world.run();
    assert_eq!(world.rows("bronze/shop/orders"), with_both);
}

#[test]
fn a_lost_or_older_state_of_runs_takes_no_commit_of_another_run_for_its_own() {
    let world = World::small();
    world.run();
    world.run();
    let runs = "data/bronze/_comboi/runs";
    std::fs::rename(world.path(runs), world.path("older")).unwrap();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    let all = |rows| {
        [
            format!("bronze/shop/orders succeeded {rows}"),
            "silver/orders_clean succeeded ".to_owned() + if rows == 1 { "3" } else { "5" },
        ]
    };
    assert_eq!(world.outcomes(&["run", "all"])[..2], all(1));
    world.run();
    std::fs::remove_dir_all(world.path(runs)).unwrap();
    std::fs::rename(world.path("older"), world.path(runs)).unwrap();
    world.write(
        "in/orders/day3.csv",
        "id,day,amount\n4,2024-05-03,5.25\n5,2024-05-03,5.25\n",
    );
    assert_eq!(world.outcomes(&["run", "all"])[..2], all(2));
}

#[test]
fn a_query_that_needs_the_type_of_a_column_without_a_value_says_what_to_do() {
    let world = World::new();
    world.write(
        "configs/default.yml",
        "sources:\n  - name: shop\n    type: files\n    path: in\n    tables:\n      - {name: orders, files: 'orders/*'}\n",
    );
    world.write(
        "configs/default-transformations.yml",
        "silver:\n  - name: items\n    inputs: [{alias: rows, stage: bronze, source_path: shop/orders.parquet}]\n",
    );
    let query = "SELECT id, Items[1].sku AS sku, note FROM rows\n";
    world.write("transformations/sql/items.sql", query);
    world.write(
        "in/orders/1.ndjson",
        "{\"id\":1,\"items\":[],\"note\":null}\n",
    );
    let hint = "hint: bronze/shop/orders has no value in `items`, `note` yet, so that the type is not known; say it under `columns` of the table in the configuration, such as `columns: {items: VARCHAR}`";
    let report = world.json(&["run", "all"]);
    assert_eq!(report["tasks"][0]["outcome"], "succeeded", "{report:#}");
    let message = report["tasks"][1]["failure"]["message"].as_str().unwrap();
    assert!(message.ends_with(hint), "{message}");
    let said = world.expect(2, &["validate"]);
    assert!(said.err.contains(hint), "{}", said.err);
    // With the first value there is a type.
    world.write(
        "in/orders/2.ndjson",
        "{\"id\":2,\"items\":[{\"sku\":7}],\"note\":\"x\"}\n",
    );
    world.run();
    assert_eq!(world.rows("silver/items"), ["1,NULL,NULL", "2,7,x"]);
    // Or it is said.
    world.write(
        "in/orders/1.ndjson",
        "{\"id\":1,\"items\":[],\"note\":null}\n",
    );
    std::fs::remove_file(world.path("in/orders/2.ndjson")).unwrap();
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        config.replace(
            "'orders/*'}",
            "'orders/*', columns: {items: 'STRUCT(sku BIGINT)[]'}}",
        ),
    );
    world.expect(
        0,
        &["reset-checkpoint", "--stage", "bronze", "--source", "shop"],
    );
    world.run();
    assert_eq!(world.rows("silver/items"), ["1,NULL,NULL"]);
}
