//! The record of runs, kept in the lake as two Delta tables below bronze's root that anyone can query:
//! `_comboi/tasks` has a row for each task of each run, `_comboi/verdicts` one for each rule that was checked.

use std::collections::{BTreeMap, BTreeSet};

use comboi_engine::VerdictOutcome;
use comboi_lake::{Change, Operation, Remove};
use comboi_project::{Columns, PipelineName, RunId, SqlType};
use serde_json::{Value, json};

use crate::ledger::KEPT_RUNS;
use crate::receipt::RunReport;
use crate::rows::{self, columns};
use crate::runner::Runner;
use crate::task::{Scratch, TaskError};

/// How often a row is added again when other pipelines add theirs at the same time.
const COMMIT_TRIES: u32 = 8;

/// Adds a run to the record. Repeating it adds nothing.
pub(crate) async fn write(runner: &Runner, report: &RunReport) -> Result<(), TaskError> {
    append(runner, report, "tasks", task_columns(), task_rows(report)).await?;
    let verdicts = verdict_rows(report);
    if !verdicts.is_empty() {
        append(runner, report, "verdicts", verdict_columns(), verdicts).await?;
    }
    Ok(())
}

async fn append(
    runner: &Runner,
    report: &RunReport,
    name: &'static str,
    columns: Columns,
    rows: Vec<Vec<Value>>,
) -> Result<(), TaskError> {
    let folder = Scratch::make(runner, report.run, &format!("record-{name}"))?;
    let file = folder.path().join("rows.parquet");
    rows::write(&columns, &rows, &file)?;
    let table = runner.lake.record(name);
    let pipeline = &runner.project.name;
    for _ in 0..COMMIT_TRIES {
        let base = table.snapshot().await?;
        let last = base.as_ref().and_then(|base| base.last_commit(pipeline));
        let noted = base
            .as_ref()
            .and_then(|base| Recorded::of(&base.properties, pipeline));
        let recorded = noted.unwrap_or_else(|| Recorded::before(last));
        if recorded.has(report.run) {
            return Ok(());
        }
        // A later run may have been put on record first.
        let (run, chunk) = match last {
            Some((last, chunk)) if last >= report.run => (last, chunk + 1),
            _ => (report.run, 0),
        };
        let change = Change {
            pipeline: pipeline.clone(),
            run,
            chunk,
            operation: Operation::Append,
            columns: columns.clone(),
            add: vec![file.clone()],
            remove: Remove::Nothing,
            properties: recorded.with(report.run).note(pipeline),
            at: runner.clock.now(),
        };
        match table.commit_only(base.as_ref(), change).await {
            Err(comboi_lake::Error::Overtaken(_)) => {}
            Ok(_) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
    Err(TaskError::Crowded)
}

/// The runs of a pipeline that are on record, as each commit notes them. Runs do not end in the order of their numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Recorded {
    /// All up to this one count as recorded.
    all_up_to: RunId,
    runs: BTreeSet<RunId>,
}

impl Recorded {
    fn key(pipeline: &PipelineName) -> String {
        format!("recorded.{pipeline}")
    }

    /// `None` when an earlier comboi wrote the version, which recorded runs in the order of their numbers only.
    fn of(properties: &BTreeMap<String, String>, pipeline: &PipelineName) -> Option<Self> {
        let numbers = properties.get(&Self::key(pipeline))?.split(',');
        let numbers: Option<Vec<u32>> = numbers.map(|text| text.parse().ok()).collect();
        let (first, others) = numbers.as_deref()?.split_first()?;
        Some(Self {
            all_up_to: RunId(*first),
            runs: others.iter().map(|run| RunId(*run)).collect(),
        })
    }

    fn before(last: Option<(RunId, u32)>) -> Self {
        Self {
            all_up_to: last.map_or(RunId(0), |(run, _)| run),
            runs: BTreeSet::new(),
        }
    }

    fn has(&self, run: RunId) -> bool {
        run <= self.all_up_to || self.runs.contains(&run)
    }

    /// Of as many runs as are kept, so that the note stays short.
    fn with(mut self, run: RunId) -> Self {
        self.runs.insert(run);
        while self.runs.len() > KEPT_RUNS as usize
            && let Some(first) = self.runs.pop_first()
        {
            self.all_up_to = first;
        }
        while self.runs.remove(&RunId(self.all_up_to.0 + 1)) {
            self.all_up_to.0 += 1;
        }
        self
    }

    fn note(&self, pipeline: &PipelineName) -> BTreeMap<String, String> {
        let numbers = [self.all_up_to]
            .into_iter()
            .chain(self.runs.iter().copied());
        let numbers: Vec<String> = numbers.map(|run| run.0.to_string()).collect();
        BTreeMap::from([(Self::key(pipeline), numbers.join(","))])
    }
}

fn task_columns() -> Columns {
    columns(&[
        ("pipeline", SqlType::Varchar(None)),
        ("run_id", SqlType::BigInt),
        ("run_begun_at", SqlType::TimestampTz),
        ("run_ended_at", SqlType::TimestampTz),
        ("stage", SqlType::Varchar(None)),
        ("dataset", SqlType::Varchar(None)),
        ("outcome", SqlType::Varchar(None)),
        ("reason", SqlType::Varchar(None)),
        ("error", SqlType::Varchar(None)),
        ("version", SqlType::BigInt),
        ("row_count", SqlType::BigInt),
        ("total_row_count", SqlType::BigInt),
        ("quarantined_row_count", SqlType::BigInt),
        ("begun_at", SqlType::TimestampTz),
        ("ended_at", SqlType::TimestampTz),
    ])
}

fn task_rows(report: &RunReport) -> Vec<Vec<Value>> {
    let row = |task: &crate::receipt::Receipt| {
        vec![
            json!(report.pipeline),
            json!(report.run),
            json!(report.begun_at),
            json!(report.ended_at),
            json!(task.dataset.stage()),
            json!(task.dataset),
            json!(task.outcome),
            json!(task.reason),
            json!(task.failure.as_ref().map(|failure| &failure.message)),
            json!(task.version),
            json!(task.rows),
            json!(task.total_rows),
            json!(task.quarantined_rows),
            json!(task.begun_at),
            json!(task.ended_at),
        ]
    };
    report.tasks.iter().map(row).collect()
}

fn verdict_columns() -> Columns {
    columns(&[
        ("pipeline", SqlType::Varchar(None)),
        ("run_id", SqlType::BigInt),
        ("run_ended_at", SqlType::TimestampTz),
        ("dataset", SqlType::Varchar(None)),
        ("rule", SqlType::Varchar(None)),
        ("severity", SqlType::Varchar(None)),
        ("outcome", SqlType::Varchar(None)),
        ("failed_row_count", SqlType::BigInt),
        ("measured", SqlType::Varchar(None)),
        ("kind", SqlType::Varchar(None)),
        ("action", SqlType::Varchar(None)),
        ("row_count", SqlType::BigInt),
        ("failed_percent", SqlType::Double),
        ("value", SqlType::Double),
        ("threshold", SqlType::Varchar(None)),
        ("detail", SqlType::Varchar(None)),
        ("contract", SqlType::Varchar(None)),
        ("line", SqlType::BigInt),
    ])
}

/// Without the samples: what a row held stays out of the record.
fn verdict_rows(report: &RunReport) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for task in &report.tasks {
        for verdict in &task.verdicts {
            let (outcome, failed, detail) = match &verdict.outcome {
                VerdictOutcome::Passed => ("passed", None, None),
                VerdictOutcome::Failed {
                    failed_count,
                    detail,
                    ..
                } => ("failed", Some(failed_count), Some(detail)),
                VerdictOutcome::CouldNotRun { why } => ("could not run", None, Some(why)),
            };
            // Dates and timestamps are no numbers; what was measured is told of them in words.
            let value = verdict.value.as_deref();
            let value: Option<f64> = value.and_then(|text| text.parse().ok());
            rows.push(vec![
                json!(report.pipeline),
                json!(report.run),
                json!(report.ended_at),
                json!(task.dataset),
                json!(verdict.rule),
                json!(verdict.severity),
                json!(outcome),
                json!(failed),
                json!(verdict.measured),
                json!(verdict.kind),
                json!(verdict.action),
                json!(verdict.row_count),
                json!(verdict.failed_percent()),
                json!(value.filter(|value| value.is_finite())),
                json!(verdict.threshold),
                json!(detail),
                json!(verdict.place.file),
                json!(verdict.place.line),
            ]);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the note is after these runs were recorded, over what was noted before.
    #[track_caller]
    fn check(before: &Recorded, runs: &[u32], expected: &str) {
        let shop: PipelineName = "shop".parse().unwrap();
        let runs = runs.iter().map(|run| RunId(*run));
        let after = runs.fold(before.clone(), Recorded::with);
        let note = after.note(&shop);
        assert_eq!(note["recorded.shop"], expected);
        assert_eq!(Recorded::of(&note, &shop), Some(after));
    }

    #[test]
    fn runs_are_recorded_once_in_any_order() {
        let new = Recorded::before(None);
        check(&new, &[1], "1");
        check(&new, &[3], "0,3");
        check(&new, &[3, 1], "1,3");
        check(&new, &[3, 1, 2], "3");
        let old = Recorded::before(Some((RunId(7), 0)));
        assert!(old.has(RunId(7)) && !old.has(RunId(8)));
        check(&old, &[10, 8], "8,10");
        // Every other run of the last hundred is noted, and what is older counts as recorded.
        let even: Vec<u32> = (1..=102).map(|n| 2 * n).collect();
        let last: Vec<String> = even[2..].iter().map(u32::to_string).collect();
        check(&new, &even, &format!("4,{}", last.join(",")));
    }
}
