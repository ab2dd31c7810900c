//! Deleting files that nobody needs any more, of a dataset and of its quarantine.

use std::time::Duration;

use chrono::{DateTime, Utc};
use comboi_lake::{Error, Lake, Table, Vacuumed};
use comboi_project::DatasetId;

use crate::quarantine::QUARANTINE;

/// Deletes what no version of a dataset needs which was current since `keep` before `now`, and what its quarantine
/// does not need for those: by the name of the table.
///
/// A version of a dataset notes which version of the quarantine goes with it, however long ago that was: the two are
/// brought back together.
pub async fn vacuum(
    lake: &Lake,
    id: &DatasetId,
    keep: Duration,
    now: DateTime<Utc>,
    dry_run: bool,
) -> Result<Vec<(String, Vacuumed)>, Error> {
    let (table, quarantine) = (lake.table(id), lake.quarantine(id));
    let vacuumed = table.vacuum(keep, now, dry_run).await?;
    let oldest = vacuumed.oldest_version;
    let mut done = vec![(table.name().to_owned(), vacuumed)];
    if quarantine.latest().await?.is_some() {
        let needed = first_noted(&table, oldest).await?.unwrap_or(u64::MAX);
        let vacuumed = quarantine.vacuum_before(needed, keep, now, dry_run).await?;
        done.push((quarantine.name().to_owned(), vacuumed));
    }
    Ok(done)
}

/// The first version of the quarantine that goes with a version of the table since this one.
async fn first_noted(table: &Table, oldest: u64) -> Result<Option<u64>, Error> {
    // Its own entry may be gone from the log.
    let first = table.snapshot_at(oldest).await?.properties;
    let since = table.history(usize::MAX).await?;
    let since = since
        .into_iter()
        .take_while(|version| version.version > oldest)
        .map(|version| version.properties);
    let noted = since
        .chain([first])
        .filter_map(|properties| properties.get(QUARANTINE)?.parse().ok());
    Ok(noted.min())
}
