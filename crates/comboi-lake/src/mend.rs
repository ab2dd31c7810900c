//! Mending a log that can't be read for its checkpoint: all that a checkpoint says stands in the entries before it, while these are kept.

use object_store::path::Path as Key;
use object_store::{Error as StoreError, ObjectStoreExt};

use crate::damage::{Log, first_bad_line};
use crate::error::Error;
use crate::layout;
use crate::table::Table;

impl Table {
    /// Whether a log that can't be read could be, were it not for its checkpoint: every entry since the first is there and sound.
    pub async fn can_do_without_checkpoint(&self) -> Result<bool, Error> {
        let log = Log::of(self).await?;
        if log.checkpoints.is_empty() && !self.names_a_checkpoint().await? {
            return Ok(false);
        }
        for (expected, version) in (0..).zip(log.entries.keys().copied()) {
            let entry = self.log_entry(version).await?;
            if version != expected || entry.is_none_or(|entry| first_bad_line(&entry).is_some()) {
                return Ok(false);
            }
        }
        Ok(!log.entries.is_empty())
    }

    /// Takes the checkpoints of such a log away, so that it is read from its first entry on; the next checkpoint that is due is a whole one.
    ///
    /// Says whether the log can be read now. Safe to repeat and to stop anywhere: what goes is what nobody could read.
    pub async fn forget_checkpoints(&self) -> Result<bool, Error> {
        let log = Log::of(self).await?;
        if !self.can_do_without_checkpoint().await? {
            return Ok(false);
        }
        self.forget(&self.last_checkpoint()).await?;
        for object in log.checkpoints.values() {
            self.forget(&object.location).await?;
        }
        Ok(self.snapshot().await?.is_some())
    }

    async fn names_a_checkpoint(&self) -> Result<bool, Error> {
        match self.store().head(&self.last_checkpoint()).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound { .. }) => Ok(false),
            Err(error) => Err(self.unavailable("read the log of", error.into())),
        }
    }

    async fn forget(&self, key: &Key) -> Result<(), Error> {
        match self.store().delete(key).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.unavailable("mend the log of", error.into())),
        }
    }

    fn last_checkpoint(&self) -> Key {
        layout::log(&self.key).join("_last_checkpoint")
    }
}
