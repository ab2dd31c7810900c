//! `comboi ls` and `comboi show`.

use std::io::Write;

use comboi_engine::{Input, Session};
use comboi_lake::Snapshot;
use comboi_plan::Plan;
use comboi_project::DatasetId;

use super::going::{self, Unnamed};
use crate::cli::{Global, Output};
use crate::exit::{self, Exit};
use crate::{text, wiring};

pub(crate) fn ls(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let lake = wiring::lake(&project)?;
    let (listed, unnamed) = wiring::block_on(async {
        let mut listed: Vec<Listed> = Vec::new();
        for task in Plan::of_everything(&project).tasks {
            let found = lake.table(&task.dataset).snapshot().await;
            listed.push((task.dataset, found));
        }
        anyhow::Ok((listed, Unnamed::all(&project, &lake).await?))
    })??;
    match output {
        Output::Json => {
            let entry = |(id, found): &Listed| {
                let there = found.as_ref().ok().and_then(Option::as_ref);
                serde_json::json!({
                    "dataset": id,
                    "in_project": true,
                    "location": lake.table(id).location(),
                    "version": there.map(|s| s.version),
                    "rows": there.map(Snapshot::row_count),
                    "bytes": there.map(Snapshot::size_bytes),
                    "committed_at": there.map(|s| s.committed_at),
                    "error": found.as_ref().err().map(|e| exit::told_error(e)),
                })
            };
            let other = |other: &Unnamed| {
                let there = other.found.as_ref().ok().and_then(Option::as_ref);
                serde_json::json!({
                    "dataset": other.dataset,
                    "in_project": false,
                    "pipeline": other.pipeline(),
                    "location": lake.table(&other.dataset).location(),
                    "version": there.map(|it| it.version),
                    "rows": other.row_count(),
                    "committed_at": there.map(|it| it.committed_at),
                    "error": other.found.as_ref().err().map(|e| exit::told_error(e)),
                })
            };
            let entries = listed.iter().map(entry).chain(unnamed.iter().map(other));
            super::json(out, &entries.collect::<Vec<_>>())?;
        }
        Output::Text => {
            write!(out, "{}", list(&listed))?;
            if let Some(told) = going::told(&unnamed, &project) {
                writeln!(out, "\nnote: {told}")?;
            }
        }
    }
    // One dataset that can't be read does not hide the others.
    let failed = listed.iter().any(|(_, found)| found.is_err());
    Ok(if failed { Exit::Failed } else { Exit::Good })
}

/// A dataset, and what the lake has of it.
type Listed = (DatasetId, Result<Option<Snapshot>, comboi_lake::Error>);

fn list(listed: &[Listed]) -> String {
    let mut rows = vec![
        ["dataset", "version", "rows", "size", "last commit (UTC)"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut errors = String::new();
    for (id, found) in listed {
        rows.push(match found {
            Ok(Some(s)) => vec![
                id.to_string(),
                s.version.to_string(),
                text::count(s.row_count()),
                text::bytes(s.size_bytes()),
                s.committed_at.format("%Y-%m-%d %H:%M:%S").to_string(),
            ],
            Ok(None) => vec![id.to_string(), "not there yet".to_owned()],
            Err(e) => {
                errors.push_str(&format!("\nerror: {}\n", exit::told_error(e)));
                vec![id.to_string(), "can't be read".to_owned()]
            }
        });
    }
    text::table(&rows) + &errors
}

pub(crate) fn show(
    global: &Global,
    dataset: &str,
    version: Option<u64>,
    limit: usize,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let table = wiring::table(&project, &wiring::lake(&project)?, dataset)?;
    let scratch = wiring::private_scratch(&project)?;
    let (columns, files) = wiring::block_on(async {
        let snapshot = match version {
            Some(version) => table.snapshot_at(version).await?,
            None => table
                .snapshot()
                .await?
                .ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?,
        };
        let files = table.local_files(&snapshot, scratch.path()).await?;
        anyhow::Ok((snapshot.columns, files))
    })??;
    let session = Session::open(&wiring::limits(&project), scratch.path())?;
    let shown = comboi_engine::show(
        &session,
        &Input {
            alias: "dataset",
            columns: &columns,
            files: &files,
        },
        limit,
    )?;
    match output {
        Output::Json => {
            let document = serde_json::json!({ "columns": shown.names, "types": shown.types, "rows": shown.rows });
            super::json(out, &document)?;
        }
        Output::Text => write!(out, "{}", table_of(shown))?,
    }
    Ok(Exit::Good)
}

/// Rows as a table for people.
pub(super) fn table_of(shown: comboi_engine::Rows) -> String {
    let mut rows = vec![shown.names];
    let cell = |cell: Option<String>| one_line(&cell.unwrap_or_else(|| "NULL".to_owned()));
    rows.extend(
        shown
            .rows
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect()),
    );
    text::table(&rows)
}

/// A cell that keeps to its line and its column.
fn one_line(cell: &str) -> String {
    let mut line: String = cell
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(61)
        .collect();
    if line.chars().count() > 60 {
        line.pop();
        line.push('…');
    }
    line
}
