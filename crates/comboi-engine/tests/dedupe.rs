//! Rows in, survivors and clusters out; run after run.

mod ids;
mod keys;
mod mistakes;
mod survivors;

use std::path::{Path, PathBuf};

use comboi_engine::{Built, Dedupe, Deduped, Error, Input, Limits, Session, SqlFile, build, show};
use comboi_project::{Deduplication, Project, RunId};
use tempfile::TempDir;

/// One dataset over its runs.
pub(crate) struct Bench {
    folder: TempDir,
    session: Session,
    runs: u32,
    clusters: Option<Built>,
    log: Option<Built>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits {
            memory_bytes: 256 << 20,
            threads: 2,
            max_spill_bytes: None,
        };
        let session = Session::open(&limits, &folder.path().join("scratch")).unwrap();
        Self {
            folder,
            session,
            runs: 0,
            clusters: None,
            log: None,
        }
    }

    /// The next run, over the rows of a query.
    pub(crate) fn run(&mut self, dedupe: &str, rows: &str) -> Result<Deduped, Error> {
        self.runs += 1;
        let folder = self.folder.path().join(self.runs.to_string());
        std::fs::create_dir_all(&folder).unwrap();
        let query = SqlFile {
            path: Path::new("q.sql"),
            text: rows,
        };
        let staged = folder.join("staged.parquet");
        let rows = build(&self.session, &query, &[], None, &staged).unwrap();
        let how = deduplication(dedupe);
        let files = |built: &Option<Built>| -> Vec<PathBuf> {
            built.iter().map(|built| built.file.clone()).collect()
        };
        let (clusters, log) = (files(&self.clusters), files(&self.log));
        let input = |built: &'_ Option<Built>| built.as_ref().map(|built| built.columns.clone());
        let (clusters_columns, log_columns) = (input(&self.clusters), input(&self.log));
        let job = Dedupe {
            rows: rows.input("rows"),
            how: &how,
            linked: None,
            clusters: clusters_columns.as_ref().map(|columns| Input {
                alias: "clusters",
                columns,
                files: &clusters,
            }),
            log: log_columns.as_ref().map(|columns| Input {
                alias: "log",
                columns,
                files: &log,
            }),
            run: RunId(self.runs),
            now: "2024-05-04T00:00:00Z".parse().unwrap(),
            folder: &folder,
        };
        let done = comboi_engine::dedupe(&self.session, &job)?;
        self.clusters = done.clusters.clone().or(self.clusters.take());
        self.log = done.log.clone().or(self.log.take());
        Ok(done)
    }

    /// The rows of a file, sorted, below the names of its columns.
    pub(crate) fn read(&self, built: &Built) -> String {
        let files = [built.file.clone()];
        let input = Input {
            alias: "it",
            columns: &built.columns,
            files: &files,
        };
        let shown = show(&self.session, &input, 100).unwrap();
        let line = |row: &Vec<Option<String>>| {
            let cells: Vec<&str> = row
                .iter()
                .map(|cell| cell.as_deref().unwrap_or("-"))
                .collect();
            cells.join(" | ")
        };
        let mut lines: Vec<String> = shown.rows.iter().map(line).collect();
        lines.sort();
        lines.insert(0, shown.names.join(" | "));
        lines.join("\n")
    }

    /// `1:1 2:1 3:3`, each id with its cluster, and what the log has besides.
    pub(crate) fn clusters(&self) -> String {
        let pairs = self.read(self.clusters.as_ref().unwrap());
        let pairs: Vec<String> = pairs
            .lines()
            .skip(1)
            .map(|line| line.replace(" | ", ":"))
            .collect();
        let log = self
            .log
            .as_ref()
            .map_or_else(String::new, |log| self.read(log));
        let log = log.lines().skip(1).map(|line| {
            let cells: Vec<&str> = line.split(" | ").collect();
            format!(
                "; run {} {} {}>{} {}",
                cells[0], cells[2], cells[3], cells[4], cells[5]
            )
        });
        format!("{}{}", pairs.join(" "), log.collect::<String>())
    }
}

/// What stands under `dedupe:`, in a project around it.
pub(crate) fn deduplication(dedupe: &str) -> Deduplication {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: String| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let indented: String = dedupe
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    write("configs/p.yml", "name: p\n".to_owned());
    write(
        "configs/transformations.yml",
        format!("silver:\n  - name: people\n    dedupe:\n{indented}"),
    );
    write("transformations/sql/people.sql", "SELECT 1".to_owned());
    let project = Project::load(&folder.path().join("configs/p.yml"), &|_| None);
    let project = project.unwrap_or_else(|problems| panic!("{problems}"));
    project.datasets[0].dedupe.clone().unwrap()
}
