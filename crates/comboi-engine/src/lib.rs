//! DuckDB, and the only place where SQL text is put together.
//!
//! A task opens one [`Session`]: a scratch folder, a share of the machine and a way to stop. Out of it come
//! DuckDB instances of two kinds: free ones for comboi's own statements, and confined ones for people's SQL,
//! which reach nothing but the files they were given.

mod sql;

mod failure;
mod instance;
mod limits;
mod session;

mod input;

mod check;
mod read_files;

pub use failure::Error;
pub use input::{Input, SqlFile};
pub use limits::Limits;
pub use session::{Interrupter, Session};
