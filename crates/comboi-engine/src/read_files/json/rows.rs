//! `comboi_json(scan)`: a row for each record.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::error;
use std::sync::{Arc, Mutex, PoisonError};

use duckdb::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringBuilder};
use duckdb::core::{DataChunkHandle, LogicalTypeHandle, LogicalTypeId};
use duckdb::vtab::{
    BindInfo, InitInfo, TableFunctionInfo, VTab, record_batch_to_duckdb_data_chunk,
    to_duckdb_logical_type,
};

use super::super::RECORD_COLUMNS;
use super::super::unfit::is_not;
use super::records::{Block, Feeder, State};
use super::shape::Column;
use super::text::{Kind, kind, members};
use super::{PROBLEM, PROBLEM_COLUMNS, Scan};

/// Rows that are given at once: DuckDB takes no more.
const ROWS: usize = 2048;
/// A text of records beyond which no more of them are given at once.
const TEXT_BYTES: usize = 1024 * 1024;
/// More than DuckDB ever uses.
const THREADS: u64 = 1024;
/// What comes before the scan's own columns: `RECORD_COLUMNS`, `PROBLEM`, `PROBLEM_COLUMNS`.
const OWN_COLUMNS: usize = 6;

type Thrown = Box<dyn error::Error>;

pub(super) struct Rows;

pub(super) struct Bound {
    scan: Scan,
    places: HashMap<String, usize>,
}

/// What a run of the function shares between its threads.
pub(super) struct Running<W> {
    /// The columns that are asked for.
    pub(super) columns: Vec<usize>,
    feeder: Mutex<State>,
    /// What threads have begun and not ended.
    begun: Mutex<Vec<W>>,
}

impl<W> Running<W> {
    pub(super) fn new(init: &InitInfo) -> Self {
        init.set_max_threads(THREADS);
        let columns = init.get_column_indices().into_iter();
        Self {
            columns: columns
                .map(|place| usize::try_from(place).unwrap_or(usize::MAX))
                .collect(),
            feeder: Mutex::default(),
            begun: Mutex::new(Vec::new()),
        }
    }

    pub(super) fn feed(&self, scan: &Scan) -> Result<Option<Block>, String> {
        let mut state = self.feeder.lock().unwrap_or_else(PoisonError::into_inner);
        Feeder::new(scan, &mut state).next()
    }

    pub(super) fn take(&self) -> Option<W> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.pop()
    }

    pub(super) fn put_back(&self, work: W) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.push(work);
    }
}

/// The scan that a call of a function is about.
pub(super) fn argument(bind: &BindInfo) -> Result<Scan, Thrown> {
    Ok(serde_json::from_str(&bind.get_parameter(0).to_string())?)
}

pub(super) fn parameters() -> Option<Vec<LogicalTypeHandle>> {
    Some(vec![LogicalTypeId::Varchar.into()])
}

impl VTab for Rows {
    type InitData = Running<Block>;
    type BindData = Bound;

    fn bind(bind: &BindInfo) -> Result<Bound, Thrown> {
        let scan = argument(bind)?;
        let [file, line, byte, text] = RECORD_COLUMNS;
        bind.add_result_column(file, LogicalTypeId::Varchar.into());
        bind.add_result_column(line, LogicalTypeId::Bigint.into());
        bind.add_result_column(byte, LogicalTypeId::Bigint.into());
        for name in [text, PROBLEM, PROBLEM_COLUMNS] {
            bind.add_result_column(name, LogicalTypeId::Varchar.into());
        }
        for (place, column) in scan.columns.iter().enumerate() {
            let of = to_duckdb_logical_type(&column.shape.data_type())?;
            bind.add_result_column(&format!("c{place}"), of);
        }
        let places = scan.columns.iter().enumerate();
        Ok(Bound {
            places: places
                .map(|(place, column)| (column.key.clone(), place))
                .collect(),
            scan,
        })
    }

    fn init(init: &InitInfo) -> Result<Running<Block>, Thrown> {
        Ok(Running::new(init))
    }

    fn func(call: &TableFunctionInfo<Self>, out: &mut DataChunkHandle) -> Result<(), Thrown> {
        let (bound, running) = (call.get_bind_data(), call.get_init_data());
        let mut chunk = Chunk::new(bound, &running.columns);
        while !chunk.is_full() {
            let block = running
                .take()
                .map_or_else(|| running.feed(&bound.scan), |it| Ok(Some(it)));
            let Some(mut block) = block? else { break };
            chunk.take(&mut block);
            if !block.is_done() {
                running.put_back(block);
            }
        }
        chunk.give(out)
    }

    fn supports_pushdown() -> bool {
        true
    }

    fn parameters() -> Option<Vec<LogicalTypeHandle>> {
        parameters()
    }
}

/// Rows in the making.
struct Chunk<'a> {
    bound: &'a Bound,
    wanted: &'a [usize],
    rows: usize,
    text_bytes: usize,
    lines: Vec<i64>,
    bytes: Vec<i64>,
    /// Of [`RECORD_COLUMNS`] and what follows those that are texts.
    files: StringBuilder,
    texts: Option<StringBuilder>,
    problems: StringBuilder,
    problem_columns: StringBuilder,
    /// Those of the scan's columns that are asked for.
    columns: Vec<Option<Column>>,
}

/// Why a record is not a row, and the columns that it is about.
struct Problem {
    reason: String,
    columns: Option<String>,
}

impl<'a> Chunk<'a> {
    fn new(bound: &'a Bound, wanted: &'a [usize]) -> Self {
        let asked: HashSet<usize> = wanted.iter().copied().collect();
        let columns = bound.scan.columns.iter().enumerate();
        let columns = columns.map(|(place, column)| {
            let is_asked = asked.contains(&(place + OWN_COLUMNS));
            is_asked.then(|| Column::new(&column.shape))
        });
        Self {
            bound,
            wanted,
            rows: 0,
            text_bytes: 0,
            lines: Vec::new(),
            bytes: Vec::new(),
            files: StringBuilder::new(),
            texts: asked.contains(&3).then(StringBuilder::new),
            problems: StringBuilder::new(),
            problem_columns: StringBuilder::new(),
            columns: columns.collect(),
        }
    }

    fn is_full(&self) -> bool {
        self.rows >= ROWS || self.text_bytes >= TEXT_BYTES
    }

    fn take(&mut self, block: &mut Block) {
        let bound = self.bound;
        let file = bound.scan.files.get(block.file);
        let file = file.map(|it| it.name.as_str()).unwrap_or_default();
        while !self.is_full() {
            let Some((record, text)) = block.next() else {
                break;
            };
            self.rows += 1;
            self.files.append_value(file);
            self.lines
                .push(i64::try_from(record.line).unwrap_or(i64::MAX));
            self.bytes
                .push(i64::try_from(record.byte).unwrap_or(i64::MAX));
            let raw = text.unwrap_or_default();
            self.text_bytes += raw.len();
            if let Some(texts) = &mut self.texts {
                texts.append_value(String::from_utf8_lossy(raw));
            }
            let mut values = vec![None; self.columns.len()];
            let problem = text
                .map_err(str::to_owned)
                .and_then(members)
                .map_err(|reason| Problem {
                    reason,
                    columns: None,
                })
                .and_then(|members| bound.place(&members, &mut values));
            let problem = problem.err();
            self.problem_columns
                .append_option(problem.as_ref().and_then(|it| it.columns.as_ref()));
            self.problems.append_option(problem.map(|it| it.reason));
            let columns = self.columns.iter_mut().zip(&bound.scan.columns);
            for ((column, of), value) in columns.zip(values) {
                if let Some(column) = column {
                    column.push(&of.shape, value);
                }
            }
        }
    }

    fn give(mut self, out: &mut DataChunkHandle) -> Result<(), Thrown> {
        if self.rows == 0 {
            out.set_len(0);
            return Ok(());
        }
        let mut all = Vec::with_capacity(self.wanted.len());
        for (place, wanted) in self.wanted.iter().enumerate() {
            let array: ArrayRef = match wanted {
                0 => Arc::new(self.files.finish()),
                1 => Arc::new(Int64Array::from(std::mem::take(&mut self.lines))),
                2 => Arc::new(Int64Array::from(std::mem::take(&mut self.bytes))),
                3 => Arc::new(self.texts.take().unwrap_or_default().finish()),
                4 => Arc::new(self.problems.finish()),
                5 => Arc::new(self.problem_columns.finish()),
                other => match self.columns.get_mut(other.wrapping_sub(OWN_COLUMNS)) {
                    Some(column) => column
                        .take()
                        .map(Column::finish)
                        .ok_or("a column is asked for twice")?,
                    // DuckDB asks for its own row number where it needs no column at all.
                    None => Arc::new(Int64Array::from(vec![0; self.rows])),
                },
            };
            all.push((format!("c{place}"), array));
        }
        record_batch_to_duckdb_data_chunk(&RecordBatch::try_from_iter(all)?, out)
    }
}

impl Bound {
    /// Puts the values of a record's members into the places of their columns, as far as they have one.
    fn place<'a>(
        &self,
        members: &[(Cow<'_, str>, &'a str)],
        values: &mut [Option<&'a str>],
    ) -> Result<(), Problem> {
        let (mut reasons, mut names) = (Vec::new(), Vec::new());
        // Mostly keys come in the same order.
        let mut likely = 0;
        for (key, value) in members {
            let is_likely = |place: &usize| {
                let column = self.scan.columns.get(*place);
                column.is_some_and(|column| column.key == *key)
            };
            let place = Some(likely)
                .filter(is_likely)
                .or_else(|| self.places.get(&**key).copied());
            let Some((place, column)) = place.and_then(|it| Some((it, self.scan.columns.get(it)?)))
            else {
                if !self.scan.ignore_unknown {
                    reasons.push(format!("`{key}` is a key that was not there before"));
                }
                continue;
            };
            likely = place + 1;
            if kind(value) != Kind::Null && !column.shape.holds(value) {
                let is_not = is_not(&column.sql_type);
                reasons.push(format!("`{}` {is_not}", column.name));
                names.push(column.name.as_str());
            } else if let Some(slot) = values.get_mut(place) {
                *slot = Some(*value);
            }
        }
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Problem {
            reason: reasons.join("; "),
            columns: (!names.is_empty()).then(|| names.join(", ")),
        })
    }
}

const _: () = assert!(RECORD_COLUMNS.len() + 2 == OWN_COLUMNS);
