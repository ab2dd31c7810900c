//! The work itself, apart from when it is done and what is written about it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use comboi_engine::Limits;
use comboi_plan::{Task, TaskKind};
use comboi_project::DatasetId;

use crate::ledger::Order;
use crate::receipt::RunReport;
use crate::runner::Runner;
use crate::task::{Done, TaskError};
use crate::{build, extract, record};

/// A task of a run that is to be done now.
pub(crate) struct Job {
    pub(crate) runner: Runner,
    pub(crate) order: Arc<Order>,
    pub(crate) task: Task,
    /// The versions that it reads.
    pub(crate) inputs: BTreeMap<DatasetId, Option<u64>>,
    pub(crate) limits: Limits,
}

type Doing<T> = Pin<Box<dyn Future<Output = Result<T, TaskError>> + Send>>;

/// Does what tasks are, and puts runs on record in the lake: in earnest, or, in a simulation of very many runs, in no time.
#[derive(Clone)]
pub struct Work {
    task: Arc<dyn Fn(Arc<Job>) -> Doing<Done> + Send + Sync>,
    record: Arc<dyn Fn(Runner, RunReport) -> Doing<()> + Send + Sync>,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            task: Arc::new(|job| Box::pin(async move { job.done().await })),
            record: Arc::new(|runner, report| {
                Box::pin(async move { record::write(&runner, &report).await })
            }),
        }
    }
}

impl Work {
    /// Tasks that are only simulated; no run is put on record.
    #[cfg(test)]
    pub(crate) fn simulated(
        task: impl Fn(Arc<Job>) -> Doing<Done> + Send + Sync + 'static,
    ) -> Self {
        Self {
            task: Arc::new(task),
            record: Arc::new(|_, _| Box::pin(async { Ok(()) })),
        }
    }

    pub(crate) async fn task(&self, job: &Arc<Job>) -> Result<Done, TaskError> {
        (self.task)(Arc::clone(job)).await
    }

    pub(crate) async fn record(
        &self,
        runner: &Runner,
        report: &RunReport,
    ) -> Result<(), TaskError> {
        (self.record)(runner.clone(), report.clone()).await
    }
}

impl Job {
    async fn done(&self) -> Result<Done, TaskError> {
        let (runner, order, dataset) = (&self.runner, &self.order, &self.task.dataset);
        match &self.task.kind {
            TaskKind::Extract => extract::extract(runner, order, dataset, &self.limits).await,
            TaskKind::Build => {
                build::build(runner, order, dataset, &self.inputs, &self.limits).await
            }
        }
    }
}
