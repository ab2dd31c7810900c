//! Which of many files have something in them that does not fit, and what it is.

use std::collections::BTreeSet;

use super::counts::{COUNTS, Counts, counts};
use super::infer::{Found, infer};
use super::relation::{from, relation};
use super::run::run;
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

/// Reads the group's files once.
pub fn survey(session: &Session, group: &Group, reading: &Reading) -> Result<Survey, Error> {
    let surveyed = match &group.layout {
        Layout::Csv(_) => csv(session, group, reading),
        _ => Err(Error::Unfit),
    };
    let (paths, found) = match surveyed {
        Ok(surveyed) => surveyed,
        Err(Error::Unfit | Error::BadFile(_)) => {
            let found = match group.layout {
                Layout::Csv(_) => infer(session, group, &reading.rules, None)?,
                _ => Vec::new(),
            };
            (BTreeSet::new(), found)
        }
        Err(error) => return Err(error),
    };
    let is_suspect = |path: &str| paths.is_empty() || paths.contains(path);
    let files = group.files.iter().enumerate();
    let files = files
        .filter(|(_, file)| is_suspect(&file.path.to_string_lossy()))
        .map(|(place, _)| place);
    Ok(Survey {
        files: files.collect(),
        found,
    })
}

type Suspects = BTreeSet<String>;

fn csv(
    session: &Session,
    group: &Group,
    reading: &Reading,
) -> Result<(Suspects, Vec<Found>), Error> {
    let instance = session.free()?;
    let forget = || {
        instance.own(
            "forget rejected lines",
            "DROP TABLE IF EXISTS comboi_rejects; DROP TABLE IF EXISTS comboi_scans",
        )
    };
    forget()?;
    let (places, query) = unfit_values(group, reading);
    let mut all: Vec<Counts> = vec![Counts::default(); group.columns.len()];
    let mut paths = BTreeSet::new();
    for row in run(
        instance,
        "find the files with lines that do not fit",
        &query,
    )? {
        let (path, numbers) = row.split_first().unwrap_or((&None, &[]));
        paths.extend(path.clone());
        for (place, numbers) in places.iter().zip(numbers.chunks(COUNTS)) {
            if let Some(sum) = all.get_mut(*place) {
                sum.add(&Counts::parse(numbers));
            }
        }
    }
    let by_shape = "SELECT DISTINCT file_path FROM comboi_scans SEMI JOIN comboi_rejects USING (scan_id, file_id)";
    let rejected = run(
        instance,
        "find the files with lines that do not fit",
        by_shape,
    )?;
    paths.extend(rejected.into_iter().flatten().flatten());
    forget()?;
    let found = group
        .columns
        .iter()
        .zip(&all)
        .map(|(column, counts)| Found {
            spelled: column.spelled.clone(),
            sql_type: counts.sql_type(),
        });
    Ok((paths, found.collect()))
}

/// Counts what the values are that do not fit, by file; and the places of the columns that are counted.
fn unfit_values(group: &Group, reading: &Reading) -> (Vec<usize>, String) {
    // One rejected line in each file says enough.
    let options = "auto_detect = false, store_rejects = true, rejects_table = 'comboi_rejects', rejects_scan = 'comboi_scans', rejects_limit = 1";
    let from = from(group, &reading.rules).replacen("auto_detect = false", options, 1);
    let relation = relation(group, reading);
    let (mut places, mut values, mut aggregates) = (Vec::new(), String::new(), String::new());
    for (column, fit) in &relation.fits {
        let mut columns = group.columns.iter();
        let place = columns.position(|it| it.name.as_deref() == Some(&column.name));
        let (Some(place), Some(unfit)) = (place, fit.unfit()) else {
            continue;
        };
        places.push(place);
        values += &format!(", CASE WHEN {unfit} THEN c{place} END AS v{place}");
        aggregates += &format!(", {}", counts(&format!("v{place}"), &reading.rules, None));
    }
    // What can't be wrong is read all the same: for lines that DuckDB rejects.
    let unfit = relation
        .unfit()
        .unwrap_or_else(|| "c0 IS NULL AND c0 IS NOT NULL".into());
    let query = format!(
        "SELECT _comboi_path{aggregates} FROM (SELECT _comboi_path{values} FROM {from} WHERE {unfit}) GROUP BY _comboi_path"
    );
    (places, query)
}
