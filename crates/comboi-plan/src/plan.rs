//! What is to be done, in order: a value.

use std::collections::BTreeSet;

use comboi_project::{DatasetId, PipelineName, Problems, Project, Stage};
use serde::{Deserialize, Serialize};

use crate::{Graph, Selection};

/// An ordered list of tasks. It is stored with a run, so that whoever continues the run does the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Whose plan it is.
    pub pipeline: PipelineName,
    /// By stage; what is read stands before its readers. One task for each dataset.
    pub tasks: Vec<Task>,
}

/// One unit of work that can be retried alone. Its name is its dataset's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// What it makes.
    pub dataset: DatasetId,
    /// How.
    pub kind: TaskKind,
    /// The tasks of this plan that have to be done before, each by its dataset.
    pub after: Vec<DatasetId>,
    /// Everything it reads, planned or not, in the order of the query's inputs.
    pub inputs: Vec<DatasetId>,
}

/// How a dataset is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Rows are read from a source.
    Extract,
    /// A query is run, its result checked and published.
    Build,
}

impl TaskKind {
    /// As a person is told: `Extract` or `Transform`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Extract => "Extract",
            Self::Build => "Transform",
        }
    }
}

impl Plan {
    /// The plan that makes what is selected.
    ///
    /// What is read but not selected is not made: its last version is read. Problems are names in the selection that
    /// the project does not have.
    pub fn of(project: &Project, selection: &Selection) -> Result<Self, Problems> {
        let graph = Graph::of(project);
        let selected = selection.of(&graph)?;
        Ok(Self {
            pipeline: project.name.clone(),
            tasks: tasks(&graph, &selected),
        })
    }

    /// The tasks of a stage, in order.
    pub fn tasks_of(&self, stage: Stage) -> impl Iterator<Item = &Task> {
        self.tasks
            .iter()
            .filter(move |task| task.dataset.stage() == stage)
    }

    /// The task that makes a dataset.
    pub fn task(&self, dataset: &DatasetId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.dataset == *dataset)
    }

    /// The stages that have tasks, in order.
    pub fn stages(&self) -> Vec<Stage> {
        Stage::ALL
            .into_iter()
            .filter(|stage| self.tasks_of(*stage).next().is_some())
            .collect()
    }
}

fn tasks(graph: &Graph, selected: &BTreeSet<DatasetId>) -> Vec<Task> {
    let task = |id: &DatasetId| {
        let inputs = graph.reads(id).to_vec();
        let after = inputs
            .iter()
            .filter(|input| selected.contains(input))
            .cloned()
            .collect();
        let kind = match id {
            DatasetId::Extracted(..) => TaskKind::Extract,
            DatasetId::Built(..) => TaskKind::Build,
        };
        Task {
            dataset: id.clone(),
            kind,
            after,
            inputs,
        }
    };
    graph
        .datasets()
        .filter(|id| selected.contains(id))
        .map(task)
        .collect()
}
