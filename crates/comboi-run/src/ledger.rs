//! Which runs there were: numbers are given out here, plans and receipts are written once.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use comboi_lake::{OpenBy, State, StateError, Written};
use comboi_plan::Plan;
use comboi_project::{DatasetId, RunId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::process::Process;
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
    /// Another process of this machine is doing a run of this pipeline.
    #[error(
        "run {run} is under way (process {process} of this machine, begun at {begun_at} UTC): wait until it has ended (`comboi status {run}` shows how far it is), or stop it and use `comboi retry`"
    )]
    UnderWay {
        /// The run.
        run: RunId,
        /// The process's number.
        process: u32,
        /// When the run began.
        begun_at: String,
    },
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
    /// A dataset that is no longer in the project was deleted.
    Drop,
    /// A dataset got another name.
    Rename,
}

/// What a run is to do. Written once, before anything is done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) format: u32,
    /// The run.
    pub(crate) run: RunId,
    /// What tells this run from any other one, should two ever have the same number; `None` of an earlier comboi.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
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
    /// The process that does all of it, if it is not done by messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<Process>,
}

impl Order {
    /// A run that has no number yet.
    pub(crate) fn new(kind: RunKind, plan: Plan, begun_at: DateTime<Utc>) -> Self {
        Self {
            format: FORMAT,
            run: RunId(0),
            id: Some(uuid::Uuid::new_v4().simple().to_string()),
            kind,
            begun_at,
            plan,
            pins: BTreeMap::new(),
            rebuild: false,
            request: None,
            queue: None,
            process: None,
        }
    }
}

/// What an earlier comboi kept of all runs in one object.
#[derive(Clone, Debug, Default, Deserialize)]
struct Schedule {
    format: u32,
    last_run: RunId,
    /// Runs that are done message by message and have not ended.
    #[serde(default)]
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

    /// What an earlier comboi kept elsewhere.
    pub(crate) fn earlier(&self) -> Option<Self> {
        self.state.earlier().cloned().map(Self::new)
    }

    /// Takes the next run number after `last`, and writes down what the run is to do: whoever writes that object first has its number.
    ///
    /// Dying in it leaves at most a note of a number that no run has; the run that gets it takes the note over.
    pub(crate) async fn begin(&self, mut order: Order, last: RunId) -> Result<Order, LedgerError> {
        order.run = RunId(last.0 + 1);
        loop {
            self.state.set_open(OpenBy::Process, order.run).await?;
            if self.is_first(&order).await? {
                return Ok(order);
            }
            order.run.0 += 1;
        }
    }

    /// The same for a request: however often it is asked, it is one run. The run is open until it is [closed](Self::close_open).
    ///
    /// Dying in it leaves at most a number whose plan nobody carries out, until [`unbegun`](Self::unbegun) finds it.
    pub(crate) async fn begin_requested(
        &self,
        request: &str,
        mut order: Order,
        last: RunId,
    ) -> Result<Order, LedgerError> {
        order.request = Some(request.to_owned());
        order.run = RunId(last.0 + 1);
        while !self.is_first(&order).await? {
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

    async fn is_first(&self, order: &Order) -> Result<bool, LedgerError> {
        let written = self.state.create_plan(order.run, to_bytes(order)).await?;
        Ok(written == Written::Now)
    }

    /// The last number, by an earlier comboi's schedule too.
    pub(crate) async fn last_number(&self) -> Result<RunId, LedgerError> {
        let scheduled = match self.state.schedule().await? {
            Some(bytes) => serde_json::from_slice::<Schedule>(&bytes).unwrap_or_default(),
            None => Schedule::default(),
        };
        Ok(self.last_run().await?.max(scheduled.last_run))
    }

    /// Who adds to what a newer comboi writes could undo what that one relies on.
    pub(crate) async fn refuse_newer(&self, last: RunId) -> Result<(), LedgerError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let plan = self.state.plan(last).await?.unwrap_or_default();
        match serde_json::from_slice::<Format>(&plan) {
            Ok(plan) if plan.format > FORMAT => Err(LedgerError::Newer(plan.format)),
            _ => Ok(()),
        }
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
        Ok(self.state.set_open(OpenBy::Messages, run).await?)
    }

    /// Whether a plan is that of a run: a plan that was written for a request is not if its writer died before it noted the run, or
    /// if the request had become another run.
    pub(crate) async fn is_begun(&self, order: &Order) -> Result<bool, LedgerError> {
        match &order.request {
            Some(request) => Ok(self.state.request(request).await? == Some(order.run)),
            None => Ok(true),
        }
    }

    /// The newest runs that were planned for requests, have no end, and are not noted as open: who planned them died before noting that. Nobody was
    /// ever at work on them. The newest first.
    pub(crate) async fn unbegun(&self) -> Result<Vec<Order>, LedgerError> {
        /// More than two ticks of the timer leave.
        const LOOKED_AT: usize = 10;
        let (open, mut unbegun) = (self.open_runs().await?, Vec::new());
        for run in self.kept().await?.into_iter().take(LOOKED_AT) {
            let order = match self.order(run).await {
                Ok(Some(order)) => order,
                Ok(None) | Err(LedgerError::Damaged { .. }) => continue,
                Err(e) => return Err(e),
            };
            let noted = order.request.is_none() || open.contains(&run);
            // One that somebody was at work on was begun, and set aside later.
            if !noted && !self.is_closed(run).await? && self.touched(run).await?.is_none() {
                unbegun.push(order);
            }
        }
        Ok(unbegun)
    }

    /// Writes down that an open run has ended.
    pub(crate) async fn close_open(&self, report: &RunReport) -> Result<(), LedgerError> {
        self.state
            .close(report.run, to_bytes(&report.for_keeping()))
            .await?;
        self.set_aside(report.run).await
    }

    /// Leaves a run out of those that have not ended, whatever is written of it.
    pub(crate) async fn set_aside(&self, run: RunId) -> Result<(), LedgerError> {
        Ok(self.state.unset_open(OpenBy::Messages, run).await?)
    }

    /// The runs that have not ended and are done message by message.
    pub(crate) async fn open_runs(&self) -> Result<Vec<RunId>, LedgerError> {
        Ok(self.state.open(OpenBy::Messages).await?)
    }

    /// Notes the open runs of an earlier comboi as this one does, and takes its schedule away.
    pub(crate) async fn take_over_schedule(&self) -> Result<(), LedgerError> {
        let Some(bytes) = self.state.schedule().await? else {
            return Ok(());
        };
        let open = match serde_json::from_slice::<Schedule>(&bytes) {
            Ok(schedule) if schedule.format > FORMAT => {
                return Err(LedgerError::Newer(schedule.format));
            }
            Ok(schedule) => schedule.open,
            Err(error) => {
                warn!(%error, "the schedule of an earlier comboi is damaged; runs that were open are not gone on with: {error}");
                Vec::new()
            }
        };
        for run in open {
            if !self.is_closed(run).await? {
                self.open(run).await?;
            }
        }
        Ok(self.state.remove_schedule().await?)
    }

    /// The runs that one process each does, and that were not noted to have ended.
    pub(crate) async fn of_processes(&self) -> Result<Vec<RunId>, LedgerError> {
        Ok(self.state.open(OpenBy::Process).await?)
    }

    /// Takes the note away that a process's run has not ended.
    pub(crate) async fn no_longer_open(&self, run: RunId) -> Result<(), LedgerError> {
        Ok(self.state.unset_open(OpenBy::Process, run).await?)
    }

    /// The last run of all that are kept; 0 when there is none.
    pub(crate) async fn last_run(&self) -> Result<RunId, LedgerError> {
        let runs = self.state.runs().await?;
        Ok(runs.into_iter().max().unwrap_or(RunId(0)))
    }

    /// The runs that are kept, the newest first.
    pub(crate) async fn kept(&self) -> Result<Vec<RunId>, LedgerError> {
        let mut runs = self.state.runs().await?;
        runs.sort_by(|a, b| b.cmp(a));
        Ok(runs)
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

    /// When there was last a sign of life of a run that a process does, by the storage's clock.
    pub(crate) async fn last_sign(&self, order: &Order) -> Result<DateTime<Utc>, LedgerError> {
        Ok(match self.state.touched(order.run).await? {
            Some(touched) => touched,
            None => {
                let planned = self.state.planned_at(order.run).await?;
                planned.unwrap_or(order.begun_at)
            }
        })
    }

    /// When a run's plan was written, by the storage's clock.
    pub(crate) async fn planned_at(
        &self,
        run: RunId,
    ) -> Result<Option<DateTime<Utc>>, LedgerError> {
        Ok(self.state.planned_at(run).await?)
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

    /// Writes down that a run has ended that a process did; says whether nobody had done so before.
    pub(crate) async fn close(&self, report: &RunReport) -> Result<bool, LedgerError> {
        let bytes = to_bytes(&report.for_keeping());
        let written = self.state.close(report.run, bytes).await?;
        if let Err(error) = self.no_longer_open(report.run).await {
            // What is closed is closed; whoever begins the next run takes the note away.
            warn!(run = report.run.0, %error, "run {} is still noted as open: {error}", report.run);
        }
        Ok(written == Written::Now)
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

    /// The last run that did a plan; `None` before the first.
    pub(crate) async fn last_pipeline_run(&self) -> Result<Option<RunId>, LedgerError> {
        for run in self.kept().await? {
            let Some(order) = self.order(run).await? else {
                continue;
            };
            if !matches!(order.kind, RunKind::Pipeline | RunKind::Retry { .. }) {
                continue;
            }
            if self.is_begun(&order).await? {
                return Ok(Some(run));
            }
        }
        Ok(None)
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
