//! `comboi files`: what belongs into a package of the project.

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use comboi_project::{PartialProject, Problems, Source};
use comboi_sources::database::certificates;

use crate::cli::{Global, Output};
use crate::exit::Exit;
use crate::{text, wiring};

pub(crate) fn files(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let PartialProject {
        project,
        mut files,
        problems,
        ..
    } = wiring::partial_project(global)?;
    if files.is_empty() {
        return Err(Problems(problems).into());
    }
    let sources = project.map(|project| project.sources).unwrap_or_default();
    files.extend(sources.iter().filter_map(certificates));
    let mut seen = HashSet::new();
    files.retain(|file| seen.insert(file.clone()));
    let folders = sources.iter().filter_map(folder);
    match output {
        Output::Json => {
            let entry = |(source, path): (&str, &Path)| serde_json::json!({ "source": source, "path": path });
            let folders: Vec<_> = folders.map(entry).collect();
            let document = serde_json::json!({ "files": files, "folders": folders });
            super::json(out, &document)?;
        }
        Output::Text => {
            let file = |file: &PathBuf| vec![file.display().to_string(), String::new()];
            let folder = |(source, path): (&str, &Path)| {
                vec![
                    path.display().to_string(),
                    format!("the files of source {source}, which are no part of the project"),
                ]
            };
            let rows: Vec<_> = files.iter().map(file).chain(folders.map(folder)).collect();
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
}

/// Where the files of a source lie, as written.
fn folder(source: &Source) -> Option<(&str, &Path)> {
    let Source::Files(files) = source else {
        return None;
    };
    let path = files.path.as_ref();
    Some((
        files.name.value.as_str(),
        path.map_or(Path::new("."), |path| &path.value),
    ))
}
