//! The files that a dataset is built of.

use std::path::{Path, PathBuf};

use comboi_lake::{DataFile, Error, Snapshot, Table};
use tokio::task::spawn_blocking;

/// The files of a version on this machine, each as it was written as far as that can be known: by its digest where its
/// commit has one, else by the checksums of its pages where it has some, as files of other programs may.
pub(crate) async fn local_files(
    table: &Table,
    snapshot: &Snapshot,
    scratch: &Path,
) -> Result<Vec<PathBuf>, Error> {
    let paths = table.local_files(snapshot, scratch).await?;
    for (file, path) in snapshot.files.iter().zip(&paths) {
        if file.digest.is_none() {
            check_pages(table, file, path.clone()).await?;
        }
    }
    Ok(paths)
}

async fn check_pages(table: &Table, file: &DataFile, path: PathBuf) -> Result<(), Error> {
    // A file that can't be read is named by the statement that reads it.
    let damage = spawn_blocking(move || comboi_engine::damaged_page(&path).unwrap_or_default());
    match damage.await.unwrap_or_default() {
        None => Ok(()),
        Some(damage) => Err(Error::Damaged {
            dataset: table.name().to_owned(),
            file: file.name.clone(),
            what: damage,
        }),
    }
}
