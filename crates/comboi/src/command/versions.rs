//! `comboi history`, `comboi restore` and `comboi vacuum`.

use std::io::Write;
use std::time::Duration;

use comboi_run::Clock;
use serde_json::json;

use crate::cli::{Global, Output};
use crate::exit::Exit;
use crate::{logging, text, wiring};

pub(crate) fn history(
    global: &Global,
    dataset: &str,
    limit: usize,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let table = wiring::table(&project, &wiring::lake(&project)?, dataset)?;
    let versions = wiring::block_on(table.history(limit))??;
    match output {
        Output::Json => {
            let version = |version: &comboi_lake::Version| {
                serde_json::json!({
                    "version": version.version,
                    "committed_at": version.committed_at,
                    "operation": version.operation,
                    "run": version.run,
                    "rows_added": version.rows_added,
                    "rows_removed": version.rows_removed,
                    "files_added": version.files_added,
                    "files_removed": version.files_removed,
                    "bytes_added": version.bytes_added,
                    "readable": version.readable,
                })
            };
            super::json(out, &versions.iter().map(version).collect::<Vec<_>>())?;
        }
        Output::Text => {
            let head = [
                "version",
                "time (UTC)",
                "run",
                "operation",
                "rows added",
                "rows removed",
                "files",
                "size",
            ];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(versions.iter().map(|version| {
                vec![
                    version.version.to_string(),
                    version
                        .committed_at
                        .map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string())
                        .unwrap_or_default(),
                    version.run.map(|run| run.to_string()).unwrap_or_default(),
                    version.operation.clone(),
                    text::count(version.rows_added),
                    version.rows_removed.map(text::count).unwrap_or_default(),
                    format!("+{} -{}", version.files_added, version.files_removed),
                    text::bytes(version.bytes_added),
                ]
            }));
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
}

pub(crate) fn restore(
    global: &Global,
    dataset: &str,
    version: u64,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let id = wiring::dataset_in_lake(&project, &wiring::lake(&project)?, dataset)?;
    logging::start_for(global, &project)?;
    let runner = wiring::quiet_runner(project)?;
    let snapshot = wiring::block_on(runner.restore(&id, version))??;
    if output == Output::Json {
        let told = json!({
            "dataset": id,
            "restored": version,
            "version": snapshot.version,
            "rows": snapshot.row_count(),
        });
        super::json(out, &told)?;
        return Ok(Exit::Good);
    }
    writeln!(
        out,
        "`{id}` is as it was at version {version}: {}, now version {}",
        text::counted(snapshot.row_count(), "row"),
        snapshot.version
    )?;
    Ok(Exit::Good)
}

pub(crate) fn vacuum(
    global: &Global,
    dataset: Option<&str>,
    keep: Duration,
    dry_run: bool,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let lake = wiring::lake(&project)?;
    let one = dataset
        .map(|dataset| wiring::dataset_in_lake(&project, &lake, dataset))
        .transpose()?;
    if !dry_run {
        logging::start_for(global, &project)?;
    }
    let now = Clock::system().now();
    wiring::block_on(async {
        let ids = match one {
            Some(id) => vec![id],
            None => lake.datasets().await?,
        };
        let verb = if dry_run {
            "would be deleted"
        } else {
            "deleted"
        };
        let mut told = Vec::new();
        for id in ids {
            for (name, vacuumed) in comboi_run::vacuum(&lake, &id, keep, now, dry_run).await? {
                told.push(json!({
                    "table": name,
                    "files": vacuumed.files,
                    "bytes": vacuumed.size_bytes,
                    "deleted": !dry_run,
                }));
                if output == Output::Text {
                    writeln!(
                        out,
                        "{name}: {} {verb}, {}",
                        text::counted(vacuumed.files.len() as u64, "file"),
                        text::bytes(vacuumed.size_bytes)
                    )?;
                }
            }
        }
        if output == Output::Json {
            super::json(out, &told)?;
        }
        anyhow::Ok(())
    })??;
    Ok(Exit::Good)
}
