//! The ids of records, and the order that they give.

use comboi_engine::arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use comboi_engine::arrow::datatypes::UInt32Type;
use comboi_engine::{Form, Records};

use super::each_word;
use crate::Error;
use crate::compile::Class;

/// The column that tells records apart.
pub(crate) struct Ids {
    pub(crate) name: String,
    /// Its name in quotes.
    pub(crate) sql: String,
    pub(crate) class: Class,
    /// How it is read beside everything else. None: its order is DuckDB's own business.
    pub(crate) form: Option<Form>,
}

impl Ids {
    pub(crate) fn new(name: String, sql: String, class: Class) -> Self {
        let form = match &class {
            Class::Text | Class::Whole { .. } | Class::Date | Class::Bits(_) => Some(Form::AsIs),
            _ => None,
        };
        Self {
            name,
            sql,
            class,
            form,
        }
    }

    /// The rows in the order of ids that only DuckDB can order.
    pub(super) fn ranked_by_engine(&self, records: &Records) -> Result<Vec<u32>, Error> {
        let (mut rows, mut null, mut repeated) = (Vec::new(), 0_u64, 0_u64);
        let mut last: Option<String> = None;
        let mut counted = false;
        records.ordered_by(&self.sql, &mut |batch| {
            let numbers = batch.column(0).as_primitive::<UInt32Type>();
            let texts: &StringArray = batch.column(1).as_string();
            for i in 0..numbers.len() {
                rows.push(numbers.value(i));
                if texts.is_null(i) {
                    null += 1;
                    continue;
                }
                let same = last.as_deref() == Some(texts.value(i));
                repeated += u64::from(same && !counted);
                counted = same;
                if !same {
                    last = Some(texts.value(i).to_owned());
                }
            }
        })?;
        if null > 0 || repeated > 0 {
            return Err(Error::Ids {
                column: self.name.clone(),
                repeated,
                null,
            });
        }
        Ok(rows)
    }
}

/// The ids of all rows.
pub(super) enum IdColumn {
    Whole {
        values: Vec<u64>,
        known: Vec<bool>,
    },
    Text {
        bytes: Vec<u8>,
        ends: Vec<(u64, u32)>,
        known: Vec<bool>,
    },
}

impl IdColumn {
    pub(super) fn new(class: &Class, rows: usize) -> Self {
        let known = vec![false; rows];
        if *class == Class::Text {
            Self::Text {
                bytes: Vec::new(),
                ends: vec![(0, 0); rows],
                known,
            }
        } else {
            Self::Whole {
                values: vec![0; rows],
                known,
            }
        }
    }

    pub(super) fn take(&mut self, batch: &RecordBatch) {
        let numbers = batch.column(0).as_primitive::<UInt32Type>();
        let array = batch.column(1);
        match self {
            Self::Whole { values, known } => each_word(array, |i, word| {
                let row = numbers.value(i) as usize;
                // The sign's bit turned, they are in the order of the signed numbers.
                values[row] = word ^ (1 << 63);
                known[row] = true;
            }),
            Self::Text { bytes, ends, known } => {
                let texts: &StringArray = array.as_string();
                for i in (0..texts.len()).filter(|i| texts.is_valid(*i)) {
                    let row = numbers.value(i) as usize;
                    let value = texts.value(i).as_bytes();
                    ends[row] = (
                        bytes.len() as u64,
                        u32::try_from(value.len()).unwrap_or(u32::MAX),
                    );
                    bytes.extend_from_slice(value);
                    known[row] = true;
                }
            }
        }
    }

    /// The rows in the order of their ids.
    pub(super) fn ranks(self, name: &str) -> Result<Vec<u32>, Error> {
        let (known, rows, repeated) = match self {
            Self::Whole { values, known } => {
                let mut order: Vec<(u64, u32)> = values.into_iter().zip(0_u32..).collect();
                if !order.is_sorted() {
                    order.sort_unstable();
                }
                let runs = order.chunk_by(|a, b| a.0 == b.0);
                let repeated = runs.filter(|it| it.len() > 1).count();
                (known, rows_of(order), repeated)
            }
            Self::Text { bytes, ends, known } => {
                let get = |row: u32| {
                    let (from, length) = ends[row as usize];
                    let from = usize::try_from(from).unwrap_or(usize::MAX);
                    &bytes[from..from + length as usize]
                };
                // Most differ in their first bytes, which need no look elsewhere.
                let mut order: Vec<(u64, u32)> = (0_u32..)
                    .take(ends.len())
                    .map(|row| (first_bytes(get(row)), row))
                    .collect();
                order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| get(a.1).cmp(get(b.1))));
                let runs = order.chunk_by(|a, b| get(a.1) == get(b.1));
                let repeated = runs.filter(|it| it.len() > 1).count();
                (known, rows_of(order), repeated)
            }
        };
        let null = known.iter().filter(|it| !**it).count();
        if null > 0 || repeated > 0 {
            // Those that are NULL look equal to each other here.
            let of_null = usize::from(null > 1);
            return Err(Error::Ids {
                column: name.to_owned(),
                repeated: (repeated - of_null.min(repeated)) as u64,
                null: null as u64,
            });
        }
        Ok(rows)
    }
}

fn rows_of(order: Vec<(u64, u32)>) -> Vec<u32> {
    let mut rows: Vec<u32> = order.into_iter().map(|it| it.1).collect();
    // They are where the pairs were, which took four times as much.
    rows.shrink_to_fit();
    rows
}

fn first_bytes(text: &[u8]) -> u64 {
    let mut first = [0; 8];
    for (to, from) in first.iter_mut().zip(text) {
        *to = *from;
    }
    u64::from_be_bytes(first)
}
