//! Doing a plan: from its order to its report.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use comboi_engine::Limits;
use comboi_lake::{Lake, State, Table};
use comboi_plan::Plan;
use comboi_project::{DatasetId, Project, RunId};
use comboi_sources::database::Databases;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::beside::Beside;
use crate::clock::Clock;
use crate::event::{Amount, Event, Listener, Phase};
use crate::ledger::{Ledger, LedgerError, Order, RunKind};
use crate::process::Process;
use crate::receipt::{Outcome, Receipt, RunReport};
use crate::stop::Stop;
use crate::task::chain;
use crate::work::Work;

/// How long a task may take at most, as far as what it left in scratch is concerned.
const SCRATCH_TAKES: Duration = Duration::from_secs(24 * 60 * 60);

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
    /// This process, as others can tell it.
    pub process: Process,
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
        let order = Order {
            pins: self.pins(&plan, &BTreeMap::new()).await?,
            rebuild,
            ..Order::new(RunKind::Pipeline, plan, self.clock.now())
        };
        let written = written_by(&order.plan);
        let order = self.take_number(order, &written).await?;
        self.carry_out(order).await
    }

    /// Begins a run over what the last run left undone: tasks that failed, were stopped, or had no chance.
    pub async fn retry(&self) -> Result<RunReport, RunError> {
        let nothing = |text: &str| RunError::NothingToRetry(text.to_owned());
        let mut ledger = self.ledger();
        let mut last = ledger.last_pipeline_run().await?;
        if let Some(earlier) = ledger.earlier().filter(|_| last.is_none()) {
            last = earlier.last_pipeline_run().await?;
            ledger = earlier;
        }
        let order = match last {
            Some(last) => ledger.order(last).await?.map(|order| (last, order)),
            None => None,
        };
        let Some((last, order)) = order else {
            return Err(match ledger.last_run().await? {
                RunId(0) => nothing("there was no run yet"),
                last => nothing(&format!(
                    "run {last} left no plan; `comboi run all` begins a new run"
                )),
            });
        };
        if let Some(process) = &order.process
            && *process != self.process
            && !ledger.is_closed(last).await?
            && ledger
                .goes_on(&order, &self.process, self.clock.now())
                .await?
        {
            let host = &process.host;
            return Err(nothing(&format!(
                "run {last} is under way on `{host}`, so nobody knows yet what it leaves undone; `comboi status {last}` shows how far it is"
            )));
        }
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
        let order = Order {
            pins: self.pins(&plan, &known).await?,
            rebuild: order.rebuild,
            ..Order::new(RunKind::Retry { of: last }, plan, self.clock.now())
        };
        let written = written_by(&order.plan);
        let order = self.take_number(order, &written).await?;
        self.carry_out(order).await
    }

    /// Gives a run of this process the next number, unless another process of this machine is at work. `written` are the datasets that it
    /// may commit to.
    pub(crate) async fn take_number(
        &self,
        order: Order,
        written: &[DatasetId],
    ) -> Result<Order, RunError> {
        let open = self.ledger().of_processes().await?;
        self.refuse_second(&open).await?;
        let last = self.last_number(written).await?;
        let order = Order {
            process: Some(self.process.clone()),
            ..order
        };
        let order = self.ledger().begin(order, last).await?;
        self.close_interrupted(&open, order.run).await;
        Ok(order)
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

    /// The last number that any run of this pipeline had: by the state of runs, and by the lake, in the datasets that the new run may commit
    /// to and in the record of runs. Where the state knows less than these, or nothing yet, in everything that the project has there.
    ///
    /// The state of runs can be lost or taken from a backup. A run whose number is not higher than those in the lake could not commit.
    pub(crate) async fn last_number(&self, written: &[DatasetId]) -> Result<RunId, RunError> {
        let ledger = self.ledger();
        let known = ledger.last_run().await?;
        ledger.refuse_newer(known).await?;
        let earlier = match ledger.earlier() {
            Some(earlier) => earlier.last_number().await?,
            None => RunId(0),
        };
        let in_lake = self.last_run_in_lake(written, known).await;
        Ok(known.max(earlier).max(in_lake))
    }

    async fn last_run_in_lake(&self, written: &[DatasetId], known: RunId) -> RunId {
        let mut tables: Vec<Table> = written.iter().map(|id| self.lake.table(id)).collect();
        tables.push(self.lake.record("tasks"));
        let last = self.last_run_of(tables).await;
        if known > RunId(0) && last <= known {
            return last;
        }
        let mut tables = vec![self.lake.record("verdicts")];
        for id in self.project.dataset_ids() {
            tables.push(self.lake.table(&id));
            let beside = Beside::of(&id).into_iter();
            tables.extend(beside.map(|kind| kind.table(&self.lake, &id)));
        }
        last.max(self.last_run_of(tables).await)
    }

    /// The last run of this pipeline in any of these. What can't be read is told where it is needed.
    async fn last_run_of(&self, tables: Vec<Table>) -> RunId {
        const AT_ONCE: usize = 16;
        let (mut last, mut looking) = (RunId(0), JoinSet::new());
        let mut tables = tables.into_iter();
        loop {
            while looking.len() < AT_ONCE
                && let Some(table) = tables.next()
            {
                let pipeline = self.project.name.clone();
                looking.spawn(async move { table.last_run(&pipeline).await });
            }
            match looking.join_next().await {
                Some(Ok(Ok(Some(run)))) => last = last.max(run),
                Some(_) => {}
                None => return last,
            }
        }
    }

    async fn carry_out(&self, order: Order) -> Result<RunReport, RunError> {
        let run = order.run;
        self.sweep_scratch();
        info!(
            event = "run_began",
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
        let beating = self.beating(run);
        let receipts = self.walk(&order, &order.plan.tasks, BTreeMap::new()).await;
        let mut report = self.report(&order, &receipts);
        report.stopped = self.stop.requested();
        self.put_on_record(&mut report).await;
        log_end(&report);
        if !self.ledger().close(&report).await? {
            let text = format!(
                "another process took run {run} for interrupted and closed it as such, because it saw no sign of life of it; what the run did is in the lake"
            );
            warn!(run = run.0, "{text}");
            report.notes.push(text);
        }
        drop(beating);
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
            interrupted: false,
            failure: None,
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
        (self.listener)(Event::RunEnded { report });
    }

    /// Removes what processes left on their way into the lake that are no more. Whether those of another machine are, nobody can see: what they
    /// left goes when it is a day old.
    pub(crate) fn sweep_scratch(&self) {
        let left = std::fs::read_dir(&self.scratch)
            .into_iter()
            .flatten()
            .flatten();
        let is_left = |entry: &std::fs::DirEntry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let of_process = name
                .strip_prefix(self.project.name.as_str())
                .and_then(|rest| rest.strip_prefix('-'));
            let Some((machine, rest)) = of_process.and_then(|rest| rest.split_once('-')) else {
                return false;
            };
            if machine == machine_tag() {
                let process = rest.split('-').next();
                return process.is_some_and(|process| !is_alive(process));
            }
            let modified = entry.metadata().and_then(|it| it.modified());
            let now = std::time::SystemTime::from(self.clock.now());
            modified.is_ok_and(|it| now.duration_since(it).is_ok_and(|age| age > SCRATCH_TAKES))
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

    pub(crate) fn counted(&self, dataset: &DatasetId, amount: Amount) {
        (self.listener)(Event::TaskCounted { dataset, amount });
    }
}

/// Whether a process of this machine is there.
fn is_alive(process: &str) -> bool {
    process == std::process::id().to_string()
        || std::path::Path::new("/proc").join(process).exists()
}

/// The machine that this process is on, in a word for the names of folders.
pub(crate) fn machine_tag() -> &'static str {
    static TAG: LazyLock<String> = LazyLock::new(|| {
        let mut hasher = DefaultHasher::new();
        Process::this().machine.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    });
    &TAG
}

/// The datasets that a plan may commit to.
pub(crate) fn written_by(plan: &Plan) -> Vec<DatasetId> {
    plan.tasks.iter().map(|task| task.dataset.clone()).collect()
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// One line for the end of each run, numbers only: alerts go by its fields, and a line that is too long is cut off on the way to them. It is
/// written before the run is closed: a process that is killed in between is followed by one that writes it again.
pub(crate) fn log_end(report: &RunReport) {
    let (run, outcome) = (report.run, report.ending());
    let [succeeded, skipped, failed, upstream_failed, stopped] = [
        Outcome::Succeeded,
        Outcome::Skipped,
        Outcome::Failed,
        Outcome::UpstreamFailed,
        Outcome::Stopped,
    ]
    .map(|outcome| report.count(outcome));
    let late = report.tasks.iter().filter(|task| task.late).count();
    let warnings: usize = report.tasks.iter().map(|task| task.warnings.len()).sum();
    let quarantined_rows: u64 = report.tasks.iter().map(|task| task.quarantined_rows).sum();
    let elapsed_ms = millis(report.took());
    macro_rules! log {
        ($level:ident) => {
            $level!(
                event = "run_ended",
                run = run.0,
                pipeline = report.pipeline,
                outcome,
                succeeded,
                skipped,
                failed,
                upstream_failed,
                stopped,
                late,
                warnings,
                quarantined_rows,
                elapsed_ms,
                "run {run} {outcome}: {succeeded} succeeded, {skipped} skipped, {failed} failed, {upstream_failed} not begun after a failure, {stopped} stopped"
            )
        };
    }
    match outcome {
        "succeeded" if late == 0 && warnings == 0 && quarantined_rows == 0 => log!(info),
        "succeeded" | "stopped" => log!(warn),
        _ => log!(error),
    }
}
