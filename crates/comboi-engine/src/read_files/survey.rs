//! Which of many files have something in them that does not fit, and what it is.

use std::collections::{BTreeSet, HashMap};

use comboi_project::SqlType;
use duckdb::arrow::array::{AsArray as _, StringArray};

use super::infer::{Found, Looks};
use super::relation::{from, relation};
use super::run::{run, stream};
use super::{Error, Group, Layout, Reading};
use crate::Session;

/// What a look at every row of a group shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// The positions of the files that are to be looked at line by line. When DuckDB can't tell them apart, it is all
    /// of them.
    pub files: Vec<usize>,
    /// The group's columns with the types of those values that do not fit; `Null` where all do. Only of CSV.
    pub found: Vec<Found>,
}

/// Reads the group's files once. `None`: DuckDB does not read them (a file has line ends of several kinds, say), so
/// that they are to be taken apart.
pub fn survey(
    session: &Session,
    group: &Group,
    reading: &Reading,
) -> Result<Option<Survey>, Error> {
    let surveyed = match &group.layout {
        Layout::Csv(_) => csv(session, group, reading),
        _ => Err(Error::Unfit),
    };
    let (paths, found) = match surveyed {
        Ok(surveyed) => surveyed,
        Err(Error::Unfit | Error::BadFile(_) | Error::Engine(crate::Error::Internal { .. })) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let is_suspect = |path: &str| paths.is_empty() || paths.contains(path);
    let files = group.files.iter().enumerate();
    let files = files
        .filter(|(_, file)| is_suspect(&file.path.to_string_lossy()))
        .map(|(place, _)| place);
    Ok(Some(Survey {
        files: files.collect(),
        found,
    }))
}

type Suspects = BTreeSet<String>;

fn csv(
    session: &Session,
    group: &Group,
    reading: &Reading,
) -> Result<(Suspects, Vec<Found>), Error> {
    let instance = session.free()?;
    let instance = &*instance;
    let forget = || {
        instance.own(
            "forget rejected lines",
            "DROP TABLE IF EXISTS comboi_rejects; DROP TABLE IF EXISTS comboi_scans",
        )
    };
    forget()?;
    let (columns, query) = unfit_values(group, reading);
    let mut looks = Looks::new(columns.len(), &reading.rules);
    let mut paths = BTreeSet::new();
    let doing = "find the files with lines that do not fit";
    stream(instance, doing, &query, |rows| {
        let of_rows: &StringArray = rows.column(0).as_string();
        for path in of_rows.iter().flatten() {
            if !paths.contains(path) {
                paths.insert(path.to_owned());
            }
        }
        looks.see(rows, 1);
    })?;
    let by_shape = "SELECT DISTINCT file_path FROM comboi_scans SEMI JOIN comboi_rejects USING (scan_id, file_id)";
    let rejected = run(instance, doing, by_shape)?;
    paths.extend(rejected.into_iter().flatten().flatten());
    forget()?;
    let mut found: Vec<Found> = group
        .columns
        .iter()
        .map(|column| Found {
            spelled: column.spelled.clone(),
            sql_type: SqlType::Null,
        })
        .collect();
    for ((place, column_type), counts) in columns.iter().zip(&looks.counts) {
        if let Some(found) = found.get_mut(*place) {
            found.sql_type = counts.sql_type_beside(column_type);
        }
    }
    Ok((paths, found))
}

/// The values that do not fit, by file; and of which columns of the group, with the types of the table.
fn unfit_values(group: &Group, reading: &Reading) -> (Vec<(usize, SqlType)>, String) {
    // One rejected line in each file says enough.
    let options = "auto_detect = false, store_rejects = true, rejects_table = 'comboi_rejects', rejects_scan = 'comboi_scans', rejects_limit = 1";
    let from = from(group, &reading.rules).replacen("auto_detect = false", options, 1);
    let relation = relation(group, reading);
    let places: HashMap<&str, usize> = group
        .columns
        .iter()
        .enumerate()
        .filter_map(|(place, column)| Some((column.name.as_deref()?, place)))
        .collect();
    let (mut columns, mut values, mut texts) = (Vec::new(), String::new(), Vec::new());
    for (column, fit) in &relation.fits {
        if let (Some(place), Some(unfit)) = (places.get(column.name.as_str()), fit.unfit()) {
            columns.push((*place, column.sql_type.clone()));
            values += &format!(", CASE WHEN {unfit} THEN c{place} END AS v{place}");
            texts.push(format!("v{place}"));
        }
    }
    // What can't be wrong is read all the same: for lines that DuckDB rejects.
    let unfit = relation
        .unfit()
        .unwrap_or_else(|| "c0 IS NULL AND c0 IS NOT NULL".into());
    let looks = Looks::select(&texts, &reading.rules);
    let comma = if texts.is_empty() { "" } else { ", " };
    let query = format!(
        "SELECT _comboi_path{comma}{looks} FROM (SELECT _comboi_path{values} FROM {from} WHERE {unfit})"
    );
    (columns, query)
}
