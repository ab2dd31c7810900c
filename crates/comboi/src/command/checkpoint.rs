//! `comboi reset-checkpoint`.

use std::io::Write;

use comboi_project::{DatasetId, Located, Project, SourceName, Stage, TableName};
use serde_json::json;

use crate::cli::{Global, Output};
use crate::exit::{Exit, Usage};
use crate::{logging, wiring};

pub(crate) fn reset(
    global: &Global,
    stage: Stage,
    source: &SourceName,
    table: Option<&TableName>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    if stage != Stage::Bronze {
        return Err(Usage(format!("only bronze has checkpoints; `{stage}` is built from what lies below it: `comboi run {stage} --rebuild`")).into());
    }
    let project = wiring::project(global)?;
    let ids: Vec<DatasetId> = match table {
        Some(table) => vec![wiring::dataset(
            &project,
            &format!("bronze/{source}/{table}"),
        )?],
        None => tables_of(&project, source)?,
    };
    logging::start_for(global, &project)?;
    let runner = wiring::quiet_runner(project)?;
    let mut told = Vec::new();
    for id in ids {
        let had_checkpoint = wiring::block_on(runner.reset_checkpoint(&id))??;
        told.push(json!({ "dataset": id, "had_checkpoint": had_checkpoint }));
        let line = if had_checkpoint {
            format!(
                "{id}: the checkpoint is gone; the next run reads everything and replaces the rows"
            )
        } else {
            format!("{id}: there was no checkpoint")
        };
        if output == Output::Text {
            writeln!(out, "{line}")?;
        }
    }
    if output == Output::Json {
        super::json(out, &told)?;
    }
    Ok(Exit::Good)
}

fn tables_of(project: &Project, name: &SourceName) -> Result<Vec<DatasetId>, Usage> {
    let Some(source) = project
        .sources
        .iter()
        .find(|source| source.name().value == *name)
    else {
        let names: Vec<String> = project
            .sources
            .iter()
            .map(|source| format!("`{}`", source.name().value))
            .collect();
        return Err(Usage(format!(
            "there is no source `{name}`; there is {}",
            names.join(", ")
        )));
    };
    let table =
        |table: &Located<TableName>| DatasetId::Extracted(name.clone(), table.value.clone());
    Ok(source.table_names().into_iter().map(table).collect())
}
