//! Bringing back what a dataset was.

use chrono::{DateTime, Utc};
use comboi_project::{PipelineName, RunId};
use deltalake::kernel::Add;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStoreExt;
use uuid::Uuid;

use crate::commit::{Operation, removals};
use crate::draft::Draft;
use crate::error::Error;
use crate::snapshot::{DataFile, Snapshot, added};
use crate::table::Table;

/// Files that are looked at, at once.
const AT_ONCE: usize = 8;

impl Table {
    /// Makes the dataset what it was at an earlier version: its files, its columns and all that was
    /// noted, the checkpoint among it, for rows and checkpoint belong together: the next run reads
    /// on from there. A new version; nothing is lost by it.
    ///
    /// Safe to repeat with the same run. [`Error::NoSuchVersion`]: its files have been vacuumed.
    pub async fn restore(
        &self,
        version: u64,
        pipeline: &PipelineName,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<Snapshot, Error> {
        let newest = self.snapshot().await?.ok_or_else(|| self.missing())?;
        match self
            .refuse_to_go_back(Some(&newest), pipeline, (run, 0))
            .await
        {
            Err(Error::Superseded { by, .. }) if by == (run, 0) => return Ok(newest),
            other => other?,
        }
        let wanted = self.snapshot_at(version).await?;
        let back: Vec<&DataFile> = wanted
            .files
            .iter()
            .filter(|file| !has(&newest, file))
            .collect();
        futures::stream::iter(
            back.iter()
                .map(|file| self.still_there(file))
                .collect::<Vec<_>>(),
        )
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
        let gone: Vec<String> = newest
            .files
            .iter()
            .filter(|file| !has(&wanted, file))
            .map(|file| file.name.clone())
            .collect();
        if !gone.is_empty() && newest.setting("delta.appendOnly") == Some("true") {
            return Err(self.refused("another program has made it append-only (delta.appendOnly)"));
        }
        let remove = removals(&newest, &gone, Operation::Restore, at);
        let restored = Draft {
            base: Some(&newest),
            operation: Operation::Restore,
            fence: Some((pipeline.clone(), (run, 0))),
            columns: &wanted.columns,
            properties: wanted.properties.clone(),
            oldest: newest.oldest,
            added_row_count: back.iter().map(|file| file.row_count).sum(),
            removed_row_count: remove.iter().map(|(_, row_count)| row_count).sum(),
            add: additions(&wanted, &back),
            remove: remove.into_iter().map(|(file, _)| file).collect(),
            at,
            attempt: Uuid::new_v4().simple().to_string(),
        };
        let restored = self.write(restored).await?;
        self.snapshot_at(restored.version).await
    }

    async fn still_there(&self, file: &DataFile) -> Result<(), Error> {
        let key = self.key_of(&file.name)?;
        if let Some(path) = self.root.file(&key) {
            return self.check_in_folder(file, &path).await;
        }
        // It is not fetched for its digest: who reads it next does that.
        match self.store().head(&key).await {
            Ok(there) => self.check_size(file, Some(there.size)),
            Err(object_store::Error::NotFound { .. }) => self.check_size(file, None),
            Err(error) => Err(self.unavailable("look at a file of", error.into())),
        }
    }
}

/// A file is known by its name: nothing is written twice under one.
fn has(snapshot: &Snapshot, file: &DataFile) -> bool {
    snapshot.files.iter().any(|other| other.name == file.name)
}

/// The files with all that was said of them when they came first.
fn additions(wanted: &Snapshot, back: &[&DataFile]) -> Vec<Add> {
    wanted
        .views()
        .filter(|view| back.iter().any(|file| file.name == view.path()))
        .map(|view| Add {
            data_change: true,
            ..added(&view)
        })
        .collect()
}
