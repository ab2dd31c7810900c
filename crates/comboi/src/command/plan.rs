//! `comboi plan`, and what every command with a selection shares.

use std::io::Write;
use std::sync::Arc;

use comboi_plan::{Explanation, Plan, Selection};
use comboi_project::Project;

use crate::cli::{Global, Output, SelectionArgs};
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
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = Arc::new(wiring::project(global)?);
    super::validate::hold_sql(&project)?;
    let plan = planned(&project, selection)?;
    let cloud = Cloud::of(&project);
    let lake = cloud.places(&project)?.lake(&project)?;
    let observed = wiring::block_on(comboi_run::observe(
        &project,
        &cloud.databases(),
        &lake,
        &plan,
    ))??;
    let explanation = Explanation::of(&project, &plan, &observed);
    match output {
        Output::Json => super::json(out, &explanation)?,
        Output::Text => write!(out, "{explanation}")?,
    }
    Ok(Exit::Good)
}
