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
