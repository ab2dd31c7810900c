//! A run as it goes: a line for each task as it ends and, at a terminal, what is under way below them.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comboi_engine::{Sample, Verdict, VerdictOutcome};
use comboi_project::{DatasetId, Severity};
use comboi_run::{Event, Listener, Outcome, Receipt, RunReport};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::text;

/// Where the lines of a run go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The standard output: the report is what was asked for.
    Out,
    /// The standard error: the standard output is kept for a JSON document.
    Err,
}

/// A listener that tells a run to a person. `width` is that of the longest dataset's name.
pub(crate) fn listener(lines: Lines, width: usize) -> Listener {
    let shown = Mutex::new(Shown::new(lines, width));
    Arc::new(move |event| {
        shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tell(&event)
    })
}

struct Shown {
    lines: Lines,
    width: usize,
    bars: MultiProgress,
    overall: Option<ProgressBar>,
    running: BTreeMap<DatasetId, ProgressBar>,
}

impl Shown {
    fn new(lines: Lines, width: usize) -> Self {
        let bars = MultiProgress::new();
        if !std::io::stderr().is_terminal() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        Self {
            lines,
            width,
            bars,
            overall: None,
            running: BTreeMap::new(),
        }
    }

    fn tell(&mut self, event: &Event<'_>) {
        match event {
            Event::RunBegan { run, tasks } => {
                self.line(&format!(
                    "Run {run}: {}\n",
                    text::counted(*tasks as u64, "task")
                ));
                let bar = self.bars.add(ProgressBar::new(*tasks as u64));
                bar.set_style(style("  {bar:30} {pos} of {len} tasks, {elapsed}"));
                self.overall = Some(bar);
            }
            Event::TaskBegan { dataset } => {
                let bar = self.bars.insert_before(
                    self.overall
                        .as_ref()
                        .expect("a run begins before its tasks"),
                    ProgressBar::new_spinner(),
                );
                bar.set_style(style("  {spinner} {prefix} {msg} {elapsed}"));
                bar.set_prefix(format!(
                    "{:width$}",
                    dataset.to_string(),
                    width = self.width
                ));
                bar.enable_steady_tick(Duration::from_millis(100));
                self.running.insert((*dataset).clone(), bar);
            }
            Event::TaskReached { dataset, phase } => {
                if let Some(bar) = self.running.get(dataset) {
                    bar.set_message(phase.as_str());
                }
            }
            Event::TaskEnded { receipt } => {
                if let Some(bar) = self.running.remove(&receipt.dataset) {
                    bar.finish_and_clear();
                }
                if let Some(bar) = &self.overall {
                    bar.inc(1);
                }
                self.line(&task_line(receipt, self.width));
                for line in details(receipt) {
                    self.line(&format!("      {line}"));
                }
            }
            Event::RunEnded { report } => {
                if let Some(bar) = self.overall.take() {
                    bar.finish_and_clear();
                }
                self.line(&summary(report));
            }
        }
    }

    fn line(&self, line: &str) {
        // A closed pipe must not end a run half-way.
        self.bars.suspend(|| match self.lines {
            Lines::Out => drop(writeln!(std::io::stdout(), "{line}")),
            Lines::Err => drop(writeln!(std::io::stderr(), "{line}")),
        });
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn task_line(receipt: &Receipt, width: usize) -> String {
    let what = match receipt.outcome {
        Outcome::Succeeded => text::counted(receipt.rows, "row"),
        Outcome::Skipped => receipt.reason.clone().unwrap_or_default(),
        Outcome::Failed | Outcome::UpstreamFailed | Outcome::Stopped => String::new(),
    };
    let mut line = format!(
        "  {:width$}  {:15}  {what:24}",
        receipt.dataset.to_string(),
        receipt.outcome
    );
    if receipt.outcome == Outcome::Succeeded {
        line.push_str(&format!("  {:>8}", text::took(receipt.took())));
        if let Some(published) = &receipt.published {
            line.push_str("  ");
            line.push_str(published);
        }
    }
    line.trim_end().to_owned()
}

/// What a person should know of a task besides its line.
fn details(receipt: &Receipt) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(failure) = &receipt.failure {
        lines.extend(failure.message.lines().map(str::to_owned));
    }
    if receipt.quarantined_rows > 0 {
        let rows = text::counted(receipt.quarantined_rows, "bad row");
        lines.push(format!(
            "{rows} put aside in `{}__quarantine`",
            receipt.dataset
        ));
    }
    lines.extend(receipt.notes.iter().map(|note| format!("note: {note}")));
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        lines.extend(receipt.broken(severity).flat_map(verdict_lines));
    }
    lines
}

/// A rule that did not hold: what was measured, and a masked sample.
pub(crate) fn verdict_lines(verdict: &Verdict) -> Vec<String> {
    let severity = verdict.severity;
    match &verdict.outcome {
        VerdictOutcome::Passed => Vec::new(),
        VerdictOutcome::Failed {
            failed_count,
            detail,
            sample,
        } => {
            let rows = failed_count
                .map(|count| format!("{}: ", text::counted(count, "row")))
                .unwrap_or_default();
            let mut lines = vec![format!(
                "{severity}: {}: {rows}{detail} ({})",
                verdict.rule, verdict.measured
            )];
            lines.push(format!("  at {}", verdict.place));
            lines.extend(sample_line(sample));
            lines
        }
        VerdictOutcome::CouldNotRun { why } => {
            vec![
                format!("{severity}: {} could not be checked: {why}", verdict.rule),
                format!("  at {}", verdict.place),
            ]
        }
    }
}

/// Some rows that break a rule, `column=value` each.
fn sample_line(sample: &Sample) -> Option<String> {
    let row = |row: &Vec<Option<String>>| {
        let cells = sample.columns.iter().zip(row);
        let cells =
            cells.map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("NULL")));
        cells.collect::<Vec<_>>().join(" ")
    };
    let rows: Vec<String> = sample.rows.iter().map(row).collect();
    (!rows.is_empty()).then(|| format!("  such as {}", rows.join("; ")))
}

fn summary(report: &RunReport) -> String {
    let ended = if report.stopped {
        "was stopped"
    } else if report.is_good() {
        "succeeded"
    } else {
        "failed"
    };
    let mut text = format!(
        "\nRun {} {ended} after {}: ",
        report.run,
        text::took(report.took())
    );
    let counts: Vec<String> = [
        Outcome::Succeeded,
        Outcome::Skipped,
        Outcome::Failed,
        Outcome::UpstreamFailed,
        Outcome::Stopped,
    ]
    .into_iter()
    .filter(|outcome| report.count(*outcome) > 0)
    .map(|outcome| format!("{} {outcome}", report.count(outcome)))
    .collect();
    text.push_str(&counts.join(", "));
    let verdicts: Vec<&Verdict> = report
        .tasks
        .iter()
        .flat_map(|task| &task.verdicts)
        .collect();
    if !verdicts.is_empty() {
        let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
        text.push_str(&format!("\nRules: {passed} of {} passed", verdicts.len()));
        for severity in [Severity::Error, Severity::Warning, Severity::Info] {
            let broken: usize = report
                .tasks
                .iter()
                .map(|task| task.broken(severity).count())
                .sum();
            if broken > 0 {
                text.push_str(&format!(", {broken} broken with severity {severity}"));
            }
        }
    }
    if !report.is_good() {
        text.push_str(
            "\n`comboi retry` takes up what was left undone; what succeeded is not done again.",
        );
    }
    text
}
