//! Where the datasets of a stage live.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;

use crate::checked::Checked;
use crate::error::{Error, Source};

/// Where datasets live: a folder of this machine, or any object store with conditional writes.
#[derive(Clone, Debug)]
pub struct Root {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) base: Key,
    pub(crate) checked: Arc<Checked>,
}

impl Root {
    /// A folder of this machine. It need not be there: it is made by the first commit.
    pub fn folder(path: &Path) -> Result<Self, Error> {
        Self::folder_through(Arc::new(LocalFileSystem::new()), path)
    }

    /// A folder, with `store` standing in for the file system of the whole machine: for tests, which
    /// wrap it. Files are linked into the folder without asking the store.
    pub fn folder_through(store: Arc<dyn ObjectStore>, path: &Path) -> Result<Self, Error> {
        let unusable = |source: Source| Error::Unavailable {
            dataset: path.display().to_string(),
            doing: "use the folder",
            source,
        };
        let folder = resolved(path).map_err(|e| unusable(e.into()))?;
        let base = Key::from_absolute_path(&folder).map_err(|e| unusable(e.into()))?;
        Ok(Self {
            store,
            folder: Some(folder),
            base,
            checked: Arc::default(),
        })
    }

    /// Anything else. The store must have put-if-absent. Stages that share one need `{stage}` in their
    /// templates, or the datasets of one would be found in the other.
    pub fn store(store: Arc<dyn ObjectStore>) -> Self {
        Self {
            store,
            folder: None,
            base: Key::default(),
            checked: Arc::default(),
        }
    }

    /// The file of a key, when the root is a folder.
    pub(crate) fn file(&self, key: &Key) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        let below = key.prefix_match(&self.base)?;
        Some(below.fold(folder.clone(), |path, part| path.join(part.as_ref())))
    }
}

/// A folder on a file system without hard links: two writers could both be the first there.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{}` is on a file system without hard links (such as exFAT), where comboi cannot make sure that only one of two writers commits; move it to another file system, such as ext4, xfs, APFS or NTFS",
    .0.display()
)]
pub struct NoLinks(PathBuf);

impl NoLinks {
    /// `None` when links can be made there, or nothing can be written at all.
    pub(crate) fn of(folder: &Path) -> Option<Self> {
        let there = folder.ancestors().find(|it| it.is_dir())?;
        let name = format!(".comboi-{}", uuid::Uuid::new_v4().simple());
        let (file, link) = (there.join(&name), there.join(format!("{name}-link")));
        let written = std::fs::write(&file, "comboi");
        let linked = std::fs::hard_link(&file, &link);
        drop(std::fs::remove_file(&link));
        drop(std::fs::remove_file(&file));
        (written.is_ok() && linked.is_err()).then(|| Self(there.to_owned()))
    }
}

/// The path without links and `..`, though its last folders may not be there yet: the keys of a
/// store know neither.
fn resolved(path: &Path) -> std::io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut there = absolute.as_path();
    let mut rest = Vec::new();
    loop {
        match there.canonicalize() {
            Ok(real) => {
                return Ok(rest
                    .into_iter()
                    .rev()
                    .fold(real, |path, part| path.join(part)));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // No name means a `..` behind a folder that is not there.
                let (Some(parent), Some(name)) = (there.parent(), there.file_name()) else {
                    return Err(error);
                };
                rest.push(name.to_owned());
                there = parent;
            }
            Err(error) => return Err(error),
        }
    }
}
