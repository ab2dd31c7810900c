//! Rows whose cursor the checkpoint does not follow, counted on their way: it is beyond the clock, NaN, or an infinity.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::{DataType, TimeUnit};

use super::bounds::not_version_7;
use super::cursor::{CursorKind, is_endless, is_lowest, is_version_7};
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

/// How many rows there are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Their time is beyond the server's clock, or it is the infinity after all times.
    pub(super) future: u64,
    /// It is NaN or another infinity.
    pub(super) endless: u64,
}

impl Count {
    pub(super) fn add(&mut self, more: Self) {
        self.future += more.future;
        self.endless += more.endless;
    }

    /// What people should know of them.
    pub(super) fn notes(self, column: &str, beyond: Option<i64>) -> Vec<Note> {
        let future = beyond
            .filter(|_| self.future > 0)
            .map(|beyond| Note::Future {
                column: column.to_owned(),
                row_count: self.future,
                beyond,
            });
        let endless = (self.endless > 0).then(|| Note::Endless {
            column: column.to_owned(),
            row_count: self.endless,
        });
        future.into_iter().chain(endless).collect()
    }
}

impl Ahead {
    /// How many rows of the batch there are. A UUID that does not grow is an error.
    pub(super) fn count(&self, batch: &RecordBatch) -> Result<Count, Error> {
        let values = batch.column(self.column);
        let beyond = self.beyond.unwrap_or(i64::MAX);
        let (mut future, mut endless) = (0, 0);
        match values.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                let values = values.as_primitive::<TimestampMicrosecondType>();
                future = values.iter().flatten().filter(|it| *it >= beyond).count();
            }
            DataType::Date32 => {
                let values = values.as_primitive::<Date32Type>().iter().flatten();
                future = values.filter(|it| i64::from(*it) * DAY >= beyond).count();
            }
            DataType::Float32 => {
                let values = values.as_primitive::<Float32Type>().iter().flatten();
                endless = values.filter(|it| !it.is_finite()).count();
            }
            DataType::Float64 => {
                let values = values.as_primitive::<Float64Type>().iter().flatten();
                endless = values.filter(|it| !it.is_finite()).count();
            }
            DataType::Utf8 => return self.texts(values.as_string::<i32>().iter().flatten()),
            _ => {}
        }
        Ok(Count {
            future: future as u64,
            endless: endless as u64,
        })
    }

    fn texts<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Count, Error> {
        let mut count = Count::default();
        for text in texts {
            if self.kind == CursorKind::Uuid && !is_version_7(text) {
                return Err(not_version_7(&self.name));
            }
            if is_lowest(text) || (self.kind == CursorKind::Number && is_endless(text)) {
                count.endless += 1;
            } else {
                let beyond = self.beyond.unwrap_or(i64::MAX);
                let time = self.kind.time(text);
                count.future += u64::from(time.is_some_and(|time| time >= beyond));
            }
        }
        Ok(count)
    }
}
