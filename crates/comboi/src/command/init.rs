//! `comboi init`: a small project that works.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;
use serde_json::json;

use crate::cli::Output;
use crate::exit::Exit;

const FILES: [(&str, &str); 9] = [
    ("configs/default.yml", include_str!("../init/default.yml")),
    (
        "configs/default-transformations.yml",
        include_str!("../init/default-transformations.yml"),
    ),
    (
        "transformations/contracts/orders_clean.yml",
        include_str!("../init/orders_clean.yml"),
    ),
    (
        "transformations/sql/orders_clean.sql",
        include_str!("../init/orders_clean.sql"),
    ),
    (
        "transformations/sql/revenue_by_day.sql",
        include_str!("../init/revenue_by_day.sql"),
    ),
    (
        "transformations/schemas.yml",
        include_str!("../init/schemas.yml"),
    ),
    (
        "data/incoming/orders/2024-05-01.csv",
        include_str!("../init/2024-05-01.csv"),
    ),
    (
        "data/incoming/orders/2024-05-02.csv",
        include_str!("../init/2024-05-02.csv"),
    ),
    (".gitignore", include_str!("../init/gitignore")),
];

pub(crate) fn init(folder: &Path, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let mut files = Vec::new();
    for (name, text) in FILES {
        let made = write_new(&folder.join(name), text.as_bytes())?;
        if output == Output::Text {
            writeln!(out, "{} {name}", if made { "made" } else { "left" })?;
        }
        files.push(json!({ "file": name, "made": made }));
    }
    for (name, schema) in comboi_project::schemas() {
        // Made anew each time: they belong to this comboi, not to the person.
        let path = folder.join(format!(".comboi/{name}.schema.json"));
        std::fs::create_dir_all(folder.join(".comboi")).with_context(|| unwritable(&path))?;
        std::fs::write(&path, serde_json::to_vec_pretty(&schema)?)
            .with_context(|| unwritable(&path))?;
    }
    if output == Output::Json {
        super::json(out, &json!({ "folder": folder, "files": files }))?;
        return Ok(Exit::Good);
    }
    let go_there = if folder == Path::new(".") {
        String::new()
    } else {
        format!("cd {} && ", folder.display())
    };
    writeln!(
        out,
        "\nNow: {go_there}comboi plan && comboi run all && comboi show revenue_by_day"
    )?;
    Ok(Exit::Good)
}

/// Writes a file unless one is there; says whether it did.
fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<bool> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| unwritable(path))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(bytes).with_context(|| unwritable(path))?;
            Ok(true)
        }
        Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).with_context(|| unwritable(path)),
    }
}

fn unwritable(path: &Path) -> String {
    format!("`{}` could not be written", path.display())
}
