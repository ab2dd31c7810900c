//! Contracts written, compared and exchanged: from measured facts to a contract's text, from a contract to the SQL
//! that keeps it.
//!
//! Pure: texts and values in, texts and values out.

pub mod dbt;
mod evolution;
mod facts;
mod infer;
pub mod odcs;
mod personal;
mod snippet;
mod sql;
mod words;
pub mod yaml;

pub use evolution::{
    Bump, Change, Difference, Measure, Policy, Promise, PromisedColumn, PromisedRule, Version,
    difference,
};
pub use facts::{ColumnFacts, Facts, Format, FormatCount};
pub use infer::{About, infer};
pub use snippet::{Entry, insert};
pub use sql::{Drift, Generated, Refused, drift, generate, input_of, place_in};
