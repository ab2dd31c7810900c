//! A message of the queue: do its stage, and ask for the next one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use comboi_plan::Plan;
use comboi_project::{FanOut, RunId, Stage};
use comboi_run::{Runner, Step};
use serde_json::Value;
use tracing::{error, info, warn};

use super::Said;
use super::app::{App, Loaded};
use super::driver;
use super::message::{Envelope, TaskMessage};
use crate::wiring;

/// How often in a row a stage may reach the time limit without any progress.
const MOST_STUCK: u32 = 2;

pub(super) async fn execute(app: &App, body: &Value) -> Said {
    let Some(envelope) = Envelope::of(body) else {
        return refuse(app, "unknown", "the host sent no message").await;
    };
    let message = match envelope.task() {
        Ok(message) => message,
        Err(why) => return refuse(app, &envelope.name, &why).await,
    };
    let config = config_of(app, &message);
    let loaded = match app.load(&config) {
        Ok(loaded) => loaded,
        // What is asked for is not there; that a configuration has mistakes may be mended until the message comes again.
        Err(e) if e.is::<crate::exit::Usage>() => {
            return refuse(app, &envelope.name, &e.to_string()).await;
        }
        Err(e) => return Err(e),
    };
    // A message that was given up before gets the whole instance for each of its tasks.
    let jobs = (message.poisoned > 0).then_some(1);
    let working = app.runner(&loaded, jobs)?;
    let runner = &working.runner;
    let run = match message.run {
        Some(run) => run,
        None => {
            let plan = Plan::of_everything(&loaded.project);
            let stages = message.stages();
            let plan = plan.without(|task| !stages.contains(&task.dataset.stage()));
            if plan.tasks.is_empty() {
                return Ok(vec![
                    "the stages of the message have no datasets".to_owned(),
                ]);
            }
            runner
                .begin(&format!("message-{}", envelope.name), plan)
                .await?
        }
    };
    let asked = Asked {
        loaded: &loaded,
        runner,
        config: &config,
        run,
        message: &message,
    };
    if message.task.is_none() && loaded.project.fan_out() == FanOut::Task {
        return asked.fan_out().await;
    }
    let limit = wiring::time_limit().map(|limit| {
        let stop = runner.stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(limit).await;
            stop.request();
        })
    });
    let step = runner.step(run, message.stage, message.task.as_ref()).await;
    if let Some(limit) = limit {
        limit.abort();
    }
    match step? {
        Step::Done => asked.next().await,
        Step::Unfinished { .. } if app.is_ending() => {
            anyhow::bail!("the process was asked to end; the message comes again")
        }
        Step::Unfinished { advanced } if runner.stop.requested() => asked.continued(advanced).await,
        Step::Unfinished { .. } if asked.is_done_with_its_task().await? => Ok(vec![format!(
            "run {run}: other tasks of {} go on",
            message.stage
        )]),
        Step::Unfinished { .. } => {
            anyhow::bail!(
                "run {run}: not everything of {} could be written down; the message comes again",
                message.stage
            )
        }
        Step::Early => Ok(vec![format!(
            "run {run}: {} waits for an earlier stage, whose end asks for it again",
            message.stage
        )]),
        Step::Ended => Ok(vec![format!("run {run} has ended")]),
        Step::NoSuchRun => {
            refuse(
                app,
                &envelope.name,
                &format!("the message is of run {run}, which was never begun or is forgotten"),
            )
            .await
        }
    }
}

/// A message and what it is about.
struct Asked<'a> {
    loaded: &'a Loaded,
    runner: &'a Runner,
    config: &'a Path,
    run: RunId,
    message: &'a TaskMessage,
}

impl Asked<'_> {
    /// One message for each task of the stage.
    async fn fan_out(&self) -> Said {
        let tasks = self.runner.tasks_left(self.run, self.message.stage).await?;
        if tasks.is_empty() {
            return self.next().await;
        }
        let count = tasks.len();
        for task in tasks {
            let message = TaskMessage {
                run: Some(self.run),
                task: Some(task),
                ..self.message.clone()
            };
            self.loaded.queue.send(&message.to_text()).await?;
        }
        Ok(vec![format!(
            "run {}: {count} messages for {}",
            self.run, self.message.stage
        )])
    }

    async fn next(&self) -> Said {
        let (run, stage) = (self.run, self.message.stage);
        go_on(
            self.loaded,
            self.runner,
            self.config,
            run,
            &self.message.remaining,
        )
        .await?;
        Ok(vec![format!("run {run}: {stage} is through")])
    }

    /// The time limit was reached: the rest is for another message, unless nothing ever comes of it.
    async fn continued(&self, advanced: bool) -> Said {
        let (run, stage) = (self.run, self.message.stage);
        let limit = wiring::time_limit().unwrap_or_default().as_secs() / 60;
        let stuck = if advanced { 0 } else { self.message.stuck + 1 };
        if stuck > MOST_STUCK {
            let why = format!(
                "it takes longer than the {limit} minutes that the function has (`functionTimeout` in host.json), and does not come any nearer to its end; nothing of it was published"
            );
            self.runner.give_up(run, stage, &why).await?;
            error!(run = run.0, %stage, "run {run}: {stage} was given up: {why}");
            return self.next().await;
        }
        let message = TaskMessage {
            run: Some(run),
            stuck,
            ..self.message.clone()
        };
        self.loaded.queue.send(&message.to_text()).await?;
        info!(run = run.0, %stage, advanced, "run {run}: {stage} goes on in another invocation");
        Ok(vec![format!(
            "run {run}: {stage} goes on in another invocation after {limit} minutes"
        )])
    }

    async fn is_done_with_its_task(&self) -> anyhow::Result<bool> {
        let Some(task) = &self.message.task else {
            return Ok(false);
        };
        let left = self.runner.tasks_left(self.run, self.message.stage).await?;
        Ok(!left.contains(task))
    }
}

/// Asks for the next stage of a run, or ends it.
pub(super) async fn go_on(
    loaded: &Loaded,
    runner: &Runner,
    config: &Path,
    run: RunId,
    left: &[Stage],
) -> anyhow::Result<()> {
    if let Some(message) = driver::message(config, left) {
        let message = TaskMessage {
            run: Some(run),
            ..message
        };
        return Ok(loaded.queue.send(&message.to_text()).await?);
    }
    if runner.end(run).await?.is_none() {
        warn!(
            run = run.0,
            "run {run} has tasks that nobody has done; the timer asks for them"
        );
    }
    Ok(())
}

pub(super) fn config_of(app: &App, message: &TaskMessage) -> PathBuf {
    message
        .config_path
        .as_ref()
        .map_or_else(|| app.default_config(), PathBuf::from)
}

/// Puts a message on record that nobody can ever do. It is done with then: it would be the same the next time.
pub(super) async fn refuse(app: &App, name: &str, why: &str) -> Said {
    error!(message_id = name, "the message {name} is refused: {why}");
    // Where there is no project, the log has it.
    if let Ok(loaded) = app.load(&app.default_config())
        && let Ok(working) = app.runner(&loaded, None)
    {
        let record =
            serde_json::json!({"message": name, "why": why, "at": working.runner.clock.now()});
        let state = &working.runner.state;
        if let Err(e) = state.create_refusal(name, record.to_string().into()).await {
            warn!("the refusal could not be put on record: {e}");
        }
    }
    Ok(vec![format!("refused: {why}")])
}

/// Eighty percent of the time that a function may take, for what is under way to come to a stop.
pub(crate) fn limit_of(function_timeout: Duration) -> Duration {
    function_timeout.mul_f64(0.8)
}
