//! What each command says and how it ends.

use crate::world::World;

#[test]
fn a_project_made_by_init_runs() {
    let world = World::new();
    world.expect(0, &["init", "."]);
    world.expect(0, &["validate"]);
    world.expect(0, &["plan"]);
    world.run();
    // By hand from the two files: order 3 counts once, at 24.90.
    assert_eq!(
        world.rows("revenue_by_day"),
        [
            "2024-05-01,DE,2,145.40",
            "2024-05-01,FR,1,75.00",
            "2024-05-02,AT,1,310.00",
            "2024-05-02,unknown,1,42.00"
        ]
    );
    assert!(
        world
            .path("data/gold/metrics/revenue_by_day.parquet")
            .is_file()
    );
}

#[test]
fn init_leaves_files_alone_that_are_there() {
    let world = World::new();
    world.write("configs/default.yml", "mine");
    world.expect(0, &["init", "."]);
    assert_eq!(world.read("configs/default.yml"), "mine");
}

#[test]
fn planning_writes_nothing_and_says_the_same_each_time() {
    let world = World::small();
    let before = world.files(".");
    let first = world.expect(0, &["plan"]).out;
    assert_eq!(world.expect(0, &["plan"]).out, first);
    assert_eq!(world.files("."), before);
    for part in [
        "shop/orders",
        "orders_clean",
        "daily",
        "Contract: orders_clean.yml",
    ] {
        assert!(first.contains(part), "`{part}` is not in:\n{first}");
    }
}

#[test]
fn a_plan_for_a_stage_has_that_stage_alone() {
    let world = World::small();
    let plan = world.json(&["plan", "silver"]);
    let text = plan.to_string();
    assert!(
        text.contains("silver/orders_clean") && !text.contains("gold/daily"),
        "{text}"
    );
}

#[test]
fn selection_takes_what_a_dataset_reads() {
    let world = World::small();
    assert_eq!(
        world.outcomes(&["run", "all", "--select", "+orders_clean"]),
        [
            "bronze/shop/orders succeeded 2",
            "silver/orders_clean succeeded 2"
        ]
    );
}

#[test]
fn a_misspelt_dataset_gets_a_suggestion() {
    let world = World::small();
    for words in [
        &["show", "orders_claen"][..],
        &["run", "all", "--select", "orders_claen"],
    ] {
        let said = world.expect(2, words);
        assert!(said.err.contains("orders_clean"), "{}", said.err);
    }
}

#[test]
fn logs_and_metrics_are_json() {
    let world = World::small();
    world.run();
    let log = world.read("logs/pipeline.log");
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines
            .iter()
            .any(|line| line["dataset"] == "silver/orders_clean"),
        "{log}"
    );
    let metrics: serde_json::Value =
        serde_json::from_str(&world.read("logs/metrics.json")).unwrap();
    assert_eq!(metrics["stages"]["silver"]["rows"], 2);
    assert_eq!(metrics["succeeded"], true);
}

#[test]
fn history_names_the_runs() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    let versions = world.json(&["history", "bronze/shop/orders"]);
    let runs: Vec<_> = versions
        .as_array()
        .unwrap()
        .iter()
        .map(|v| {
            (
                v["version"].as_u64(),
                v["run"].as_u64(),
                v["rows_added"].as_u64(),
            )
        })
        .collect();
    assert_eq!(
        runs,
        [(Some(1), Some(2), Some(1)), (Some(0), Some(1), Some(2))]
    );
}

#[test]
fn an_older_version_can_be_shown_and_vacuum_takes_it_away() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    let old = world.json(&["show", "gold/daily", "--version", "0"]);
    assert_eq!(old["rows"].as_array().unwrap().len(), 1);
    world.expect(0, &["vacuum", "--keep", "0s", "--dry-run"]);
    world.json(&["show", "gold/daily", "--version", "0"]);
    world.expect(0, &["vacuum", "--keep", "0s"]);
    let said = world.expect(1, &["show", "gold/daily", "--version", "0"]);
    assert!(said.err.contains("gold/daily"), "{}", said.err);
    assert_eq!(world.rows("gold/daily").len(), 2);
}

#[test]
fn data_is_held_to_a_contract_wherever_it_lies() {
    let world = World::small();
    world.run();
    let contract = "transformations/contracts/orders_clean.yml";
    for data in [
        "orders_clean",
        "silver/orders_clean",
        "data/silver/refined/orders_clean.parquet",
        "data/silver/refined/orders_clean",
    ] {
        world.expect(
            0,
            &["validate-contract", "--contract", contract, "--data", data],
        );
    }
    world.write(
        "bad.csv",
        "id,day,amount\n1,2024-05-01,10.00\n1,2024-05-01,-3.00\n",
    );
    let said = world.expect(
        3,
        &[
            "validate-contract",
            "--contract",
            contract,
            "--data",
            "bad.csv",
        ],
    );
    assert!(
        said.out.contains("id_unique") && said.out.contains("amount_min_value"),
        "{}",
        said.out
    );
}

#[test]
fn data_that_can_not_be_read_is_named_by_its_lines() {
    let world = World::small();
    for (name, text, expected) in [
        (
            "a.csv",
            "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01\n3,soon,5.00\n",
            "2 rows do not fit:\n  a.csv:3: 2 values for 3 columns\n  a.csv:4: `day` is not a DATE\n",
        ),
        (
            "a.ndjson",
            "{\"id\": 1, \"day\": \"2024-05-01\", \"amount\": 10}\n{\"id\": \n",
            "1 row does not fit:\n  a.ndjson:2: not a JSON object: EOF while parsing a value at column 6\n",
        ),
        (
            "a.json",
            "[{\"id\": 1, \"amount\": 10},\n {\"id\": 2, \"amount\": \"much\"}]",
            "1 row does not fit:\n  a.json:2: `amount` is not a DECIMAL(12,2)\n",
        ),
    ] {
        world.write(name, text);
        let contract = "transformations/contracts/orders_clean.yml";
        let words = ["validate-contract", "--contract", contract, "--data", name];
        let said = world.expect(1, &words);
        assert_eq!(said.err, format!("error: {expected}"), "{name}");
        assert_eq!(said.out, "", "{name}");
    }
}

#[test]
fn a_column_that_the_data_lacks_is_a_verdict() {
    let world = World::small();
    world.write("a.tsv.gz", gzip(b"id\tday\n1\t2024-05-01\n"));
    world.write("none.csv", "id,day\n");
    for data in ["a.tsv.gz", "none.csv"] {
        let contract = "transformations/contracts/orders_clean.yml";
        let words = ["validate-contract", "--contract", contract, "--data", data];
        let said = world.expect(3, &words);
        assert!(
            said.out.contains("amount") && said.out.contains("has no column"),
            "{data}: {}",
            said.out
        );
    }
}

/// Stored, not compressed: one block of at most 65,535 bytes.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg());
        }
    }
    let mut out = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(bytes);
    out.extend((!crc).to_le_bytes());
    out.extend(u32::from(length).to_le_bytes());
    out
}

#[test]
fn a_failed_run_is_taken_up_where_it_stopped() {
    let world = World::small();
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n1,2024-05-01,20.50\n",
    );
    let said = world.expect(3, &["run", "all"]);
    assert!(said.out.contains("upstream failed"), "{}", said.out);
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, day, sum(amount)::DECIMAL(12,2) AS amount FROM orders GROUP BY id, day\n",
    );
    assert_eq!(
        world.outcomes(&["retry"]),
        ["silver/orders_clean succeeded 1", "gold/daily succeeded 1"]
    );
    let said = world.expect(1, &["retry"]);
    assert!(said.err.contains("did everything"), "{}", said.err);
}

#[test]
fn the_record_of_runs_is_a_table_in_the_lake() {
    let world = World::small();
    world.run();
    world.run();
    let tasks = world.json(&["show", "_comboi/tasks", "-n", "100"]);
    assert_eq!(tasks["rows"].as_array().unwrap().len(), 6);
}

#[test]
fn schemas_are_json_schemas() {
    let world = World::new();
    for name in ["config", "transformations", "contract"] {
        let said = world.expect(0, &["schema", name]);
        let schema: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert!(
            schema["$schema"]
                .as_str()
                .unwrap()
                .contains("json-schema.org"),
            "{name}"
        );
    }
}

#[test]
fn completions_name_the_commands() {
    let said = World::new().expect(0, &["completions", "bash"]);
    assert!(said.out.contains("validate-contract"));
}

#[test]
fn a_folder_without_a_project_says_how_to_make_one() {
    let said = World::new().expect(2, &["plan"]);
    assert!(said.err.contains("comboi init"), "{}", said.err);
}

#[test]
fn a_dataset_that_is_too_old_is_published_and_told_whether_it_is_built_or_not() {
    let world = World::small();
    let contract = world.read("transformations/contracts/orders_clean.yml");
    world.write(
        "transformations/contracts/orders_clean.yml",
        format!("{contract}sla:\n  freshness: {{max_age_hours: 24, column: day}}\n"),
    );
    // The event is what the alert `late` in terraform/ looks for.
    let told = |times: usize| {
        world.expect(4, &["run", "all"]);
        assert_eq!(world.rows("orders_clean").len(), 2);
        let log = world.read("logs/pipeline.log");
        let event = "\"event\":\"dataset_late\"";
        assert_eq!(log.matches(event).count(), times, "{log}");
    };
    told(1);
    told(2);
}
