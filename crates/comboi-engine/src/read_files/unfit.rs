//! Rows that do not fit: counted, named and staged.

use std::path::Path;

use comboi_project::{Column, Columns, SqlType};

use super::fit::Fit;
use super::relation::{NoRecord, Relation, relation};
use super::run::{run, run_over};
use super::stage::{Staged, Stamp, To, copy, stamped};
use super::{Error, FILE_COLUMN, Group, Reading};
use crate::{Session, sql};

/// Rows that do not fit.
#[derive(Clone, Debug, Default)]
pub struct UnfitRows<'a> {
    /// Found when the text was taken apart: CSV with the columns of [`UnfitRow`] and the text.
    pub found_before: Option<&'a Path>,
    /// The longest record of that.
    pub longest: u64,
}

/// A row that does not fit. Never its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnfitRow {
    /// The file's name.
    pub file: String,
    /// Counted from 1: the line for text, the record for a JSON array, the row for Parquet.
    pub line: u64,
    /// The columns that do not fit, if it is about single ones.
    pub column: Option<String>,
    /// What is wrong.
    pub reason: String,
}

/// How many rows do not fit and which are the first ones, by file and line. Only files whose rows know their lines
/// are looked at.
pub fn unfit(
    session: &Session,
    reading: &Reading,
    before: &UnfitRows<'_>,
    first: u32,
) -> Result<(u64, Vec<UnfitRow>), Error> {
    let Some(all) = unfit_rows(reading, before) else {
        return Ok((0, Vec::new()));
    };
    let instance = session.free()?;
    let instance = &*instance;
    let query = format!(
        "SELECT file, line, \"column\", reason, count(*) OVER () FROM (SELECT file, line, \"column\", reason FROM ({all})) ORDER BY file, line LIMIT {first}"
    );
    let mut count = 0;
    let (doing, files) = ("find the rows that do not fit", reading.parquet_files());
    let rows = run_over(instance, doing, &query, &files, |_| None)?
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter();
            let row = unfit_row(&mut cells);
            count = number(cells.next());
            row
        });
    let rows = rows.collect();
    Ok((count, rows))
}

/// A file of which no row fits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hopeless {
    /// How many rows it has.
    pub row_count: u64,
    /// The first of them.
    pub first: UnfitRow,
}

/// The files in which no row fits, in the order of their names.
pub fn hopeless(
    session: &Session,
    reading: &Reading,
    before: &UnfitRows<'_>,
) -> Result<Vec<Hopeless>, Error> {
    let Some(bad) = unfit_rows(reading, before) else {
        return Ok(Vec::new());
    };
    // Blocks of which every row fits, of the same files.
    let good = reading
        .groups
        .iter()
        .filter(|group| !group.layout.knows_lines());
    let good: Vec<String> = good
        .flat_map(|group| &group.files)
        .map(|file| sql::text(&file.name))
        .collect();
    let not_good = if good.is_empty() {
        String::new()
    } else {
        format!("AND file NOT IN ({})", good.join(", "))
    };
    let located = |group: &&Group| group.layout.knows_lines();
    let mut all = rows_of(reading, located);
    all.extend(
        before
            .found_before
            .map(|file| format!("SELECT file FROM {}", found_before(file, before))),
    );
    let query = format!(
        "SELECT file, arg_min(line, place), arg_min(\"column\", place), arg_min(reason, place), all_rows \
         FROM (SELECT *, (line, byte_position) AS place FROM ({bad})) \
         JOIN (SELECT file, count(*) AS all_rows FROM ({}) GROUP BY file) USING (file) \
         GROUP BY file, all_rows HAVING count(*) = all_rows {not_good} ORDER BY file",
        all.join(" UNION ALL ")
    );
    let (doing, files) = ("find files of which no row fits", reading.parquet_files());
    let rows = run_over(&*session.free()?, doing, &query, &files, |_| None)?;
    let hopeless = rows.into_iter().map(|row| {
        let mut cells = row.into_iter();
        let first = unfit_row(&mut cells);
        Hopeless {
            first,
            row_count: number(cells.next()),
        }
    });
    Ok(hopeless.collect())
}

/// How many rows the JSON files have that fit or do not, and the name of one of them that has some.
pub fn json_rows(session: &Session, reading: &Reading) -> Result<(u64, Option<String>), Error> {
    if !reading.groups.iter().any(|group| group.layout.is_json()) {
        return Ok((0, None));
    }
    let all = rows_of(reading, |group| group.layout.is_json());
    let query = format!(
        "SELECT count(*), min(file) FROM ({})",
        all.join(" UNION ALL ")
    );
    let mut rows = run(&*session.free()?, "count the records", &query)?;
    let mut cells = rows.pop().unwrap_or_default().into_iter();
    Ok((number(cells.next()), cells.next().flatten()))
}

/// The names of the files of all rows of these groups.
fn rows_of(reading: &Reading, which: impl Fn(&&Group) -> bool) -> Vec<String> {
    let groups = reading.groups.iter().filter(which);
    let relations = groups.map(|group| relation(group, reading));
    relations
        .map(|Relation { file, from, .. }| format!("SELECT {file} AS file FROM {from}"))
        .collect()
}

fn unfit_row(cells: &mut impl Iterator<Item = Option<String>>) -> UnfitRow {
    let mut next = || cells.next().flatten();
    UnfitRow {
        file: next().unwrap_or_default(),
        line: number(Some(next())),
        column: next(),
        reason: next().unwrap_or_default(),
    }
}

fn number(cell: Option<Option<String>>) -> u64 {
    cell.flatten()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

/// Stages the rows that do not fit, for the quarantine: [`FILE_COLUMN`], `line`, `byte_position`, `column`,
/// `reason`, `text`, `_comboi_loaded_at`, `_comboi_run_id`.
pub fn stage_unfit(
    session: &Session,
    reading: &Reading,
    before: &UnfitRows<'_>,
    stamp: &Stamp,
    to: &To,
) -> Result<Staged, Error> {
    let Some(all) = unfit_rows(reading, before) else {
        return Ok(Staged::default());
    };
    let [_, loaded_at, run_id] = stamped(stamp);
    let query = format!(
        "SELECT file AS {FILE_COLUMN}, CAST(line AS BIGINT) AS line, CAST(byte_position AS BIGINT) AS byte_position, \"column\", reason, CAST(text AS VARCHAR) AS text, {loaded_at}, {run_id} FROM ({all}) ORDER BY file, line"
    );
    copy(
        session,
        &query,
        &Columns::default(),
        &reading.parquet_files(),
        to,
    )
}

fn unfit_rows(reading: &Reading, before: &UnfitRows<'_>) -> Option<String> {
    let mut selects = Vec::new();
    for group in reading
        .groups
        .iter()
        .filter(|group| group.layout.knows_lines())
    {
        selects.extend(unfit_rows_of(&relation(group, reading)));
    }
    if let Some(file) = before.found_before {
        selects.push(format!("SELECT * FROM {}", found_before(file, before)));
    }
    (!selects.is_empty()).then(|| selects.join(" UNION ALL "))
}

fn found_before(file: &Path, before: &UnfitRows<'_>) -> String {
    format!(
        "read_csv({}, auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', max_line_size = {}, columns = {{'file': 'VARCHAR', 'line': 'BIGINT', 'byte_position': 'BIGINT', 'column': 'VARCHAR', 'reason': 'VARCHAR', 'text': 'VARCHAR'}})",
        sql::file(file),
        before.longest.max(2_097_152),
    )
}

fn unfit_rows_of(relation: &Relation) -> Option<String> {
    let unfit = relation.unfit()?;
    let (mut names, mut reasons) = (Vec::new(), Vec::new());
    if let Some(no_record) = &relation.no_record {
        names.push(no_record.columns.clone());
        reasons.push(no_record.reason.clone());
    }
    for (column, no_key) in &relation.no_key {
        let fit = relation.fits.iter().find(|(it, _)| it.name == *column);
        let unfit = fit.and_then(|(_, fit)| fit.unfit());
        let record = relation.no_record.as_ref().map(NoRecord::unfit);
        let parts = record.iter().chain(&unfit);
        let others: String = parts.map(|it| format!(" AND NOT {it}")).collect();
        names.push(format!(
            "CASE WHEN {no_key}{others} THEN {} END",
            sql::text(column)
        ));
        let reason = format!("`{column}` has no value, and it is part of the primary key");
        reasons.push(format!(
            "CASE WHEN {no_key}{others} THEN {} END",
            sql::text(&reason)
        ));
    }
    for (column, fit) in &relation.fits {
        if let Some(unfit) = fit.unfit() {
            names.push(format!(
                "CASE WHEN {unfit} THEN {} END",
                sql::text(&column.name)
            ));
            reasons.push(format!(
                "CASE WHEN {unfit} THEN {} END",
                reason(column, fit)
            ));
        }
    }
    let names = if names.is_empty() {
        "NULL".to_owned()
    } else {
        format!("nullif(concat_ws(', ', {}), '')", names.join(", "))
    };
    let Relation {
        from,
        file,
        line,
        byte,
        text,
        ..
    } = relation;
    Some(format!(
        "SELECT {file} AS file, {line} AS line, {byte} AS byte_position, CAST({names} AS VARCHAR) AS \"column\", concat_ws('; ', {}) AS reason, CAST({text} AS VARCHAR) AS text FROM {from} WHERE {unfit}",
        reasons.join(", "),
    ))
}

/// What is wrong with a value of this column, as SQL.
fn reason(column: &Column, fit: &Fit) -> String {
    let Column { name, sql_type, .. } = column;
    let what = with_article(&sql_type.to_string());
    let mut otherwise = sql::text(&format!("`{name}` {}", is_not(&sql_type.to_string())));
    if matches!(sql_type, SqlType::Float | SqlType::Double) {
        let inexact = sql::text(&format!(
            "`{name}` is not exactly {what} (a digit before the point would change, or it is out of range): to keep its value, declare `{name}` as DECIMAL or VARCHAR under `columns`"
        ));
        otherwise = format!(
            "CASE WHEN {} THEN {inexact} ELSE {otherwise} END",
            fit.is_number()
        );
    }
    let Some((fits_declared, how)) = fit.fits_declared() else {
        return otherwise;
    };
    let before = sql::text(&format!("`{name}` "));
    let advice = sql::text(&format!(
        ": to take its value, declare `{name}: {sql_type}` under `columns`"
    ));
    format!("CASE WHEN {fits_declared} THEN {before} || {how} || {advice} ELSE {otherwise} END")
}

/// What is wrong with a value that is not of this type, as the end of a sentence.
pub(super) fn is_not(sql_type: &str) -> String {
    match sql_type {
        "JSON" => "is not JSON".to_owned(),
        untyped if untyped == SqlType::Null.to_string() => {
            "has a value, and its type is not known: declare it under `columns`".to_owned()
        }
        other => format!("is not {}", with_article(other)),
    }
}

pub(super) fn with_article(sql_type: &str) -> String {
    let article = if sql_type.starts_with(['A', 'E', 'I', 'O']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {sql_type}")
}
