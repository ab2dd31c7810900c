//! A run as it goes: a line for each task as it ends and, at a terminal, what is under way below them.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use comboi_project::DatasetId;
use comboi_run::{Amount, Event, Listener};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use terminal_size::terminal_size_of;

use crate::paint::Paint;
use crate::{report, text, wiring};

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
            .tell(&event);
    })
}

struct Shown {
    lines: Lines,
    paint: Paint,
    width: usize,
    bars: MultiProgress,
    overall: Option<ProgressBar>,
    running: BTreeMap<DatasetId, Running>,
    /// How many characters a line of the terminal has; `None` where it is not a terminal.
    columns: Option<usize>,
}

/// A task that is under way.
struct Running {
    bar: ProgressBar,
    phase: &'static str,
    /// How much it reads, or has committed.
    amount: String,
}

impl Running {
    fn show(&self) {
        self.bar
            .set_message(format!("{}{}", self.phase, self.amount));
    }
}

impl Shown {
    fn new(lines: Lines, width: usize) -> Self {
        let bars = MultiProgress::new();
        if !std::io::stderr().is_terminal() {
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
        let (paint, size) = match lines {
            Lines::Out => {
                let out = std::io::stdout();
                (wiring::paint(&out), terminal_size_of(out))
            }
            Lines::Err => {
                let err = std::io::stderr();
                (wiring::paint(&err), terminal_size_of(err))
            }
        };
        let columns = size.map(|(width, _)| usize::from(width.0));
        Self {
            lines,
            paint,
            width,
            bars,
            overall: None,
            running: BTreeMap::new(),
            columns,
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
                // Its clock goes on while nothing ends.
                bar.enable_steady_tick(Duration::from_secs(1));
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
                let running = Running {
                    bar,
                    phase: "",
                    amount: String::new(),
                };
                self.running.insert((*dataset).clone(), running);
            }
            Event::TaskReached { dataset, phase } => {
                if let Some(running) = self.running.get_mut(*dataset) {
                    running.phase = phase.as_str();
                    running.show();
                }
            }
            Event::TaskCounted { dataset, amount } => {
                if let Some(running) = self.running.get_mut(*dataset) {
                    running.amount = match amount {
                        Amount::Rows(rows) => format!(", {}", text::counted(*rows, "row")),
                        Amount::Bytes(bytes) => format!(", {}", text::bytes(*bytes)),
                    };
                    running.show();
                }
            }
            Event::TaskEnded { receipt } => {
                if let Some(running) = self.running.remove(&receipt.dataset) {
                    running.bar.finish_and_clear();
                }
                if let Some(bar) = &self.overall {
                    bar.inc(1);
                }
                self.line(&report::task_lines(receipt, self.width, self.paint).join("\n"));
            }
            Event::RunEnded { report } => {
                if let Some(bar) = self.overall.take() {
                    bar.finish_and_clear();
                }
                self.line(&report::summary(report, self.paint));
            }
        }
    }

    fn line(&self, line: &str) {
        let wrapped = self.columns.map(|columns| text::wrapped(line, columns));
        let line = wrapped.as_deref().unwrap_or(line);
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
