//! The single Parquet file at a dataset's own path, for readers that know no Delta.

use std::io;
use std::path::Path;

use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, PutPayload};
use serde_json::{Value, json};
use tokio::fs;
use uuid::Uuid;

use crate::error::Error;
use crate::layout::{self, PUBLICATION};
use crate::snapshot::{DataFile, Snapshot};
use crate::table::Table;

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The version whose file it is.
    pub version: u64,
    /// Where it is, for people: a path on this machine, else a key of the store.
    pub location: String,
}

impl Table {
    /// Puts the version's only file at the path that the stage's template names, where readers that
    /// don't know Delta look for it. Atomic, and safe to repeat: a run repairs what another left undone.
    ///
    /// `None` when it is this version's file already, or the template does not end in `.parquet`. A
    /// newer version is published in its place, so that a late process can't bring back an old one.
    pub async fn publish(&self, snapshot: &Snapshot) -> Result<Option<Published>, Error> {
        let Some(place) = &self.published else {
            return Ok(None);
        };
        if self.is_published(snapshot, place).await? {
            return Ok(None);
        }
        let mut published: Option<Published> = None;
        loop {
            let newest = self.snapshot().await?.ok_or_else(|| self.missing())?;
            let done = published
                .as_ref()
                .is_some_and(|published| published.version >= newest.version);
            if done || self.is_published(&newest, place).await? {
                return Ok(published);
            }
            self.put_in_place(&newest, place).await?;
            let location = self
                .root
                .file(place)
                .map_or_else(|| place.to_string(), |file| file.display().to_string());
            published = Some(Published {
                version: newest.version,
                location,
            });
        }
    }

    fn only_file<'a>(&self, snapshot: &'a Snapshot) -> Result<&'a DataFile, Error> {
        match snapshot.files.as_slice() {
            [file] => Ok(file),
            files => Err(self.refused(format!(
                "it has {} files, and only one can be published as a file",
                files.len()
            ))),
        }
    }

    pub(crate) async fn is_published(
        &self,
        snapshot: &Snapshot,
        place: &Key,
    ) -> Result<bool, Error> {
        let file = self.only_file(snapshot)?;
        let key = self.key_of(&file.name)?;
        match (self.root.file(&key), self.root.file(place)) {
            (Some(part), Some(place)) => same_file(&part, &place)
                .await
                .map_err(|e| self.unavailable("look at the published file of", e.into())),
            _ => self.is_noted(file, place).await,
        }
    }

    async fn put_in_place(&self, snapshot: &Snapshot, place: &Key) -> Result<(), Error> {
        let file = self.only_file(snapshot)?;
        let key = self.key_of(&file.name)?;
        match (self.root.file(&key), self.root.file(place)) {
            (Some(part), Some(place)) => {
                let name = format!("{PUBLICATION}{}", Uuid::new_v4().simple());
                let unfinished = part.with_file_name(name);
                self.check_in_folder(file, &part).await?;
                match link_over(&part, &unfinished, &place).await {
                    Ok(()) => Ok(()),
                    Err(error)
                        if error.kind() == io::ErrorKind::NotFound
                            && !fs::try_exists(&part).await.unwrap_or(true) =>
                    {
                        self.check_size(file, None)
                    }
                    Err(error) => Err(self.unavailable("publish", error.into())),
                }
            }
            _ => self.copy_over(file, &key, place).await,
        }
    }

    /// A copy is a new object, so which file it is a copy of is noted beside the log.
    async fn is_noted(&self, file: &DataFile, place: &Key) -> Result<bool, Error> {
        let unavailable =
            |e: object_store::Error| self.unavailable("look at the published file of", e.into());
        let noted = match self.store().get(&layout::publication_note(&self.key)).await {
            Ok(answer) => answer.bytes().await.map_err(unavailable)?,
            Err(object_store::Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(unavailable(error)),
        };
        let noted: Value = serde_json::from_slice(&noted).unwrap_or_default();
        match self.store().head(place).await {
            Ok(there) => Ok(noted == note(file, &there) && there.size == file.size_bytes),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(unavailable(error)),
        }
    }

    async fn copy_over(&self, file: &DataFile, key: &Key, place: &Key) -> Result<(), Error> {
        let unavailable = |e: object_store::Error| self.unavailable("publish", e.into());
        match self.store().copy(key, place).await {
            Ok(()) => {}
            Err(object_store::Error::NotFound { .. }) => return self.check_size(file, None),
            Err(error) => return Err(unavailable(error)),
        }
        let there = self.store().head(place).await.map_err(unavailable)?;
        let note = PutPayload::from(note(file, &there).to_string());
        self.store()
            .put(&layout::publication_note(&self.key), note)
            .await
            .map_err(unavailable)?;
        Ok(())
    }
}

/// Which file was copied, and by what the copy is known again.
fn note(file: &DataFile, copy: &object_store::ObjectMeta) -> Value {
    json!({ "file": file.name, "etag": copy.e_tag, "modified": copy.last_modified.timestamp_millis() })
}

async fn link_over(part: &Path, unfinished: &Path, place: &Path) -> io::Result<()> {
    if let Some(folder) = place.parent() {
        fs::create_dir_all(folder).await?;
    }
    if fs::hard_link(part, unfinished).await.is_err() {
        fs::copy(part, unfinished).await?;
    }
    let moved = fs::rename(unfinished, place).await;
    // Between two names of one file, a rename does nothing and leaves both.
    match fs::remove_file(unfinished).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(%error, "a half-published file could not be removed: `{}`", unfinished.display());
        }
        _ => {}
    }
    moved
}

/// Whether both names are of one file. Never so where the file system has no links: there every call publishes.
async fn same_file(part: &Path, place: &Path) -> io::Result<bool> {
    let there = match fs::metadata(place).await {
        Ok(there) => there,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let Ok(part) = fs::metadata(part).await else {
        return Ok(false);
    };
    Ok(identity(&part) == identity(&there))
}

#[cfg(unix)]
fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

#[cfg(not(unix))]
fn identity(metadata: &std::fs::Metadata) -> (u64, Option<std::time::SystemTime>) {
    (metadata.len(), metadata.modified().ok())
}
