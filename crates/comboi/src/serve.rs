//! `comboi serve`: the custom handler that the Azure Functions host starts and talks to.
//!
//! The host sends `POST /driver` when the timer fires, `POST /executor` for each message of the queue, `POST /poison` for each message
//! that failed too often, and asks `GET /` now and then whether anybody is there. It takes an answer for the end of the work, so the
//! answer comes when the work is done. It kills without a warning; whatever was under way is done again by who gets the message next.

mod app;
mod driver;
mod executor;
mod message;
mod poison;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use comboi_project::LogLevel;
use serde_json::{Value, json};
use tracing::error;

use crate::cli::Global;
use crate::exit::{Exit, Usage};
use crate::{logging, wiring};
use app::App;
pub(crate) use driver::poison_told;
pub(crate) use executor::limit_of;

/// What the largest message of a queue becomes in the host's hands, and more.
const MOST_BYTES: usize = 1024 * 1024;
/// How long what is under way may take to stop when the process is asked to end.
const FAREWELL: Duration = Duration::from_secs(8);

/// What a function has to say: lines for the log of its invocation.
type Said = anyhow::Result<Vec<String>>;

/// Serves until the process is asked to end.
pub(crate) fn serve(global: &Global, port: Option<u16>) -> anyhow::Result<Exit> {
    let port = match port {
        Some(port) => port,
        None => wiring::functions_port()?,
    };
    // Listening comes first: the host waits for it, and for nothing else.
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = std::net::TcpListener::bind(address)
        .with_context(|| format!("`{address}` could not be listened on"))?;
    listener.set_nonblocking(true)?;
    logging::start_for_host(global.log_level.unwrap_or(LogLevel::Info))?;
    // Two runtimes: whatever the work does to the threads of one, the other answers.
    let working = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let answering = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let app = Arc::new(App::new(global.clone(), working.handle().clone()));
    answering.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let routes = Router::new()
            .route(
                "/",
                get(async || Json(json!({"comboi": env!("CARGO_PKG_VERSION")}))),
            )
            .route("/{function}", post(invoke))
            .layer(DefaultBodyLimit::max(MOST_BYTES))
            .with_state(Arc::clone(&app));
        tokio::select! {
            served = async { axum::serve(listener, routes).await } => {
                served.context("the server ended")?;
            }
            () = wiring::asked_to_stop() => app.end(FAREWELL).await,
        }
        anyhow::Ok(())
    })?;
    // Threads that do not heed the request are left to the end of the process.
    working.shutdown_background();
    // Not 0: the host would take that for good, and never start a handler again.
    Ok(Exit::Interrupted)
}

async fn invoke(
    State(app): State<Arc<App>>,
    Path(function): Path<String>,
    Json(body): Json<Value>,
) -> Response {
    let work = {
        let app = Arc::clone(&app);
        let function = function.clone();
        async move {
            match function.as_str() {
                "driver" => driver::drive(&app, &body).await,
                "executor" => executor::execute(&app, &body).await,
                "poison" => poison::bury(&app, &body).await,
                other => Err(Usage(format!(
                    "there is no function `{other}`: expected `driver`, `executor` or `poison`"
                ))
                .into()),
            }
        }
    };
    let said = app.working.spawn(work).await;
    let said = said.unwrap_or_else(|e| Err(anyhow::anyhow!("comboi itself failed: {e}")));
    match said {
        Ok(lines) => Json(json!({"Outputs": {}, "Logs": lines})).into_response(),
        Err(e) => {
            let told = crate::exit::told(&e);
            let told = told.strip_prefix("error: ").unwrap_or(&told);
            error!(event = "invocation_failed", function, "{told}");
            let answer = Json(json!({"Outputs": {}, "Logs": [told]}));
            (StatusCode::INTERNAL_SERVER_ERROR, answer).into_response()
        }
    }
}
