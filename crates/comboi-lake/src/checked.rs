//! Whether a data file is what was written: its size, and its digest where the commit has one.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::digest::Digest;
use crate::error::Error;
use crate::snapshot::DataFile;
use crate::table::Table;

/// Files of this machine that have been checked, by what they were then. It lives as long as one
/// command or run, so that a file that ten datasets read is read for its digest once.
#[derive(Debug, Default)]
pub(crate) struct Checked(Mutex<HashMap<PathBuf, (Version, Digest)>>);

/// What changes when a file is written or replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    size_bytes: u64,
    identity: Identity,
}

#[cfg(unix)]
type Identity = (u64, u64, i64, i64);
#[cfg(not(unix))]
type Identity = Option<std::time::SystemTime>;

#[cfg(unix)]
fn identity(metadata: &Metadata) -> Identity {
    use std::os::unix::fs::MetadataExt;
    // Not the time of the last change of the inode: a new link is one.
    (
        metadata.dev(),
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

#[cfg(not(unix))]
fn identity(metadata: &Metadata) -> Identity {
    metadata.modified().ok()
}

impl Version {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            size_bytes: metadata.len(),
            identity: identity(metadata),
        }
    }
}

impl Checked {
    fn has(&self, path: &Path, version: &Version, digest: Digest) -> bool {
        let checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checked
            .get(path)
            .is_some_and(|(known, of)| known == version && *of == digest)
    }

    pub(crate) fn add(&self, path: PathBuf, version: Version, digest: Digest) {
        let mut checked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        checked.insert(path, (version, digest));
    }
}

impl Table {
    /// That a file in a folder is there as it was written. Reads it at most once while it stays as it
    /// is.
    pub(crate) async fn check_in_folder(&self, file: &DataFile, path: &Path) -> Result<(), Error> {
        let metadata = match tokio::fs::metadata(path).await {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.check_size(file, None);
            }
            Err(error) => return Err(self.unavailable("look at a file of", error.into())),
        };
        self.check_size(file, Some(metadata.len()))?;
        let Some(expected) = file.digest else {
            return Ok(());
        };
        let version = Version::of(&metadata);
        if self.root.checked.has(path, &version, expected) {
            return Ok(());
        }
        self.check_digest(file, self.digest_of(path).await?)?;
        self.root.checked.add(path.to_owned(), version, expected);
        Ok(())
    }

    /// The digest of a file of this machine, read to its end.
    pub(crate) async fn digest_of(&self, path: &Path) -> Result<Digest, Error> {
        let path = path.to_owned();
        let read = move || Digest::of(&File::open(path)?);
        let read = tokio::task::spawn_blocking(read)
            .await
            .map_err(io::Error::other)
            .flatten();
        read.map_err(|e| self.unavailable("read a file of", e.into()))
    }

    /// That a file is there with its right size; `None` for one that is not there.
    pub(crate) fn check_size(&self, file: &DataFile, stored: Option<u64>) -> Result<(), Error> {
        match stored {
            Some(size) if size == file.size_bytes => Ok(()),
            Some(size) => Err(self.damaged(
                &file.name,
                format!("a file has {size} bytes instead of {}", file.size_bytes),
            )),
            None => Err(self.damaged(&file.name, "a file is missing")),
        }
    }

    /// That a file has the bytes that were written, if its commit says which these are.
    pub(crate) fn check_digest(&self, file: &DataFile, stored: Digest) -> Result<(), Error> {
        match file.digest {
            Some(expected) if expected != stored => Err(self.damaged(
                &file.name,
                "a file has other bytes than were written: its digest differs",
            )),
            _ => Ok(()),
        }
    }
}
