//! Extracting a table of a source: what is new since the checkpoint, with the checkpoint, in one commit.

mod databases;
mod files;
mod files_read;

use std::collections::BTreeMap;
use std::path::PathBuf;

use comboi_engine::Limits;
use comboi_lake::{Change, DataFile, Latest, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, DatasetId, Source};
use comboi_sources::{Extract, ExtractChange, Known, Note};

use crate::ledger::{Order, RunKind};
use crate::retention;
use crate::runner::Runner;
use crate::task::{Done, Scratch, TaskError};
use crate::writer::{self, Standing};

pub(crate) use databases::{Range, look as look_at_database, open};
pub(crate) use files::look as look_at_files;
pub use files_read::checkpoint_of;
pub(crate) use files_read::{FilesRead, files_version};

/// How far the table has been read. Kept in the commit of the rows that it stands for.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// How often an extract begins again when others commit to the same table first.
const COMMIT_TRIES: u32 = 5;

/// A table that is extracted in a run.
#[derive(Clone)]
pub(crate) struct Extraction<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) order: &'a Order,
    pub(crate) id: &'a DatasetId,
    pub(crate) table: Table,
    pub(crate) limits: &'a Limits,
}

/// Extracts what is new in a table.
pub(crate) async fn extract(
    runner: &Runner,
    order: &Order,
    id: &DatasetId,
    limits: &Limits,
) -> Result<Done, TaskError> {
    let task = Extraction {
        runner,
        order,
        id,
        table: runner.lake.table(id),
        limits,
    };
    for _ in 0..COMMIT_TRIES {
        let done = match runner.project.source(id) {
            Some(Source::Files(_)) => task.files().await,
            Some(Source::Postgres(_) | Source::AzureSql(_)) => task.database().await,
            None => Err(TaskError::Defect(format!(
                "`{id}` is planned but not in the project"
            ))),
        };
        match done {
            Err(TaskError::Lake(comboi_lake::Error::Overtaken(_))) => {}
            done => return done.map_err(|e| e.of_later_run(id)),
        }
    }
    Err(TaskError::Crowded)
}

impl Extraction<'_> {
    fn standing(&self, latest: Option<&Latest>) -> Standing {
        let Some(latest) = latest else {
            return Standing::Free;
        };
        let pipeline = &self.runner.project.name;
        let last = latest.last_commit(pipeline).map(|(run, _)| run);
        Standing::of(self.order, pipeline, &latest.properties, last)
    }

    /// The table as it is, with these of its files.
    async fn known(
        &self,
        base: &Snapshot,
        files: Vec<DataFile>,
        scratch: &Scratch,
    ) -> Result<TableHere, TaskError> {
        let folder = scratch.path().join("known");
        let paths = self.table.local_copies(&files, &folder).await?;
        Ok(TableHere {
            names: files.into_iter().map(|file| file.name).collect(),
            known: Known {
                columns: base.columns.clone(),
                whole: paths.len() == base.files.len(),
                files: paths,
            },
        })
    }

    /// How long the table's rows are kept, where that is said.
    fn kept_for(&self) -> Option<retention::Limits> {
        let kept_for = self.runner.project.kept_for(self.id);
        retention::Limits::new(kept_for, self.order.begun_at)
    }

    /// The commit: rows, and how far the table has been read with them.
    fn change(
        &self,
        extract: Extract,
        chunk: u32,
        here: Option<&TableHere>,
    ) -> Result<Change, TaskError> {
        let (operation, remove) = match extract.change {
            ExtractChange::Append => (Operation::Append, Remove::Nothing),
            ExtractChange::ReplaceAll => (Operation::Replace, Remove::All),
            // Not `Operation::Rewrite`, which promises the same rows: who follows the table would pass over the new ones.
            ExtractChange::Rewrite { removed } => {
                (Operation::Replace, Remove::Files(names(&removed, here)?))
            }
        };
        // Ranges that are read again are not what a run extracts.
        let mut properties = match self.order.kind {
            RunKind::Backfill => BTreeMap::new(),
            _ => writer::note(&self.runner.project.name, self.order),
        };
        properties.insert(CHECKPOINT.to_owned(), extract.checkpoint);
        Ok(Change {
            columns: extract.columns,
            add: extract.staged,
            remove,
            chunk,
            properties,
            ..self.empty(operation)
        })
    }

    /// The notes, with the command that brings back what the table was before this run.
    fn undoable(&self, notes: &[Note], before: Option<u64>) -> Vec<Note> {
        let Some(version) = before else {
            return notes.to_vec();
        };
        let command = format!("comboi restore {} --version {version}", self.id);
        let notes = notes.iter().cloned();
        notes.map(|note| note.undone_by(&command)).collect()
    }

    fn empty(&self, operation: Operation) -> Change {
        Change {
            pipeline: self.runner.project.name.clone(),
            run: self.order.run,
            chunk: 0,
            operation,
            columns: Columns::default(),
            add: Vec::new(),
            remove: Remove::Nothing,
            properties: BTreeMap::new(),
            at: self.runner.clock.now(),
        }
    }
}

/// Why a run has nothing to extract; an error, when a later run changed the table, which this one can't undo.
fn why_skip(standing: Standing, id: &DatasetId) -> Result<Option<String>, TaskError> {
    match standing {
        Standing::Free => Ok(None),
        Standing::Ours => Ok(Some("this run had extracted it".to_owned())),
        // It read what there was when it began, or later.
        Standing::Later(run) => Ok(Some(format!(
            "run {run}, which began later, has extracted it"
        ))),
        Standing::Fenced(run) => Err(TaskError::LaterRun(id.clone(), run)),
    }
}

fn as_it_is(latest: Option<&Latest>, why: &str, notes: &[Note]) -> Done {
    let mut done = Done {
        skipped: Some(why.to_owned()),
        version: latest.map(|latest| latest.version),
        total_rows: latest.map(|latest| latest.row_count),
        ..Done::default()
    };
    done.add_notes(notes);
    done
}

/// A table as it is, with files of it on this machine's disk.
struct TableHere {
    known: Known,
    /// What the table calls the files.
    names: Vec<String>,
}

/// The names in the table of files on this machine's disk.
fn names(removed: &[PathBuf], here: Option<&TableHere>) -> Result<Vec<String>, TaskError> {
    let here = here.ok_or_else(|| {
        TaskError::Defect("files are removed from a table that is not there".to_owned())
    })?;
    let name = |path: &PathBuf| {
        let place = here.known.files.iter().position(|file| file == path);
        let name = place.and_then(|place| here.names.get(place)).cloned();
        name.ok_or_else(|| {
            TaskError::Defect("a file is removed that the table does not have".to_owned())
        })
    };
    removed.iter().map(name).collect()
}
