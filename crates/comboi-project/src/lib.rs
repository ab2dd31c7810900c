//! What people write: configuration, transformations and contracts, read and checked.
//!
//! Pure but for reading files: never the network, the clock or the environment.

mod names;
mod problem;
mod types;

pub use names::{Alias, BadDatasetId, BadName, BadStage, DatasetId, DatasetName, MAX_NAME_LENGTH, PipelineName, RunId, SourceName, Stage, TableName};
pub use problem::{Place, Problem, Problems};
pub use types::{Column, Columns, SqlType};
