//! What rows are, whatever their order: to tell whether they are the same when they are read again.

use arrow_array::RecordBatch;
use arrow_row::{RowConverter, SortField};
use arrow_schema::{ArrowError, SchemaRef};
use serde::{Deserialize, Serialize};

use super::client::Sink;
use super::unknown::hash;
use crate::Error;

/// How many rows there are, and the sum of their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digest {
    /// How many.
    pub rows: u64,
    /// In hexadecimal digits.
    pub hash: String,
}

/// Takes rows and keeps nothing but their digest.
pub(super) struct Digesting {
    converter: RowConverter,
    rows: u64,
    hash: u128,
}

impl Digesting {
    pub(super) fn new(schema: &SchemaRef) -> Result<Self, Error> {
        let fields = schema.fields().iter();
        let sorts = fields.map(|field| SortField::new(field.data_type().clone()));
        Ok(Self {
            converter: RowConverter::new(sorts.collect()).map_err(failed)?,
            rows: 0,
            hash: 0,
        })
    }

    pub(super) fn digest(&self) -> Digest {
        Digest {
            rows: self.rows,
            hash: format!("{:032x}", self.hash),
        }
    }

    pub(super) fn see(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let rows = self.converter.convert_columns(batch.columns());
        for row in &rows.map_err(failed)? {
            self.rows += 1;
            self.hash = self.hash.wrapping_add(hash(row.data()));
        }
        Ok(())
    }
}

impl Sink for Digesting {
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.see(&batch)
    }

    fn cut_off(&mut self, _: usize, _: u64) {}
}

fn failed(_: ArrowError) -> Error {
    let message = "rows of a database can't be compared".to_owned();
    comboi_engine::Error::Internal {
        doing: "compare rows".to_owned(),
        message,
    }
    .into()
}
