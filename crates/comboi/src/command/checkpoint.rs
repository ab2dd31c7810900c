//! `comboi reset-checkpoint`.

use std::io::Write;

use comboi_project::{DatasetId, Located, Project, SourceName, Stage, TableName};

use crate::cli::Global;
use crate::exit::{Exit, Usage};
use crate::{logging, wiring};

pub(crate) fn reset(
    global: &Global,
    stage: Stage,
    source: &SourceName,
    table: Option<&TableName>,
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
    for id in ids {
        let line = if wiring::block_on(runner.reset_checkpoint(&id))?? {
            format!(
                "{id}: the checkpoint is gone; the next run reads everything and replaces the rows"
            )
        } else {
            format!("{id}: there was no checkpoint")
        };
        writeln!(out, "{line}")?;
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
