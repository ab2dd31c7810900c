//! Extracting a table of a source: what is new since the checkpoint, with the checkpoint, in one commit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use comboi_engine::Limits;
use comboi_lake::{Change, Latest, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, DatasetId, Project, Stage};
use comboi_sources::{
    Checkpoint, Extract, ExtractChange, FilesReader, Known, Look, Note, Stamp, Work,
};

use crate::event::Phase;
use crate::ledger::Order;
use crate::quarantine::{QUARANTINE, Quarantine};
use crate::runner::Runner;
use crate::task::{Done, Scratch, TaskError, with_session};

/// How far the table has been read. Kept in the commit of the rows that it stands for.
pub(crate) const CHECKPOINT: &str = "checkpoint";

/// How often an extract begins again when others commit to the same table first.
const COMMIT_TRIES: u32 = 5;

/// Extracts what is new in a table.
pub(crate) async fn extract(
    runner: &Runner,
    order: &Order,
    id: &DatasetId,
    limits: &Limits,
) -> Result<Done, TaskError> {
    if runner.project.files_table(id).is_none() {
        return Err(match runner.project.source(id) {
            Some(source) => TaskError::Unsupported(source.kind()),
            None => TaskError::Defect(format!("`{id}` is planned but not in the project")),
        });
    }
    let task = Extraction {
        runner,
        order,
        id,
        table: runner.lake.table(id),
        limits,
    };
    for _ in 0..COMMIT_TRIES {
        match task.once().await {
            Err(TaskError::Lake(comboi_lake::Error::Overtaken(_))) => {}
            done => return done,
        }
    }
    Err(TaskError::Crowded)
}

struct Extraction<'a> {
    runner: &'a Runner,
    order: &'a Order,
    id: &'a DatasetId,
    table: Table,
    limits: &'a Limits,
}

impl Extraction<'_> {
    async fn once(&self) -> Result<Done, TaskError> {
        let latest = self.table.latest().await?;
        let before = latest
            .as_ref()
            .and_then(|latest| latest.last_commit(&self.runner.project.name));
        if before.is_some_and(|(run, _)| run >= self.order.run) {
            let why = "this run had extracted it";
            return Ok(as_it_is(latest.as_ref(), why, Vec::new()));
        }
        let work = match look(&self.runner.project, self.id, latest.as_ref()).await? {
            Look::NothingNew { notes } => {
                return Ok(as_it_is(latest.as_ref(), "nothing new", texts(&notes)));
            }
            Look::Work(work) => work,
        };
        // Only who reads rows needs the list of files, which takes longer to read.
        let base = self.table.snapshot().await?;
        if base.as_ref().map(|base| base.version) != latest.as_ref().map(|latest| latest.version) {
            return Err(comboi_lake::Error::Overtaken(self.table.name().to_owned()).into());
        }

        self.runner.phase(self.id, Phase::Reading);
        let scratch = Scratch::make(self.runner, self.order.run, &self.id.to_string())?;
        let known = self.known(base.as_ref(), &scratch).await?;
        let files = work.files.iter().map(|file| file.name.clone()).collect();
        let extract = self.read(work, known.clone(), &scratch).await?;

        self.runner.phase(self.id, Phase::Publishing);
        let quarantine = Quarantine {
            runner: self.runner,
            limits: self.limits,
            table: self.runner.lake.quarantine(self.id),
            scratch: scratch.path(),
        };
        let by_this_run = self.empty(Operation::Append);
        let put_aside = quarantine
            .put(base.as_ref(), files, &extract, by_this_run)
            .await?;
        let done = Done {
            rows: extract.row_count,
            quarantined_rows: extract.quarantined_count(),
            notes: extract.notes_for_people(),
            ..Done::default()
        };
        let change = self.change(extract, put_aside, base.as_ref().zip(known.as_ref()))?;
        let snapshot = self.table.commit(base.as_ref(), change).await?;
        Ok(Done {
            version: Some(snapshot.version),
            total_rows: Some(snapshot.row_count()),
            ..done
        })
    }

    /// The table as it is, on this machine's disk.
    async fn known(
        &self,
        base: Option<&Snapshot>,
        scratch: &Scratch,
    ) -> Result<Option<Known>, TaskError> {
        let Some(base) = base else { return Ok(None) };
        let files = self
            .table
            .local_files(base, &scratch.path().join("known"))
            .await?;
        Ok(Some(Known {
            columns: base.columns.clone(),
            files,
        }))
    }

    async fn read(
        &self,
        work: Work,
        known: Option<Known>,
        scratch: &Scratch,
    ) -> Result<Extract, TaskError> {
        let stamp = Stamp {
            run: self.order.run,
            loaded_at: self.runner.clock.now(),
        };
        let (project, id, to) = (
            Arc::clone(&self.runner.project),
            self.id.clone(),
            scratch.path().join("read"),
        );
        with_session(self.runner, self.limits, scratch.path(), move |session| {
            let reader = reader(&project, &id)?;
            Ok(reader.extract(&work, known.as_ref(), session, stamp, &to)?)
        })
        .await
    }

    /// The commit: rows, how far the table has been read with them, and which bad rows were put aside by then.
    fn change(
        &self,
        extract: Extract,
        quarantine: Option<u64>,
        base: Option<(&Snapshot, &Known)>,
    ) -> Result<Change, TaskError> {
        let (operation, remove) = match extract.change {
            ExtractChange::Append => (Operation::Append, Remove::Nothing),
            ExtractChange::ReplaceAll => (Operation::Replace, Remove::All),
            // Not `Operation::Rewrite`, which promises the same rows: who follows the table would pass over the new ones.
            ExtractChange::Rewrite { removed } => {
                (Operation::Replace, Remove::Files(names(&removed, base)?))
            }
        };
        Ok(Change {
            columns: extract.columns,
            add: extract.staged,
            remove,
            properties: BTreeMap::from([
                (CHECKPOINT.to_owned(), extract.checkpoint.to_string()),
                (
                    QUARANTINE.to_owned(),
                    quarantine.map_or_else(String::new, |version| version.to_string()),
                ),
            ]),
            ..self.empty(operation)
        })
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

/// What is new in a table since the checkpoint of this version.
pub(crate) async fn look(
    project: &Arc<Project>,
    id: &DatasetId,
    latest: Option<&Latest>,
) -> Result<Look, TaskError> {
    let checkpoint = latest
        .and_then(|latest| latest.properties.get(CHECKPOINT))
        .map(|text| text.parse::<Checkpoint>());
    let checkpoint = checkpoint
        .transpose()
        .map_err(|e| TaskError::Damaged(id.clone(), e))?;
    let (project, id) = (Arc::clone(project), id.clone());
    let looking =
        tokio::task::spawn_blocking(move || Ok(reader(&project, &id)?.look(checkpoint.as_ref())?));
    looking
        .await
        .unwrap_or_else(|e| Err(TaskError::Defect(e.to_string())))
}

fn reader<'a>(project: &'a Project, id: &DatasetId) -> Result<FilesReader<'a>, TaskError> {
    let found = project
        .files_table(id)
        .ok_or_else(|| TaskError::Defect(format!("`{id}` is no table of files")))?;
    Ok(FilesReader {
        source: found.0,
        table: found.1,
        folder: &project.folder,
        max_file_size: project.stages.max_file_size(Stage::Bronze),
    })
}

fn as_it_is(latest: Option<&Latest>, why: &str, notes: Vec<String>) -> Done {
    Done {
        skipped: Some(why.to_owned()),
        version: latest.map(|latest| latest.version),
        total_rows: latest.map(|latest| latest.row_count),
        notes,
        ..Done::default()
    }
}

pub(crate) fn texts(notes: &[Note]) -> Vec<String> {
    notes.iter().map(Note::to_string).collect()
}

/// The names in the table of files on this machine's disk, which stand in the same order.
fn names(removed: &[PathBuf], base: Option<(&Snapshot, &Known)>) -> Result<Vec<String>, TaskError> {
    let (snapshot, known) = base.ok_or_else(|| {
        TaskError::Defect("files are removed from a table that is not there".to_owned())
    })?;
    let name = |path: &PathBuf| {
        let place = known.files.iter().position(|file| file == path);
        let file = place.and_then(|place| snapshot.files.get(place));
        file.map(|file| file.name.clone()).ok_or_else(|| {
            TaskError::Defect("a file is removed that the table does not have".to_owned())
        })
    };
    removed.iter().map(name).collect()
}
