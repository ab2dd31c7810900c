//! The one commit point: put-if-absent of the version after the one that a change is based on.
//!
//! Nothing is ever moved onto a later version, as Delta's own writers do with appends: a change is
//! decided by what was read, so whoever comes second decides again. Delta's conflict rules would let
//! rows that another writer appends meanwhile survive a replacement of the whole.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use comboi_project::{Columns, PipelineName, RunId};
use deltalake::kernel::{Add, Remove as Removed};
use futures::StreamExt;
use object_store::PutMode;
use uuid::Uuid;

use crate::checked::Version;
use crate::digest::TAG;
use crate::draft::{Draft, attempt};
use crate::error::Error;
use crate::footer::{self, Staged, Unfit};
use crate::latest::Latest;
use crate::layout::{self, PartName};
use crate::notes::{CHUNKS, Fence, reserved, unpacked};
use crate::root::NoLinks;
use crate::schema::misfit;
use crate::snapshot::{Snapshot, added as as_added};
use crate::table::{Table, unanswered};

/// Staged files that are read for their digests at once.
const AT_ONCE: usize = 4;

/// What a commit does, for the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Adds rows.
    Append,
    /// Puts other rows in the place of all.
    Replace,
    /// Writes the same rows in other files.
    Rewrite,
    /// Forgets how far the source was read.
    ResetCheckpoint,
    /// Brings back what the dataset was at an earlier version.
    Restore,
    /// Notes that files of earlier versions are about to go.
    Vacuum,
    /// Empties a quarantine, or notes with its dataset that it is empty.
    Purge,
    /// Takes rows away that are past their age.
    Retention,
    /// Notes that the dataset is about to be deleted.
    Drop,
    /// Notes that the dataset is about to get another name.
    Rename,
}

impl Operation {
    /// The word for it in the history.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Replace => "replace",
            Self::Rewrite => "rewrite",
            Self::ResetCheckpoint => "reset-checkpoint",
            Self::Restore => "restore",
            Self::Vacuum => "vacuum",
            Self::Purge => "purge",
            Self::Retention => "retention",
            Self::Drop => "drop",
            Self::Rename => "rename",
        }
    }

    /// What other Delta programs call it.
    pub(crate) fn delta_name(self) -> &'static str {
        match self {
            Self::Append | Self::Replace => "WRITE",
            Self::Purge | Self::Retention => "DELETE",
            Self::Rewrite => "OPTIMIZE",
            Self::ResetCheckpoint | Self::Drop | Self::Rename => "SET TBLPROPERTIES",
            Self::Restore => "RESTORE",
            Self::Vacuum => "VACUUM START",
        }
    }
}

/// Which files of the version before are no longer part of the dataset. They stay where they are
/// until they are vacuumed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remove {
    /// All stay.
    Nothing,
    /// None stays.
    All,
    /// These go.
    Files(Vec<String>),
}

/// What a commit is to change.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose run it is: runs of one pipeline are numbered in one row.
    pub pipeline: PipelineName,
    /// The run. A run that is not later than the pipeline's last one in this dataset can't commit.
    pub run: RunId,
    /// The part of the run, counted from 0; below 1,048,576.
    pub chunk: u32,
    /// What the history says.
    pub operation: Operation,
    /// The columns from now on; what files that stay lack is NULL there.
    pub columns: Columns,
    /// Parquet files on this machine, with exactly these columns in their lake types. They are linked
    /// or copied, and stay where they are; don't write into them afterwards.
    pub add: Vec<PathBuf>,
    /// What goes.
    pub remove: Remove,
    /// What to note, over what was noted before; an empty text takes a note away.
    pub properties: BTreeMap<String, String>,
    /// The time of the commit.
    pub at: DateTime<Utc>,
}

impl Table {
    /// Commits a change onto the version that it is based on; `None` when there is nothing yet.
    ///
    /// Atomic: readers see all of it or nothing. Not safe to rebase, but safe to repeat: what was
    /// committed already is [`Error::Superseded`] by itself. [`Error::Overtaken`]: somebody else
    /// committed since; nothing of the change is there. [`Error::Unavailable`]: it may or may not
    /// have happened; the next try tells.
    pub async fn commit(&self, base: Option<&Snapshot>, change: Change) -> Result<Snapshot, Error> {
        let committed = self.commit_only(base, change).await?;
        self.snapshot_at(committed.version).await
    }

    /// The same, for who does not read on: the log is not read through once more.
    pub async fn commit_only(
        &self,
        base: Option<&Snapshot>,
        change: Change,
    ) -> Result<Latest, Error> {
        self.refuse_to_go_back(base, &change.pipeline, (change.run, change.chunk))
            .await?;
        if let Some(key) = change.properties.keys().find(|key| reserved(key)) {
            return Err(self.refused(format!("the note `{key}` is the lake's own")));
        }
        if let Some(going) = base.and_then(|base| self.going(&base.properties)) {
            return Err(self.refused(format!("{going}; nothing was written to it")));
        }
        let remove = self.removed(base, &change)?;
        let staged = self.looked_through(&change).await?;
        let attempt = Uuid::new_v4().simple().to_string();
        let part = PartName {
            pipeline: change.pipeline.clone(),
            run: change.run,
            chunk: change.chunk,
        };
        let mut add = Vec::new();
        for (n, file) in staged.iter().enumerate() {
            let name = part.file(&attempt, n);
            self.upload(&file.path, &name).await?;
            self.know_link(file, &name);
            add.push(added(&change, name, file));
        }
        let mut properties = base.map(|base| base.properties.clone()).unwrap_or_default();
        properties.extend(change.properties);
        properties.retain(|_, value| !value.is_empty());
        let draft = Draft {
            base,
            operation: change.operation,
            fence: Some((change.pipeline, (change.run, change.chunk))),
            columns: &change.columns,
            properties,
            oldest: base.map_or(0, |base| base.oldest),
            added_row_count: staged.iter().map(|file| file.row_count).sum(),
            removed_row_count: remove.iter().map(|(_, row_count)| row_count).sum(),
            add,
            remove: remove.into_iter().map(|(file, _)| file).collect(),
            at: change.at,
            attempt,
        };
        let names: Vec<String> = draft.add.iter().map(|add| add.path.clone()).collect();
        let committed = self.write(draft).await;
        if let Err(Error::Overtaken(_)) = &committed {
            // The version is another's for good, so these files can never become part of the dataset.
            self.discard(&names).await;
        }
        committed
    }

    /// The fence: a process that is late must not undo what a later run did.
    pub(crate) async fn refuse_to_go_back(
        &self,
        base: Option<&Snapshot>,
        pipeline: &PipelineName,
        mine: (RunId, u32),
    ) -> Result<(), Error> {
        if mine.1 >= CHUNKS {
            return Err(self.refused(format!("a run has at most {CHUNKS} chunks")));
        }
        let Some(base) = base else { return Ok(()) };
        let noted = base.last_commit(pipeline);
        let logged = self.logged(base, pipeline).await?;
        match noted.max(logged) {
            Some(by) if by >= mine => Err(Error::Superseded {
                dataset: self.name().to_owned(),
                by,
            }),
            _ => Ok(()),
        }
    }

    /// The fence as Delta's own `txn` action has it.
    async fn logged(
        &self,
        base: &Snapshot,
        pipeline: &PipelineName,
    ) -> Result<Option<Fence>, Error> {
        let logged = base
            .state
            .transaction_version(self.log_store().as_ref(), pipeline.as_str())
            .await
            .map_err(|error| match unanswered(&error) {
                true => self.unavailable("read the log of", error.into()),
                // The log of that version is gone, which only later commits can have done.
                false => self.overtaken(),
            })?;
        Ok(logged.and_then(unpacked))
    }

    fn removed(
        &self,
        base: Option<&Snapshot>,
        change: &Change,
    ) -> Result<Vec<(Removed, u64)>, Error> {
        let gone: Vec<String> = match (&change.remove, base) {
            (Remove::Nothing, _) | (Remove::All, None) => Vec::new(),
            (Remove::All, Some(base)) => base.files.iter().map(|file| file.name.clone()).collect(),
            (Remove::Files(names), _) => names.clone(),
        };
        let known =
            |name: &String| base.and_then(|base| base.files.iter().find(|file| file.name == *name));
        if let Some(name) = gone.iter().find(|name| known(name).is_none()) {
            return Err(self.refused(format!("`{name}` is no file of the version it is based on")));
        }
        let Some(base) = base else {
            return Ok(Vec::new());
        };
        if !gone.is_empty() && base.setting("delta.appendOnly") == Some("true") {
            return Err(self.refused("another program has made it append-only (delta.appendOnly)"));
        }
        let stays = base.files.iter().any(|file| !gone.contains(&file.name));
        if let Some(why) = misfit(&base.columns, &change.columns).filter(|_| stays) {
            return Err(self.refused(why));
        }
        Ok(removals(base, &gone, change.operation, change.at))
    }

    async fn looked_through(&self, change: &Change) -> Result<Vec<Staged>, Error> {
        let columns = Arc::new(change.columns.clone());
        let look = |file: PathBuf| {
            let columns = Arc::clone(&columns);
            tokio::task::spawn_blocking(move || footer::look(&file, &columns))
        };
        let files = futures::stream::iter(change.add.clone());
        let mut looks = files.map(look).buffered(AT_ONCE);
        let mut staged = Vec::new();
        while let Some(looked) = looks.next().await {
            let looked =
                looked.map_err(|e| self.unavailable("look through the files of", e.into()))?;
            staged.push(looked.map_err(|unfit| match unfit {
                Unfit::Unreadable(source) => self.unavailable("read a staged file of", source),
                Unfit::Wrong(why) => self.refused(why),
            })?);
        }
        Ok(staged)
    }

    /// A link is the very file that was read for its digest. A copy is checked when it is read.
    fn know_link(&self, staged: &Staged, name: &str) {
        if let Some(path) = self.root.file(&self.key.clone().join(name))
            && let Ok(metadata) = std::fs::metadata(&path)
            && Version::of(&metadata) == staged.version
        {
            let checked = &self.root.checked;
            checked.add(path, staged.version.clone(), staged.digest);
        }
    }

    /// Writes the log entry, and looks after the log. The draft's files are in place.
    pub(crate) async fn write(&self, draft: Draft<'_>) -> Result<Latest, Error> {
        let version = draft.base.map_or(0, |base| base.version + 1);
        let entry = self.entry(&draft, version)?;
        let key = layout::log_entry(&self.key, version);
        let put = self
            .store()
            .put_opts(&key, entry.into(), PutMode::Create.into())
            .await;
        if let Err(error) = put {
            // It may have been applied all the same: the store repeats its own writes.
            match self.log_entry(version).await? {
                Some(entry) if attempt(&entry).as_ref() == Some(&draft.attempt) => {}
                Some(_) => return Err(self.overtaken()),
                None => return Err(self.uncommitted(error)),
            }
        }
        self.look_after_log(version, draft.at).await;
        self.committed(version, draft.fence.as_ref()).await
    }

    fn uncommitted(&self, error: object_store::Error) -> Error {
        match self.root.folder.as_deref().and_then(NoLinks::of) {
            Some(no_links) => Error::NoLinks(no_links),
            None => self.unavailable("commit to", error.into()),
        }
    }

    /// The last run of a pipeline in the dataset: by what comboi noted, and by Delta's own `txn` action, if
    /// somebody else committed since.
    pub async fn last_run(&self, pipeline: &PipelineName) -> Result<Option<RunId>, Error> {
        let Some(latest) = self.latest().await? else {
            return Ok(None);
        };
        let noted = latest.last_commit(pipeline).map(|(run, _)| run);
        if latest.by_comboi {
            return Ok(noted);
        }
        let Some(base) = self.snapshot().await? else {
            return Ok(noted);
        };
        let logged = self.logged(&base, pipeline).await?;
        Ok(noted.max(logged.map(|(run, _)| run)))
    }

    /// Reads back what was committed.
    ///
    /// The entry of a version that was cleaned up long ago can be put again, behind a checkpoint that
    /// hides it. The fence, which every later commit carries on, tells that from a commit that counts.
    async fn committed(
        &self,
        version: u64,
        fence: Option<&(PipelineName, (RunId, u32))>,
    ) -> Result<Latest, Error> {
        let newest = self.latest().await?.ok_or_else(|| self.missing())?;
        if newest.version == version {
            return Ok(newest);
        }
        if fence.is_some_and(|(pipeline, mine)| newest.last_commit(pipeline) < Some(*mine))
            || newest.version < version
        {
            return Err(self.overtaken());
        }
        self.snapshot_at(version).await.map(Latest::from)
    }
}

/// Files of a version as they stand in the log when they go, each with its rows.
pub(crate) fn removals(
    base: &Snapshot,
    gone: &[String],
    operation: Operation,
    at: DateTime<Utc>,
) -> Vec<(Removed, u64)> {
    let row_count = |name: &str| {
        base.files
            .iter()
            .find(|file| file.name == name)
            .map_or(0, |file| file.row_count)
    };
    base.views()
        .filter(|view| gone.iter().any(|name| *name == view.path()))
        .map(|view| {
            let was = as_added(&view);
            let mut removed = view.remove_action(operation != Operation::Rewrite);
            removed.deletion_timestamp = Some(at.timestamp_millis());
            removed.tags = was.tags;
            removed.base_row_id = was.base_row_id;
            removed.default_row_commit_version = was.default_row_commit_version;
            let rows = row_count(&removed.path);
            (removed, rows)
        })
        .collect()
}

fn added(change: &Change, name: String, file: &Staged) -> Add {
    Add {
        path: name,
        size: i64::try_from(file.size_bytes).expect("no file has 8 EiB"),
        modification_time: change.at.timestamp_millis(),
        data_change: change.operation != Operation::Rewrite,
        stats: Some(file.stats.clone()),
        tags: Some([(TAG.to_owned(), Some(file.digest.to_string()))].into()),
        ..Add::default()
    }
}
