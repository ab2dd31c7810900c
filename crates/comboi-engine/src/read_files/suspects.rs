//! Which of many files have something in them that does not fit.

use std::collections::BTreeSet;

use super::relation::{from, relation};
use super::stage::run;
use super::{Error, Group, Layout, Reading};
use crate::Session;

/// The positions of the files in the group that are to be looked at line by line. When DuckDB can't tell them
/// apart, it is all of them.
pub fn suspects(session: &Session, group: &Group, reading: &Reading) -> Result<Vec<usize>, Error> {
    let found = match &group.layout {
        Layout::Csv(_) => csv(session, group, reading),
        Layout::JsonLines(_) => json_lines(session, group, reading),
        _ => Err(Error::Unfit),
    };
    let paths = match found {
        Ok(paths) if !paths.is_empty() => paths,
        Ok(_) | Err(Error::Unfit | Error::BadFile(_)) => {
            return Ok((0..group.files.len()).collect());
        }
        Err(error) => return Err(error),
    };
    let files = group.files.iter().enumerate();
    Ok(files
        .filter(|(_, file)| paths.contains(file.path.to_string_lossy().as_ref()))
        .map(|(i, _)| i)
        .collect())
}

fn csv(session: &Session, group: &Group, reading: &Reading) -> Result<BTreeSet<String>, Error> {
    let instance = session.free()?;
    let forget = || {
        instance.own(
            "forget rejected lines",
            "DROP TABLE IF EXISTS comboi_rejects; DROP TABLE IF EXISTS comboi_scans",
        )
    };
    forget()?;
    // One rejected line in each file says enough.
    let options = "auto_detect = false, store_rejects = true, rejects_table = 'comboi_rejects', rejects_scan = 'comboi_scans', rejects_limit = 1";
    let from = from(group, &reading.rules, false).replacen("auto_detect = false", options, 1);
    let unfit = relation(group, reading)
        .unfit()
        .unwrap_or_else(|| "c0 IS NULL AND c0 IS NOT NULL".into());
    let by_value = format!("SELECT DISTINCT _comboi_path FROM {from} WHERE {unfit}");
    let by_shape = "SELECT DISTINCT file_path FROM comboi_scans SEMI JOIN comboi_rejects USING (scan_id, file_id)";
    let mut paths = BTreeSet::new();
    for query in [by_value.as_str(), by_shape] {
        paths.extend(
            run(instance, "find the files with lines that do not fit", query)?
                .into_iter()
                .flatten()
                .flatten(),
        );
    }
    forget()?;
    Ok(paths)
}

fn json_lines(
    session: &Session,
    group: &Group,
    reading: &Reading,
) -> Result<BTreeSet<String>, Error> {
    let relation = relation(group, reading);
    let from = relation.from.replacen(
        "records = 'false'",
        "records = 'false', ignore_errors = true",
        1,
    );
    let unfit = relation
        .unfit()
        .map(|unfit| format!(" OR {unfit}"))
        .unwrap_or_default();
    let query = format!("SELECT DISTINCT _comboi_path FROM {from} WHERE m IS NULL{unfit}");
    let rows = run(
        session.free()?,
        "find the files with lines that do not fit",
        &query,
    )?;
    Ok(rows.into_iter().flatten().flatten().collect())
}
