//! A message of the queue: do its stage, and ask for the next one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use comboi_plan::Plan;
use comboi_run::TaskMessage;
use serde_json::Value;

use super::Said;
use super::app::App;
use super::message::Envelope;
use crate::exit::Usage;
use crate::wiring;

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
        Err(e) if e.is::<Usage>() => return refuse(app, &envelope.name, &e.to_string()).await,
        Err(e) => return Err(e),
    };
    // A message that was given up before gets the whole instance for each of its tasks.
    let jobs = (message.poisoned > 0).then_some(1);
    let working = app.runner(&loaded, jobs)?;
    let plan = Plan::of_everything(&loaded.project);
    let config = config.display().to_string();
    let limit = wiring::time_limit();
    let runner = &working.runner;
    let answer = runner.on_message(&envelope.name, &message, &config, plan, limit);
    loaded.send(answer.await?).await
}

pub(super) fn config_of(app: &App, message: &TaskMessage) -> PathBuf {
    message
        .config_path
        .as_ref()
        .map_or_else(|| app.default_config(), PathBuf::from)
}

/// Puts a message on record that nobody can ever do. It is done with then: it would be the same the next time. If it can't be put on
/// record, the message is kept.
pub(super) async fn refuse(app: &App, name: &str, why: &str) -> Said {
    put_on_record(app, name, why).await.with_context(|| {
        format!("the message {name} can't be done ({why}), which could not be put on record")
    })?;
    Ok(vec![format!("refused: {why}")])
}

async fn put_on_record(app: &App, name: &str, why: &str) -> anyhow::Result<()> {
    let loaded = app.load(&app.default_config())?;
    let working = app.runner(&loaded, None)?;
    Ok(working.runner.refuse(name, why).await?)
}

/// Eighty percent of the time that a function may take, for what is under way to come to a stop.
pub(crate) fn limit_of(function_timeout: Duration) -> Duration {
    function_timeout.mul_f64(0.8)
}
