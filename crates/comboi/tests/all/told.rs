//! How things are told: JSON for programs whatever happens, colours for terminals only, no secret for anybody.

use serde_json::Value;

use crate::world::World;

#[test]
fn whoever_asks_for_json_gets_one_document_whatever_happens() {
    let world = World::small();
    world.write("transformations/sql/daily.sql", "SELECT FROM WHERE\n");
    for words in [
        &["plan"][..],
        &["run", "all"],
        &["show", "daily"],
        &["ls", "--config", "nowhere.yml"],
        &["plan", "--select", "nobody"],
        &["retry"],
        &["history", "daily"],
    ] {
        let said = world.json(words);
        assert!(
            words[0] == "history" || said["error"].is_string(),
            "{words:?}: {said}"
        );
    }
    let said = world.json(&["run", "all"]);
    let problem = &said["problems"][0];
    assert_eq!(problem["file"], "transformations/sql/daily.sql");
    assert_eq!(problem["line"], 1);
    assert_eq!(world.json(&["validate"])["problems"][0], *problem);
}

#[test]
fn a_failed_run_is_one_document_too() {
    let world = World::small();
    world.write("in/orders/day1.csv", "id,day,amount\n1,2024-05-01\n");
    let report = world.json(&["run", "all"]);
    let outcomes: Vec<&Value> = report["tasks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|task| &task["outcome"])
        .collect();
    assert_eq!(outcomes, ["failed", "upstream_failed", "upstream_failed"]);
}

#[test]
fn lines_have_colours_at_terminals_only() {
    let world = World::small();
    let run = world
        .command(&["run", "all", "--log-level", "debug"])
        .env_remove("NO_COLOR")
        .output()
        .unwrap();
    let said = crate::world::said(run);
    assert!(said.err.contains("begins"), "{}", said.err);
    for text in [&said.out, &said.err, &world.read("logs/pipeline.log")] {
        assert!(!text.contains('\u{1b}'), "{text}");
    }
}

#[test]
fn a_run_says_what_each_stage_did_and_where_it_is() {
    let world = World::small();
    let said = world.run().out;
    for part in [
        "published as data/gold/metrics/daily.parquet",
        "Run 1 succeeded",
        "Bronze  1 of 1 table",
        "Silver  1 of 1 dataset",
        "4 rules passed",
    ] {
        assert!(said.contains(part), "`{part}` is not in:\n{said}");
    }
}

#[test]
fn nothing_selected_is_no_run() {
    let world = World::small();
    world.run();
    let said = world.expect(0, &["run", "all", "--exclude", "*"]);
    assert_eq!(said.out, "Nothing is selected.\n");
    let report = world.json(&["run", "gold", "--select", "stage:silver"]);
    assert_eq!(report["tasks"], Value::Array(Vec::new()));
    assert_eq!(
        world.json(&["history", "_comboi/tasks"])[0]["run"],
        1,
        "and is not in the record"
    );
}

#[test]
fn one_damaged_dataset_does_not_hide_the_others() {
    let world = World::small();
    world.run();
    world.write(
        "data/silver/refined/orders_clean/_delta_log/00000000000000000000.json",
        "",
    );
    let said = world.expect(1, &["ls"]);
    for part in [
        "bronze/shop/orders",
        "gold/daily",
        "error: `silver/orders_clean` is damaged",
    ] {
        assert!(said.out.contains(part), "`{part}` is not in:\n{}", said.out);
    }
    assert!(world.json(&["ls"])[1]["error"].is_string());
}

#[test]
fn a_dataset_whose_log_is_damaged_is_made_anew_once_its_folder_is_moved_away() {
    let world = World::small();
    world.run();
    for (dataset, folder) in [
        ("bronze/shop/orders", "data/bronze/shop/orders"),
        ("silver/orders_clean", "data/silver/refined/orders_clean"),
        ("gold/daily", "data/gold/metrics/daily"),
    ] {
        let before = world.rows("gold/daily");
        world.write(
            &format!("{folder}/_delta_log/00000000000000000000.json"),
            "",
        );
        let said = world.expect(1, &["history", dataset]);
        let advice = "move the dataset's folder away: the next run makes it anew";
        assert!(said.err.contains(advice), "{}", said.err);
        std::fs::rename(world.path(folder), world.path("moved")).unwrap();
        world.expect(0, &["run", "all"]);
        assert_eq!(world.rows("gold/daily"), before, "{dataset}");
        std::fs::remove_dir_all(world.path("moved")).unwrap();
    }
}

#[test]
fn a_run_that_can_not_be_put_on_record_says_so() {
    let world = World::small();
    world.run();
    let log = "data/bronze/_comboi/tasks/_delta_log/00000000000000000000.json";
    world.write(log, "{ half a line");
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    let told = "note: the record of run 2 (`_comboi/tasks`, `_comboi/verdicts`) was not written to the lake: ";
    let said = world.expect(0, &["run", "all"]);
    assert!(said.out.contains(told), "{}", said.out);
    let report = world.json(&["run", "all"]);
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("record of run 3"), "{note}");
}

#[test]
fn a_dry_vacuum_writes_nothing() {
    let world = World::small();
    world.run();
    std::fs::remove_dir_all(world.path("logs")).unwrap();
    let before = world.files(".");
    world.expect(0, &["vacuum", "--keep", "0s", "--dry-run"]);
    assert_eq!(world.files("."), before);
}

#[test]
fn a_bad_line_of_the_env_file_is_named_and_not_quoted() {
    let world = World::small();
    world.write(".env", "A=1\nsecret-4711\n");
    let said = world.expect(2, &["validate"]);
    assert!(said.err.contains(".env:2"), "{}", said.err);
    assert!(!said.err.contains("secret-4711"), "{}", said.err);
    let said = world.expect(2, &["validate", "--env-file", "nowhere"]);
    assert!(said.err.contains("nowhere"), "{}", said.err);
}

#[test]
fn the_environment_weighs_more_than_the_env_file() {
    let world = World::small();
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        config.replace("path: in\n", "path: \"{{env:IN}}\"\n"),
    );
    world.write(".env", "IN=in\n");
    world.write("other.env", "IN=in # there\n");
    world.run();
    let environment = world.command(&["plan"]).env("IN", "elsewhere").output();
    let said = crate::world::said(environment.unwrap());
    assert!(said.out.contains("elsewhere"), "{}", said.out);
    world.write(".env", "IN=elsewhere\n");
    let said = world.expect(0, &["plan", "--env-file", "other.env"]);
    assert!(!said.out.contains("elsewhere"), "{}", said.out);
}

#[test]
fn data_that_is_nowhere_is_called_so() {
    let world = World::small();
    let contract = "transformations/contracts/orders_clean.yml";
    let said = world.expect(
        2,
        &[
            "validate-contract",
            "--contract",
            contract,
            "--data",
            "orders.csv",
        ],
    );
    assert!(said.err.contains("`orders.csv` is no file"), "{}", said.err);
}

#[test]
fn a_project_is_found_from_any_of_its_folders_and_runs_from_anywhere() {
    let world = World::small();
    let below = world
        .command(&["run", "all"])
        .current_dir(world.path("transformations/sql"))
        .output();
    assert_eq!(below.unwrap().status.code(), Some(0));
    let elsewhere = World::new();
    let config = world.path("configs/default.yml");
    elsewhere.expect(
        0,
        &["run", "all", "--rebuild", "-c", config.to_str().unwrap()],
    );
    assert_eq!(elsewhere.files("."), [""; 0]);
    assert!(world.path("data/gold/metrics/daily.parquet").is_file());
}

#[test]
fn a_file_of_another_kind_is_not_taken_for_data() {
    let world = World::small();
    let contract = "transformations/contracts/orders_clean.yml";
    let words = [
        "validate-contract",
        "--contract",
        contract,
        "--data",
        contract,
    ];
    let said = world.expect(2, &words);
    assert!(said.err.contains("is no data file"), "{}", said.err);
}

#[test]
fn what_is_done_by_hand_is_one_document_too() {
    let world = World::small();
    world.run();
    world.run();
    let restored = world.json(&["restore", "daily", "--version", "0"]);
    assert_eq!(restored["dataset"], "gold/daily");
    assert_eq!(
        (&restored["restored"], &restored["rows"]),
        (&0.into(), &1.into())
    );
    let vacuumed = world.json(&["vacuum", "--keep", "0s"]);
    let tables = vacuumed.as_array().unwrap();
    assert!(tables.iter().all(|it| it["deleted"] == true), "{vacuumed}");
    let reset = world.json(&["reset-checkpoint", "--source", "shop"]);
    let expected = serde_json::json!([{ "dataset": "bronze/shop/orders", "had_checkpoint": true }]);
    assert_eq!(reset, expected);
    let purged = world.json(&["quarantine", "purge", "orders_clean"]);
    assert_eq!(
        purged,
        serde_json::json!({ "dataset": "silver/orders_clean", "rows": null })
    );
    let words = [
        "scaffold",
        "--name",
        "more",
        "--stage",
        "gold",
        "--input",
        "orders_clean",
    ];
    let made = world.json(&words);
    assert_eq!(
        made["made"],
        serde_json::json!(["./transformations/sql/more.sql"])
    );
    assert_eq!(made["entry"]["written"], true);
    let other = World::new();
    let made = other.json(&["init", "shop"]);
    assert_eq!(made["folder"], "shop");
    assert_eq!(
        made["files"][0],
        serde_json::json!({ "file": "configs/default.yml", "made": true })
    );
}
