//! What people do to a lake by hand. Each change is a run of its own, so that it has a number and a fence.

use std::collections::BTreeMap;

use comboi_lake::{Change, Operation, Remove, Snapshot};
use comboi_plan::Plan;
use comboi_project::{DatasetId, RunId};

use crate::extract::CHECKPOINT;
use crate::ledger::{Order, RunKind};
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
