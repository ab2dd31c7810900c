//! `comboi ls` and `comboi show`.

use std::io::Write;

use comboi_engine::{Input, Session};
use comboi_plan::Plan;

use crate::cli::{Global, Output};
use crate::exit::Exit;
use crate::{text, wiring};

pub(crate) fn ls(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let lake = wiring::lake(&project)?;
    let listed = wiring::block_on(async {
        let mut listed = Vec::new();
        for task in Plan::of_everything(&project).tasks {
            let snapshot = lake.table(&task.dataset).snapshot().await?;
            listed.push((task.dataset, snapshot));
        }
        anyhow::Ok(listed)
    })??;
    match output {
        Output::Json => {
            let entry =
                |(id, snapshot): &(comboi_project::DatasetId, Option<comboi_lake::Snapshot>)| {
                    serde_json::json!({
                        "dataset": id,
                        "location": lake.table(id).location(),
                        "version": snapshot.as_ref().map(|s| s.version),
                        "rows": snapshot.as_ref().map(comboi_lake::Snapshot::row_count),
                        "bytes": snapshot.as_ref().map(comboi_lake::Snapshot::size_bytes),
                        "committed_at": snapshot.as_ref().map(|s| s.committed_at),
                    })
                };
            super::json(out, &listed.iter().map(entry).collect::<Vec<_>>())?;
        }
        Output::Text => {
            let mut rows = vec![
                ["dataset", "version", "rows", "size", "last commit (UTC)"]
                    .map(str::to_owned)
                    .to_vec(),
            ];
            for (id, snapshot) in &listed {
                rows.push(match snapshot {
                    Some(s) => vec![
                        id.to_string(),
                        s.version.to_string(),
                        text::count(s.row_count()),
                        text::bytes(s.size_bytes()),
                        s.committed_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                    ],
                    None => vec![id.to_string(), "not there yet".to_owned()],
                });
            }
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
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
        Output::Text => {
            let mut rows = vec![shown.names];
            let cell = |cell: Option<String>| one_line(&cell.unwrap_or_else(|| "NULL".to_owned()));
            rows.extend(
                shown
                    .rows
                    .into_iter()
                    .map(|row| row.into_iter().map(cell).collect()),
            );
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
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
