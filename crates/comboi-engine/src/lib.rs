//! DuckDB, and the only place where SQL text is put together.
//!
//! A task opens one [`Session`]: a scratch folder, a share of the machine and a way to stop. Out of it come
//! DuckDB instances of two kinds: free ones for comboi's own statements, and confined ones for people's SQL,
//! which reach nothing but the files they were given.

mod casts;
mod parquet;
mod sql;

mod checksums;
mod convert;
mod footer;
mod levels;
mod pruning;
mod thrift;

mod catalog;
mod failure;
mod instance;
mod limits;
mod lookup;
mod masking;
mod session;

mod input;
mod select;
mod view;

mod ages;
mod build;
mod damage;
mod data_file;
mod describe;
mod given;
mod measure;
mod show;
mod untyped;
mod write_rows;
mod zeros;

mod check;
mod compare;
mod dedupe;
mod expressions;
mod labels;
pub mod merge;
pub mod read_files;
mod records;

pub use ages::{Ages, Older, ages, without_older};
pub use build::{Built, build, handed_on};
pub use catalog::changes;
pub use check::{
    Around, Aside, BadRule, MOMENT_COLUMN, Names, OtherDataset, RULES_COLUMN, RUN_COLUMN, Sample,
    SetAside, Verdict, VerdictOutcome, bind_contract_sql, check, check_columns, check_contract_sql,
    quarantine_columns, set_aside,
};
pub use checksums::damaged_page;
pub use compare::{ComparedRange, compare};
pub use data_file::parquet_file;
pub use dedupe::{
    Dedupe, DedupeReport, Deduped, KeyReport, Linked, check_dedupe, dedupe, deduped_columns,
};
pub use describe::describe;
pub use duckdb::arrow;
pub use expressions::{NotSql, parse_expressions, print_expressions};
pub use failure::Error;
pub use given::{Given, LEAST_KEY_BYTES};
pub use input::{Input, SqlFile};
pub use labels::read_table;
pub use limits::Limits;
pub use lookup::NumberedTexts;
pub use measure::measure;
pub use records::{Form, Records};
pub use select::{check_sql, column_names, needs_key, table_names, uses_the_clock};
pub use session::{Interrupter, Session};
pub use show::{Rows, count_items, show};
pub use sql::unless_blank;
pub use untyped::with_untyped;
pub use view::unreadable;
pub use write_rows::write_rows;

/// The version of DuckDB that comboi is built for and that its results belong to.
pub const DUCKDB_VERSION: &str = "1.5.5";
