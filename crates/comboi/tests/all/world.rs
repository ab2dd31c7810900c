//! A project in a folder of its own, and what the program says about it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A project's folder, gone when it is dropped.
pub(crate) struct World {
    folder: TempDir,
}

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// A source `shop` with one table over `in/orders/*.csv`, a silver and a gold dataset, a contract.
    pub(crate) fn small() -> Self {
        let world = Self::new();
        world.write("configs/default.yml", SMALL_CONFIG);
        world.write("configs/transformations.yml", SMALL_TRANSFORMATIONS);
        world.write("transformations/contracts/orders_clean.yml", SMALL_CONTRACT);
        world.write(
            "transformations/sql/orders_clean.sql",
            "SELECT id, day, amount FROM orders WHERE amount IS NOT NULL\n",
        );
        world.write("transformations/sql/daily.sql", "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean GROUP BY day\n");
        world.write(
            "in/orders/day1.csv",
            "id,day,amount\n1,2024-05-01,10.00\n2,2024-05-01,20.50\n",
        );
        world
    }

    /// Another project with the same files.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.folder.path(), copy.folder.path());
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The program with these words, in the project's folder, with nothing of the test's environment but what is given.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_comboi"));
        command
            .args(words)
            .current_dir(self.folder.path())
            .env_clear()
            .env("NO_COLOR", "1");
        command
    }

    pub(crate) fn comboi(&self, words: &[&str]) -> Said {
        said(self.command(words).output().unwrap())
    }

    /// Runs the program and expects it to end with this code.
    pub(crate) fn expect(&self, code: i32, words: &[&str]) -> Said {
        let said = self.comboi(words);
        assert_eq!(
            said.code,
            Some(code),
            "comboi {}\n{}\n{}",
            words.join(" "),
            said.out,
            said.err
        );
        said
    }

    /// Runs everything and expects it to go well.
    pub(crate) fn run(&self) -> Said {
        self.expect(0, &["run", "all"])
    }

    /// What `--output json` says.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let mut words = words.to_vec();
        words.extend(["--output", "json"]);
        let said = self.comboi(&words);
        serde_json::from_str(&said.out).unwrap_or_else(|e| {
            panic!(
                "comboi {}: {e}\n{}\n{}",
                words.join(" "),
                said.out,
                said.err
            )
        })
    }

    /// The rows of a dataset, without comboi's own columns, sorted: one line each, cells joined by `,`.
    pub(crate) fn rows(&self, dataset: &str) -> Vec<String> {
        let shown = self.json(&["show", dataset, "-n", "1000000"]);
        let columns: Vec<&str> = shown["columns"]
            .as_array()
            .unwrap()
            .iter()
            .map(|column| column.as_str().unwrap())
            .collect();
        let line = |row: &Value| {
            let cells = columns.iter().zip(row.as_array().unwrap());
            let cells = cells.filter(|(name, _)| !name.starts_with("_comboi_"));
            cells
                .map(|(_, cell)| cell.as_str().unwrap_or("NULL").to_owned())
                .collect::<Vec<_>>()
                .join(",")
        };
        let mut rows: Vec<String> = shown["rows"].as_array().unwrap().iter().map(line).collect();
        rows.sort();
        rows
    }

    /// How each task of a run ended: `dataset outcome rows`, in the order of the plan.
    pub(crate) fn outcomes(&self, words: &[&str]) -> Vec<String> {
        let report = self.json(words);
        let line = |task: &Value| {
            format!(
                "{} {} {}",
                task["dataset"].as_str().unwrap(),
                task["outcome"].as_str().unwrap(),
                task["rows"]
            )
        };
        report["tasks"]
            .as_array()
            .unwrap()
            .iter()
            .map(line)
            .collect()
    }

    /// The names in a folder of the project, sorted; none when it is not there.
    pub(crate) fn read_folder(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).into_iter().flatten();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Every file below a folder of the project, relative to it, sorted.
    pub(crate) fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let mut found = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.push(relative(&path, &root));
                }
            }
        }
        found.sort();
        found
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn relative(path: &Path, root: &Path) -> String {
    path.strip_prefix(root)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned()
}

pub(crate) const SMALL_CONFIG: &str = "\
sources:
  - name: shop
    type: files
    path: in
    tables:
      - name: orders
        files: \"orders/*.csv\"
        columns: {id: BIGINT, day: DATE, amount: \"DECIMAL(12,2)\"}
";

pub(crate) const SMALL_TRANSFORMATIONS: &str = "\
silver:
  - name: orders_clean
    inputs:
      - alias: orders
        stage: bronze
        source_path: shop/orders.parquet
    quality_checks:
      - contract:orders_clean
gold:
  - name: daily
    inputs:
      - alias: orders_clean
        stage: silver
        source_path: refined/orders_clean.parquet
";

pub(crate) const SMALL_CONTRACT: &str = "\
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
      constraints:
        - min_value: 0
";
