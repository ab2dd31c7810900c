//! Datasets: Delta tables over object storage.
//!
//! A dataset is a folder of Parquet files and a log that says which of them are part of it. Every
//! change is one log entry, written only if nobody has written it yet, so readers see a dataset before
//! or after a change, never in between. The tables are Delta's (reader 1, writer 2): DuckDB, Spark,
//! Synapse, Fabric, Power BI and polars read them.

mod ages;
mod azure;
mod bounds;
mod checked;
mod commit;
mod damage;
mod digest;
mod draft;
mod error;
mod footer;
mod going;
mod history;
mod indexed;
mod lake;
mod latest;
mod layout;
mod mend;
mod near;
mod notes;
mod publish;
mod restore;
mod root;
mod schema;
mod snapshot;
mod state;
mod stats;
mod table;
mod transfer;
mod upkeep;
mod vacuum;
mod verify;

pub use ages::Before;
pub use azure::{Access, BadContainer, Container, SharedKey, StorageTokens};
pub use commit::{Change, Operation, Remove};
pub use digest::Digest;
pub use error::{Error, Source, worth_retrying};
pub use going::{Deleted, Going};
pub use history::Version;
pub use lake::Lake;
pub use latest::Latest;
pub use layout::BadLayout;
pub use publish::Published;
pub use root::{NoLinks, Root};
pub use snapshot::{DataFile, Snapshot};
pub use state::{OpenBy, State, StateError, Written};
pub use table::Table;
pub use vacuum::Vacuumed;
pub use verify::Depth;
