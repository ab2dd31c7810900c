//! What should happen: graph, selection, plan. Pure.
//!
//! A [`Graph`] knows which dataset reads which; a [`Selection`] picks some of them; a [`Plan`] is the ordered list of
//! tasks that makes them; an [`Explanation`] says it to a person. The same project gives the same plan, to the letter.

mod explain;
mod graph;
mod plan;
mod select;

pub use explain::{
    ContractNote, DatasetNote, Estimate, Explanation, Observed, ObservedDataset, ObservedTable,
    Rebuild, SourceNote, StageNote, Style, grouped, human_bytes,
};
pub use graph::Graph;
pub use plan::{Plan, Task, TaskKind};
pub use select::Selection;
