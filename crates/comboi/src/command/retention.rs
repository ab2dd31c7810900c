//! `comboi retention`: rows that are past their age.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use comboi_plan::Plan;
use comboi_project::{DatasetId, Project};
use comboi_run::{PastAge, Runner, TableAge};
use serde_json::json;

use super::going::{self, Unnamed};
use crate::cli::{Global, Output};
use crate::exit::Exit;
use crate::{logging, text, wiring};

/// What came of a dataset.
struct Looked {
    dataset: DatasetId,
    past: Result<PastAge, String>,
}

pub(crate) fn retention(
    global: &Global,
    dataset: Option<&str>,
    apply: Option<Duration>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let one = dataset
        .map(|dataset| wiring::dataset(&project, dataset))
        .transpose()?;
    if apply.is_some() {
        logging::start_for(global, &project)?;
    }
    let wanted: Vec<DatasetId> = Plan::of_everything(&project)
        .tasks
        .into_iter()
        .map(|task| task.dataset)
        .filter(|id| one.as_ref().is_none_or(|one| one == id))
        .filter(|id| !project.kept_for(id).is_empty())
        .collect();
    let kept_inputs = kept_inputs(&project, &wanted);
    let runner = wiring::quiet_runner(project)?;
    let looked = wiring::block_on(look(&runner, wanted, apply))?;
    let unnamed = match one {
        Some(_) => Vec::new(),
        None => wiring::block_on(Unnamed::all(&runner.project, &runner.lake))??,
    };
    match output {
        Output::Json => {
            let unnamed = unnamed.iter().map(
                |it| json!({ "dataset": it.dataset, "in_project": false, "rows": it.row_count() }),
            );
            let all = looked.iter().map(as_json).chain(unnamed);
            super::json(out, &all.collect::<Vec<_>>())?;
        }
        Output::Text => {
            tell(&looked, &kept_inputs, apply.is_some(), out)?;
            if let Some(told) = going::told(&unnamed, &runner.project) {
                writeln!(out, "No `data_retention` reaches what is {told}.")?;
            }
        }
    }
    let good = looked.iter().all(|looked| looked.past.is_ok());
    Ok(if good { Exit::Good } else { Exit::Failed })
}

/// One dataset that can't be looked at keeps no other from being freed of what is past its age.
async fn look(runner: &Runner, wanted: Vec<DatasetId>, apply: Option<Duration>) -> Vec<Looked> {
    let mut looked = Vec::new();
    for dataset in wanted {
        let past = match apply {
            Some(keep) => runner.remove_past_age(&dataset, keep).await,
            None => runner.past_age(&dataset).await,
        };
        let past = match past {
            Ok(None) => continue,
            Ok(Some(past)) => Ok(past),
            Err(error) => Err(error.to_string()),
        };
        looked.push(Looked { dataset, past });
    }
    looked
}

/// Tables that such datasets read, directly or not, and whose rows are kept for ever.
fn kept_inputs(project: &Project, wanted: &[DatasetId]) -> BTreeSet<DatasetId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&DatasetId> = wanted.iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        if project.kept_for(id).is_empty() {
            found.insert(id.clone());
        }
        let dataset = project.dataset(id).into_iter();
        open.extend(dataset.flat_map(|dataset| dataset.inputs.iter().map(|input| &input.dataset)));
    }
    found
}

fn tell(
    looked: &[Looked],
    kept_inputs: &BTreeSet<DatasetId>,
    applied: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    if looked.is_empty() {
        writeln!(
            out,
            "Nothing in the lake has a `data_retention`: `sla.data_retention` of a contract, or `data_retention` of a table, says how long rows are kept."
        )?;
        return Ok(());
    }
    let head = [
        "table",
        "kept",
        "rows",
        "past their age",
        "age unknown",
        "versions",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let good = looked.iter().filter_map(|looked| looked.past.as_ref().ok());
    let (mut past, mut versions) = (0, 0);
    for one in good {
        let kept: Vec<String> = one
            .kept_for
            .iter()
            .map(|limit| {
                let days = text::counted(limit.max_age_days, "day");
                format!("{days} by {}", limit.column)
            })
            .collect();
        for table in &one.tables {
            past += table.past;
            versions += table.version_count();
            rows.push(vec![
                table.name.clone(),
                kept.join(", "),
                text::count(table.row_count),
                text::count(table.past),
                text::count(table.unknown),
                text::count(table.version_count()),
            ]);
        }
    }
    write!(out, "{}", text::table(&rows))?;
    for looked in looked {
        if let Err(error) = &looked.past {
            writeln!(out, "{}: failed: {error}", looked.dataset)?;
        }
    }
    let (rows, of_versions) = (
        text::counted(past, "row"),
        text::counted(versions, "version"),
    );
    writeln!(out)?;
    let is_all_known = looked.iter().all(|looked| looked.past.is_ok());
    if past == 0 && versions == 0 {
        let of = if is_all_known {
            "Nothing"
        } else {
            "Nothing else"
        };
        writeln!(out, "{of} is past its age.")?;
    } else if applied {
        writeln!(out, "{rows} removed; {}", deleted(looked))?;
    } else {
        writeln!(
            out,
            "`comboi retention --apply` removes {rows} for good: {of_versions} with such rows can't be shown or restored any more."
        )?;
    }
    if !kept_inputs.is_empty() {
        let names: Vec<String> = kept_inputs.iter().map(|id| format!("`{id}`")).collect();
        writeln!(
            out,
            "They are made of {}, where rows are kept for ever: a `data_retention` there says otherwise.",
            names.join(", ")
        )?;
    }
    Ok(())
}

fn deleted(looked: &[Looked]) -> String {
    let good = looked.iter().filter_map(|looked| looked.past.as_ref().ok());
    let tables = good.flat_map(|past| &past.tables);
    let (mut files, mut size) = (0, 0);
    for vacuumed in tables.filter_map(|table| table.deleted.as_ref()) {
        files += vacuumed.files.len() as u64;
        size += vacuumed.size_bytes;
    }
    format!(
        "{} deleted, {}",
        text::counted(files, "file"),
        text::bytes(size)
    )
}

fn as_json(looked: &Looked) -> serde_json::Value {
    let past = match &looked.past {
        Err(error) => return json!({ "dataset": looked.dataset, "error": error }),
        Ok(past) => past,
    };
    let kept = past.kept_for.iter();
    let kept: Vec<_> = kept
        .map(|limit| json!({ "column": limit.column, "max_age_days": limit.max_age_days }))
        .collect();
    let table = |table: &TableAge| {
        json!({
            "table": table.name,
            "version": table.version,
            "rows": table.row_count,
            "past_age": table.past,
            "age_unknown": table.unknown,
            "versions": table.version_count(),
            "files_deleted": table.deleted.as_ref().map(|it| it.files.len()),
            "bytes_deleted": table.deleted.as_ref().map(|it| it.size_bytes),
        })
    };
    json!({
        "dataset": looked.dataset,
        "in_project": true,
        "kept_for": kept,
        "run": past.run,
        "tables": past.tables.iter().map(table).collect::<Vec<_>>(),
    })
}
