//! One process's way to a store that many simulated processes share: calls take their time, fail, lie, and the process dies in them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::Notify;

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is done.
    Done,
    /// It is not done, and an error is told.
    Fails,
    /// It is done, and an error is told.
    Lies,
    /// It is done, and what it would have created is told to be there already: the client's own second try met its first.
    Exists,
    /// It is not done, and nothing is ever told: the process is dead.
    DiesBefore,
    /// It is done, and nothing is ever told: the process is dead.
    DiesAfter,
}

/// Says what becomes of each call, and takes as long as the call does. It is told whether the call writes.
pub type Fates = Arc<dyn Fn(bool) -> BoxFuture<'static, Fate> + Send + Sync>;

/// When objects were written, by a clock of the test's; shared by all who write.
#[derive(Clone)]
pub struct Times {
    now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    written: Arc<Mutex<BTreeMap<Path, DateTime<Utc>>>>,
}

impl Times {
    /// None yet.
    pub fn by(now: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>) -> Self {
        Self {
            now,
            written: Arc::default(),
        }
    }

    fn note(&self, location: &Path) {
        let now = (self.now)();
        self.written().insert(location.clone(), now);
    }

    fn written(&self) -> MutexGuard<'_, BTreeMap<Path, DateTime<Utc>>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A store as one process sees it.
pub struct Fickle {
    inner: Arc<dyn ObjectStore>,
    fates: Fates,
    times: Times,
    dead: AtomicBool,
    died: Notify,
}

impl fmt::Debug for Fickle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fickle")
    }
}

impl fmt::Display for Fickle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fickle")
    }
}

impl Fickle {
    /// A process's way to this store.
    pub fn new(inner: Arc<dyn ObjectStore>, fates: Fates, times: Times) -> Arc<Self> {
        Arc::new(Self {
            inner,
            fates,
            times,
            dead: AtomicBool::new(false),
            died: Notify::new(),
        })
    }

    /// Returns when the process has died.
    pub async fn died(&self) {
        if !self.dead.load(Ordering::SeqCst) {
            self.died.notified().await;
        }
    }

    /// Does a call as its fate has it. What has happened to a stored object after a death is that of a call which was under way.
    async fn call<T>(
        &self,
        writes: bool,
        creates: Option<&Path>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let fate = (self.fates)(writes).await;
        if self.dead.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        match fate {
            Fate::Done => work.await,
            Fate::Fails => Err(failure()),
            Fate::Lies => {
                work.await?;
                Err(failure())
            }
            Fate::Exists => match (work.await, creates) {
                (Ok(_), Some(path)) => Err(Error::AlreadyExists {
                    path: path.to_string(),
                    source: "its own second try".into(),
                }),
                (done, _) => done,
            },
            Fate::DiesBefore => self.die().await,
            Fate::DiesAfter => {
                drop(work.await);
                self.die().await
            }
        }
    }

    async fn die<T>(&self) -> T {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
        std::future::pending().await
    }
}

fn failure() -> Error {
    Error::Generic {
        store: "fickle",
        source: "the storage failed, or its answer was lost".into(),
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ObjectStore for Fickle {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let creates = matches!(options.mode, PutMode::Create).then_some(location);
        let put = async {
            let put = self.inner.put_opts(location, payload, options).await?;
            self.times.note(location);
            Ok(put)
        };
        self.call(true, creates, put).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let get = async {
            let mut got = self.inner.get_opts(location, options).await?;
            if let Some(written) = self.times.written().get(location) {
                got.meta.last_modified = *written;
            }
            Ok(got)
        };
        self.call(false, None, get).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let get = self.inner.get_ranges(location, ranges);
        self.call(false, None, get).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let listed = self.inner.list(prefix);
        let fate = (self.fates)(false);
        let dead = self.dead.load(Ordering::SeqCst);
        let judged = async move {
            match fate.await {
                _ if dead => futures::stream::pending().boxed(),
                Fate::Done => listed,
                _ => futures::stream::once(futures::future::ready(Err(failure()))).boxed(),
            }
        };
        futures::stream::once(judged).flatten().boxed()
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let list = self.inner.list_with_delimiter(prefix);
        self.call(false, None, list).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.call(true, None, self.inner.copy_opts(from, to, options))
            .await
    }

    async fn rename_opts(
        &self,
        from: &Path,
        to: &Path,
        options: object_store::RenameOptions,
    ) -> Result<()> {
        self.call(true, None, self.inner.rename_opts(from, to, options))
            .await
    }
}
