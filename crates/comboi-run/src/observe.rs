//! Looking at sources and lake for `comboi plan`. Reads only.

use std::collections::BTreeMap;
use std::sync::Arc;

use comboi_lake::{Lake, Latest};
use comboi_plan::{FailureKind, Graph, Observed, ObservedDataset, ObservedTable, Plan, TaskKind};
use comboi_project::{Columns, DatasetId, Problem, Project};
use comboi_sources::database::Databases;
use comboi_sources::{Checkpoint, Look};

use crate::binding::Bound;
use crate::build::{made_anew, why_build};
use crate::clock::Clock;
use crate::extract::{FilesRead, look_at_database, look_at_files};
use crate::promises;
use crate::task::{TaskError, chain, texts};

/// What a plan would meet: what is new in each table, and what the lake has.
pub async fn observe(
    project: &Arc<Project>,
    databases: &Databases,
    lake: &Lake,
    plan: &Plan,
) -> Result<Observed, comboi_lake::Error> {
    let mut observed = Observed::default();
    for task in &plan.tasks {
        let id = &task.dataset;
        let base = lake.table(id).latest().await?;
        match task.kind {
            TaskKind::Extract => {
                observed.tables.insert(
                    id.clone(),
                    table(project, databases, lake, id, base.as_ref()).await,
                );
            }
            TaskKind::Build => {
                observed.datasets.insert(
                    id.clone(),
                    dataset(project, lake, plan, id, base.as_ref()).await?,
                );
            }
        }
    }
    Ok(observed)
}

async fn table(
    project: &Arc<Project>,
    databases: &Databases,
    lake: &Lake,
    id: &DatasetId,
    base: Option<&Latest>,
) -> ObservedTable {
    let mut observed = ObservedTable {
        lake_rows: base.map(|base| base.row_count),
        last_read: base.map(|base| base.committed_at),
        ..ObservedTable::default()
    };
    if project.database_table(id).is_some() {
        match look_at_database(project, databases, id, base).await {
            Ok(look) => {
                observed.new = true;
                observed.new_columns = look.new_columns;
                observed.rows = look.rows;
                observed.filter = look.filter;
                (observed.warnings, observed.notes) = texts(&look.notes);
            }
            Err(e) => cant_be_looked_at(&mut observed, &e),
        }
        return observed;
    }
    let looked = async {
        let read = FilesRead::of(lake, id, base.map(|base| &base.properties)).await?;
        let read = read.checkpoint;
        let look = look_at_files(project, id, read.as_ref(), Clock::system().now()).await?;
        Ok((look, read))
    };
    match looked.await {
        Ok((Look::NothingNew { notes }, _)) => {
            observed.filter = "nothing new".to_owned();
            (observed.warnings, observed.notes) = texts(&notes);
        }
        Ok((Look::Work(work), read)) => {
            observed.new = true;
            observed.new_columns = true;
            observed.bytes = Some(work.estimated_bytes);
            observed.rows = estimate(work.estimated_bytes, base, read.as_ref());
            observed.filter = work.filter.clone();
            (observed.warnings, observed.notes) = texts(work.notes());
        }
        Err(e) => cant_be_looked_at(&mut observed, &e),
    }
    observed
}

fn cant_be_looked_at(observed: &mut ObservedTable, error: &TaskError) {
    observed.new = true;
    observed.filter = "can't be looked at".to_owned();
    observed.failed = Some(chain(error));
}

/// Rows in so many bytes of source, if they are like those that were read before.
fn estimate(bytes: u64, base: Option<&Latest>, read: Option<&Checkpoint>) -> Option<u64> {
    let base = base?;
    let read: u64 = read?.files.values().map(|seen| seen.size).sum();
    (read > 0).then(|| {
        u64::try_from(u128::from(bytes) * u128::from(base.row_count) / u128::from(read))
            .unwrap_or(u64::MAX)
    })
}

async fn dataset(
    project: &Project,
    lake: &Lake,
    plan: &Plan,
    id: &DatasetId,
    base: Option<&Latest>,
) -> Result<ObservedDataset, comboi_lake::Error> {
    let (mut versions, mut anew) = (BTreeMap::new(), None);
    for input in plan
        .tasks
        .iter()
        .filter(|task| task.dataset == *id)
        .flat_map(|task| &task.inputs)
    {
        let newest = lake.table(input).latest().await?;
        if let (Some(newest), Some(base)) = (&newest, base)
            && made_anew(&project.name, base, input, newest)
        {
            anew.get_or_insert_with(|| format!("{input} has changed"));
        }
        versions.insert(input.clone(), newest.map(|newest| newest.version));
    }
    let mut why = why_build(project, id, &versions, base).or(anew);
    let table = lake.table(id);
    if why.is_none()
        && let Some(snapshot) = table.snapshot().await?
        && !table.flaws(&snapshot).await?.is_empty()
    {
        why = Some("its file is missing or cut short".to_owned());
    }
    let planned = |input: &DatasetId| plan.tasks.iter().any(|task| task.dataset == *input);
    let mut missing = versions
        .iter()
        .filter(|(input, version)| version.is_none() && !planned(input));
    let no_input = missing.next().map(|(input, _)| {
        let error = TaskError::NoInput(input.clone(), id.name().to_owned());
        (FailureKind::Task, chain(&error))
    });
    let unpublishable = || {
        let held = project
            .dataset(id)
            .map(|dataset| promises::hold(dataset, base.map(|base| &base.properties)));
        let error = held?.err()?;
        Some((FailureKind::Contract, chain(&error)))
    };
    Ok(ObservedDataset {
        version: base.map(|base| base.version),
        rows: base.map(|base| base.row_count),
        why,
        failed: no_input.or_else(unpublishable),
        warnings: Vec::new(),
    })
}

/// The columns of everything that is in the lake, by table and dataset of the project.
pub async fn lake_columns(
    project: &Project,
    lake: &Lake,
) -> Result<BTreeMap<DatasetId, Columns>, comboi_lake::Error> {
    let mut columns = BTreeMap::new();
    for id in project.dataset_ids() {
        let latest = lake.table(&id).latest().await?;
        columns.extend(latest.map(|latest| (id, latest.columns)));
    }
    Ok(columns)
}

/// Adds to what was observed what the queries show without a row. Where a table may get other columns in the same run, it is no more than a
/// warning.
pub fn foresee(project: &Project, plan: &Plan, bound: &Bound, observed: &mut Observed) {
    let graph = Graph::of(project);
    for (id, faults) in &bound.faults {
        let Some(found) = observed.datasets.get_mut(id) else {
            continue;
        };
        let texts = |problems: &[Problem]| {
            let texts: Vec<String> = problems.iter().map(in_a_line).collect();
            texts.join("; ")
        };
        let (kind, text) = match (faults.query.as_slice(), faults.contract.as_slice()) {
            ([], []) => {
                let warnings = faults.rules.iter().chain(&faults.warnings);
                found.warnings.extend(warnings.map(in_a_line));
                continue;
            }
            ([], contract) => (FailureKind::Contract, texts(contract)),
            (query, _) => (FailureKind::Task, texts(query)),
        };
        let upstream = graph.upstream(id);
        let mut changing = plan.tasks.iter().filter(|task| {
            let table = observed.tables.get(&task.dataset);
            upstream.contains(&task.dataset) && table.is_some_and(|table| table.new_columns)
        });
        match changing.next() {
            Some(task) => found.warnings.push(format!(
                "would fail if {} has the columns that it had: {text}",
                task.dataset
            )),
            None => {
                found.failed.get_or_insert((kind, text));
            }
        }
    }
}

fn in_a_line(problem: &Problem) -> String {
    let hint = problem.hint.as_ref();
    let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
    format!("{}: {}{hint}", problem.place, problem.message)
}
