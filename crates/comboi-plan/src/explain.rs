//! A plan in words: for a person, or as data for a program.

mod text;

use std::collections::BTreeMap;

use comboi_project::{DatasetId, PipelineName, Project, Stage};
use serde::Serialize;

use crate::{Plan, Task, TaskKind};

pub use text::{Style, grouped, human_bytes};

/// What is known of the lake and the sources when a plan is explained. What is not known is left out of the text.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Of tables of sources.
    pub tables: BTreeMap<DatasetId, ObservedTable>,
    /// Of datasets that are built.
    pub datasets: BTreeMap<DatasetId, ObservedDataset>,
}

/// What is known of a table of a source.
#[derive(Clone, Debug, Default)]
pub struct ObservedTable {
    /// How far it has been read, in words: `updated_at 2026-11-20 10:30:00`.
    pub checkpoint: Option<String>,
    /// When it was last read, in words. Texts sort by time.
    pub last_run: Option<String>,
    /// What will be read: `incremental: updated_at >= '2026-11-20 10:30:00'`, `3 new files`, `full load`.
    pub filter: Option<String>,
    /// Files that have not been read.
    pub new_files: Option<u64>,
    /// Bytes that will be read, about.
    pub size_bytes: Option<u64>,
    /// Rows that will be read, about.
    pub row_count: Option<u64>,
    /// Anything a person should know before the run: a file that changed, one that is gone.
    pub notes: Vec<String>,
}

/// What is known of a dataset that is built.
#[derive(Clone, Debug, Default)]
pub struct ObservedDataset {
    /// Its version in the lake. None: there is none yet.
    pub version: Option<u64>,
    /// Rows of that version.
    pub row_count: Option<u64>,
    /// Whether it will be built again.
    pub rebuild: Option<Rebuild>,
}

/// Whether a dataset will be built again, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuild {
    /// Whether.
    pub needed: bool,
    /// Why, in words: `its query changed`, `nothing it reads has changed`.
    pub reason: String,
}

/// A plan and what is known about what it touches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whose plan it is.
    pub pipeline: PipelineName,
    /// The sources that the plan reads.
    pub sources: Vec<SourceNote>,
    /// When the tables of the plan were last read; the latest of them.
    pub last_run: Option<String>,
    /// The stages that have tasks, in order.
    pub stages: Vec<StageNote>,
    /// The tasks in the order in which they begin: `Extract bronze/shop/orders`.
    pub queue: Vec<String>,
}

/// A source that a plan reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceNote {
    /// Its name.
    pub name: String,
    /// Such as `files`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The tables of the plan.
    pub tables: Vec<String>,
}

/// A stage and its tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StageNote {
    /// Which.
    pub stage: Stage,
    /// Its tasks in order.
    pub datasets: Vec<DatasetNote>,
    /// What they will read, about.
    pub estimate: Estimate,
}

/// How much a stage will read, about. None: nobody knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Files.
    pub new_files: Option<u64>,
    /// Rows.
    pub row_count: Option<u64>,
    /// Bytes.
    pub size_bytes: Option<u64>,
}

/// A task and what is known about its dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DatasetNote {
    /// What is made.
    pub dataset: DatasetId,
    /// How.
    pub kind: TaskKind,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it reads.
    pub depends_on: Vec<DatasetId>,
    /// What will be read of a table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How far a table has been read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// The version of a built dataset in the lake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Rows of that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row_count: Option<u64>,
    /// Whether a built dataset will be built again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rebuild: Option<Rebuild>,
    /// The contracts it has to keep.
    pub contracts: Vec<ContractNote>,
    /// How much will be read, about.
    pub estimate: Estimate,
    /// What a person should know before the run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A contract that a dataset has to keep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ContractNote {
    /// Its name.
    pub name: String,
    /// Its file's name.
    pub file: String,
    /// How many rules it has.
    pub rule_count: usize,
}

impl Explanation {
    /// Puts together what the project says and what was observed about the tasks of a plan.
    pub fn of(project: &Project, plan: &Plan, observed: &Observed) -> Self {
        let stages = plan
            .stages()
            .into_iter()
            .map(|stage| stage_note(project, plan, observed, stage))
            .collect();
        let planned = |id: &DatasetId| plan.task(id).is_some();
        let last_run = observed
            .tables
            .iter()
            .filter(|(id, _)| planned(id))
            .filter_map(|(_, table)| table.last_run.clone())
            .max();
        Self {
            pipeline: plan.pipeline.clone(),
            sources: sources(project, plan),
            last_run,
            stages,
            queue: plan
                .tasks
                .iter()
                .map(|task| format!("{} {}", task.kind.verb(), task.dataset))
                .collect(),
        }
    }
}

fn sources(project: &Project, plan: &Plan) -> Vec<SourceNote> {
    let note = |source: &comboi_project::Source| {
        let name = source.name().value.clone();
        let planned = |table: &str| {
            plan.tasks.iter().any(|task| matches!(&task.dataset, DatasetId::Extracted(of, one) if *of == name && one.as_str() == table))
        };
        let tables: Vec<String> = source
            .table_names()
            .into_iter()
            .map(|table| table.value.to_string())
            .filter(|table| planned(table))
            .collect();
        (!tables.is_empty()).then(|| SourceNote {
            name: name.to_string(),
            kind: source.kind(),
            tables,
        })
    };
    project.sources.iter().filter_map(note).collect()
}

fn stage_note(project: &Project, plan: &Plan, observed: &Observed, stage: Stage) -> StageNote {
    let datasets: Vec<DatasetNote> = plan
        .tasks_of(stage)
        .map(|task| dataset_note(project, observed, task))
        .collect();
    let total = |count: fn(&Estimate) -> Option<u64>| {
        let known: Vec<u64> = datasets
            .iter()
            .filter_map(|note| count(&note.estimate))
            .collect();
        (!known.is_empty()).then(|| known.iter().sum())
    };
    let estimate = Estimate {
        new_files: total(|estimate| estimate.new_files),
        row_count: total(|estimate| estimate.row_count),
        size_bytes: total(|estimate| estimate.size_bytes),
    };
    StageNote {
        stage,
        datasets,
        estimate,
    }
}

fn dataset_note(project: &Project, observed: &Observed, task: &Task) -> DatasetNote {
    let dataset = project.dataset(&task.dataset);
    let contracts = dataset
        .map(|dataset| dataset.contracts.as_slice())
        .unwrap_or_default();
    let table = observed
        .tables
        .get(&task.dataset)
        .cloned()
        .unwrap_or_default();
    let built = observed
        .datasets
        .get(&task.dataset)
        .cloned()
        .unwrap_or_default();
    DatasetNote {
        dataset: task.dataset.clone(),
        kind: task.kind,
        description: dataset.and_then(|dataset| dataset.description.clone()),
        depends_on: task.inputs.clone(),
        filter: table.filter,
        checkpoint: table.checkpoint,
        version: built.version,
        row_count: built.row_count,
        rebuild: built.rebuild,
        contracts: contracts.iter().map(contract_note).collect(),
        estimate: Estimate {
            new_files: table.new_files,
            row_count: table.row_count,
            size_bytes: table.size_bytes,
        },
        notes: table.notes,
    }
}

fn contract_note(named: &comboi_project::NamedContract) -> ContractNote {
    let file = named
        .path
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    ContractNote {
        name: named.name.clone(),
        file: file.unwrap_or_else(|| named.name.clone()),
        rule_count: named.contract.rules().len(),
    }
}
