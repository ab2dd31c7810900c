//! A table of a database.

use std::path::Path;
use std::sync::Arc;

use comboi_engine::{Interrupter, Session};
use comboi_lake::{Latest, Snapshot};
use comboi_project::{DatasetId, Project, Stage};
use comboi_sources::database::{
    Chunk, Compared, Cut, DatabaseLook, DatabaseReader, Databases, Position, Reading,
};
use comboi_sources::{Extract, Known, Note, Stamp};

use super::{CHECKPOINT, Extraction, TableHere, as_it_is, why_skip};
use crate::event::{Amount, Phase};
use crate::runner::Runner;
use crate::task::{Done, Scratch, TaskError, with_session};
use crate::writer::Standing;

/// Connections that one table is read by, if the configuration does not say.
const CONNECTIONS: usize = 4;
/// The run of the last commit, and how many rows it had committed then.
const ROWS_OF_RUN: &str = "rows_of_run";
const ROW_GROUP_ROWS: u32 = 122_880;

/// A range of the incremental column: from a value (itself too) to another one (itself not), as the database writes them.
#[derive(Clone, Debug)]
pub(crate) struct Range {
    pub(crate) from: String,
    pub(crate) below: String,
}

impl Extraction<'_> {
    /// Extracts what is new in a table of a database.
    pub(super) async fn database(&self) -> Result<Done, TaskError> {
        let latest = self.table.latest().await?;
        let position = position(self.id, latest.as_ref())?;
        let before = latest
            .as_ref()
            .and_then(|latest| latest.last_commit(&self.runner.project.name));
        let unfinished = position.as_ref().is_some_and(|it| it.load.is_some());
        let standing = self.standing(latest.as_ref());
        let first_chunk = match (before, standing) {
            (Some((run, chunk)), _) if run == self.order.run && unfinished => chunk + 1,
            // It is loading the table, and has not finished.
            (_, Standing::Later(run)) if unfinished => {
                return Err(TaskError::LaterRun(self.id.clone(), run));
            }
            (_, Standing::Ours) if self.committed(latest.as_ref()) > 0 => {
                return Ok(self.done_before(latest.as_ref()));
            }
            _ => match why_skip(standing, self.id)? {
                Some(why) => return Ok(as_it_is(latest.as_ref(), &why, &[])),
                None => 0,
            },
        };
        let (reader, notes) = self.reader()?;
        let known = latest.as_ref().map(|latest| &latest.columns);
        let has_rows = latest.as_ref().is_some_and(|latest| latest.row_count > 0);
        let watch = self.runner.stop.watch(reader.stop.clone());
        let reading = reader.open(position.as_ref(), known, has_rows).await?;
        drop(watch);
        let before = self.done_before(latest.as_ref());
        let mut done = self.commit_all(reading, before, first_chunk).await?;
        let notes: Vec<Note> = notes.into_iter().map(Note::Connection).collect();
        done.add_notes(&notes);
        Ok(done)
    }

    /// Reads a range again, whatever the checkpoint says, which stays where it is.
    pub(crate) async fn range(&self, range: &Range, chunk: u32) -> Result<Done, TaskError> {
        let latest = self.table.latest().await?;
        let position = position(self.id, latest.as_ref())?
            .ok_or_else(|| TaskError::NotYet(self.id.clone()))?;
        if position.load.is_some() {
            return Err(TaskError::NotYet(self.id.clone()));
        }
        let (reader, _) = self.reader()?;
        let known = latest.as_ref().map(|latest| &latest.columns);
        let reading = reader
            .open_window(&position, known, &range.from, &range.below)
            .await?;
        // Each range is reported for itself.
        let before = Done {
            rows: 0,
            skipped: Some("nothing new".to_owned()),
            ..self.done_before(latest.as_ref())
        };
        self.commit_all(reading, before, chunk).await
    }

    fn reader(&self) -> Result<(DatabaseReader<'_>, Vec<String>), TaskError> {
        let Runner {
            project, databases, ..
        } = self.runner;
        let (mut reader, notes) = open(project, databases, self.id, self.limits.threads)?;
        reader.deadline = self.runner.stop.deadline();
        Ok((reader, notes))
    }

    async fn commit_all(
        &self,
        mut reading: Reading<'_>,
        mut done: Done,
        first_chunk: u32,
    ) -> Result<Done, TaskError> {
        self.runner.phase(self.id, Phase::Reading);
        let _watch = self.runner.stop.watch(reading.stop());
        let scratch = Scratch::make(self.runner, self.order.run, &self.id.to_string())?;
        let stamp = Stamp {
            run: self.order.run,
            loaded_at: self.runner.clock.now(),
        };
        let version_before = done.version;
        for number in first_chunk.. {
            let folder = scratch.path().join(format!("chunk-{number}"));
            std::fs::create_dir(&folder).map_err(|e| TaskError::Scratch(folder.clone(), e))?;
            let Some(chunk) = reading.next(stamp, &folder).await? else {
                break;
            };
            done.add_notes(&self.undoable(chunk.notes(), version_before));
            let base = self.table.snapshot().await?;
            if base.as_ref().map(|base| base.version) != done.version {
                return Err(comboi_lake::Error::Overtaken(self.table.name().to_owned()).into());
            }
            let here = match &base {
                Some(base) => Some(self.compared(&chunk, base, &scratch).await?),
                None => None,
            };
            let known = here.as_ref().map(|here| here.known.clone());
            let Some((extract, left_out)) = self.finish(chunk, known, &folder).await? else {
                continue;
            };
            self.runner.phase(self.id, Phase::Publishing);
            done.skipped = None;
            reading.committed(extract.row_count);
            done.rows += extract.row_count;
            done.notes.extend(extract.drift.iter().cloned());
            done.notes.extend(left_out);
            let mut change = self.change(extract, number, here.as_ref())?;
            let rows_of_run = format!("{} {}", self.order.run.0, done.rows);
            change
                .properties
                .insert(ROWS_OF_RUN.to_owned(), rows_of_run);
            let committed = self.table.commit_only(base.as_ref(), change).await?;
            done.version = Some(committed.version);
            done.total_rows = Some(committed.row_count);
            self.runner.counted(self.id, Amount::Rows(done.rows));
            // Linked or copied into the lake; the disk is wanted for the next ones.
            std::fs::remove_dir_all(&folder).map_err(|e| TaskError::Scratch(folder.clone(), e))?;
            if self.runner.stop.requested() {
                return Err(comboi_engine::Error::Interrupted.into());
            }
            self.runner.phase(self.id, Phase::Reading);
        }
        Ok(done)
    }

    /// What this run has done to the table so far: a lost connection begins the task again after its last commit.
    fn done_before(&self, latest: Option<&Latest>) -> Done {
        let rows = self.committed(latest);
        Done {
            skipped: (rows == 0).then(|| "nothing new".to_owned()),
            rows,
            version: latest.map(|latest| latest.version),
            total_rows: latest.map(|latest| latest.row_count),
            ..Done::default()
        }
    }

    /// How many rows this run has committed to the table.
    fn committed(&self, latest: Option<&Latest>) -> u64 {
        let noted = latest.and_then(|latest| latest.properties.get(ROWS_OF_RUN));
        let noted = noted.and_then(|noted| noted.split_once(' '));
        match noted {
            Some((run, rows)) if run == self.order.run.0.to_string() => rows.parse().unwrap_or(0),
            _ => 0,
        }
    }

    /// The table as it is, with the files that the chunk is compared with.
    async fn compared(
        &self,
        chunk: &Chunk,
        base: &Snapshot,
        scratch: &Scratch,
    ) -> Result<TableHere, TaskError> {
        let files = match chunk.compared() {
            Compared::Nothing => Vec::new(),
            Compared::Near(columns) => self.table.files_near(base, &chunk.files, &columns).await?,
            Compared::All => base.files.clone(),
        };
        self.known(base, files, scratch).await
    }

    async fn finish(
        &self,
        chunk: Chunk,
        known: Option<Known>,
        folder: &Path,
    ) -> Result<Option<(Extract, Option<String>)>, TaskError> {
        let limits = self.kept_for();
        let file_bytes = self
            .runner
            .project
            .stages
            .max_file_size(Stage::Bronze)
            .bytes();
        let to = folder.to_owned();
        with_session(
            self.runner,
            self.limits,
            folder,
            move |session: &Session| {
                let extract = chunk.finish(known.as_ref(), session, &to, file_bytes)?;
                let Some(extract) = extract else {
                    return Ok(None);
                };
                let held = match limits {
                    Some(limits) => limits.hold_extract(session, extract, &to)?,
                    None => (extract, None),
                };
                Ok(Some(held))
            },
        )
        .await
    }
}

/// How far a table has been read.
fn position(id: &DatasetId, latest: Option<&Latest>) -> Result<Option<Position>, TaskError> {
    let text = latest.and_then(|latest| latest.properties.get(CHECKPOINT));
    text.map(|text| text.parse::<Position>())
        .transpose()
        .map_err(|e| TaskError::Damaged(id.clone(), e))
}

/// What a run would read of a table.
pub(crate) async fn look(
    project: &Arc<Project>,
    databases: &Databases,
    id: &DatasetId,
    latest: Option<&Latest>,
) -> Result<DatabaseLook, TaskError> {
    let position = position(id, latest)?;
    let (reader, notes) = open(project, databases, id, 1)?;
    let known = latest.map(|latest| &latest.columns);
    let mut look = reader.look(position.as_ref(), known).await?;
    look.notes.extend(notes.into_iter().map(Note::Connection));
    Ok(look)
}

/// What reads a table, and what people should know of its connection.
pub(crate) fn open<'a>(
    project: &'a Project,
    databases: &Databases,
    id: &DatasetId,
    threads: usize,
) -> Result<(DatabaseReader<'a>, Vec<String>), TaskError> {
    let missing = || TaskError::Defect(format!("`{id}` is no table of a database"));
    let (source, table) = project.database_table(id).ok_or_else(missing)?;
    let (database, notes) = databases.open(project.source(id).ok_or_else(missing)?)?;
    let bronze = project.stages.get(Stage::Bronze);
    let row_group_rows = bronze
        .row_group_rows
        .as_ref()
        .map_or(ROW_GROUP_ROWS, |it| it.value);
    let reader = DatabaseReader {
        database,
        source,
        table,
        cut: Cut {
            file_bytes: project.stages.max_file_size(Stage::Bronze).bytes(),
            row_group_rows: usize::try_from(row_group_rows).unwrap_or(usize::MAX),
            memory_bytes: usize::try_from(source.extract_memory().bytes()).unwrap_or(usize::MAX),
        },
        connections: threads.clamp(1, CONNECTIONS),
        stop: Interrupter::default(),
        deadline: None,
    };
    Ok((reader, notes))
}
