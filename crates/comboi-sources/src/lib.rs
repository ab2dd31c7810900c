//! Reading sources into staged files.
//!
//! A source is asked twice: [`look`](FilesReader::look) says whether there is anything new since a [`Checkpoint`],
//! [`extract`](FilesReader::extract) stages it as Parquet, together with the checkpoint that goes into the same
//! commit. Neither writes to the lake.

mod checkpoint;
mod columns;
pub mod database;
mod error;
mod extracted;
mod fields;
mod files;
mod lacking;
mod names;
mod widen;

pub use checkpoint::{BadCheckpoint, Checkpoint, Seen, Watermark};
pub use error::{BadRow, Error, worth_retrying};
pub use extracted::{Extract, ExtractChange, Known, Note, Quarantined, Stamp};
pub use files::{FilesReader, FoundFile, Look, Work};
