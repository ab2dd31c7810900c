//! What should happen: graph, selection, plan, explanation. Pure: no network, no clock, no environment.

mod explanation;
mod graph;
mod plan;
mod selection;

pub use explanation::{
    ExplainedTask, Explanation, FailureKind, Observed, ObservedDataset, ObservedTable,
};
pub use graph::Graph;
pub use plan::{Plan, Task, TaskKind};
pub use selection::{BadSelection, Selection, find_dataset};
