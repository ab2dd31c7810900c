//! Looking at runs, from anywhere.

use chrono::{DateTime, Utc};
use comboi_lake::State;
use comboi_project::{DatasetId, RunId};
use serde::Serialize;

use crate::ledger::{Ledger, LedgerError, Order, RunKind};
use crate::process::Process;
use crate::receipt::{Receipt, RunReport};

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// It has not ended: it is being done, or waits for its turn.
    Open,
    /// It was stopped, or its process is gone; `retry` takes up what it left undone.
    Interrupted,
    /// Everything that it was to do is done and good.
    Succeeded,
    /// Something failed.
    Failed,
}

/// A run, seen from outside.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// The run.
    pub run: RunId,
    /// What it was begun for: `pipeline`, `retry of run 3`, `restore` and the like.
    pub kind: String,
    /// How far it is.
    pub status: RunStatus,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// When it ended, if it has.
    pub ended_at: Option<DateTime<Utc>>,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<TaskView>,
    /// What became of it, if it has ended.
    #[serde(skip)]
    pub report: Option<RunReport>,
}

/// A task of a run, seen from outside.
#[derive(Clone, Debug, Serialize)]
pub struct TaskView {
    /// The dataset.
    pub dataset: DatasetId,
    /// What became of it; `None` while nothing has.
    pub receipt: Option<Receipt>,
}

impl RunView {
    /// How many tasks ended without doing what they should.
    pub fn failed(&self) -> usize {
        let receipts = self.tasks.iter().filter_map(|task| task.receipt.as_ref());
        receipts.filter(|it| !it.outcome.is_good()).count()
    }
}

/// One run; `None` when it was forgotten or never was.
pub async fn run(
    state: &State,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Option<RunView>, LedgerError> {
    let ledger = Ledger::new(state.clone());
    match view(&ledger, run, now).await? {
        None => match ledger.earlier() {
            Some(earlier) => view(&earlier, run, now).await,
            None => Ok(None),
        },
        found => Ok(found),
    }
}

async fn view(
    ledger: &Ledger,
    run: RunId,
    now: DateTime<Utc>,
) -> Result<Option<RunView>, LedgerError> {
    let Some(order) = ledger.order(run).await? else {
        return Ok(None);
    };
    let mut receipts = ledger.receipts(run).await?;
    let closed = ledger.closed(run).await?;
    let status = match &closed {
        Some(report) if report.stopped || report.interrupted => RunStatus::Interrupted,
        Some(report) if report.is_good() => RunStatus::Succeeded,
        Some(_) => RunStatus::Failed,
        None if order.request.is_some() => match ledger.open_runs().await?.contains(&run) {
            true => RunStatus::Open,
            // Who planned it died before noting it, or it was set aside.
            false => RunStatus::Interrupted,
        },
        // An earlier comboi wrote no end of what is done by hand.
        None if order.id.is_none() && order.plan.tasks.is_empty() => RunStatus::Succeeded,
        None if ledger.goes_on(&order, &Process::this(), now).await? => RunStatus::Open,
        None => RunStatus::Interrupted,
    };
    let Order {
        kind,
        plan,
        begun_at,
        ..
    } = order;
    Ok(Some(RunView {
        run,
        kind: match kind {
            RunKind::Pipeline => "pipeline".to_owned(),
            RunKind::Retry { of } => format!("retry of run {of}"),
            RunKind::ResetCheckpoint => "reset-checkpoint".to_owned(),
            RunKind::Restore => "restore".to_owned(),
            RunKind::Purge => "purge".to_owned(),
            RunKind::Backfill => "backfill".to_owned(),
            RunKind::Retention => "retention".to_owned(),
            RunKind::Drop => "drop".to_owned(),
            RunKind::Rename => "rename".to_owned(),
        },
        status,
        begun_at,
        ended_at: closed.as_ref().map(|report| report.ended_at),
        tasks: plan
            .tasks
            .into_iter()
            .map(|task| TaskView {
                receipt: receipts.remove(&task.dataset),
                dataset: task.dataset,
            })
            .collect(),
        report: closed,
    }))
}

/// The last runs, newest first: those of an earlier comboi too, as far as their numbers were not given again.
pub async fn runs(
    state: &State,
    most: u32,
    now: DateTime<Utc>,
) -> Result<Vec<RunView>, LedgerError> {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let ledger = Ledger::new(state.clone());
    let (earlier, mut views) = (ledger.earlier(), Vec::new());
    let mut oldest = RunId(u32::MAX);
    for ledger in [Some(ledger), earlier].into_iter().flatten() {
        for run in ledger.kept().await? {
            if run < oldest && views.len() < most {
                views.extend(view(&ledger, run, now).await?);
            }
        }
        oldest = views.last().map_or(oldest, |view: &RunView| view.run);
    }
    Ok(views)
}
