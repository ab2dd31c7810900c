//! What a pipeline remembers of its runs, with the lake: what each run was to do, and what became of each of
//! its tasks.
//!
//! ```text
//! {pipeline}/requests/{request}                        write-once: which run somebody's request became
//! {pipeline}/refused/{message}.json                    write-once: why a message was not done
//! {pipeline}/runs/{run:012}/plan.json                  write-once: whoever writes it has the run's number
//! {pipeline}/runs/{run:012}/receipts/{dataset}.json    write-once
//! {pipeline}/runs/{run:012}/alive                      written again and again by whoever works on the run
//! {pipeline}/runs/{run:012}/closed.json                write-once
//! {pipeline}/open/{messages|processes}/{run:012}       there while the run has not ended; empty
//! ```
//!
//! It needs put-if-absent and nothing else: no lock, and no object is changed by two writers. Losing all of it
//! loses no row and doubles none: rows and their checkpoints are in the lake.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use comboi_project::{DatasetId, PipelineName, RunId};
use futures::{StreamExt as _, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

use crate::root::{NoLinks, Root};

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
    /// The folder is on a file system that can't tell which of two writers was first.
    #[error(transparent)]
    NoLinks(NoLinks),
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

/// What keeps an open run going.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenBy {
    /// Messages of a queue: any process may go on with it.
    Messages,
    /// One process, which does all of it.
    Process,
}

impl OpenBy {
    fn as_str(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::Process => "processes",
        }
    }
}

/// The state of one pipeline's runs.
#[derive(Clone, Debug)]
pub struct State {
    store: Arc<dyn ObjectStore>,
    pipeline: PipelineName,
    folder: Option<PathBuf>,
    /// What an earlier comboi kept elsewhere.
    earlier: Option<Arc<State>>,
}

impl State {
    /// State below `_comboi/runs` of a root. Asks nothing of the storage.
    pub fn in_root(root: &Root, pipeline: PipelineName) -> Self {
        let place = root.base.clone().join("_comboi").join("runs");
        let store = PrefixStore::new(Arc::clone(&root.store), place);
        Self {
            folder: root
                .folder
                .as_ref()
                .map(|it| it.join("_comboi").join("runs")),
            ..Self::in_store(Arc::new(store), pipeline)
        }
    }

    /// The same, with what an earlier comboi kept of the pipeline's runs in a folder, if it did.
    pub fn with_earlier(self, folder: &Path) -> Result<Self, StateError> {
        if !folder.join(self.pipeline.as_str()).is_dir() {
            return Ok(self);
        }
        let unusable = |e| StateError::Folder("read from this folder", folder.to_owned(), e);
        let base = folder.canonicalize().map_err(unusable)?;
        let base =
            Key::from_absolute_path(&base).map_err(|e| unusable(std::io::Error::other(e)))?;
        let store = PrefixStore::new(LocalFileSystem::new(), base);
        let earlier = Self {
            folder: Some(folder.to_owned()),
            ..Self::in_store(Arc::new(store), self.pipeline.clone())
        };
        Ok(Self {
            earlier: Some(Arc::new(earlier)),
            ..self
        })
    }

    /// What an earlier comboi kept elsewhere. It is read only.
    pub fn earlier(&self) -> Option<&Self> {
        self.earlier.as_deref()
    }

    /// Where it is, for people.
    pub fn location(&self) -> String {
        match &self.folder {
            Some(folder) => format!("`{}`", folder.join(self.pipeline.as_str()).display()),
            None => format!("`_comboi/runs/{}` beside bronze", self.pipeline),
        }
    }

    /// State in any store that has conditional writes.
    pub fn in_store(store: Arc<dyn ObjectStore>, pipeline: PipelineName) -> Self {
        Self {
            store,
            pipeline,
            folder: None,
            earlier: None,
        }
    }

    /// The pipeline whose runs these are.
    pub fn pipeline(&self) -> &PipelineName {
        &self.pipeline
    }

    /// What an earlier comboi kept of numbers and open runs in one object; `None` when there is none.
    pub async fn schedule(&self) -> Result<Option<Bytes>, StateError> {
        self.read(&self.key(&["schedule.json"])).await
    }

    /// Takes that object away.
    pub async fn remove_schedule(&self) -> Result<(), StateError> {
        self.remove(&self.key(&["schedule.json"])).await
    }

    /// Notes that a run has not ended.
    pub async fn set_open(&self, by: OpenBy, run: RunId) -> Result<(), StateError> {
        let key = self.open_key(by, run);
        let put = self.store.put(&key, PutPayload::new()).await;
        put.map(|_| ()).map_err(|e| self.unwritten(e))
    }

    /// Takes that note away.
    pub async fn unset_open(&self, by: OpenBy, run: RunId) -> Result<(), StateError> {
        self.remove(&self.open_key(by, run)).await
    }

    /// The runs that have not ended, by what was noted; one listing, in order.
    pub async fn open(&self, by: OpenBy) -> Result<Vec<RunId>, StateError> {
        let listed = self.store.list(Some(&self.key(&["open", by.as_str()])));
        let listed: Vec<_> = listed
            .try_collect()
            .await
            .map_err(|e| StateError::Unavailable("listed", e))?;
        let numbers = listed
            .iter()
            .filter_map(|object| object.location.filename()?.parse().ok());
        let mut open: Vec<RunId> = numbers.map(RunId).collect();
        open.sort();
        Ok(open)
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
        self.remove(&self.key(&["requests", request])).await
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
        put.map(|_| ()).map_err(|e| self.unwritten(e))
    }

    /// When somebody was last at work on a run, by the storage's clock; `None` if nobody ever was.
    pub async fn touched(
        &self,
        run: RunId,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, StateError> {
        self.written_at(&self.run_key(run, "alive")).await
    }

    /// When a run's plan was written, by the storage's clock; `None` if there is no such run.
    pub async fn planned_at(
        &self,
        run: RunId,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, StateError> {
        self.written_at(&self.run_key(run, "plan.json")).await
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
        let put = PutPayload::from(bytes.clone());
        let failed = match self.store.put_opts(key, put, options).await {
            Ok(_) => return Ok(Written::Now),
            Err(
                object_store::Error::AlreadyExists { .. }
                | object_store::Error::Precondition { .. },
            ) => None,
            Err(e) => Some(e),
        };
        // It may have been applied all the same: the answer was lost, or the store repeated its own write.
        match (self.read(key).await, failed) {
            (Ok(Some(there)), _) if there == bytes => Ok(Written::Now),
            (Ok(Some(there)), None) => Ok(Written::Before(there)),
            (Ok(None), None) => Err(StateError::Damaged(key.to_string())),
            (_, Some(e)) => Err(self.unwritten(e)),
            (Err(e), None) => Err(e),
        }
    }

    fn unwritten(&self, error: object_store::Error) -> StateError {
        match self.folder.as_deref().and_then(NoLinks::of) {
            Some(no_links) => StateError::NoLinks(no_links),
            None => StateError::Unavailable("written", error),
        }
    }

    async fn remove(&self, key: &Key) -> Result<(), StateError> {
        match self.store.delete(key).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(StateError::Unavailable("removed", e)),
        }
    }

    async fn written_at(
        &self,
        key: &Key,
    ) -> Result<Option<chrono::DateTime<chrono::Utc>>, StateError> {
        match self.store.head(key).await {
            Ok(found) => Ok(Some(found.last_modified)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(e) => Err(StateError::Unavailable("read", e)),
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

    fn open_key(&self, by: OpenBy, run: RunId) -> Key {
        self.key(&["open", by.as_str(), &format!("{:012}", run.0)])
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
