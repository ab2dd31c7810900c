//! Looking whether everything that the current version names is there.

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;

use crate::error::Error;
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// Files that are asked for at once.
const AT_ONCE: usize = 16;
/// The last bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";

impl Table {
    /// The files of a version that are not there as they were written: one error each, which says what works. Names, sizes
    /// and last bytes are looked at.
    pub async fn flaws(&self, snapshot: &Snapshot) -> Result<Vec<Error>, Error> {
        let looks = snapshot.files.iter().map(|file| self.flaw(file));
        let looks: Vec<_> = looks.collect();
        let found: Vec<Option<Error>> = futures::stream::iter(looks)
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn flaw(&self, file: &DataFile) -> Result<Option<Error>, Error> {
        let key = self.key_of(&file.name)?;
        let unavailable = |e: object_store::Error| self.unavailable("look at a file of", e.into());
        let stored = match self.store().head(&key).await {
            Ok(found) => Some(found.size),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(unavailable(error)),
        };
        if let Err(flaw) = self.hold_size(file, stored) {
            return Ok(Some(flaw));
        }
        let start = file.size_bytes.saturating_sub(PARQUET.len() as u64);
        let end = self.store().get_range(&key, start..file.size_bytes).await;
        let is_parquet = end.map_err(unavailable)? == PARQUET;
        let flaw = || self.damaged(&file.name, "a file does not end as Parquet files do");
        Ok((!is_parquet).then(flaw))
    }

    /// Whether the version's file is where readers that know no Delta look for it. True where nothing is published.
    pub async fn is_in_place(&self, snapshot: &Snapshot) -> Result<bool, Error> {
        match &self.published {
            Some(place) => self.is_published(snapshot, place).await,
            None => Ok(true),
        }
    }
}
