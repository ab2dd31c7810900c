//! Rows into staged Parquet files of lake types.

use std::cell::Cell;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use comboi_project::{Column, Columns};

use super::new_rows::{BELOW, Rows, new_rows};
use super::relation::{LINE, relation};
use super::run::{run, run_over};
use super::{Error, FILE_COLUMN, Group, LOADED_AT_COLUMN, RUN_ID_COLUMN, Reading, lake};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::parquet::{FORMAT, WITHOUT_DICTIONARIES};
use crate::{Session, sql, zeros};

/// Where staged files go and how large they get.
#[derive(Clone, Debug)]
pub struct To {
    /// Made by DuckDB; must not be there yet, or be empty.
    pub folder: PathBuf,
    /// A new file is begun when one has reached this size.
    pub file_bytes: u64,
}

/// What comboi writes beside the source's own columns.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// [`RUN_ID_COLUMN`]
    pub run_id: u32,
    /// [`LOADED_AT_COLUMN`] as text that DuckDB reads, such as `2026-03-01T12:00:00.123456Z`.
    pub loaded_at: String,
}

/// Staged rows.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// No file without a row.
    pub files: Vec<StagedFile>,
    /// Rows of new files that were left out, as they lie below the boundary.
    pub below: u64,
}

/// A Parquet file that is not in the lake yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedFile {
    /// Where it is.
    pub path: PathBuf,
    /// How many rows it has.
    pub row_count: u64,
}

impl Staged {
    /// How many rows there are in all files.
    pub fn row_count(&self) -> u64 {
        self.files.iter().map(|file| file.row_count).sum()
    }

    /// The files' paths.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| file.path.clone()).collect()
    }
}

/// Reads the files and stages the rows that are wanted. `stamp` adds comboi's own columns.
pub fn stage(
    session: &Session,
    reading: &Reading,
    rows: &Rows<'_>,
    leave_unfit: bool,
    stamp: Option<&Stamp>,
    to: &To,
) -> Result<Staged, Error> {
    let Some(wanted) = wanted(session, reading, rows, leave_unfit)? else {
        return Ok(Staged::default());
    };
    let columns = columns(reading, stamp);
    let query = format!("SELECT {columns} FROM ({wanted})");
    let staged = copy(
        session,
        &query,
        &reading.columns,
        &reading.parquet_files(),
        to,
    )?;
    with_count(session, staged)
}

/// Stages of all rows with the same [key](Reading::key) the one with the greatest value in `cursor`, of these the one from the
/// last file by name, and of these the last.
pub fn stage_last(
    session: &Session,
    reading: &Reading,
    rows: &Rows<'_>,
    leave_unfit: bool,
    stamp: Option<&Stamp>,
    cursor: Option<&str>,
    to: &To,
) -> Result<Staged, Error> {
    let Some(wanted) = wanted(session, reading, rows, leave_unfit)? else {
        return Ok(Staged::default());
    };
    let columns = columns(reading, stamp);
    let key: Vec<String> = reading.key.iter().map(|name| sql::ident(name)).collect();
    let cursor = cursor.map_or_else(String::new, |cursor| {
        format!("{} DESC NULLS LAST, ", sql::ident(cursor))
    });
    let instance = session.free()?;
    let instance = &*instance;
    let set = |statement: &str| instance.own("keep the order of rows", statement);
    // Else rows come in any order, which is faster; and Parquet files of a given size are written in no other.
    set("SET preserve_insertion_order = true")?;
    let ordered = run_over(
        instance,
        "find the last row of each key",
        &format!(
            "CREATE OR REPLACE TEMP TABLE _comboi_last AS \
             SELECT {columns} FROM (SELECT *, row_number() OVER () AS _comboi_place FROM ({wanted})) \
             QUALIFY row_number() OVER (PARTITION BY {} \
             ORDER BY {cursor}{FILE_COLUMN} DESC, {LINE} DESC NULLS LAST, _comboi_place DESC) = 1",
            key.join(", ")
        ),
        &reading.parquet_files(),
        |_| None,
    );
    let unset = set("SET preserve_insertion_order = false");
    ordered?;
    unset?;
    let staged = copy::<&Path>(session, "FROM _comboi_last", &reading.columns, &[], to)?;
    set("DROP TABLE _comboi_last")?;
    with_count(session, staged)
}

/// With the number of rows that were counted meanwhile.
fn with_count(session: &Session, staged: Staged) -> Result<Staged, Error> {
    let query =
        format!("SELECT last_value FROM duckdb_sequences() WHERE sequence_name = '{BELOW}'");
    let rows = run(&*session.free()?, "count rows below the boundary", &query)?;
    let count = rows.into_iter().flatten().next().flatten();
    Ok(Staged {
        below: count.and_then(|it| it.parse().ok()).unwrap_or(0),
        ..staged
    })
}

/// The rows that are wanted, with the file of each; `None` if there can't be any.
fn wanted(
    session: &Session,
    reading: &Reading,
    rows: &Rows<'_>,
    leave_unfit: bool,
) -> Result<Option<String>, Error> {
    if reading.groups.is_empty() || reading.columns.is_empty() {
        return Ok(None);
    }
    let selects: Result<Vec<String>, Error> = reading
        .groups
        .iter()
        .map(|group| select(group, reading, leave_unfit))
        .collect();
    let all = selects?.join(" UNION ALL ");
    begin_count(&*session.free()?)?;
    Ok(Some(match rows {
        Rows::All => all,
        Rows::New(boundary) => new_rows(session, &all, &reading.columns, boundary)?,
    }))
}

fn begin_count(instance: &Instance) -> Result<(), Error> {
    let count = format!("CREATE OR REPLACE TEMP SEQUENCE {BELOW}");
    Ok(instance.own("count rows below the boundary", &count)?)
}

fn columns(reading: &Reading, stamp: Option<&Stamp>) -> String {
    let mut columns: Vec<String> = reading
        .columns
        .iter()
        .filter(|column| !column.is_untyped())
        .map(|column| sql::ident(&column.name))
        .collect();
    columns.extend(stamp.into_iter().flat_map(stamped));
    columns.join(", ")
}

pub(super) fn stamped(stamp: &Stamp) -> [String; 3] {
    [
        FILE_COLUMN.to_owned(),
        format!(
            "CAST({} AS TIMESTAMPTZ) AS {LOADED_AT_COLUMN}",
            sql::text(&stamp.loaded_at)
        ),
        format!("CAST({} AS BIGINT) AS {RUN_ID_COLUMN}", stamp.run_id),
    ]
}

fn select(group: &Group, reading: &Reading, leave_unfit: bool) -> Result<String, Error> {
    let relation = relation(group, reading);
    let value = |column: &Column, value: String| lake::kept(&value, &column.sql_type);
    if let Some((column, why)) = not_kept(group, reading) {
        let file = group.files.first().map_or("", |file| file.name.as_str());
        return Err(Error::BadFile(format!(
            "column `{column}` of `{file}`: {why}; a type under `columns`, such as JSON, can help"
        )));
    }
    Ok(if leave_unfit && group.layout.knows_lines() {
        relation.fitting(value)?
    } else {
        relation.strict(value)?
    })
}

/// A column whose type the lake can't keep, and why.
fn not_kept<'a>(group: &Group, reading: &'a Reading) -> Option<(&'a str, String)> {
    let is_here = |name: &str| {
        group
            .columns
            .iter()
            .any(|it| it.name.as_deref() == Some(name))
    };
    reading.columns.iter().find_map(|column| {
        if !is_here(&column.name) {
            return None;
        }
        let why = column.sql_type.lake_type().err()?;
        Some((column.name.as_str(), why.to_string()))
    })
}

/// However many rows that are: wide ones would else fill the memory.
const ROW_GROUP_BYTES: u64 = 64 * 1024 * 1024;

/// Writes what a query returns; files that hold no row are removed again.
///
/// `columns`: the query's columns without comboi's own. `from`: the Parquet files that the query reads; an error names a damaged one.
pub(crate) fn copy<P: AsRef<Path>>(
    session: &Session,
    query: &str,
    columns: &Columns,
    from: &[P],
    to: &To,
) -> Result<Staged, Error> {
    let instance = session.free()?;
    let instance = &*instance;
    let rows = match zeros::without(query, columns) {
        None => write(instance, query, FORMAT, from, to, |_| false)?,
        Some(checked) => {
            let has_zeros = Cell::new(false);
            let is_about_zeros = |failure: &Failure| {
                has_zeros.set(zeros::found(failure));
                has_zeros.get()
            };
            let written = write(instance, &checked, FORMAT, from, to, is_about_zeros);
            if has_zeros.get() {
                match fs::remove_dir_all(&to.folder) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(unwritten(to, error));
                    }
                    _ => begin_count(instance)?,
                }
                write(instance, query, WITHOUT_DICTIONARIES, from, to, |_| false)?
            } else {
                written?
            }
        }
    };
    let mut files = Vec::new();
    for row in rows {
        let mut cells = row.into_iter();
        let path = PathBuf::from(cells.next().flatten().unwrap_or_default());
        let row_count = cells
            .next()
            .flatten()
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        if row_count > 0 {
            files.push(StagedFile { path, row_count });
        } else {
            // One that is left behind is removed with the scratch folder.
            drop(fs::remove_file(&path));
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Staged { files, below: 0 })
}

/// The answer has a row for each file. `is_known`: a failure that the caller looks at itself.
fn write<P: AsRef<Path>>(
    instance: &Instance,
    query: &str,
    format: &str,
    from: &[P],
    to: &To,
    is_known: impl Fn(&Failure) -> bool,
) -> Result<Vec<Vec<Option<String>>>, Error> {
    // DuckDB makes the folder, but none above it.
    if let Some(above) = to.folder.parent() {
        fs::create_dir_all(above).map_err(|error| unwritten(to, error))?;
    }
    // A file ends with a row group. These are measured as they are in memory, uncompressed.
    let file_bytes = to.file_bytes.max(1);
    let statement = format!(
        "COPY ({query}) TO {} ({format}, FILE_SIZE_BYTES {file_bytes}, ROW_GROUP_SIZE_BYTES {}, RETURN_STATS true)",
        sql::path(&to.folder),
        file_bytes.min(ROW_GROUP_BYTES),
    );
    let doing = match from {
        [] => "stage rows".to_owned(),
        [file] => format!("stage the rows of `{}`", file.as_ref().display()),
        [file, more @ ..] => format!(
            "stage the rows of `{}` and {} more files",
            file.as_ref().display(),
            more.len()
        ),
    };
    run_over(instance, &doing, &statement, from, |failure| {
        if is_known(failure) {
            return Some(Error::Unfit);
        }
        failure.of_writing(&to.folder).map(Error::Engine)
    })
}

fn unwritten(to: &To, source: io::Error) -> Error {
    Error::Engine(crate::Error::Scratch {
        folder: to.folder.clone(),
        source,
    })
}
