//! An object store that stops, lies, stutters or waits at a chosen write.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions,
    RenameTargetMode, Result, UploadPart,
};
use tokio::sync::Notify;

/// What happens at one write. Writes are counted from 0: every put, completed upload, deleted object, copy and rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The write does not happen, and no later call of any kind is answered: the process died before it.
    DiesBefore(usize),
    /// The write happens, but neither it nor any later call is answered: the process died after it.
    DiesAfter(usize),
    /// The write happens and an error is reported. Later calls are answered.
    Lies(usize),
    /// The write happens, the answer is lost, and the client's own second try is told that the object
    /// is there already. Only a write that must create its object is answered so; others as in `Lies`.
    Exists(usize),
    /// The write does not happen, and so for as many writes as the second number says. Then all is well.
    Refuses(usize, usize),
    /// The write waits until [`Faulty::let_go`], and then happens: its process was asleep.
    Waits(usize),
}

enum Verdict {
    Fine,
    FailBefore,
    FailAfter,
    ExistsAfter,
    Wait,
}

/// Wraps a store, counts its writes and fails as it was told.
#[derive(Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    control: Arc<Control>,
}

#[derive(Debug, Default)]
struct Control {
    writes: AtomicUsize,
    dead: AtomicBool,
    fault: Mutex<Option<Fault>>,
    log: Mutex<Vec<String>>,
    asleep: Notify,
    awake: Notify,
}

impl Faulty {
    /// A store that does all it is asked to and counts.
    pub fn new(inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            control: Arc::default(),
        })
    }

    /// A store with one fault.
    pub fn with(fault: Fault, inner: Arc<dyn ObjectStore>) -> Arc<Self> {
        let store = Self::new(inner);
        *store.control.fault.lock().expect("no test panics in here") = Some(fault);
        store
    }

    /// How many writes were tried.
    pub fn writes(&self) -> usize {
        self.control.writes.load(Ordering::SeqCst)
    }

    /// Whether the store has died.
    pub fn died(&self) -> bool {
        self.control.dead.load(Ordering::SeqCst)
    }

    /// Returns when the write that waits was reached.
    pub async fn waits(&self) {
        self.control.asleep.notified().await;
    }

    /// Lets the write that waits happen, now or when it is reached.
    pub fn let_go(&self) {
        self.control.awake.notify_one();
    }

    /// The writes that were tried, each as its kind and its object's name.
    pub fn log(&self) -> Vec<String> {
        self.control
            .log
            .lock()
            .expect("no test panics in here")
            .clone()
    }
}

fn fault_error(what: &str) -> Error {
    Error::Generic {
        store: "faulty",
        source: format!("{what} on purpose").into(),
    }
}

impl Control {
    fn alive(&self) -> Result<()> {
        if self.dead.load(Ordering::SeqCst) {
            Err(fault_error("dead"))
        } else {
            Ok(())
        }
    }

    fn judge(&self, kind: &str, name: &Path) -> Result<Verdict> {
        self.alive()?;
        let number = self.writes.fetch_add(1, Ordering::SeqCst);
        self.log
            .lock()
            .expect("no test panics in here")
            .push(format!("{kind} {name}"));
        let fault = *self.fault.lock().expect("no test panics in here");
        let die = || self.dead.store(true, Ordering::SeqCst);
        Ok(match fault {
            Some(Fault::DiesBefore(n)) if n == number => {
                die();
                Verdict::FailBefore
            }
            Some(Fault::DiesAfter(n)) if n == number => {
                die();
                Verdict::FailAfter
            }
            Some(Fault::Lies(n)) if n == number => Verdict::FailAfter,
            Some(Fault::Exists(n)) if n == number => Verdict::ExistsAfter,
            Some(Fault::Waits(n)) if n == number => Verdict::Wait,
            Some(Fault::Refuses(n, times)) if (n..n + times).contains(&number) => {
                Verdict::FailBefore
            }
            _ => Verdict::Fine,
        })
    }

    async fn write<T>(
        &self,
        kind: &str,
        name: &Path,
        creates: bool,
        write: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match self.judge(kind, name)? {
            Verdict::Fine => write.await,
            Verdict::Wait => {
                self.asleep.notify_one();
                self.awake.notified().await;
                write.await
            }
            Verdict::FailBefore => Err(fault_error("failed before the write")),
            Verdict::ExistsAfter if creates => {
                write.await?;
                Err(Error::AlreadyExists {
                    path: name.to_string(),
                    source: "on purpose".into(),
                })
            }
            Verdict::FailAfter | Verdict::ExistsAfter => {
                write.await?;
                Err(fault_error("failed after the write"))
            }
        }
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faulty({})", self.inner)
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        opts: PutOptions,
    ) -> Result<PutResult> {
        let creates = matches!(opts.mode, PutMode::Create);
        self.control
            .write(
                "put",
                location,
                creates,
                self.inner.put_opts(location, payload, opts),
            )
            .await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.control.alive()?;
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload {
            inner,
            control: Arc::clone(&self.control),
            location: location.clone(),
        }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.control.alive()?;
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.control.alive()?;
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let (inner, control) = (Arc::clone(&self.inner), Arc::clone(&self.control));
        locations
            .then(move |location| {
                let (inner, control) = (Arc::clone(&inner), Arc::clone(&control));
                async move {
                    let location = location?;
                    let one =
                        futures::stream::once(futures::future::ready(Ok(location.clone()))).boxed();
                    let deleted = async {
                        inner
                            .delete_stream(one)
                            .collect::<Vec<_>>()
                            .await
                            .into_iter()
                            .collect::<Result<Vec<_>>>()
                    };
                    control.write("delete", &location, false, deleted).await?;
                    Ok(location)
                }
            })
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.control.alive() {
            Ok(()) => self.inner.list(prefix),
            Err(error) => futures::stream::once(futures::future::ready(Err(error))).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.control.alive() {
            Ok(()) => self.inner.list_with_offset(prefix, offset),
            Err(error) => futures::stream::once(futures::future::ready(Err(error))).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.control.alive()?;
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let creates = matches!(options.mode, CopyMode::Create);
        self.control
            .write("copy", to, creates, self.inner.copy_opts(from, to, options))
            .await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let creates = matches!(options.target_mode, RenameTargetMode::Create);
        self.control
            .write(
                "rename",
                to,
                creates,
                self.inner.rename_opts(from, to, options),
            )
            .await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    control: Arc<Control>,
    location: Path,
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        match self.control.alive() {
            Ok(()) => self.inner.put_part(data),
            Err(error) => Box::pin(futures::future::ready(Err(error))),
        }
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let control = Arc::clone(&self.control);
        control
            .write("complete", &self.location, false, self.inner.complete())
            .await
    }

    async fn abort(&mut self) -> Result<()> {
        self.control.alive()?;
        self.inner.abort().await
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;

    use super::*;
    use crate::{memory, names};

    async fn check(fault: Fault, answers: &str, left: &str) {
        let inner = memory();
        let store = Faulty::with(fault, Arc::clone(&inner));
        let mut told = Vec::new();
        for name in ["a", "b", "c"] {
            let name = Path::parse(name).unwrap();
            let answer = store
                .put_opts(&name, "x".into(), PutMode::Create.into())
                .await;
            told.push(match answer {
                Ok(_) => "ok",
                Err(Error::AlreadyExists { .. }) => "exists",
                Err(_) => "error",
            });
        }
        let read = if store.get(&Path::parse("a").unwrap()).await.is_ok() {
            "read"
        } else {
            "unread"
        };
        assert_eq!(format!("{} {read}", told.join(" ")), answers, "{fault:?}");
        assert_eq!(names(inner.as_ref()).await.join(" "), left, "{fault:?}");
    }

    #[tokio::test]
    async fn each_fault_does_what_it_says() {
        check(Fault::DiesBefore(1), "ok error error unread", "a").await;
        check(Fault::DiesAfter(1), "ok error error unread", "a b").await;
        check(Fault::Lies(1), "ok error ok read", "a b c").await;
        check(Fault::Exists(1), "ok exists ok read", "a b c").await;
        check(Fault::Refuses(0, 2), "error error ok unread", "c").await;
    }
    #[tokio::test]
    async fn a_write_waits_until_it_is_let_go() {
        let inner = memory();
        let store = Faulty::with(Fault::Waits(1), Arc::clone(&inner));
        let writing = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                for name in ["a", "b", "c"] {
                    store
                        .put(&Path::parse(name).unwrap(), "x".into())
                        .await
                        .unwrap();
                }
            }
        });
        store.waits().await;
        assert_eq!(names(inner.as_ref()).await.join(" "), "a");
        store.let_go();
        writing.await.unwrap();
        assert_eq!(names(inner.as_ref()).await.join(" "), "a b c");
    }
}
