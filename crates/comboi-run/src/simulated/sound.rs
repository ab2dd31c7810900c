//! What has to be true of a shop whatever happened.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_lake::State;
use comboi_project::{DatasetId, RunId, Stage};

use super::shop::{Commit, Shop, entry_name, project};
use crate::ledger::{KEPT_RUNS, Ledger, Order};
use crate::receipt::Outcome;

/// All that is stored, for whoever looks at it.
struct Stored {
    commits: BTreeMap<DatasetId, Vec<Commit>>,
    ledger: Ledger,
    last: RunId,
}

pub(super) async fn check(shop: &Shop) {
    let stored = Stored::of(shop).await;
    stored.each_row_is_there_once(shop.rows());
    stored.runs_never_go_back();
    // Of earlier ones a part may be left: whoever was about to forget them may have died in it.
    let first = stored.last.0.saturating_sub(KEPT_RUNS) + 1;
    for run in first..=stored.last.0 {
        if let Some(order) = stored.ledger.order(RunId(run)).await.expect("it is sound") {
            stored.the_run_is_whole(&order).await;
        }
    }
    stored.readers_see_what_was_loaded_last();
}

/// What has to be true of the lake, whatever became of the state of runs.
pub(super) async fn of_lake(shop: &Shop) {
    let stored = Stored::of(shop).await;
    stored.each_row_is_there_once(shop.rows());
    stored.runs_never_go_back();
    stored.readers_see_what_was_loaded_last();
}

impl Stored {
    async fn of(shop: &Shop) -> Self {
        let contents = comboi_test::contents(shop.store.as_ref()).await;
        let mut commits = BTreeMap::new();
        for id in project().dataset_ids() {
            let entries = (0..).map_while(|version| contents.get(&entry_name(&id, version)));
            commits.insert(id.clone(), entries.map(|it| Commit::of_entry(it)).collect());
        }
        let state = State::in_store(Arc::clone(&shop.store), project().name.clone());
        let ledger = Ledger::new(state);
        let last = ledger.last_run().await.expect("it is sound");
        Self {
            commits,
            ledger,
            last,
        }
    }

    fn of_stage(&self, stage: Stage) -> impl Iterator<Item = (&DatasetId, &Vec<Commit>)> {
        self.commits
            .iter()
            .filter(move |(id, _)| id.stage() == stage)
    }

    fn each_row_is_there_once(&self, rows: u64) {
        for (id, commits) in self.of_stage(Stage::Bronze) {
            let mut loaded = 0;
            for commit in commits {
                assert_eq!(commit.from, loaded, "{id}: {commits:?}");
                assert!(commit.to > commit.from, "{id}: {commits:?}");
                loaded = commit.to;
            }
            assert_eq!(loaded, rows, "{id}: {commits:?}");
        }
    }

    fn runs_never_go_back(&self) {
        for (id, commits) in &self.commits {
            let in_order = commits.windows(2).all(|two| two[0].run < two[1].run);
            assert!(in_order, "{id}: {commits:?}");
        }
    }

    /// A run that its request did not become has done nothing; else it has ended, and its tasks read what it made or had pinned.
    async fn the_run_is_whole(&self, order: &Order) {
        let run = order.run;
        let receipts = self.ledger.receipts(run).await.expect("they are sound");
        let request = order.request.as_ref().expect("somebody asked for it");
        let became = self.ledger.requested(request).await.expect("it is sound");
        let end = self.ledger.closed(run).await.expect("it is sound");
        // Who was about to begin it may have died before anybody could know; then it may be closed as interrupted.
        if became != Some(run) || end.is_none_or(|end| end.interrupted) {
            let nothing = receipts.is_empty();
            assert!(nothing, "run {run}, {request}: {became:?}, {receipts:?}");
            return;
        }
        for task in &order.plan.tasks {
            let id = &task.dataset;
            let receipt = &receipts[id];
            let made = self.commits[id].iter().enumerate();
            let made = made.filter(|(_, commit)| commit.run == run);
            for (version, commit) in made {
                for (input, read) in &commit.inputs {
                    let input: DatasetId = input.parse().expect("it is an id");
                    let meant = match receipts.get(&input) {
                        Some(receipt) => receipt.version,
                        None => order.pins.get(&input).copied().flatten(),
                    };
                    assert_eq!(Some(*read), meant, "run {run}: {id} reads {input}");
                }
                // A later run may have committed before the receipt was written.
                if receipt.outcome == Outcome::Succeeded {
                    assert!(index(receipt.version) >= version, "run {run}: {id}");
                }
            }
            if receipt.outcome == Outcome::Succeeded {
                let there = index(receipt.version) < self.commits[id].len();
                assert!(there, "run {run}: {id}");
            }
        }
    }

    fn readers_see_what_was_loaded_last(&self) {
        for stage in [Stage::Silver, Stage::Gold] {
            for (id, commits) in self.of_stage(stage) {
                let last = commits.last().expect("it was built");
                for (input, version) in &last.inputs {
                    let input: DatasetId = input.parse().expect("it is an id");
                    let newest = self.commits[&input].len() - 1;
                    assert_eq!(index(Some(*version)), newest, "{id} of {input}");
                }
            }
        }
    }
}

/// Where a version is among the commits.
fn index(version: Option<u64>) -> usize {
    let version = version.expect("what succeeded has a version");
    usize::try_from(version).expect("they are few")
}
