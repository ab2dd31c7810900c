//! Deleting files that nobody needs any more, of a dataset and of what is kept beside it: its quarantine, its clusters, the files that it was read from.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use comboi_lake::{Error, Lake, Table, Vacuumed};
use comboi_project::DatasetId;

use crate::beside::Beside;

/// Deletes what no version of a dataset needs which was current since `keep` before `now`, and what the tables
/// beside it do not need for those: by the name of the table.
///
/// A version of a dataset notes which versions of them go with it, however long ago that was: they are brought back
/// together.
pub async fn vacuum(
    lake: &Lake,
    id: &DatasetId,
    keep: Duration,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Vec<(String, Vacuumed)>, Error> {
    let table = lake.table(id);
    let vacuumed = table.vacuum(keep, now, dry_run).await?;
    let oldest = vacuumed.oldest_version;
    let mut done = vec![(table.name().to_owned(), vacuumed)];
    done.extend(beside(lake, id, oldest, keep, now, dry_run).await?);
    Ok(done)
}

/// The same of the tables beside a dataset of which no version before `oldest` is kept.
pub(crate) async fn vacuum_beside(
    lake: &Lake,
    id: &DatasetId,
    oldest: u64,
    keep: Duration,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    beside(lake, id, oldest, keep, now, false).await.map(drop)
}

async fn beside(
    lake: &Lake,
    id: &DatasetId,
    oldest: u64,
    keep: Duration,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Vec<(String, Vacuumed)>, Error> {
    let table = lake.table(id);
    let mut done = Vec::new();
    for kind in Beside::of(id) {
        let other = kind.table(lake, id);
        if other.latest().await?.is_none() {
            continue;
        }
        let needed = first_noted(&table, oldest, |it| kind.noted(it)).await?;
        let needed = needed.unwrap_or(u64::MAX);
        let vacuumed = other.vacuum_before(needed, keep, now, dry_run).await?;
        done.push((other.name().to_owned(), vacuumed));
    }
    Ok(done)
}

/// What a commit notes.
type Properties = BTreeMap<String, String>;

/// The first version of another table that goes with a version of the table since this one.
async fn first_noted(
    table: &Table,
    oldest: u64,
    noted: impl Fn(&Properties) -> Option<u64>,
) -> Result<Option<u64>, Error> {
    // Its own entry may be gone from the log.
    let first = table.snapshot_at(oldest).await?.properties;
    let since = table.history(usize::MAX).await?;
    let since = since
        .into_iter()
        .take_while(|version| version.version > oldest)
        .map(|version| version.properties);
    let versions = since
        .chain([first])
        .filter_map(|properties| noted(&properties));
    Ok(versions.min())
}
