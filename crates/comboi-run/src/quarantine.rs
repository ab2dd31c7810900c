//! Rows that do not fit, kept beside their table.
//!
//! They are put there before the commit that says that their files have been read, and that commit notes which
//! version of the quarantine goes with it. So whatever that version does not have was put there by an extract that
//! died, or was undone by a restoration, and goes with the next one; and what it has can be brought back.

use std::path::{Path, PathBuf};

use comboi_engine::{Limits, read_files};
use comboi_lake::{Change, Lake, Operation, Remove, Snapshot, Table};
use comboi_project::{Columns, DatasetId, Stage};
use comboi_sources::{Extract, ExtractChange};

use crate::runner::Runner;
use crate::task::{TaskError, with_session};
use crate::writer;

/// The version of the quarantine that goes with the rows of a table. Kept in the table's commit.
pub(crate) const QUARANTINE: &str = "quarantine";

/// The rows that are aside for a dataset: the version of its quarantine that goes with its current version, whatever a dead run has put there
/// since. `None`: there are none.
pub async fn quarantined(
    lake: &Lake,
    id: &DatasetId,
) -> Result<Option<Snapshot>, comboi_lake::Error> {
    let latest = lake.table(id).latest().await?;
    let noted = latest.and_then(|latest| latest.properties.get(QUARANTINE)?.parse().ok());
    let Some(version) = noted else {
        return Ok(None);
    };
    let table = lake.quarantine(id);
    let belonging = match table.snapshot_at(version).await {
        // Somebody cleared it away by hand.
        Err(comboi_lake::Error::NoSuchVersion { .. } | comboi_lake::Error::Missing(_)) => {
            table.snapshot().await?
        }
        found => Some(found?),
    };
    Ok(belonging.filter(|found| found.row_count() > 0))
}

/// The quarantine of a table, for one extract.
pub(crate) struct Quarantine<'a> {
    pub(crate) runner: &'a Runner,
    pub(crate) limits: &'a Limits,
    pub(crate) table: Table,
    pub(crate) scratch: &'a Path,
}

/// Files that the quarantine is to have besides the rows that were found now.
#[derive(Default)]
struct Kept {
    /// Names in the quarantine as it is now.
    names: Vec<String>,
    /// Files on this machine that are to be added.
    again: Vec<PathBuf>,
}

impl Quarantine<'_> {
    /// Puts what was found in these files in the place of what had been found in them before. `change` says by whom.
    ///
    /// Answers the version that goes with the rows of the extract; `None` when there never was a bad row.
    pub(crate) async fn put(
        &self,
        base: Option<&Snapshot>,
        read: Vec<String>,
        extract: &Extract,
        change: Change,
    ) -> Result<Option<u64>, TaskError> {
        let newest = self.table.snapshot().await?;
        let kept = match (&newest, &extract.change) {
            (None, _) | (_, ExtractChange::ReplaceAll) => Kept::default(),
            (Some(newest), _) => self.kept(base, newest, read).await?,
        };
        let (found, columns) = match (&extract.quarantined, &newest) {
            (Some(bad), _) => (bad.staged.clone(), bad.columns.clone()),
            (None, Some(newest)) => (Vec::new(), newest.columns.clone()),
            (None, None) => return Ok(None),
        };
        let gone: Vec<String> = newest
            .iter()
            .flat_map(|newest| &newest.files)
            .filter(|file| !kept.names.contains(&file.name))
            .map(|file| file.name.clone())
            .collect();
        let add: Vec<PathBuf> = kept.again.into_iter().chain(found).collect();
        if add.is_empty() && gone.is_empty() {
            return Ok(newest.map(|newest| newest.version));
        }
        let change = Change {
            chunk: writer::next_chunk(newest.as_ref(), &change.pipeline, change.run),
            operation: if gone.is_empty() {
                Operation::Append
            } else {
                Operation::Replace
            },
            columns,
            add,
            remove: Remove::Files(gone),
            ..change
        };
        let committed = self.table.commit_only(newest.as_ref(), change).await?;
        Ok(Some(committed.version))
    }

    /// What goes with the table as it is, without what came from the files that have been read again.
    async fn kept(
        &self,
        base: Option<&Snapshot>,
        newest: &Snapshot,
        read: Vec<String>,
    ) -> Result<Kept, TaskError> {
        let noted = base.and_then(|base| base.properties.get(QUARANTINE)?.parse().ok());
        let Some(version) = noted else {
            return Ok(Kept::default());
        };
        let belonging = match self.table.snapshot_at(version).await {
            Ok(belonging) => belonging,
            // Somebody cleared it away by hand.
            Err(comboi_lake::Error::NoSuchVersion { .. }) => newest.clone(),
            Err(e) => return Err(e.into()),
        };
        let folder = self.scratch.join("aside");
        let paths = self.table.local_files(&belonging, &folder).await?;
        let (outdated, mut again) = self
            .without(
                &belonging.columns,
                paths.clone(),
                read,
                folder.join("again"),
            )
            .await?;
        let mut names = Vec::new();
        for (file, path) in belonging.files.iter().zip(paths) {
            if outdated.contains(&path) {
                continue;
            }
            if newest.files.contains(file) {
                names.push(file.name.clone());
            } else {
                again.push(path);
            }
        }
        Ok(Kept { names, again })
    }

    /// Which files hold rows from these files of the source, and files with the other rows of those.
    async fn without(
        &self,
        columns: &Columns,
        files: Vec<PathBuf>,
        read: Vec<String>,
        folder: PathBuf,
    ) -> Result<(Vec<PathBuf>, Vec<PathBuf>), TaskError> {
        let columns: Columns = columns
            .iter()
            .filter(|column| !column.name.starts_with("_comboi_"))
            .cloned()
            .collect();
        let file_bytes = self
            .runner
            .project
            .stages
            .max_file_size(Stage::Bronze)
            .bytes();
        with_session(self.runner, self.limits, self.scratch, move |session| {
            let unreadable = comboi_sources::Error::from;
            let mut known = read_files::Known { columns, files };
            known.files =
                read_files::files_with_rows_of(session, &known, &read).map_err(unreadable)?;
            let to = read_files::To { folder, file_bytes };
            let others = read_files::rewrite(session, &known, &known.columns, &read, &to);
            Ok((known.files.clone(), others.map_err(unreadable)?.paths()))
        })
        .await
    }
}
