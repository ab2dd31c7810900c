//! Whether a lake and the state of its runs are sound, and mending what can be mended.

use comboi_lake::{Snapshot, Table};
use comboi_project::{DatasetId, RunId};
use comboi_sources::BadCheckpoint;
use serde::Serialize;

use crate::beside::Beside;
use crate::ledger::LedgerError;
use crate::receipt::Outcome;
use crate::runner::Runner;
use crate::task::chain;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Flaw {
    /// The dataset, or `run 7`, or `runs`.
    pub of: String,
    /// What is wrong, and what works.
    pub what: String,
    /// Whether `repair` mends it.
    pub can_be_mended: bool,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verified {
    /// Datasets that have a version.
    pub datasets: usize,
    /// Files of their current versions.
    pub files: usize,
    /// Runs whose plans and receipts are kept.
    pub runs: usize,
    /// What reading whole files came to; `None` if none was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digests>,
    /// What is not as it should be.
    pub flaws: Vec<Flaw>,
}

/// How many files were read to their end, of all versions that are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// Files that were compared with the digests that their commits have.
    pub checked: usize,
    /// Files whose commits have no digest: of other programs, and of an older comboi.
    pub not_checked: usize,
}

/// What mends a flaw.
enum Mend {
    Nothing,
    /// To put a version's file where readers look for it.
    Publish(DatasetId, Box<Snapshot>),
    /// To write the end of a run whose tasks have all ended.
    End(RunId),
    /// To take away the checkpoints of a log whose entries are all there.
    ForgetCheckpoints(Table),
}

impl Runner {
    /// Looks at every dataset and at every run that is kept. Writes nothing, reads no rows.
    pub async fn verify(&self) -> Verified {
        self.look_over(false).await.0
    }

    /// The same, and reads every file of every version that is kept: of the datasets, of what is kept
    /// beside them, and of the record of runs.
    pub async fn verify_in_depth(&self) -> Verified {
        self.look_over(true).await.0
    }

    /// Mends what can be mended; what can't is left, and told again. Safe while runs go on, and safe to repeat.
    pub async fn repair(&self) -> Verified {
        let (mut verified, mends) = self.look_over(false).await;
        let mut left = Vec::new();
        for (flaw, mend) in verified.flaws.into_iter().zip(mends) {
            let mended = match mend {
                Mend::Nothing => Err(None),
                Mend::Publish(id, snapshot) => {
                    let published = self.lake.table(&id).publish(&snapshot).await;
                    published.map(|_| ()).map_err(|e| Some(chain(&e)))
                }
                Mend::ForgetCheckpoints(table) => match table.forget_checkpoints().await {
                    Ok(true) => Ok(()),
                    Ok(false) => Err(None),
                    Err(e) => Err(Some(chain(&e))),
                },
                Mend::End(run) => self.end(run).await.map(|_| ()).map_err(|e| Some(chain(&e))),
            };
            match mended {
                Ok(()) => {}
                Err(None) => left.push(flaw),
                Err(Some(why)) => left.push(Flaw {
                    what: format!("{}; it could not be mended: {why}", flaw.what),
                    ..flaw
                }),
            }
        }
        verified.flaws = left;
        verified
    }

    async fn look_over(&self, in_depth: bool) -> (Verified, Vec<Mend>) {
        let mut found = Found::default();
        found.verified.digests = in_depth.then(Digests::default);
        for id in self.project.dataset_ids() {
            self.look_at_dataset(&id, &mut found).await;
        }
        if in_depth {
            for name in ["tasks", "verdicts"] {
                look_at_table(&self.lake.record(name), None, &mut found).await;
            }
        }
        self.look_at_runs(&mut found).await;
        (found.verified, found.mends)
    }

    async fn look_at_dataset(&self, id: &DatasetId, found: &mut Found) {
        let table = self.lake.table(id);
        let looked = async {
            let Some(snapshot) = table.snapshot().await? else {
                return Ok(());
            };
            let properties = snapshot.properties.clone();
            found.verified.datasets += 1;
            found.verified.files += snapshot.files.len();
            let flaws = match found.verified.digests {
                Some(_) => in_depth(&table, &snapshot, found).await?,
                None => table.flaws(&snapshot).await?,
            };
            let sound = flaws.is_empty();
            for flaw in flaws {
                found.add(id.to_string(), chain(&flaw), Mend::Nothing);
            }
            if sound && !table.is_in_place(&snapshot).await? {
                let what = "its file is not where readers that know no Delta look for it, or another version is".to_owned();
                found.add(
                    id.to_string(),
                    what,
                    Mend::Publish(id.clone(), Box::new(snapshot)),
                );
            }
            for kind in Beside::of(id) {
                let noted = kind.noted(&properties);
                look_beside(kind, &kind.table(&self.lake, id), noted, found).await;
            }
            Ok::<(), comboi_lake::Error>(())
        };
        if let Err(e) = looked.await {
            found.add_unreadable(table, &e).await;
        }
    }

    async fn look_at_runs(&self, found: &mut Found) {
        let ledger = self.ledger();
        let kept = match ledger.kept().await {
            Ok(kept) => kept,
            Err(e) => return found.add("runs".to_owned(), chain(&e), Mend::Nothing),
        };
        for run in kept.into_iter().take(crate::ledger::KEPT_RUNS as usize) {
            if let Err(e) = self.look_at_run(run, found).await {
                found.add(format!("run {run}"), chain(&e), Mend::Nothing);
            }
        }
    }

    async fn look_at_run(&self, run: RunId, found: &mut Found) -> Result<(), LedgerError> {
        let ledger = self.ledger();
        let Some(order) = ledger.order(run).await? else {
            return Ok(());
        };
        found.verified.runs += 1;
        let receipts = ledger.receipts(run).await?;
        let closed = ledger.closed(run).await?;
        // One that was stopped or interrupted has ended without them.
        let closed = closed.is_some_and(|report| !report.stopped && !report.interrupted);
        let is_open = ledger.open_runs().await?.contains(&run);
        let tasks = &order.plan.tasks;
        let all = tasks
            .iter()
            .all(|task| receipts.contains_key(&task.dataset));
        if is_open && all && !tasks.is_empty() {
            let what = "all of its tasks have ended, and its end was never written".to_owned();
            found.add(format!("run {run}"), what, Mend::End(run));
        } else if closed && !all {
            let what = "it has ended, and receipts of its tasks are missing; nothing in the lake depends on them".to_owned();
            found.add(format!("run {run}"), what, Mend::Nothing);
        }
        for receipt in receipts
            .values()
            .filter(|it| it.outcome == Outcome::Succeeded)
        {
            // What can't be read is told of the dataset.
            let (Some(committed), Ok(latest)) = (
                receipt.version,
                self.lake.table(&receipt.dataset).latest().await,
            ) else {
                continue;
            };
            let what = match latest.map(|latest| latest.version) {
                None => format!(
                    "run {run} committed version {committed}, and the lake has nothing of it: its folder or its log was taken away; the next run reads its source from the beginning, rows of sources that are gone since are lost"
                ),
                Some(version) if version < committed => format!(
                    "run {run} committed version {committed}, and the lake has {version} only: it was brought back from an older copy, or its log was cut; rows of sources that are gone since are lost, `comboi reset-checkpoint` reads the others again"
                ),
                Some(_) => continue,
            };
            found.add(receipt.dataset.to_string(), what, Mend::Nothing);
        }
        Ok(())
    }
}

/// Looks at a table beside a dataset, of which this version goes with the dataset.
async fn look_beside(kind: Beside, table: &Table, noted: Option<u64>, found: &mut Found) {
    look_at_table(table, noted, found).await;
    let (Beside::FilesRead, Some(version)) = (kind, noted) else {
        // Of the others, somebody may have cleared them away by hand.
        return;
    };
    let gone = match table.snapshot_at(version).await {
        Err(comboi_lake::Error::NoSuchVersion { .. } | comboi_lake::Error::Missing(_)) => true,
        // Another error has been told.
        _ => false,
    };
    if gone {
        let lost = BadCheckpoint::FilesLost(version);
        found.add(table.name().to_owned(), chain(&lost), Mend::Nothing);
    }
}

/// Looks at the files of a version; in depth, at those of all versions.
async fn look_at_table(table: &Table, version: Option<u64>, found: &mut Found) {
    let looked = async {
        let Some(newest) = table.snapshot().await? else {
            return Ok(Vec::new());
        };
        if found.verified.digests.is_some() {
            return in_depth(table, &newest, found).await;
        }
        match version {
            Some(version) if version <= newest.version && version >= newest.oldest_version() => {
                table.flaws(&table.snapshot_at(version).await?).await
            }
            _ => Ok(Vec::new()),
        }
    };
    match looked.await {
        Ok(flaws) => {
            for flaw in flaws {
                found.add(table.name().to_owned(), chain(&flaw), Mend::Nothing);
            }
        }
        Err(e) => found.add_unreadable(table.clone(), &e).await,
    }
}

async fn in_depth(
    table: &Table,
    snapshot: &Snapshot,
    found: &mut Found,
) -> Result<Vec<comboi_lake::Error>, comboi_lake::Error> {
    let depth = table.flaws_in_depth(snapshot).await?;
    let digests = found.verified.digests.get_or_insert_default();
    digests.checked += depth.checked;
    digests.not_checked += depth.not_checked;
    Ok(depth.flaws)
}

#[derive(Default)]
struct Found {
    verified: Verified,
    mends: Vec<Mend>,
}

impl Found {
    fn add(&mut self, of: String, what: String, mend: Mend) {
        let can_be_mended = !matches!(mend, Mend::Nothing);
        self.verified.flaws.push(Flaw {
            of,
            what,
            can_be_mended,
        });
        self.mends.push(mend);
    }

    /// A table that can't be read.
    async fn add_unreadable(&mut self, table: Table, error: &comboi_lake::Error) {
        let damaged = matches!(error, comboi_lake::Error::Damaged { .. });
        let mendable = damaged && table.can_do_without_checkpoint().await.unwrap_or(false);
        let of = table.name().to_owned();
        let mend = match mendable {
            true => Mend::ForgetCheckpoints(table),
            false => Mend::Nothing,
        };
        self.add(of, chain(error), mend);
    }
}
