//! What the two kinds of task have in common: their errors, their results, their place on disk.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use comboi_engine::{DedupeReport, Limits, Session, Verdict};
use comboi_project::DatasetId;
use comboi_sources::Note;

use crate::receipt::{Outcome, Receipt};
use crate::runner::{Runner, machine_tag};

/// What a task did.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// Why there was nothing to do; `None` when something was done.
    pub(crate) skipped: Option<String>,
    pub(crate) version: Option<u64>,
    pub(crate) inputs: BTreeMap<DatasetId, u64>,
    pub(crate) rows: u64,
    pub(crate) total_rows: Option<u64>,
    pub(crate) quarantined_rows: u64,
    pub(crate) published: Option<String>,
    pub(crate) notes: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) dedupe: Option<DedupeReport>,
    pub(crate) linkage: Option<serde_json::Value>,
    pub(crate) verdicts: Vec<Verdict>,
    pub(crate) late: bool,
}

impl Done {
    /// Adds what a source said of its rows.
    pub(crate) fn add_notes(&mut self, notes: &[Note]) {
        let (warnings, notes) = texts(notes);
        self.notes.extend(notes);
        self.warnings.extend(warnings);
    }

    pub(crate) fn put_into(self, receipt: &mut Receipt) {
        receipt.outcome = if self.skipped.is_some() {
            Outcome::Skipped
        } else {
            Outcome::Succeeded
        };
        receipt.reason = self.skipped;
        receipt.version = self.version;
        receipt.inputs = self.inputs;
        receipt.rows = self.rows;
        receipt.total_rows = self.total_rows;
        receipt.quarantined_rows = self.quarantined_rows;
        receipt.published = self.published;
        receipt.notes = self.notes;
        receipt.warnings = self.warnings;
        receipt.dedupe = self.dedupe;
        receipt.linkage = self.linkage;
        receipt.verdicts = self.verdicts;
        receipt.late = self.late;
    }
}

/// Why a task did not do its work.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    #[error(transparent)]
    Lake(#[from] comboi_lake::Error),
    #[error(transparent)]
    Engine(#[from] comboi_engine::Error),
    #[error(transparent)]
    Linkage(#[from] comboi_linkage::Error),
    #[error(transparent)]
    Source(#[from] comboi_sources::Error),
    /// A rule with severity `error` was broken.
    #[error("its contract does not hold")]
    Contract(Vec<Verdict>),
    /// It must not be published, whatever its rows are.
    #[error("{0}; nothing was written")]
    Unpublishable(String),
    /// Something it reads is not in the lake.
    #[error(
        "it reads `{0}`, which is not in the lake yet; run that first: `comboi run all --select +{1}`"
    )]
    NoInput(DatasetId, String),
    /// The key of pseudonyms is not to be had.
    #[error("the key of pseudonyms could not be read")]
    Key(#[from] comboi_project::UnresolvedSetting),
    /// A range of it can't be read again, because its first load is not through.
    #[error(
        "`{0}` has not been loaded yet, so there is nothing to read again; run it first: `comboi run bronze`"
    )]
    NotYet(DatasetId),
    /// Others committed first, every time.
    #[error(
        "others kept committing to it first; nothing was lost, run it again when they are through"
    )]
    Crowded,
    /// A later run changed it, and not to what this run would make of it.
    #[error(
        "run {1} has changed `{0}` since this run began, and not as this run would; nothing of this run was written to it: run again to have it made of what there is now"
    )]
    LaterRun(DatasetId, comboi_project::RunId),
    /// Its place on this machine's disk.
    #[error("the scratch folder `{}` could not be used", .0.display())]
    Scratch(PathBuf, #[source] std::io::Error),
    /// What the lake keeps about it is not what comboi wrote.
    #[error(
        "the checkpoint of `{0}` can't be understood, so nothing was read; `comboi history {0}` and `comboi restore` go back to a version where it can, `comboi reset-checkpoint` reads everything again"
    )]
    Damaged(DatasetId, #[source] comboi_sources::BadCheckpoint),
    /// A defect.
    #[error("comboi itself failed: {0}")]
    Defect(String),
}

impl TaskError {
    /// The same, said of the dataset where the fence of a later run refused a commit.
    pub(crate) fn of_later_run(self, dataset: &DatasetId) -> Self {
        match self {
            Self::Lake(comboi_lake::Error::Superseded { by: (run, _), .. }) => {
                Self::LaterRun(dataset.clone(), run)
            }
            other => other,
        }
    }

    /// Whether the same task may succeed if it is tried again at once.
    pub(crate) fn worth_retrying(&self) -> bool {
        match self {
            Self::Lake(e) => comboi_lake::worth_retrying(e),
            Self::Source(e) => comboi_sources::worth_retrying(e),
            Self::Key(unresolved) => {
                matches!(
                    unresolved.source,
                    comboi_project::SecretsError::Unavailable(_)
                )
            }
            Self::Engine(_)
            | Self::Linkage(_)
            | Self::Contract(_)
            | Self::Unpublishable(_)
            | Self::NoInput(..)
            | Self::NotYet(_)
            | Self::Crowded
            | Self::LaterRun(..)
            | Self::Scratch(..)
            | Self::Damaged(..)
            | Self::Defect(_) => false,
        }
    }
}

/// The warnings among notes, and the others.
pub(crate) fn texts(notes: &[Note]) -> (Vec<String>, Vec<String>) {
    let (warnings, notes): (Vec<&Note>, Vec<&Note>) =
        notes.iter().partition(|note| note.is_warning());
    let texts = |notes: Vec<&Note>| notes.into_iter().map(Note::to_string).collect();
    (texts(warnings), texts(notes))
}

/// An error and what caused it, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(e) = cause {
        let next = e.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = e.source();
    }
    text
}

/// A task's own folder, gone with everything in it when it is dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn make(
        runner: &Runner,
        run: comboi_project::RunId,
        task: &str,
    ) -> Result<Self, TaskError> {
        /// Two messages of a queue may ask one process for the same task.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!(
            "{}-{}-{}-{}-{:012}-{}",
            runner.project.name,
            machine_tag(),
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed),
            run.0,
            task.replace('/', "-")
        );
        let folder = runner.scratch.join(name);
        std::fs::create_dir_all(&folder).map_err(|e| TaskError::Scratch(folder.clone(), e))?;
        Ok(Self(folder))
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays behind is unreferenced, and the next run of this pipeline sweeps the folder.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Runs blocking work with a DuckDB of its own, which ends when the run is asked to stop.
pub(crate) async fn with_session<T: Send + 'static>(
    runner: &Runner,
    limits: &Limits,
    folder: &std::path::Path,
    work: impl FnOnce(&Session) -> Result<T, TaskError> + Send + 'static,
) -> Result<T, TaskError> {
    let (stop, limits, folder) = (runner.stop.clone(), *limits, folder.to_owned());
    let working = tokio::task::spawn_blocking(move || {
        let session = Session::open(&limits, &folder)?;
        let _watch = stop.watch(session.interrupter());
        work(&session)
    });
    working
        .await
        .unwrap_or_else(|e| Err(TaskError::Defect(e.to_string())))
}
