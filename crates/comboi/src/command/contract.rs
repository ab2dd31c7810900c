//! `comboi validate-contract`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use comboi_engine::{Around, Input, Limits, OtherDataset, Session, Verdict, VerdictOutcome};
use comboi_lake::Table;
use comboi_plan::BadSelection;
use comboi_project::{Action, Columns, Contract, Located, Problems, Severity, SqlType};
use comboi_run::Clock;
use comboi_sources::FilesReader;

use crate::cli::{FailOn, Global, VerdictsOutput};
use crate::exit::{self, Exit, Usage};
use crate::report::{github, junit};
use crate::text::counted;
use crate::{report, wiring};

pub(crate) fn validate_contract(
    global: &Global,
    contract: &Path,
    object: Option<&str>,
    data: &str,
    (fail_on, output): (FailOn, VerdictsOutput),
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let read = super::exchange::Read::new(contract, object)?;
    let contract = Arc::clone(&read.contract);
    let scratch = wiring::scratch()?;
    let session = Session::open(&Limits::of_machine(), scratch.path())?;
    let mut problems = comboi_engine::check_contract_sql(&session, &contract)?;
    for problem in &mut problems {
        problem.place = read.place(&problem.place);
    }
    if !problems.is_empty() {
        return Err(Problems(problems).into());
    }
    let found = Data::find(global, &session, &wanted(&contract), data, scratch.path())?;
    let contract = super::exchange::fitted(&contract, &read.loose, &found.columns);
    let others = others(global, &contract, scratch.path());
    let others: Vec<OtherDataset<'_>> = others.iter().map(Other::shown).collect();
    let around = Around {
        now: Clock::system().now(),
        others: &others,
        earlier_rows: found.earlier_rows.as_deref(),
    };
    let input = Input {
        alias: contract.dataset.as_str(),
        columns: &found.columns,
        files: &found.files,
    };
    let mut verdicts = comboi_engine::check(&session, &contract, &input, &around)?;
    for verdict in &mut verdicts {
        verdict.place = read.place(&verdict.place);
    }
    // For programs, what is not checked is a verdict too.
    let mut all = verdicts.clone();
    all.extend(read.notes.iter().map(|note| unchecked(note, &contract)));
    match output {
        VerdictsOutput::Json => super::json(out, &all)?,
        VerdictsOutput::Junit => {
            let suite = junit::of_verdicts(contract.dataset.as_str(), &all, fail_on);
            out.write_all(suite.as_bytes())?;
        }
        VerdictsOutput::Github => {
            let annotations = github::of_verdicts(contract.dataset.as_str(), &all);
            out.write_all(annotations.as_bytes())?;
        }
        VerdictsOutput::Text => {
            let paint = wiring::paint(&std::io::stdout());
            for line in verdicts
                .iter()
                .flat_map(|verdict| report::verdict_lines(verdict, paint))
            {
                writeln!(out, "{line}")?;
            }
            for note in &read.notes {
                writeln!(out, "note: {note}")?;
            }
            let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
            writeln!(out, "\n{passed} of {} rules passed", verdicts.len())?;
        }
    }
    let broken = all.iter().any(|verdict| exit::counts(verdict, fail_on));
    Ok(if broken { Exit::Contract } else { Exit::Good })
}

/// What a document says and nobody checks.
fn unchecked(note: &str, contract: &Contract) -> Verdict {
    Verdict {
        rule: "not_checked".to_owned(),
        kind: "not_checked".to_owned(),
        severity: Severity::Warning,
        action: Action::Report,
        outcome: VerdictOutcome::CouldNotRun {
            why: note.to_owned(),
        },
        measured: "nothing".to_owned(),
        value: None,
        threshold: None,
        row_count: None,
        place: contract.dataset.place.clone(),
    }
}

/// A dataset that rules name, as far as there is a project that has it.
struct Other {
    name: String,
    data: Result<(Columns, Vec<PathBuf>), String>,
}

impl Other {
    fn shown(&self) -> OtherDataset<'_> {
        let data = self.data.as_ref().map_err(String::as_str);
        OtherDataset {
            name: &self.name,
            data: data.map(|(columns, files)| Input {
                alias: &self.name,
                columns,
                files,
            }),
        }
    }
}

/// The datasets that a contract is about besides its own. One that is not at hand is the fault of the rules that name it.
fn others(global: &Global, contract: &Contract, scratch: &Path) -> Vec<Other> {
    let names = contract.other_datasets().into_iter();
    let names = names.filter(|name| name.value != contract.dataset.as_str());
    let other = |(i, name): (usize, Located<String>)| {
        let folder = scratch.join(format!("other-{i}"));
        let data = dataset(global, &name.value).and_then(|table| current(&table, &folder));
        Other {
            name: name.value,
            data: data.map_err(|error| exit::told_error(error.as_ref())),
        }
    };
    names.enumerate().map(other).collect()
}

/// The data that a person named.
struct Data {
    columns: Columns,
    files: Vec<PathBuf>,
    /// How many rows the versions before had, the newest first; `None` for files, which have no versions.
    earlier_rows: Option<Vec<u64>>,
}

impl Data {
    fn find(
        global: &Global,
        session: &Session,
        wanted: &[(String, SqlType)],
        data: &str,
        scratch: &Path,
    ) -> anyhow::Result<Self> {
        let (columns, files, earlier_rows) = match Place::of(global, data)? {
            Place::Files(paths) => {
                let (columns, files) = read_all(session, &paths, wanted, scratch)?;
                (columns, files, None)
            }
            Place::Table(table) => {
                let (columns, files) = current(&table, scratch)?;
                (columns, files, Some(earlier_rows(&table)?))
            }
        };
        Ok(Self {
            columns,
            files,
            earlier_rows,
        })
    }
}

/// The data that a person named: a file, a folder of files, a Delta table's folder, or a dataset of the project. Columns of a text file get
/// the types that are wanted of them.
pub(super) fn found(
    global: &Global,
    session: &Session,
    wanted: &[(String, SqlType)],
    data: &str,
    scratch: &Path,
) -> anyhow::Result<(Columns, Vec<PathBuf>)> {
    let found = Data::find(global, session, wanted, data, scratch)?;
    Ok((found.columns, found.files))
}

/// Where data lies.
enum Place {
    Files(Vec<PathBuf>),
    Table(Table),
}

impl Place {
    fn of(global: &Global, data: &str) -> anyhow::Result<Self> {
        let path = Path::new(data);
        if path.is_file() && !path.with_extension("").join("_delta_log").is_dir() {
            if !is_data(data) {
                return Err(Usage(format!(
                    "`{data}` is no data file: expected .parquet, .csv, .tsv, .json or .ndjson (text may be .gz or .zst)"
                ))
                .into());
            }
            return Ok(Self::Files(vec![path.to_owned()]));
        }
        // A published file has the lake's types; the table beside it knows which types they stand for. The path of the single file that
        // bronze does not have names the table beside it too.
        let folder = if path.is_file() || data.ends_with(".parquet") {
            path.with_extension("")
        } else {
            path.to_owned()
        };
        if folder.join("_delta_log").is_dir() {
            return Ok(Self::Table(Table::in_folder(&folder)?));
        }
        if path.is_dir() {
            let files = data_files(path)?;
            if files.is_empty() {
                return Err(Usage(format!(
                    "`{data}` is no Delta table and has no data file: .parquet, .csv, .tsv, .json or .ndjson (text may be .gz or .zst)"
                ))
                .into());
            }
            return Ok(Self::Files(files));
        }
        Ok(Self::Table(dataset(global, data)?))
    }
}

/// The data files of a folder, by name; folders in it are left aside.
fn data_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_file() && is_data(&name) && !name.starts_with(['.', '_']) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Files that are one dataset: with the same columns.
fn read_all(
    session: &Session,
    paths: &[PathBuf],
    wanted: &[(String, SqlType)],
    scratch: &Path,
) -> anyhow::Result<(Columns, Vec<PathBuf>)> {
    let mut all: Option<(Columns, Vec<PathBuf>)> = None;
    for (i, path) in paths.iter().enumerate() {
        let name = path.display().to_string();
        let read = FilesReader::read_one(session, path, wanted, &scratch.join(format!("read-{i}")));
        let (columns, files) = read.map_err(|error| told(error, &name))?;
        match &mut all {
            None => all = Some((columns, files)),
            Some((first, so_far)) if *first == columns => so_far.extend(files),
            Some((first, _)) => {
                let before = paths
                    .first()
                    .map_or_else(String::new, |it| it.display().to_string());
                return Err(Usage(format!(
                    "the files are no single dataset: `{before}` has {}, `{name}` has {}",
                    listed(first),
                    listed(&columns)
                ))
                .into());
            }
        }
    }
    Ok(all.unwrap_or_default())
}

fn listed(columns: &Columns) -> String {
    let columns = columns.iter();
    let columns = columns.map(|column| format!("{} {}", column.name, column.sql_type));
    columns.collect::<Vec<_>>().join(", ")
}

/// The current version of a table, on this machine.
fn current(table: &Table, folder: &Path) -> anyhow::Result<(Columns, Vec<PathBuf>)> {
    wiring::block_on(async {
        let snapshot = table
            .snapshot()
            .await?
            .ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?;
        let files = table.local_files(&snapshot, folder).await?;
        anyhow::Ok((snapshot.columns, files))
    })?
}

/// How many rows the versions before the current one had, as far back as the log goes.
fn earlier_rows(table: &Table) -> anyhow::Result<Vec<u64>> {
    let history = wiring::block_on(table.history(1_000))??;
    let built = history
        .into_iter()
        .filter(|version| version.operation == comboi_lake::Operation::Replace.as_str());
    Ok(built.skip(1).map(|version| version.rows_added).collect())
}

/// Rows that do not fit, in the words of somebody who has a file and no table.
fn told(error: comboi_sources::Error, data: &str) -> anyhow::Error {
    let comboi_sources::Error::BadRows { count, rows } = error else {
        return error.into();
    };
    let verb = if count == 1 { "does" } else { "do" };
    let mut lines = vec![format!("{} {verb} not fit:", counted(count, "row"))];
    lines.extend(
        rows.iter()
            .map(|row| format!("  {data}:{}: {}", row.line, row.reason)),
    );
    let more = count.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    if more > 0 {
        lines.push(format!("  … and {} more", crate::text::count(more)));
    }
    anyhow::anyhow!(lines.join("\n"))
}

fn is_data(name: &str) -> bool {
    let name = name.to_lowercase();
    let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
    [
        ".parquet", ".csv", ".tsv", ".txt", ".json", ".ndjson", ".jsonl",
    ]
    .iter()
    .any(|end| plain.ends_with(end))
}

/// The table of a dataset of the project.
fn dataset(global: &Global, name: &str) -> anyhow::Result<Table> {
    let project = wiring::project(global).map_err(|e| match e.downcast::<Usage>() {
        Ok(_) => Usage(format!(
            "`{name}` is no file, no Delta table and, without a project, no dataset"
        ))
        .into(),
        Err(e) => e,
    })?;
    match wiring::table(&project, &wiring::lake(&project)?, name) {
        Err(e) if e.is::<BadSelection>() => {
            Err(Usage(format!("`{name}` is no file and no Delta table, and {e}")).into())
        }
        found => found,
    }
}

fn wanted(contract: &Contract) -> Vec<(String, SqlType)> {
    contract
        .schema
        .columns
        .iter()
        .map(|column| (column.name.to_string(), column.sql_type.value.clone()))
        .collect()
}
