//! What became of a task, and of a run.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};
use comboi_engine::{DedupeReport, Sample, Verdict, VerdictOutcome};
use comboi_plan::FailureKind;
use comboi_project::{DatasetId, RunId, Severity};
use serde::{Deserialize, Serialize};

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It did its work, and readers see it.
    Succeeded,
    /// There was nothing to do: no new rows, or nothing that shapes the dataset has changed.
    Skipped,
    /// It ended in an error, or its contract did not hold; readers see what they saw before.
    Failed,
    /// Something it reads failed in this run, so it did not begin.
    UpstreamFailed,
    /// The run was stopped before this task ended; `comboi retry` takes it up again.
    Stopped,
}

impl Outcome {
    /// The outcome in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::UpstreamFailed => "upstream failed",
            Self::Stopped => "stopped",
        }
    }

    /// Whether what reads this dataset may go on.
    pub fn is_good(self) -> bool {
        match self {
            Self::Succeeded | Self::Skipped => true,
            Self::Failed | Self::UpstreamFailed | Self::Stopped => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a task failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What a person does next.
    pub kind: FailureKind,
    /// What happened, from the outermost to the innermost cause, and what is safe to do.
    pub message: String,
}

/// What became of one task of a run. Written once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receipt {
    /// The run.
    pub run: RunId,
    /// The dataset that the task makes.
    pub dataset: DatasetId,
    /// How the task ended.
    pub outcome: Outcome,
    /// Why it did nothing, when it was skipped.
    pub reason: Option<String>,
    /// Why it failed, when it did.
    pub failure: Option<Failure>,
    /// The dataset's version that this run's later tasks read; `None` when there is none yet.
    pub version: Option<u64>,
    /// The versions that were read.
    pub inputs: BTreeMap<DatasetId, u64>,
    /// Rows that this task added (bronze) or built (silver, gold).
    pub rows: u64,
    /// Rows that the dataset has after the task.
    pub total_rows: Option<u64>,
    /// Bad rows that were put aside.
    pub quarantined_rows: u64,
    /// Where the single file of the dataset was published, as a person would type it.
    pub published: Option<String>,
    /// What its deduplication found.
    #[serde(default)]
    pub dedupe: Option<DedupeReport>,
    /// What came of comparing rows: a [`LinkReport`](crate::LinkReport).
    #[serde(default)]
    pub linkage: Option<serde_json::Value>,
    /// What a person should know: new columns, files that are gone.
    pub notes: Vec<String>,
    /// Rows or values that may be missing or changed, and what to do; `--fail-on warning` counts them.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// The verdicts of the contract's rules.
    pub verdicts: Vec<Verdict>,
    /// Whether the dataset is older than its SLA allows.
    pub late: bool,
    /// When the task began.
    pub begun_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
}

impl Receipt {
    /// The receipt as it is kept: without the samples of broken rules, which hold what rows held.
    pub(crate) fn for_keeping(&self) -> Self {
        let mut kept = self.clone();
        for verdict in &mut kept.verdicts {
            if let VerdictOutcome::Failed { sample, .. } = &mut verdict.outcome {
                *sample = Sample::default();
            }
        }
        kept
    }

    /// How long the task took.
    pub fn took(&self) -> std::time::Duration {
        (self.ended_at - self.begun_at).to_std().unwrap_or_default()
    }

    /// Rules that did not hold or could not be run, of this severity.
    pub fn broken(&self, severity: Severity) -> impl Iterator<Item = &Verdict> {
        self.verdicts
            .iter()
            .filter(move |v| v.severity == severity && !v.passed())
    }
}

/// What became of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// When it ended.
    pub ended_at: DateTime<Utc>,
    /// Whether it was asked to stop before it was through.
    pub stopped: bool,
    /// Whether its process was gone before it was through, as a later run found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// Why it failed, if it is no plan's: a plan's tasks tell that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// What a person should know of the run as a whole, one line each.
    #[serde(default)]
    pub notes: Vec<String>,
    /// One for each task, in the order of the plan.
    pub tasks: Vec<Receipt>,
}

impl RunReport {
    /// The report as it is kept: without the samples of broken rules.
    pub(crate) fn for_keeping(&self) -> Self {
        Self {
            tasks: self.tasks.iter().map(Receipt::for_keeping).collect(),
            ..self.clone()
        }
    }

    /// How many tasks ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.tasks
            .iter()
            .filter(|task| task.outcome == outcome)
            .count()
    }

    /// How long the run took.
    pub fn took(&self) -> std::time::Duration {
        (self.ended_at - self.begun_at).to_std().unwrap_or_default()
    }

    /// How the run ended: the word by which logs and alerts go.
    pub fn ending(&self) -> &'static str {
        let ended = |outcome: Outcome| self.count(outcome) > 0;
        if self.interrupted {
            "interrupted"
        } else if self.failure.is_some() || ended(Outcome::Failed) || ended(Outcome::UpstreamFailed)
        {
            "failed"
        } else if self.stopped || ended(Outcome::Stopped) {
            "stopped"
        } else {
            "succeeded"
        }
    }

    /// Whether everything that was planned is done and good.
    pub fn is_good(&self) -> bool {
        !self.stopped
            && !self.interrupted
            && self.failure.is_none()
            && self.tasks.iter().all(|task| task.outcome.is_good())
    }
}
