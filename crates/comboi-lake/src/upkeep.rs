//! Looking after a log: checkpoints, so that reading stays short, and the end of what is too old.

use chrono::{DateTime, Duration, Utc};
use deltalake::DeltaTable;
use deltalake::checkpoints::{cleanup_expired_logs_for, create_checkpoint};
use object_store::ObjectStoreExt;
use tracing::warn;

use crate::layout::log_checkpoint;
use crate::table::Table;

/// A reader opens one checkpoint and at most this many entries.
const CHECKPOINT_EVERY: u64 = 10;
/// Delta's own default.
pub(crate) const LOG_RETENTION: Duration = Duration::days(30);

impl Table {
    /// Writes a checkpoint when one is due, and drops log entries that are out of their time. The
    /// commit stands whatever comes of it, so a failure is only told.
    pub(crate) async fn look_after_log(&self, version: u64, now: DateTime<Utc>) {
        if version > 0 && version.is_multiple_of(CHECKPOINT_EVERY) {
            self.checkpoint_and_clean_up(version, now).await;
        }
    }

    /// The same, due or not. Answers how many objects of the log went.
    pub(crate) async fn checkpoint_and_clean_up(&self, version: u64, now: DateTime<Utc>) -> usize {
        let dataset = self.name();
        let there = self
            .store()
            .head(&log_checkpoint(&self.key, version))
            .await
            .is_ok();
        let mut table = DeltaTable::new(self.log_store());
        let written = match table.load_version(version).await {
            Ok(()) if there => Ok(()),
            Ok(()) => create_checkpoint(&table, None).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            warn!(dataset, version, %error, "`{dataset}` got no checkpoint of its log at version {version}: reading it stays slower");
            return 0;
        }
        let keeps_log = table.snapshot().is_ok_and(|state| {
            state
                .metadata()
                .configuration()
                .get("delta.enableExpiredLogCleanup")
                .is_some_and(|wanted| wanted == "false")
        });
        if keeps_log {
            return 0;
        }
        let cutoff = (now - LOG_RETENTION).timestamp_millis();
        cleanup_expired_logs_for(version, self.log_store().as_ref(), cutoff, None).await.unwrap_or_else(|error| {
            warn!(dataset, version, %error, "old entries of the log of `{dataset}` could not be removed");
            0
        })
    }
}
