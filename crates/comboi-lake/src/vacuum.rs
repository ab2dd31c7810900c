//! Deleting what no version that is kept needs.
//!
//! A file that no version names may be garbage, or a file whose writer is about to commit it; its age
//! does not tell. Its name does: it says whose it is, and a run that is not later than the last one
//! its pipeline committed can't commit any more. Files of earlier versions may be brought back by a
//! restoration at any moment, so before they go a commit says that they do: a restoration and that
//! commit can't both be the next version.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path as Key;
use object_store::{ObjectMeta, ObjectStore};
use uuid::Uuid;

use crate::commit::Operation;
use crate::damage::Log;
use crate::draft::Draft;
use crate::error::Error;
use crate::history::{Entry, path};
use crate::layout::{self, PUBLICATION, PartName};
use crate::snapshot::Snapshot;
use crate::table::Table;

/// How long a publication may take: what is left of one for longer was left behind.
const PUBLICATION_TAKES: Duration = Duration::days(1);

/// What was deleted, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// The files, below the dataset's folder, in order.
    pub files: Vec<String>,
    /// Their bytes.
    pub size_bytes: u64,
    /// The first version that can still be read.
    pub oldest_version: u64,
    /// Entries and checkpoints of the log that were past their time, 30 days; none in a dry run.
    pub log_objects: usize,
}

impl Table {
    /// Deletes the files that no version needs which was current at any time since `keep` before
    /// `now`. With `dry_run`, says which ones these are.
    ///
    /// Safe to repeat and to stop anywhere. [`Error::Overtaken`]: somebody committed meanwhile, and
    /// nothing was deleted.
    pub async fn vacuum(
        &self,
        keep: std::time::Duration,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Vacuumed, Error> {
        self.vacuum_before(u64::MAX, keep, now, dry_run).await
    }

    /// The same, and keeps this version and all later ones, however old they are.
    pub async fn vacuum_before(
        &self,
        version: u64,
        keep: std::time::Duration,
        now: DateTime<Utc>,
        dry_run: bool,
    ) -> Result<Vacuumed, Error> {
        let newest = self.snapshot().await?.ok_or_else(|| self.missing())?;
        let keep = Duration::from_std(keep).unwrap_or(Duration::MAX);
        let cutoff = now
            .checked_sub_signed(keep)
            .unwrap_or(DateTime::<Utc>::MIN_UTC);
        let entries = self.entries(newest.version).await?;
        let log = self.log_of(&entries).await?;
        let oldest = oldest_kept(&newest, &entries, &log, cutoff, version);
        let needed = self.needed(&newest, &entries, oldest).await?;
        let mentioned: BTreeSet<String> = entries.values().flat_map(names).collect();
        let garbage = self.garbage(&newest, &needed, &mentioned, now).await?;
        let mut vacuumed = Vacuumed {
            oldest_version: oldest,
            ..Vacuumed::default()
        };
        for object in &garbage {
            vacuumed.files.push(self.name_below(&object.location));
            vacuumed.size_bytes += object.size;
        }
        vacuumed.files.sort();
        if dry_run {
            return Ok(vacuumed);
        }
        let first_readable = log.oldest_readable(&newest);
        let readable = self.needed(&newest, &entries, first_readable).await?;
        let mut current = newest.version;
        // Versions that can't be read need not be told of again.
        let any_lost = !log.gaps(log.kept(&newest).start..oldest).is_empty();
        if any_lost || vacuumed.files.iter().any(|file| readable.contains(file)) {
            current = self.give_up_earlier_versions(&newest, oldest, now).await?;
        }
        self.delete(garbage).await?;
        vacuumed.log_objects = self.checkpoint_and_clean_up(current, now).await;
        Ok(vacuumed)
    }

    /// All log entries that are there and can be read, up to a version.
    pub(crate) async fn entries(&self, newest: u64) -> Result<BTreeMap<u64, Entry>, Error> {
        let log = Log::of(self).await?;
        let mut entries = BTreeMap::new();
        for version in log
            .entries
            .keys()
            .copied()
            .filter(|version| *version <= newest)
        {
            let bytes = self.log_entry(version).await?.unwrap_or_default();
            // One that the newest version does not need; `verify` tells of it.
            if let Some(entry) = Entry::parse(&bytes) {
                entries.insert(version, entry);
            }
        }
        Ok(entries)
    }

    /// The log as far as its entries can be read.
    pub(crate) async fn log_of(&self, readable: &BTreeMap<u64, Entry>) -> Result<Log, Error> {
        let mut log = Log::of(self).await?;
        let newest = readable.keys().next_back().copied();
        log.entries
            .retain(|version, _| readable.contains_key(version) || Some(*version) > newest);
        Ok(log)
    }

    /// The names of all files that the versions since `oldest` have.
    async fn needed(
        &self,
        newest: &Snapshot,
        entries: &BTreeMap<u64, Entry>,
        oldest: u64,
    ) -> Result<BTreeSet<String>, Error> {
        let first = if oldest == newest.version {
            newest.clone()
        } else {
            self.snapshot_at(oldest).await?
        };
        let at_first = first.files.iter().map(|file| file.name.clone());
        let at_last = newest.files.iter().map(|file| file.name.clone());
        let since = entries
            .range(oldest..)
            .flat_map(|(_, entry)| entry.added.iter().filter_map(path));
        Ok(at_first.chain(at_last).chain(since).collect())
    }

    async fn garbage(
        &self,
        newest: &Snapshot,
        needed: &BTreeSet<String>,
        mentioned: &BTreeSet<String>,
        now: DateTime<Utc>,
    ) -> Result<Vec<ObjectMeta>, Error> {
        let log = layout::log(&self.key);
        let listed: Vec<ObjectMeta> = self
            .store()
            .list(Some(&self.key))
            .try_collect()
            .await
            .map_err(|e| self.unavailable("list", e.into()))?;
        Ok(listed
            .into_iter()
            .filter(|object| !object.location.prefix_matches(&log))
            .filter(|object| {
                let name = self.name_below(&object.location);
                if name.starts_with(PUBLICATION) {
                    return object.last_modified < now - PUBLICATION_TAKES;
                }
                let of_ours = PartName::parse(&name);
                let out_of_time = of_ours.is_some_and(|part| {
                    newest.last_commit(&part.pipeline) >= Some((part.run, part.chunk))
                });
                !needed.contains(&name) && (out_of_time || mentioned.contains(&name))
            })
            .collect())
    }

    /// Answers the version that says so.
    async fn give_up_earlier_versions(
        &self,
        newest: &Snapshot,
        oldest: u64,
        at: DateTime<Utc>,
    ) -> Result<u64, Error> {
        let noted = Draft {
            base: Some(newest),
            operation: Operation::Vacuum,
            fence: None,
            columns: &newest.columns,
            properties: newest.properties.clone(),
            oldest,
            add: Vec::new(),
            remove: Vec::new(),
            added_row_count: 0,
            removed_row_count: 0,
            at,
            attempt: Uuid::new_v4().simple().to_string(),
        };
        Ok(self.write(noted).await?.version)
    }

    async fn delete(&self, garbage: Vec<ObjectMeta>) -> Result<(), Error> {
        let keys =
            futures::stream::iter(garbage.into_iter().map(|object| Ok(object.location))).boxed();
        let mut deleted = self.store().delete_stream(keys);
        while let Some(answer) = deleted.next().await {
            match answer {
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(self.unavailable("delete a file of", error.into())),
            }
        }
        Ok(())
    }

    pub(crate) fn name_below(&self, key: &Key) -> String {
        let below = key.prefix_match(&self.key).into_iter().flatten();
        below
            .map(|part| part.as_ref().to_owned())
            .collect::<Vec<_>>()
            .join("/")
    }
}

/// The version that was current at the cutoff or is wanted anyway, or the first one that can be read.
fn oldest_kept(
    newest: &Snapshot,
    entries: &BTreeMap<u64, Entry>,
    log: &Log,
    cutoff: DateTime<Utc>,
    wanted: u64,
) -> u64 {
    // Who does not say when it committed may have done so just now. Clocks may go back, so it is the
    // first version after the cutoff that counts, not the last one before it.
    let after = entries
        .iter()
        .find(|(_, entry)| entry.committed_at().is_none_or(|at| at > cutoff));
    let current = after.map_or(newest.version, |(version, _)| version.saturating_sub(1));
    let first = log.oldest_readable(newest);
    let oldest = current.min(wanted).max(first).min(newest.version);
    let gaps = log.gaps(first..newest.version);
    let lost = |version: &u64| gaps.iter().any(|gap| gap.versions.contains(version));
    (first..=oldest)
        .rev()
        .find(|version| !lost(version))
        .unwrap_or(first)
}

fn names(entry: &Entry) -> impl Iterator<Item = String> + '_ {
    entry.added.iter().chain(&entry.removed).filter_map(path)
}
