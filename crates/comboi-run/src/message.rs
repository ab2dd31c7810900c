//! Messages that ask for a stage of a run.

use comboi_project::{DatasetId, RunId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A message that asks for a stage of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// The configuration, below the app's folder; else the default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_path: Option<String>,
    /// The stage.
    pub stage: Stage,
    /// The stages after it.
    #[serde(default)]
    pub remaining: Vec<Stage>,
    /// The run; else the message asks for a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// One task of the stage; else all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<DatasetId>,
    /// How often in a row the time limit was reached without any progress.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub stuck: u32,
    /// How often the message was given up by the host.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub poisoned: u32,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks it by reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl TaskMessage {
    /// The first message of these stages, if there is any; for a new run unless one is given.
    pub fn first(
        config_path: Option<String>,
        run: Option<RunId>,
        stages: &[Stage],
    ) -> Option<Self> {
        let (stage, remaining) = stages.split_first()?;
        Some(Self {
            config_path,
            stage: *stage,
            remaining: remaining.to_vec(),
            run,
            task: None,
            stuck: 0,
            poisoned: 0,
        })
    }

    /// The task that a text asks for. The error says what is wrong, without a word of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let example = "write {\"config_path\": \"configs/default.yml\", \"stage\": \"bronze\", \"remaining\": [\"silver\", \"gold\"]}";
        let value: Value =
            serde_json::from_str(text).map_err(|_| format!("the message is no JSON; {example}"))?;
        if !value.is_object() {
            return Err(format!("the message is no JSON object; {example}"));
        }
        let task: Result<Self, _> = serde_json::from_value(value.clone());
        let task = task.map_err(|_| {
            let stages = ["bronze", "silver", "gold"];
            let known = |value: &Value| value.as_str().is_some_and(|it| stages.contains(&it));
            let wrong = match (value.get("stage"), value.get("remaining")) {
                (None, _) => "the message has no `stage`",
                (Some(stage), _) if !known(stage) => {
                    "the message's `stage` is not `bronze`, `silver` or `gold`"
                }
                (_, Some(Value::Array(remaining))) if !remaining.iter().all(known) => {
                    "one of the message's `remaining` is not `bronze`, `silver` or `gold`"
                }
                _ => "a field of the message has a value of another kind than it should",
            };
            format!("{wrong}; {example}")
        })?;
        task.in_order().ok_or_else(|| {
            format!(
                "the message's `remaining` has a stage that comes before its `stage`; {example}"
            )
        })
    }

    /// The same with its stages in their order, each once; `None` if an earlier one than the first remains.
    fn in_order(mut self) -> Option<Self> {
        if self.remaining.iter().any(|stage| *stage < self.stage) {
            return None;
        }
        self.remaining.retain(|stage| *stage > self.stage);
        self.remaining.sort();
        self.remaining.dedup();
        Some(self)
    }

    /// What is put into the queue.
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).expect("names and numbers always become JSON")
    }

    /// The stages that it asks for, each once, in their order.
    pub fn stages(&self) -> Vec<Stage> {
        let asked = |stage: &Stage| self.stage == *stage || self.remaining.contains(stage);
        Stage::ALL.into_iter().filter(asked).collect()
    }
}
