//! `comboi plan`, and what every command with a selection shares.

use std::io::Write;
use std::sync::Arc;

use comboi_plan::{Explanation, FailureKind, Plan, Selection};
use comboi_project::Project;

use crate::cli::{FailOn, Global, Output, SelectionArgs};
use crate::cloud::Cloud;
use crate::exit::Exit;
use crate::wiring;

/// The plan over what a person selected.
pub(crate) fn planned(project: &Project, selection: &SelectionArgs) -> anyhow::Result<Plan> {
    let selection = Selection::parse(
        &selection.stage,
        selection.select.as_deref(),
        selection.exclude.as_deref(),
    )?;
    Ok(Plan::of(project, &selection)?)
}

pub(crate) fn plan(
    global: &Global,
    selection: &SelectionArgs,
    fail_on: FailOn,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = Arc::new(wiring::project(global)?);
    super::validate::hold_sql(&project)?;
    let plan = planned(&project, selection)?;
    let cloud = Cloud::of(&project);
    let lake = cloud.places(&project)?.lake(&project)?;
    let databases = cloud.databases();
    let (mut observed, columns) = wiring::block_on(async {
        let observed = comboi_run::observe(&project, &databases, &lake, &plan).await?;
        let columns = comboi_run::lake_columns(&project, &lake).await?;
        Ok::<_, comboi_lake::Error>((observed, columns))
    })??;
    let bound = super::validate::bound(&project, &columns)?;
    comboi_run::foresee(&project, &plan, &bound, &mut observed);
    let explanation = Explanation::of(&project, &plan, &observed);
    match output {
        Output::Json => super::json(out, &explanation)?,
        Output::Text => write!(out, "{explanation}")?,
    }
    Ok(exit_of(&explanation, fail_on))
}

/// The exit code that a run would end with, as far as it is decided before a query runs.
fn exit_of(explanation: &Explanation, fail_on: FailOn) -> Exit {
    let kinds = explanation.tasks.iter().filter_map(|it| it.failure_kind);
    let kinds: Vec<FailureKind> = kinds.collect();
    let warned = explanation.tasks.iter().any(|it| !it.warnings.is_empty());
    match fail_on {
        FailOn::Never => Exit::Good,
        _ if kinds.contains(&FailureKind::Task) => Exit::Failed,
        _ if !kinds.is_empty() => Exit::Contract,
        FailOn::Warning if warned => Exit::Contract,
        FailOn::Warning | FailOn::Error => Exit::Good,
    }
}
