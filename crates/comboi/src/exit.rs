//! Exit codes: stable, so that schedulers can rely on them.

use std::process::ExitCode;

use comboi_plan::BadSelection;
use comboi_project::{Problems, Severity};
use comboi_run::{FailureKind, Outcome, RunReport};

use crate::cli::FailOn;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for is done.
    Good,
    /// A task failed, or what was asked for could not be done.
    Failed,
    /// The command line, the configuration or a file it names has mistakes; nothing was done.
    Usage,
    /// A contract was broken: a rule with severity `error` did not hold or could not be run.
    Contract,
    /// Everything is published, but a dataset is older than its SLA allows.
    Sla,
    /// Stopped by Ctrl-C or a signal; `comboi retry` goes on.
    Interrupted,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Contract => 3,
            Exit::Sla => 4,
            Exit::Interrupted => 130,
        })
    }
}

/// A mistake in what the person asked for, as opposed to a failure in doing it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// How an error that ended a command is told on the standard error.
pub(crate) fn told(error: &anyhow::Error) -> String {
    if let Some(problems) = error.downcast_ref::<Problems>() {
        return match problems.0.len() {
            1 => problems.to_string(),
            n => format!("{problems}\n\n{n} mistakes"),
        };
    }
    let mut text = format!("error: {error}");
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

/// The exit code of an error that ended a command.
pub(crate) fn of_error(error: &anyhow::Error) -> Exit {
    let mistake = error.is::<Problems>()
        || error.is::<Usage>()
        || error.is::<BadSelection>()
        || matches!(
            error.downcast_ref(),
            Some(comboi_engine::Error::Problems(_))
        );
    if mistake { Exit::Usage } else { Exit::Failed }
}

/// The exit code of a run: a failed task weighs more than a broken contract, and that more than a late dataset.
pub(crate) fn of_run(report: &RunReport, fail_on: FailOn) -> Exit {
    if report.stopped {
        return Exit::Interrupted;
    }
    if fail_on == FailOn::Never {
        return Exit::Good;
    }
    let failed = |kind| {
        report.tasks.iter().any(|t| {
            t.failure
                .as_ref()
                .is_some_and(|failure| failure.kind == kind)
        })
    };
    if failed(FailureKind::Task) {
        return Exit::Failed;
    }
    let broken = |severity| {
        report
            .tasks
            .iter()
            .flat_map(move |task| task.broken(severity))
    };
    if failed(FailureKind::Contract)
        || (fail_on == FailOn::Warning && broken(Severity::Warning).next().is_some())
    {
        return Exit::Contract;
    }
    if report.tasks.iter().any(|task| task.late) {
        return Exit::Sla;
    }
    if report
        .tasks
        .iter()
        .all(|task| matches!(task.outcome, Outcome::Succeeded | Outcome::Skipped))
    {
        Exit::Good
    } else {
        Exit::Failed
    }
}
