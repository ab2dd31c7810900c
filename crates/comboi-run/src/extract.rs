//! Extracting a table of a source: what is new since the checkpoint, with the checkpoint, in one commit.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use comboi_engine::Limits;
use comboi_lake::{Change, DataFile, Latest, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, DatasetId, Project, Stage};
use comboi_sources::{
    Checkpoint, Extract, ExtractChange, FilesReader, Known, Look, Note, Stamp, Work,
};

use crate::event::Phase;
use crate::ledger::Order;
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
        let extract = self.read(work, known.clone(), &scratch).await?;

        self.runner.phase(self.id, Phase::Publishing);
        self.put_aside(base.as_ref(), &extract).await?;
        let done = Done {
            rows: extract.row_count,
            quarantined_rows: extract.quarantined_count(),
            notes: extract.notes_for_people(),
            ..Done::default()
        };
        let change = self.change(extract, base.as_ref().zip(known.as_ref()))?;
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

    /// The commit: rows, and how far the table has been read with them.
    fn change(
        &self,
        extract: Extract,
        base: Option<(&Snapshot, &Known)>,
    ) -> Result<Change, TaskError> {
        let (operation, remove) = match extract.change {
            ExtractChange::Append => (Operation::Append, Remove::Nothing),
            ExtractChange::ReplaceAll => (Operation::Replace, Remove::All),
            ExtractChange::Rewrite { removed } => {
                (Operation::Rewrite, Remove::Files(names(&removed, base)?))
            }
        };
        Ok(Change {
            columns: extract.columns,
            add: extract.staged,
            remove,
            properties: BTreeMap::from([(CHECKPOINT.to_owned(), extract.checkpoint.to_string())]),
            ..self.empty(operation)
        })
    }

    /// Puts bad rows beside the table, before the commit that says their files have been read.
    ///
    /// If that commit never comes, these rows are taken away by the next extract, which finds them again: they are
    /// of a run that is later than any that the table has.
    async fn put_aside(&self, base: Option<&Snapshot>, extract: &Extract) -> Result<(), TaskError> {
        let table = self.runner.lake.quarantine(self.id);
        let quarantine = table.snapshot().await?;
        let (staged, columns) = match (&extract.quarantined, &quarantine) {
            (Some(bad), _) => (bad.staged.clone(), bad.columns.clone()),
            (None, Some(quarantine)) => (Vec::new(), quarantine.columns.clone()),
            (None, None) => return Ok(()),
        };
        let gone = self.out_of_date(base, quarantine.as_ref(), &extract.change);
        if staged.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let before = quarantine
            .as_ref()
            .and_then(|quarantine| quarantine.last_commit(&self.runner.project.name));
        let chunk = before
            .filter(|(run, _)| *run == self.order.run)
            .map_or(0, |(_, chunk)| chunk + 1);
        let change = Change {
            chunk,
            columns,
            add: staged,
            remove: Remove::Files(gone),
            ..self.empty(Operation::Append)
        };
        table.commit(quarantine.as_ref(), change).await?;
        Ok(())
    }

    /// Files of the quarantine whose rows this extract finds again.
    fn out_of_date(
        &self,
        base: Option<&Snapshot>,
        quarantine: Option<&Snapshot>,
        change: &ExtractChange,
    ) -> Vec<String> {
        let pipeline = &self.runner.project.name;
        let committed = base
            .and_then(|base| base.last_commit(pipeline))
            .map(|(run, _)| run);
        let never_committed = |file: &DataFile| {
            file.written_by().is_some_and(|(by, run)| {
                by == *pipeline && committed.is_none_or(|committed| run > committed)
            })
        };
        let files = quarantine
            .into_iter()
            .flat_map(|quarantine| &quarantine.files);
        files
            .filter(|file| *change == ExtractChange::ReplaceAll || never_committed(file))
            .map(|file| file.name.clone())
            .collect()
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
