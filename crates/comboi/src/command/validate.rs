//! `comboi validate`.

use std::collections::BTreeMap;
use std::io::Write;

use comboi_contract::Drift;
use comboi_engine::{Input, Limits, Names, Session, SqlFile};
use comboi_plan::Graph;
use comboi_project::{
    Column, Columns, Dataset, DatasetId, Place, Problem, Problems, Project, did_you_mean,
};

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
        problems.extend(project.datasets.iter().flat_map(drifted));
        problems.extend(evolved(project)?);
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
        problems.extend(unhandled(dataset));
        let aliases: Vec<&str> = dataset
            .inputs
            .iter()
            .map(|input| input.alias.as_str())
            .collect();
        let checked = comboi_engine::check_sql(session, &sql_of(dataset), &aliases);
        if collect(&mut problems, checked)?.is_some() && project.privacy.is_none() {
            let needed = comboi_engine::needs_key(session, &sql_of(dataset))?;
            problems.extend(needed.map(|place| {
                Problem::at(&place, "`comboi_hmac` needs a key, and the configuration names none")
                    .hint("add `privacy: { key: \"{{keyvault:pseudonym-key}}\" }`, or {{env:NAME}}, to the configuration")
            }));
        }
        for named in &dataset.contracts {
            problems.extend(comboi_engine::check_contract_sql(session, &named.contract)?);
        }
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
        let Some(inputs) = inputs else {
            problems.extend(bind_contracts(session, dataset, None, &known)?);
            continue;
        };
        let described = comboi_engine::describe(session, &sql_of(dataset), &inputs);
        let described = described.map_err(|error| {
            let datasets = dataset.inputs.iter().map(|it| &it.dataset);
            let inputs: Vec<_> = datasets.zip(inputs).collect();
            comboi_engine::with_untyped(error, &sql_of(dataset), &inputs)
        });
        if let Some(mut columns) = collect(&mut problems, described)? {
            if let Some(how) = &dataset.dedupe {
                let checked = comboi_engine::check_dedupe(session, how, &columns);
                let fits = collect(&mut problems, checked)?.is_some();
                if fits && how.compares() {
                    let checked = comboi_run::check_settings(session, how, &columns);
                    let checked = checked.map_err(|e| match e {
                        comboi_linkage::Error::Problems(problems) => problems.into(),
                        other => comboi_engine::Error::Internal {
                            doing: format!("check the model of {}", dataset.id),
                            message: other.to_string(),
                        },
                    });
                    collect(&mut problems, checked)?;
                }
                columns = comboi_engine::deduped_columns(how, &columns);
            }
            problems.extend(broken_promises(dataset, &columns));
            problems.extend(bind_contracts(session, dataset, Some(&columns), &known)?);
            known.insert(dataset.id.clone(), columns);
        }
    }
    Ok(problems)
}

/// Names in the SQL of contracts that are no columns. Where the query's columns are not known yet, the contract's have to do.
fn bind_contracts(
    session: &Session,
    dataset: &Dataset,
    columns: Option<&Columns>,
    known: &BTreeMap<DatasetId, Columns>,
) -> anyhow::Result<Vec<Problem>> {
    let others: Vec<(&str, &Columns)> = dataset
        .held_against
        .iter()
        .filter_map(|other| Some((other.name.as_str(), known.get(&other.dataset)?)))
        .collect();
    let mut problems = Vec::new();
    for named in &dataset.contracts {
        let listed = named.contract.schema.columns.iter();
        let listed = listed
            .map(|column| Column::new(column.name.value.as_str(), column.sql_type.value.clone()));
        let listed = Columns(listed.collect());
        let names = Names {
            columns: columns.unwrap_or(&listed),
            all: columns.is_some() || named.contract.schema.exact,
            others: &others,
        };
        let found = comboi_engine::bind_contract_sql(session, &named.contract, &names)?;
        problems.extend(found);
    }
    Ok(problems)
}

/// Columns about people that would be published as they are.
fn unhandled(dataset: &Dataset) -> Vec<Problem> {
    let contracts = dataset.contracts.iter();
    let columns = contracts.flat_map(|named| named.contract.unhandled());
    columns
        .map(|(name, place)| {
            let text = format!(
                "column `{name}` tells about a person, and the contract does not say how it is handled before {} is published",
                dataset.id
            );
            let hint = format!(
                "add `- {{ column: {name}, handling: hmac }}` under `privacy.columns`; others are sha256_unkeyed, mask, truncate, generalise, exclude, and `allowed` with a `reason`"
            );
            Problem::at(place, text).hint(hint)
        })
        .collect()
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

/// Generated parts of queries that are no longer what the contract says.
fn drifted(dataset: &Dataset) -> Vec<Problem> {
    let contracts = dataset.contracts.iter();
    let found = contracts.filter_map(|named| {
        let drift = comboi_contract::drift(&dataset.sql.text, &named.contract, &named.name)?;
        let again = format!(
            "`comboi contract sql --contract {} --output {}`",
            named.path.display(),
            dataset.sql.path.display()
        );
        let (line, message, hint) = match drift {
            Drift::Changed { line, now } if now.is_empty() => (
                line,
                format!("contract `{}` has changed since this was generated from it", named.name),
                format!("{again} writes it anew"),
            ),
            Drift::Changed { line, now } => (
                line,
                format!(
                    "contract `{}` has changed since this was generated from it: the line would be `{now}`",
                    named.name
                ),
                format!("{again} writes it anew"),
            ),
            Drift::Edited { line } => (
                line,
                "somebody wrote between the marks of what is generated".to_owned(),
                format!("move it below the second mark; {again} with `--force` throws it away"),
            ),
            Drift::Torn { line } => (
                line,
                "there is only one of the two marks of what is generated".to_owned(),
                format!("put the other one back, or take this one away too; {again} with `--force` writes the file anew"),
            ),
        };
        let mut place = Place::file(&*dataset.sql.path);
        place.line = u32::try_from(line).unwrap_or(u32::MAX);
        Some(Problem::at(&place, message).hint(hint))
    });
    found.collect()
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
