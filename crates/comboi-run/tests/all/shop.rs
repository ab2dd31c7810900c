//! A small project in a folder of its own, and what readers see of its lake.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use comboi_engine::{Input, Limits, Session};
use comboi_lake::{Lake, Root, Snapshot, State, Table};
use comboi_plan::Plan;
use comboi_project::{Companion, DatasetId, Project, Stage};
use comboi_run::{Clock, Process, RunReport, Runner, Stop, Work};
use comboi_test::{Store, contents};
use tempfile::TempDir;

pub(crate) const ORDERS: &str = "bronze/shop/orders";
pub(crate) const CLEAN: &str = "silver/orders_clean";
pub(crate) const DAILY: &str = "gold/daily";

const CONFIG: &str = "\
name: shop
sources:
  - name: shop
    type: files
    path: in
    tables:
      - name: orders
        files: \"*.csv\"
        incremental_column: id
        on_bad_row: quarantine
        columns: {id: BIGINT, day: DATE, amount: \"DECIMAL(12,2)\"}
";

const TRANSFORMATIONS: &str = "\
silver:
  - name: orders_clean
    inputs:
      - {alias: orders, stage: bronze, source_path: shop/orders}
    quality_checks:
      - contract:orders_clean
gold:
  - name: daily
    inputs:
      - {alias: orders_clean, stage: silver, source_path: refined/orders_clean.parquet}
";

const CONTRACT: &str = "\
version: \"1.0.0\"
dataset: orders_clean
stage: silver
schema:
  columns:
    - name: id
      type: BIGINT
      nullable: false
      constraints:
        - unique: true
    - name: day
      type: DATE
    - name: amount
      type: DECIMAL(12,2)
";

/// The files of the shop's days. Each has one line that does not fit.
const DAYS: [(&str, &str); 3] = [
    (
        "day1.csv",
        "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,20.50\nx,2024-05-01,1.00\n",
    ),
    (
        "day2.csv",
        "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,one\n5,2024-05-02,1.00\n",
    ),
    (
        "day3.csv",
        "id,day,amount\n6,2024-05-03,7.00\n7,someday,8.00\n",
    ),
];

/// The project's folder, gone when it is dropped. The lake and the state of runs are in a store.
pub(crate) struct Shop {
    folder: TempDir,
    runners: AtomicUsize,
}

impl Shop {
    /// With the files of so many days.
    pub(crate) fn with_days(days: usize) -> Self {
        let shop = Self {
            folder: tempfile::tempdir().unwrap(),
            runners: AtomicUsize::new(0),
        };
        shop.write("configs/shop.yml", CONFIG);
        shop.write("configs/transformations.yml", TRANSFORMATIONS);
        shop.write("transformations/contracts/orders_clean.yml", CONTRACT);
        shop.write(
            "transformations/sql/orders_clean.sql",
            "SELECT id, day, amount FROM orders\n",
        );
        shop.write(
            "transformations/sql/daily.sql",
            "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean GROUP BY day\n",
        );
        for day in 1..=days {
            shop.add_day(day);
        }
        shop
    }

    /// The same, but that files are read once, and again when they have changed.
    pub(crate) fn by_file(days: usize) -> Self {
        let shop = Self::with_days(days);
        shop.write(
            "configs/shop.yml",
            &CONFIG.replace("incremental_column: id", "on_changed_file: reread"),
        );
        shop
    }

    /// One whose orders have a key, so that a later file may say something else of them.
    pub(crate) fn keyed(days: usize) -> Self {
        let shop = Self::with_days(days);
        shop.write(
            "configs/shop.yml",
            &CONFIG.replace("incremental_column: id", "primary_key: id"),
        );
        shop
    }

    /// A file with an order that was there, one twice, and one without an id.
    pub(crate) fn add_changed_orders(&self) {
        let rows = "id,day,amount\n1,2024-05-04,11.00\n8,2024-05-04,1.00\n8,2024-05-04,2.00\n,2024-05-04,3.00\n";
        self.write("in/late.csv", rows);
    }

    /// One whose contract sets orders aside that are too small or too large, and drops one.
    pub(crate) fn strict(days: usize) -> Self {
        let shop = Self::with_days(days);
        let rules = "\
quality_rules:
  - {name: usual, type: range, column: amount, min_value: 2, max_value: 15, action: quarantine}
  - {name: no_third, type: rejected_values, column: id, values: [3], action: drop}
";
        shop.write(
            "transformations/contracts/orders_clean.yml",
            &format!("{CONTRACT}{rules}"),
        );
        shop
    }

    /// A strict one whose orders are kept for three days.
    pub(crate) fn forgetful(days: usize) -> Self {
        let shop = Self::strict(days);
        let table = "        on_bad_row: quarantine\n        data_retention: {max_age_days: 3, column: day}";
        shop.write(
            "configs/shop.yml",
            &CONFIG.replace("        on_bad_row: quarantine", table),
        );
        let contract = shop.read("transformations/contracts/orders_clean.yml");
        shop.write(
            "transformations/contracts/orders_clean.yml",
            &format!("{contract}sla: {{data_retention: {{max_age_days: 3}}}}\n"),
        );
        shop
    }

    /// One whose orders are one where they have their day or their amount in common; and the file that comes next connects two.
    pub(crate) fn deduplicated() -> Self {
        let shop = Self::with_days(0);
        let dedupe = "    dedupe: {unique_id: id, keys: [day, amount], output: {keep: all}}\ngold:";
        let transformations = TRANSFORMATIONS.replace("gold:", dedupe);
        shop.write("configs/transformations.yml", &transformations);
        let rows = "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-02,20.50\n3,2024-05-02,7.00\n";
        shop.write("in/a.csv", rows);
        shop
    }

    /// The same shop with its rows compared by a model, and the pairs written.
    pub(crate) fn compared() -> Self {
        let shop = Self::deduplicated();
        let dedupe = "    splink: model.json\n    dedupe: {unique_id: id, lambda: model, output: {keep: all, pairs: true}}\ngold:";
        let transformations = TRANSFORMATIONS.replace("gold:", dedupe);
        shop.write("configs/transformations.yml", &transformations);
        let model = r#"{"probability_two_random_records_match": 0.5,
            "blocking_rules_to_generate_predictions": ["l.day = r.day", "l.amount = r.amount"],
            "comparisons": [{"output_column_name": "either", "comparison_levels": [
                {"sql_condition": "day_l = day_r OR amount_l = amount_r", "m_probability": 0.96875, "u_probability": 0.03125},
                {"sql_condition": "ELSE", "m_probability": 0.03125, "u_probability": 0.96875}]}]}"#;
        shop.write("model.json", model);
        shop
    }

    /// The order that makes two of [`deduplicated`](Self::deduplicated) one.
    pub(crate) fn add_connecting_order(&self) {
        self.write("in/b.csv", "id,day,amount\n4,2024-05-01,20.50\n");
    }

    /// The file of a day arrives.
    pub(crate) fn add_day(&self, day: usize) {
        let (name, text) = DAYS[day - 1];
        self.write(&format!("in/{name}"), text);
    }

    /// The file of a day is cleared away.
    pub(crate) fn remove_day(&self, day: usize) {
        std::fs::remove_file(self.folder.path().join("in").join(DAYS[day - 1].0)).unwrap();
    }

    /// Every file is as old as every other, so that checkpoints can be compared.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000))
            .unwrap();
    }

    /// A file of somebody's arrives.
    pub(crate) fn copy(&self, from: &std::path::Path, name: &str) {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::copy(from, path).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap()
    }

    /// A process of its own: nothing but the folder with the sources and the store is shared with others.
    pub(crate) fn runner(&self, store: Store) -> Runner {
        let project =
            Project::load(&self.folder.path().join("configs/shop.yml"), &|_| None).unwrap();
        let number = self.runners.fetch_add(1, Ordering::SeqCst);
        let scratch = self.folder.path().join(format!("scratch{number}"));
        std::fs::create_dir(&scratch).unwrap();
        Runner {
            databases: comboi_sources::database::Databases::default(),
            lake: lake(&store),
            state: State::in_store(store, project.name.clone()),
            project: Arc::new(project),
            scratch,
            limits: Limits {
                memory_bytes: 256 << 20,
                threads: 1,
                max_spill_bytes: None,
            },
            jobs: 1,
            clock: Clock::stopped_at("2024-05-04T00:00:00Z".parse().unwrap()),
            process: gone(),
            stop: Stop::default(),
            listener: Arc::new(|_| {}),
            work: Work::default(),
            queue: None,
        }
    }

    /// Runs everything and expects it to go well.
    pub(crate) async fn run(&self, store: &Store) -> RunReport {
        let report = run(&self.runner(Arc::clone(store))).await.unwrap();
        assert!(report.is_good(), "{}", outcomes(&report).join("\n"));
        report
    }

    /// Folders of runners that were not cleaned up.
    pub(crate) fn left_in_scratch(&self) -> Vec<PathBuf> {
        let scratch = (0..self.runners.load(Ordering::SeqCst))
            .map(|number| self.folder.path().join(format!("scratch{number}")));
        scratch
            .flat_map(|folder| std::fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

/// A process of this machine that has ended: to the next runner, all those before it are no more, however much they still do.
pub(crate) fn gone() -> Process {
    Process {
        pid: 0,
        started: String::new(),
        ..Process::this()
    }
}

/// Runs everything.
pub(crate) async fn run(runner: &Runner) -> Result<RunReport, comboi_run::RunError> {
    runner
        .run(Plan::of_everything(&runner.project), false)
        .await
}

/// How each task ended: `dataset outcome rows`, and why if it failed.
pub(crate) fn outcomes(report: &RunReport) -> Vec<String> {
    let line = |task: &comboi_run::Receipt| {
        let failure = task
            .failure
            .as_ref()
            .map(|failure| format!(": {}", failure.message));
        let failure = failure.unwrap_or_default();
        format!("{} {} {}{failure}", task.dataset, task.outcome, task.rows)
    };
    report.tasks.iter().map(line).collect()
}

pub(crate) fn id(text: &str) -> DatasetId {
    text.parse().unwrap()
}

pub(crate) fn lake(store: &Store) -> Lake {
    let stage = |stage: Stage, template: &str| {
        (
            stage,
            (Root::store(Arc::clone(store)), template.parse().unwrap()),
        )
    };
    Lake::new(BTreeMap::from([
        stage(Stage::Bronze, "bronze/{source}/{table}"),
        stage(Stage::Silver, "silver/refined/{dataset}.parquet"),
        stage(Stage::Gold, "gold/metrics/{dataset}.parquet"),
    ]))
    .unwrap()
}

/// What readers see of a dataset: its rows, sorted, cells joined by `,`, without when and by which run they were loaded.
pub(crate) async fn rows(store: &Store, dataset: &str) -> Vec<String> {
    let lake = lake(store);
    let table = match dataset.strip_suffix("__quarantine") {
        Some(of) => lake.quarantine(&id(of)),
        None => lake.table(&id(dataset)),
    };
    rows_of(&table).await
}

/// What a deduplication keeps beside a dataset, without the runs in which it was found.
pub(crate) async fn beside(store: &Store, dataset: &str, which: Companion) -> Vec<String> {
    rows_without(&lake(store).companion(&id(dataset), which), &["run_id"]).await
}

pub(crate) async fn rows_of(table: &Table) -> Vec<String> {
    rows_without(table, &[]).await
}

/// What is aside for a dataset, as it is told to people.
pub(crate) async fn aside(store: &Store, dataset: &str) -> Vec<String> {
    let (lake, id) = (lake(store), id(dataset));
    match comboi_run::quarantined(&lake, &id).await.unwrap() {
        None => Vec::new(),
        Some(snapshot) => {
            let table = lake.quarantine(&id);
            rows_at(&table, &snapshot, &["_comboi_quarantined_at"]).await
        }
    }
}

async fn rows_without(table: &Table, left_out: &[&str]) -> Vec<String> {
    match table.snapshot().await.unwrap() {
        None => Vec::new(),
        Some(snapshot) => rows_at(table, &snapshot, left_out).await,
    }
}

async fn rows_at(table: &Table, snapshot: &Snapshot, left_out: &[&str]) -> Vec<String> {
    let scratch = tempfile::tempdir().unwrap();
    let files = table.local_files(snapshot, scratch.path()).await.unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        threads: 1,
        max_spill_bytes: None,
    };
    let session = Session::open(&limits, scratch.path()).unwrap();
    let input = Input {
        alias: "t",
        columns: &snapshot.columns,
        files: &files,
    };
    let shown = comboi_engine::show(&session, &input, 1000).unwrap();
    let kept = |name: &str| {
        name != "_comboi_loaded_at" && name != "_comboi_run_id" && !left_out.contains(&name)
    };
    let mut rows: Vec<String> = shown
        .rows
        .into_iter()
        .map(|row| {
            let cells = shown.names.iter().zip(row).filter(|(name, _)| kept(name));
            let cells = cells.map(|(_, cell)| cell.unwrap_or_else(|| "NULL".to_owned()));
            cells.collect::<Vec<_>>().join(",")
        })
        .collect();
    rows.sort();
    rows
}

/// All that must be the same whatever happened on the way: rows, checkpoint, what is published, no file too many.
pub(crate) async fn state(store: &Store) -> String {
    let lake = lake(store);
    let mut text = String::new();
    for dataset in [ORDERS, "bronze/shop/orders__quarantine", CLEAN, DAILY] {
        text.push_str(&format!(
            "{dataset}\n  {}\n",
            rows(store, dataset).await.join("\n  ")
        ));
    }
    for which in Companion::ALL {
        let rows = beside(store, CLEAN, which).await;
        if !rows.is_empty() {
            text.push_str(&format!(
                "{CLEAN}{}\n  {}\n",
                which.suffix(),
                rows.join("\n  ")
            ));
        }
    }
    let aside = aside(store, CLEAN).await;
    if !aside.is_empty() {
        text.push_str(&format!("{CLEAN}__quarantine\n  {}\n", aside.join("\n  ")));
    }
    let checkpoint = comboi_run::checkpoint_of(&lake, &id(ORDERS)).await.unwrap();
    text.push_str(&format!("checkpoint: {}\n", checkpoint.unwrap()));
    for (dataset, folder) in [
        (ORDERS, "bronze/shop/orders"),
        (CLEAN, "silver/refined/orders_clean"),
        (DAILY, "gold/metrics/daily"),
    ] {
        text.push_str(&format!(
            "{dataset}: {}\n",
            files(store, dataset, folder).await
        ));
    }
    let recorded = rows_of(&lake.record("tasks")).await;
    let mut once = recorded.clone();
    once.dedup();
    assert_eq!(recorded, once, "a task of a run is recorded once");
    text
}

/// After a vacuum: which files there are, and whether the published one is the dataset's only one.
async fn files(store: &Store, dataset: &str, folder: &str) -> String {
    let table = lake(store).table(&id(dataset));
    // Every commit is older than this. What would be deleted is told as well by a dry run, which takes less time.
    let later = "2024-05-05T00:00:00Z".parse().unwrap();
    let vacuumed = table.vacuum(Duration::ZERO, later, true).await.unwrap();
    let snapshot = table.snapshot().await.unwrap().unwrap();
    let all = contents(store.as_ref()).await;
    let there: Vec<&str> = all
        .keys()
        .filter_map(|name| name.strip_prefix(folder)?.strip_prefix('/'))
        .filter(|name| name.ends_with(".parquet") && !name.starts_with('_'))
        .filter(|name| !vacuumed.files.iter().any(|file| file == name))
        .collect();
    let known: Vec<&str> = snapshot
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    let orphans = there.iter().filter(|name| !known.contains(name)).count();
    let mut text = format!("{orphans} orphans");
    if table.publishes() {
        let published = &all[&format!("{folder}.parquet")];
        let current = known.len() == 1 && all[&format!("{folder}/{}", known[0])] == *published;
        text.push_str(&format!(", published: {current}"));
    }
    text
}
