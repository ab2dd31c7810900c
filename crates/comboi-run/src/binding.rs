//! Queries and contracts checked without a row: what validation finds, and what a plan can foresee of a run.

use std::collections::{BTreeMap, BTreeSet};

use comboi_contract::Drift;
use comboi_engine::{BadRule, Error, Input, Names, Session, SqlFile, Verdict, VerdictOutcome};
use comboi_plan::Graph;
use comboi_project::{
    Column, Columns, Contract, ContractColumn, Dataset, DatasetId, Located, Place, Problem,
    Problems, Project,
};

use crate::dedupe::with_added_columns;
use crate::link::check_settings;

/// What is wrong with a dataset, as far as that shows without a row.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// Of its query or its deduplication: its task fails.
    pub query: Vec<Problem>,
    /// The query's columns are not those of the contract, or a rule with severity `error` names a column that is not there: the contract
    /// is broken.
    pub contract: Vec<Problem>,
    /// Other rules name a column that is not there: they could not be run.
    pub rules: Vec<Problem>,
    /// The contract will warn of the columns: of one that it does not list.
    pub warnings: Vec<Problem>,
}

impl Faults {
    /// Everything that is wrong.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.query.iter().chain(&self.contract).chain(&self.rules)
    }
}

/// The queries of a project against the columns of their inputs.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    /// The columns of tables and datasets, as far as they are known.
    pub columns: BTreeMap<DatasetId, Columns>,
    /// What is wrong, by dataset.
    pub faults: BTreeMap<DatasetId, Faults>,
    /// Datasets whose queries were not checked, because the columns of an input are not known.
    pub unchecked: BTreeSet<DatasetId>,
}

/// Every mistake that keeps queries from being one `SELECT` over their inputs, and the SQL of contracts from being conditions, by dataset.
/// Inputs of `doubtful` datasets may be missing in `project`.
pub fn check_syntax(
    session: &Session,
    project: &Project,
    doubtful: &BTreeSet<DatasetId>,
) -> Result<BTreeMap<DatasetId, Vec<Problem>>, Error> {
    let mut found = BTreeMap::new();
    for dataset in &project.datasets {
        let mut problems = unhandled(dataset);
        let sql = sql_of(dataset);
        let doubted = doubtful.contains(&dataset.id);
        // A file that is not there, or empty, is reported already.
        if !(doubted && dataset.sql.text.trim().is_empty()) {
            let mut aliases = aliases(dataset);
            if doubted && let Ok(tables) = comboi_engine::table_names(session, &sql) {
                aliases.extend(tables);
            }
            let aliases: Vec<&str> = aliases.iter().map(String::as_str).collect();
            let checked = comboi_engine::check_sql(session, &sql, &aliases);
            if collect(&mut problems, checked)?.is_some() && project.privacy.is_none() {
                let needed = comboi_engine::needs_key(session, &sql)?;
                problems.extend(needed.map(|place| {
                    Problem::at(&place, "`comboi_hmac` needs a key, and the configuration names none")
                        .hint("add `privacy: { key: \"{{keyvault:pseudonym-key}}\" }`, or {{env:NAME}}, to the configuration")
                }));
            }
        }
        for named in &dataset.contracts {
            problems.extend(comboi_engine::check_contract_sql(session, &named.contract)?);
        }
        if !problems.is_empty() {
            found.insert(dataset.id.clone(), problems);
        }
    }
    Ok(found)
}

/// Checks queries against the columns of their inputs, and contracts against the columns of the queries.
///
/// `known` has the columns of the sources' tables. Where those of a dataset can't be told from its query, its contract tells them if it lists
/// all, else `earlier` does. Datasets in `skipped` are not checked.
pub fn bind(
    session: &Session,
    project: &Project,
    known: BTreeMap<DatasetId, Columns>,
    earlier: &BTreeMap<DatasetId, Columns>,
    skipped: &BTreeSet<DatasetId>,
) -> Result<Bound, Error> {
    let mut bound = Bound {
        columns: known,
        ..Bound::default()
    };
    let graph = Graph::of(project);
    let datasets = graph.datasets().iter();
    for dataset in datasets.filter_map(|id| project.dataset(id)) {
        let mut columns = None;
        if !skipped.contains(&dataset.id) {
            let mut faults = Faults::default();
            match inputs_of(dataset, &bound.columns) {
                Some(inputs) => columns = describe(session, dataset, &inputs, &mut faults)?,
                None => drop(bound.unchecked.insert(dataset.id.clone())),
            }
            for bad in bind_contracts(session, dataset, columns.as_ref(), &bound.columns)? {
                let of_kind = if bad.breaks {
                    &mut faults.contract
                } else {
                    &mut faults.rules
                };
                of_kind.push(bad.problem);
            }
            if let Some(columns) = &columns {
                let untyped = |input: &comboi_project::Input| {
                    let columns = bound.columns.get(&input.dataset);
                    columns.is_some_and(|it| it.iter().any(Column::is_untyped))
                };
                let types = !dataset.inputs.iter().any(untyped);
                for (verdict, problem) in broken_promises(dataset, columns, types) {
                    let of_kind = if verdict.blocks() {
                        &mut faults.contract
                    } else {
                        &mut faults.warnings
                    };
                    of_kind.push(problem);
                }
            }
            if faults.problems().chain(&faults.warnings).next().is_some() {
                bound.faults.insert(dataset.id.clone(), faults);
            }
        }
        let columns = columns
            .or_else(|| promised(dataset))
            .or_else(|| earlier.get(&dataset.id).cloned());
        bound
            .columns
            .extend(columns.map(|columns| (dataset.id.clone(), columns)));
    }
    Ok(bound)
}

/// What a query reads, without files; `None` when the columns of an input are not known.
fn inputs_of<'a>(
    dataset: &'a Dataset,
    known: &'a BTreeMap<DatasetId, Columns>,
) -> Option<Vec<Input<'a>>> {
    let input = |input: &'a comboi_project::Input| {
        Some(Input {
            alias: input.alias.as_str(),
            columns: known.get(&input.dataset)?,
            files: &[],
        })
    };
    dataset.inputs.iter().map(input).collect()
}

/// The columns that a dataset would have; `None` when its query has mistakes.
fn describe(
    session: &Session,
    dataset: &Dataset,
    inputs: &[Input<'_>],
    faults: &mut Faults,
) -> Result<Option<Columns>, Error> {
    let wanted = crate::build::wanted(dataset);
    let described = comboi_engine::describe(session, &sql_of(dataset), inputs, &wanted);
    let described = described.map_err(|error| {
        let datasets = dataset.inputs.iter().map(|it| &it.dataset);
        let inputs: Vec<_> = datasets.zip(inputs.iter().copied()).collect();
        comboi_engine::with_untyped(error, &sql_of(dataset), &inputs)
    });
    let Some(columns) = collect(&mut faults.query, described)? else {
        return Ok(None);
    };
    let Some(how) = &dataset.dedupe else {
        return Ok(Some(columns));
    };
    let checked = comboi_engine::check_dedupe(session, how, &columns);
    let fits = collect(&mut faults.query, checked)?.is_some();
    if fits && how.compares() {
        let checked = check_settings(session, how, &columns).map_err(|e| match e {
            comboi_linkage::Error::Problems(problems) => problems.into(),
            other => Error::Internal {
                doing: format!("check the model of {}", dataset.id),
                message: other.to_string(),
            },
        });
        collect(&mut faults.query, checked)?;
    }
    Ok(Some(comboi_engine::deduped_columns(how, &columns)))
}

/// The columns that the contracts of a dataset list, where one of them lists all.
fn promised(dataset: &Dataset) -> Option<Columns> {
    let mut contracts = dataset.contracts.iter().map(|named| &named.contract);
    let contract = contracts.find(|contract| !contract.schema.allow_extra_columns)?;
    Some(listed(contract))
}

fn listed(contract: &Contract) -> Columns {
    let columns = contract.schema.columns.iter();
    let column = |column: &Located<ContractColumn>| {
        Column::new(column.name.value.as_str(), column.sql_type.value.clone())
    };
    Columns(columns.map(column).collect())
}

/// Names in the SQL of contracts that are no columns. Where the query's columns are not known, the contract's are taken.
fn bind_contracts(
    session: &Session,
    dataset: &Dataset,
    columns: Option<&Columns>,
    known: &BTreeMap<DatasetId, Columns>,
) -> Result<Vec<BadRule>, Error> {
    let others: Vec<(&str, &Columns)> = dataset
        .held_against
        .iter()
        .filter_map(|other| Some((other.name.as_str(), known.get(&other.dataset)?)))
        .collect();
    let mut bad = Vec::new();
    for named in &dataset.contracts {
        let listed = listed(&named.contract);
        let names = Names {
            columns: columns.unwrap_or(&listed),
            all: columns.is_some() || named.contract.schema.exact,
            others: &others,
        };
        let found = comboi_engine::bind_contract_sql(session, &named.contract, &names)?;
        bad.extend(found);
    }
    Ok(bad)
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

/// Where the columns that a query returns are not those that the contracts promise. Types are left out where an input has columns whose
/// type is not known yet.
fn broken_promises(dataset: &Dataset, columns: &Columns, types: bool) -> Vec<(Verdict, Problem)> {
    let mut problems = Vec::new();
    for named in &dataset.contracts {
        let contract = match &dataset.dedupe {
            Some(how) => with_added_columns(&named.contract, how, columns),
            None => Contract::clone(&named.contract),
        };
        let verdicts = comboi_engine::check_columns(&contract, columns);
        let broken = verdicts
            .into_iter()
            .filter(|verdict| types || !verdict.rule.ends_with("_type"));
        problems.extend(broken.filter_map(|verdict| {
            let VerdictOutcome::Failed { detail, .. } = &verdict.outcome else {
                return None;
            };
            let message = format!("the query breaks contract `{}`: {detail}", named.name);
            let problem = Problem::at(&verdict.place, message);
            Some((verdict, problem))
        }));
    }
    problems
}

/// Generated parts of queries that are no longer what the contract says.
pub fn drifted(dataset: &Dataset) -> Vec<Problem> {
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

fn aliases(dataset: &Dataset) -> Vec<String> {
    let aliases = dataset.inputs.iter().map(|input| input.alias.to_string());
    aliases.collect()
}

fn sql_of(dataset: &Dataset) -> SqlFile<'_> {
    SqlFile {
        path: &dataset.sql.path,
        text: &dataset.sql.text,
    }
}

/// Keeps people's mistakes for later, passes on what is not theirs.
fn collect<T>(problems: &mut Vec<Problem>, result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::Problems(Problems(found))) => {
            problems.extend(found);
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
