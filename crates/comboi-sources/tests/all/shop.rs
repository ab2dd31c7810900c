//! A folder of files, a table's configuration, and a lake that is a list of files.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use comboi_engine::{Input, Limits, Session, show};
use comboi_project::{Columns, Project, RunId, Source, Stage};
use comboi_sources::{
    Checkpoint, Error, Extract, ExtractChange, FilesReader, Known, Look, Stamp, Work,
};
use tempfile::TempDir;

pub(crate) struct Shop {
    folder: TempDir,
    pub(crate) known: Option<Known>,
    pub(crate) checkpoint: Option<String>,
    pub(crate) quarantine: Option<Known>,
    run: u32,
}

impl Shop {
    /// `table` is what the table says besides its name, one key a line.
    pub(crate) fn new(table: &str) -> Self {
        let shop = Self {
            folder: tempfile::tempdir().unwrap(),
            known: None,
            checkpoint: None,
            quarantine: None,
            run: 0,
        };
        fs::create_dir_all(shop.path("in")).unwrap();
        shop.configure(table);
        shop
    }

    pub(crate) fn configure(&self, table: &str) {
        self.configure_stages("", table);
    }

    /// With a line of `stages`.
    pub(crate) fn configure_stages(&self, stages: &str, table: &str) {
        let mut yaml = format!("stages: {{{stages}}}\n");
        yaml += "sources:\n  - name: shop\n    type: files\n    path: in\n    tables:\n      - name: things\n";
        for line in table.lines() {
            writeln!(yaml, "        {line}").unwrap();
        }
        fs::write(self.path("shop.yml"), yaml).unwrap();
    }

    /// Lets links lead out of the folder.
    pub(crate) fn follow_links(&self) {
        let yaml = fs::read_to_string(self.path("shop.yml")).unwrap();
        let yaml = yaml.replace("    path: in\n", "    path: in\n    follow_links: true\n");
        fs::write(self.path("shop.yml"), yaml).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn put(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path("in").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    fn project(&self) -> Project {
        Project::load(&self.path("shop.yml"), &|_| None)
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    fn reader<'a>(&'a self, project: &'a Project) -> FilesReader<'a> {
        let Some(Source::Files(source)) = project.sources.first() else {
            panic!("no source")
        };
        FilesReader {
            source,
            table: &source.tables[0],
            folder: self.folder.path(),
            max_file_size: project.stages.max_file_size(Stage::Bronze),
        }
    }

    pub(crate) fn look(&self) -> Result<Look, Error> {
        let project = self.project();
        let reader = self.reader(&project);
        let checkpoint = self
            .checkpoint
            .as_ref()
            .map(|text| text.parse::<Checkpoint>().unwrap());
        reader.look(checkpoint.as_ref(), now(self.run + 1))
    }

    /// Looks, extracts and commits. What happened, and what there was to say.
    pub(crate) fn run(&mut self) -> String {
        match self.try_run() {
            Ok(text) => text,
            Err(error) => format!("error: {}", chain(&error)),
        }
    }

    fn try_run(&mut self) -> Result<String, Error> {
        match self.look()? {
            Look::NothingNew { notes } => {
                let notes: String = notes.iter().map(|note| format!("\n{note}")).collect();
                Ok(format!("nothing new{notes}"))
            }
            Look::Work(work) => self.extract(&work),
        }
    }

    /// Extracts and commits what was looked at.
    pub(crate) fn extract(&mut self, work: &Work) -> Result<String, Error> {
        self.run += 1;
        let project = self.project();
        let reader = self.reader(&project);
        let session = self.session();
        let stamp = Stamp {
            run: RunId(self.run),
            loaded_at: now(self.run),
        };
        let scratch = self.path(&format!("scratch-{}", self.run));
        let extract = reader.extract(work, self.known.as_ref(), &session, stamp, &scratch)?;
        let mut text = format!("{} rows", extract.row_count);
        if extract.quarantined_count() > 0 {
            write!(text, ", {} put aside", extract.quarantined_count()).unwrap();
        }
        for change in &extract.drift {
            write!(text, "\n{change}").unwrap();
        }
        for note in &extract.notes {
            write!(text, "\n{note}").unwrap();
        }
        self.commit(extract);
        Ok(text)
    }

    pub(crate) fn session(&self) -> Session {
        let limits = Limits {
            memory_bytes: 512 * 1024 * 1024,
            threads: 2,
            max_spill_bytes: None,
        };
        Session::open(&limits, &self.path("duckdb")).unwrap()
    }

    fn commit(&mut self, extract: Extract) {
        let mut files = self
            .known
            .take()
            .map(|known| known.files)
            .unwrap_or_default();
        match extract.change {
            ExtractChange::Append => {}
            ExtractChange::ReplaceAll => files.clear(),
            ExtractChange::Rewrite { removed } => files.retain(|file| !removed.contains(file)),
        }
        files.extend(extract.staged);
        self.known = Some(Known {
            columns: extract.columns,
            files,
            whole: true,
        });
        self.checkpoint = Some(extract.checkpoint.to_string());
        if let Some(quarantined) = extract.quarantined {
            let mut files = self
                .quarantine
                .take()
                .map(|known| known.files)
                .unwrap_or_default();
            files.extend(quarantined.staged);
            self.quarantine = Some(Known {
                columns: quarantined.columns,
                files,
                whole: true,
            });
        }
    }

    /// The table's columns with their types, without comboi's own.
    pub(crate) fn types(&self) -> String {
        let columns = self
            .known
            .as_ref()
            .unwrap()
            .columns
            .iter()
            .filter(|column| !column.name.starts_with("_comboi_"));
        columns
            .map(|column| format!("{} {}", column.name, column.sql_type))
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// The table's columns without comboi's own, for [`rows`](Self::rows).
    pub(crate) fn names(&self) -> String {
        let columns = self
            .known
            .as_ref()
            .unwrap()
            .columns
            .names()
            .filter(|name| !name.starts_with("_comboi_"));
        columns.collect::<Vec<_>>().join(" ")
    }

    /// The rows of these columns, sorted, one a line.
    pub(crate) fn rows(&self, columns: &str) -> String {
        self.rows_of(self.known.as_ref().unwrap(), columns)
    }

    pub(crate) fn quarantined(&self, columns: &str) -> String {
        self.rows_of(self.quarantine.as_ref().unwrap(), columns)
    }

    fn rows_of(&self, table: &Known, columns: &str) -> String {
        let wanted = |name: &str| {
            table
                .columns
                .get(name)
                .unwrap_or_else(|| panic!("no column {name}"))
                .clone()
        };
        let columns: Columns = columns.split(' ').map(wanted).collect();
        let input = Input {
            alias: "t",
            columns: &columns,
            files: &table.files,
        };
        let rows = show(&self.session(), &input, 10_000_000).unwrap().rows;
        let cell = |cell: Option<String>| {
            cell.map_or_else(|| "∅".to_owned(), |text| text.replace('\n', "⏎"))
        };
        let mut rows: Vec<String> = rows
            .into_iter()
            .map(|row| row.into_iter().map(cell).collect::<Vec<_>>().join("|"))
            .collect();
        rows.sort();
        rows.join("\n")
    }

    pub(crate) fn row_count(&self) -> usize {
        self.rows("_comboi_run_id").lines().count()
    }
}

/// When a run is: in January 2027, a second after the one before.
fn now(run: u32) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000 + i64::from(run), 0).unwrap()
}

pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        write!(text, ": {error}").unwrap();
        source = error.source();
    }
    text
}

/// So that a file that is written twice within a tick of the clock has changed.
pub(crate) fn touch(path: &Path, seconds: u64) {
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_800_000_000 + seconds);
    fs::File::options()
        .append(true)
        .open(path)
        .unwrap()
        .set_modified(time)
        .unwrap();
}

/// A Parquet file with these rows of CSV.
pub(crate) fn parquet(columns: &str, csv: &str) -> Vec<u8> {
    let mut shop = Shop::new(&format!(
        "files: a.csv\ncolumns: {{{columns}}}\nmetadata_columns: false"
    ));
    shop.put("a.csv", csv);
    let said = shop.run();
    let known = shop.known.as_ref().unwrap_or_else(|| panic!("{said}"));
    fs::read(&known.files[0]).unwrap()
}
