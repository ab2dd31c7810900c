//! What a pipeline remembers of its runs, beside the lake: which number comes next, what each run
//! was to do, and what became of each of its tasks.
//!
//! ```text
//! {pipeline}/schedule.json                             changed by compare-and-swap
//! {pipeline}/requests/{request}                        write-once: which run somebody's request became
//! {pipeline}/refused/{message}.json                    write-once: why a message was not done
//! {pipeline}/runs/{run:012}/plan.json                  write-once
//! {pipeline}/runs/{run:012}/receipts/{dataset}.json    write-once
//! {pipeline}/runs/{run:012}/alive                      written again and again by whoever works on the run
//! {pipeline}/runs/{run:012}/closed.json                write-once
//! ```
//!
//! Losing all of it loses no row and doubles none: rows and their checkpoints are in the lake.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use comboi_project::{DatasetId, PipelineName, RunId};
use futures::{StreamExt as _, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, UpdateVersion};

use crate::root::Root;

/// Objects that are read at once.
const READS_AT_ONCE: usize = 16;

/// What can go wrong in reading or writing the state of runs.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The storage did not answer as it should. The first field completes "the state of runs could not be …".
    #[error("the state of runs could not be {0}")]
    Unavailable(&'static str, #[source] object_store::Error),
    /// The folder on this machine could not be used. The first field completes "the state of runs could not be …".
    #[error("the state of runs could not be {0}: {1}")]
    Folder(&'static str, PathBuf, #[source] std::io::Error),
    /// An object is not what comboi wrote.
    #[error(
        "`{0}` is damaged; `comboi run` begins a new run, which reads what it needs from the lake, once it is removed"
    )]
    Damaged(String),
}

/// Whether this call wrote the object, or it had been written before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// This call wrote it.
    Now,
    /// It was there already, with these bytes.
    Before(Bytes),
}

/// The schedule as it was read: its bytes and what a swap compares with.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What was stored; `None` before the first run.
    pub bytes: Option<Bytes>,
    version: Option<UpdateVersion>,
}

/// Keeps other processes from running the pipeline until it is dropped.
#[derive(Debug)]
pub struct RunLock(#[expect(dead_code, reason = "held for its lock")] Option<std::fs::File>);

/// The state of one pipeline's runs.
#[derive(Clone, Debug)]
pub struct State {
    store: Arc<dyn ObjectStore>,
    pipeline: PipelineName,
    folder: Option<PathBuf>,
}

impl State {
    /// State in a folder of this machine, which is made if it is not there.
    pub fn in_folder(folder: &Path, pipeline: PipelineName) -> Result<Self, StateError> {
        let unusable = |e| StateError::Folder("kept in this folder", folder.to_owned(), e);
        std::fs::create_dir_all(folder).map_err(unusable)?;
        let store = LocalFileSystem::new_with_prefix(folder)
            .map_err(|e| StateError::Unavailable("opened", e))?
            .with_automatic_cleanup(false);
        Ok(Self {
            store: Arc::new(store),
            pipeline,
            folder: Some(folder.to_owned()),
        })
    }

    /// State below `_comboi/runs` of a root that is no folder.
    pub fn in_root(root: &Root, pipeline: PipelineName) -> Self {
        let place = root.base.clone().join("_comboi").join("runs");
        let store = PrefixStore::new(Arc::clone(&root.store), place);
        Self::in_store(Arc::new(store), pipeline)
    }

    /// State in any store that has conditional writes.
    pub fn in_store(store: Arc<dyn ObjectStore>, pipeline: PipelineName) -> Self {
        Self {
            store,
            pipeline,
            folder: None,
        }
    }

    /// The pipeline whose runs these are.
    pub fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    /// Takes the lock that keeps other processes on this machine from running the pipeline; `None` when
    /// another process has it.
    ///
    /// The lock ends with the process, however that ends. In a store there is no lock, and none is needed.
    pub fn try_lock(&self) -> Result<Option<RunLock>, StateError> {
        let Some(folder) = &self.folder else {
            return Ok(Some(RunLock(None)));
        };
        let path = folder.join(format!("{}.lock", self.pipeline));
        let unusable = |e| StateError::Folder("locked", path.clone(), e);
        let file = std::fs::File::create(&path).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(RunLock(Some(file)))),
            Err(std::fs::TryLockError::WouldBlock) => Ok(None),
            Err(std::fs::TryLockError::Error(e)) => Err(unusable(e)),
        }
    }

    /// The schedule as it is now.
    pub async fn schedule(&self) -> Result<Schedule, StateError> {
        match self.store.get(&self.schedule_key()).await {
            Ok(found) => {
                let version = UpdateVersion {
                    e_tag: found.meta.e_tag.clone(),
                    version: found.meta.version.clone(),
                };
                let bytes = found
                    .bytes()
                    .await
                    .map_err(|e| StateError::Unavailable("read", e))?;
                Ok(Schedule {
                    bytes: Some(bytes),
                    version: Some(version),
                })
            }
            Err(object_store::Error::NotFound { .. }) => Ok(Schedule {
                bytes: None,
                version: None,
            }),
            Err(e) => Err(StateError::Unavailable("read", e)),
        }
    }

    /// Changes the schedule if it is still what was read; says whether it did.
    pub async fn swap_schedule(&self, read: &Schedule, new: Bytes) -> Result<bool, StateError> {
        let mode = match &read.version {
            None => PutMode::Create,
            Some(version) => PutMode::Update(version.clone()),
        };
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&self.schedule_key(), PutPayload::from(new.clone()), options)
            .await
        {
            Ok(_) => Ok(true),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                // A retry inside the store can meet its own first write.
                Ok(self.schedule().await?.bytes.as_ref() == Some(&new))
            }
            Err(object_store::Error::NotImplemented { .. }) => self.swap_in_folder(read, new).await,
            Err(e) => Err(StateError::Unavailable("written", e)),
        }
    }

    /// Local file systems have no compare-and-swap, but they have locks.
    async fn swap_in_folder(&self, read: &Schedule, new: Bytes) -> Result<bool, StateError> {
        let folder = self
            .folder
            .as_ref()
            .expect("only a local file system lacks conditional updates");
        let path = folder.join(format!("{}.schedule.lock", self.pipeline));
        let unusable = |e| StateError::Folder("locked", path.clone(), e);
        let lock = std::fs::File::create(&path).map_err(unusable)?;
        lock.lock().map_err(unusable)?;
        if self.schedule().await?.bytes != read.bytes {
            return Ok(false);
        }
        self.store
            .put(&self.schedule_key(), PutPayload::from(new))
            .await
            .map_err(|e| StateError::Unavailable("written", e))?;
        Ok(true)
    }

    /// Takes away a schedule that can't be read. The next run finds its number again.
    pub async fn forget_schedule(&self) -> Result<(), StateError> {
        match self.store.delete(&self.schedule_key()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(StateError::Unavailable("removed", e)),
        }
    }

    /// Writes what a run is to do, once.
    pub async fn create_plan(&self, run: RunId, plan: Bytes) -> Result<Written, StateError> {
        self.create(&self.run_key(run, "plan.json"), plan).await
    }

    /// What a run is to do; `None` if there is no such run.
    pub async fn plan(&self, run: RunId) -> Result<Option<Bytes>, StateError> {
        self.read(&self.run_key(run, "plan.json")).await
    }

    /// Writes what became of a task of a run, once.
    pub async fn create_receipt(
        &self,
        run: RunId,
        task: &DatasetId,
        receipt: Bytes,
    ) -> Result<Written, StateError> {
        self.create(&self.receipt_key(run, task), receipt).await
    }

    /// What became of a task of a run; `None` while it has not ended.
    pub async fn receipt(&self, run: RunId, task: &DatasetId) -> Result<Option<Bytes>, StateError> {
        self.read(&self.receipt_key(run, task)).await
    }

    /// What became of the tasks of a run so far: each with the task's name as the receipt's own name has it.
    pub async fn receipts(&self, run: RunId) -> Result<Vec<(String, Bytes)>, StateError> {
        let below = self.run_key(run, "receipts");
        let listed: Vec<_> = self
            .store
            .list(Some(&below))
            .try_collect()
            .await
            .map_err(|e| StateError::Unavailable("listed", e))?;
        let reads = listed.into_iter().map(|object| {
            let parts = object.location.prefix_match(&below).into_iter().flatten();
            let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
            let name = parts.join("/");
            async move {
                let bytes = self.read(&object.location).await?;
                let task = name.strip_suffix(".json").unwrap_or(&name).to_owned();
                Ok(bytes.map(|bytes| (task, bytes)))
            }
        });
        let read: Vec<Option<(String, Bytes)>> = futures::stream::iter(reads)
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(read.into_iter().flatten().collect())
    }

    /// Writes which run a request became, once. The request is a name of letters, digits and `-`.
    pub async fn create_request(&self, request: &str, run: RunId) -> Result<Written, StateError> {
        let bytes = run.0.to_string().into();
        self.create(&self.key(&["requests", request]), bytes).await
    }

    /// Which run a request became; `None` if none yet.
    pub async fn request(&self, request: &str) -> Result<Option<RunId>, StateError> {
        let key = self.key(&["requests", request]);
        let Some(bytes) = self.read(&key).await? else {
            return Ok(None);
        };
        let number = std::str::from_utf8(&bytes)
            .ok()
            .and_then(|text| text.parse().ok());
        match number {
            Some(number) => Ok(Some(RunId(number))),
            None => Err(StateError::Damaged(key.to_string())),
        }
    }

    /// Forgets a request. Asked again, it is a new one.
    pub async fn forget_request(&self, request: &str) -> Result<(), StateError> {
        match self.store.delete(&self.key(&["requests", request])).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(StateError::Unavailable("removed", e)),
        }
    }

    /// Writes why a message was refused, once. The name is of letters, digits and `-`.
    pub async fn create_refusal(&self, message: &str, why: Bytes) -> Result<Written, StateError> {
        let file = format!("{message}.json");
        self.create(&self.key(&["refused", &file]), why).await
    }

    /// Says that somebody is at work on a run now.
    pub async fn touch(&self, run: RunId) -> Result<(), StateError> {
        let key = self.run_key(run, "alive");
        let put = self.store.put(&key, PutPayload::new()).await;
        put.map(|_| ())
            .map_err(|e| StateError::Unavailable("written", e))
    }

    /// When somebody was last at work on a run, by the storage's clock; `None` if nobody ever was.
    pub async fn touched(
        &self,
        run: RunId,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, StateError> {
        match self.store.head(&self.run_key(run, "alive")).await {
            Ok(found) => Ok(Some(found.last_modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(StateError::Unavailable("read", e)),
        }
    }

    /// Writes that a run has ended, once.
    pub async fn close(&self, run: RunId, closing: Bytes) -> Result<Written, StateError> {
        self.create(&self.run_key(run, "closed.json"), closing)
            .await
    }

    /// How a run ended; `None` while it has not.
    pub async fn closed(&self, run: RunId) -> Result<Option<Bytes>, StateError> {
        self.read(&self.run_key(run, "closed.json")).await
    }

    /// The greatest number that a plan was written for.
    ///
    /// Needed only when the schedule is lost or lags behind a run that died in beginning.
    pub async fn last_planned_run(&self) -> Result<Option<RunId>, StateError> {
        Ok(self.runs().await?.into_iter().max())
    }

    /// The numbers of all runs of which anything is there, in no order; one listing, whatever they hold.
    pub async fn runs(&self) -> Result<Vec<RunId>, StateError> {
        let runs = self.key(&["runs"]);
        let listing = self.store.list_with_delimiter(Some(&runs)).await;
        let found = listing.map_err(|e| StateError::Unavailable("listed", e))?;
        let numbers = found
            .common_prefixes
            .iter()
            .filter_map(|prefix| prefix.parts().next_back()?.as_ref().parse().ok());
        Ok(numbers.map(RunId).collect())
    }

    /// Removes all that is written of a run. Nothing that is still to be done needs it; the lake keeps the record.
    ///
    /// Not atomic; may be repeated.
    pub async fn forget(&self, run: RunId) -> Result<(), StateError> {
        let prefix = self.key(&["runs", &format!("{:012}", run.0)]);
        if let Some(folder) = &self.folder {
            let folder = folder.join(prefix.as_ref());
            return match std::fs::remove_dir_all(&folder) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(StateError::Folder("removed", folder, e))
                }
                _ => Ok(()),
            };
        }
        let listed = self.store.list(Some(&prefix));
        let objects: Vec<_> = listed
            .try_collect()
            .await
            .map_err(|e| StateError::Unavailable("listed", e))?;
        for object in objects {
            let deleted = self.store.delete(&object.location).await;
            deleted.map_err(|e| StateError::Unavailable("removed", e))?;
        }
        Ok(())
    }

    /// Every object of the state below this pipeline, by key: what `verify` and tests compare.
    pub async fn keys(&self) -> Result<Vec<String>, StateError> {
        let listed: Vec<_> = self
            .store
            .list(Some(&self.key(&[])))
            .try_collect()
            .await
            .map_err(|e| StateError::Unavailable("listed", e))?;
        let mut keys: Vec<String> = listed
            .into_iter()
            .map(|object| object.location.to_string())
            .collect();
        keys.sort();
        Ok(keys)
    }

    async fn create(&self, key: &Key, bytes: Bytes) -> Result<Written, StateError> {
        let options = PutOptions {
            mode: PutMode::Create,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(key, PutPayload::from(bytes), options)
            .await
        {
            Ok(_) => Ok(Written::Now),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => {
                let before = self.read(key).await?;
                Ok(Written::Before(
                    before.ok_or_else(|| StateError::Damaged(key.to_string()))?,
                ))
            }
            Err(e) => Err(StateError::Unavailable("written", e)),
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<Bytes>, StateError> {
        match self.store.get(key).await {
            Ok(found) => found
                .bytes()
                .await
                .map(Some)
                .map_err(|e| StateError::Unavailable("read", e)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(StateError::Unavailable("read", e)),
        }
    }

    fn schedule_key(&self) -> Key {
        self.key(&["schedule.json"])
    }

    fn run_key(&self, run: RunId, object: &str) -> Key {
        self.key(&["runs", &format!("{:012}", run.0), object])
    }

    fn receipt_key(&self, run: RunId, task: &DatasetId) -> Key {
        let task = format!("{task}.json");
        let number = format!("{:012}", run.0);
        let mut parts = vec!["runs", &number, "receipts"];
        parts.extend(task.split('/'));
        self.key(&parts)
    }

    fn key(&self, parts: &[&str]) -> Key {
        std::iter::once(self.pipeline.as_str())
            .chain(parts.iter().copied())
            .collect()
    }
}
