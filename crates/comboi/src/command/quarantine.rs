//! `comboi quarantine`: rows that were set aside.

use std::collections::BTreeMap;
use std::io::Write;

use comboi_engine::{Input, RULES_COLUMN, Rows, Session};
use comboi_lake::Snapshot;
use comboi_plan::Plan;
use comboi_project::{DatasetId, Project};

use crate::cli::{Global, Output, QuarantineCommand};
use crate::exit::{Exit, Usage};
use crate::{logging, text, wiring};

pub(crate) fn quarantine(
    global: &Global,
    command: QuarantineCommand,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    match command {
        QuarantineCommand::Ls { output } => ls(global, output, out),
        QuarantineCommand::Show {
            dataset,
            limit,
            output,
        } => show(global, &dataset, limit, output, out),
        QuarantineCommand::Replay { dataset, running } => {
            let project = wiring::project(global)?;
            let id = dataset_of(&project, &dataset)?;
            let runner = wiring::quiet_runner(project)?;
            let aside = wiring::block_on(comboi_run::quarantined(&runner.lake, &id))??;
            if aside.is_none() {
                writeln!(
                    out,
                    "`{id}` has no rows aside, so there is nothing to replay"
                )?;
                return Ok(Exit::Good);
            }
            let gone = wiring::block_on(runner.gone_files(&id))??;
            if let [first, ..] = gone.as_slice() {
                return Err(Usage(format!(
                    "`{id}` can't be read again as a whole: {} of its source {} gone (`{first}`), and the rows of what is gone are in the lake only; bring the files back, or drop what is aside with `comboi quarantine purge {id}`",
                    text::counted(gone.len() as u64, "file"),
                    if gone.len() == 1 { "is" } else { "are" },
                ))
                .into());
            }
            super::run::again(global, &id, &running, out)
        }
        QuarantineCommand::Purge { dataset, output } => {
            let project = wiring::project(global)?;
            let id = dataset_of(&project, &dataset)?;
            logging::start_for(global, &project)?;
            let runner = wiring::quiet_runner(project)?;
            let purged = wiring::block_on(runner.purge_quarantine(&id))??;
            if output == Output::Json {
                let told = serde_json::json!({ "dataset": id, "rows": purged });
                super::json(out, &told)?;
                return Ok(Exit::Good);
            }
            let line = match purged {
                Some(rows) => format!(
                    "`{id}`: {} forgotten; `comboi vacuum {id}` deletes what is too old to keep",
                    text::counted(rows, "row")
                ),
                None => format!("`{id}` has no rows aside"),
            };
            writeln!(out, "{line}")?;
            Ok(Exit::Good)
        }
    }
}

/// The dataset that a person named, be it by the name of its quarantine.
fn dataset_of(project: &Project, name: &str) -> anyhow::Result<DatasetId> {
    wiring::dataset(project, name.strip_suffix("__quarantine").unwrap_or(name))
}

/// What a dataset has aside.
struct Aside {
    dataset: DatasetId,
    snapshot: Snapshot,
    /// How many rows broke each rule; of a table, for each reason.
    rules: BTreeMap<String, u64>,
}

fn ls(global: &Global, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let lake = wiring::lake(&project)?;
    let mut all = Vec::new();
    for task in Plan::of_everything(&project).tasks {
        let found = wiring::block_on(comboi_run::quarantined(&lake, &task.dataset))??;
        if let Some(snapshot) = found {
            let rules = rules(&project, &task.dataset, &snapshot)?;
            all.push(Aside {
                dataset: task.dataset,
                snapshot,
                rules,
            });
        }
    }
    match output {
        Output::Json => {
            let one = |aside: &Aside| {
                serde_json::json!({
                    "dataset": aside.dataset,
                    "rows": aside.snapshot.row_count(),
                    "version": aside.snapshot.version,
                    "committed_at": aside.snapshot.committed_at,
                    "rules": aside.rules,
                })
            };
            super::json(out, &all.iter().map(one).collect::<Vec<_>>())?;
        }
        Output::Text if all.is_empty() => writeln!(out, "No dataset has rows aside.")?,
        Output::Text => {
            let head = ["dataset", "rows", "since (UTC)", "why"];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(all.iter().map(|aside| {
                let why = aside.rules.iter();
                let why = why.map(|(rule, rows)| format!("{rule} {}", text::count(*rows)));
                vec![
                    aside.dataset.to_string(),
                    text::count(aside.snapshot.row_count()),
                    aside
                        .snapshot
                        .committed_at
                        .format("%Y-%m-%d %H:%M:%S")
                        .to_string(),
                    why.collect::<Vec<_>>().join(", "),
                ]
            }));
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
}

/// How many rows broke each rule. What a table of files has aside says its reasons in words of its own.
fn rules(
    project: &Project,
    dataset: &DatasetId,
    snapshot: &Snapshot,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let mut rules = BTreeMap::new();
    if snapshot.columns.get(RULES_COLUMN).is_none() {
        rules.insert("does not fit".to_owned(), snapshot.row_count());
        return Ok(rules);
    }
    let counted = with_rows(project, dataset, snapshot, |session, input| {
        comboi_engine::count_items(session, input, RULES_COLUMN)
    })?;
    rules.extend(counted);
    Ok(rules)
}

fn show(
    global: &Global,
    dataset: &str,
    limit: usize,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let id = dataset_of(&project, dataset)?;
    let lake = wiring::lake(&project)?;
    let Some(snapshot) = wiring::block_on(comboi_run::quarantined(&lake, &id))?? else {
        match output {
            Output::Text => writeln!(out, "`{id}` has no rows aside")?,
            Output::Json => {
                let none = serde_json::json!({ "columns": [], "types": [], "rows": [] });
                super::json(out, &none)?;
            }
        }
        return Ok(Exit::Good);
    };
    let shown = with_rows(&project, &id, &snapshot, |session, input| {
        comboi_engine::show(session, input, limit)
    })?;
    let shown = masked(&project, &id, shown);
    match output {
        Output::Json => {
            let document = serde_json::json!({ "columns": shown.names, "types": shown.types, "rows": shown.rows });
            super::json(out, &document)?;
        }
        Output::Text => write!(out, "{}", super::look::table_of(shown))?,
    }
    Ok(Exit::Good)
}

/// Rows with what tells about a person masked, as the dataset's contracts say.
fn masked(project: &Project, id: &DatasetId, mut shown: Rows) -> Rows {
    let Some(dataset) = project.dataset(id) else {
        return shown;
    };
    let personal = |name: &String| {
        dataset
            .contracts
            .iter()
            .any(|named| named.contract.is_personal(name))
    };
    let hidden: Vec<bool> = shown.names.iter().map(personal).collect();
    for row in &mut shown.rows {
        for (cell, hidden) in row.iter_mut().zip(&hidden) {
            if let (Some(text), true) = (&cell, hidden) {
                *cell = Some(format!("‹masked, {} characters›", text.chars().count()));
            }
        }
    }
    shown
}

/// Does something with the rows of a version of a quarantine, on this machine.
fn with_rows<T>(
    project: &Project,
    dataset: &DatasetId,
    snapshot: &Snapshot,
    work: impl FnOnce(&Session, &Input<'_>) -> Result<T, comboi_engine::Error>,
) -> anyhow::Result<T> {
    let scratch = wiring::private_scratch(project)?;
    let table = wiring::lake(project)?.quarantine(dataset);
    let files = wiring::block_on(table.local_files(snapshot, scratch.path()))??;
    let session = Session::open(&wiring::limits(project), scratch.path())?;
    let input = Input {
        alias: "quarantine",
        columns: &snapshot.columns,
        files: &files,
    };
    Ok(work(&session, &input)?)
}
