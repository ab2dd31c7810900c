//! Tables that go: deleted for good, or to another name.
//!
//! A commit notes it first, so that nobody commits to the table any more, and it can be seen what was begun when the process dies. No row is
//! taken out by that commit: a reader who comes while files are deleted gets an error, never a table without rows. The newest log entry
//! goes last. Until then the same command finds the note and goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use chrono::{DateTime, Utc};
use comboi_project::{PipelineName, RunId};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{
    CopyMode, CopyOptions, Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt,
};
use uuid::Uuid;

use crate::commit::Operation;
use crate::draft::Draft;
use crate::error::Error;
use crate::latest::Latest;
use crate::layout::{self, LogObject, PUBLICATION, UNFINISHED};
use crate::table::Table;

/// The note of where a table goes.
const GOING: &str = "going";
/// What stands there if it is deleted.
const NOWHERE: &str = "nowhere";

/// Where a table goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Going {
    from: String,
    /// The name that it gets; `None` if it is deleted.
    pub to: Option<String>,
    /// What tells this time from any other.
    token: String,
}

impl fmt::Display for Going {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = &self.from;
        match &self.to {
            Some(to) => write!(
                f,
                "it is being renamed to `{to}`: `comboi rename {from} {to}` brings that to its end"
            ),
            None => write!(
                f,
                "it is being deleted: `comboi drop {from} --yes` brings that to its end"
            ),
        }
    }
}

/// What was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Objects of the table: data files and its log.
    pub files: usize,
    /// Their bytes.
    pub size_bytes: u64,
}

impl Table {
    /// Where the table goes, by what a version notes; `None` if it stays.
    pub fn going(&self, properties: &BTreeMap<String, String>) -> Option<Going> {
        let (to, token) = properties.get(GOING)?.split_once(' ')?;
        let going = Going {
            from: self.name().to_owned(),
            to: (to != NOWHERE).then(|| to.to_owned()),
            token: token.to_owned(),
        };
        // A table that has arrived keeps the note.
        (to != self.name()).then_some(going)
    }

    /// Notes that the table goes. `None` if it is not there.
    ///
    /// Safe to repeat.
    pub async fn announce(
        &self,
        to: Option<&Self>,
        pipeline: &PipelineName,
        run: RunId,
        at: DateTime<Utc>,
    ) -> Result<Option<Latest>, Error> {
        let Some(latest) = self.latest().await? else {
            return Ok(None);
        };
        let name = to.map(|to| to.name().to_owned());
        match self.going(&latest.properties) {
            // Of its log, no more than the newest entry may be left.
            Some(going) if going.to == name => return Ok(Some(latest)),
            Some(going) => return Err(self.refused(going.to_string())),
            None => {}
        }
        let base = self.snapshot().await?.ok_or_else(|| self.missing())?;
        self.refuse_to_go_back(Some(&base), pipeline, (run, 0))
            .await?;
        let token = Uuid::new_v4().simple();
        let note = format!("{} {token}", name.as_deref().unwrap_or(NOWHERE));
        let mut properties = base.properties.clone();
        properties.insert(GOING.to_owned(), note);
        let announced = Draft {
            base: Some(&base),
            operation: match to {
                Some(_) => Operation::Rename,
                None => Operation::Drop,
            },
            fence: Some((pipeline.clone(), (run, 0))),
            columns: &base.columns,
            properties,
            oldest: base.oldest,
            add: Vec::new(),
            remove: Vec::new(),
            added_row_count: 0,
            removed_row_count: 0,
            at,
            attempt: Uuid::new_v4().simple().to_string(),
        };
        self.write(announced).await.map(Some)
    }

    /// Whether this is a copy of a table that goes to this name, be it one that is not through.
    pub async fn is_copy_of(&self, from: &Latest) -> Result<bool, Error> {
        let here = self.latest().await?;
        let note = |latest: &Latest| latest.properties.get(GOING).cloned();
        Ok(here.is_some_and(|here| note(&here).is_some() && note(&here) == note(from)))
    }

    /// Copies everything of this table to another place in the same store. Nobody can read the copy before it is whole: of its log, the newest
    /// entry comes first.
    ///
    /// Safe to repeat, and to stop anywhere.
    pub async fn copy_to(&self, to: &Self) -> Result<(), Error> {
        let objects = self.objects().await?;
        let (log, data): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .filter(|object| !is_passing(&self.name_below(&object.location)))
            .partition(|object| self.kind_in_log(object).is_some());
        for object in data {
            let key = self.place_in(to, &object.location);
            let copied = self.store().copy(&object.location, &key).await;
            copied.map_err(|e| self.unavailable("copy a file of", e.into()))?;
        }
        let mut log: Vec<_> = log
            .into_iter()
            .filter_map(|object| Some((self.kind_in_log(&object)?, object)))
            .collect();
        // Entries from the newest on, then checkpoints, then the hint to them.
        log.sort_by_key(|(place, _)| match place {
            Logged::Entry(version) => (0, u64::MAX - version),
            Logged::Checkpoint(version) => (1, *version),
            Logged::Hint => (2, 0),
        });
        for (_, object) in log {
            self.copy_of_log(&object, to).await?;
        }
        Ok(())
    }

    /// An object of the log is never written over: whoever made the table in the meantime keeps it.
    async fn copy_of_log(&self, object: &ObjectMeta, to: &Self) -> Result<(), Error> {
        let unavailable = |e: StoreError| self.unavailable("copy the log of", e.into());
        let key = self.place_in(to, &object.location);
        let create = CopyOptions::new().with_mode(CopyMode::Create);
        let copied = self.store().copy_opts(&object.location, &key, create);
        match copied.await {
            Ok(()) => Ok(()),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                let read = async |key: &Key| self.store().get(key).await?.bytes().await;
                let (ours, there) = (read(&object.location).await, read(&key).await);
                match ours.map_err(unavailable)? == there.map_err(unavailable)? {
                    true => Ok(()),
                    false => Err(to.overtaken()),
                }
            }
            Err(e) => Err(unavailable(e)),
        }
    }

    /// What deleting the table would delete.
    pub async fn would_delete(&self) -> Result<Deleted, Error> {
        let objects = self.objects().await?;
        let published = match &self.published {
            Some(place) => self.store().head(place).await.ok(),
            None => None,
        };
        let all = objects.iter().chain(&published);
        Ok(all.fold(Deleted::default(), |sum, object| Deleted {
            files: sum.files + 1,
            size_bytes: sum.size_bytes + object.size,
        }))
    }

    /// Deletes everything of the table, its published file first and the newest entry of its log last.
    ///
    /// Safe to repeat, and to stop anywhere.
    pub async fn delete_all(&self) -> Result<Deleted, Error> {
        let deleted = self.would_delete().await?;
        if let Some(place) = &self.published {
            self.delete_one(place).await?;
        }
        let objects = self.objects().await?;
        let (log, data): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .partition(|object| self.kind_in_log(object).is_some());
        let keys: Vec<Key> = data.iter().map(|object| object.location.clone()).collect();
        let mut gone = self
            .store()
            .delete_stream(futures::stream::iter(keys.into_iter().map(Ok)).boxed());
        while let Some(answer) = gone.next().await {
            match answer {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(e) => return Err(self.unavailable("delete a file of", e.into())),
            }
        }
        let mut log: Vec<_> = log
            .iter()
            .filter_map(|object| Some((self.kind_in_log(object)?, object)))
            .collect();
        log.sort_by_key(|(place, _)| match place {
            Logged::Hint => (0, 0),
            Logged::Checkpoint(version) => (1, *version),
            Logged::Entry(version) => (2, *version),
        });
        for (_, object) in &log {
            self.delete_one(&object.location).await?;
        }
        let keys = data.iter().chain(log.iter().map(|(_, object)| *object));
        self.remove_folders(keys.map(|object| &object.location));
        Ok(deleted)
    }

    async fn delete_one(&self, key: &Key) -> Result<(), Error> {
        match self.store().delete(key).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(e) => Err(self.unavailable("delete", e.into())),
        }
    }

    /// Everything in the table's folder. Refused if there is another table within it.
    async fn objects(&self) -> Result<Vec<ObjectMeta>, Error> {
        let listed: Result<Vec<ObjectMeta>, StoreError> =
            self.store().list(Some(&self.key)).try_collect().await;
        let listed = match listed {
            Ok(listed) => listed,
            Err(StoreError::NotFound { .. }) => Vec::new(),
            Err(e) => return Err(self.unavailable("list", e.into())),
        };
        for object in &listed {
            let name = self.name_below(&object.location);
            let within = name.split_once("/_delta_log/").map(|(folder, _)| folder);
            if let Some(folder) = within.filter(|folder| *folder != layout::FILES_READ) {
                return Err(self.refused(format!(
                    "its folder has another table in it (`{folder}`), which would go with it"
                )));
            }
        }
        Ok(listed)
    }

    fn place_in(&self, to: &Self, key: &Key) -> Key {
        let below = key.prefix_match(&self.key).into_iter().flatten();
        Key::from_iter(to.key.parts().chain(below))
    }

    /// What an object is in the table's own log; `None` if it is none of it.
    fn kind_in_log(&self, object: &ObjectMeta) -> Option<Logged> {
        if !object.location.prefix_matches(&layout::log(&self.key)) {
            return None;
        }
        Some(match layout::logged_version(&object.location) {
            Some((version, LogObject::Entry)) => Logged::Entry(version),
            Some((version, _)) => Logged::Checkpoint(version),
            None => Logged::Hint,
        })
    }

    /// Only a folder has folders; those that are empty now go, up to the stage's own.
    fn remove_folders<'a>(&self, deleted: impl Iterator<Item = &'a Key>) {
        let (Some(root), Some(own)) = (&self.root.folder, self.root.file(&self.key)) else {
            return;
        };
        let mut folders = BTreeSet::from([own.clone()]);
        for file in deleted.filter_map(|key| self.root.file(key)) {
            let within = file.ancestors().skip(1);
            folders.extend(within.take_while(|it| it.starts_with(&own)).map(Into::into));
        }
        let above = own.ancestors().skip(1);
        folders.extend(above.take_while(|it| *it != root.as_path()).map(Into::into));
        // The deepest first.
        for folder in folders.iter().rev() {
            if folder.starts_with(&own) {
                remove_unfinished(folder);
            }
            drop(std::fs::remove_dir(folder));
        }
    }
}

/// Removes what a process left that died while it wrote: `name#1`, which the store never lists.
fn remove_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.rsplit_once('#'));
        if number.is_some_and(|(_, number)| number.parse::<u64>().is_ok()) {
            drop(std::fs::remove_file(entry.path()));
        }
    }
}

/// An object of a log.
enum Logged {
    Entry(u64),
    Checkpoint(u64),
    /// Anything else: what says which checkpoint is the newest.
    Hint,
}

/// Whether an object is of no use at another place.
fn is_passing(name: &str) -> bool {
    name.starts_with(PUBLICATION) || name.ends_with(UNFINISHED) || name == layout::PUBLISHED
}
