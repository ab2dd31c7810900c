//! An ordered list of tasks.

use std::collections::BTreeSet;

use comboi_project::{DatasetId, PipelineName, Project};
use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::selection::{BadSelection, Selection};

/// What a run does: one task for each dataset, in an order in which each comes after what it reads.
///
/// The plan of the same project and selection is the same, to the letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The pipeline.
    pub pipeline: PipelineName,
    /// In order: by stage, and each after what it reads.
    pub tasks: Vec<Task>,
}

/// One unit of work that can be retried alone: it makes one dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// The dataset, whose text is the task's name too.
    pub dataset: DatasetId,
    /// What is done.
    pub kind: TaskKind,
    /// Everything that the dataset is made of.
    pub inputs: Vec<DatasetId>,
    /// Those of the inputs that the plan makes itself, and that therefore come first.
    pub after: Vec<DatasetId>,
}

/// What a task does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskKind {
    /// Copies what is new in a table of a source into the lake.
    Extract,
    /// Runs a dataset's query, holds the result to its contract, publishes it.
    Build,
}

impl Plan {
    /// The plan over a selection.
    pub fn of(project: &Project, selection: &Selection) -> Result<Self, BadSelection> {
        let graph = Graph::of(project);
        let selected = selection.datasets(project, &graph)?;
        Ok(Self::over(project.name.clone(), &graph, &selected))
    }

    /// The plan over everything that the project has.
    pub fn of_everything(project: &Project) -> Self {
        let graph = Graph::of(project);
        let all = graph.datasets().iter().cloned().collect();
        Self::over(project.name.clone(), &graph, &all)
    }

    /// A plan that does nothing.
    pub fn empty(pipeline: PipelineName) -> Self {
        Self {
            pipeline,
            tasks: Vec::new(),
        }
    }

    pub(crate) fn over(
        pipeline: PipelineName,
        graph: &Graph,
        selected: &BTreeSet<DatasetId>,
    ) -> Self {
        let task = |id: &DatasetId| {
            let inputs: Vec<DatasetId> = graph.inputs(id).cloned().collect();
            Task {
                dataset: id.clone(),
                kind: match id {
                    DatasetId::Extracted(..) => TaskKind::Extract,
                    DatasetId::Built(..) => TaskKind::Build,
                },
                after: inputs
                    .iter()
                    .filter(|input| selected.contains(input))
                    .cloned()
                    .collect(),
                inputs,
            }
        };
        Self {
            pipeline,
            tasks: graph
                .datasets()
                .iter()
                .filter(|id| selected.contains(id))
                .map(task)
                .collect(),
        }
    }

    /// The plan without the tasks that are done: nothing waits for them any more.
    #[must_use]
    pub fn without(&self, done: impl Fn(&Task) -> bool) -> Self {
        let kept: BTreeSet<&DatasetId> = self
            .tasks
            .iter()
            .filter(|task| !done(task))
            .map(|task| &task.dataset)
            .collect();
        let left = self
            .tasks
            .iter()
            .filter(|task| kept.contains(&task.dataset))
            .map(|task| {
                let after = task
                    .after
                    .iter()
                    .filter(|before| kept.contains(before))
                    .cloned()
                    .collect();
                Task {
                    after,
                    ..task.clone()
                }
            });
        Self {
            pipeline: self.pipeline.clone(),
            tasks: left.collect(),
        }
    }

    /// How many tasks can be under way at once, at most, if each takes as long as any other.
    pub fn widest(&self) -> usize {
        let mut done: BTreeSet<&DatasetId> = BTreeSet::new();
        let mut widest = 0;
        while done.len() < self.tasks.len() {
            let ready = |task: &&Task| {
                !done.contains(&task.dataset)
                    && task.after.iter().all(|before| done.contains(before))
            };
            let round: Vec<&DatasetId> = self
                .tasks
                .iter()
                .filter(ready)
                .map(|task| &task.dataset)
                .collect();
            if round.is_empty() {
                break;
            }
            widest = widest.max(round.len());
            done.extend(round);
        }
        widest
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn id(text: &str) -> DatasetId {
        text.parse().unwrap()
    }

    /// `gold/c: silver/a silver/b` a line, in the order of the file.
    fn plan(text: &str) -> Plan {
        let mut reads = BTreeMap::new();
        let mut written = Vec::new();
        for line in text.lines() {
            let (reader, inputs) = line.trim().split_once(':').unwrap();
            written.push(id(reader));
            reads.insert(id(reader), inputs.split_whitespace().map(id).collect());
        }
        let graph = Graph::new(reads, &written);
        Plan::over(
            "p".parse().unwrap(),
            &graph,
            &written.iter().cloned().collect(),
        )
    }

    fn order(plan: &Plan) -> String {
        plan.tasks
            .iter()
            .map(|task| task.dataset.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn what_is_read_comes_first_and_stages_keep_together() {
        let plan = plan(
            "gold/c: silver/a silver/b\nsilver/a: silver/b\nsilver/b: bronze/s/t\nbronze/s/t:\nbronze/s/u:",
        );
        assert_eq!(
            order(&plan),
            "bronze/s/t bronze/s/u silver/b silver/a gold/c"
        );
    }

    #[test]
    fn nothing_waits_for_what_is_done() {
        let plan = plan("bronze/s/t:\nsilver/a: bronze/s/t\ngold/c: silver/a")
            .without(|task| task.dataset == id("bronze/s/t"));
        assert_eq!(order(&plan), "silver/a gold/c");
        assert_eq!(plan.tasks[0].after, []);
        assert_eq!(plan.tasks[0].inputs, [id("bronze/s/t")]);
        assert_eq!(plan.tasks[1].after, [id("silver/a")]);
    }

    #[test]
    fn the_widest_round_is_counted() {
        assert_eq!(
            plan(
                "bronze/s/t:\nbronze/s/u:\nbronze/s/v:\nsilver/a: bronze/s/t\nsilver/b: bronze/s/t"
            )
            .widest(),
            3
        );
        assert_eq!(
            plan("bronze/s/t:\nsilver/a: bronze/s/t\ngold/c: silver/a").widest(),
            1
        );
    }

    proptest! {
        #[test]
        fn any_graph_is_planned_so_that_reads_come_first(edges in prop::collection::vec((0_usize..12, 0_usize..12), 0..40)) {
            let name = |n: usize| id(&format!("silver/d{n}"));
            let mut reads: BTreeMap<DatasetId, BTreeSet<DatasetId>> = (0..12).map(|n| (name(n), BTreeSet::new())).collect();
            for (a, b) in edges {
                if a != b {
                    reads.get_mut(&name(a.max(b))).unwrap().insert(name(a.min(b)));
                }
            }
            let written: Vec<DatasetId> = (0..12).rev().map(name).collect();
            let graph = Graph::new(reads, &written);
            let plan = Plan::over("p".parse().unwrap(), &graph, &written.iter().cloned().collect());
            prop_assert_eq!(plan.tasks.len(), 12);
            let mut seen = BTreeSet::new();
            for task in &plan.tasks {
                prop_assert!(task.after.iter().all(|before| seen.contains(before)));
                seen.insert(task.dataset.clone());
            }
        }
    }
}
