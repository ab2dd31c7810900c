//! What is past its age in the lake: told, and taken away for good.
//!
//! A table's files that hold such rows are written anew without them, in one commit; then the files of all versions that still
//! had them are deleted. The quarantine goes first, and the dataset's commit notes which version of it is its own. Who dies anywhere has
//! removed less than was asked for, and whoever begins again removes the rest.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use comboi_engine::{Input, Older, ages};
use comboi_lake::{Before, Change, Operation, Remove, Snapshot, Table, Vacuumed};
use comboi_project::{Columns, DatasetId, KeptFor, RunId};

use super::Limits;
use crate::build::BUILT_FROM;
use crate::ledger::RunKind;
use crate::quarantine::{QUARANTINE, quarantined};
use crate::runner::{RunError, Runner};
use crate::task::{Scratch, TaskError, chain, with_session};
use crate::vacuum::vacuum_beside;

/// When the rows of a table's quarantine were read.
const LOADED_AT: &str = "_comboi_loaded_at";

/// What is past its age in a dataset and its quarantine.
#[derive(Clone, Debug)]
pub struct PastAge {
    /// The dataset.
    pub dataset: DatasetId,
    /// How long its rows are kept.
    pub kept_for: Vec<KeptFor>,
    /// The dataset and what is beside it.
    pub tables: Vec<TableAge>,
    /// The run that removed it; `None` when nothing was to be removed, or nothing should be.
    pub run: Option<RunId>,
}

impl PastAge {
    /// Rows that are past their age, of all tables.
    pub fn row_count(&self) -> u64 {
        self.tables.iter().map(|table| table.past).sum()
    }
}

/// What is past its age in one table.
#[derive(Clone, Debug, Default)]
pub struct TableAge {
    /// Its name.
    pub name: String,
    /// The version that was looked at.
    pub version: u64,
    /// Its rows.
    pub row_count: u64,
    /// Those that are past their age.
    pub past: u64,
    /// Those of which nobody knows how old they are: they stay.
    pub unknown: u64,
    /// The files that have rows which are past their age.
    pub file_count: usize,
    /// Earlier versions up to this one, itself not, still have such rows: they can't be read once these are gone.
    pub free_since: u64,
    /// The first version that could be read.
    pub oldest_version: u64,
    /// What was deleted.
    pub deleted: Option<Vacuumed>,
}

impl TableAge {
    /// How many earlier versions still have such rows. When rows are removed, the current one is one of them.
    pub fn version_count(&self) -> u64 {
        let now = u64::from(self.past > 0);
        self.free_since.saturating_sub(self.oldest_version) + now
    }
}

/// What is known of a table's files.
struct Look {
    table: Table,
    snapshot: Snapshot,
    limits: Limits,
    /// The files that have rows which are past their age, by name, on this machine's disk. True when any row stays.
    past: Vec<(String, PathBuf, bool)>,
    age: TableAge,
}

impl Runner {
    /// What is past its age in a dataset. Reads only. `None` when its rows are kept for ever, or it is not there.
    pub async fn past_age(&self, id: &DatasetId) -> Result<Option<PastAge>, RunError> {
        let scratch = self.age_scratch(RunId(0), id)?;
        Ok(self
            .look_at_ages(id, &scratch)
            .await?
            .map(|(told, ..)| told))
    }

    /// Takes away what is past its age in a dataset and its quarantine, and deletes the files of the versions that still have
    /// it, but not of those that were current since `keep` before now: somebody may be reading them.
    ///
    /// Safe to repeat, and to stop anywhere.
    pub async fn remove_past_age(
        &self,
        id: &DatasetId,
        keep: Duration,
    ) -> Result<Option<PastAge>, RunError> {
        self.refuse_under_way().await?;
        loop {
            let scratch = self.age_scratch(RunId(0), id)?;
            let Some((mut told, dataset, quarantine)) = self.look_at_ages(id, &scratch).await?
            else {
                return Ok(None);
            };
            let newest = if told.row_count() > 0 {
                let removed = self.by_hand(RunKind::Retention, id, async |order| {
                    let run = order.run;
                    let removing = Removing {
                        runner: self,
                        id,
                        run,
                    };
                    let committed = removing.commit(&dataset, quarantine.as_ref(), &scratch);
                    Ok((run, committed.await.map_err(by_hand)?))
                });
                match removed.await {
                    Err(RunError::Lake(comboi_lake::Error::Overtaken(_))) => continue,
                    Err(e) => return Err(e),
                    Ok((run, committed)) => {
                        told.run = Some(run);
                        committed
                    }
                }
            } else {
                dataset.snapshot.clone()
            };
            if dataset.table.publishes() {
                dataset.table.publish(&newest).await?;
            }
            let looks = [Some(&dataset), quarantine.as_ref()];
            for (age, look) in told.tables.iter_mut().zip(looks.into_iter().flatten()) {
                age.deleted = Some(self.delete_versions(look, keep).await?);
            }
            let oldest = told.tables.first().and_then(|age| age.deleted.as_ref());
            let oldest = oldest.map_or(0, |deleted| deleted.oldest_version);
            let now = self.clock.now();
            vacuum_beside(&self.lake, id, oldest, keep, now).await?;
            return Ok(Some(told));
        }
    }

    fn age_scratch(&self, run: RunId, id: &DatasetId) -> Result<Scratch, RunError> {
        Scratch::make(self, run, &format!("{id}-ages")).map_err(by_hand)
    }

    async fn look_at_ages(
        &self,
        id: &DatasetId,
        scratch: &Scratch,
    ) -> Result<Option<(PastAge, Look, Option<Look>)>, RunError> {
        let kept_for = self.project.kept_for(id);
        let Some(limits) = Limits::new(kept_for.clone(), self.clock.now()) else {
            return Ok(None);
        };
        let table = self.lake.table(id);
        let Some(snapshot) = table.snapshot().await? else {
            return Ok(None);
        };
        if let Some(why) = limits.unfit(&snapshot.columns) {
            return Err(RunError::ByHand(format!("`{id}`: {why}")));
        }
        let current = snapshot.clone();
        let dataset = self.look(table, snapshot, current, limits.clone(), scratch);
        let dataset = dataset.await?;
        let quarantine = self.look_aside(id, &limits, scratch).await?;
        let tables = [Some(&dataset), quarantine.as_ref()].into_iter().flatten();
        let told = PastAge {
            dataset: id.clone(),
            kept_for,
            tables: tables.map(|look| look.age.clone()).collect(),
            run: None,
        };
        Ok(Some((told, dataset, quarantine)))
    }

    /// Rows aside are as old as the dataset's; what could not be read has no column of its own and is as old as its reading.
    async fn look_aside(
        &self,
        id: &DatasetId,
        limits: &Limits,
        scratch: &Scratch,
    ) -> Result<Option<Look>, RunError> {
        let table = self.lake.quarantine(id);
        let Some(newest) = table.snapshot().await? else {
            return Ok(None);
        };
        // What goes with the dataset; a dead run may have left something newer.
        let belonging = quarantined(&self.lake, id).await?;
        let belonging = belonging.unwrap_or_else(|| newest.clone());
        let mut limits = limits.clone();
        for limit in &mut limits.kept_for {
            if belonging.columns.get(&limit.column).is_none() {
                let told = [LOADED_AT, comboi_engine::MOMENT_COLUMN];
                let mut told = told.into_iter();
                let column = told.find(|name| belonging.columns.get(name).is_some());
                limit.column = column.unwrap_or(LOADED_AT).to_owned();
            }
        }
        let look = self.look(table, belonging, newest, limits, scratch);
        Ok(Some(look.await?))
    }

    async fn look(
        &self,
        table: Table,
        snapshot: Snapshot,
        newest: Snapshot,
        limits: Limits,
        scratch: &Scratch,
    ) -> Result<Look, RunError> {
        let older = limits.older();
        let cutoffs = cutoffs(&older);
        let (mut files, unknown) = snapshot.files_with(&cutoffs);
        let (left_behind, _) = newest.files_with(&cutoffs);
        files.extend(left_behind);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        files.dedup();
        let mut age = TableAge {
            name: table.name().to_owned(),
            version: snapshot.version,
            row_count: snapshot.row_count(),
            unknown,
            free_since: table.free_of_since(&newest, &cutoffs).await?,
            oldest_version: table.oldest_readable(&newest).await?,
            ..TableAge::default()
        };
        let mut suspects = snapshot.clone();
        suspects.files = files;
        let paths = table.local_files(&suspects, scratch.path()).await?;
        let found = self
            .ages_of(&snapshot.columns, &paths, older, scratch)
            .await
            .map_err(by_hand)?;
        let mut past = Vec::new();
        for ((file, path), ages) in suspects.files.iter().zip(paths).zip(found) {
            age.unknown += ages.unknown;
            age.past += ages.past;
            if ages.past > 0 {
                past.push((file.name.clone(), path, ages.past < ages.row_count));
            }
        }
        age.file_count = past.len();
        Ok(Look {
            table,
            snapshot,
            limits,
            past,
            age,
        })
    }

    async fn ages_of(
        &self,
        columns: &Columns,
        files: &[PathBuf],
        older: Vec<Older>,
        scratch: &Scratch,
    ) -> Result<Vec<comboi_engine::Ages>, TaskError> {
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let (columns, files) = (columns.clone(), files.to_vec());
        with_session(self, &self.limits, scratch.path(), move |session| {
            let input = Input {
                alias: "rows",
                columns: &columns,
                files: &files,
            };
            Ok(ages(session, &input, &older)?)
        })
        .await
    }

    /// Deletes the files of the versions that still have rows which are past their age.
    async fn delete_versions(&self, look: &Look, keep: Duration) -> Result<Vacuumed, RunError> {
        let table = &look.table;
        let newest = table.snapshot().await?;
        let newest = newest.unwrap_or_else(|| look.snapshot.clone());
        let cutoffs = cutoffs(&look.limits.older());
        let since = table.free_of_since(&newest, &cutoffs).await?;
        // Clocks may go back: what was committed a moment ago is not of the future.
        let now = self.clock.now().max(newest.committed_at);
        Ok(table.vacuum_before(since, keep, now, false).await?)
    }
}

/// One removal.
struct Removing<'a> {
    runner: &'a Runner,
    id: &'a DatasetId,
    run: RunId,
}

impl Removing<'_> {
    /// First the quarantine, then the dataset, which notes it.
    async fn commit(
        &self,
        dataset: &Look,
        quarantine: Option<&Look>,
        scratch: &Scratch,
    ) -> Result<Snapshot, TaskError> {
        let mut notes = BTreeMap::new();
        if let Some(aside) = quarantine.filter(|aside| aside.age.past > 0) {
            let version = self
                .commit_aside(aside, &scratch.path().join("aside"))
                .await?;
            notes.insert(QUARANTINE.to_owned(), version.to_string());
        }
        let deduplicated = self.runner.project.dataset(self.id);
        if deduplicated.is_some_and(|dataset| dataset.dedupe.is_some()) {
            // Which row is in which cluster is kept beside it: the next run builds both again.
            notes.insert(BUILT_FROM.to_owned(), String::new());
        }
        let even_empty = dataset.table.publishes();
        let folder = scratch.path().join("kept");
        let files: Vec<PathBuf> = dataset
            .past
            .iter()
            .filter(|(_, _, any_stays)| *any_stays || even_empty)
            .map(|(_, path, _)| path.clone())
            .collect();
        let add = self.without_past(dataset, files, &folder).await?;
        let gone = dataset.past.iter().map(|(name, ..)| name.clone()).collect();
        let columns = dataset.snapshot.columns.clone();
        let change = self.change(columns, add, Remove::Files(gone), notes);
        Ok(dataset
            .table
            .commit(Some(&dataset.snapshot), change)
            .await?)
    }

    /// Puts what stays of the rows aside in the place of all that are there: the version.
    async fn commit_aside(&self, aside: &Look, folder: &Path) -> Result<u64, TaskError> {
        let newest = aside.table.snapshot().await?;
        let belonging = &aside.snapshot;
        let paths = aside
            .table
            .local_files(belonging, &folder.join("fetched"))
            .await?;
        let rows = self
            .without_past(aside, paths, &folder.join("kept"))
            .await?;
        let columns = belonging.columns.clone();
        let change = self.change(columns, rows, Remove::All, BTreeMap::new());
        let committed = aside.table.commit(newest.as_ref(), change).await?;
        Ok(committed.version)
    }

    /// Files with the rows of these that are not past their age.
    async fn without_past(
        &self,
        look: &Look,
        files: Vec<PathBuf>,
        folder: &Path,
    ) -> Result<Vec<PathBuf>, TaskError> {
        if files.is_empty() {
            return Ok(files);
        }
        std::fs::create_dir_all(folder).map_err(|e| TaskError::Scratch(folder.to_owned(), e))?;
        let (columns, older) = (look.snapshot.columns.clone(), look.limits.older());
        let to = folder.to_owned();
        let runner = self.runner;
        with_session(runner, &runner.limits, folder, move |session| {
            let input = Input {
                alias: "rows",
                columns: &columns,
                files: &files,
            };
            let mut kept = Vec::new();
            for (i, file) in files.iter().enumerate() {
                let to = to.join(format!("{i}.parquet"));
                comboi_engine::without_older(session, &input, file, &older, &to)?;
                kept.push(to);
            }
            Ok(kept)
        })
        .await
    }

    fn change(
        &self,
        columns: Columns,
        add: Vec<PathBuf>,
        remove: Remove,
        properties: BTreeMap<String, String>,
    ) -> Change {
        Change {
            pipeline: self.runner.project.name.clone(),
            run: self.run,
            chunk: 0,
            operation: Operation::Retention,
            columns,
            add,
            remove,
            properties,
            at: self.runner.clock.now(),
        }
    }
}

fn cutoffs(older: &[Older]) -> Vec<Before> {
    let before = |older: &Older| Before {
        column: older.column.clone(),
        moment: older.than,
    };
    older.iter().map(before).collect()
}

fn by_hand(error: TaskError) -> RunError {
    match error {
        TaskError::Lake(error) => error.into(),
        error => RunError::ByHand(chain(&error)),
    }
}
