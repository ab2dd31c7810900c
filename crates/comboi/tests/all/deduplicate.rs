//! What docs/deduplicate.md shows is what the program does.

use std::path::Path;

use crate::world::World;

/// A part of the page that stands in a fence, with the line before it.
struct Block {
    title: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let (mut title, mut inside): (String, Option<Vec<&str>>) = (String::new(), None);
    for line in page.lines() {
        match (&mut inside, line.starts_with("```")) {
            (None, true) => inside = Some(Vec::new()),
            (None, false) if line.is_empty() => {}
            (None, false) => title = line.to_owned(),
            (Some(lines), true) => {
                blocks.push(Block {
                    title: std::mem::take(&mut title),
                    text: lines.join("\n") + "\n",
                });
                inside = None;
            }
            (Some(lines), false) => lines.push(line),
        }
    }
    blocks
}

/// The lines of a table, sorted, without the width of its columns and without moments (`2024-03-01 06:00:00+00`).
fn plain(table: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_time = |word: Option<&&str>| word.is_some_and(|word| word.ends_with("+00"));
        let kept = (0..words.len())
            .filter(|i| !is_time(words.get(*i)) && !is_time(words.get(i + 1)))
            .map(|i| words[i]);
        kept.collect::<Vec<_>>().join(" ")
    };
    let mut lines: Vec<String> = table.trim_end().lines().map(line).collect();
    lines.sort();
    lines.join("\n")
}

#[test]
fn the_example_of_the_page_is_true() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/deduplicate.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (example, _) = page.split_once("\n## Which rows are the same").unwrap();
    let world = World::new();
    let mut commands = 0;
    for Block { title, text } in blocks(example) {
        let name = title
            .strip_prefix('`')
            .and_then(|name| name.strip_suffix("`:"));
        if let Some(name) = name {
            world.write(name, &text);
            continue;
        }
        for step in text.split("$ comboi ").skip(1) {
            let (command, expected) = step.split_once('\n').unwrap();
            let words: Vec<&str> = command.split(' ').collect();
            let said = world.expect(0, &words).out;
            if words[0] == "show" {
                assert_eq!(plain(&said), plain(expected), "comboi {command}");
            }
            commands += 1;
        }
    }
    assert_eq!(commands, 5, "the page was read");
}

#[test]
fn validate_tells_what_is_wrong_with_a_deduplication() {
    let world = World::small();
    world.run();
    let transformations = world.read("configs/transformations.yml");
    world.write(
        "configs/transformations.yml",
        transformations.replacen(
            "  - name: orders_clean\n",
            "  - name: orders_clean\n    dedupe: {unique_id: id, keys: [dya, \"lower(day)\"], output: {keep: golden, survivor: [latest: daye]}}\n",
            1,
        ),
    );
    let said = world.expect(2, &["validate"]).err;
    for message in [
        "the query returns no column `dya`\n  configs/transformations.yml:3:36",
        "the query returns no column `daye`\n  configs/transformations.yml:3:98",
    ] {
        assert!(said.contains(message), "{said}");
    }
}

/// 1,000 made-up people of whom somebody knows who is who, compared by a model that is trained on them.
fn people() -> World {
    let world = World::new();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../comboi-linkage/tests/data");
    let rows = std::fs::read(data.join("fake_1000.parquet")).unwrap();
    world.write("in/people.parquet", rows);
    world.write(
        "configs/default.yml",
        "sources: [{name: crm, type: files, path: in, tables: [{name: people, files: people.parquet}]}]\n",
    );
    world.write(
        "configs/transformations.yml",
        "silver:
  - name: people
    inputs: [crm/people]
    dedupe:
      unique_id: unique_id
      keys: [[first_name, surname], [surname, dob], [first_name, dob], email]
      comparisons: {first_name: name, surname: name, dob: date_of_birth, city: exact, email: email}
      save_model: models/people.json
",
    );
    world.write("transformations/sql/people.sql", "SELECT * FROM people\n");
    world
}

#[test]
fn a_model_is_trained_explained_measured_and_drawn() {
    let world = people();
    let said = world.expect(1, &["linkage", "train", "people"]).err;
    assert!(said.contains("is not in the lake"), "{said}");
    let ran = world.run().out;
    assert!(
        ran.contains("1,000 rows are ") && ran.contains(" clusters"),
        "{ran}"
    );
    assert!(world.path("models/people.json").exists());

    let trained = world
        .expect(0, &["linkage", "train", "people", "--to", "again.json"])
        .out;
    assert!(
        trained.contains("Jaro-Winkler") && trained.contains("saved to again.json"),
        "{trained}"
    );
    assert_eq!(
        world.read("again.json"),
        world.read("models/people.json"),
        "the same rows, the same model"
    );

    let explained = world.json(&["linkage", "explain", "silver/people", "0", "1"]);
    let bars: f64 = explained["bars"]
        .as_array()
        .unwrap()
        .iter()
        .map(|bar| bar["weight"].as_f64().unwrap() + bar["term_frequency_weight"].as_f64().unwrap())
        .sum();
    let (prior, weight) = (
        explained["prior"].as_f64().unwrap(),
        explained["weight"].as_f64().unwrap(),
    );
    assert!((prior + bars - weight).abs() < 1e-9, "{explained}");
    let said = world
        .expect(0, &["linkage", "explain", "people", "0", "1"])
        .out;
    assert!(
        said.contains("any two rows") && said.contains("at a threshold of 0.95"),
        "{said}"
    );
    world.expect(1, &["linkage", "explain", "people", "0", "nobody"]);

    let measured = world.json(&["linkage", "evaluate", "people", "--labels", "cluster"]);
    let at = measured["thresholds"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["threshold"] == 0.9)
        .unwrap();
    let figure = |of: &str, name: &str| at[of][name].as_f64().unwrap();
    assert!(figure("pairs", "precision") > 0.99, "{measured}");
    // The keys have about half of the pairs between them.
    assert!(
        figure("pairs", "f1") > 0.55 && figure("clusters", "f1") > 0.7,
        "{measured}"
    );

    world.expect(0, &["linkage", "chart", "people", "--to", "people.html"]);
    let page = world.read("people.html");
    assert!(page.contains("</html>") && page.contains("<svg"));
    for outside in ["http://", "https://", "<script", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn labels_that_contradict_each_other_measure_nothing() {
    let world = people();
    world.run();
    world.write(
        "pairs.csv",
        "unique_id_l,unique_id_r,match\n0,1,1\n1,2,1\n2,0,0\n",
    );
    world.write("things.csv", "unique_id,person\n0,a\n1,a\n0,b\n");
    world.write(
        "good.csv",
        "unique_id_l,unique_id_r,match\n0,1,true\n1,2,1.0\n0,999,0\n",
    );
    world.write("odd.csv", "a,b,c\n1,2,3\n");
    let said = |labels: &str| {
        world
            .expect(2, &["linkage", "evaluate", "people", "--labels", labels])
            .err
    };
    assert!(
        said("pairs.csv").contains("contradict each other: 1 are said to be no match"),
        "{}",
        said("pairs.csv")
    );
    assert!(
        said("things.csv").contains("contradict each other: 1 have two different labels"),
        "{}",
        said("things.csv")
    );
    assert!(
        said("odd.csv").contains("has the columns `a`, `b`, `c`"),
        "{}",
        said("odd.csv")
    );
    assert!(
        said("nowhere.csv").contains("neither a column"),
        "{}",
        said("nowhere.csv")
    );
    let good = world
        .expect(
            0,
            &["linkage", "evaluate", "people", "--labels", "good.csv"],
        )
        .out;
    assert!(good.contains("3 labelled pairs"), "{good}");
}

/// What the page has to measure itself: charts, and whether any of their words are cut off.
const LOOK: &str = "<script>
const wrong = [];
const charts = [...document.querySelectorAll('svg')];
for (const chart of charts) {
  const box = chart.getBoundingClientRect();
  if (!(box.width > 100 && box.height > 5)) wrong.push('a chart of no size');
  for (const words of chart.querySelectorAll('text')) {
    const at = words.getBoundingClientRect();
    if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1) wrong.push('cut off: ' + words.textContent);
  }
}
if (document.documentElement.scrollWidth > innerWidth) wrong.push('wider than the window');
document.title = `seen: ${charts.length} charts ${wrong.join('; ')}.`;
</script></body>";

#[test]
fn the_page_of_charts_is_whole_in_a_browser() {
    let world = people();
    world.run();
    world.expect(0, &["linkage", "chart", "people", "--to", "people.html"]);
    // The page allows no script; the one that looks at it comes in its place.
    let (before, rest) = {
        let page = world.read("people.html");
        let (before, rest) = page.split_once("<meta http-equiv").unwrap();
        (before.to_owned(), rest.to_owned())
    };
    let (_, rest) = rest.split_once('>').unwrap();
    world.write(
        "seen.html",
        format!("{before}{}", rest.replace("</body>", LOOK)),
    );
    let page = format!("file://{}", world.path("seen.html").display());
    let profile = format!("--user-data-dir={}", world.path("browser").display());
    for width in ["1280", "400"] {
        let size = format!("--window-size={width},900");
        let seen = std::process::Command::new("chromium")
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                &size,
                &profile,
                "--dump-dom",
                &page,
            ])
            .output()
            .expect("Chromium is there");
        let seen = String::from_utf8_lossy(&seen.stdout);
        // Weights and shares of five comparisons, rules, pairs, clusters and six pairs step by step.
        assert!(
            seen.contains("<title>seen: 19 charts .</title>"),
            "{width} wide: {seen}"
        );
    }
}

#[test]
fn whatever_is_wrong_or_odd_is_told() {
    const KEYS: &str = "keys: [[first_name, surname], [surname, dob], [first_name, dob], email]";
    const NAMES: &str = "first_name: name, surname: name";
    const ALL: &str = "SELECT * FROM people";
    let world = people();
    world.run();
    let settings = world.read("configs/transformations.yml");
    let told = |settings: &str, sql: &str, command: &str, code: i32, told: &str| {
        world.write("configs/transformations.yml", settings);
        world.write("transformations/sql/people.sql", sql);
        let words: Vec<&str> = command.split(' ').collect();
        let said = world.expect(code, &words);
        let said = format!("{}{}", said.out, said.err);
        assert!(
            said.contains(told),
            "{command} with `{sql}` and {settings}: {told} is missing in\n{said}"
        );
    };
    let check = |(from, to): (&str, &str), sql: &str, command: &str, code: i32, what: &str| {
        assert!(settings.contains(from), "{from}");
        told(&settings.replacen(from, to, 1), sql, command, code, what);
    };
    let same = ("", "");
    // Settings that can't be meant are told before anything runs.
    check(
        (NAMES, "first_name: nmae, surname: name"),
        ALL,
        "validate",
        2,
        "there is no comparison `nmae`\n  configs/transformations.yml:7:33\n  hint: did you mean `name`?",
    );
    check(
        (NAMES, "frist_name: name, surname: name"),
        ALL,
        "validate",
        2,
        "the query returns no column `frist_name`",
    );
    check(
        (KEYS, "keys: [emial]"),
        ALL,
        "validate",
        2,
        "the query returns no column `emial`",
    );
    check(
        (
            "    dedupe:",
            "    splink: {comparisons: [{output_column_name: dob, comparison_levels: [{sql_condition: dob_l = dob_r}, {sql_condition: ELSE}]}]}\n    dedupe:",
        ),
        ALL,
        "validate",
        2,
        "and so does `comparisons`",
    );
    let with_model = |model: &str, sql: &str, command: &str, code: i32, what: &str| {
        world.write("model.json", model);
        let (first, _) = settings.split_once("    dedupe:").unwrap();
        let splink = "    splink: model.json\n    dedupe: {unique_id: unique_id}\n";
        told(&format!("{first}{splink}"), sql, command, code, what);
    };
    let model = |rules: &str, condition: &str, rounds: u32| {
        format!(
            r#"{{"max_iterations": {rounds}, "blocking_rules_to_generate_predictions": [{rules}], "comparisons": [
                {{"output_column_name": "name", "comparison_levels": [{{"sql_condition": "{condition}"}}, {{"sql_condition": "jaro_winkler_similarity(first_name_l, first_name_r) > 0.8"}}, {{"sql_condition": "ELSE"}}]}},
                {{"output_column_name": "surname", "comparison_levels": [{{"sql_condition": "surname_l = surname_r"}}, {{"sql_condition": "ELSE"}}]}}]}}"#
        )
    };
    let (rules, equal) = (
        r#""l.surname = r.surname", "l.dob = r.dob""#,
        "first_name_l = first_name_r",
    );
    with_model(
        &model("", equal, 25),
        ALL,
        "validate",
        2,
        "no rule says which rows are compared",
    );
    with_model(
        &model(rules, "jarro(first_name_l, first_name_r) > 0.9", 25),
        ALL,
        "validate",
        2,
        "jarro",
    );
    with_model(
        &model(rules, "frist_l = frist_r", 25),
        ALL,
        "validate",
        2,
        "the records have no column `frist`\n  model.json:2:",
    );
    // Training that can't end well is told with the result.
    with_model(
        &model(rules, equal, 1),
        ALL,
        "run all",
        0,
        "did not come to rest within 1 round",
    );
    // Rows that nothing can be learned of, or that can't be told apart.
    check(
        same,
        "SELECT * REPLACE (NULL::VARCHAR AS city) FROM people",
        "run all",
        0,
        "comparison `city`: of 499500 pairs taken by chance none has a value in both records",
    );
    check(
        same,
        "SELECT * FROM people LIMIT 1",
        "run all",
        0,
        "fewer than two rows, so nothing is learned",
    );
    check(
        same,
        "SELECT * FROM people LIMIT 0",
        "run all",
        0,
        "0 rows are 0 clusters",
    );
    check(
        same,
        "SELECT * FROM people UNION ALL SELECT * FROM people WHERE unique_id < 3",
        "run all",
        1,
        "3 values stand in more than one record",
    );
    check(
        (KEYS, "pairs_budget: 10\n      keys: [city]"),
        ALL,
        "run all",
        1,
        "pairs by `l.city = r.city`",
    );
    world.write(
        "pairs.csv",
        "unique_id_l,unique_id_r,match\n0,1,1\n1,2,1\n2,0,0\n",
    );
    check(
        same,
        ALL,
        "linkage evaluate people --labels pairs.csv",
        2,
        "contradict each other: 1 are said to be no match",
    );
}
