//! `comboi contract new` and `contract sql`: a contract from what data is like, and SQL from a contract.

pub(super) mod sql;
mod table;

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::Context as _;
use comboi_contract::{About, Facts};
use comboi_engine::{Input, Limits, Session};
use comboi_project::DatasetName;
use comboi_run::Clock;

use crate::cli::{ContractCommand, Global, NewArgs};
use crate::exit::{Exit, Usage};
use crate::wiring;

use super::contract::found;
use super::{evolution, exchange};

pub(crate) fn contract(
    global: &Global,
    command: ContractCommand,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    match command {
        ContractCommand::New(asked) => new(global, &asked, out),
        ContractCommand::Sql(asked) => sql::generate(global, &asked, out),
        ContractCommand::Import {
            file,
            object,
            output,
            force,
        } => exchange::import(&file, object.as_deref(), output.as_deref(), force, out),
        ContractCommand::Export {
            contract,
            output,
            force,
        } => exchange::export(&contract, output.as_deref(), force, out),
        ContractCommand::Diff { old, new, output } => {
            evolution::diff(global, &old, new.as_deref(), output, out)
        }
        ContractCommand::Versions { dataset, output } => {
            evolution::versions(global, &dataset, output, out)
        }
    }
}

pub(crate) fn new(global: &Global, asked: &NewArgs, out: &mut dyn Write) -> anyhow::Result<Exit> {
    if asked.source.is_none() && asked.table.is_none() {
        let text = "say what the contract is made from: `--source FILE` or a dataset, or `--connection … --table …`";
        return Err(Usage(text.to_owned()).into());
    }
    if let Some(output) = asked.output.as_deref().filter(|_| !asked.force) {
        not_there(output)?;
    }
    let dataset = dataset_name(asked)?;
    let (facts, source) = measured(global, asked)?;
    if facts.columns.is_empty() {
        let text =
            format!("{source} has no columns, so there is nothing that a contract could promise");
        return Err(Usage(text).into());
    }
    let about = About {
        dataset: dataset.to_string(),
        stage: asked.stage,
        owner: asked.owner.clone(),
        description: asked.description.clone(),
        source,
    };
    let text = comboi_contract::infer(&facts, &about);
    match &asked.output {
        None => out.write_all(text.as_bytes())?,
        Some(output) => {
            write(output, &text, asked.force)?;
            writeln!(
                out,
                "made {} from {}",
                output.display(),
                crate::text::counted(facts.rows, "row")
            )?;
        }
    }
    Ok(Exit::Good)
}

fn measured(global: &Global, asked: &NewArgs) -> anyhow::Result<(Facts, String)> {
    let (Some(connection), Some(name)) = (&asked.connection, &asked.table) else {
        let data = asked.source.as_deref().unwrap_or_default();
        let scratch = wiring::scratch()?;
        let session = Session::open(&Limits::of_machine(), scratch.path())?;
        let (columns, files) = found(global, &session, &[], data, scratch.path())?;
        let input = Input {
            alias: "data",
            columns: &columns,
            files: &files,
        };
        let facts = comboi_engine::measure(&session, &input, Clock::system().now())?;
        return Ok((facts, shown(data)));
    };
    let facts = table::measure(global, connection, name, asked.sample_rows)?;
    // A connection string may hold a password.
    Ok((facts, format!("table {name}")))
}

/// A path as it was typed; of an absolute one the last part, because the file is for other people too.
fn shown(data: &str) -> String {
    let path = Path::new(data);
    match path.file_name() {
        Some(name) if path.is_absolute() => name.to_string_lossy().into_owned(),
        _ => data.to_owned(),
    }
}

fn dataset_name(asked: &NewArgs) -> anyhow::Result<DatasetName> {
    if let Some(name) = &asked.dataset {
        return Ok(name.clone());
    }
    let stem = |path: &Path| {
        path.file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
    };
    let named = asked
        .output
        .as_deref()
        .and_then(stem)
        .or_else(|| {
            asked
                .source
                .as_deref()
                .and_then(|data| stem(Path::new(data)))
        })
        .or_else(|| {
            let table = asked.table.as_deref()?;
            Some(table.rsplit('.').next().unwrap_or(table).to_owned())
        })
        .unwrap_or_default();
    let parsed = named.parse::<DatasetName>();
    Ok(parsed
        .or_else(|bad| bad.suggestion().unwrap_or_default().parse())
        .map_err(|_| {
            Usage(format!(
                "no dataset's name can be made from `{named}`; give it one with `--dataset`"
            ))
        })?)
}

pub(super) fn not_there(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        let text = format!(
            "`{}` is there already; `--force` writes over it",
            path.display()
        );
        return Err(Usage(text).into());
    }
    Ok(())
}

/// Writes a file of the person's, whole or not at all, and its folders.
pub(super) fn write(path: &Path, text: &str, over: bool) -> anyhow::Result<()> {
    let unwritable = || format!("`{}` could not be written", path.display());
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).with_context(unwritable)?;
    }
    if over {
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))
            .with_context(unwritable)?;
        file.write_all(text.as_bytes()).with_context(unwritable)?;
        make_readable(&file).with_context(unwritable)?;
        file.persist(path).with_context(unwritable)?;
        return Ok(());
    }
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    match opened {
        Ok(mut file) => file.write_all(text.as_bytes()).with_context(unwritable),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => not_there(path),
        Err(e) => Err(e).with_context(unwritable),
    }
}

/// Temporary files are private, and this one is for everybody who may read the project.
#[cfg(unix)]
fn make_readable(file: &tempfile::NamedTempFile) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.as_file()
        .set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_: &tempfile::NamedTempFile) -> std::io::Result<()> {
    Ok(())
}
