//! Files that nobody writes in good faith: a clear problem, in bounded time and memory.

use std::fs;

use comboi_project::Project;

use crate::shown;

/// The problems of a configuration that is these bytes.
fn problems(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yml");
    fs::write(&path, bytes).unwrap();
    match Project::load(&path, &|_| None) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => shown(&problems),
    }
}

#[track_caller]
fn check(text: &str, expected: &str) {
    assert_eq!(problems(text.as_bytes()), expected);
}

#[test]
fn what_is_no_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let problems = Project::load(&folder.path().join(name), &|_| None).unwrap_err();
        shown(&problems)
    };
    fs::create_dir(folder.path().join("folder.yml")).unwrap();
    assert_eq!(
        at("folder.yml"),
        "folder.yml this is a folder where a file is needed"
    );
    assert_eq!(at("missing.yml"), "missing.yml there is no such file");
}

#[cfg(unix)]
#[test]
fn devices_and_pipes_are_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("p.yml")).unwrap();
    let problems = Project::load(&folder.path().join("p.yml"), &|_| None).unwrap_err();
    assert_eq!(shown(&problems), "p.yml this is not a regular file");
}

#[test]
fn empty_files_are_told() {
    for empty in ["", "\n\n", "# only a comment\n", "---\n", "~", "null\n"] {
        check(empty, "p.yml the file is empty");
    }
    check(
        "just text",
        "p.yml:1:1 expected the configuration: a mapping, found `just text`",
    );
    check(
        "- a\n",
        "p.yml:1:1 expected the configuration: a mapping, found a list",
    );
}

#[test]
fn a_hundred_megabytes_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.yml");
    fs::File::create(&path)
        .unwrap()
        .set_len(100_000_000)
        .unwrap();
    let problems = Project::load(&path, &|_| None).unwrap_err();
    assert_eq!(
        shown(&problems),
        "p.yml the file is larger than 5 MB (split it, or check that it is the right one)"
    );
}

#[test]
fn aliases_can_not_explode() {
    check(
        "sources: &a [*b, *missing]\nname: *a\n",
        "p.yml:1:13 anchors (`&name`) are not used in comboi's files (write the value where it is needed)\n\
         p.yml:1:14 aliases (`*name`) are not used in comboi's files (write the value out; quote a text that begins with `*`)\n\
         p.yml:1:18 aliases (`*name`) are not used in comboi's files (write the value out; quote a text that begins with `*`)\n\
         p.yml:2:7 aliases (`*name`) are not used in comboi's files (write the value out; quote a text that begins with `*`)",
    );
}

#[test]
fn depth_is_bounded() {
    for deep in [
        "[".repeat(100_000),
        "{a: ".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
    ] {
        let found = problems(deep.as_bytes());
        assert!(found.contains("nested deeper than 32 levels"), "{found}");
        assert!(found.len() < 1000);
    }
}

#[test]
fn breadth_is_bounded() {
    let wide = format!("sources: [{}]", "a,".repeat(600_000));
    let found = problems(wide.as_bytes());
    assert!(
        found.contains("the file has more than 500000 values"),
        "{}",
        found.len()
    );
    let long = format!("name: {}", "a".repeat(2_000_000));
    assert_eq!(
        problems(long.as_bytes()),
        "p.yml:1:7 this value is longer than 1 MB (keep data in data files)"
    );
    let mistakes = "wrong: 1\n".repeat(500);
    assert!(problems(mistakes.as_bytes()).lines().count() <= 101);
}

#[test]
fn what_could_take_forever_does_not() {
    // Each of these took minutes once, and would again if its time grew with the square of its size.
    for braces in [
        "{{a".repeat(300_000),
        format!("{}}}}}", "{{a:".repeat(200_000)),
        "{{a:b}}".repeat(10_000),
    ] {
        assert!(problems(format!("name: \"{braces}\"").as_bytes()).starts_with("p.yml:1:7"));
    }
    let folder = tempfile::tempdir().unwrap();
    let tables: String = (0..1500)
        .map(|i| format!("{{ name: a{i}, files: a.csv }}, "))
        .collect();
    let inputs: String = (0..1500)
        .map(|i| format!("{{ name: b{i}, inputs: [c{i}_{i}] }}, "))
        .collect();
    crate::write(
        folder.path(),
        &format!(
            "== p.yml\nsources: [{{ name: s, type: files, tables: [{tables}] }}]\n== transformations.yml\nsilver: [{inputs}]\n"
        ),
    );
    let found = Project::load(&folder.path().join("p.yml"), &|_| None).unwrap_err();
    assert_eq!(found.0.len(), 501);
    assert_eq!(
        found.0[500].message,
        "there are 2500 more problems, here or in other files"
    );
}

#[test]
fn placeholders_do_not_nest() {
    check(
        "name: \"{{env:A|{{env:B|x}}}}\"\n",
        "p.yml:1:7 a placeholder can't stand inside another one (write the default out)",
    );
}

#[test]
fn text_is_utf8() {
    assert_eq!(
        problems(b"name: shop\nsources: [caf\xe9]\n"),
        "p.yml:2:14 the file is not UTF-8 text from here on (save the file with the encoding UTF-8)"
    );
    assert_eq!(
        problems(b"\xff\xfen\0a\0"),
        "p.yml:1:1 the file is not UTF-8 text from here on (save the file with the encoding UTF-8)"
    );
}

#[test]
fn windows_files_are_files() {
    check("\u{feff}name: shop\r\nsources: []\r\n", "no problem");
    check(
        "\u{feff}naem: shop\r\nsources: []\r\n",
        "p.yml:1:1 unknown key `naem` (did you mean `name`?)",
    );
    check(
        "name: shop\r\nsorces: []\r\n",
        "p.yml:2:1 unknown key `sorces` (did you mean `sources`?)",
    );
}

#[test]
fn keys_are_there_once() {
    check(
        "name: a\nsources: []\nname: b\nsources: []\n",
        "p.yml:3:1 key `name` is here twice (it is at line 1 already; keep one of them)\n\
         p.yml:4:1 key `sources` is here twice (it is at line 2 already; keep one of them)",
    );
}

#[test]
fn what_yaml_can_and_comboi_does_not_want_is_told() {
    check(
        "name: !!str a\n",
        "p.yml:1:13 tags (`!name`) are not used in comboi's files (remove the tag; quote what is a text)",
    );
    check(
        "<<: { a: 1 }\n",
        "p.yml:1:1 merge keys (`<<`) are not used in comboi's files (write the keys out)",
    );
    check(
        "name: a\n---\nname: b\n",
        "p.yml:2:1 a second document begins here (one file holds one document)",
    );
    check(
        "[a, b]: c\n",
        "p.yml:1:1 a key has to be a text (if this is a placeholder such as {{env:NAME}}, put it in quotes: \"{{env:NAME}}\")",
    );
}

#[test]
fn broken_yaml_says_where_and_what_to_try() {
    check(
        "stages:\n\tbronze:\n",
        "p.yml:2:2 there is a tab where YAML wants spaces (indent with spaces)",
    );
    check(
        "name: \"shop\nsources: []\n",
        "p.yml:2:1 the text in quotes that began above goes on here (look for a quote without its partner)",
    );
    for broken in [
        "sources: [a",
        "a: b: c",
        "a: {b",
        "name: @x",
        "name: 'a' b",
        "a\nb: c",
        " a: 1\nb: 2",
        "a:\n  - b\n c: d",
        "%YAML 3.0\n---\na: b",
        "name: \"\\d\"",
    ] {
        let found = problems(broken.as_bytes());
        assert!(found.starts_with("p.yml:"), "{broken:?} {found}");
        assert!(found.contains("this is not YAML"), "{broken:?} {found}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "([ -~\n]|[\\-:{}\\[\\]&*!|>'\"%@`,#? \t]|name|sources|- |\\{\\{env:A\\}\\})*") {
        let _either_way = problems(text.as_bytes());
    }
}
