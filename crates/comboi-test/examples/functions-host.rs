//! The stand-in for the Azure Functions host as a program, for `scripts/local`: it runs an app's functions on Azurite, the timer at once
//! and then every hour, and prints what the handler says.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use comboi_test::{FunctionsHost, Settings, Timer};

const HOUR: Duration = Duration::from_secs(3600);

fn main() -> Result<(), String> {
    let root = std::env::args_os().nth(1).map(PathBuf::from);
    let root = root.ok_or("say the app's folder")?;
    let root = root.canonicalize().map_err(|e| e.to_string())?;
    let host = FunctionsHost::try_start(&root, settings(&root)?)?;
    let mut out = std::io::stdout();
    let mut printed = 0;
    let mut fired: Option<Instant> = None;
    loop {
        if fired.is_none_or(|at| at.elapsed() >= HOUR) {
            fired = Some(Instant::now());
            host.fire("driver", Timer::NoMonitor);
        }
        let lines = host.lines();
        for line in lines.iter().skip(printed) {
            writeln!(out, "{line}").map_err(|e| e.to_string())?;
        }
        printed = lines.len();
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What local.settings.json says, with the times of the real host.
fn settings(root: &std::path::Path) -> Result<Settings, String> {
    let path = root.join("local.settings.json");
    let text = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let said: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| format!("{}: {e}", path.display()))?;
    let mut settings = Settings {
        lease: Duration::from_secs(600),
        retry_after: Duration::from_secs(60),
        ..Settings::default()
    };
    for (name, value) in said["Values"].as_object().into_iter().flatten() {
        let value = value.as_str().unwrap_or_default().to_owned();
        settings.environment.insert(name.clone(), value);
    }
    Ok(settings)
}
