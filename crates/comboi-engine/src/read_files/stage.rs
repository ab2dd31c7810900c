//! Rows into staged Parquet files of lake types.

use std::fs;
use std::path::{Path, PathBuf};

use comboi_project::{Column, Columns, SqlType};

use super::fit::{NULL_FOUND, UNFIT};
use super::known::Known;
use super::relation::{Relation, relation};
use super::{Error, FILE_COLUMN, Group, LOADED_AT_COLUMN, RUN_ID_COLUMN, Reading, lake};
use crate::failure::{Failure, Kind, first_line};
use crate::instance::Instance;
use crate::{Session, sql};

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

/// Which of the rows are wanted.
#[derive(Clone, Debug)]
pub enum Rows<'a> {
    /// All of them.
    All,
    /// Those that an earlier run did not have, by the values of a column.
    New(Boundary<'a>),
}

/// Where the rows that an earlier run had end.
#[derive(Clone, Debug)]
pub struct Boundary<'a> {
    /// One of the reading's columns.
    pub column: &'a Column,
    /// The greatest value that the table has, as [`max_value`](super::max_value) gave it; none: all rows are new.
    pub watermark: Option<&'a str>,
    /// The least value that is looked at, as [`edge`] gave it; none: everything is.
    pub from: Option<&'a str>,
    /// What becomes of rows without a value.
    pub nulls: Nulls,
    /// What the table has: rows at the boundary are left out as often as it has them.
    pub known: Option<&'a Known>,
}

/// What becomes of rows without a value in the incremental column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nulls {
    /// They are new as often as the table does not have them.
    Load,
    /// They are left out.
    Skip,
    /// They are an error.
    Fail,
}

/// Staged rows.
#[derive(Clone, Debug, Default)]
pub struct Staged {
    /// No file without a row.
    pub files: Vec<StagedFile>,
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
    if reading.groups.is_empty() || reading.columns.is_empty() {
        return Ok(Staged::default());
    }
    let selects: Result<Vec<String>, Error> = reading
        .groups
        .iter()
        .map(|group| select(group, reading, leave_unfit))
        .collect();
    let all = selects?.join(" UNION ALL ");
    let wanted = match rows {
        Rows::All => all,
        Rows::New(boundary) => new_rows(session, &all, &reading.columns, boundary)?,
    };
    let mut columns: Vec<String> = reading.columns.names().map(sql::ident).collect();
    columns.extend(stamp.into_iter().flat_map(stamped));
    copy(
        session,
        &format!("SELECT {} FROM ({wanted})", columns.join(", ")),
        to,
    )
}

fn stamped(stamp: &Stamp) -> [String; 3] {
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
    Ok(if leave_unfit && group.layout.knows_lines() {
        relation.fitting(value)?
    } else {
        relation.strict(value)?
    })
}

/// The rows beyond the watermark, and those at the boundary as often as the table does not have them yet. Rows are
/// compared in the columns that the table had when it was read.
fn new_rows(
    session: &Session,
    all: &str,
    columns: &Columns,
    boundary: &Boundary<'_>,
) -> Result<String, Error> {
    let Boundary {
        column,
        watermark,
        from,
        nulls,
        known,
    } = boundary;
    let name = sql::ident(&column.name);
    let value = |text: &str| {
        lake::kept(
            &format!("CAST({} AS {})", sql::text(text), column.sql_type),
            &column.sql_type,
        )
    };
    let beyond = from.map(value).transpose()?.map_or_else(
        || format!("{name} IS NOT NULL"),
        |from| format!("{name} >= {from}"),
    );
    let filter = match nulls {
        Nulls::Load => format!("({beyond} OR {name} IS NULL)"),
        Nulls::Skip => format!("({beyond})"),
        Nulls::Fail => format!(
            "CASE WHEN {name} IS NULL THEN CAST(error({}) AS BOOLEAN) ELSE {beyond} END",
            sql::text(NULL_FOUND)
        ),
    };
    let source = format!("SELECT * FROM ({all}) WHERE {filter}");
    let (Some(watermark), Some(known)) = (watermark, known) else {
        return Ok(source);
    };
    let present = known.present(session)?;
    let compared: Vec<&Column> = columns
        .iter()
        .filter(|column| known.columns.get(&column.name).is_some())
        .collect();
    if present.is_empty() || compared.is_empty() {
        return Ok(source);
    }
    let had_filter = if *nulls == Nulls::Load {
        format!("({beyond} OR {name} IS NULL)")
    } else {
        beyond
    };
    let had = known.values(&compared, &present, Some(&had_filter))?;
    let names: Vec<String> = compared
        .iter()
        .map(|column| sql::ident(&column.name))
        .collect();
    let names = names.join(", ");
    let same: Vec<String> = (0..compared.len())
        .map(|i| {
            format!(
                "had.h{i} IS NOT DISTINCT FROM edge.{}",
                sql::ident(&compared[i].name)
            )
        })
        .collect();
    let renamed: Vec<String> = compared
        .iter()
        .enumerate()
        .map(|(i, column)| format!("{} AS h{i}", sql::ident(&column.name)))
        .collect();
    let watermark = value(watermark)?;
    Ok(format!(
        "WITH looked_at AS ({source}), \
         edge AS (SELECT *, row_number() OVER (PARTITION BY {names}) AS _comboi_n FROM looked_at WHERE {name} <= {watermark} OR {name} IS NULL), \
         had AS (SELECT {}, count(*) AS _comboi_had FROM ({had}) GROUP BY ALL) \
         SELECT * FROM looked_at WHERE {name} > {watermark} \
         UNION ALL SELECT edge.* EXCLUDE (_comboi_n) FROM edge LEFT JOIN had ON {} WHERE _comboi_n > coalesce(_comboi_had, 0)",
        renamed.join(", "),
        same.join(" AND "),
    ))
}

/// How far below the watermark is looked at again: `lookback` is an `INTERVAL` for dates and timestamps and a
/// number otherwise. `None`: there is nothing below, so everything is looked at.
pub fn edge(
    session: &Session,
    sql_type: &SqlType,
    watermark: &str,
    lookback: Option<&str>,
) -> Result<Option<String>, Error> {
    let Some(lookback) = lookback else {
        return Ok(Some(watermark.to_owned()));
    };
    let typed = format!("CAST({} AS {sql_type})", sql::text(watermark));
    let lower = if sql_type.is_moment() {
        format!("{typed} - CAST({} AS INTERVAL)", sql::text(lookback))
    } else if sql_type.is_integer() {
        format!(
            "CAST({typed} AS HUGEINT) - CAST({} AS HUGEINT)",
            sql::text(lookback)
        )
    } else {
        format!("{typed} - CAST({} AS {sql_type})", sql::text(lookback))
    };
    let query = format!("SELECT CAST(TRY_CAST({lower} AS {sql_type}) AS VARCHAR)");
    let rows = run(session.free()?, "find where to begin", &query)?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|mut row| row.pop())
        .flatten())
}

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
    let query = format!(
        "SELECT file, line, \"column\", reason, count(*) OVER () FROM (SELECT file, line, \"column\", reason FROM ({all})) ORDER BY file, line LIMIT {first}"
    );
    let mut count = 0;
    let rows = run(instance, "find the rows that do not fit", &query)?
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter();
            let mut next = || cells.next().flatten();
            let file = next().unwrap_or_default();
            let line = next().and_then(|text| text.parse().ok()).unwrap_or(0);
            let (column, reason) = (next(), next().unwrap_or_default());
            count = next().and_then(|text| text.parse().ok()).unwrap_or(0);
            UnfitRow {
                file,
                line,
                column,
                reason,
            }
        });
    let rows = rows.collect();
    Ok((count, rows))
}

/// Stages the rows that do not fit, for the quarantine: [`FILE_COLUMN`], `line`, `byte_position`, `column`,
/// `reason`, `text`, [`LOADED_AT_COLUMN`], [`RUN_ID_COLUMN`].
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
    copy(session, &query, to)
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
        selects.push(format!(
            "SELECT * FROM read_csv({}, auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', max_line_size = {}, columns = {{'file': 'VARCHAR', 'line': 'BIGINT', 'byte_position': 'BIGINT', 'column': 'VARCHAR', 'reason': 'VARCHAR', 'text': 'VARCHAR'}})",
            sql::file(file),
            before.longest.max(2_097_152),
        ));
    }
    (!selects.is_empty()).then(|| selects.join(" UNION ALL "))
}

fn unfit_rows_of(relation: &Relation) -> Option<String> {
    let unfit = relation.unfit()?;
    let (mut names, mut reasons) = (Vec::new(), Vec::new());
    if let Some(no_record) = &relation.no_record {
        reasons.push(format!(
            "CASE WHEN {no_record} THEN 'not a JSON object' END"
        ));
    }
    for (column, fit) in &relation.fits {
        if let Some(unfit) = fit.unfit() {
            let reason = format!(
                "`{}` is not {}",
                column.name,
                with_article(&column.sql_type)
            );
            names.push(format!(
                "CASE WHEN {unfit} THEN {} END",
                sql::text(&column.name)
            ));
            reasons.push(format!("CASE WHEN {unfit} THEN {} END", sql::text(&reason)));
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

fn with_article(sql_type: &SqlType) -> String {
    let text = sql_type.to_string();
    let article = if text.starts_with(['A', 'E', 'I', 'O']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {text}")
}

/// However many rows that are: wide ones would else fill the memory.
const ROW_GROUP_BYTES: u64 = 64 * 1024 * 1024;

/// Writes what a query returns; files that hold no row are removed again.
pub(super) fn copy(session: &Session, query: &str, to: &To) -> Result<Staged, Error> {
    // A file ends with a row group. These are measured as they are in memory, uncompressed.
    let file_bytes = to.file_bytes.max(1);
    let statement = format!(
        "COPY ({query}) TO {} (FORMAT parquet, COMPRESSION zstd, FILE_SIZE_BYTES {file_bytes}, ROW_GROUP_SIZE_BYTES {}, RETURN_STATS true)",
        sql::path(&to.folder),
        file_bytes.min(ROW_GROUP_BYTES),
    );
    let mut files = Vec::new();
    for row in run(session.free()?, "stage rows", &statement)? {
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
    Ok(Staged { files })
}

pub(super) fn run(
    instance: &Instance,
    doing: &str,
    query: &str,
) -> Result<Vec<Vec<Option<String>>>, Error> {
    instance
        .rows(query)
        .map_err(|failure| explain(instance, failure, doing))
}

fn explain(instance: &Instance, failure: Failure, doing: &str) -> Error {
    if failure.message.contains(NULL_FOUND) {
        return Error::NullInIncrementalColumn;
    }
    match failure.kind {
        Kind::Value if failure.message.contains(UNFIT) => Error::Unfit,
        // CSV and JSON errors quote lines of the file after the first line.
        Kind::Value if is_about_text(&failure.message) => Error::Unfit,
        Kind::Value | Kind::File | Kind::Permission if names_a_file(&failure.message) => {
            Error::BadFile(first_line(&failure.message))
        }
        _ => Error::Engine(instance.explain(failure, doing)),
    }
}

fn is_about_text(message: &str) -> bool {
    ["CSV ", "JSON", "Map keys", "utf", "UTF", "unicode"]
        .iter()
        .any(|sign| message.contains(sign))
}

fn names_a_file(message: &str) -> bool {
    [".parquet", "arquet file", "Failed to read"]
        .iter()
        .any(|sign| message.contains(sign))
}
