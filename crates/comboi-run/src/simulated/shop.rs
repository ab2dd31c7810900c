//! A shop: its sources, its lake, its processes.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use comboi_engine::Limits;
use comboi_lake::{Lake, Latest, Root, State};
use comboi_plan::Plan;
use comboi_project::{DatasetId, PathTemplate, Project, RunId, Stage};
use comboi_test::{Fate, Fates, Fickle, Store, Times};
use serde_json::json;

use super::Chance;
use super::time::Time;
use crate::clock::Clock;
use crate::runner::Runner;
use crate::stop::Stop;
use crate::task::{Done, TaskError};
use crate::work::{Job, Work};

const CONFIG: &str = "\
name: shop
sources:
  - name: shop
    type: files
    path: in
    tables:
      - {name: orders, files: \"o*.csv\"}
      - {name: returns, files: \"r*.csv\"}
";

const TRANSFORMATIONS: &str = "\
silver:
  - name: net
    inputs:
      - {alias: orders, stage: bronze, source_path: shop/orders}
      - {alias: returns, stage: bronze, source_path: shop/returns}
gold:
  - name: daily
    inputs:
      - {alias: net, stage: silver, source_path: refined/net.parquet}
";

/// The pipeline's name, which is in every commit.
const PIPELINE: &str = "shop";

static PROJECT: LazyLock<Arc<Project>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    };
    write("configs/shop.yml", CONFIG);
    write("configs/transformations.yml", TRANSFORMATIONS);
    write("transformations/sql/net.sql", "SELECT 1 AS a\n");
    write("transformations/sql/daily.sql", "SELECT 1 AS a\n");
    let config = folder.path().join("configs/shop.yml");
    Arc::new(Project::load(&config, &|_| None).unwrap_or_else(|e| panic!("{e}")))
});

/// What every timer and every message asks for.
static PLAN: LazyLock<Plan> = LazyLock::new(|| Plan::of_everything(&PROJECT));

/// What a simulation is about.
pub(super) struct Shop {
    pub(super) chance: Chance,
    /// What is stored, for whoever may look at it undisturbed.
    pub(super) store: Store,
    times: Times,
    pub(super) time: Time,
    /// The rows of each of its tables so far.
    rows: AtomicU64,
    /// Whether anything goes wrong any more.
    pub(super) misbehaves: AtomicBool,
    /// How often in ten thousand times a call fails, lies or kills.
    faults: u64,
    attempts: AtomicU64,
}

/// A process that works for the shop.
pub(super) struct Process {
    pub(super) runner: Runner,
    pub(super) store: Arc<Fickle>,
}

/// A commit as it stands in the lake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Commit {
    pub(super) run: RunId,
    pub(super) attempt: u64,
    /// The rows that it adds, of a table of the shop.
    pub(super) from: u64,
    pub(super) to: u64,
    /// The versions that it was made of.
    pub(super) inputs: BTreeMap<String, u64>,
}

impl Shop {
    pub(super) fn open(chance: Chance, time: Time) -> Arc<Self> {
        let times = Times::by(Arc::new({
            let time = time.clone();
            move || now(&time, 0)
        }));
        let faults = [0, 30, 100, 300, 800][usize::try_from(chance.below(5)).unwrap_or(0)];
        Arc::new(Self {
            store: comboi_test::memory(),
            times,
            time,
            rows: AtomicU64::new(3),
            misbehaves: AtomicBool::new(true),
            faults,
            attempts: AtomicU64::new(0),
            chance,
        })
    }

    /// Orders come, and returns.
    pub(super) fn sells(&self) {
        self.rows
            .fetch_add(1 + self.chance.below(3), Ordering::SeqCst);
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows.load(Ordering::SeqCst)
    }

    /// A process of its own, with a clock that is a little wrong.
    pub(super) fn process(self: &Arc<Self>) -> Process {
        let store = Fickle::new(Arc::clone(&self.store), self.fates(), self.times.clone());
        let skew = i64::try_from(self.chance.below(180)).unwrap_or(0) - 90;
        let (tells, waits) = (self.time.clone(), self.time.clone());
        let shared: Store = Arc::clone(&store) as Store;
        let project = Arc::clone(&PROJECT);
        let work = {
            let (shop, store) = (Arc::clone(self), Arc::clone(&shared));
            Work::simulated(move |job| {
                let (shop, store) = (Arc::clone(&shop), Arc::clone(&store));
                Box::pin(async move { shop.does(&job, &store).await })
            })
        };
        let lake = lake(&shared);
        let runner = Runner {
            databases: comboi_sources::database::Databases::default(),
            lake,
            state: State::in_store(shared, project.name.clone()),
            project,
            scratch: "/nowhere".into(),
            limits: Limits {
                memory_bytes: 1 << 30,
                threads: 1,
                max_spill_bytes: None,
            },
            jobs: 1 + usize::from(self.chance.happens(500)),
            clock: Clock::simulated(
                move || now(&tells, skew),
                move |time| Box::pin(waits.sleep(time)),
            ),
            process: crate::process::Process::this(),
            stop: Stop::default(),
            listener: Arc::new(|_| {}),
            work,
            queue: None,
        };
        Process { runner, store }
    }

    fn fates(self: &Arc<Self>) -> Fates {
        let shop = Arc::clone(self);
        Arc::new(move |writes| {
            let (takes, fate) = shop.fate(writes);
            let sleep = shop.time.sleep(takes);
            Box::pin(async move {
                sleep.await;
                fate
            })
        })
    }

    fn fate(&self, writes: bool) -> (Duration, Fate) {
        let chance = &self.chance;
        if !self.misbehaves.load(Ordering::SeqCst) {
            return (Duration::from_millis(5), Fate::Done);
        }
        // Now and then somebody sleeps for so long that others think it is dead.
        let takes = match chance.happens(2) {
            true => Duration::from_secs(60 * chance.below(40)),
            false => Duration::from_millis(1 + chance.below(2000)),
        };
        if chance.below(10_000) >= self.faults {
            return (takes, Fate::Done);
        }
        let fate = match (chance.below(6), writes) {
            (0, _) => Fate::DiesBefore,
            (1, _) => Fate::DiesAfter,
            (2 | 3, true) => Fate::Lies,
            (4, true) => Fate::Exists,
            _ => Fate::Fails,
        };
        (takes, fate)
    }

    /// What a task does: what the real ones do, but for rows and queries.
    async fn does(&self, job: &Job, store: &Store) -> Result<Done, TaskError> {
        let dataset = &job.task.dataset;
        for _ in 0..5 {
            let latest = job.runner.lake.table(dataset).latest().await?;
            let run = job.order.run;
            let version = latest.as_ref().map(|latest| latest.version);
            let fence = latest
                .as_ref()
                .and_then(|latest| latest.last_commit(&job.runner.project.name));
            if fence >= Some((run, 0)) {
                return Ok(Done {
                    version,
                    ..Done::default()
                });
            }
            let Some(commit) = self.commit(job, latest.as_ref())? else {
                return Ok(Done {
                    skipped: Some("there is nothing new".to_owned()),
                    version,
                    ..Done::default()
                });
            };
            let seconds = self.chance.below(30);
            self.time.sleep(Duration::from_secs(seconds)).await;
            let next = version.map_or(0, |version| version + 1);
            if self.commits(dataset, next, &commit, store).await? {
                return Ok(Done {
                    version: Some(next),
                    rows: commit.to - commit.from,
                    ..Done::default()
                });
            }
        }
        Err(TaskError::Crowded)
    }

    /// What is new; `None` if nothing is.
    fn commit(&self, job: &Job, latest: Option<&Latest>) -> Result<Option<Commit>, TaskError> {
        let noted = |key: &str| latest.and_then(|latest| latest.properties.get(key).cloned());
        let mut commit = Commit {
            run: job.order.run,
            attempt: self.attempts.fetch_add(1, Ordering::SeqCst),
            from: 0,
            to: 0,
            inputs: BTreeMap::new(),
        };
        if job.task.dataset.stage() == Stage::Bronze {
            commit.from = noted("to").and_then(|to| to.parse().ok()).unwrap_or(0);
            commit.to = self.rows();
            return Ok((commit.to > commit.from).then_some(commit));
        }
        for (input, version) in &job.inputs {
            let Some(version) = version else {
                let task = job.task.dataset.to_string();
                return Err(TaskError::NoInput(input.clone(), task));
            };
            commit.inputs.insert(input.to_string(), *version);
        }
        let same = noted("inputs") == Some(json!(commit.inputs).to_string());
        Ok((!same).then_some(commit))
    }

    /// Writes a commit as the next version; says whether it is the one that counts.
    async fn commits(
        &self,
        dataset: &DatasetId,
        version: u64,
        commit: &Commit,
        store: &Store,
    ) -> Result<bool, TaskError> {
        let unavailable = |why: String| {
            TaskError::Lake(comboi_lake::Error::Unavailable {
                dataset: dataset.to_string(),
                doing: "commit to",
                source: why.into(),
            })
        };
        let name = entry_name(dataset, version);
        let created = comboi_test::create(store.as_ref(), &name, commit.to_entry(version)).await;
        if created == Ok(true) {
            return Ok(true);
        }
        // It may have been written all the same.
        let there = comboi_test::get(store.as_ref(), &name).await;
        match (created, there.map_err(unavailable)?) {
            (_, Some(bytes)) => Ok(Commit::of_entry(&bytes).attempt == commit.attempt),
            (Err(why), None) => Err(unavailable(why)),
            (Ok(_), None) => Err(unavailable("it is there and is not".to_owned())),
        }
    }
}

impl Commit {
    /// A log entry as `latest` reads them.
    fn to_entry(&self, version: u64) -> String {
        let info = r#"{"commitInfo":{"operationMetrics":{"numFiles":"0","numRemovedFiles":"0"}}}"#;
        let fence = u64::from(self.run.0) << 20;
        let metadata = json!({"metaData": {
            "schemaString": r#"{"type":"struct","fields":[]}"#,
            "configuration": {
                "comboi.format": "1",
                "comboi.committed": format!("{version}@0"),
                "comboi.total": "0/0",
                format!("comboi.fence.{PIPELINE}"): fence.to_string(),
                "comboi.run": self.run.0.to_string(),
                "comboi.attempt": self.attempt.to_string(),
                "comboi.from": self.from.to_string(),
                "comboi.to": self.to.to_string(),
                "comboi.inputs": json!(self.inputs).to_string(),
            },
        }});
        format!("{info}\n{metadata}\n")
    }

    pub(super) fn of_entry(bytes: &[u8]) -> Self {
        let lines = bytes.split(|byte| *byte == b'\n').nth(1);
        let metadata: serde_json::Value =
            serde_json::from_slice(lines.expect("it has two lines")).expect("they are JSON");
        let noted = |key: &str| {
            let value = &metadata["metaData"]["configuration"][format!("comboi.{key}")];
            value.as_str().expect("it is noted").to_owned()
        };
        let number = |key: &str| noted(key).parse::<u64>().expect("it is a number");
        Self {
            run: RunId(u32::try_from(number("run")).expect("runs are few")),
            attempt: number("attempt"),
            from: number("from"),
            to: number("to"),
            inputs: serde_json::from_str(&noted("inputs")).expect("it was JSON"),
        }
    }
}

pub(super) fn project() -> &'static Project {
    &PROJECT
}

pub(super) fn plan() -> Plan {
    PLAN.clone()
}

/// The name of a log entry.
pub(super) fn entry_name(dataset: &DatasetId, version: u64) -> String {
    format!("{}/_delta_log/{version:020}.json", folder(dataset))
}

fn folder(dataset: &DatasetId) -> String {
    static FOLDERS: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let folders = FOLDERS.get_or_init(|| {
        let lake = lake(&comboi_test::memory());
        let ids = PROJECT.dataset_ids();
        ids.iter()
            .map(|id| (id.to_string(), lake.table(id).location()))
            .collect()
    });
    folders[&dataset.to_string()].clone()
}

fn lake(store: &Store) -> Lake {
    static PLACES: LazyLock<[(Stage, PathTemplate); 3]> = LazyLock::new(|| {
        let template = |text: &str| text.parse().expect("it is a template");
        [
            (Stage::Bronze, template("bronze/{source}/{table}")),
            (Stage::Silver, template("silver/refined/{dataset}.parquet")),
            (Stage::Gold, template("gold/metrics/{dataset}.parquet")),
        ]
    });
    let stages = PLACES.iter().map(|(stage, template)| {
        let root = Root::store(Arc::clone(store));
        (*stage, (root, template.clone()))
    });
    Lake::new(stages.collect()).expect("the stages have places of their own")
}

fn now(time: &Time, skew: i64) -> DateTime<Utc> {
    let start = DateTime::from_timestamp(1_800_000_000, 0).expect("it is a time");
    let passed = TimeDelta::from_std(time.now()).expect("it is a short time");
    start + passed + TimeDelta::seconds(skew)
}
