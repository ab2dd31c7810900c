//! One scan of the data for all rules that can share one.

use super::Data;
use crate::failure::{Failure, Kind};
use crate::{Error, sql};

/// Collects aggregates over one relation. The same one is computed once, whoever asks.
pub(super) struct Scan {
    aggregates: Vec<Aggregate>,
}

#[derive(PartialEq)]
enum Aggregate {
    /// The rows for which a predicate is true.
    Count(String),
    Other(String),
}

impl Aggregate {
    /// `count_if` and not `FILTER`: what several predicates have in common is then computed once, and a hundred of them take a third
    /// of the time. Either computes each part of a predicate for every row, even where another part rules the row out.
    fn sql(&self) -> String {
        match self {
            Self::Count(predicate) => format!("count_if({predicate})"),
            Self::Other(aggregate) => aggregate.clone(),
        }
    }

    /// In a scan of its own. A cast behind `AND` then meets only the rows that the first part lets through.
    fn alone(&self, relation: &str) -> String {
        match self {
            Self::Count(predicate) => {
                format!("SELECT (count(*))::VARCHAR FROM {relation} WHERE {predicate}")
            }
            Self::Other(aggregate) => format!("SELECT ({aggregate})::VARCHAR FROM {relation}"),
        }
    }
}

/// Something that was asked of a [`Scan`].
#[derive(Clone, Copy)]
pub(super) struct Asked(usize);

/// What the scan found: each aggregate as text, or why it could not be computed.
pub(super) struct Answers(Vec<Result<Option<String>, Failure>>);

impl Scan {
    pub(super) fn new() -> Self {
        Self {
            aggregates: Vec::new(),
        }
    }

    pub(super) fn ask(&mut self, aggregate: String) -> Asked {
        self.ask_one(Aggregate::Other(aggregate))
    }

    fn ask_one(&mut self, aggregate: Aggregate) -> Asked {
        let known = self.aggregates.iter().position(|known| *known == aggregate);
        Asked(known.unwrap_or_else(|| {
            self.aggregates.push(aggregate);
            self.aggregates.len() - 1
        }))
    }

    /// The number of rows.
    pub(super) fn ask_rows(&mut self) -> Asked {
        self.ask("count(*)".to_owned())
    }

    /// The number of rows with a value in a column: what Parquet's own statistics often know.
    pub(super) fn ask_values(&mut self, column: &str) -> Asked {
        self.ask(format!("count({})", sql::ident(column)))
    }

    /// The number of rows for which a predicate is true.
    pub(super) fn ask_count(&mut self, predicate: &str) -> Asked {
        self.ask_one(Aggregate::Count(predicate.to_owned()))
    }

    /// Computes everything in one scan. When that fails, finds whose fault it is, so that the others get their
    /// answers nonetheless. Fails itself only when somebody asked to stop or a file can't be read.
    pub(super) fn run(&self, data: &Data<'_>) -> Result<Answers, Error> {
        let all: Vec<usize> = (0..self.aggregates.len()).collect();
        let mut answers: Vec<_> = all.iter().map(|_| Err(Failure::interrupted())).collect();
        if self.together(data, &all, &mut answers)? {
            return Ok(Answers(answers));
        }
        // What can't even be understood costs no scan to find.
        let mut sound = Vec::new();
        for i in all {
            let alone = self.aggregates[i].alone(&data.relation);
            match data.instance.columns(&alone) {
                Ok(_) => sound.push(i),
                Err(failure) => answers[i] = Err(data.unless_ended(failure)?),
            }
        }
        if self.together(data, &sound, &mut answers)? {
            return Ok(Answers(answers));
        }
        for i in sound {
            let alone = self.aggregates[i].alone(&data.relation);
            answers[i] = match data.instance.rows(&alone) {
                Ok(rows) => Ok(rows.into_iter().flatten().next().flatten()),
                Err(failure) => Err(data.unless_ended(failure)?),
            };
        }
        Ok(Answers(answers))
    }

    /// Computes some of it in one scan; false if that can't be done.
    fn together(
        &self,
        data: &Data<'_>,
        which: &[usize],
        answers: &mut [Result<Option<String>, Failure>],
    ) -> Result<bool, Error> {
        if which.is_empty() {
            return Ok(true);
        }
        match data.instance.rows(&self.select(&data.relation, which)) {
            Ok(rows) => {
                let cells = rows.into_iter().next().unwrap_or_default();
                for (&i, cell) in which.iter().zip(cells) {
                    answers[i] = Ok(cell);
                }
                Ok(true)
            }
            Err(failure) => data.unless_ended(failure).map(|_| false),
        }
    }

    fn select(&self, relation: &str, which: &[usize]) -> String {
        let columns: Vec<String> = which
            .iter()
            .map(|&i| format!("({})::VARCHAR", self.aggregates[i].sql()))
            .collect();
        format!("SELECT {} FROM {relation}", columns.join(", "))
    }
}

impl Answers {
    /// The text of what was asked; `None` is NULL.
    pub(super) fn text(&self, asked: Asked) -> Result<Option<&str>, &Failure> {
        self.0[asked.0].as_ref().map(Option::as_deref)
    }

    /// The number of rows, which is always asked first.
    pub(super) fn rows(&self) -> Option<u64> {
        self.count(Asked(0)).ok()
    }

    /// A count; an aggregate over no rows that is NULL counts as 0.
    pub(super) fn count(&self, asked: Asked) -> Result<u64, &Failure> {
        Ok(self
            .text(asked)?
            .and_then(|text| text.parse().ok())
            .unwrap_or(0))
    }
}

/// Being asked to stop ends the whole check; everything else is the fault of one rule.
pub(super) fn unless_stopped(failure: Failure) -> Result<Failure, Error> {
    if failure.kind == Kind::Interrupted {
        Err(Error::Interrupted)
    } else {
        Ok(failure)
    }
}
