//! `type: postgres` and `type: azure_sql`: tables that are read from a database.
//!
//! What a database can do is behind [`Database`], [`Connection`] and [`Dialect`]; how a table is read without losing or
//! doubling a row is written once, above them. `conformance` holds every implementation to what these traits say.

mod client;
mod columns;
#[cfg(test)]
mod conformance;
mod request;

mod ahead;
mod azure_sql;
mod bounds;
mod catalog;
mod checkpoint;
mod chunk;
mod condition;
mod cursor;
mod digest;
mod loading;
mod look;
mod open;
mod origin;
mod others;
mod own_bounds;
mod parallel;
mod postgres;
mod ranges;
mod reader;
mod reading;
mod renewing;
mod stage;
mod stop;
mod unknown;

pub use azure_sql::AzureSql;
pub use catalog::{Answer, FoundColumn, FoundTable, Suggestion, ask, discover, tables_yaml};
pub use checkpoint::{Load, Pending, Position};
pub use chunk::{Chunk, Compared, How};
pub use look::DatabaseLook;
pub use open::{Databases, NoIdentity, certificates};
pub use postgres::Postgres;
pub use ranges::split_range;
pub use reader::DatabaseReader;
pub use reading::Reading;
pub use stage::Cut;

pub use client::{Connection, Database, Dialect, Identity, Sink, Snapshot, Tokens};
pub use columns::{SourceColumn, arrow_schema};
pub use cursor::CursorKind;
pub use digest::Digest;
pub use origin::{Origin, Sequence};
pub use request::{Cursor, Filter, OwnCursor, Part, Relation};
