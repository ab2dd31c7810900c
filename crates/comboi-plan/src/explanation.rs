//! What a plan would do, for people and for programs.

mod print;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use comboi_project::{DatasetId, Project, Stage};
use serde::{Deserialize, Serialize};

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
    /// Whether what is read may bring columns that the lake does not have.
    pub new_columns: bool,
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

/// Why a task fails, told apart by what a person does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// A rule with severity `error` was broken, or could not be run.
    Contract,
    /// Anything else.
    Task,
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
    /// Why its build would fail, whatever rows its inputs have.
    pub failed: Option<(FailureKind, String)>,
    /// What may go wrong.
    pub warnings: Vec<String>,
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
    /// Whether it would fail for its contract.
    pub failure_kind: Option<FailureKind>,
}

impl Explanation {
    /// Puts a plan together with what was found. What reads something that works, works too; what reads something that would fail, is not
    /// done.
    pub fn of(project: &Project, plan: &Plan, observed: &Observed) -> Self {
        let mut upstream = Upstream::default();
        let mut tasks = Vec::new();
        for task in &plan.tasks {
            let explained = match task.kind {
                TaskKind::Extract => extract(task, observed),
                TaskKind::Build => build(project, task, observed, &upstream),
            };
            let id = task.dataset.clone();
            if explained.failed.is_some() || upstream.failing(task).is_some() {
                upstream.failing.insert(id);
            } else if explained.works {
                upstream.working.insert(id);
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

/// What became clear of the tasks before one.
#[derive(Default)]
struct Upstream {
    working: BTreeSet<DatasetId>,
    failing: BTreeSet<DatasetId>,
}

impl Upstream {
    fn working<'a>(&self, task: &'a Task) -> Option<&'a DatasetId> {
        task.inputs.iter().find(|it| self.working.contains(it))
    }

    fn failing<'a>(&self, task: &'a Task) -> Option<&'a DatasetId> {
        task.inputs.iter().find(|it| self.failing.contains(it))
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
        works: found.new && found.failed.is_none(),
        because: found.filter,
        rows: found.rows,
        bytes: found.bytes,
        lake_rows: found.lake_rows,
        notes: found.notes,
        warnings: found.warnings,
        failure_kind: found.failed.as_ref().map(|_| FailureKind::Task),
        failed: found.failed,
    }
}

fn build(
    project: &Project,
    task: &Task,
    observed: &Observed,
    upstream: &Upstream,
) -> ExplainedTask {
    let found = observed
        .datasets
        .get(&task.dataset)
        .cloned()
        .unwrap_or_default();
    let (changing, failing) = (upstream.working(task), upstream.failing(task));
    let contracts = project
        .dataset(&task.dataset)
        .into_iter()
        .flat_map(|dataset| &dataset.contracts);
    let file = |path: &std::path::Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let because = match (failing, &found.why, changing) {
        (Some(input), _, _) => format!("{input} would fail"),
        (None, Some(why), _) => why.clone(),
        (None, None, Some(input)) => format!("{input} changes"),
        (None, None, None) => "nothing that shapes it has changed".to_owned(),
    };
    let begun = failing.is_none() && (found.why.is_some() || changing.is_some());
    let (failure_kind, failed) = found.failed.filter(|_| begun).unzip();
    ExplainedTask {
        dataset: task.dataset.clone(),
        stage: task.dataset.stage(),
        kind: task.kind,
        inputs: task.inputs.clone(),
        contracts: contracts.filter_map(|named| file(&named.path)).collect(),
        works: begun && failed.is_none(),
        because,
        rows: None,
        bytes: None,
        lake_rows: found.rows,
        notes: Vec::new(),
        warnings: if begun { found.warnings } else { Vec::new() },
        failed,
        failure_kind,
    }
}
