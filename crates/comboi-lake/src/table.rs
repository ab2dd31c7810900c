//! One dataset: reading its versions.

use std::path::Path;
use std::sync::Arc;

use deltalake::DeltaTableError;
use deltalake::kernel::EagerSnapshot;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;

use crate::damage::{self, Finding};
use crate::error::{Error, Source};
use crate::layout;
use crate::root::Root;
use crate::snapshot::Snapshot;

/// How often a log is read that looks sound and yet can't be read.
const TRIES: usize = 3;

/// One dataset of the lake, whether it is there yet or not. Cheap to clone; making one asks nothing
/// of the storage.
#[derive(Clone, Debug)]
pub struct Table {
    name: Arc<str>,
    pub(crate) root: Root,
    pub(crate) key: Key,
    pub(crate) published: Option<Key>,
}

impl Table {
    pub(crate) fn new(name: String, root: Root, key: Key, published: Option<Key>) -> Self {
        Self {
            name: name.into(),
            root,
            key,
            published,
        }
    }

    /// A Delta table that is in no lake of comboi's: its folder.
    pub fn in_folder(folder: &Path) -> Result<Self, Error> {
        let root = Root::folder(folder)?;
        let key = root.base.clone();
        Ok(Self::new(folder.display().to_string(), root, key, None))
    }

    /// The name of the dataset, as it stands in errors.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether full refreshes are also published as a single file.
    pub fn publishes(&self) -> bool {
        self.published.is_some()
    }

    /// Where the dataset is, for people: a path on this machine, else a key of the store.
    pub fn location(&self) -> String {
        self.root.file(&self.key).map_or_else(
            || self.key.to_string(),
            |folder| folder.display().to_string(),
        )
    }

    /// The current version; `None` when nothing has been committed yet.
    pub async fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        self.load(None).await
    }

    /// A version of old.
    pub async fn snapshot_at(&self, version: u64) -> Result<Snapshot, Error> {
        let newest = self.snapshot().await?.ok_or_else(|| self.missing())?;
        if version == newest.version {
            return Ok(newest);
        }
        let gone = || Error::NoSuchVersion {
            dataset: self.name.to_string(),
            version,
            oldest: newest.oldest,
            newest: newest.version,
        };
        if version > newest.version || version < newest.oldest {
            return Err(gone());
        }
        match self.load(Some(version)).await {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => Err(gone()),
            // The log may have been cleaned up to a later version by its retention.
            Err(Error::Damaged { .. }) if damage::first_readable(self).await? > version => {
                Err(Error::NoSuchVersion {
                    dataset: self.name.to_string(),
                    version,
                    oldest: damage::first_readable(self).await?,
                    newest: newest.version,
                })
            }
            // The newest version can be read.
            Err(Error::Damaged {
                dataset,
                file,
                what,
            }) => Err(Error::DamagedBefore {
                dataset,
                file,
                what,
            }),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn load(&self, version: Option<u64>) -> Result<Option<Snapshot>, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            let error = match EagerSnapshot::try_new(self.log_store().as_ref(), version).await {
                Ok(state) => {
                    let whole = damage::is_whole(self, &state).await?;
                    let snapshot = Snapshot::new(&self.name, state)?;
                    if whole && !damage::falls_short(self, &snapshot).await? {
                        return Ok(Some(snapshot));
                    }
                    "an entry of it is lost or cut short".to_owned()
                }
                Err(error) if unanswered(&error) => {
                    return Err(self.unavailable("read", error.into()));
                }
                Err(error) => error.to_string(),
            };
            match damage::diagnose(self, version).await? {
                Finding::NothingThere => return Ok(None),
                Finding::Damage { file, what } => return Err(self.damaged(&file, what)),
                // Nothing is wrong with the log, but the library does not know all that it asks for.
                Finding::Sound { .. } if error.to_lowercase().contains("unsupported") => {
                    return Err(Error::Newer {
                        dataset: self.name.to_string(),
                        what: error.lines().next().unwrap_or_default().to_owned(),
                    });
                }
                // Somebody else committed the first version, or cleaned up the log, while it was read.
                Finding::Sound { .. } if tries < TRIES => {}
                Finding::Sound { start } => {
                    let first_line = error.lines().next().unwrap_or_default();
                    return Err(
                        self.damaged(&start, format!("its log can't be read: {first_line}"))
                    );
                }
            }
        }
    }

    /// The library knows places by addresses and decodes them more than once, so that the folder `a%20b` would
    /// become `a b`. It is told that the dataset is all there is, at the root.
    pub(crate) fn log_store(&self) -> LogStoreRef {
        let here = PrefixStore::new(Arc::clone(&self.root.store), self.key.clone());
        let here: Arc<dyn ObjectStore> = Arc::new(here);
        let address = match self.root.folder {
            Some(_) => "file:///",
            None => "memory:///",
        };
        let address = Url::parse(address).expect("the address of a root is one");
        default_logstore(Arc::clone(&here), here, &address, &StorageConfig::default())
    }

    /// The bytes of the log entry of a version; `None` when there is none.
    pub(crate) async fn log_entry(&self, version: u64) -> Result<Option<bytes::Bytes>, Error> {
        let unavailable = |e: object_store::Error| self.unavailable("read the log of", e.into());
        match self
            .root
            .store
            .get(&layout::log_entry(&self.key, version))
            .await
        {
            Ok(answer) => answer.bytes().await.map(Some).map_err(unavailable),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    pub(crate) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.root.store
    }

    pub(crate) fn missing(&self) -> Error {
        Error::Missing(self.name.to_string())
    }

    pub(crate) fn overtaken(&self) -> Error {
        Error::Overtaken(self.name.to_string())
    }

    pub(crate) fn refused(&self, why: impl Into<String>) -> Error {
        Error::Refused {
            dataset: self.name.to_string(),
            why: why.into(),
        }
    }

    pub(crate) fn damaged(&self, file: &str, what: impl Into<String>) -> Error {
        Error::Damaged {
            dataset: self.name.to_string(),
            file: file.to_owned(),
            what: what.into(),
        }
    }

    pub(crate) fn unavailable(&self, doing: &'static str, source: Source) -> Error {
        Error::Unavailable {
            dataset: self.name.to_string(),
            doing,
            source,
        }
    }
}

/// Whether an error of the library is the storage's not answering, rather than what it answered.
pub(crate) fn unanswered(error: &DeltaTableError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            return !matches!(error, object_store::Error::NotFound { .. });
        }
        next = error.source();
    }
    false
}
