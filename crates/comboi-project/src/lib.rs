//! What people write: configuration, transformations and contracts, read and checked.
//!
//! Pure but for reading files: never the network, the clock or the environment.

mod names;
mod problem;
mod suggest;
mod types;

pub use names::{
    Alias, BadDatasetId, BadName, BadStage, DatasetId, DatasetName, MAX_NAME_LENGTH, PipelineName,
    RunId, SourceName, Stage, TableName,
};
pub use problem::{Place, Problem, Problems};
pub use suggest::{did_you_mean, nearest};
pub use types::{BadType, Column, Columns, NotKept, SqlType, quoted_name};
