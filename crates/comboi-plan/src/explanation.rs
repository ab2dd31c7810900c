//! What a plan would do, for people and for programs.

mod print;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use comboi_project::{DatasetId, Project, Stage};
use serde::Serialize;

use crate::plan::{Plan, Task, TaskKind};

/// What was found in looking at the sources and the lake.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// By table.
    pub tables: BTreeMap<DatasetId, ObservedTable>,
    /// By dataset of silver and gold.
    pub datasets: BTreeMap<DatasetId, ObservedDataset>,
}

/// What was found of a table of a source.
#[derive(Clone, Debug, Default)]
pub struct ObservedTable {
    /// Which rows would be read, such as `updated_at >= '2024-05-01'` or `2 new files`.
    pub filter: String,
    /// Whether there is anything to read, as far as a look can tell.
    pub new: bool,
    /// Bytes that would be read, if that can be told.
    pub bytes: Option<u64>,
    /// Rows that would be read, estimated from what was read before.
    pub rows: Option<u64>,
    /// Rows that the lake has.
    pub lake_rows: Option<u64>,
    /// When the table was last read.
    pub last_read: Option<DateTime<Utc>>,
    /// What a person should know: files that are gone.
    pub notes: Vec<String>,
    /// Rows or values that may be missing or changed, and what to do.
    pub warnings: Vec<String>,
    /// Why the look failed. The run would fail there too.
    pub failed: Option<String>,
}

/// What was found of a dataset that is built.
#[derive(Clone, Debug, Default)]
pub struct ObservedDataset {
    /// Its version; `None` when it was never built.
    pub version: Option<u64>,
    /// Its rows.
    pub rows: Option<u64>,
    /// Why it would be built although its inputs may be unchanged: `never built`, `its query or contract has changed` …
    pub why: Option<String>,
}

/// A plan with what was found.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The pipeline.
    pub pipeline: String,
    /// The sources that the plan reads.
    pub sources: Vec<String>,
    /// When the newest checkpoint was written.
    pub last_run: Option<DateTime<Utc>>,
    /// The tasks, in the order of the plan.
    pub tasks: Vec<ExplainedTask>,
}

/// A task with what was found.
#[derive(Clone, Debug, Serialize)]
pub struct ExplainedTask {
    /// The dataset that it makes.
    pub dataset: DatasetId,
    /// Where the dataset lives.
    pub stage: Stage,
    /// What it does.
    pub kind: TaskKind,
    /// What it reads.
    pub inputs: Vec<DatasetId>,
    /// The contracts that it keeps, by file.
    pub contracts: Vec<String>,
    /// Whether it has something to do, as far as a look can tell.
    pub works: bool,
    /// Which rows it reads, or why it works or does not.
    pub because: String,
    /// Rows that it would read, if that can be told.
    pub rows: Option<u64>,
    /// Bytes that it would read, if that can be told.
    pub bytes: Option<u64>,
    /// Rows that the lake has of the dataset.
    pub lake_rows: Option<u64>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// Rows or values that may be missing or changed, and what to do.
    pub warnings: Vec<String>,
    /// Why it would fail.
    pub failed: Option<String>,
}

impl Explanation {
    /// Puts a plan together with what was found. What reads something that works, works too.
    pub fn of(project: &Project, plan: &Plan, observed: &Observed) -> Self {
        let mut working: BTreeSet<DatasetId> = BTreeSet::new();
        let mut tasks = Vec::new();
        for task in &plan.tasks {
            let explained = match task.kind {
                TaskKind::Extract => extract(task, observed),
                TaskKind::Build => build(project, task, observed, &working),
            };
            if explained.works {
                working.insert(task.dataset.clone());
            }
            tasks.push(explained);
        }
        let read = |source: &&comboi_project::Source| {
            let name = &source.name().value;
            plan.tasks.iter().any(
                |task| matches!(&task.dataset, DatasetId::Extracted(source, _) if source == name),
            )
        };
        Self {
            pipeline: plan.pipeline.to_string(),
            sources: project
                .sources
                .iter()
                .filter(read)
                .map(|source| source.name().value.to_string())
                .collect(),
            last_run: observed
                .tables
                .values()
                .filter_map(|table| table.last_read)
                .max(),
            tasks,
        }
    }
}

fn extract(task: &Task, observed: &Observed) -> ExplainedTask {
    let found = observed
        .tables
        .get(&task.dataset)
        .cloned()
        .unwrap_or_default();
    ExplainedTask {
        dataset: task.dataset.clone(),
        stage: task.dataset.stage(),
        kind: task.kind,
        inputs: Vec::new(),
        contracts: Vec::new(),
        works: found.new,
        because: found.filter,
        rows: found.rows,
        bytes: found.bytes,
        lake_rows: found.lake_rows,
        notes: found.notes,
        warnings: found.warnings,
        failed: found.failed,
    }
}

fn build(
    project: &Project,
    task: &Task,
    observed: &Observed,
    working: &BTreeSet<DatasetId>,
) -> ExplainedTask {
    let found = observed
        .datasets
        .get(&task.dataset)
        .cloned()
        .unwrap_or_default();
    let changing = task.inputs.iter().find(|input| working.contains(input));
    let contracts = project
        .dataset(&task.dataset)
        .into_iter()
        .flat_map(|dataset| &dataset.contracts);
    let file = |path: &std::path::Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let because = match (&found.why, changing) {
        (Some(why), _) => why.clone(),
        (None, Some(input)) => format!("{input} changes"),
        (None, None) => "nothing that shapes it has changed".to_owned(),
    };
    ExplainedTask {
        dataset: task.dataset.clone(),
        stage: task.dataset.stage(),
        kind: task.kind,
        inputs: task.inputs.clone(),
        contracts: contracts.filter_map(|named| file(&named.path)).collect(),
        works: found.why.is_some() || changing.is_some(),
        because,
        rows: None,
        bytes: None,
        lake_rows: found.rows,
        notes: Vec::new(),
        warnings: Vec::new(),
        failed: None,
    }
}
