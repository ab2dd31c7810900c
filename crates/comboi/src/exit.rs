//! Exit codes: stable, so that schedulers can rely on them.

use std::process::ExitCode;

use comboi_engine::Verdict;
use comboi_plan::BadSelection;
use comboi_project::{Problem, Problems, Severity};
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

impl Exit {
    /// The code that the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Contract => 3,
            Self::Sla => 4,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A mistake in what the person asked for, as opposed to a failure in doing it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// How an error that ended a command is told on the standard error.
pub(crate) fn told(error: &anyhow::Error) -> String {
    match problems_of(error) {
        None => format!("error: {}", told_error(error.as_ref())),
        Some(problems) if problems.0.len() == 1 => problems.to_string(),
        Some(problems) => format!("{problems}\n\n{} mistakes", problems.0.len()),
    }
}

/// The mistakes in files that an error is about, if it is.
fn problems_of(error: &anyhow::Error) -> Option<&Problems> {
    match (error.downcast_ref(), error.downcast_ref()) {
        (Some(comboi_engine::Error::Problems(problems)), _)
        | (_, Some(comboi_linkage::Error::Problems(problems))) => Some(problems),
        _ => error.downcast_ref(),
    }
}

/// An error with what caused it, in one line.
pub(crate) fn told_error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let told = error.to_string();
        if !text.contains(&told) {
            text.push_str(": ");
            text.push_str(&told);
        }
        cause = error.source();
    }
    text
}

/// An error that ended a command, for programs: the text, and the mistakes in files one by one.
pub(crate) fn as_json(error: &anyhow::Error) -> serde_json::Value {
    let problems = problems_of(error).map_or(&[][..], |problems| &problems.0);
    let text = match problems.len() {
        0 => told_error(error.as_ref()),
        1 => "there is a mistake in a file".to_owned(),
        n => format!("there are {n} mistakes in files"),
    };
    serde_json::json!({
        "error": text,
        "problems": problems.iter().map(problem_as_json).collect::<Vec<_>>(),
    })
}

/// A mistake in a file, for programs.
pub(crate) fn problem_as_json(problem: &Problem) -> serde_json::Value {
    serde_json::json!({
        "file": problem.place.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "message": problem.message,
        "hint": problem.hint,
    })
}

/// The exit code of an error that ended a command.
pub(crate) fn of_error(error: &anyhow::Error) -> Exit {
    let mistake = problems_of(error).is_some() || error.is::<Usage>() || error.is::<BadSelection>();
    if mistake { Exit::Usage } else { Exit::Failed }
}

/// Whether a verdict makes a command end with exit code 3.
pub(crate) fn counts(verdict: &Verdict, fail_on: FailOn) -> bool {
    let counts = match fail_on {
        FailOn::Never => false,
        FailOn::Error => verdict.severity == Severity::Error || verdict.blocks(),
        FailOn::Warning => verdict.severity != Severity::Info || verdict.blocks(),
    };
    counts && !verdict.passed()
}

/// The exit code of a run: a failed task weighs more than a broken contract, and that more than a late dataset.
pub(crate) fn of_run(report: &RunReport, fail_on: FailOn) -> Exit {
    if report.stopped || report.interrupted {
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
    if failed(FailureKind::Task) || report.failure.is_some() {
        return Exit::Failed;
    }
    // Old data has an exit code of its own.
    let mut verdicts = report.tasks.iter().flat_map(|task| &task.verdicts);
    let broken = verdicts.any(|verdict| {
        counts(verdict, fail_on) && !(verdict.is_sla() && verdict.severity == Severity::Error)
    });
    let warned = fail_on == FailOn::Warning
        && report
            .tasks
            .iter()
            .any(|task| !task.warnings.is_empty() || task.quarantined_rows > 0);
    if failed(FailureKind::Contract) || broken || warned {
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
