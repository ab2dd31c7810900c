//! Where logs go: JSON lines into the project's log file and, when asked for, lines on the standard error.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Mutex;

use anyhow::Context as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::writer::MakeWriterExt as _;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer, Registry};

use comboi_project::LogLevel;

use crate::cli::{Global, LogFormat};
use crate::paint::Paint;
use crate::wiring;

/// Starts logging. Without a file, only what was asked for on the standard error is logged.
pub(crate) fn start(
    global: &Global,
    default_level: LogLevel,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    let level = global.log_level.unwrap_or(default_level);
    let mut layers: Vec<Box<dyn Layer<Registry> + Send + Sync>> = Vec::new();
    if let Some(file) = file {
        let file = open(file)
            .with_context(|| format!("the log file `{}` could not be opened", file.display()))?;
        layers.push(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(Mutex::new(file))
                .with_filter(filter(level))
                .boxed(),
        );
    }
    let asked = global
        .log_format
        .or(global.log_level.map(|_| LogFormat::Text));
    match asked {
        Some(LogFormat::Json) => layers.push(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_writer(std::io::stderr)
                .with_filter(filter(level))
                .boxed(),
        ),
        Some(LogFormat::Text) => layers.push(
            tracing_subscriber::fmt::layer()
                .with_target(false)
                .with_ansi(wiring::paint(&std::io::stderr()) == Paint::Colours)
                .with_writer(std::io::stderr)
                .with_filter(filter(level))
                .boxed(),
        ),
        None => {}
    }
    if !layers.is_empty() {
        tracing_subscriber::registry()
            .with(layers)
            .try_init()
            .context("logging could not be started")?;
    }
    Ok(())
}

/// Starts logging for the Functions host, which reads the standard output for the log and the standard error for errors.
pub(crate) fn start_for_host(level: LogLevel) -> anyhow::Result<()> {
    let writer = std::io::stderr
        .with_max_level(tracing::Level::ERROR)
        .or_else(std::io::stdout);
    let layer = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(writer)
        .with_filter(filter(level));
    tracing_subscriber::registry()
        .with(layer)
        .try_init()
        .context("logging could not be started")
}

fn open(file: &Path) -> std::io::Result<File> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    OpenOptions::new().create(true).append(true).open(file)
}

/// Our own events at the level that was asked for; the libraries' only when they warn.
fn filter(level: LogLevel) -> Targets {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    // The kernel calls it an error when a table is not there yet.
    let kernel = LevelFilter::OFF;
    Targets::new()
        .with_target("comboi", level)
        .with_target("buoyant_kernel", kernel)
        .with_default(level.min(LevelFilter::WARN))
}

/// Starts logging for a command that changes this project's lake.
pub(crate) fn start_for(global: &Global, project: &comboi_project::Project) -> anyhow::Result<()> {
    let file = project.folder.join(&project.monitoring.log_path);
    start(global, project.monitoring.log_level, Some(&file))
}
