//! `comboi run` and `comboi retry`.

use std::io::Write;
use std::time::Duration;

use comboi_plan::Plan;
use comboi_project::{DatasetId, Project, Stage};
use comboi_run::{RunReport, Runner};

use crate::cli::{Global, Output, RunArgs, SelectionArgs, VerdictsOutput};
use crate::exit::{self, Exit};
use crate::progress::{self, Lines};
use crate::report::{github, junit};
use crate::{logging, wiring};

pub(crate) fn run(
    global: &Global,
    selection: &SelectionArgs,
    rebuild: bool,
    running: &RunArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let plan = super::plan::planned(&project, selection)?;
    super::validate::hold_sql(&project)?;
    if plan.tasks.is_empty() {
        return nothing_selected(&project, running.output.plain(), out);
    }
    let runner = ready(global, project, running)?;
    finish(runner, running, out, async move |runner: &Runner| {
        runner.run(plan, rebuild).await
    })
}

/// Builds a dataset again, or reads a table anew as a whole, and what depends on it.
pub(super) fn again(
    global: &Global,
    dataset: &DatasetId,
    running: &RunArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let selection = SelectionArgs {
        stage: "all".to_owned(),
        select: Some(format!("{dataset}+")),
        exclude: None,
    };
    let plan = super::plan::planned(&project, &selection)?;
    super::validate::hold_sql(&project)?;
    let built = matches!(dataset, DatasetId::Built(..));
    let runner = ready(global, project, running)?;
    if !built {
        wiring::block_on(runner.reset_checkpoint(dataset))??;
    }
    finish(runner, running, out, async move |runner: &Runner| {
        runner.run(plan, built).await
    })
}

/// There is nothing to run, so there is no run: `retry` still means the last one that did something.
fn nothing_selected(
    project: &Project,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    match output {
        Output::Text => writeln!(out, "Nothing is selected.")?,
        Output::Json => {
            let none = serde_json::json!({ "run": null, "pipeline": project.name, "stopped": false, "notes": [], "tasks": [] });
            super::json(out, &none)?;
        }
    }
    Ok(Exit::Good)
}

pub(crate) fn retry(
    global: &Global,
    running: &RunArgs,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let runner = ready(global, project, running)?;
    finish(runner, running, out, async |runner: &Runner| {
        runner.retry().await
    })
}

fn ready(global: &Global, project: Project, running: &RunArgs) -> anyhow::Result<Runner> {
    logging::start_for(global, &project)?;
    let lines = if running.output == VerdictsOutput::Text {
        Lines::Out
    } else {
        Lines::Err
    };
    let datasets = Plan::of_everything(&project).tasks;
    let width = datasets
        .iter()
        .map(|task| task.dataset.to_string().len())
        .max()
        .unwrap_or(0);
    wiring::runner(project, running.jobs, progress::listener(lines, width))
}

fn finish(
    runner: Runner,
    running: &RunArgs,
    out: &mut dyn Write,
    work: impl AsyncFnOnce(&Runner) -> Result<RunReport, comboi_run::RunError>,
) -> anyhow::Result<Exit> {
    let report = wiring::block_on(async {
        let listening = tokio::spawn(wiring::stop_when_asked(runner.stop.clone()));
        let report = work(&runner).await;
        listening.abort();
        report
    })??;
    match running.output {
        VerdictsOutput::Text => {}
        VerdictsOutput::Json => super::json(out, &report)?,
        VerdictsOutput::Junit => {
            out.write_all(junit::of_run(&report, running.fail_on).as_bytes())?;
        }
        VerdictsOutput::Github => out.write_all(github::of_run(&report).as_bytes())?,
    }
    let code = exit::of_run(&report, running.fail_on);
    let metrics = runner
        .project
        .folder
        .join(&runner.project.monitoring.metrics_path);
    if let Err(e) = write_metrics(&metrics, &report) {
        // The run is what it is, and has been told; that nobody will find it in the metrics is said besides.
        let text = format!(
            "error: the metrics could not be written to `{}`: {e}",
            metrics.display()
        );
        writeln!(std::io::stderr(), "{text}")?;
        return Ok(if code == Exit::Good {
            Exit::Failed
        } else {
            code
        });
    }
    Ok(code)
}

/// What monitoring reads: the last run in numbers. Replaced as a whole, so that nobody reads half of it.
fn write_metrics(path: &std::path::Path, report: &RunReport) -> anyhow::Result<()> {
    let stage = |stage: Stage| {
        let tasks = || {
            report
                .tasks
                .iter()
                .filter(|task| task.dataset.stage() == stage)
        };
        serde_json::json!({
            "tasks": tasks().count(),
            "rows": tasks().map(|task| task.rows).sum::<u64>(),
            "quarantined_rows": tasks().map(|task| task.quarantined_rows).sum::<u64>(),
            "failed": tasks().filter(|task| !task.outcome.is_good()).count(),
            "seconds": tasks().map(|task| task.took()).sum::<Duration>().as_secs_f64(),
        })
    };
    let stages: serde_json::Map<String, serde_json::Value> = Stage::ALL
        .into_iter()
        .map(|name| (name.to_string(), stage(name)))
        .collect();
    let task = |task: &comboi_run::Receipt| {
        serde_json::json!({
            "dataset": task.dataset,
            "outcome": task.outcome,
            "rows": task.rows,
            "total_rows": task.total_rows,
            "quarantined_rows": task.quarantined_rows,
            "seconds": task.took().as_secs_f64(),
            "rules": task.verdicts.len(),
            "broken_rules": task.verdicts.iter().filter(|verdict| !verdict.passed()).count(),
        })
    };
    let metrics = serde_json::json!({
        "run_id": report.run,
        "pipeline": report.pipeline,
        "begun_at": report.begun_at,
        "ended_at": report.ended_at,
        "seconds": report.took().as_secs_f64(),
        "succeeded": report.is_good(),
        "stages": stages,
        "tasks": report.tasks.iter().map(task).collect::<Vec<_>>(),
    });
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let part = path.with_extension(format!("{}.part", std::process::id()));
    std::fs::write(&part, serde_json::to_vec_pretty(&metrics)?)?;
    std::fs::rename(&part, path)?;
    Ok(())
}
