//! Whatever is wrong with the input, the error says what and where, the exit code is the documented one, and
//! the lake is as it was.

use crate::world::{SMALL_CONFIG, SMALL_CONTRACT, World};

/// Runs a small project after a change that breaks it, over a lake that had a good run before.
fn check(code: i32, expected: &[&str], break_it: impl FnOnce(&World)) {
    let world = World::small();
    world.run();
    let before = (
        world.rows("silver/orders_clean"),
        world.rows("gold/daily"),
        world.rows("bronze/shop/orders"),
    );
    break_it(&world);
    let said = world.expect(code, &["run", "all"]);
    let text = format!("{}{}", said.out, said.err);
    for part in expected {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
    world.write("configs/default.yml", SMALL_CONFIG);
    world.write("transformations/contracts/orders_clean.yml", SMALL_CONTRACT);
    let after = (
        world.rows("silver/orders_clean"),
        world.rows("gold/daily"),
        world.rows("bronze/shop/orders"),
    );
    assert_eq!(after, before);
}

#[test]
fn a_truncated_parquet_file() {
    check(
        1,
        &["bronze/shop/orders", "in/orders/bad.parquet"],
        |world| {
            world.write(
                "configs/default.yml",
                SMALL_CONFIG.replace("orders/*.csv", "orders/*.parquet"),
            );
            world.write(
                "in/orders/bad.parquet",
                b"PAR1 this is not the end of a Parquet file",
            );
        },
    );
}

#[test]
fn a_bronze_file_with_a_damaged_page() {
    let world = World::small();
    world.run();
    let file = world
        .files("data/bronze/shop/orders")
        .into_iter()
        .find(|name| name.starts_with("part-"))
        .unwrap();
    let path = world.path("data/bronze/shop/orders").join(&file);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4..30].fill(0xEE);
    std::fs::write(&path, bytes).unwrap();
    let named = || {
        let said = world.expect(1, &["run", "silver", "--rebuild"]).out;
        assert!(said.contains("`bronze/shop/orders` is damaged"), "{said}");
        assert!(said.contains(&file), "{file} is not in:\n{said}");
    };
    named();
    // The same where no query stands between the file and what is done with its rows.
    world.write("transformations/sql/orders_clean.sql", "FROM orders\n");
    let transformations = world.read("configs/transformations.yml");
    for how in ["keys: [day]", "keys: [day], comparisons: {amount: exact}"] {
        let dedupe = format!("  - name: orders_clean\n    dedupe: {{unique_id: id, {how}}}\n");
        world.write(
            "configs/transformations.yml",
            transformations.replacen("  - name: orders_clean\n", &dedupe, 1),
        );
        named();
    }
}

#[test]
fn a_csv_file_with_another_number_of_columns() {
    check(1, &["orders/day2.csv:3: 4 values for 3 columns"], |world| {
        world.write(
            "in/orders/day2.csv",
            "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,5.25,surplus\n",
        );
    });
}

#[test]
fn a_value_that_is_not_of_its_columns_type() {
    check(
        1,
        &["orders/day2.csv:2: `amount` is not a DECIMAL(12,2)"],
        |world| {
            world.write(
                "in/orders/day2.csv",
                "id,day,amount\n3,2024-05-02,secret-value\n",
            );
        },
    );
}

#[test]
fn no_error_shows_what_a_row_held() {
    let world = World::small();
    world.write(
        "in/orders/day1.csv",
        "id,day,amount\n1,2024-05-01,canary-4711\n",
    );
    let said = world.expect(1, &["run", "all", "--log-level", "trace"]);
    let log = world.read("logs/pipeline.log");
    for text in [&said.out, &said.err, &log] {
        assert!(!text.contains("canary-4711"), "{text}");
    }
}

#[test]
fn a_syntax_error_in_sql() {
    check(2, &["transformations/sql/daily.sql:2:"], |world| {
        world.write(
            "transformations/sql/daily.sql",
            "SELECT day,\n       sum(amount FROM orders_clean\n",
        );
    });
}

#[test]
fn a_column_that_the_query_does_not_have() {
    check(
        1,
        &["transformations/sql/daily.sql:2:", "amount"],
        |world| {
            world.write(
                "transformations/sql/daily.sql",
                "SELECT day,\n       sum(amuont) AS amount\nFROM orders_clean GROUP BY day\n",
            );
        },
    );
}

#[test]
fn sql_that_reads_a_file_it_should_not() {
    check(2, &["transformations/sql/daily.sql", "read_csv"], |world| {
        world.write(
            "transformations/sql/daily.sql",
            "SELECT * FROM read_csv('/etc/passwd')\n",
        );
    });
}

#[test]
fn a_contract_that_does_not_hold_publishes_nothing() {
    check(
        3,
        &["silver/orders_clean", "id", "gold/daily", "upstream failed"],
        |world| {
            world.write("in/orders/day0.csv", "");
            world.write(
                "transformations/sql/orders_clean.sql",
                "SELECT id, day, amount FROM orders UNION ALL SELECT id, day, amount FROM orders\n",
            );
        },
    );
}

#[test]
fn a_contract_for_a_column_that_is_not_there() {
    check(3, &["silver/orders_clean", "colour"], |world| {
        let contract = SMALL_CONTRACT.replace(
            "    - name: day\n",
            "    - name: colour\n      type: VARCHAR\n    - name: day\n",
        );
        world.write("transformations/contracts/orders_clean.yml", contract);
    });
}

#[test]
fn two_datasets_of_one_name() {
    let world = World::small();
    let text = world.read("configs/transformations.yml");
    world.write(
        "configs/transformations.yml",
        text.replace("gold:\n", "")
            .replace("  - name: daily\n", "  - name: orders_clean\n"),
    );
    let said = world.expect(2, &["validate"]);
    for part in [
        "two datasets `silver/orders_clean`",
        "configs/transformations.yml:2:",
        "configs/transformations.yml:9:",
    ] {
        assert!(said.err.contains(part), "`{part}` is not in:\n{}", said.err);
    }
}

#[test]
fn an_unreadable_file() {
    // Root reads everything, so the file is a folder's name that is taken by a dangling link.
    let world = World::small();
    std::os::unix::fs::symlink("/nowhere/at/all", world.path("in/orders/day2.csv")).unwrap();
    let said = world.expect(1, &["run", "all"]);
    assert!(said.out.contains("day2.csv"), "{}", said.out);
}

/// A file without a digest, as other programs write them, whose pages have checksums.
#[test]
fn a_page_of_another_program_s_file_that_is_not_what_its_checksum_says() {
    let world = World::small();
    world.write(
        "configs/default.yml",
        SMALL_CONFIG
            .replace("orders/*.csv", "orders/*.parquet")
            .replace("day: DATE, amount: \"DECIMAL(12,2)\"", "t: VARCHAR"),
    );
    world.write(
        "transformations/sql/orders_clean.sql",
        "SELECT id, DATE '2024-05-01' AS day, 1.00::DECIMAL(12,2) AS amount FROM orders\n",
    );
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../comboi-sources/tests/parquet"
    );
    let mut theirs = std::fs::read(format!("{folder}/checksums.parquet")).unwrap();
    world.write("in/orders/1.parquet", &theirs);
    world.run();
    let table = "data/bronze/shop/orders";
    let file = world
        .files(table)
        .into_iter()
        .find(|name| name.starts_with("part-"))
        .unwrap();
    let log = format!("{table}/_delta_log/00000000000000000000.json");
    let theirs_in_log = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(add) = line.get_mut("add") {
            add["size"] = theirs.len().into();
            add.as_object_mut().unwrap().remove("tags");
        }
        format!("{line}\n")
    };
    let text: String = world.read(&log).lines().map(theirs_in_log).collect();
    world.write(&log, text);
    let path = format!("{table}/{file}");
    world.write(&path, &theirs);
    world.expect(0, &["run", "silver", "--rebuild"]);
    let place = theirs.windows(6).position(|it| it == b"text 3").unwrap();
    theirs[place + 5] = b'9';
    world.write(&path, &theirs);
    let said = world.expect(1, &["run", "silver", "--rebuild"]).out;
    let damage = "a page of column `t` is not what its checksum says";
    assert!(said.contains(damage) && said.contains(&file), "{said}");
}

#[test]
fn a_lake_of_a_newer_comboi() {
    let world = World::small();
    world.run();
    let log = "data/gold/metrics/daily/_delta_log/00000000000000000000.json";
    let text = world.read(log);
    assert!(text.contains("\"comboi.format\":\"1\""), "{text}");
    world.write(
        log,
        text.replace("\"comboi.format\":\"1\"", "\"comboi.format\":\"99\""),
    );
    let said = world.expect(1, &["run", "gold", "--rebuild"]);
    assert!(said.out.contains("newer comboi"), "{}", said.out);
}

#[test]
fn a_table_of_a_newer_delta() {
    let world = World::small();
    world.run();
    let log = "data/gold/metrics/daily/_delta_log/00000000000000000000.json";
    let text = world.read(log);
    assert!(text.contains("\"minReaderVersion\":1"), "{text}");
    world.write(
        log,
        text.replace("\"minReaderVersion\":1", "\"minReaderVersion\":9"),
    );
    let said = world.expect(1, &["run", "gold", "--rebuild"]);
    assert!(said.out.contains("newer program"), "{}", said.out);
}

#[test]
fn a_delta_log_with_a_corrupt_entry() {
    let world = World::small();
    world.run();
    let log = "data/gold/metrics/daily/_delta_log/00000000000000000000.json";
    world.write(log, "{ half a line");
    let said = world.expect(1, &["run", "gold", "--rebuild"]);
    assert!(
        said.out.contains("gold/daily") && said.out.contains("00000000000000000000.json"),
        "{}",
        said.out
    );
}

#[test]
fn a_delta_log_with_a_missing_entry() {
    let world = World::small();
    world.run();
    world.write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    world.run();
    std::fs::remove_file(
        world.path("data/bronze/shop/orders/_delta_log/00000000000000000000.json"),
    )
    .unwrap();
    world.write("in/orders/day3.csv", "id,day,amount\n4,2024-05-03,5.25\n");
    let said = world.expect(1, &["run", "all"]);
    assert!(
        said.out.contains("bronze/shop/orders") && said.out.contains("damaged"),
        "{}",
        said.out
    );
}

#[test]
fn no_error_of_a_query_shows_what_a_row_held() {
    let world = World::small();
    world.write("in/notes/day1.csv", "id,note\n1,canary-4711\n");
    let config = world.read("configs/default.yml");
    world.write(
        "configs/default.yml",
        config + "      - name: notes\n        files: \"notes/*.csv\"\n",
    );
    let transformations = world.read("configs/transformations.yml");
    world.write(
        "configs/transformations.yml",
        transformations.replace(
            "source_path: refined/orders_clean.parquet",
            "source_path: refined/orders_clean.parquet\n      - {alias: notes, stage: bronze, source_path: shop/notes.parquet}",
        ),
    );
    world.expect(0, &["run", "all", "--exclude", "daily"]);
    for cell in [
        "note::INTEGER",
        "timezone(note, now())",
        "error(note)",
        "strptime(note, '%Y')",
        "note::ENUM('a')",
        "date_part(note, now())",
        "regexp_matches('a', note || '(')",
        "now() AT TIME ZONE note",
    ] {
        world.write(
            "transformations/sql/daily.sql",
            format!("SELECT {cell} AS cell FROM notes\n"),
        );
        let said = world.expect(1, &["run", "gold", "--log-level", "trace"]);
        let log = world.read("logs/pipeline.log");
        for text in [&said.out, &said.err, &log] {
            assert!(!text.contains("canary-4711"), "{cell}: {text}");
        }
    }
}

#[test]
fn a_placeholder_that_is_not_closed() {
    let world = World::small();
    world.write(
        "configs/default.yml",
        SMALL_CONFIG.replace("path: in\n", "path: \"{{env:IN\"\n"),
    );
    let said = world.expect(2, &["validate"]);
    assert!(
        said.err.contains("configs/default.yml:4:11")
            && said.err.contains("`{{env:` is not closed"),
        "{}",
        said.err
    );
}

#[test]
fn a_query_that_can_not_be_read_is_one_mistake() {
    let world = World::small();
    let sql = world.path("transformations/sql/daily.sql");
    std::fs::remove_file(&sql).unwrap();
    std::fs::create_dir(&sql).unwrap();
    let told = world.json(&["validate"]);
    assert_eq!(told["problems"].as_array().unwrap().len(), 1, "{told}");
}
