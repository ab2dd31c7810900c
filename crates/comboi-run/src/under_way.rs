//! Runs that one process does from beginning to end: whether they go on, and the end of those whose process is gone.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comboi_project::RunId;
use tokio::task::JoinSet;
use tracing::warn;

use crate::ledger::{Ledger, LedgerError, Order};
use crate::process::Process;
use crate::receipt::RunReport;
use crate::runner::{RunError, Runner, log_end};
use crate::task::chain;

/// How often whoever works on a run says so.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(60);
/// A run of another machine whose sign of life has not changed for so long is no longer under way.
const SILENT: TimeDelta = TimeDelta::minutes(10);

impl Ledger {
    /// Whether a run that has not ended goes on. On the process's own machine that is seen at once; elsewhere by its sign of life. `now` is the
    /// time by the storage's clock.
    pub(crate) async fn goes_on(
        &self,
        order: &Order,
        from: &Process,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let process = order.process.as_ref();
        match process.and_then(|process| process.is_there(from)) {
            Some(is_there) => Ok(is_there),
            None => Ok(now - self.last_sign(order).await? < SILENT),
        }
    }
}

impl Runner {
    /// Refuses to begin what another process of this machine is at work on. Only saves double work: what is committed is right without it,
    /// and from another machine nothing is refused.
    pub(crate) async fn refuse_second(&self, open: &[RunId]) -> Result<(), RunError> {
        let ledger = self.ledger();
        for run in open.iter().copied() {
            let order = match ledger.order(run).await {
                Ok(Some(order)) => order,
                Ok(None) | Err(LedgerError::Damaged { .. }) => continue,
                Err(e) => return Err(e.into()),
            };
            let there = order.process.as_ref().filter(|process| {
                **process != self.process && process.is_there(&self.process) == Some(true)
            });
            if let Some(process) = there
                && !ledger.is_closed(run).await?
            {
                return Err(RunError::Ledger(LedgerError::UnderWay {
                    run,
                    process: process.pid,
                    begun_at: order.begun_at.format("%Y-%m-%d %H:%M:%S").to_string(),
                }));
            }
        }
        Ok(())
    }

    /// A run that goes on and is done by a process, if there is one.
    pub(crate) async fn another_under_way(&self) -> Result<Option<RunId>, RunError> {
        let ledger = self.ledger();
        for run in ledger.of_processes().await? {
            if let Some(order) = ledger.order(run).await?
                && order.process.as_ref() != Some(&self.process)
                && !ledger.is_closed(run).await?
                && ledger
                    .goes_on(&order, &self.process, self.clock.now())
                    .await?
            {
                return Ok(Some(run));
            }
        }
        Ok(None)
    }

    /// Refuses to delete what a run may be reading: here, on another machine, or by the queue.
    pub(crate) async fn refuse_under_way(&self) -> Result<(), RunError> {
        let ledger = self.ledger();
        ledger.take_over_schedule().await?;
        let by_messages = ledger.open_runs().await?.first().copied();
        let open = match by_messages {
            Some(run) => Some(run),
            None => self.another_under_way().await?,
        };
        match open {
            None => Ok(()),
            Some(run) => Err(RunError::ByHand(format!(
                "run {run} is under way, and may be reading what would go; `comboi status {run}` tells how far it is"
            ))),
        }
    }

    /// Writes the end of those of these runs whose processes are gone. `by` is a run that has just got its number. What keeps us from it is
    /// left to the next one.
    pub(crate) async fn close_interrupted(&self, open: &[RunId], by: RunId) {
        let left = self.try_close_interrupted(open, by).await;
        if let Err(e) = left {
            let error = chain(&e);
            warn!(error, "interrupted runs could not be closed: {error}");
        }
    }

    async fn try_close_interrupted(&self, open: &[RunId], by: RunId) -> Result<(), RunError> {
        let ledger = self.ledger();
        let mut now = None;
        for run in open.iter().copied() {
            if run == by {
                continue;
            }
            let order = match ledger.order(run).await {
                Ok(order) => order,
                Err(LedgerError::Damaged { .. }) => None,
                Err(e) => return Err(e.into()),
            };
            let of_process = order.filter(|order| order.process.is_some());
            let Some(order) = of_process else {
                // A number that somebody was about to take is taken by whoever comes next, unless there are later ones.
                if run < by {
                    ledger.no_longer_open(run).await?;
                }
                continue;
            };
            if ledger.is_closed(run).await? {
                ledger.no_longer_open(run).await?;
                continue;
            }
            let now = match now {
                Some(now) => now,
                None => {
                    let written = ledger.planned_at(by).await?;
                    *now.insert(written.unwrap_or_else(|| self.clock.now()))
                }
            };
            if !ledger.goes_on(&order, &self.process, now).await? {
                self.close_as_interrupted(&ledger, &order).await?;
            }
        }
        Ok(())
    }

    /// Closes runs whose planners died before noting them as open, if they were planned more than ten minutes before the newest: a younger one
    /// may be about to be noted.
    pub(crate) async fn close_unbegun(&self) -> Result<(), RunError> {
        let ledger = self.ledger();
        for order in ledger.unbegun().await? {
            if self.is_long_planned(&ledger, &order).await? {
                self.close_as_interrupted(&ledger, &order).await?;
            }
        }
        Ok(())
    }

    /// Runs that nobody is at work on and whose ends were not written: their processes are gone, or those who planned them.
    pub(crate) async fn dead(&self) -> Result<Vec<Order>, RunError> {
        let (ledger, mut dead) = (self.ledger(), Vec::new());
        for order in ledger.unbegun().await? {
            if self.is_long_planned(&ledger, &order).await? {
                dead.push(order);
            }
        }
        let now = self.clock.now();
        for run in ledger.of_processes().await? {
            let order = match ledger.order(run).await {
                Ok(order) => order.filter(|order| order.process.is_some()),
                Err(LedgerError::Damaged { .. }) => None,
                Err(e) => return Err(e.into()),
            };
            if let Some(order) = order
                && !ledger.is_closed(run).await?
                && !ledger.goes_on(&order, &self.process, now).await?
            {
                dead.push(order);
            }
        }
        Ok(dead)
    }

    /// Whether the newest run was planned more than ten minutes after this one, by the storage's clock: clocks of machines may be wrong.
    async fn is_long_planned(&self, ledger: &Ledger, order: &Order) -> Result<bool, RunError> {
        let newest = ledger.last_run().await?;
        let planned = ledger.planned_at(order.run).await?;
        let newest = ledger.planned_at(newest).await?;
        Ok(planned
            .zip(newest)
            .is_some_and(|(this, newest)| newest - this >= SILENT))
    }

    /// Writes the ends of runs whose processes were on this machine and are gone.
    pub async fn close_gone(&self) -> Result<(), RunError> {
        let ledger = self.ledger();
        for order in self.dead().await? {
            let process = order.process.as_ref();
            if process.and_then(|process| process.is_there(&self.process)) == Some(false) {
                self.close_as_interrupted(&ledger, &order).await?;
            }
        }
        Ok(())
    }

    pub(crate) async fn close_as_interrupted(
        &self,
        ledger: &Ledger,
        order: &Order,
    ) -> Result<(), RunError> {
        let mut receipts = ledger.receipts(order.run).await?;
        let last_sign = ledger.last_sign(order).await?;
        for task in &order.plan.tasks {
            let dataset = &task.dataset;
            receipts.entry(dataset.clone()).or_insert_with(|| {
                let mut receipt = self.stopped(order.run, dataset);
                (receipt.begun_at, receipt.ended_at) = (last_sign, last_sign);
                receipt
            });
        }
        let ends = receipts.values().map(|receipt| receipt.ended_at);
        let ended_at = ends.chain([last_sign]).max().unwrap_or(last_sign);
        let mut report = RunReport {
            interrupted: true,
            ended_at,
            ..self.report(order, &receipts)
        };
        if !report.tasks.is_empty() {
            self.put_on_record(&mut report).await;
            report.ended_at = ended_at;
        }
        if ledger.close(&report).await? {
            // Nobody is at work on it, so nobody else says so.
            log_end(&report);
        }
        Ok(())
    }

    /// Says every minute that a run is worked on, until the answer is dropped.
    pub(crate) fn beating(&self, run: RunId) -> JoinSet<()> {
        let mut beating = JoinSet::new();
        let runner = self.clone();
        beating.spawn(async move {
            loop {
                // The plan was written just now, which is a sign of life too.
                runner.clock.wait(HEARTBEAT).await;
                runner.touch(run).await;
            }
        });
        beating
    }

    /// Says that a run is worked on.
    pub(crate) async fn touch(&self, run: RunId) {
        if let Err(e) = self.ledger().touch(run).await {
            let error = chain(&e);
            warn!(
                run = run.0,
                error, "nobody can see that run {run} is worked on: {error}"
            );
        }
    }
}
