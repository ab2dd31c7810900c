//! Which dataset reads which.

use std::collections::{BTreeMap, BTreeSet};

use comboi_project::{DatasetId, Project};

/// The datasets of a project and what each of them reads. A loaded project has no cycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    reads: BTreeMap<DatasetId, BTreeSet<DatasetId>>,
    order: Vec<DatasetId>,
}

impl Graph {
    /// The graph of a project.
    pub fn of(project: &Project) -> Self {
        let mut reads: BTreeMap<DatasetId, BTreeSet<DatasetId>> = project
            .dataset_ids()
            .into_iter()
            .map(|id| (id, BTreeSet::new()))
            .collect();
        for dataset in &project.datasets {
            let before = dataset.reads().map(|(before, _)| before.clone());
            reads.entry(dataset.id.clone()).or_default().extend(before);
        }
        Self::new(reads, &project.dataset_ids())
    }

    /// The graph of these edges; where it leaves a choice, datasets keep to the order in which they are `written`.
    pub(crate) fn new(
        reads: BTreeMap<DatasetId, BTreeSet<DatasetId>>,
        written: &[DatasetId],
    ) -> Self {
        let mut order: Vec<DatasetId> = Vec::new();
        let mut placed = BTreeSet::new();
        let mut waiting: Vec<&DatasetId> = written.iter().collect();
        waiting.sort_by_key(|id| id.stage());
        while !waiting.is_empty() {
            let ready = waiting
                .iter()
                .position(|id| reads[*id].iter().all(|input| placed.contains(input)));
            // Without a cycle something is always ready; with one, the rest is told as it is written.
            let next = waiting.remove(ready.unwrap_or(0));
            placed.insert(next.clone());
            order.push(next.clone());
        }
        Self { reads, order }
    }

    /// All datasets: by stage, and each after what it reads.
    pub fn datasets(&self) -> &[DatasetId] {
        &self.order
    }

    /// What a dataset reads.
    pub fn inputs(&self, id: &DatasetId) -> impl Iterator<Item = &DatasetId> {
        self.reads.get(id).into_iter().flatten()
    }

    /// Everything that a dataset reads, and what that reads, and so on.
    pub fn upstream(&self, id: &DatasetId) -> BTreeSet<DatasetId> {
        self.reach(id, |id| self.inputs(id).cloned().collect())
    }

    /// Everything that reads a dataset, and what reads that, and so on.
    pub fn downstream(&self, id: &DatasetId) -> BTreeSet<DatasetId> {
        self.reach(id, |id| {
            self.order
                .iter()
                .filter(|reader| self.reads[*reader].contains(id))
                .cloned()
                .collect()
        })
    }

    fn reach(
        &self,
        from: &DatasetId,
        next: impl Fn(&DatasetId) -> Vec<DatasetId>,
    ) -> BTreeSet<DatasetId> {
        let mut found = BTreeSet::new();
        let mut open = next(from);
        while let Some(id) = open.pop() {
            if found.insert(id.clone()) {
                open.extend(next(&id));
            }
        }
        found
    }
}
