//! Doing a plan: from its order to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use comboi_engine::Limits;
use comboi_lake::{Lake, State};
use comboi_plan::Plan;
use comboi_project::{DatasetId, Project, RunId};
use comboi_sources::database::Databases;
use tracing::{info, warn};

use crate::clock::Clock;
use crate::event::{Event, Listener, Phase};
use crate::ledger::{Ledger, LedgerError, Order, RunKind};
use crate::receipt::{Outcome, Receipt, RunReport};
use crate::stop::Stop;
use crate::task::chain;
use crate::work::Work;

/// What doing a plan needs.
#[derive(Clone)]
pub struct Runner {
    /// The project.
    pub project: Arc<Project>,
    /// Where datasets are.
    pub lake: Lake,
    /// Opens the databases of sources.
    pub databases: Databases,
    /// Where runs are written down.
    pub state: State,
    /// A folder for files on their way into the lake, on the same file system as a local lake.
    pub scratch: PathBuf,
    /// Memory and threads for all tasks together.
    pub limits: Limits,
    /// How many tasks may run at once; at least 1.
    pub jobs: usize,
    /// The time.
    pub clock: Clock,
    /// Asks the run to stop.
    pub stop: Stop,
    /// Is told what happens.
    pub listener: Listener,
    /// Does the tasks.
    pub work: Work,
    /// The queue by which the messages of runs go, where they go by messages: its name and its place.
    pub queue: Option<String>,
}

/// What a run could not even begin with.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The record of runs.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The lake.
    #[error(transparent)]
    Lake(#[from] comboi_lake::Error),
    /// What somebody did by hand did not work.
    #[error("{0}")]
    ByHand(String),
    /// It was not done, and may be when its message comes again.
    #[error("{0}")]
    Again(String),
    /// `retry` found nothing to take up.
    #[error("{0}")]
    NothingToRetry(String),
}

impl Runner {
    /// Begins a run over this plan and does it.
    ///
    /// With `rebuild`, datasets are built even when nothing that shapes them has changed.
    pub async fn run(&self, plan: Plan, rebuild: bool) -> Result<RunReport, RunError> {
        let ledger = self.ledger();
        let _lock = ledger.lock()?;
        let pins = self.pins(&plan, &BTreeMap::new()).await?;
        let kind = RunKind::Pipeline;
        let taken = self.last_run_in_lake().await?;
        let order = ledger
            .begin(kind, plan, pins, rebuild, self.clock.now(), taken)
            .await?;
        self.carry_out(order).await
    }

    /// Begins a run over what the last run left undone: tasks that failed, were stopped, or had no chance.
    pub async fn retry(&self) -> Result<RunReport, RunError> {
        let ledger = self.ledger();
        let _lock = ledger.lock()?;
        let nothing = |text: &str| RunError::NothingToRetry(text.to_owned());
        let last = ledger
            .last_pipeline_run()
            .await?
            .ok_or_else(|| nothing("there was no run yet"))?;
        let Some(order) = ledger.order(last).await? else {
            return Err(nothing(&format!(
                "run {last} left no plan; `comboi run all` begins a new run"
            )));
        };
        let mut done = BTreeMap::new();
        for task in &order.plan.tasks {
            if let Some(receipt) = ledger.receipt(last, &task.dataset).await?
                && receipt.outcome.is_good()
            {
                done.insert(task.dataset.clone(), receipt.version);
            }
        }
        let plan = order.plan.without(|task| done.contains_key(&task.dataset));
        if plan.tasks.is_empty() {
            return Err(nothing(&format!(
                "run {last} did everything that it was to do"
            )));
        }
        let mut known = order.pins.clone();
        known.extend(done);
        let pins = self.pins(&plan, &known).await?;
        let kind = RunKind::Retry { of: last };
        let taken = self.last_run_in_lake().await?;
        let order = ledger
            .begin(kind, plan, pins, order.rebuild, self.clock.now(), taken)
            .await?;
        self.carry_out(order).await
    }

    /// The versions to read of datasets that the plan does not make itself: the known ones, else the current ones.
    pub(crate) async fn pins(
        &self,
        plan: &Plan,
        known: &BTreeMap<DatasetId, Option<u64>>,
    ) -> Result<BTreeMap<DatasetId, Option<u64>>, RunError> {
        let made: BTreeSet<&DatasetId> = plan.tasks.iter().map(|task| &task.dataset).collect();
        let mut pins = BTreeMap::new();
        for input in plan.tasks.iter().flat_map(|task| &task.inputs) {
            if made.contains(input) || pins.contains_key(input) {
                continue;
            }
            let version = match known.get(input) {
                Some(version) => *version,
                None => self
                    .lake
                    .table(input)
                    .latest()
                    .await?
                    .map(|latest| latest.version),
            };
            pins.insert(input.clone(), version);
        }
        Ok(pins)
    }

    /// The highest number that a run of this pipeline left in the lake.
    ///
    /// The lake may know of more runs than the state of runs does, which can be lost or taken from a backup. A run
    /// with a number that the lake has would take another run's commits for its own.
    pub(crate) async fn last_run_in_lake(&self) -> Result<RunId, RunError> {
        let mut tables = vec![self.lake.record("tasks")];
        if self.ledger().is_new().await? {
            let datasets = self.project.dataset_ids();
            tables.extend(datasets.iter().map(|id| self.lake.table(id)));
        }
        let mut last = RunId(0);
        for table in tables {
            // What can't be read is told where it is needed.
            if let Ok(Some(latest)) = table.latest().await
                && let Some((run, _)) = latest.last_commit(&self.project.name)
            {
                last = last.max(run);
            }
        }
        Ok(last)
    }

    async fn carry_out(&self, order: Order) -> Result<RunReport, RunError> {
        let run = order.run;
        self.sweep_scratch();
        info!(
            run = run.0,
            task_count = order.plan.tasks.len(),
            "run {run} begins: {} tasks",
            order.plan.tasks.len()
        );
        (self.listener)(Event::RunBegan {
            run,
            tasks: order.plan.tasks.len(),
        });
        let order = Arc::new(order);
        let receipts = self.walk(&order, &order.plan.tasks, BTreeMap::new()).await;
        let mut report = self.report(&order, &receipts);
        report.stopped = self.stop.requested();
        self.put_on_record(&mut report).await;
        let ledger = self.ledger();
        if !report.stopped {
            ledger.close(&report).await?;
        }
        self.forget_old(run).await;
        self.tell_end(&report);
        Ok(report)
    }

    pub(crate) fn report(
        &self,
        order: &Order,
        receipts: &BTreeMap<DatasetId, Receipt>,
    ) -> RunReport {
        let tasks = order.plan.tasks.iter();
        RunReport {
            run: order.run,
            pipeline: self.project.name.to_string(),
            begun_at: order.begun_at,
            ended_at: self.clock.now(),
            stopped: false,
            notes: Vec::new(),
            tasks: tasks
                .filter_map(|task| receipts.get(&task.dataset).cloned())
                .collect(),
        }
    }

    /// Adds a run to the record in the lake; if that can't be done, to what people are told.
    pub(crate) async fn put_on_record(&self, report: &mut RunReport) {
        let run = report.run;
        if let Err(e) = self.work.record(self, report).await {
            let error = chain(&e);
            let note = format!(
                "the record of run {run} (`_comboi/tasks`, `_comboi/verdicts`) was not written to the lake: {error}; what the run did to datasets is there"
            );
            warn!(run = run.0, error, "{note}");
            report.notes.push(note);
        }
        report.ended_at = self.clock.now();
    }

    pub(crate) async fn forget_old(&self, run: RunId) {
        if let Err(e) = self.ledger().forget_old(run).await {
            let error = chain(&e);
            warn!(run = run.0, error, "an old run was not forgotten: {error}");
        }
    }

    pub(crate) fn tell_end(&self, report: &RunReport) {
        let run = report.run;
        info!(
            run = run.0,
            succeeded = report.count(Outcome::Succeeded),
            failed = report.count(Outcome::Failed),
            elapsed_ms = millis(report.took()),
            "run {run} ended: {} succeeded, {} skipped, {} failed",
            report.count(Outcome::Succeeded),
            report.count(Outcome::Skipped),
            report.count(Outcome::Failed) + report.count(Outcome::UpstreamFailed),
        );
        (self.listener)(Event::RunEnded { report });
    }

    /// Removes what processes left on their way into the lake that are no more.
    pub(crate) fn sweep_scratch(&self) {
        let left = std::fs::read_dir(&self.scratch)
            .into_iter()
            .flatten()
            .flatten();
        let own = format!("{}-", self.project.name);
        let is_left = |entry: &std::fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let process = name
                .strip_prefix(&own)
                .and_then(|rest| rest.split('-').next());
            process.is_some_and(|process| !is_alive(process))
        };
        for folder in left.filter(is_left) {
            if let Err(error) = std::fs::remove_dir_all(folder.path()) {
                warn!(%error, "a killed run's files could not be removed from `{}`: {error}", folder.path().display());
            }
        }
    }

    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::new(self.state.clone())
    }

    pub(crate) fn phase(&self, dataset: &DatasetId, phase: Phase) {
        (self.listener)(Event::TaskReached { dataset, phase });
    }
}

/// Whether a process of this machine is there, as far as that can be seen. Without `/proc` the pipeline's lock says that there is none
/// but this one.
fn is_alive(process: &str) -> bool {
    process == std::process::id().to_string()
        || std::path::Path::new("/proc").join(process).exists()
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
