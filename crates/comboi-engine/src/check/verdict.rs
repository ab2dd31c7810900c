//! What the check of a rule came to.

use std::fmt;

use comboi_project::{Action, Number, Place, Severity};
use serde::{Deserialize, Serialize};

use super::words::counted;

/// What the check of one rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The rule's name.
    pub rule: String,
    /// What is checked, as a report names it: `schema`, or [`RuleKind::as_str`](comboi_project::RuleKind::as_str).
    pub kind: String,
    /// How loudly a failure of the rule is told.
    pub severity: Severity,
    /// What becomes of the data when it fails.
    #[serde(default = "fail")]
    pub action: Action,
    /// Whether the data keeps the rule.
    #[serde(flatten)]
    pub outcome: VerdictOutcome,
    /// What was looked at or found, such as `5,222 rows`. Never a value out of a column that is personal data.
    pub measured: String,
    /// The number that was measured and compared; `None` where there is none, or it is personal data.
    #[serde(default)]
    pub value: Option<String>,
    /// What it was compared with, such as `must be less than 5 percent`.
    #[serde(default)]
    pub threshold: Option<String>,
    /// How many rows the rule looked at.
    #[serde(default)]
    pub row_count: Option<u64>,
    /// Where the rule is written.
    #[serde(with = "place")]
    pub place: Place,
}

/// Whether the data keeps a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum VerdictOutcome {
    /// It does.
    Passed,
    /// It does not.
    Failed {
        /// How many rows break the rule; `None` when the rule is not about single rows.
        failed_count: Option<u64>,
        /// What is wrong, without any value out of a row.
        detail: String,
        /// Some of the rows. The only place where values of rows may stand: not for logs.
        sample: Sample,
    },
    /// Nobody knows, which is a failure.
    CouldNotRun {
        /// Why, without any value out of a row.
        why: String,
    },
}

/// Some rows that break a rule, in the order of the data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// What stands in the rows: `row` is the position in the data, counted from 1; the others are columns.
    pub columns: Vec<String>,
    /// Values as text; `None` is NULL. Personal data shows its length only.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Verdict {
    /// Whether the data keeps the rule, for certain.
    pub fn passed(&self) -> bool {
        matches!(self.outcome, VerdictOutcome::Passed)
    }

    /// Whether it keeps the dataset from its readers: a rule with the action `fail` failed or could not run, or nobody knows which rows to set
    /// aside.
    pub fn blocks(&self) -> bool {
        match self.outcome {
            VerdictOutcome::Passed => false,
            VerdictOutcome::Failed { .. } => {
                self.action == Action::Fail && self.severity == Severity::Error
            }
            VerdictOutcome::CouldNotRun { .. } => {
                self.action.sets_aside()
                    || self.action == Action::Fail && self.severity == Severity::Error
            }
        }
    }

    /// How many rows break the rule, where it is about rows and they are known.
    pub fn failed_count(&self) -> Option<u64> {
        match self.outcome {
            VerdictOutcome::Failed { failed_count, .. } => failed_count,
            VerdictOutcome::Passed | VerdictOutcome::CouldNotRun { .. } => None,
        }
    }

    /// So many hundredths of the rows that it looked at break the rule.
    pub fn failed_percent(&self) -> Option<f64> {
        let (failed, rows) = (self.failed_count()?, self.row_count?);
        let percent = Number::percent(failed.into(), rows)?;
        percent.shortened(6).parse().ok()
    }

    /// Whether it is about the age of the data. Old data is no reason to keep it from readers: what they have is
    /// older still.
    pub fn is_sla(&self) -> bool {
        self.kind == "freshness"
    }
}

impl Sample {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// A line for each row: `order_id O-000017, amount -3.00`.
    pub fn lines(&self) -> Vec<String> {
        let line = |row: &Vec<Option<String>>| {
            let cells = self.columns.iter().zip(row);
            let cells = cells
                .map(|(column, value)| format!("{column} {}", value.as_deref().unwrap_or("NULL")));
            cells.collect::<Vec<_>>().join(", ")
        };
        self.rows.iter().map(line).collect()
    }
}

/// One line, without any value out of a row: fit for logs.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            kind: _,
            severity,
            action,
            outcome,
            measured,
            value: _,
            threshold: _,
            row_count: _,
            place: _,
        } = self;
        let severity = match action {
            Action::Quarantine | Action::Drop => format!("{severity}, {action}"),
            Action::Fail | Action::Report => severity.to_string(),
        };
        match outcome {
            VerdictOutcome::Passed => write!(f, "{rule}: passed ({measured})"),
            VerdictOutcome::Failed {
                failed_count: Some(count),
                detail,
                sample: _,
            } => {
                write!(
                    f,
                    "{rule}: failed ({severity}): {}: {detail} ({measured})",
                    counted(*count, "row")
                )
            }
            VerdictOutcome::Failed {
                failed_count: None,
                detail,
                sample: _,
            } => {
                write!(f, "{rule}: failed ({severity}): {detail} ({measured})")
            }
            VerdictOutcome::CouldNotRun { why } => {
                write!(f, "{rule}: could not run ({severity}): {why}")
            }
        }
    }
}

/// Before there were others.
fn fail() -> Action {
    Action::Fail
}

/// A place as `{file, line, column}`.
mod place {
    use std::path::PathBuf;

    use comboi_project::Place;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Written {
        file: PathBuf,
        line: u32,
        column: u32,
    }

    pub(super) fn serialize<S: Serializer>(
        place: &Place,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Place { file, line, column } = place;
        Written {
            file: file.to_path_buf(),
            line: *line,
            column: *column,
        }
        .serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Place, D::Error> {
        let Written { file, line, column } = Written::deserialize(deserializer)?;
        Ok(Place {
            file: file.into(),
            line,
            column,
        })
    }
}
