//! Bytes between this machine and the lake.

use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, WriteMultipart};
use tokio::fs;
use tracing::warn;

use crate::digest::{Digest, Digester};
use crate::error::Error;
use crate::layout::{self, UNFINISHED};
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// Bytes of a file that are sent in one piece.
const PART: usize = 8 << 20;
/// Pieces on their way, beside the one that is read.
const PARTS_AT_ONCE: usize = 2;
/// Files that are fetched at once.
const AT_ONCE: usize = 4;

impl Table {
    /// Puts a file of this machine into the dataset's folder. Whole or not at all.
    pub(crate) async fn upload(&self, staged: &Path, name: &str) -> Result<(), Error> {
        let key = self.key.clone().join(name);
        let done = match self.root.file(&key) {
            Some(to) => place(staged, &to).await,
            None => self.send(staged, &key).await,
        };
        done.map_err(|e| self.unavailable("write a file of", e.into()))
    }

    async fn send(&self, staged: &Path, key: &Key) -> io::Result<()> {
        let from = Arc::new(std::fs::File::open(staged)?);
        let first = chunk(&from).await?;
        if first.len() < PART {
            self.store().put(key, first.into()).await?;
            return Ok(());
        }
        // Calls itself off when a part fails.
        let mut to =
            WriteMultipart::new_with_chunk_size(self.store().put_multipart(key).await?, PART);
        to.put(first);
        loop {
            let next = chunk(&from).await?;
            if next.is_empty() {
                break;
            }
            to.wait_for_capacity(PARTS_AT_ONCE).await?;
            to.put(next);
        }
        to.finish().await?;
        Ok(())
    }

    /// Deletes files that never became part of the dataset. What stays is vacuumed later.
    pub(crate) async fn discard(&self, names: &[String]) {
        for name in names {
            if let Err(error) = self
                .store()
                .delete(&self.key.clone().join(name.as_str()))
                .await
            {
                warn!(dataset = self.name(), %error, "a file that was not committed stays until the next vacuum");
            }
        }
    }

    /// The files of a version on this machine: in place when the lake is a folder, else fetched to
    /// a folder below `scratch`. In the order of the snapshot. Each is as it was written, if its commit
    /// has a digest; else it has its right size.
    pub async fn local_files(
        &self,
        snapshot: &Snapshot,
        scratch: &Path,
    ) -> Result<Vec<PathBuf>, Error> {
        self.local_copies(&snapshot.files, scratch).await
    }

    /// The same of some of its files, in their order.
    pub async fn local_copies(
        &self,
        files: &[DataFile],
        scratch: &Path,
    ) -> Result<Vec<PathBuf>, Error> {
        let fetched: Vec<_> = files
            .iter()
            .map(|file| self.local_file(file, scratch))
            .collect();
        futures::stream::iter(fetched)
            .buffered(AT_ONCE)
            .try_collect()
            .await
    }

    /// The bytes of a small file of a version, as they were written.
    pub async fn bytes_of(&self, file: &DataFile) -> Result<Bytes, Error> {
        let key = self.key_of(&file.name)?;
        let unavailable = |e: object_store::Error| self.unavailable("fetch a file of", e.into());
        let bytes = match self.store().get(&key).await {
            Ok(answer) => answer.bytes().await.map_err(unavailable)?,
            Err(object_store::Error::NotFound { .. }) => {
                return self.check_size(file, None).map(|()| Bytes::new());
            }
            Err(error) => return Err(unavailable(error)),
        };
        self.check_size(file, Some(bytes.len() as u64))?;
        let mut digester = Digester::new();
        digester.add(&bytes);
        self.check_digest(file, digester.finish())?;
        Ok(bytes)
    }

    async fn local_file(&self, file: &DataFile, scratch: &Path) -> Result<PathBuf, Error> {
        let key = self.key_of(&file.name)?;
        if let Some(path) = self.root.file(&key) {
            self.check_in_folder(file, &path).await?;
            return Ok(path);
        }
        let to = self
            .key
            .parts()
            .fold(scratch.to_owned(), |path, part| path.join(part.as_ref()))
            .join(file.name.replace('/', "_"));
        // A part never changes under its name, so what is here is what is there. It was checked when it
        // came, which is moments ago.
        if fs::metadata(&to)
            .await
            .is_ok_and(|there| there.len() == file.size_bytes)
        {
            return Ok(to);
        }
        let answer = match self.store().get(&key).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => {
                return self.check_size(file, None).map(|()| to);
            }
            Err(error) => return Err(self.unavailable("fetch a file of", error.into())),
        };
        self.check_size(file, Some(answer.meta.size))?;
        let bytes = answer.into_stream().map_err(io::Error::other);
        let unavailable = |e: io::Error| self.unavailable("fetch a file of", e.into());
        let unfinished = unfinished(&to);
        let received = async {
            let digest = receive(bytes, &unfinished).await.map_err(unavailable)?;
            self.check_digest(file, digest)?;
            fs::rename(&unfinished, &to).await.map_err(unavailable)
        };
        let received = received.await;
        remove_if_failed(received, &unfinished).await?;
        Ok(to)
    }

    /// The key of a file that a log names.
    pub(crate) fn key_of(&self, name: &str) -> Result<Key, Error> {
        layout::below(&self.key, name)
            .ok_or_else(|| self.damaged(name, "the log names a file outside of the dataset"))
    }
}

/// The next bytes of a file: `PART` of them, fewer at its end.
async fn chunk(from: &Arc<std::fs::File>) -> io::Result<Bytes> {
    let from = Arc::clone(from);
    // Not by tokio's own file, which copies each byte once more.
    let read = tokio::task::spawn_blocking(move || {
        let mut chunk = Vec::with_capacity(PART);
        (&*from).take(PART as u64).read_to_end(&mut chunk)?;
        Ok(chunk.into())
    });
    read.await.map_err(io::Error::other)?
}

/// Links a file to another name, or copies it where the file system can't.
async fn place(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await?;
    }
    if fs::hard_link(from, to).await.is_ok() {
        return Ok(());
    }
    let unfinished = unfinished(to);
    let copied = match fs::copy(from, &unfinished).await {
        Ok(_) => fs::rename(&unfinished, to).await,
        Err(error) => Err(error),
    };
    remove_if_failed(copied, &unfinished).await
}

/// Writes what comes, a [`PART`] at a time, while the next one comes, and answers its digest.
async fn receive(
    bytes: impl futures::Stream<Item = io::Result<Bytes>> + Unpin,
    to: &Path,
) -> io::Result<Digest> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).await?;
    }
    let mut bytes = bytes.fuse();
    // Before anything may fail: a file that is made later would empty the one of who tries again.
    let file = fs::File::create(to).await?.into_std().await;
    let digester = Digester::new();
    let mut writing = tokio::task::spawn_blocking(move || io::Result::Ok((file, digester)));
    loop {
        let (mut part, mut size) = (Vec::new(), 0);
        while size < PART
            && let Some(chunk) = bytes.try_next().await?
        {
            size += chunk.len();
            part.push(chunk);
        }
        let (mut file, mut digester) = writing.await.map_err(io::Error::other)??;
        if part.is_empty() {
            return Ok(digester.finish());
        }
        writing = tokio::task::spawn_blocking(move || {
            for chunk in part {
                digester.add(&chunk);
                file.write_all(&chunk)?;
            }
            Ok((file, digester))
        });
    }
}

async fn remove_if_failed<E>(done: Result<(), E>, unfinished: &Path) -> Result<(), E> {
    if done.is_err()
        && let Err(error) = fs::remove_file(unfinished).await
        && error.kind() != io::ErrorKind::NotFound
    {
        warn!(%error, "a half-written file could not be removed: `{}`", unfinished.display());
    }
    done
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}
