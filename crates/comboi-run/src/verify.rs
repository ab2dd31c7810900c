//! Whether a lake and the state of its runs are sound, and mending what can be mended.

use std::collections::BTreeMap;

use comboi_lake::{Latest, Operation, Snapshot, Table};
use comboi_project::{DatasetId, RunId, Stage};
use comboi_sources::BadCheckpoint;
use serde::Serialize;

use crate::beside::Beside;
use crate::build::BUILT_FROM;
use crate::extract::CHECKPOINT;
use crate::going::not_in_project;
use crate::ledger::{LedgerError, Order};
use crate::receipt::Outcome;
use crate::runner::Runner;
use crate::task::chain;
use crate::writer;

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
    /// Datasets in the lake that no file of the project names. They are looked at too.
    pub not_in_project: Vec<DatasetId>,
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
    /// To write that a run was interrupted which nobody is at work on.
    Close(Box<Order>),
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
                Mend::Close(order) => {
                    let ledger = self.ledger();
                    let closed = self.close_as_interrupted(&ledger, &order).await;
                    closed.map_err(|e| Some(chain(&e)))
                }
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
        match not_in_project(&self.lake, &self.project).await {
            Ok(others) => found.verified.not_in_project = others,
            Err(e) => found.add("lake".to_owned(), chain(&e), Mend::Nothing),
        }
        let mut all = self.project.dataset_ids();
        all.extend(found.verified.not_in_project.clone());
        for id in all {
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
            if let Some(going) = table.going(&properties) {
                found.add(id.to_string(), going.to_string(), Mend::Nothing);
                return Ok(());
            }
            found.verified.datasets += 1;
            found.verified.files += snapshot.files.len();
            let flaws = match found.verified.digests {
                Some(_) => in_depth(&table, &snapshot, found).await?,
                None => table.flaws(&snapshot).await?,
            };
            let sound = flaws.is_empty();
            let of_log = match found.verified.digests {
                Some(_) => Vec::new(),
                None => table.flaws_of_log(&snapshot).await?,
            };
            let flaws = flaws.into_iter().chain(of_log);
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
        let mut committed = BTreeMap::new();
        for run in kept.into_iter().take(crate::ledger::KEPT_RUNS as usize) {
            if let Err(e) = self.look_at_run(run, &mut committed, found).await {
                found.add(format!("run {run}"), chain(&e), Mend::Nothing);
            }
        }
        match self.dead().await {
            Ok(dead) => {
                for order in dead {
                    let of = format!("run {}", order.run);
                    let what = "nobody is at work on it, and its end was never written";
                    found.add(of, what.to_owned(), Mend::Close(Box::new(order)));
                }
            }
            Err(e) => found.add("runs".to_owned(), chain(&e), Mend::Nothing),
        }
        for (id, (run, version)) in committed {
            self.look_at_committed(&id, run, version, found).await;
        }
    }

    /// Adds what the run committed last, unless a later run is known to have committed more.
    async fn look_at_run(
        &self,
        run: RunId,
        committed: &mut BTreeMap<DatasetId, (RunId, u64)>,
        found: &mut Found,
    ) -> Result<(), LedgerError> {
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
            if let Some(version) = receipt.version {
                let dataset = receipt.dataset.clone();
                let last = committed.entry(dataset).or_insert((run, version));
                *last = (*last).max((run, version));
            }
        }
        Ok(())
    }

    /// Whether the lake still has the last version that a run committed to a dataset.
    async fn look_at_committed(
        &self,
        id: &DatasetId,
        run: RunId,
        committed: u64,
        found: &mut Found,
    ) {
        let table = self.lake.table(id);
        // What can't be read is told of the dataset.
        let Ok(latest) = table.latest().await else {
            return;
        };
        let is_built = id.stage() != Stage::Bronze;
        let what = match latest {
            // It was dropped, or has another name.
            None if !self.project.dataset_ids().contains(id) => return,
            None if is_built => format!(
                "run {run} committed version {committed}, and the lake has nothing of it: its folder or its log was taken away; the next run builds it again"
            ),
            None => format!(
                "run {run} committed version {committed}, and the lake has nothing of it: its folder or its log was taken away; the next run reads its source from the beginning, rows of sources that are gone since are lost"
            ),
            Some(latest) => {
                let there = self.instead_of(&table, &latest, run, committed).await;
                let Some(there) = there else { return };
                if self.is_made_anew(&table, &latest, run).await {
                    return;
                }
                let remedy = match is_built {
                    true => format!("`comboi run all --rebuild --select {id}` builds it again"),
                    false => "rows of sources that are gone since are lost, `comboi reset-checkpoint` and `comboi run` read the others again".to_owned(),
                };
                format!(
                    "run {run} committed version {committed}, and {there}: it was brought back from an older copy, or its log was cut; {remedy}"
                )
            }
        };
        found.add(id.to_string(), what, Mend::Nothing);
    }

    /// What is there instead of a version that a run committed; `None` if that is there.
    async fn instead_of(
        &self,
        table: &Table,
        latest: &Latest,
        run: RunId,
        committed: u64,
    ) -> Option<String> {
        if latest.version < committed {
            return Some(format!("the lake has {} only", latest.version));
        }
        let (pipeline, by) = table.committed_by(committed).await.ok()??;
        // An earlier run's was current when this one found nothing to commit.
        let is_later = pipeline == self.project.name && by > run;
        is_later.then(|| format!("run {by} committed another one"))
    }

    /// Whether a run after this one has made a dataset anew: built it, or read its source from the beginning. Then it lacks nothing, though its
    /// versions are counted from a lower number.
    async fn is_made_anew(&self, table: &Table, latest: &Latest, run: RunId) -> bool {
        let pipeline = &self.project.name;
        let built = latest.properties.contains_key(BUILT_FROM);
        if built {
            let last = latest.last_commit(pipeline).map(|(last, _)| last);
            return writer::run_of(&latest.properties).or(last) > Some(run);
        }
        if !latest.properties.contains_key(CHECKPOINT) {
            return false;
        }
        let anew = [Operation::ResetCheckpoint, Operation::Rename].map(Operation::as_str);
        let history = table.history(usize::MAX).await.unwrap_or_default();
        let mut history = history.into_iter();
        history.any(|version| {
            let begins = version.version == 0 || anew.contains(&version.operation.as_str());
            begins && version.run > Some(run)
        })
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
