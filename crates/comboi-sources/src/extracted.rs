//! What an extract gives back: everything that the commit needs.

use std::fmt;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use comboi_project::{Columns, RunId, SqlType};

/// The run that reads, for comboi's own columns.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// `_comboi_run_id`
    pub run: RunId,
    /// `_comboi_loaded_at`
    pub loaded_at: DateTime<Utc>,
}

/// The table as it is before the extract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its columns, comboi's own among them.
    pub columns: Columns,
    /// Files of it, on a local disk.
    pub files: Vec<PathBuf>,
    /// Whether these are all of them.
    pub whole: bool,
}

/// Rows that are staged, and what becomes of the table.
#[derive(Clone, Debug, PartialEq)]
pub struct Extract {
    /// Parquet files of lake types; none when there was no new row.
    pub staged: Vec<PathBuf>,
    /// How many new rows they hold, without those that were only written anew.
    pub row_count: u64,
    /// The table's columns after the commit, comboi's own among them.
    pub columns: Columns,
    /// What happens to the files that the table has.
    pub change: ExtractChange,
    /// How far the table has been read then: the text of a [`Checkpoint`](crate::Checkpoint) or of a
    /// [`Position`](crate::database::Position).
    pub checkpoint: String,
    /// Rows that did not fit.
    pub quarantined: Option<Quarantined>,
    /// How the table's columns change, for people.
    pub drift: Vec<String>,
    /// What people should know.
    pub notes: Vec<Note>,
}

impl Extract {
    /// How many rows did not fit and were put aside.
    pub fn quarantined_count(&self) -> u64 {
        self.quarantined.as_ref().map_or(0, |it| it.row_count)
    }
}

/// What happens to the files that the table has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtractChange {
    /// They stay.
    Append,
    /// They all go: the staged ones are the table.
    ReplaceAll,
    /// These go, and the staged files hold what is still wanted of their rows.
    Rewrite {
        /// Out of [`Known::files`].
        removed: Vec<PathBuf>,
    },
}

/// Rows that did not fit, for the table `<table>__quarantine`.
#[derive(Clone, Debug, PartialEq)]
pub struct Quarantined {
    /// Parquet files.
    pub staged: Vec<PathBuf>,
    /// How many rows they hold.
    pub row_count: u64,
    /// Their columns.
    pub columns: Columns,
}

/// Something about a source that people should know, and that stops nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No file matches.
    NoFiles(String),
    /// Files that changed after they were read; their old rows stay.
    Changed(Vec<String>),
    /// Files that were read once and are not there any more; their rows stay.
    Gone(Vec<String>),
    /// Files that changed after they were read, and were read again.
    Reread(Vec<String>),
    /// Symbolic links that lead out of the source's folder.
    LinksLeftOut(Vec<String>),
    /// Columns of the table that some of the files that were read do not have.
    MissingColumns {
        /// One file of them.
        file: String,
        /// How many files more.
        more: usize,
        /// The columns.
        columns: Vec<String>,
    },
    /// Columns that are declared and that no file has, each with what may be meant.
    Nowhere(Vec<(String, Option<String>)>),
    /// Columns with lists that have no item in any row, which are NULL as long as their type is not known.
    EmptyLists(Vec<String>),
    /// Columns whose types in the files that were read have none in common, so that their values are kept as text.
    MixedTypes(Vec<String>),
    /// Columns of files that the table does not take.
    Discarded(Vec<String>),
    /// Rows without a value in the incremental column that were left out.
    NullsSkipped {
        /// The incremental column.
        column: String,
        /// How many.
        row_count: u64,
    },
    /// Rows of new files that lie below the checkpoint, and were left out.
    BelowCheckpoint {
        /// The incremental column.
        column: String,
        /// How many.
        row_count: u64,
    },
    /// Rows of the table whose date or time is later than the clock of this machine and `max_future`.
    InTheFuture {
        /// The incremental column.
        column: String,
        /// How many.
        row_count: u64,
    },
    /// The checkpoint of a table of files is such a date or time.
    CheckpointInTheFuture {
        /// The incremental column.
        column: String,
        /// The checkpoint's value.
        value: String,
        /// The options of a command that name the table.
        table: String,
    },
    /// Columns of the table that its source does not have any more.
    ColumnsGone {
        /// The columns.
        columns: Vec<String>,
        /// Whether the table has a key, so that rows which it has keep their values.
        keyed: bool,
        /// The command that brings the version before back.
        undo: Option<String>,
    },
    /// The login may not see everybody's transactions.
    BestEffort {
        /// The table's lookback, if it has one.
        lookback: Option<String>,
    },
    /// Transactions were open that may still write.
    OpenTransactions {
        /// Since when at least the oldest of them is open, if that is known: microseconds since 1970.
        since: Option<i64>,
        /// Whether rows of other transactions wait until they have ended.
        holds_back: bool,
        /// Whether somebody may have forgotten to end one.
        is_long: bool,
    },
    /// Rows whose time is beyond the server's clock, which the checkpoint does not follow.
    Future {
        /// The incremental column.
        column: String,
        /// How many.
        row_count: u64,
        /// From this time on: microseconds since 1970.
        beyond: i64,
    },
    /// Rows with NaN or an infinity, which the checkpoint does not follow.
    Endless {
        /// The incremental column.
        column: String,
        /// How many.
        row_count: u64,
    },
    /// The checkpoint is beyond what new rows get.
    CheckpointAhead {
        /// The incremental column.
        column: String,
        /// The checkpoint's value.
        value: String,
        /// The options of a command that name the table.
        table: String,
    },
    /// The source's greatest value is below the checkpoint.
    SetBack {
        /// The incremental column.
        column: String,
        /// The greatest value that the source has, if it has one.
        now: Option<String>,
        /// The checkpoint's value.
        value: String,
        /// The options of a command that name the table.
        table: String,
    },
    /// New rows may get lower values than rows that were read.
    NotInOrder {
        /// The incremental column.
        column: String,
        /// Why, and what to do.
        why: String,
    },
    /// Numbers without a precision, kept as text because nobody gave them a type.
    NumbersAsText {
        /// The columns.
        columns: Vec<String>,
        /// The source.
        source: String,
    },
    /// Values with a seventh digit of a second, which was cut off because the lake keeps microseconds: in which columns, of which
    /// type, and how many.
    CutOff(Vec<(String, SqlType, u64)>),
    /// Columns that are VARCHAR because an earlier comboi made the table, and that would have a type of dates and times in a new one.
    KeptAsText(Vec<String>),
    /// A first load that begins anew when it is interrupted, because all of it is read in one piece.
    InOnePiece {
        /// About how many rows it has.
        rows: u64,
        /// Whether it is the whole table, which is read in every run.
        is_full: bool,
        /// Whether it is a query.
        is_query: bool,
    },
    /// Everything was read, and why.
    ReadAnew(&'static str),
    /// Something about the connection: an option that is not known.
    Connection(String),
}

impl Note {
    /// The same note with the command that brings back what was there before.
    #[must_use]
    pub fn undone_by(self, command: &str) -> Self {
        match self {
            Self::ColumnsGone { columns, keyed, .. } => Self::ColumnsGone {
                columns,
                keyed,
                undo: Some(command.to_owned()),
            },
            other => other,
        }
    }

    /// Whether rows or values may be missing or changed because of it, so that `--fail-on warning` counts it.
    pub fn is_warning(&self) -> bool {
        match self {
            Self::Changed(_)
            | Self::LinksLeftOut(_)
            | Self::Nowhere(_)
            | Self::EmptyLists(_)
            | Self::MixedTypes(_)
            | Self::NullsSkipped { .. }
            | Self::BelowCheckpoint { .. }
            | Self::InTheFuture { .. }
            | Self::CheckpointInTheFuture { .. }
            | Self::ColumnsGone { .. }
            | Self::BestEffort { .. }
            | Self::Future { .. }
            | Self::Endless { .. }
            | Self::CheckpointAhead { .. }
            | Self::SetBack { .. }
            | Self::NotInOrder { .. }
            | Self::NumbersAsText { .. }
            | Self::InOnePiece { .. }
            | Self::CutOff(_) => true,
            Self::OpenTransactions { is_long, .. } => *is_long,
            Self::NoFiles(_)
            | Self::Gone(_)
            | Self::Reread(_)
            | Self::MissingColumns { .. }
            | Self::Discarded(_)
            | Self::KeptAsText(_)
            | Self::ReadAnew(_)
            | Self::Connection(_) => false,
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFiles(patterns) => write!(f, "no file matches {patterns}"),
            Self::Changed(files) => {
                let (it, was, its) = match files.len() {
                    1 => ("it", "was", "its"),
                    _ => ("they", "were", "their"),
                };
                write!(
                    f,
                    "{} changed after {it} {was} read; {its} old rows stay (`on_changed_file: reread` would replace them)",
                    few(files)
                )
            }
            Self::Nowhere(columns) => {
                let columns = columns.iter().map(|(name, meant)| match meant {
                    Some(meant) => format!("`{name}` ({meant})"),
                    None => format!("`{name}`"),
                });
                let columns: Vec<String> = columns.collect();
                write!(
                    f,
                    "`columns` names columns that no file has that was read: {}: NULL",
                    columns.join(", ")
                )
            }
            Self::LinksLeftOut(links) => write!(
                f,
                "symbolic links that lead out of the source's folder are not read: {}; `follow_links: true` of the source reads them",
                few(links)
            ),
            Self::Gone(files) if files.len() == 1 => {
                write!(f, "{} is not there any more; its rows stay", few(files))
            }
            Self::Gone(files) => {
                write!(f, "{} are not there any more; their rows stay", few(files))
            }
            Self::Reread(files) => {
                let (it, was, its) = match files.len() {
                    1 => ("it", "was", "its"),
                    _ => ("they", "were", "their"),
                };
                write!(
                    f,
                    "{} changed after {it} {was} read; {its} rows are replaced",
                    few(files)
                )
            }
            Self::MissingColumns {
                file,
                more: 0,
                columns,
            } => write!(f, "`{file}` has no {}: NULL there", listed(columns)),
            Self::MissingColumns {
                file,
                more,
                columns,
            } => {
                write!(
                    f,
                    "`{file}` and {more} more have no {}: NULL there",
                    listed(columns)
                )
            }
            Self::Discarded(columns) => write!(
                f,
                "columns that the table does not take: {}",
                listed(columns)
            ),
            Self::NullsSkipped { column, row_count } => {
                write!(
                    f,
                    "rows without a value in `{column}` that were left out: {row_count}"
                )
            }
            Self::BelowCheckpoint { column, row_count } => write!(
                f,
                "rows of new files that were not loaded, because their `{column}` is below the checkpoint: {row_count}; a longer `lookback` loads such rows, and so does `comboi reset-checkpoint`, which reads everything again"
            ),
            Self::InTheFuture { column, row_count } => write!(
                f,
                "rows whose `{column}` is later than this machine's clock and `max_future`: {row_count}. They are loaded and do not move the checkpoint; correct them in the files"
            ),
            Self::CheckpointInTheFuture {
                column,
                value,
                table,
            } => write!(
                f,
                "the checkpoint is `{column}` = {value}, which is in the future: rows below it are not loaded; `comboi reset-checkpoint {table}` makes the next run read everything again"
            ),
            Self::EmptyLists(columns) => write!(
                f,
                "{}: every list is empty, so its type is not known yet: NULL until a list has an item (`columns` can say its type)",
                listed(columns)
            ),
            Self::MixedTypes(columns) => write!(
                f,
                "{}: the types in the files and in the table have none in common, so all values are kept as text; `columns` can say a type",
                listed(columns)
            ),
            Self::ColumnsGone {
                columns,
                keyed,
                undo,
            } => {
                let values = if *keyed {
                    "rows that are there keep their last value, new rows have NULL"
                } else {
                    "NULL in every row that is read from now on"
                };
                write!(
                    f,
                    "the source has no {} any more (dropped or renamed): {values}",
                    listed(columns)
                )?;
                match undo {
                    Some(undo) => write!(f, "; `{undo}` brings the version before this run back"),
                    None => Ok(()),
                }
            }
            Self::BestEffort { lookback: None } => f.write_str(
                "best effort: other people's transactions can't be seen (the login may not, or the server is a replica), so a row that is committed late may be missed; grant the right, read the primary, or set a `lookback` longer than the longest transaction",
            ),
            Self::BestEffort { lookback: Some(lookback) } => write!(
                f,
                "best effort: other people's transactions can't be seen (the login may not, or the server is a replica); rows that are committed more than {lookback} late are missed"
            ),
            Self::OpenTransactions { since, holds_back, is_long } => {
                let since = since.and_then(DateTime::from_timestamp_micros).map(written);
                match (&since, is_long) {
                    (Some(since), _) => write!(f, "a transaction has been open since {since}: ")?,
                    (None, true) => f.write_str("a transaction is open, and the login may not see since when: ")?,
                    (None, false) => f.write_str("a transaction is open, and it is not known since when (it is prepared, its session does not say, or it has just ended): ")?,
                }
                f.write_str(match holds_back {
                    true => "rows that were written since it began wait, also those of other transactions, and are read once it has ended",
                    false => "the next run reads again what was written since it began",
                })?;
                match (&since, is_long) {
                    (Some(_), true) => f.write_str("; end it if somebody forgot it"),
                    (None, true) => f.write_str("; let the login see transactions, so that comboi can say whether somebody forgot one"),
                    (_, false) => Ok(()),
                }
            }
            Self::Future { column, row_count, beyond } => {
                let beyond = DateTime::from_timestamp_micros(*beyond).map(written);
                write!(
                    f,
                    "rows whose `{column}` is {} or later, which is beyond the server's clock and `max_future`: {row_count}. They are loaded, read again by each run, and do not move the checkpoint; correct them in the source",
                    beyond.unwrap_or_default()
                )
            }
            Self::Endless { column, row_count } => write!(
                f,
                "rows whose `{column}` is NaN or an infinity: {row_count}. They are loaded, read again by each run, and do not move the checkpoint; correct them in the source"
            ),
            Self::CheckpointAhead { column, value, table } => write!(
                f,
                "the checkpoint `{column}` = {value} is beyond the server's clock: new rows are not read until the clock is there, and rows may be missing already; `comboi reset-checkpoint {table}` makes the next run read everything again"
            ),
            Self::SetBack { column, now, value, table } => {
                let now = now.as_ref().map_or_else(
                    || "the source has no rows any more".to_owned(),
                    |now| format!("the greatest `{column}` of the source is {now}"),
                );
                write!(
                    f,
                    "{now}, and the checkpoint is {value}: rows were deleted, or the source was set back (a restored backup, TRUNCATE … RESTART IDENTITY); if it was, new rows are missed until they are beyond the checkpoint; `comboi reset-checkpoint {table}` makes the next run read everything again"
                )
            }
            Self::NotInOrder { column, why } => write!(f, "`{column}`: {why}"),
            Self::NumbersAsText { columns, source } => write!(
                f,
                "numbers without a precision are kept as text, which is compared and sorted as text: {}. Write a type, such as `columns: {{{}: \"DECIMAL(18,2)\"}}` (`VARCHAR` to keep text); `comboi discover --source {source} --yaml` proposes one",
                listed(columns),
                columns.first().map_or("", String::as_str)
            ),
            Self::CutOff(cut) => {
                f.write_str("values with seven digits of a second, of which the lake keeps six: ")?;
                for (place, (column, _, count)) in cut.iter().enumerate() {
                    let comma = if place == 0 { "" } else { ", " };
                    write!(f, "{comma}`{column}` has {count}")?;
                }
                cut.first().map_or(Ok(()), |(column, sql_type, _)| {
                    write!(f, ". Write `columns: {{{column}: {sql_type}}}` to keep six without this warning, or `VARCHAR` to keep all digits as text")
                })
            }
            Self::KeptAsText(columns) => write!(
                f,
                "{} VARCHAR, as the table was made; in a new table they have a type of dates and times (`columns` can say either)",
                match columns.as_slice() {
                    [one] => format!("`{one}` stays"),
                    more => format!("{} stay", listed(more)),
                }
            ),
            Self::InOnePiece { rows, is_full, is_query } => {
                write!(f, "all of it (about {rows} rows) is read in one piece, and from the beginning again when that is interrupted or takes longer than a function may; ")?;
                f.write_str(match (is_full, is_query) {
                    (true, _) => "name an `incremental_column`, so that its first load is committed in parts (`commit_rows`)",
                    (false, true) => "name a `table:` instead of the `query`, or an indexed whole number as its `primary_key`, so that it is committed in parts (`commit_rows`)",
                    (false, false) => "name an indexed whole number as its `primary_key`, so that it is committed in parts (`commit_rows`)",
                })
            }
            Self::ReadAnew(why) => write!(f, "everything was read anew: {why}"),
            Self::Connection(what) => f.write_str(what),
        }
    }
}

fn written(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// The first ten of many, and how many more there are.
pub(crate) fn few(names: &[String]) -> String {
    const FEW: usize = 10;
    let shown = listed(names.get(..FEW).unwrap_or(names));
    match names.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn listed(columns: &[String]) -> String {
    columns
        .iter()
        .map(|column| format!("`{column}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
