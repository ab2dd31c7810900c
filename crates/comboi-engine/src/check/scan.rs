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

/// How rows are counted for which a predicate is true.
#[derive(Clone, Copy)]
enum Counting {
    /// By `count_if`: what several predicates have in common is computed once, and a hundred of them take a third of the time that
    /// filters take. But each part of a predicate is computed for every row, even where another part rules the row out.
    Shared,
    /// By `FILTER`: a cast behind `AND` meets only rows that the first part lets through.
    Guarded,
}

impl Aggregate {
    fn sql(&self, counting: Counting) -> String {
        match (self, counting) {
            (Self::Count(predicate), Counting::Shared) => format!("count_if({predicate})"),
            (Self::Count(predicate), Counting::Guarded) => {
                format!("count(*) FILTER (WHERE {predicate})")
            }
            (Self::Other(aggregate), _) => aggregate.clone(),
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
        let shared = self.together(data, &all, Counting::Shared, &mut answers)?;
        if shared.is_ok() {
            return Ok(Answers(answers));
        }
        // What can't even be understood costs no scan to find.
        let mut sound = Vec::new();
        for i in all {
            match data
                .instance
                .columns(&self.select(&data.relation, &[i], Counting::Guarded))
            {
                Ok(_) => sound.push(i),
                Err(failure) => answers[i] = Err(data.unless_ended(failure)?),
            }
        }
        let guarded = self.together(data, &sound, Counting::Guarded, &mut answers)?;
        if guarded.is_ok() {
            return Ok(Answers(answers));
        }
        for i in sound {
            if let Err(failure) = self.together(data, &[i], Counting::Guarded, &mut answers)? {
                answers[i] = Err(failure);
            }
        }
        Ok(Answers(answers))
    }

    fn together(
        &self,
        data: &Data<'_>,
        which: &[usize],
        counting: Counting,
        answers: &mut [Result<Option<String>, Failure>],
    ) -> Result<Result<(), Failure>, Error> {
        if which.is_empty() {
            return Ok(Ok(()));
        }
        match data
            .instance
            .rows(&self.select(&data.relation, which, counting))
        {
            Ok(rows) => {
                let cells = rows.into_iter().next().unwrap_or_default();
                for (&i, cell) in which.iter().zip(cells) {
                    answers[i] = Ok(cell);
                }
                Ok(Ok(()))
            }
            Err(failure) => data.unless_ended(failure).map(Err),
        }
    }

    fn select(&self, relation: &str, which: &[usize], counting: Counting) -> String {
        let columns: Vec<String> = which
            .iter()
            .map(|&i| format!("({})::VARCHAR", self.aggregates[i].sql(counting)))
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
