//! A message that the host has given up: it failed, or the function was killed over it, five times.

use comboi_run::Step;
use serde_json::Value;
use tracing::{error, warn};

use super::Said;
use super::app::App;
use super::executor::{config_of, go_on, refuse};
use super::message::{Envelope, TaskMessage};

/// How often a message is tried anew with the instance to itself.
const MORE: u32 = 1;

pub(super) async fn bury(app: &App, body: &Value) -> Said {
    let Some(envelope) = Envelope::of(body) else {
        return refuse(app, "unknown", "the host sent no message").await;
    };
    let message = match envelope.task() {
        Ok(message) => message,
        Err(why) => return refuse(app, &envelope.name, &why).await,
    };
    let config = config_of(app, &message);
    let loaded = app.load(&config)?;
    let stage = message.stage;
    if message.poisoned < MORE {
        let again = TaskMessage {
            poisoned: message.poisoned + 1,
            ..message
        };
        loaded.queue.send(&again.to_text()).await?;
        warn!(%stage, "a message failed too often and is tried anew, one task at a time");
        return Ok(vec![format!("{stage} is tried anew, one task at a time")]);
    }
    let Some(run) = message.run else {
        let why = "it failed too often before its run could begin; the log of `executor` says why";
        return refuse(app, &envelope.name, why).await;
    };
    let working = app.runner(&loaded, None)?;
    let runner = &working.runner;
    let why = "the function that did it failed or was killed ten times; its log says why, and if it says nothing, the instance has too little memory or time";
    runner.give_up(run, stage, why).await?;
    error!(run = run.0, %stage, "run {run}: {stage} was given up: {why}");
    // Nothing is left to do there; this tells whether the run is still open.
    if runner.step(run, stage, None).await? == Step::Done {
        go_on(&loaded, runner, &config, run, &message.remaining).await?;
    }
    Ok(vec![format!("run {run}: {stage} was given up")])
}
