//! `comboi validate-contract`.

use std::io::Write;
use std::path::{Path, PathBuf};

use comboi_engine::{Input, Limits, Session};
use comboi_plan::BadSelection;
use comboi_project::{Columns, Contract, SqlType};
use comboi_run::Clock;
use comboi_sources::FilesReader;

use crate::cli::{Global, Output};
use crate::exit::{Exit, Usage};
use crate::text::counted;
use crate::{report, wiring};

pub(crate) fn validate_contract(
    global: &Global,
    contract: &Path,
    data: &str,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let contract = wiring::contract(contract)?;
    let scratch = wiring::scratch()?;
    let session = Session::open(&Limits::of_machine(), scratch.path())?;
    let (columns, files) = found(global, &session, &wanted(&contract), data, scratch.path())?;
    let input = Input {
        alias: contract.dataset.as_str(),
        columns: &columns,
        files: &files,
    };
    let verdicts = comboi_engine::check(&session, &contract, &input, Clock::system().now())?;
    match output {
        Output::Json => super::json(out, &verdicts)?,
        Output::Text => {
            let paint = wiring::paint(&std::io::stdout());
            for line in verdicts
                .iter()
                .flat_map(|verdict| report::verdict_lines(verdict, paint))
            {
                writeln!(out, "{line}")?;
            }
            let passed = verdicts.iter().filter(|verdict| verdict.passed()).count();
            writeln!(out, "\n{passed} of {} rules passed", verdicts.len())?;
        }
    }
    Ok(if verdicts.iter().any(comboi_engine::Verdict::blocks) {
        Exit::Contract
    } else {
        Exit::Good
    })
}

/// The data that a person named: a file, a Delta table's folder, or a dataset of the project. Columns of a text file get the types
/// that are wanted of them.
pub(super) fn found(
    global: &Global,
    session: &Session,
    wanted: &[(String, SqlType)],
    data: &str,
    scratch: &Path,
) -> anyhow::Result<(Columns, Vec<PathBuf>)> {
    let path = Path::new(data);
    if path.is_file() {
        // A published file has the lake's types; the table beside it knows which types they stand for.
        let table = path.with_extension("");
        if !table.join("_delta_log").is_dir() {
            if !is_data(data) {
                return Err(Usage(format!(
                    "`{data}` is no data file: expected .parquet, .csv, .tsv, .json or .ndjson (text may be .gz or .zst)"
                ))
                .into());
            }
            let read = FilesReader::read_one(session, path, wanted, &scratch.join("read"));
            return read.map_err(|error| told(error, data));
        }
    }
    // The path of the single file that bronze does not have names the table beside it too.
    let folder = if path.is_file() || data.ends_with(".parquet") {
        path.with_extension("")
    } else {
        path.to_owned()
    };
    let table = if folder.join("_delta_log").is_dir() {
        comboi_lake::Table::in_folder(&folder)?
    } else {
        dataset(global, data)?
    };
    wiring::block_on(async {
        let snapshot = table
            .snapshot()
            .await?
            .ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?;
        let files = table.local_files(&snapshot, scratch).await?;
        anyhow::Ok((snapshot.columns, files))
    })?
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
fn dataset(global: &Global, name: &str) -> anyhow::Result<comboi_lake::Table> {
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
