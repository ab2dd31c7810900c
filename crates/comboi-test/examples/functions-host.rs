//! The stand-in for the Functions host, to try an app on one machine where Azure Functions Core Tools are not installed.
//!
//! `functions-host APP [SECONDS]` runs the app in a folder with the settings of its `local.settings.json`, fires its timer at once and then
//! each so many seconds (an hour if nothing is said), listens to its queues, and prints what the app logs. It makes the queues
//! and containers that Terraform makes in Azure. `scripts/local` starts it.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what it is for"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use comboi_test::{Azurite, FunctionsHost, Settings, Timer};
use serde_json::Value;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(app) = words.next().map(PathBuf::from) else {
        eprintln!("usage: functions-host APP [SECONDS]");
        return ExitCode::from(2);
    };
    let seconds = words.next().and_then(|word| word.to_str()?.parse().ok());
    match serve(&app, Duration::from_secs(seconds.unwrap_or(3600))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(complaint) => {
            eprintln!("functions-host: {complaint}");
            ExitCode::FAILURE
        }
    }
}

fn serve(app: &Path, every: Duration) -> Result<(), String> {
    let environment = local_settings(app)?;
    make_storage(&environment)?;
    let asked_to_stop = asked_to_stop()?;
    let settings = Settings {
        // Ten minutes in Azure: too long to wait for what a killed handler left.
        lease: Duration::from_mins(1),
        retry_after: Duration::from_mins(1),
        environment,
        ..Settings::default()
    };
    let host = FunctionsHost::try_start(app, settings)?;
    let mut shown = 0;
    let mut fired: Option<Instant> = None;
    // The handler ends with the host, which a signal alone would not see to.
    while !asked_to_stop.load(Ordering::SeqCst) {
        if fired.is_none_or(|last| last.elapsed() >= every) {
            host.fire("driver", Timer::NoMonitor);
            fired = Some(Instant::now());
        }
        let lines = host.lines();
        for line in &lines[shown..] {
            println!("{line}");
        }
        shown = lines.len();
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Becomes true with the first Ctrl-C or SIGTERM.
fn asked_to_stop() -> Result<Arc<AtomicBool>, String> {
    let asked = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&asked);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| e.to_string())?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let terminate =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            let Ok(mut terminate) = terminate else { return };
            tokio::select! {
                _ = tokio::signal::ctrl_c() => (),
                _ = terminate.recv() => (),
            }
        });
        told.store(true, Ordering::SeqCst);
    });
    Ok(asked)
}

/// The settings that `func start` would take.
fn local_settings(app: &Path) -> Result<BTreeMap<String, String>, String> {
    let path = app.join("local.settings.json");
    let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let read: Value =
        serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let values = read["Values"].as_object().ok_or("no `Values` in it")?;
    Ok(values
        .iter()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect())
}

fn make_storage(environment: &BTreeMap<String, String>) -> Result<(), String> {
    let queue = environment
        .get("COMBOI_QUEUE_NAME")
        .ok_or("COMBOI_QUEUE_NAME is not set")?;
    let queues = [queue.clone(), format!("{queue}-poison")]
        .map(|name| format!("{}/{name}", Azurite::queue_endpoint()));
    let containers = ["bronze", "silver", "gold"]
        .map(|name| format!("{}/{name}?restype=container", Azurite::blob_endpoint()));
    let azurite = Azurite::new();
    for url in queues.into_iter().chain(containers) {
        let made = azurite.ask("PUT", &url, String::new());
        // 204 and 409: it is there already.
        if ![201, 204, 409].contains(&made.status) {
            return Err(format!(
                "{url} could not be made: {} {}",
                made.status, made.body
            ));
        }
    }
    Ok(())
}
