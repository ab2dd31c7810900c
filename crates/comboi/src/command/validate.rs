//! `comboi validate`.

use std::collections::BTreeMap;
use std::io::Write;

use comboi_engine::{Input, Limits, Session, SqlFile};
use comboi_plan::Graph;
use comboi_project::{Columns, Dataset, DatasetId, Problem, Problems, Project, did_you_mean};

use crate::cli::{Global, Output};
use crate::exit::{self, Exit};
use crate::{text, wiring};

pub(crate) fn validate(
    global: &Global,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let problems = match wiring::project(global) {
        Ok(project) => {
            let problems = sql_problems(&project)?;
            if problems.is_empty() && output == Output::Text {
                let count = |number: usize, noun: &str| text::counted(number as u64, noun);
                let tables: usize = project
                    .sources
                    .iter()
                    .map(|source| source.table_names().len())
                    .sum();
                let contracts: usize = project
                    .datasets
                    .iter()
                    .map(|dataset| dataset.contracts.len())
                    .sum();
                writeln!(
                    out,
                    "no mistakes in {}, {}, {} and {}",
                    count(project.sources.len(), "source"),
                    count(tables, "table"),
                    count(project.datasets.len(), "dataset"),
                    count(contracts, "contract"),
                )?;
            }
            problems
        }
        Err(e) => match e.downcast::<Problems>() {
            Ok(Problems(problems)) => problems,
            Err(e) => return Err(e),
        },
    };
    match output {
        Output::Json => {
            let problems: Vec<_> = problems.iter().map(exit::problem_as_json).collect();
            super::json(out, &serde_json::json!({ "problems": problems }))?;
        }
        Output::Text if problems.is_empty() => {}
        Output::Text => return Err(Problems(problems).into()),
    }
    Ok(if problems.is_empty() {
        Exit::Good
    } else {
        Exit::Usage
    })
}

/// Ends a command that is about to use queries which are not one `SELECT` over their inputs, with all their mistakes.
pub(crate) fn hold_sql(project: &Project) -> anyhow::Result<()> {
    let problems = with_session(|session| read_queries(project, session))?;
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems).into())
    }
}

/// Every mistake in the queries: what is not one `SELECT`, and, as far as the lake has what they read, columns that
/// are not there and columns that a contract promises in vain.
fn sql_problems(project: &Project) -> anyhow::Result<Vec<Problem>> {
    let known = known_columns(project)?;
    with_session(|session| {
        let mut problems = read_queries(project, session)?;
        if problems.is_empty() {
            problems = bind_queries(project, session, known)?;
        }
        Ok(problems)
    })
}

fn with_session<T>(work: impl FnOnce(&Session) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let scratch = wiring::scratch()?;
    work(&Session::open(&Limits::of_machine(), scratch.path())?)
}

fn read_queries(project: &Project, session: &Session) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for dataset in &project.datasets {
        let aliases: Vec<&str> = dataset
            .inputs
            .iter()
            .map(|input| input.alias.as_str())
            .collect();
        collect(
            &mut problems,
            comboi_engine::check_sql(session, &sql_of(dataset), &aliases),
        )?;
    }
    Ok(problems)
}

/// The columns of the sources' tables that are in the lake.
fn known_columns(project: &Project) -> anyhow::Result<BTreeMap<DatasetId, Columns>> {
    // A lake that can't be reached keeps nobody from checking files.
    let Ok(lake) = wiring::lake(project) else {
        return Ok(BTreeMap::new());
    };
    wiring::block_on(async {
        let mut known = BTreeMap::new();
        for id in project.dataset_ids() {
            if let DatasetId::Extracted(..) = id
                && let Ok(Some(snapshot)) = lake.table(&id).snapshot().await
            {
                known.insert(id, snapshot.columns);
            }
        }
        known
    })
}

fn bind_queries(
    project: &Project,
    session: &Session,
    mut known: BTreeMap<DatasetId, Columns>,
) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    for dataset in Graph::of(project)
        .datasets()
        .iter()
        .filter_map(|id| project.dataset(id))
    {
        let inputs: Option<Vec<Input<'_>>> = dataset
            .inputs
            .iter()
            .map(|input| {
                Some(Input {
                    alias: input.alias.as_str(),
                    columns: known.get(&input.dataset)?,
                    files: &[],
                })
            })
            .collect();
        let Some(inputs) = inputs else { continue };
        let described = comboi_engine::describe(session, &sql_of(dataset), &inputs);
        if let Some(mut columns) = collect(&mut problems, described)? {
            if let Some(how) = &dataset.dedupe {
                let checked = comboi_engine::check_dedupe(session, how, &columns);
                collect(&mut problems, checked)?;
                columns = comboi_engine::deduped_columns(how, &columns);
            }
            problems.extend(broken_promises(dataset, &columns));
            known.insert(dataset.id.clone(), columns);
        }
    }
    Ok(problems)
}

/// Columns that a contract promises and the query does not return.
fn broken_promises(dataset: &Dataset, columns: &Columns) -> Vec<Problem> {
    let mut problems = Vec::new();
    for named in &dataset.contracts {
        for promised in &named.contract.schema.columns {
            if columns.get(&promised.name).is_none() {
                let text = format!(
                    "contract `{}` has a column that the query does not return: `{}`",
                    named.name, promised.name.value
                );
                let names = columns.0.iter().map(|column| column.name.as_str());
                problems.push(
                    Problem::at(&promised.name.place, text)
                        .maybe_hint(did_you_mean(&promised.name, names)),
                );
            }
        }
    }
    problems
}

fn sql_of(dataset: &Dataset) -> SqlFile<'_> {
    SqlFile {
        path: &dataset.sql.path,
        text: &dataset.sql.text,
    }
}

/// Keeps people's mistakes for later, passes on what is not theirs.
fn collect<T>(
    problems: &mut Vec<Problem>,
    result: Result<T, comboi_engine::Error>,
) -> anyhow::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(comboi_engine::Error::Problems(Problems(found))) => {
            problems.extend(found);
            Ok(None)
        }
        Err(e) => Err(e.into()),
    }
}
