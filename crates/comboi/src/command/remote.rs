//! `comboi trigger`, `comboi runs` and `comboi status`: runs that others do, seen from anywhere.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use comboi_lake::{OpenBy, State};
use comboi_plan::Plan;
use comboi_project::{Project, RunId, Stage};
use comboi_run::{Clock, RunStatus, RunView, Runner, TaskMessage};

use crate::cli::{FailOn, Global, Output, SelectionArgs};
use crate::cloud::Cloud;
use crate::exit::{self, Exit, Usage};
use crate::{paint, report, text, wiring};

/// How often a run is looked at that is waited for.
const LOOK: Duration = Duration::from_secs(2);

pub(crate) fn trigger(
    global: &Global,
    stage: &str,
    wait: bool,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let selection = SelectionArgs {
        stage: stage.to_owned(),
        select: None,
        exclude: None,
    };
    let plan = super::plan::planned(&project, &selection)?;
    super::validate::hold_sql(&project)?;
    let stages: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|stage| plan.tasks.iter().any(|task| task.dataset.stage() == *stage))
        .collect();
    if stages.is_empty() {
        return Err(Usage(format!("there is nothing in `{stage}` to run")).into());
    }
    // One token is enough for queue and lake.
    let cloud = Cloud::of(&project);
    let queue = cloud.queue(&project)?;
    let config_path = deployed_path(&project)?;
    let mut runner = wiring::runner_in(Arc::new(project), &cloud, None, Arc::new(|_| {}))?;
    runner.queue = Some(queue.to_string());
    wiring::block_on(async {
        let run = begin(&runner, plan).await?;
        if let Some(message) = TaskMessage::first(Some(config_path), Some(run), &stages) {
            queue.send(&message.to_text()).await?;
        }
        if !wait {
            return told_begun(run, output, out);
        }
        if output == Output::Text {
            writeln!(
                out,
                "Run {run} begins; `{}` has its first message.",
                queue.name()
            )?;
        }
        let view = waited_for(&runner, run).await?;
        tell(&view, output, out)?;
        Ok(exit_of(&view))
    })?
}

async fn begin(runner: &Runner, plan: Plan) -> anyhow::Result<RunId> {
    let request = format!("trigger-{}", wiring::unique());
    Ok(runner.begin(&request, plan).await?)
}

/// The configuration as a deployed app knows it: by its path in the project.
fn deployed_path(project: &Project) -> anyhow::Result<String> {
    let path = &project.config_path;
    let inside = path.strip_prefix(&project.folder).unwrap_or(path);
    let parts: Option<Vec<&str>> = inside.iter().map(|part| part.to_str()).collect();
    Ok(parts
        .with_context(|| {
            format!(
                "`{}` is no path that can be sent",
                Path::new(path).display()
            )
        })?
        .join("/"))
}

fn told_begun(run: RunId, output: Output, out: &mut dyn Write) -> anyhow::Result<Exit> {
    match output {
        Output::Json => super::json(out, &serde_json::json!({ "run": run, "status": "open" }))?,
        Output::Text => writeln!(out, "Run {run} begins. See `comboi status {run}`.")?,
    }
    Ok(Exit::Good)
}

async fn waited_for(runner: &Runner, run: RunId) -> anyhow::Result<RunView> {
    loop {
        let view = comboi_run::run(&runner.state, run, runner.clock.now()).await?;
        match view {
            Some(view) if view.status != RunStatus::Open => return Ok(view),
            _ => tokio::time::sleep(LOOK).await,
        }
    }
}

pub(crate) fn runs(
    global: &Global,
    limit: u32,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let state = state_of_runs(project)?;
    let now = Clock::system().now();
    let views = wiring::block_on(comboi_run::runs(&state, limit, now))??;
    match output {
        Output::Json => super::json(out, &views)?,
        Output::Text if views.is_empty() => writeln!(out, "There was no run yet.")?,
        Output::Text => {
            let head = [
                "run",
                "kind",
                "begun (UTC)",
                "took",
                "status",
                "tasks",
                "failed",
            ];
            let mut rows = vec![head.map(str::to_owned).to_vec()];
            rows.extend(views.iter().map(|view| {
                let took = view
                    .ended_at
                    .map(|ended| text::took((ended - view.begun_at).to_std().unwrap_or_default()));
                vec![
                    view.run.to_string(),
                    view.kind.clone(),
                    view.begun_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                    took.unwrap_or_default(),
                    status(view.status).to_owned(),
                    view.tasks.len().to_string(),
                    view.failed().to_string(),
                ]
            }));
            write!(out, "{}", text::table(&rows))?;
        }
    }
    Ok(Exit::Good)
}

/// The state of runs, in which those have their ends whose processes were on this machine and are gone.
fn state_of_runs(project: Project) -> anyhow::Result<State> {
    let state = wiring::state(&project, &Cloud::of(&project))?;
    let open = wiring::block_on(state.open(OpenBy::Process))?;
    // What can't be written is shown as it is.
    if open.is_ok_and(|open| !open.is_empty())
        && let Ok(runner) = wiring::quiet_runner(project)
        && let Err(e) = wiring::block_on(runner.close_gone())?
    {
        let error = exit::told_error(&e);
        tracing::warn!(error, "interrupted runs could not be closed: {error}");
    }
    Ok(state)
}

pub(crate) fn status_of(
    global: &Global,
    run: u32,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let state = state_of_runs(project)?;
    let now = Clock::system().now();
    let view = wiring::block_on(comboi_run::run(&state, RunId(run), now))??;
    let Some(view) = view else {
        let text = format!(
            "there is no run {run}, or it is forgotten; `comboi runs` lists those that are known, `comboi show _comboi/tasks` all that ever ended"
        );
        return Err(Usage(text).into());
    };
    tell(&view, output, out)?;
    Ok(exit_of(&view))
}

fn tell(view: &RunView, output: Output, out: &mut dyn Write) -> anyhow::Result<()> {
    if output == Output::Json {
        return super::json(out, view);
    }
    let paint: paint::Paint = wiring::paint(&std::io::stdout());
    let width = view
        .tasks
        .iter()
        .map(|task| task.dataset.to_string().len())
        .max()
        .unwrap_or(0);
    for task in &view.tasks {
        match &task.receipt {
            Some(receipt) => {
                for line in report::task_lines(receipt, width, paint) {
                    writeln!(out, "{line}")?;
                }
            }
            None => {
                let how = match view.status {
                    RunStatus::Open => "waits",
                    _ => "not done",
                };
                writeln!(out, "{:width$}  {how}", task.dataset.to_string())?;
            }
        }
    }
    match &view.report {
        Some(_) if view.tasks.is_empty() => writeln!(
            out,
            "Run {} ({}): {}.",
            view.run,
            view.kind,
            status(view.status)
        )?,
        Some(ended) => writeln!(out, "{}", report::summary(ended, paint))?,
        None => writeln!(
            out,
            "Run {} is {}; it began at {} UTC.",
            view.run,
            status(view.status),
            view.begun_at.format("%Y-%m-%d %H:%M:%S")
        )?,
    }
    if let Some(failure) = view.report.as_ref().and_then(|it| it.failure.as_ref()) {
        writeln!(out, "{failure}")?;
    }
    if view.status == RunStatus::Interrupted && !view.tasks.is_empty() {
        writeln!(
            out,
            "`comboi retry` takes up what the last run left undone."
        )?;
    }
    Ok(())
}

/// A run that has not ended is no failure; whoever wants to know waits.
fn exit_of(view: &RunView) -> Exit {
    match (&view.report, view.status) {
        (_, RunStatus::Interrupted) => Exit::Interrupted,
        (Some(report), _) => exit::of_run(report, FailOn::Error),
        (None, _) => Exit::Good,
    }
}

fn status(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Open => "open",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Succeeded => "succeeded",
        RunStatus::Failed => "failed",
    }
}
