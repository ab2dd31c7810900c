//! Rows whose cursor is beyond what the checkpoint follows, counted on their way.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use super::bounds::not_version_7;
use super::cursor::{CursorKind, is_endless, is_version_7};
use crate::{Error, Note};

const DAY: i64 = 86_400_000_000;

/// What to look for, in which column.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// The place of the column.
    pub(super) column: usize,
    pub(super) name: String,
    pub(super) kind: CursorKind,
    /// Times from this on are beyond the server's clock; in microseconds since 1970.
    pub(super) beyond: Option<i64>,
}

impl Ahead {
    /// How many rows are ahead. A UUID that does not grow is an error.
    pub(super) fn count(&self, batch: &RecordBatch) -> Result<u64, Error> {
        let values = batch.column(self.column);
        let beyond = self.beyond.unwrap_or(i64::MAX);
        let count = match values.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = values.as_primitive::<TimestampMicrosecondType>();
                values.iter().flatten().filter(|it| *it >= beyond).count()
            }
            DataType::Date32 => {
                let values = values.as_primitive::<Date32Type>().iter().flatten();
                values.filter(|it| i64::from(*it) * DAY >= beyond).count()
            }
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().iter().flatten();
                values
                    .filter(|it| it.is_nan() || *it == f32::INFINITY)
                    .count()
            }
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>().iter().flatten();
                values
                    .filter(|it| it.is_nan() || *it == f64::INFINITY)
                    .count()
            }
            DataType::Utf8 => return self.texts(values.as_string::<i32>().iter().flatten()),
            _ => 0,
        };
        Ok(count as u64)
    }

    fn texts<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<u64, Error> {
        let mut count = 0;
        for text in texts {
            if self.kind == CursorKind::Uuid && !is_version_7(text) {
                return Err(not_version_7(&self.name));
            }
            let is_ahead = match self.kind {
                CursorKind::Number => is_endless(text),
                kind => {
                    let beyond = self.beyond.unwrap_or(i64::MAX);
                    kind.time(text).is_some_and(|time| time >= beyond)
                }
            };
            count += u64::from(is_ahead);
        }
        Ok(count)
    }

    /// What people should know of so many rows.
    pub(super) fn note(&self, row_count: u64) -> Option<Note> {
        let column = self.name.clone();
        (row_count > 0).then_some(match self.beyond {
            Some(beyond) => Note::Future {
                column,
                row_count,
                beyond,
            },
            None => Note::Endless { column, row_count },
        })
    }
}
