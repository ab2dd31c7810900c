//! Projects as text in, problems or meanings as text out.
#![allow(clippy::unwrap_used, reason = "a test that can't go on fails")]

#[path = "all/accepted.rs"]
mod accepted;
#[path = "all/dedupe.rs"]
mod dedupe;
#[path = "all/digest.rs"]
mod digest;
#[path = "all/hostile.rs"]
mod hostile;
#[path = "all/problems.rs"]
mod problems;
#[path = "all/schema.rs"]
mod schema;

use std::path::Path;

use comboi_project::{Problems, Project};

/// Writes a project and reads it. Each file begins with a line `== path`; the configuration is `configs/p.yml`.
pub(crate) fn load(files: &str) -> Result<Project, Problems> {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), files);
    Project::load(&folder.path().join("configs/p.yml"), &environment)
}

pub(crate) fn write(folder: &Path, files: &str) {
    for file in unindented(files)
        .split("== ")
        .filter(|file| !file.trim().is_empty())
    {
        let (path, text) = file.split_once('\n').unwrap();
        let path = folder.join(path.trim());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Raw text in a test stands under its test; the files don't.
pub(crate) fn unindented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let least = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    text.lines()
        .map(|line| line.get(least..).unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n")
        + "\n"
}

fn environment(name: &str) -> Option<String> {
    match name {
        "ACCOUNT" => Some("lake1".to_owned()),
        "THREADS" => Some("3".to_owned()),
        "TRICKY" => Some("{{keyvault:stolen}}".to_owned()),
        _ => None,
    }
}

/// One line a problem: `place message (hint)`.
pub(crate) fn shown(problems: &Problems) -> String {
    let line = |problem: &comboi_project::Problem| match &problem.hint {
        Some(hint) => format!("{} {} ({hint})", problem.place, problem.message),
        None => format!("{} {}", problem.place, problem.message),
    };
    problems.0.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Holds the problems of a project against the lines that are expected.
#[track_caller]
pub(crate) fn check(files: &str, expected: &str) {
    let found = match load(files) {
        Ok(_) => "no problem".to_owned(),
        Err(problems) => shown(&problems),
    };
    let expected: Vec<&str> = expected.trim().lines().map(str::trim).collect();
    let found: Vec<&str> = found.lines().collect();
    assert!(
        found == expected,
        "found:\n{}\n\nexpected:\n{}",
        found.join("\n"),
        expected.join("\n")
    );
}
