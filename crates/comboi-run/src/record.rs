//! The record of runs, kept in the lake as two Delta tables below bronze's root that anyone can query:
//! `_comboi/tasks` has a row for each task of each run, `_comboi/verdicts` one for each rule that was checked.

mod rows;

use comboi_engine::VerdictOutcome;
use comboi_lake::{Change, Operation, Remove};
use comboi_project::{Column, Columns, SqlType};
use serde_json::{Value, json};

use crate::receipt::RunReport;
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
    for _ in 0..COMMIT_TRIES {
        let base = table.snapshot().await?;
        let change = Change {
            pipeline: runner.project.name.clone(),
            run: report.run,
            chunk: 0,
            operation: Operation::Append,
            columns: columns.clone(),
            add: vec![file.clone()],
            remove: Remove::Nothing,
            properties: Default::default(),
            at: runner.clock.now(),
        };
        match table.commit_only(base.as_ref(), change).await {
            Err(comboi_lake::Error::Overtaken(_)) => {}
            Ok(_) | Err(comboi_lake::Error::Superseded { .. }) => return Ok(()),
            Err(e) => return Err(e.into()),
        }
    }
    Err(TaskError::Crowded)
}

fn columns(columns: &[(&str, SqlType)]) -> Columns {
    Columns(
        columns
            .iter()
            .map(|(name, sql_type)| Column::new(*name, sql_type.clone()))
            .collect(),
    )
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
