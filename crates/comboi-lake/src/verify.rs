//! Looking whether everything that a dataset's log names is there as it was written.

use std::collections::BTreeMap;

use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt as _, Result as StoreResult};

use crate::damage::Log;
use crate::digest::{Digest, Digester, Tags};
use crate::error::Error;
use crate::history::{path, row_count};
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// Files that are asked for at once.
const AT_ONCE: usize = 16;
/// Files that are read to their end at once.
const READ_AT_ONCE: usize = 4;
/// The last bytes of every Parquet file.
const PARQUET: &[u8] = b"PAR1";

/// What reading all files of a dataset came to.
#[derive(Debug, Default)]
pub struct Depth {
    /// Files whose digests were compared.
    pub checked: usize,
    /// Files without a digest: of other programs, and of an older comboi.
    pub not_checked: usize,
    /// Files that are not as they were written.
    pub flaws: Vec<Error>,
}

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

    /// Reads every file of every version that is kept, and the published copy of the newest, and
    /// compares their digests.
    pub async fn flaws_in_depth(&self, newest: &Snapshot) -> Result<Depth, Error> {
        let files = self.kept_files(newest).await?;
        let looks = files.iter().map(|file| self.flaw_in_depth(file));
        let looks: Vec<_> = looks.collect();
        let mut depth = Depth::default();
        let mut looks = futures::stream::iter(looks).buffered(READ_AT_ONCE);
        while let Some(flaw) = looks.next().await {
            depth.flaws.extend(flaw?.map(|flaw| in_time(newest, flaw)));
        }
        depth.checked = files.iter().filter(|it| it.digest.is_some()).count();
        depth.not_checked = files.len() - depth.checked;
        depth.flaws.extend(self.flaw_of_copy(newest).await?);
        let entries = self.entries(newest.version).await?;
        let log = self.log_of(&entries).await?;
        depth.flaws.extend(self.flaws_of(&log, newest));
        Ok(depth)
    }

    /// Earlier versions that can't be read, because entries of the log are missing: one error for each gap.
    pub async fn flaws_of_log(&self, newest: &Snapshot) -> Result<Vec<Error>, Error> {
        Ok(self.flaws_of(&Log::of(self).await?, newest))
    }

    fn flaws_of(&self, log: &Log, newest: &Snapshot) -> Vec<Error> {
        let gaps = log.gaps(log.kept(newest));
        gaps.iter().map(|gap| gap.told(self)).collect()
    }

    async fn flaw(&self, file: &DataFile) -> Result<Option<Error>, Error> {
        let key = self.key_of(&file.name)?;
        let unavailable = |e: object_store::Error| self.unavailable("look at a file of", e.into());
        let stored = match self.store().head(&key).await {
            Ok(found) => Some(found.size),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(unavailable(error)),
        };
        if let Err(flaw) = self.check_size(file, stored) {
            return Ok(Some(flaw));
        }
        let start = file.size_bytes.saturating_sub(PARQUET.len() as u64);
        let end = self.store().get_range(&key, start..file.size_bytes).await;
        let is_parquet = end.map_err(unavailable)? == PARQUET;
        let flaw = || self.damaged(&file.name, "a file does not end as Parquet files do");
        Ok((!is_parquet).then(flaw))
    }

    async fn flaw_in_depth(&self, file: &DataFile) -> Result<Option<Error>, Error> {
        if let Some(flaw) = self.flaw(file).await? {
            return Ok(Some(flaw));
        }
        if file.digest.is_none() {
            return Ok(None);
        }
        let key = self.key_of(&file.name)?;
        let stored = match self.root.file(&key) {
            Some(path) => self.digest_of(&path).await?,
            None => self.digest_far(&key).await?,
        };
        Ok(self.check_digest(file, stored).err())
    }

    /// In a folder, the published file is a link to the version's own. Elsewhere it is a copy.
    async fn flaw_of_copy(&self, newest: &Snapshot) -> Result<Option<Error>, Error> {
        let (Some(place), [file]) = (&self.published, newest.files.as_slice()) else {
            return Ok(None);
        };
        if self.root.folder.is_some() || !self.is_published(newest, place).await? {
            return Ok(None);
        }
        let copy = self.digest_far(place).await?;
        let damage = self.check_digest(file, copy).err();
        Ok(damage.map(|_| Error::DamagedCopy {
            dataset: self.name().to_owned(),
            key: place.to_string(),
        }))
    }

    async fn digest_far(&self, key: &Key) -> Result<Digest, Error> {
        let digest: StoreResult<Digest> = async {
            let mut bytes = self.store().get(key).await?.into_stream();
            let mut digester = Digester::new();
            while let Some(piece) = bytes.try_next().await? {
                digester.add(&piece);
            }
            Ok(digester.finish())
        }
        .await;
        digest.map_err(|e| self.unavailable("read a file of", e.into()))
    }

    /// The files of all versions that can be read, by name.
    async fn kept_files(&self, newest: &Snapshot) -> Result<Vec<DataFile>, Error> {
        let entries = self.entries(newest.version).await?;
        let oldest = self.log_of(&entries).await?.oldest_readable(newest);
        let mut files = BTreeMap::new();
        if oldest < newest.version {
            let first = self.snapshot_at(oldest).await?;
            files.extend(first.files.into_iter().map(|it| (it.name.clone(), it)));
            let later = entries.range(oldest + 1..);
            let added = later.flat_map(|(_, entry)| &entry.added).filter_map(logged);
            files.extend(added.map(|it| (it.name.clone(), it)));
        }
        let now = newest.files.iter().cloned();
        files.extend(now.map(|it| (it.name.clone(), it)));
        Ok(files.into_values().collect())
    }

    /// Whether the version's file is where readers that know no Delta look for it, be it another file with the same bytes: a backup that was
    /// brought back has no links. True where nothing is published.
    pub async fn is_in_place(&self, snapshot: &Snapshot) -> Result<bool, Error> {
        let Some(place) = &self.published else {
            return Ok(true);
        };
        if self.is_published(snapshot, place).await? {
            return Ok(true);
        }
        let [file] = snapshot.files.as_slice() else {
            return Ok(false);
        };
        let size = match self.store().head(place).await {
            Ok(found) => found.size,
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(e) => return Err(self.unavailable("look at the published file of", e.into())),
        };
        if size != file.size_bytes {
            return Ok(false);
        }
        let expected = match file.digest {
            Some(digest) => digest,
            None => self.digest_far(&self.key_of(&file.name)?).await?,
        };
        Ok(self.digest_far(place).await? == expected)
    }
}

/// Damage of a file that the newest version does not have is another matter.
fn in_time(newest: &Snapshot, flaw: Error) -> Error {
    match flaw {
        Error::Damaged {
            dataset,
            file,
            what,
        } if newest.files.iter().all(|it| it.name != file) => Error::DamagedBefore {
            dataset,
            file,
            what,
        },
        flaw => flaw,
    }
}

/// A file as an entry of the log names it.
fn logged(action: &serde_json::Value) -> Option<DataFile> {
    let tags: Option<Tags> = serde_json::from_value(action["tags"].clone()).ok();
    Some(DataFile {
        name: path(action)?,
        size_bytes: action["size"].as_u64()?,
        row_count: row_count(action).unwrap_or(0),
        digest: tags.as_ref().and_then(Digest::tagged),
    })
}
