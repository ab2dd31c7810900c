//! A table of files.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_lake::{Operation, Snapshot};
use comboi_project::{DatasetId, Project, Stage};
use comboi_sources::{Checkpoint, Extract, FilesReader, Known, Look, Stamp, Work};

use super::{Extraction, FilesRead, TableHere, as_it_is, why_skip};
use crate::event::{Amount, Phase};
use crate::quarantine::{QUARANTINE, Quarantine};
use crate::task::{Done, Scratch, TaskError, chain, with_session};

/// An extract, and what people should know of rows that were left out of it.
type Read = (Extract, Option<String>);

impl Extraction<'_> {
    /// Extracts a table of files.
    pub(super) async fn files(&self) -> Result<Done, TaskError> {
        let latest = self.table.latest().await?;
        if let Some(why) = why_skip(self.standing(latest.as_ref()), self.id)? {
            return Ok(as_it_is(latest.as_ref(), &why, &[]));
        }
        let properties = latest.as_ref().map(|latest| &latest.properties);
        let before = FilesRead::of(&self.runner.lake, self.id, properties).await?;
        let (project, now) = (&self.runner.project, self.runner.clock.now());
        let work = match look(project, self.id, before.checkpoint.as_ref(), now).await? {
            Look::NothingNew { notes } => {
                return Ok(as_it_is(latest.as_ref(), "nothing new", &notes));
            }
            Look::Work(work) => work,
        };
        // Only who reads rows needs the list of files, which takes longer to read.
        let base = self.table.snapshot().await?;
        if base.as_ref().map(|base| base.version) != latest.as_ref().map(|latest| latest.version) {
            return Err(comboi_lake::Error::Overtaken(self.table.name().to_owned()).into());
        }

        self.runner.phase(self.id, Phase::Reading);
        let bytes = Amount::Bytes(work.estimated_bytes);
        self.runner.counted(self.id, bytes);
        let scratch = Scratch::make(self.runner, self.order.run, &self.id.to_string())?;
        let files = work.files.iter().map(|file| file.name.clone()).collect();
        let (read, here) = self.read(work, base.as_ref(), &scratch).await?;
        let (mut extract, left_out) = read;
        if extract.columns.is_empty() && base.is_none() {
            // Nobody could read a table without columns. The files are looked at again.
            let why = "no file has a column yet";
            return Ok(as_it_is(latest.as_ref(), why, &extract.notes));
        }

        self.runner.phase(self.id, Phase::Publishing);
        let quarantine = Quarantine {
            runner: self.runner,
            limits: self.limits,
            table: self.runner.lake.quarantine(self.id),
            scratch: scratch.path(),
        };
        let by_this_run = self.empty(Operation::Append);
        let put_aside = quarantine
            .put(base.as_ref(), files, &extract, by_this_run.clone())
            .await?;
        let checkpoint: Checkpoint = extract.checkpoint.parse().map_err(bad_checkpoint)?;
        let table = self.runner.lake.files_read(self.id);
        let noted = before.put(&table, checkpoint, by_this_run, scratch.path());
        let noted = match noted.await {
            // A later run is about to commit the same: whether it did is seen the next time.
            Err(TaskError::Lake(comboi_lake::Error::Superseded { .. })) => {
                return Err(comboi_lake::Error::Overtaken(self.table.name().to_owned()).into());
            }
            noted => noted?,
        };
        extract.checkpoint = noted.to_string();
        let mut done = Done {
            rows: extract.row_count,
            quarantined_rows: extract.quarantined_count(),
            notes: extract.drift.clone(),
            ..Done::default()
        };
        done.add_notes(
            &self.undoable(&extract.notes, latest.as_ref().map(|latest| latest.version)),
        );
        done.notes.extend(left_out);
        let mut change = self.change(extract, 0, here.as_ref())?;
        // Which bad rows were put aside by then.
        let noted = put_aside.map_or_else(String::new, |version| version.to_string());
        change.properties.insert(QUARANTINE.to_owned(), noted);
        let committed = self.table.commit_only(base.as_ref(), change).await?;
        Ok(Done {
            version: Some(committed.version),
            total_rows: Some(committed.row_count),
            ..done
        })
    }

    /// Reads with the table's files on this machine only if they are needed, which may turn out late.
    async fn read(
        &self,
        work: Work,
        base: Option<&Snapshot>,
        scratch: &Scratch,
    ) -> Result<(Read, Option<TableHere>), TaskError> {
        let Some(base) = base else {
            return Ok((self.read_beside(work, None, scratch, "read").await?, None));
        };
        if !work.compares() {
            let here = self.known(base, Vec::new(), scratch).await?;
            let known = Some(here.known.clone());
            match self
                .read_beside(work.clone(), known, scratch, "first")
                .await
            {
                Err(TaskError::Source(comboi_sources::Error::TableNeeded)) => {}
                read => return Ok((read?, Some(here))),
            }
        }
        let here = self.known(base, base.files.clone(), scratch).await?;
        let known = Some(here.known.clone());
        let read = self.read_beside(work, known, scratch, "read").await?;
        Ok((read, Some(here)))
    }

    async fn read_beside(
        &self,
        work: Work,
        known: Option<Known>,
        scratch: &Scratch,
        folder: &str,
    ) -> Result<Read, TaskError> {
        let limits = self.kept_for();
        let stamp = Stamp {
            run: self.order.run,
            loaded_at: self.runner.clock.now(),
        };
        let (project, id, to) = (
            Arc::clone(&self.runner.project),
            self.id.clone(),
            scratch.path().join(folder),
        );
        with_session(self.runner, self.limits, scratch.path(), move |session| {
            let reader = reader(&project, &id)?;
            let extract = reader.extract(&work, known.as_ref(), session, stamp, &to)?;
            match limits {
                Some(limits) => limits.hold_extract(session, extract, &to),
                None => Ok((extract, None)),
            }
        })
        .await
    }
}

fn bad_checkpoint(error: comboi_sources::BadCheckpoint) -> TaskError {
    TaskError::Defect(format!("an extract gave no checkpoint: {}", chain(&error)))
}

/// What is new in a table since this checkpoint.
pub(crate) async fn look(
    project: &Arc<Project>,
    id: &DatasetId,
    checkpoint: Option<&Checkpoint>,
    now: DateTime<Utc>,
) -> Result<Look, TaskError> {
    let (project, id) = (Arc::clone(project), id.clone());
    let checkpoint = checkpoint.cloned();
    let looking = tokio::task::spawn_blocking(move || {
        Ok(reader(&project, &id)?.look(checkpoint.as_ref(), now)?)
    });
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
