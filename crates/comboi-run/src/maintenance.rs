//! What people do to a lake by hand. Each change is a run of its own, so that it has a number and a fence.

use std::collections::BTreeMap;

use comboi_lake::{Change, Operation, Remove, Snapshot};
use comboi_plan::Plan;
use comboi_project::{Columns, DatasetId, RunId};
use comboi_sources::Checkpoint;

use crate::extract::CHECKPOINT;
use crate::ledger::{Order, RunKind};
use crate::quarantine::{QUARANTINE, quarantined};
use crate::runner::{RunError, Runner};

impl Runner {
    /// Takes away how far a table has been read, so that the next run reads everything again and
    /// replaces the table's rows by it in one commit. Until then readers see the rows as they are.
    ///
    /// Says whether there was a checkpoint to take away.
    pub async fn reset_checkpoint(&self, id: &DatasetId) -> Result<bool, RunError> {
        let ledger = self.ledger();
        let _lock = ledger.lock()?;
        let table = self.lake.table(id);
        loop {
            let Some(base) = table.snapshot().await? else {
                return Ok(false);
            };
            if !base.properties.contains_key(CHECKPOINT) {
                return Ok(false);
            }
            let run = self.take_number(RunKind::ResetCheckpoint).await?;
            let change = Change {
                pipeline: self.project.name.clone(),
                run,
                chunk: 0,
                operation: Operation::ResetCheckpoint,
                columns: base.columns.clone(),
                add: Vec::new(),
                remove: Remove::Nothing,
                properties: BTreeMap::from([(CHECKPOINT.to_owned(), String::new())]),
                at: self.clock.now(),
            };
            match table.commit(Some(&base), change).await {
                Err(comboi_lake::Error::Overtaken(_)) => {}
                Err(e) => return Err(e.into()),
                Ok(_) => return Ok(true),
            }
        }
    }

    /// Makes an earlier version of a dataset the current one, in a new commit: rows, columns and checkpoint together.
    pub async fn restore(&self, id: &DatasetId, version: u64) -> Result<Snapshot, RunError> {
        let ledger = self.ledger();
        let _lock = ledger.lock()?;
        let run = self.take_number(RunKind::Restore).await?;
        let table = self.lake.table(id);
        let snapshot = table
            .restore(version, &self.project.name, run, self.clock.now())
            .await?;
        table.publish(&snapshot).await?;
        Ok(snapshot)
    }

    /// Empties the quarantine of a dataset: how many rows there were. `None` when nothing of it is the dataset's.
    ///
    /// First the quarantine, then the note with the dataset of which version is its own: who dies in between has purged nothing, and may
    /// purge again.
    pub async fn purge_quarantine(&self, id: &DatasetId) -> Result<Option<u64>, RunError> {
        let ledger = self.ledger();
        let _lock = ledger.lock()?;
        loop {
            let Some(belonging) = quarantined(&self.lake, id).await? else {
                return Ok(None);
            };
            let rows = belonging.row_count();
            let run = self.take_number(RunKind::Purge).await?;
            let change = |columns: &Columns, remove, properties| Change {
                pipeline: self.project.name.clone(),
                run,
                chunk: 0,
                operation: Operation::Purge,
                columns: columns.clone(),
                add: Vec::new(),
                remove,
                properties,
                at: self.clock.now(),
            };
            let (table, quarantine) = (self.lake.table(id), self.lake.quarantine(id));
            let (Some(base), Some(newest)) =
                (table.snapshot().await?, quarantine.snapshot().await?)
            else {
                return Ok(None);
            };
            let emptied = change(&newest.columns, Remove::All, BTreeMap::new());
            let emptied = match quarantine.commit(Some(&newest), emptied).await {
                Err(comboi_lake::Error::Overtaken(_)) => continue,
                done => done?,
            };
            let noted = BTreeMap::from([(QUARANTINE.to_owned(), emptied.version.to_string())]);
            let note = change(&base.columns, Remove::Nothing, noted);
            match table.commit(Some(&base), note).await {
                Err(comboi_lake::Error::Overtaken(_)) => {}
                Err(e) => return Err(e.into()),
                Ok(snapshot) => {
                    table.publish(&snapshot).await?;
                    return Ok(Some(rows));
                }
            }
        }
    }

    /// Whether a table of files can be read anew as a whole: all the files that its rows came from are still there. Answers the names of those
    /// that are not.
    pub async fn gone_files(&self, id: &DatasetId) -> Result<Vec<String>, RunError> {
        let latest = self.lake.table(id).latest().await?;
        let checkpoint = latest.as_ref().and_then(|it| it.properties.get(CHECKPOINT));
        let checkpoint = checkpoint.and_then(|text| text.parse::<Checkpoint>().ok());
        let files = checkpoint.map(|it| it.files).unwrap_or_default();
        let gone = files.into_iter().filter(|(_, seen)| seen.gone);
        Ok(gone.map(|(name, _)| name).collect())
    }

    async fn take_number(&self, kind: RunKind) -> Result<RunId, RunError> {
        Ok(self.begin_by_hand(kind).await?.run)
    }

    /// Begins a run that is no plan's.
    pub(crate) async fn begin_by_hand(&self, kind: RunKind) -> Result<Order, RunError> {
        let plan = Plan::empty(self.project.name.clone());
        let taken = self.last_run_in_lake().await?;
        let order = self
            .ledger()
            .begin(kind, plan, BTreeMap::new(), false, self.clock.now(), taken)
            .await?;
        Ok(order)
    }
}
