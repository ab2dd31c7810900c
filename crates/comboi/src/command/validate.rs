//! `comboi validate`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use anyhow::Context as _;
use comboi_engine::{Limits, Session};
use comboi_project::{
    Columns, DatasetId, KnownSchemas, Located, PartialProject, Problem, Problems, Project,
};
use serde_json::json;

use crate::cli::{FailOn, Global, Output};
use crate::exit::{self, Exit};
use crate::{text, wiring};

pub(crate) fn validate(
    global: &Global,
    update_schemas: bool,
    fail_on: FailOn,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let PartialProject {
        project,
        doubtful,
        mut problems,
        unused,
        files: _,
    } = wiring::partial_project(global)?;
    let mut found = match &project {
        Some(project) => look(project, &doubtful, update_schemas)?,
        None => Found::default(),
    };
    problems.append(&mut found.problems);
    found.warnings.extend(unused);
    let failed = !problems.is_empty() && fail_on != FailOn::Never;
    let warned = !found.warnings.is_empty() && fail_on == FailOn::Warning;
    let exit = match (failed, warned) {
        (true, _) => Exit::Usage,
        (false, true) => Exit::Contract,
        (false, false) => Exit::Good,
    };
    if let (true, true, Some(project)) = (update_schemas, problems.is_empty(), &project) {
        found.written = Some(write_schemas(project, &found.columns)?);
    }
    match output {
        Output::Json => {
            let problem = exit::problem_as_json;
            super::json(
                out,
                &json!({
                    "problems": problems.iter().map(problem).collect::<Vec<_>>(),
                    "warnings": found.warnings.iter().map(problem).collect::<Vec<_>>(),
                    "columns": found.origins,
                    "unchecked": found.unchecked,
                    "schemas_updated": found.written,
                }),
            )?;
        }
        Output::Text => {
            for warning in &found.warnings {
                writeln!(out, "warning: {}\n  {}", warning.message, warning.place)?;
                if let Some(hint) = &warning.hint {
                    writeln!(out, "  hint: {hint}")?;
                }
            }
            if !problems.is_empty() {
                let problems = Problems(problems);
                if !failed {
                    writeln!(out, "{}", exit::told(&problems.into()))?;
                    return Ok(exit);
                }
                return Err(problems.into());
            }
            if let Some(project) = &project {
                summary(project, &found, out)?;
            }
        }
    }
    Ok(exit)
}

fn summary(project: &Project, found: &Found, out: &mut dyn Write) -> anyhow::Result<()> {
    let count = |number: usize, noun: &str| text::counted(number as u64, noun);
    let sources = project.sources.iter();
    let tables: usize = sources.map(|source| source.table_names().len()).sum();
    let datasets = project.datasets.iter();
    let contracts: usize = datasets.map(|dataset| dataset.contracts.len()).sum();
    writeln!(
        out,
        "no mistakes in {}, {}, {} and {}",
        count(project.sources.len(), "source"),
        count(tables, "table"),
        count(project.datasets.len(), "dataset"),
        count(contracts, "contract"),
    )?;
    let from = |origin: Origin| found.origins.values().filter(|it| **it == origin).count();
    let (lake, file) = (from(Origin::Lake), from(Origin::File));
    let unknown = from(Origin::Unknown);
    let mut parts = Vec::new();
    if lake > 0 {
        parts.push(format!("of {} from the lake", count(lake, "table")));
    }
    if file > 0 {
        let tables = count(file, "table");
        parts.push(format!("of {tables} from transformations/schemas.yml"));
    }
    if unknown > 0 {
        let tables = count(unknown, "table");
        parts.push(format!("of {tables} are not known yet"));
    }
    if !parts.is_empty() {
        writeln!(out, "columns {}", parts.join(", "))?;
    }
    if !found.unchecked.is_empty() {
        let names: Vec<String> = found.unchecked.iter().map(ToString::to_string).collect();
        writeln!(
            out,
            "column names are not checked in {}: `comboi run` or transformations/schemas.yml makes them known",
            names.join(", "),
        )?;
    }
    if let Some(changed) = found.written {
        let said = if changed { "written" } else { "up to date" };
        writeln!(out, "transformations/schemas.yml is {said}")?;
    }
    Ok(())
}

/// Ends a command that is about to use queries which are not one `SELECT` over their inputs, with all their mistakes.
pub(crate) fn hold_sql(project: &Project) -> anyhow::Result<()> {
    let found =
        with_session(|session| comboi_run::check_syntax(session, project, &BTreeSet::new()))?;
    if found.is_empty() {
        Ok(())
    } else {
        Err(Problems(found.into_values().flatten().collect()).into())
    }
}

/// What became known of the queries without running one.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    /// What should be put right and stops nobody.
    warnings: Vec<Problem>,
    /// Where the columns of the sources' tables are from.
    origins: BTreeMap<DatasetId, Origin>,
    /// The columns of tables and datasets, as far as they are known.
    columns: BTreeMap<DatasetId, Columns>,
    /// Datasets whose queries were not checked against columns.
    unchecked: BTreeSet<DatasetId>,
    /// Whether the file of schemas was changed; `None`: it was not to be written.
    written: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
enum Origin {
    Lake,
    #[serde(rename = "schemas.yml")]
    File,
    Unknown,
}

/// Every mistake in the queries and contracts: what is not one `SELECT`, and, as far as columns are known, columns that
/// are not there and columns that a contract promises in vain.
fn look(
    project: &Project,
    doubtful: &BTreeSet<DatasetId>,
    needs_lake: bool,
) -> anyhow::Result<Found> {
    let mut found = Found::default();
    let (in_file, unreadable) = match KnownSchemas::load(&project.folder) {
        Ok(known) => (known.unwrap_or_default(), Vec::new()),
        Err(Problems(problems)) => (KnownSchemas::default(), problems),
    };
    let in_lake = match lake_columns(project) {
        Ok(in_lake) => in_lake,
        Err(e) if needs_lake => return Err(e.context("the lake could not be read")),
        // A lake that can't be reached keeps nobody from checking files.
        Err(_) => BTreeMap::new(),
    };
    let mut known = BTreeMap::new();
    for id in project.dataset_ids() {
        let DatasetId::Extracted(..) = id else {
            continue;
        };
        let origin = match (in_lake.get(&id), in_file.0.get(&id)) {
            (Some(columns), in_file) => {
                found
                    .warnings
                    .extend(in_file.and_then(|it| differ(&id, it, columns)));
                known.insert(id.clone(), columns.clone());
                Origin::Lake
            }
            (None, Some(columns)) => {
                known.insert(id.clone(), columns.value.clone());
                Origin::File
            }
            (None, None) => Origin::Unknown,
        };
        found.origins.insert(id, origin);
    }
    if needs_lake {
        found.warnings.clear();
    }
    // A file that is written anew may be in disorder, if the lake has all that it could say.
    if !needs_lake || found.origins.values().any(|it| *it == Origin::Unknown) {
        found.problems.extend(unreadable);
    }
    let earlier = in_file.0.into_iter().map(|(id, it)| (id, it.value));
    let earlier: BTreeMap<_, _> = earlier.chain(in_lake).collect();
    let (syntax, bound) = with_session(|session| {
        let syntax = comboi_run::check_syntax(session, project, doubtful)?;
        let skipped: BTreeSet<_> = syntax.keys().chain(doubtful).cloned().collect();
        let bound = comboi_run::bind(session, project, known, &earlier, &skipped)?;
        Ok((syntax, bound))
    })?;
    found.problems.extend(syntax.into_values().flatten());
    let faults = bound.faults.values().flat_map(comboi_run::Faults::problems);
    found.problems.extend(faults.cloned());
    let warnings = bound.faults.values().flat_map(|it| &it.warnings);
    found.warnings.extend(warnings.cloned());
    let datasets = project.datasets.iter();
    found
        .problems
        .extend(datasets.flat_map(comboi_run::drifted));
    found.problems.extend(evolved(project)?);
    found.columns = bound.columns;
    found.unchecked = bound.unchecked;
    Ok(found)
}

fn with_session<T>(
    work: impl FnOnce(&Session) -> Result<T, comboi_engine::Error>,
) -> anyhow::Result<T> {
    let scratch = wiring::scratch()?;
    let session = Session::open(&Limits::of_machine(), scratch.path())?;
    Ok(work(&session)?)
}

/// The queries of a project against the columns that its lake has.
pub(crate) fn bound(
    project: &Project,
    in_lake: &BTreeMap<DatasetId, Columns>,
) -> anyhow::Result<comboi_run::Bound> {
    let known = in_lake.iter();
    let known = known.filter(|(id, _)| matches!(id, DatasetId::Extracted(..)));
    let known = known.map(|(id, columns)| (id.clone(), columns.clone()));
    with_session(|session| {
        comboi_run::bind(session, project, known.collect(), in_lake, &BTreeSet::new())
    })
}

/// The columns of everything that is in the lake.
fn lake_columns(project: &Project) -> anyhow::Result<BTreeMap<DatasetId, Columns>> {
    let lake = wiring::lake(project)?;
    let columns = wiring::block_on(comboi_run::lake_columns(project, &lake))?;
    Ok(columns?)
}

/// That the file of schemas says something else of a table than the lake.
fn differ(id: &DatasetId, in_file: &Located<Columns>, in_lake: &Columns) -> Option<Problem> {
    let mut differences = Vec::new();
    for column in in_lake {
        match in_file.get(&column.name) {
            None => differences.push(format!("`{}` is new", column.name)),
            Some(before) if before.sql_type != column.sql_type => differences.push(format!(
                "`{}` is {}, not {}",
                column.name, column.sql_type, before.sql_type
            )),
            Some(_) => {}
        }
    }
    let gone = in_file
        .iter()
        .filter(|column| in_lake.get(&column.name).is_none());
    differences.extend(gone.map(|column| format!("there is no `{}`", column.name)));
    (!differences.is_empty()).then(|| {
        let message = format!(
            "{id} has other columns in the lake than this file lists: {}",
            differences.join(", ")
        );
        Problem::at(&in_file.place, message)
            .hint("`comboi validate --update-schemas` writes it anew")
    })
}

/// Writes the columns of the project's tables and datasets into the file of schemas, and answers whether it changed.
fn write_schemas(
    project: &Project,
    columns: &BTreeMap<DatasetId, Columns>,
) -> anyhow::Result<bool> {
    const HEAD: &str = "# The columns of the sources' tables and of the datasets, for `comboi validate` where the lake can't be read.\n# Written by `comboi validate --update-schemas`; do not edit it.\n";
    let ids = project.dataset_ids().into_iter();
    let known = ids.filter_map(|id| Some((id.to_string(), columns.get(&id)?)));
    // Sorted, so that a table that moves in the configuration changes nothing here.
    let known: BTreeMap<String, &Columns> = known.collect();
    let schema = |columns: &Columns| -> serde_json::Value {
        let columns = columns.iter();
        let columns = columns.map(|it| (it.name.clone(), json!(it.sql_type.to_string())));
        columns.collect::<serde_json::Map<_, _>>().into()
    };
    let schemas = known.into_iter().map(|(id, columns)| (id, schema(columns)));
    let document = serde_json::Value::Object(schemas.collect());
    let text = format!("{HEAD}{}", comboi_contract::yaml::document(&document));
    let path = KnownSchemas::path(&project.folder);
    if std::fs::read_to_string(&path).is_ok_and(|before| before == text) {
        return Ok(false);
    }
    let written = || {
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        let part = path.with_extension(format!("yml.{}.part", std::process::id()));
        std::fs::write(&part, &text)?;
        std::fs::rename(&part, &path)
    };
    written().with_context(|| format!("`{}` could not be written", path.display()))?;
    Ok(true)
}

/// Contracts that break what their published versions promised, without saying so.
fn evolved(project: &Project) -> anyhow::Result<Vec<Problem>> {
    let Ok(lake) = wiring::lake(project) else {
        return Ok(Vec::new());
    };
    wiring::block_on(async {
        let mut problems = Vec::new();
        for dataset in project
            .datasets
            .iter()
            .filter(|it| !it.contracts.is_empty())
        {
            let Ok(Some(snapshot)) = lake.table(&dataset.id).snapshot().await else {
                continue;
            };
            for (named, found) in comboi_run::untold(dataset, &snapshot.properties) {
                let version = named.contract.version.as_ref();
                let place = version.map_or(&named.contract.dataset.place, |version| &version.place);
                problems.push(
                    Problem::at(place, comboi_run::told(&named.name, &found))
                        .hint(comboi_run::advice(&found)),
                );
            }
        }
        problems
    })
}
