//! Which dataset reads which.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use comboi_project::{DatasetId, Project, Stage};

/// Every dataset of a project, in the order in which all of them could be made.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    positions: HashMap<DatasetId, usize>,
}

#[derive(Clone, Debug)]
struct Node {
    id: DatasetId,
    /// In the order of the query's inputs, each once.
    reads: Vec<DatasetId>,
    tags: Vec<String>,
    contracts: Vec<String>,
}

impl Graph {
    /// The graph of a project: tables of sources, then what is built, by stage; inside a stage what is read stands
    /// before its readers, and otherwise the order of the files is kept.
    pub fn of(project: &Project) -> Self {
        let nodes: Vec<Node> = project
            .dataset_ids()
            .into_iter()
            .map(|id| node(project, id))
            .collect();
        Self::ordered(nodes)
    }

    fn ordered(nodes: Vec<Node>) -> Self {
        let known: HashMap<&DatasetId, usize> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (&node.id, i))
            .collect();
        let mut waits_for: Vec<usize> = vec![0; nodes.len()];
        let mut readers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, node) in nodes.iter().enumerate() {
            for read in node.reads.iter().filter_map(|read| known.get(read)) {
                readers.entry(*read).or_default().push(i);
                if let Some(count) = waits_for.get_mut(i) {
                    *count += 1;
                }
            }
        }
        // Ready nodes by stage, then by place in the file: the first is next.
        let rank = |i: usize| {
            (
                nodes.get(i).map_or(Stage::Bronze, |node| node.id.stage()),
                i,
            )
        };
        let mut ready: BTreeSet<(Stage, usize)> = waits_for
            .iter()
            .enumerate()
            .filter(|(_, count)| **count == 0)
            .map(|(i, _)| rank(i))
            .collect();
        let mut order = Vec::with_capacity(nodes.len());
        while let Some((_, i)) = ready.pop_first() {
            order.push(i);
            for reader in readers.get(&i).into_iter().flatten() {
                if let Some(count) = waits_for.get_mut(*reader) {
                    *count -= 1;
                    if *count == 0 {
                        ready.insert(rank(*reader));
                    }
                }
            }
        }
        let nodes: Vec<Node> = order
            .into_iter()
            .filter_map(|i| nodes.get(i).cloned())
            .collect();
        let positions = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| (node.id.clone(), i))
            .collect();
        Self { nodes, positions }
    }

    /// Every dataset, in an order in which all of them could be made.
    pub fn datasets(&self) -> impl Iterator<Item = &DatasetId> {
        self.nodes.iter().map(|node| &node.id)
    }

    /// What a dataset's query reads, in the order of its inputs. Nothing for tables of sources.
    pub fn reads(&self, id: &DatasetId) -> &[DatasetId] {
        self.node(id)
            .map(|node| node.reads.as_slice())
            .unwrap_or_default()
    }

    /// The words by which a dataset may be selected.
    pub fn tags(&self, id: &DatasetId) -> &[String] {
        self.node(id)
            .map(|node| node.tags.as_slice())
            .unwrap_or_default()
    }

    /// The names of the contracts that a dataset keeps.
    pub fn contracts(&self, id: &DatasetId) -> &[String] {
        self.node(id)
            .map(|node| node.contracts.as_slice())
            .unwrap_or_default()
    }

    /// These datasets and everything that they are made from.
    pub fn with_what_they_read(&self, ids: &BTreeSet<DatasetId>) -> BTreeSet<DatasetId> {
        let mut found = ids.clone();
        // In the order of the graph backwards, a reader always comes before what it reads.
        for node in self.nodes.iter().rev() {
            if found.contains(&node.id) {
                found.extend(node.reads.iter().cloned());
            }
        }
        found
    }

    /// These datasets and everything that is made from them.
    pub fn with_what_reads_them(&self, ids: &BTreeSet<DatasetId>) -> BTreeSet<DatasetId> {
        let mut found = ids.clone();
        for node in &self.nodes {
            if node.reads.iter().any(|read| found.contains(read)) {
                found.insert(node.id.clone());
            }
        }
        found
    }

    fn node(&self, id: &DatasetId) -> Option<&Node> {
        self.nodes.get(*self.positions.get(id)?)
    }
}

fn node(project: &Project, id: DatasetId) -> Node {
    let dataset = project.dataset(&id);
    let inputs = dataset
        .map(|dataset| dataset.inputs.as_slice())
        .unwrap_or_default();
    let mut seen = HashSet::new();
    let reads = inputs
        .iter()
        .map(|input| input.dataset.clone())
        .filter(|read| seen.insert(read.clone()))
        .collect();
    let tags = dataset
        .map(|dataset| dataset.tags.clone())
        .unwrap_or_default();
    let contracts = dataset
        .map(|dataset| {
            dataset
                .contracts
                .iter()
                .map(|one| one.name.clone())
                .collect()
        })
        .unwrap_or_default();
    Node {
        id,
        reads,
        tags,
        contracts,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn built(stage: Stage, i: usize) -> DatasetId {
        DatasetId::Built(stage, format!("d{i}").parse().unwrap())
    }

    /// Datasets that read only ones with smaller numbers, listed in any order.
    fn any_nodes() -> impl Strategy<Value = Vec<Node>> {
        proptest::collection::vec(
            proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
            1..30,
        )
        .prop_map(|all| {
            let stage = |i: usize| {
                if i < all.len() / 2 {
                    Stage::Silver
                } else {
                    Stage::Gold
                }
            };
            let reads = |i: usize, picks: &[prop::sample::Index]| -> BTreeSet<usize> {
                if i == 0 {
                    BTreeSet::new()
                } else {
                    picks.iter().map(|pick| pick.index(i)).collect()
                }
            };
            all.iter()
                .enumerate()
                .map(|(i, picks)| Node {
                    id: built(stage(i), i),
                    reads: reads(i, picks)
                        .into_iter()
                        .map(|read| built(stage(read), read))
                        .collect(),
                    tags: Vec::new(),
                    contracts: Vec::new(),
                })
                .collect::<Vec<_>>()
        })
        .prop_shuffle()
    }

    proptest! {
        #[test]
        fn what_is_read_comes_first_and_stages_stay_in_order(nodes in any_nodes()) {
            let graph = Graph::ordered(nodes.clone());
            let order: Vec<DatasetId> = graph.datasets().cloned().collect();
            prop_assert_eq!(order.len(), nodes.len());
            prop_assert!(order.is_sorted_by_key(DatasetId::stage));
            for (i, id) in order.iter().enumerate() {
                for read in graph.reads(id) {
                    prop_assert!(order.iter().take(i).any(|before| before == read), "{} before {}", read, id);
                }
            }
        }

        #[test]
        fn up_and_down_are_each_others_mirror(nodes in any_nodes(), a: prop::sample::Index, b: prop::sample::Index) {
            let graph = Graph::ordered(nodes.clone());
            let (a, b) = (nodes[a.index(nodes.len())].id.clone(), nodes[b.index(nodes.len())].id.clone());
            let above = graph.with_what_they_read(&BTreeSet::from([a.clone()])).contains(&b);
            let below = graph.with_what_reads_them(&BTreeSet::from([b])).contains(&a);
            prop_assert_eq!(above, below);
        }
    }
}
