//! Which runs there were: numbers are given out here, plans and receipts are written once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use comboi_lake::{RunLock, Schedule, State, StateError, Written};
use comboi_plan::Plan;
use comboi_project::{DatasetId, RunId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::receipt::{Receipt, RunReport};

/// What this comboi writes into the state of runs.
const FORMAT: u32 = 1;

/// Of how many runs plans and receipts are kept: two days of a run every half an hour.
pub(crate) const KEPT_RUNS: u32 = 100;

/// Of how many runs one looks for what is left of older ones than the one that it forgets.
const SWEEP_EVERY: u32 = 10;

/// What can go wrong with the record of which runs there were.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The state of runs could not be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// Another process is running this pipeline from the same folder.
    #[error("another process is running pipeline `{0}` from this folder; wait until it has ended")]
    Busy(String),
    /// An object of the state is not what comboi wrote.
    #[error(
        "the {what} of run {run} is damaged; nothing in the lake depends on it: `comboi run` begins a new run"
    )]
    Damaged {
        /// Which object.
        what: &'static str,
        /// The run.
        run: RunId,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
    /// The schedule is not what comboi wrote.
    #[error(
        "the schedule of the runs is damaged; `comboi repair` takes it away, and the next run number is found again"
    )]
    DamagedSchedule(#[source] serde_json::Error),
    /// The state was written by a newer comboi.
    #[error("the state of runs was written by a newer comboi (format {0}); upgrade this one")]
    Newer(u32),
}

/// What a run was begun for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RunKind {
    /// A plan: extracting and building.
    Pipeline,
    /// What an earlier run left undone.
    Retry {
        /// The earlier run.
        of: RunId,
    },
    /// A checkpoint was taken away, so that the next run reads everything again.
    ResetCheckpoint,
    /// An earlier version was made the current one.
    Restore,
    /// Ranges of a table were read again.
    Backfill,
    /// A quarantine was emptied.
    Purge,
    /// Rows were removed that were past their age.
    Retention,
}

/// What a run is to do. Written once, before anything is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    format: u32,
    /// The run.
    pub(crate) run: RunId,
    /// What it was begun for.
    pub(crate) kind: RunKind,
    /// When it began.
    pub(crate) begun_at: DateTime<Utc>,
    /// Its tasks.
    pub(crate) plan: Plan,
    /// The versions to read of datasets that the run itself does not make; `None` when there was none yet.
    pub(crate) pins: BTreeMap<DatasetId, Option<u64>>,
    /// Whether datasets are rebuilt even when nothing that shapes them has changed.
    pub(crate) rebuild: bool,
    /// What asked for the run, if the same may ask again: a timer's slot, a message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// The queue by which its messages go, if it is done by messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ScheduleRecord {
    format: u32,
    last_run: RunId,
    /// The last run that did a plan; resets and restores take numbers too.
    last_pipeline_run: Option<RunId>,
    /// Runs that are done message by message and have not ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    open: Vec<RunId>,
}

/// The record of one pipeline's runs.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    state: State,
}

impl Ledger {
    /// The ledger that is kept in this state.
    pub(crate) fn new(state: State) -> Self {
        Self { state }
    }

    /// Keeps other processes on this machine from running the same pipeline until the lock is dropped.
    ///
    /// Only saves double work: what is committed is right without it.
    pub(crate) fn lock(&self) -> Result<RunLock, LedgerError> {
        self.state
            .try_lock()?
            .ok_or_else(|| LedgerError::Busy(self.state.pipeline().to_string()))
    }

    /// Takes the next run number, higher than `taken`, and writes down what it is to do.
    ///
    /// Dying in it leaves at most a number that no run has.
    pub(crate) async fn begin(
        &self,
        kind: RunKind,
        plan: Plan,
        pins: BTreeMap<DatasetId, Option<u64>>,
        rebuild: bool,
        begun_at: DateTime<Utc>,
        taken: RunId,
    ) -> Result<Order, LedgerError> {
        let mut order = Order {
            format: FORMAT,
            run: RunId(0),
            kind,
            begun_at,
            plan,
            pins,
            rebuild,
            request: None,
            queue: None,
        };
        loop {
            let (read, mut record) = self.schedule().await?;
            order.run = RunId(record.last_run.max(taken).0 + 1);
            while self.state.create_plan(order.run, to_bytes(&order)).await? != Written::Now {
                order.run.0 += 1;
            }
            record.last_run = order.run;
            if matches!(kind, RunKind::Pipeline | RunKind::Retry { .. }) {
                record.last_pipeline_run = Some(order.run);
            }
            if self.state.swap_schedule(&read, to_bytes(&record)).await? {
                return Ok(order);
            }
        }
    }

    /// The same for a request: however often it is asked, it is one run. The run is open until it is [closed](Self::close_open).
    ///
    /// Dying in it leaves at most a number whose plan nobody carries out.
    pub(crate) async fn begin_requested(
        &self,
        request: &str,
        plan: Plan,
        pins: BTreeMap<DatasetId, Option<u64>>,
        begun_at: DateTime<Utc>,
        taken: RunId,
        queue: Option<&str>,
    ) -> Result<Order, LedgerError> {
        let (_, record) = self.schedule().await?;
        let mut order = Order {
            format: FORMAT,
            run: RunId(record.last_run.max(taken).0 + 1),
            kind: RunKind::Pipeline,
            begun_at,
            plan,
            pins,
            rebuild: false,
            request: Some(request.to_owned()),
            queue: queue.map(str::to_owned),
        };
        while self.state.create_plan(order.run, to_bytes(&order)).await? != Written::Now {
            order.run.0 += 1;
        }
        if self.state.create_request(request, order.run).await? == Written::Now {
            self.open(order.run).await?;
            return Ok(order);
        }
        let run = self.state.request(request).await?.unwrap_or(order.run);
        self.open(run).await?;
        Ok(self.order(run).await?.unwrap_or(order))
    }

    /// The run that a request became, opened if it was not.
    pub(crate) async fn requested(&self, request: &str) -> Result<Option<RunId>, LedgerError> {
        let run = self.state.request(request).await?;
        if let Some(run) = run
            && !self.is_closed(run).await?
        {
            self.open(run).await?;
        }
        Ok(run)
    }

    async fn open(&self, run: RunId) -> Result<(), LedgerError> {
        self.change(|record| {
            record.last_run = record.last_run.max(run);
            record.last_pipeline_run = record.last_pipeline_run.max(Some(run));
            if !record.open.contains(&run) {
                record.open.push(run);
            }
        })
        .await
    }

    /// Writes down that an open run has ended.
    pub(crate) async fn close_open(&self, report: &RunReport) -> Result<(), LedgerError> {
        self.close(report).await?;
        self.change(|record| record.open.retain(|run| *run != report.run))
            .await
    }

    /// Leaves a run out of those that have not ended, whatever is written of it.
    pub(crate) async fn set_aside(&self, run: RunId) -> Result<(), LedgerError> {
        self.change(|record| record.open.retain(|open| *open != run))
            .await
    }

    /// The runs that have not ended and are done message by message.
    pub(crate) async fn open_runs(&self) -> Result<Vec<RunId>, LedgerError> {
        Ok(self.schedule().await?.1.open)
    }

    /// The last run of all.
    pub(crate) async fn last_run(&self) -> Result<RunId, LedgerError> {
        Ok(self.schedule().await?.1.last_run)
    }

    async fn change(&self, change: impl Fn(&mut ScheduleRecord)) -> Result<(), LedgerError> {
        loop {
            let (read, mut record) = self.schedule().await?;
            let before = to_bytes(&record);
            change(&mut record);
            let after = to_bytes(&record);
            if (before == after && read.bytes.is_some())
                || self.state.swap_schedule(&read, after).await?
            {
                return Ok(());
            }
        }
    }

    /// Whether a run has ended.
    pub(crate) async fn is_closed(&self, run: RunId) -> Result<bool, LedgerError> {
        Ok(self.state.closed(run).await?.is_some())
    }

    /// How a run ended; `None` while it has not.
    pub(crate) async fn closed(&self, run: RunId) -> Result<Option<RunReport>, LedgerError> {
        let Some(bytes) = self.state.closed(run).await? else {
            return Ok(None);
        };
        let report: RunReport = from_bytes(&bytes, "end", run)?;
        match report.run == run {
            true => Ok(Some(report)),
            false => Err(mixed_up("end", run)),
        }
    }

    /// What became of the tasks of a run so far.
    pub(crate) async fn receipts(
        &self,
        run: RunId,
    ) -> Result<BTreeMap<DatasetId, Receipt>, LedgerError> {
        let receipts = self.state.receipts(run).await?;
        let receipts = receipts.iter().map(|(task, bytes)| {
            let receipt: Receipt = from_bytes(bytes, "receipt", run)?;
            if receipt.run != run || receipt.dataset.to_string() != *task {
                return Err(mixed_up("receipt", run));
            }
            Ok((receipt.dataset.clone(), receipt))
        });
        receipts.collect()
    }

    /// Says that somebody is at work on a run.
    pub(crate) async fn touch(&self, run: RunId) -> Result<(), LedgerError> {
        Ok(self.state.touch(run).await?)
    }

    /// Writes down why a message was not done. If that was written before, it stands.
    pub(crate) async fn refuse(
        &self,
        message: &str,
        why: &str,
        at: DateTime<Utc>,
    ) -> Result<Written, LedgerError> {
        let record = serde_json::json!({"message": message, "why": why, "at": at});
        Ok(self
            .state
            .create_refusal(message, to_bytes(&record))
            .await?)
    }

    /// When somebody was last at work on a run.
    pub(crate) async fn touched(&self, run: RunId) -> Result<Option<DateTime<Utc>>, LedgerError> {
        Ok(self.state.touched(run).await?)
    }

    /// Writes down what became of a task. If it was written before, what was written stands.
    pub(crate) async fn write_receipt(&self, receipt: Receipt) -> Result<(), LedgerError> {
        self.state
            .create_receipt(receipt.run, &receipt.dataset, to_bytes(&receipt))
            .await?;
        Ok(())
    }

    /// What became of a task; `None` while it has not ended.
    pub(crate) async fn receipt(
        &self,
        run: RunId,
        task: &DatasetId,
    ) -> Result<Option<Receipt>, LedgerError> {
        let bytes = self.state.receipt(run, task).await?;
        bytes
            .map(|bytes| from_bytes(&bytes, "receipt", run))
            .transpose()
    }

    /// Writes down that a run has ended.
    pub(crate) async fn close(&self, report: &RunReport) -> Result<(), LedgerError> {
        self.state
            .close(report.run, to_bytes(&report.for_keeping()))
            .await?;
        Ok(())
    }

    /// Forgets the run that was [`KEPT_RUNS`] before this one: each run takes away what one run left, and every [`SWEEP_EVERY`]th
    /// also what is older, of runs that nobody came to forget or not to the end.
    pub(crate) async fn forget_old(&self, run: RunId) -> Result<(), LedgerError> {
        let Some(old) = run.0.checked_sub(KEPT_RUNS).map(RunId) else {
            return Ok(());
        };
        if run.0.is_multiple_of(SWEEP_EVERY) {
            let older = self.state.runs().await?;
            for older in older.into_iter().filter(|it| *it < old) {
                self.forget(older).await?;
            }
        }
        self.forget(old).await
    }

    /// The request first: once the plan is gone, nobody knows which it was.
    async fn forget(&self, run: RunId) -> Result<(), LedgerError> {
        if let Ok(Some(order)) = self.order(run).await
            && let Some(request) = order.request
        {
            self.state.forget_request(&request).await?;
        }
        Ok(self.state.forget(run).await?)
    }

    /// What a run was to do; `None` when there was no such run.
    pub(crate) async fn order(&self, run: RunId) -> Result<Option<Order>, LedgerError> {
        let bytes = self.state.plan(run).await?;
        let order: Option<Order> = bytes
            .map(|bytes| from_bytes(&bytes, "plan", run))
            .transpose()?;
        match order {
            Some(order) if order.format > FORMAT => Err(LedgerError::Newer(order.format)),
            Some(order) if order.run != run => Err(mixed_up("plan", run)),
            order => Ok(order),
        }
    }

    /// Whether no number was ever given out here: the state of runs is new, or lost.
    pub(crate) async fn is_new(&self) -> Result<bool, LedgerError> {
        Ok(self.state.schedule().await?.bytes.is_none())
    }

    /// The last run that did a plan; `None` before the first.
    pub(crate) async fn last_pipeline_run(&self) -> Result<Option<RunId>, LedgerError> {
        Ok(self.schedule().await?.1.last_pipeline_run)
    }

    async fn schedule(&self) -> Result<(Schedule, ScheduleRecord), LedgerError> {
        let read = self.state.schedule().await?;
        let record = match &read.bytes {
            Some(bytes) => serde_json::from_slice(bytes).map_err(LedgerError::DamagedSchedule)?,
            None => {
                let last_run = self.state.last_planned_run().await?;
                ScheduleRecord {
                    format: FORMAT,
                    last_run: last_run.unwrap_or(RunId(0)),
                    last_pipeline_run: last_run,
                    open: Vec::new(),
                }
            }
        };
        if record.format > FORMAT {
            return Err(LedgerError::Newer(record.format));
        }
        Ok((read, record))
    }
}

/// An object that lies where another one belongs.
fn mixed_up(what: &'static str, run: RunId) -> LedgerError {
    let source = serde::de::Error::custom("it was written as another one");
    LedgerError::Damaged { what, run, source }
}

fn to_bytes(value: &impl Serialize) -> bytes::Bytes {
    serde_json::to_vec(value)
        .expect("numbers, texts and lists always become JSON")
        .into()
}

fn from_bytes<T: DeserializeOwned>(
    bytes: &[u8],
    what: &'static str,
    run: RunId,
) -> Result<T, LedgerError> {
    serde_json::from_slice(bytes).map_err(|source| LedgerError::Damaged { what, run, source })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{Ledger, RunId, State};

    /// The runs that are there after one came to forget.
    async fn check(there: &[u32], run: u32, left: &[u32]) {
        let pipeline = "shop".parse().unwrap();
        let state = State::in_store(comboi_test::memory(), pipeline);
        for run in there {
            let plan = Bytes::from_static(b"{}");
            state.create_plan(RunId(*run), plan).await.unwrap();
        }
        Ledger::new(state.clone())
            .forget_old(RunId(run))
            .await
            .unwrap();
        let mut found = state.runs().await.unwrap();
        found.sort();
        assert_eq!(found, left.iter().map(|it| RunId(*it)).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_hundred_runs_are_kept() {
        check(&[1, 2, 3, 101], 100, &[1, 2, 3, 101]).await;
        check(&[1, 2, 3, 101], 101, &[2, 3, 101]).await;
    }

    #[tokio::test]
    async fn what_a_dead_run_did_not_forget_is_forgotten_later() {
        check(&[1, 5, 9, 10, 11], 109, &[1, 5, 10, 11]).await;
        check(&[1, 5, 9, 10, 11], 110, &[11]).await;
    }
}
