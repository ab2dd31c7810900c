//! A run that is done step by step, by whoever takes the message that asks for a step.
//!
//! A step is the tasks of one stage, or one of them. Everything that a step leaves is written once, so that two processes may do the
//! same step at once, in any order with any other, and any of them may die: the lake and the receipts are the same in the end. What
//! keeps a run going is the message of its next step; if that is lost, [`Runner::open_runs`] tells whoever looks next which step it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_plan::{FailureKind, Plan, Task};
use comboi_project::{DatasetId, RunId, Stage};
use tokio::task::JoinSet;
use tracing::info;

use crate::event::Event;
use crate::ledger::{LedgerError, Order, RunKind};
use crate::receipt::{Failure, Outcome, Receipt, RunReport};
use crate::runner::{RunError, Runner, log_end, written_by};
use crate::under_way::HEARTBEAT;

/// What a step came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// All tasks of the stage have their receipts.
    Done,
    /// Some of the stage's tasks have no receipt yet.
    Unfinished {
        /// Whether this step brought anything nearer to its end: a receipt, or a commit of a task that goes on.
        advanced: bool,
    },
    /// An earlier stage is not through, so nothing was done. Whoever ends that one asks again.
    Early,
    /// The run had ended.
    Ended,
    /// There is no such run: it was forgotten, or never was.
    NoSuchRun,
}

/// A run that has not ended.
#[derive(Clone, Debug)]
pub struct OpenRun {
    /// The run.
    pub run: RunId,
    /// When it began.
    pub begun_at: DateTime<Utc>,
    /// Its stages from the first one on that is not through; empty when only its end has not been written.
    pub left: Vec<Stage>,
    /// When somebody was last at work on it; `None` if nobody ever was.
    pub touched: Option<DateTime<Utc>>,
}

impl Runner {
    /// Begins a run over a plan, or finds the one that the same request began before. The request is a name of letters, digits and `-`:
    /// a timer's slot or a message's id. Nothing is done yet.
    pub async fn begin(&self, request: &str, plan: Plan) -> Result<RunId, RunError> {
        let ledger = self.ledger();
        if let Some(run) = ledger.requested(request).await? {
            return Ok(run);
        }
        let order = Order {
            pins: self.pins(&plan, &BTreeMap::new()).await?,
            queue: self.queue.clone(),
            ..Order::new(RunKind::Pipeline, plan, self.clock.now())
        };
        let open = ledger.of_processes().await?;
        let last = self.last_number(&written_by(&order.plan)).await?;
        let order = ledger.begin_requested(request, order, last).await?;
        self.close_interrupted(&open, order.run).await;
        let (run, tasks) = (order.run, order.plan.tasks.len());
        info!(
            event = "run_began",
            run = run.0,
            request,
            task_count = tasks,
            "run {run} begins: {tasks} tasks"
        );
        (self.listener)(Event::RunBegan { run, tasks });
        Ok(run)
    }

    /// Does the tasks of a stage, or one of them, that have no receipt yet.
    pub async fn step(
        &self,
        run: RunId,
        stage: Stage,
        only: Option<&DatasetId>,
    ) -> Result<Step, RunError> {
        let ledger = self.ledger();
        let Some(order) = ledger.order(run).await? else {
            return Ok(Step::NoSuchRun);
        };
        if ledger.is_closed(run).await? {
            return Ok(Step::Ended);
        }
        self.sweep_scratch();
        let order = Arc::new(order);
        let before = ledger.receipts(run).await?;
        let left = |stage: Stage, receipts: &BTreeMap<DatasetId, Receipt>| -> Vec<Task> {
            let tasks = order.plan.tasks.iter();
            tasks
                .filter(|task| {
                    task.dataset.stage() == stage && !receipts.contains_key(&task.dataset)
                })
                .cloned()
                .collect()
        };
        let earlier = Stage::ALL.into_iter().take_while(|it| *it != stage);
        if earlier
            .into_iter()
            .any(|stage| !left(stage, &before).is_empty())
        {
            return Ok(Step::Early);
        }
        let mut tasks = left(stage, &before);
        if let Some(only) = only {
            tasks.retain(|task| task.dataset == *only);
        }
        let versions = self.versions(&tasks).await;
        let mut beating = JoinSet::new();
        beating.spawn(self.clone().beat(run));
        self.walk(&order, &tasks, before.clone()).await;
        drop(beating);
        // What counts is what is written: a receipt that could not be is not there for the next stage.
        let after = ledger.receipts(run).await?;
        if left(stage, &after).is_empty() {
            return Ok(Step::Done);
        }
        let advanced = after.len() > before.len() || self.versions(&tasks).await != versions;
        Ok(Step::Unfinished { advanced })
    }

    /// The tasks of a stage that have no receipt yet; none when there is no such run.
    pub async fn tasks_left(&self, run: RunId, stage: Stage) -> Result<Vec<DatasetId>, RunError> {
        let ledger = self.ledger();
        let Some(order) = ledger.order(run).await? else {
            return Ok(Vec::new());
        };
        let receipts = ledger.receipts(run).await?;
        let tasks = order.plan.tasks.into_iter().map(|task| task.dataset);
        Ok(tasks
            .filter(|it| it.stage() == stage && !receipts.contains_key(it))
            .collect())
    }

    /// Writes that the tasks of these datasets have failed, which have no receipt yet, so that the run goes on without them.
    pub async fn give_up(
        &self,
        run: RunId,
        datasets: &[DatasetId],
        why: &str,
    ) -> Result<(), RunError> {
        let Some(order) = self.ledger().order(run).await? else {
            return Ok(());
        };
        let tasks = order.plan.tasks.iter();
        for task in tasks.filter(|task| datasets.contains(&task.dataset)) {
            let mut receipt = self.unbegun(run, task, Outcome::Failed);
            receipt.failure = Some(Failure {
                kind: FailureKind::Task,
                message: why.to_owned(),
            });
            self.ledger().write_receipt(receipt).await?;
        }
        Ok(())
    }

    /// Ends a run whose tasks all have their receipts: puts it on record and closes it. `None` when some have none yet, or there is no
    /// such run. May be repeated.
    pub async fn end(&self, run: RunId) -> Result<Option<RunReport>, RunError> {
        let ledger = self.ledger();
        if let Some(report) = ledger.closed(run).await? {
            ledger.close_open(&report).await?;
            return Ok(Some(report));
        }
        let Some(order) = ledger.order(run).await? else {
            return Ok(None);
        };
        let receipts = ledger.receipts(run).await?;
        if order
            .plan
            .tasks
            .iter()
            .any(|task| !receipts.contains_key(&task.dataset))
        {
            return Ok(None);
        }
        let mut report = self.report(&order, &receipts);
        self.put_on_record(&mut report).await;
        log_end(&report);
        ledger.close_open(&report).await?;
        self.forget_old(run).await;
        self.tell_end(&report);
        Ok(Some(report))
    }

    /// The runs that have not ended, oldest first.
    pub async fn open_runs(&self) -> Result<Vec<OpenRun>, RunError> {
        let mut open = Vec::new();
        for run in self.ledger().open_runs().await? {
            open.extend(self.open_run(run).await?);
        }
        Ok(open)
    }

    /// A run as far as it has come; `None` if nothing is written of it.
    pub(crate) async fn open_run(&self, run: RunId) -> Result<Option<OpenRun>, LedgerError> {
        let ledger = self.ledger();
        let Some(Order { plan, begun_at, .. }) = ledger.order(run).await? else {
            return Ok(None);
        };
        let receipts = ledger.receipts(run).await?;
        let in_stage = |stage: Stage| {
            plan.tasks
                .iter()
                .filter(move |task| task.dataset.stage() == stage)
        };
        let is_through =
            |stage: &Stage| in_stage(*stage).all(|task| receipts.contains_key(&task.dataset));
        let left = Stage::ALL.into_iter().skip_while(is_through);
        Ok(Some(OpenRun {
            run,
            begun_at,
            left: left
                .filter(|stage| in_stage(*stage).next().is_some())
                .collect(),
            touched: ledger.touched(run).await?,
        }))
    }

    /// What the lake has of these tasks' datasets, to see whether a task that did not end moved on.
    async fn versions(&self, tasks: &[Task]) -> Vec<Option<u64>> {
        let mut versions = Vec::new();
        for task in tasks {
            let latest = self.lake.table(&task.dataset).latest().await;
            versions.push(latest.ok().flatten().map(|latest| latest.version));
        }
        versions
    }

    async fn beat(self, run: RunId) {
        loop {
            self.touch(run).await;
            self.clock.wait(HEARTBEAT).await;
        }
    }
}
