//! What people do to a lake by hand. Each change is a run of its own, so that it has a number and a fence.

use std::collections::BTreeMap;

use comboi_lake::{Change, Operation, Remove, Snapshot};
use comboi_plan::Plan;
use comboi_project::{Columns, DatasetId, RunId};
use tracing::warn;

use crate::extract::{CHECKPOINT, checkpoint_of};
use crate::ledger::{Order, RunKind};
use crate::quarantine::{QUARANTINE, quarantined};
use crate::receipt::RunReport;
use crate::runner::{RunError, Runner};
use crate::task::chain;

impl Runner {
    /// Takes away how far a table has been read, so that the next run reads everything again and
    /// replaces the table's rows by it in one commit. Until then readers see the rows as they are.
    ///
    /// Says whether there was a checkpoint to take away.
    pub async fn reset_checkpoint(&self, id: &DatasetId) -> Result<bool, RunError> {
        let table = self.lake.table(id);
        let has_one = |base: &Snapshot| base.properties.contains_key(CHECKPOINT);
        if !table.snapshot().await?.as_ref().is_some_and(has_one) {
            return Ok(false);
        }
        let kind = RunKind::ResetCheckpoint;
        self.by_hand(kind, id, async |order| {
            loop {
                let Some(base) = table.snapshot().await?.filter(has_one) else {
                    return Ok(false);
                };
                let change = Change {
                    pipeline: self.project.name.clone(),
                    run: order.run,
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
        })
        .await
    }

    /// Makes an earlier version of a dataset the current one, in a new commit: rows, columns and checkpoint together.
    pub async fn restore(&self, id: &DatasetId, version: u64) -> Result<Snapshot, RunError> {
        self.by_hand(RunKind::Restore, id, async |order| {
            let table = self.lake.table(id);
            let (pipeline, now) = (&self.project.name, self.clock.now());
            let snapshot = table.restore(version, pipeline, order.run, now).await?;
            table.publish(&snapshot).await?;
            Ok(snapshot)
        })
        .await
    }

    /// Empties the quarantine of a dataset: how many rows there were. `None` when nothing of it is the dataset's.
    ///
    /// First the quarantine, then the note with the dataset of which version is its own: who dies in between has purged nothing, and may
    /// purge again.
    pub async fn purge_quarantine(&self, id: &DatasetId) -> Result<Option<u64>, RunError> {
        loop {
            let Some(belonging) = quarantined(&self.lake, id).await? else {
                return Ok(None);
            };
            let rows = belonging.row_count();
            let purge = async |order: &Order| self.purge(id, order.run).await;
            match self.by_hand(RunKind::Purge, id, purge).await {
                Err(RunError::Lake(comboi_lake::Error::Overtaken(_))) => {}
                Err(e) => return Err(e),
                Ok(purged) => return Ok(purged.then_some(rows)),
            }
        }
    }

    async fn purge(&self, id: &DatasetId, run: RunId) -> Result<bool, RunError> {
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
        let (Some(base), Some(newest)) = (table.snapshot().await?, quarantine.snapshot().await?)
        else {
            return Ok(false);
        };
        let emptied = change(&newest.columns, Remove::All, BTreeMap::new());
        let emptied = quarantine.commit(Some(&newest), emptied).await?;
        let noted = BTreeMap::from([(QUARANTINE.to_owned(), emptied.version.to_string())]);
        let note = change(&base.columns, Remove::Nothing, noted);
        let snapshot = table.commit(Some(&base), note).await?;
        table.publish(&snapshot).await?;
        Ok(true)
    }

    /// Whether a table of files can be read anew as a whole: all the files that its rows came from are still there. Answers the names of those
    /// that are not.
    pub async fn gone_files(&self, id: &DatasetId) -> Result<Vec<String>, RunError> {
        if self.project.files_table(id).is_none() {
            return Ok(Vec::new());
        }
        let checkpoint = checkpoint_of(&self.lake, id).await;
        let checkpoint = checkpoint.map_err(|e| RunError::ByHand(chain(e.as_ref())))?;
        let files = checkpoint.map(|it| it.files).unwrap_or_default();
        let gone = files.into_iter().filter(|(_, seen)| seen.gone);
        Ok(gone.map(|(name, _)| name).collect())
    }

    /// Does something to a dataset that is no plan's, as a run of its own, and writes down how that ended.
    pub(crate) async fn by_hand<T>(
        &self,
        kind: RunKind,
        id: &DatasetId,
        work: impl AsyncFnOnce(&Order) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let plan = Plan::empty(self.project.name.clone());
        let order = Order::new(kind, plan, self.clock.now());
        let order = self.take_number(order, std::slice::from_ref(id)).await?;
        let beating = self.beating(order.run);
        let done = work(&order).await;
        drop(beating);
        let report = RunReport {
            failure: done.as_ref().err().map(|e| chain(e)),
            ..self.report(&order, &BTreeMap::new())
        };
        if let Err(e) = self.ledger().close(&report).await {
            let (run, error) = (order.run, chain(&e));
            warn!(
                run = run.0,
                error, "the end of run {run} was not written: {error}"
            );
        }
        done
    }
}
