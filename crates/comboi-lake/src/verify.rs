//! Looking whether everything that the current version names is there.

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::ObjectStoreExt as _;

use crate::error::Error;
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// Files that are asked for at once.
const AT_ONCE: usize = 16;

impl Table {
    /// The files of a version that are not there as they were written: one error each, which says what works. Only names and
    /// sizes are looked at.
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
        let stored = match self.store().head(&key).await {
            Ok(found) => Some(found.size),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(self.unavailable("look at a file of", error.into())),
        };
        Ok(self.hold_size(file, stored).err())
    }

    /// Whether the version's file is where readers that know no Delta look for it. True where nothing is published.
    pub async fn is_in_place(&self, snapshot: &Snapshot) -> Result<bool, Error> {
        match &self.published {
            Some(place) => self.is_published(snapshot, place).await,
            None => Ok(true),
        }
    }
}
