//! The walk through a plan: each task as soon as what it reads is done, several at once, each to its receipt.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use comboi_plan::{FailureKind, Task};
use comboi_project::{DatasetId, RunId};
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::event::Event;
use crate::ledger::Order;
use crate::receipt::{Failure, Outcome, Receipt};
use crate::runner::{Runner, millis};
use crate::task::{Done, TaskError, chain};
use crate::work::Job;

/// How often a task is tried when the lake or the machine did not answer as it should.
const TRIES: u32 = 4;

impl Runner {
    /// Does these tasks of a run, each as soon as those before it are done. `receipts` are those that there are already; they come
    /// back with the new ones. A task whose predecessors are neither there nor among `tasks` is left out.
    pub(crate) async fn walk(
        &self,
        order: &Arc<Order>,
        tasks: &[Task],
        mut receipts: BTreeMap<DatasetId, Receipt>,
    ) -> BTreeMap<DatasetId, Receipt> {
        let widest = order.plan.widest().min(self.jobs).min(tasks.len()).max(1);
        let limits = self.limits.shared_by(widest);
        let mut waiting: Vec<&Task> = tasks
            .iter()
            .filter(|task| !receipts.contains_key(&task.dataset))
            .collect();
        let mut running = JoinSet::new();
        let mut names = HashMap::new();
        loop {
            let mut still_waiting = Vec::new();
            for task in waiting {
                let ready = task
                    .after
                    .iter()
                    .all(|before| receipts.contains_key(before));
                if !ready || running.len() >= widest && !self.stop.requested() {
                    still_waiting.push(task);
                } else if self.stop.requested() {
                    receipts.insert(
                        task.dataset.clone(),
                        self.unbegun(order.run, task, Outcome::Stopped),
                    );
                } else if task
                    .after
                    .iter()
                    .any(|before| !receipts[before].outcome.is_good())
                {
                    let receipt = self.unbegun(order.run, task, Outcome::UpstreamFailed);
                    receipts.insert(task.dataset.clone(), self.hand_in(receipt).await);
                } else {
                    let job = Arc::new(Job {
                        runner: self.clone(),
                        order: Arc::clone(order),
                        task: task.clone(),
                        inputs: inputs_of(task, &receipts, order),
                        limits,
                    });
                    let runner = self.clone();
                    let spawned = running.spawn(async move { runner.one(&job).await });
                    names.insert(spawned.id(), task.dataset.clone());
                }
            }
            waiting = still_waiting;
            match running.join_next_with_id().await {
                Some(Ok((_, receipt))) => {
                    receipts.insert(receipt.dataset.clone(), receipt);
                }
                Some(Err(e)) => {
                    let dataset = &names[&e.id()];
                    let done = Err(TaskError::Defect(e.to_string()));
                    let receipt = self
                        .hand_in(self.receipt(order.run, dataset, self.clock.now(), done))
                        .await;
                    log_end(&receipt);
                    (self.listener)(Event::TaskEnded { receipt: &receipt });
                    receipts.insert(dataset.clone(), receipt);
                }
                // An `UpstreamFailed` of this round may make more tasks ready.
                None if waiting.iter().any(|task| {
                    task.after
                        .iter()
                        .all(|before| receipts.contains_key(before))
                }) => {}
                None => return receipts,
            }
        }
    }

    /// One task to its end; what it throws becomes part of its receipt.
    async fn one(&self, job: &Arc<Job>) -> Receipt {
        let (order, dataset) = (&job.order, &job.task.dataset);
        let begun_at = self.clock.now();
        info!(event = "task_began", run = order.run.0, %dataset, "`{dataset}` begins");
        (self.listener)(Event::TaskBegan { dataset });
        let mut tries = 0;
        let done = loop {
            tries += 1;
            match self.work.task(job).await {
                Err(e) if e.worth_retrying() && tries < TRIES && !self.stop.requested() => {
                    let error = chain(&e);
                    warn!(event = "task_tried_again", run = order.run.0, %dataset, error, "`{dataset}` is tried again: {error}");
                    let pause = Duration::from_millis(250 * u64::from(tries * tries));
                    self.clock.wait(pause).await;
                }
                done => break done,
            }
        };
        let receipt = self.receipt(order.run, dataset, begun_at, done);
        let receipt = if receipt.outcome == Outcome::Stopped {
            receipt
        } else {
            self.hand_in(receipt).await
        };
        log_end(&receipt);
        (self.listener)(Event::TaskEnded { receipt: &receipt });
        receipt
    }

    fn receipt(
        &self,
        run: RunId,
        dataset: &DatasetId,
        begun_at: DateTime<Utc>,
        done: Result<Done, TaskError>,
    ) -> Receipt {
        let mut receipt = Receipt {
            run,
            dataset: dataset.clone(),
            outcome: Outcome::Failed,
            reason: None,
            failure: None,
            version: None,
            inputs: BTreeMap::new(),
            rows: 0,
            total_rows: None,
            quarantined_rows: 0,
            published: None,
            dedupe: None,
            linkage: None,
            notes: Vec::new(),
            warnings: Vec::new(),
            verdicts: Vec::new(),
            late: false,
            begun_at,
            ended_at: self.clock.now(),
        };
        match done {
            Ok(done) => done.put_into(&mut receipt),
            Err(TaskError::Contract(verdicts)) => {
                receipt.failure = Some(Failure {
                    kind: FailureKind::Contract,
                    message: "its contract does not hold; nothing was published, readers see the last good version".to_owned(),
                });
                receipt.verdicts = verdicts;
            }
            Err(e @ TaskError::Unpublishable(_)) => {
                receipt.failure = Some(Failure {
                    kind: FailureKind::Contract,
                    message: chain(&e),
                });
            }
            Err(_) if self.stop.requested() => receipt.outcome = Outcome::Stopped,
            Err(e) => {
                receipt.failure = Some(Failure {
                    kind: FailureKind::Task,
                    message: chain(&e),
                });
            }
        }
        receipt
    }

    pub(crate) fn unbegun(&self, run: RunId, task: &Task, outcome: Outcome) -> Receipt {
        let mut receipt = self.receipt(run, &task.dataset, self.clock.now(), Ok(Done::default()));
        receipt.outcome = outcome;
        log_end(&receipt);
        (self.listener)(Event::TaskEnded { receipt: &receipt });
        receipt
    }

    /// Of a task whose run ended before it did.
    pub(crate) fn stopped(&self, run: RunId, dataset: &DatasetId) -> Receipt {
        let mut receipt = self.receipt(run, dataset, self.clock.now(), Ok(Done::default()));
        receipt.outcome = Outcome::Stopped;
        receipt
    }

    /// Writes a receipt. The lake has what the task did: a receipt that can't be written costs a look at the lake later.
    pub(crate) async fn hand_in(&self, receipt: Receipt) -> Receipt {
        let dataset = receipt.dataset.clone();
        match self.ledger().write_receipt(receipt.for_keeping()).await {
            Ok(()) => {}
            Err(e) => {
                let error = chain(&e);
                warn!(%dataset, error, "the receipt of `{dataset}` was not written: {error}");
            }
        }
        receipt
    }
}

/// The versions that a task reads: from the receipts of this run, else pinned when it began.
fn inputs_of(
    task: &Task,
    receipts: &BTreeMap<DatasetId, Receipt>,
    order: &Order,
) -> BTreeMap<DatasetId, Option<u64>> {
    let version = |input: &DatasetId| match receipts.get(input) {
        Some(receipt) => receipt.version,
        None => order.pins.get(input).copied().flatten(),
    };
    task.inputs
        .iter()
        .map(|input| (input.clone(), version(input)))
        .collect()
}

fn log_end(receipt: &Receipt) {
    let (dataset, outcome, run) = (&receipt.dataset, receipt.outcome, receipt.run.0);
    let elapsed_ms = millis(receipt.took());
    match &receipt.failure {
        Some(failure) => {
            error!(event = "task_ended", run, %dataset, %outcome, elapsed_ms, error = failure.message, "`{dataset}` failed: {}", failure.message);
        }
        None if receipt.outcome == Outcome::Skipped => {
            let reason = receipt.reason.as_deref().unwrap_or_default();
            info!(event = "task_ended", run, %dataset, %outcome, reason, elapsed_ms, version = receipt.version, "`{dataset}` skipped: {reason}");
        }
        None if !receipt.outcome.is_good() => {
            warn!(event = "task_ended", run, %dataset, %outcome, elapsed_ms, "`{dataset}` {outcome}");
        }
        None => {
            let row_count = receipt.rows;
            info!(event = "task_ended", run, %dataset, %outcome, row_count, elapsed_ms, version = receipt.version, "`{dataset}` {outcome}: {row_count} rows");
        }
    }
    if receipt.late {
        warn!(event = "dataset_late", run, %dataset, "`{dataset}` is older than its SLA allows");
    }
    for note in &receipt.notes {
        info!(event = "note", run, %dataset, "`{dataset}`: {note}");
    }
    for warning in &receipt.warnings {
        warn!(event = "warning", run, %dataset, "`{dataset}`: {warning}");
    }
}
