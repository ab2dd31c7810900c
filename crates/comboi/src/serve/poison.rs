//! A message that the host has given up: it failed, or the function was killed over it, five times.

use serde_json::Value;

use super::Said;
use super::app::App;
use super::executor::{config_of, refuse};
use super::message::Envelope;
use crate::exit::Usage;

pub(super) async fn bury(app: &App, body: &Value) -> Said {
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
        Err(e) if e.is::<Usage>() => return refuse(app, &envelope.name, &e.to_string()).await,
        Err(e) => return Err(e),
    };
    let working = app.runner(&loaded, None)?;
    let config = config.display().to_string();
    let runner = &working.runner;
    let answer = runner.on_poison(&envelope.name, message, &config).await?;
    loaded.send(answer).await
}
