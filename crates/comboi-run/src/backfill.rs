//! Reading ranges of a table again, whatever its checkpoint says.

use comboi_project::DatasetId;

use crate::extract::{Extraction, Range};
use crate::ledger::RunKind;
use crate::runner::{RunError, Runner};
use crate::task::{Done, TaskError, chain};

/// How often a range begins again when others commit to the same table first.
const COMMIT_TRIES: u32 = 5;

/// What came of reading a range again.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Backfilled {
    /// From this value on (itself too).
    pub from: String,
    /// Up to this value (itself not).
    pub below: String,
    /// How many rows were new or had changed.
    pub rows: u64,
    /// The version of the table after it.
    pub version: Option<u64>,
}

impl Runner {
    /// Reads ranges of a table's incremental column again, each in a commit of its own; the checkpoint stays where it is. `told` hears of
    /// each range that is done: an error leaves those committed.
    pub async fn backfill(
        &self,
        id: &DatasetId,
        ranges: &[(String, String)],
        mut told: impl FnMut(&Backfilled),
    ) -> Result<(), RunError> {
        self.by_hand(RunKind::Backfill, id, async |order| {
            let limits = self.limits.shared_by(1);
            let task = Extraction {
                runner: self,
                order,
                id,
                table: self.lake.table(id),
                limits: &limits,
            };
            for (number, (from, below)) in (0..).zip(ranges) {
                let done = read_again(&task, number, from, below).await;
                let done = done.map_err(|e| RunError::ByHand(chain(&e)))?;
                told(&Backfilled {
                    from: from.clone(),
                    below: below.clone(),
                    rows: done.rows,
                    version: done.version,
                });
            }
            Ok(())
        })
        .await
    }
}

async fn read_again(
    task: &Extraction<'_>,
    number: u32,
    from: &str,
    below: &str,
) -> Result<Done, TaskError> {
    let range = Range {
        from: from.to_owned(),
        below: below.to_owned(),
    };
    let mut tries = 0;
    loop {
        tries += 1;
        match task.range(&range, number).await {
            Err(TaskError::Lake(comboi_lake::Error::Overtaken(_))) if tries < COMMIT_TRIES => {}
            Err(e) if e.worth_retrying() && tries < COMMIT_TRIES => {}
            done => return done.map_err(|e| e.of_later_run(task.id)),
        }
    }
}
