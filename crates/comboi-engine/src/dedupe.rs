//! Rows about the same thing become one: links, clusters with names that stay, survivors.
//!
//! What the query returned lies in a few files. Rows are known by their place in them, links between them are found here, and
//! the clusters that they make go back into DuckDB, which picks the survivors and writes the result.

mod ids;
mod key;
mod pairs;
mod rows;
mod survivors;
mod union;
mod write;

use std::path::Path;

use chrono::{DateTime, Utc};
use comboi_project::{
    Column, Columns, Deduplication, Keep, LargeCluster, Problem, Problems, RunId, SqlType,
    did_you_mean,
};
use serde::{Deserialize, Serialize};

use crate::{Built, Error, Input, Session};

use rows::Rows;
use union::UnionFind;

/// A deduplication that is to be done.
#[derive(Debug)]
pub struct Dedupe<'a> {
    /// What the query returned, in a few files.
    pub rows: Input<'a>,
    /// How.
    pub how: &'a Deduplication,
    /// Which rows belong together, if that was found by comparing them; else `keys` tell.
    pub linked: Option<&'a Linked>,
    /// Which row was in which cluster before, if that is known: `unique_id` and `cluster_id`.
    pub clusters: Option<Input<'a>>,
    /// The log of merges and splits until now.
    pub log: Option<Input<'a>>,
    /// The run that does it.
    pub run: RunId,
    /// When.
    pub now: DateTime<Utc>,
    /// Where the files go.
    pub folder: &'a Path,
}

/// Rows that were compared with each other.
#[derive(Clone, Debug, Default)]
pub struct Linked {
    /// For each row, one row of its cluster, the same for all of them.
    pub clusters: Vec<u32>,
    /// Pairs of rows: those whose weights are told of rows, and perhaps written.
    pub l: Vec<u32>,
    /// Their right rows.
    pub r: Vec<u32>,
    /// Their match weights.
    pub weights: Vec<f64>,
    /// The rule that found each.
    pub match_keys: Vec<u16>,
    /// The level of each comparison, pair after pair.
    pub gammas: Vec<i8>,
    /// The comparisons.
    pub comparisons: Vec<String>,
}

/// What came of a deduplication.
#[derive(Debug)]
pub struct Deduped {
    /// The dataset as readers will see it.
    pub built: Built,
    /// Which row is in which cluster; `None` when it is as it was before.
    pub clusters: Option<Built>,
    /// The pairs, where they are wanted.
    pub pairs: Option<Built>,
    /// The log with what happened now; `None` when nothing did.
    pub log: Option<Built>,
    /// In figures.
    pub report: DedupeReport,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// What a deduplication found, in figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DedupeReport {
    /// Rows that the query returned.
    pub row_count: u64,
    /// Clusters that they make; a row that is like no other is one by itself.
    pub cluster_count: u64,
    /// Rows of the largest cluster.
    pub largest_cluster_rows: u64,
    /// What the keys found, in the order of the file.
    pub keys: Vec<KeyReport>,
    /// Clusters that became part of another one, since the run before.
    pub merged_clusters: u64,
    /// Clusters that lost rows to others.
    pub split_clusters: u64,
}

/// What a key found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyReport {
    /// As people say it: `surname, dob`.
    pub key: String,
    /// Values that several rows share.
    pub shared_values: u64,
    /// Rows that share one.
    pub rows: u64,
    /// Rows that share the value which most share.
    pub most_rows: u64,
}

/// The columns of a dataset after its deduplication, where the query returns these.
pub fn deduped_columns(how: &Deduplication, columns: &Columns) -> Columns {
    let id = columns.get(&how.unique_id).map(|id| id.sql_type.clone());
    let id = id.unwrap_or(SqlType::Varchar(None));
    let added = how.added_columns().into_iter().map(|name| {
        let sql_type = match name {
            "cluster_id" => id.clone(),
            "merged_ids" => SqlType::List(Box::new(id.clone())),
            "is_survivor" => SqlType::Boolean,
            "match_probability" | "match_weight" => SqlType::Double,
            _ => SqlType::BigInt,
        };
        Column::new(name, sql_type)
    });
    columns.iter().cloned().chain(added).collect()
}

/// Every mistake in a deduplication that its query's columns tell.
pub fn check_dedupe(
    session: &Session,
    how: &Deduplication,
    columns: &Columns,
) -> Result<(), Error> {
    let mut problems = column_problems(how, columns);
    problems.extend(key::problems(session, &how.how.keys, columns)?);
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Problems(problems).into())
    }
}

/// Finds which rows are the same thing, names the clusters and writes what is kept of them.
///
/// A cluster is called by the smallest id of its rows, and keeps that name when rows come and go: see `dedupe/ids.rs`.
/// Fails where ids are missing or there twice, and where a cluster is larger than it may be.
pub fn dedupe(session: &Session, job: &Dedupe<'_>) -> Result<Deduped, Error> {
    check_dedupe(session, job.how, job.rows.columns)?;
    let rows = Rows::open(session, job)?;
    rows.check_ids()?;
    let mut union = match job.linked {
        Some(linked) => UnionFind::of(&linked.clusters),
        None => UnionFind::new(rows.count),
    };
    let mut report = DedupeReport {
        row_count: rows.count.into(),
        ..DedupeReport::default()
    };
    let how = &job.how.how;
    let keys = how.keys.iter().filter(|_| job.linked.is_none());
    for written in keys {
        let key = key::Key::new(written, job.rows.columns);
        report.keys.push(rows.link(&key, &mut union)?);
    }
    if how.incremental && job.clusters.is_some() {
        rows.link_as_before(&mut union)?;
    }
    let (roots, sizes) = union.into_roots();
    report.cluster_count = sizes.iter().filter(|size| **size > 0).count() as u64;
    report.largest_cluster_rows = sizes.iter().copied().max().unwrap_or(0).into();
    let notes = too_large(job.how, &report)?;
    let weights = job.linked.map(|linked| pairs::strongest(linked, &roots));
    rows.place(roots, sizes, weights)?;
    let pairs = match job.linked.filter(|_| how.output.pairs) {
        Some(linked) => Some(rows.write_pairs(linked)?),
        None => None,
    };
    let changes = ids::name(&rows, job)?;
    report.merged_clusters = changes.merged;
    report.split_clusters = changes.split;
    let columns = deduped_columns(job.how, job.rows.columns);
    if let Some(choose) = survivors::choose(job.how, job.rows.columns) {
        rows.own(&choose)?;
    }
    let select = survivors::select(job.how, job.rows.columns);
    let built = rows.write(&select, columns, "deduped.parquet")?;
    Ok(Deduped {
        built,
        clusters: changes.clusters,
        pairs,
        log: changes.log,
        report,
        notes,
    })
}

/// A cluster that is larger than it may be, as an error or as a note.
fn too_large(how: &Deduplication, report: &DedupeReport) -> Result<Vec<String>, Error> {
    let allowed = &how.how.max_cluster_size;
    if report.largest_cluster_rows <= u64::from(allowed.value) {
        return Ok(Vec::new());
    }
    let worst = report.keys.iter().max_by_key(|key| key.most_rows);
    let mut message = format!(
        "one cluster has {} rows, more than `max_cluster_size`, which is {}",
        report.largest_cluster_rows, allowed.value
    );
    if let Some(worst) = worst {
        message.push_str(&format!(
            "; {} rows share one value of the key `{}`",
            worst.most_rows, worst.key
        ));
    }
    if how.on_large_cluster() != LargeCluster::Fail {
        return Ok(vec![message]);
    }
    let place = if allowed.place.line > 0 {
        &allowed.place
    } else {
        how.how
            .keys
            .first()
            .map_or(&allowed.place, |key| &key.place)
    };
    let hint = if how.compares() {
        "raise `threshold`, write `on_large_cluster: split`, or raise `max_cluster_size` if so many rows are one thing"
    } else {
        "turn values that stand for nothing, such as 'unknown', into NULL in the query; if so many rows are one thing, raise `max_cluster_size`"
    };
    Err(Problems(vec![Problem::at(place, message).hint(hint)]).into())
}

/// Columns that are named and not there, and columns that are there and should not be.
fn column_problems(how: &Deduplication, columns: &Columns) -> Vec<Problem> {
    let mut problems = Vec::new();
    let named = survivors::columns_named(&how.how)
        .chain(how.how.source.iter())
        .chain(how.how.comparisons.iter().map(|(name, _)| name))
        .chain([&how.unique_id]);
    for name in named {
        if columns.get(name).is_none() {
            let message = format!("the query returns no column `{}`", name.value);
            problems.push(
                Problem::at(&name.place, message).maybe_hint(did_you_mean(name, columns.names())),
            );
        }
    }
    problems.extend(survivors::problems(&how.how, columns));
    let ours = ["file_row_number", rows::ROW]
        .into_iter()
        .chain(rows::OF_PLACED);
    for added in how.added_columns().into_iter().chain(ours) {
        if columns.get(added).is_some() {
            let message = format!("the query returns `{added}`, which `dedupe` adds");
            problems.push(
                Problem::at(&how.unique_id.place, message)
                    .hint("give the query's column another name with AS"),
            );
        }
    }
    if how.how.output.keep == Keep::Golden
        && let Some((name, _)) = how
            .how
            .output
            .golden
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(&how.unique_id))
    {
        let message = format!(
            "`{}` is the id, which is that of the row that survives",
            name.value
        );
        problems.push(Problem::at(&name.place, message).hint("choose it by `survivor`"));
    }
    problems
}
