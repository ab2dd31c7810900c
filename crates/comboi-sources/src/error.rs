//! What can go wrong with a source.

use std::fmt;
use std::io;
use std::path::PathBuf;

use comboi_engine::read_files;
use comboi_project::{SecretsError, UnresolvedSetting};

use crate::BadCheckpoint;
use crate::extracted::few;

/// What can go wrong with a source, told apart by what to do next. Never the content of a row.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source's folder can't be looked through.
    #[error("could not look through `{}`", folder.display())]
    Folder {
        /// The folder, or what is in it and can't be looked at.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is named without a pattern is not there.
    #[error("there is no file `{}`; nothing was read", .0.display())]
    Missing(PathBuf),
    /// What the configuration says can't be done; the text says what to change.
    #[error("{0}")]
    Configuration(String),
    /// A file can't be opened or read.
    #[error("could not read `{}`; nothing of it was loaded", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is not what its format says: truncated, say. The text names it.
    #[error(
        "{0}; nothing was loaded. Put a good file in its place, or take it away, and run again"
    )]
    BadFile(String),
    /// Rows that do not fit, and the table does not put them aside.
    #[error("{}", bad_rows(*count, rows))]
    BadRows {
        /// How many there are.
        count: u64,
        /// The first ones, by file and line.
        rows: Vec<BadRow>,
    },
    /// Files changed after they were read, and the table says that this must not happen.
    #[error("{}: changed after it was read (`on_changed_file: fail`); nothing was loaded. To load it anew: `on_changed_file: reread`, or `comboi reset-checkpoint`", few(.0))]
    ChangedFiles(Vec<String>),
    /// A file changed while it was read. The next try reads it whole.
    #[error("`{0}` changed while it was read; nothing was loaded, and the next run reads it anew")]
    ChangedWhileRead(String),
    /// The files' columns are not the table's, and the table says that they must be.
    #[error("the columns of the source are not those of the table: {}; nothing was loaded (`on_schema_change`)", .0.join("; "))]
    SchemaChanged(Vec<String>),
    /// A column gets another type, so that older rows have to be written anew, and not all of them are here. Who gives the whole
    /// table can call again.
    #[error("the table's older rows are needed")]
    TableNeeded,
    /// A row has no value in the incremental column, and the table says that each must have one.
    #[error(
        "a row has no value in `{0}`, the incremental column (`on_null: fail`); nothing was loaded"
    )]
    NullInIncrementalColumn(String),
    /// A database could not be reached, or the connection to it broke. It passes: the same work can be done again.
    #[error("could not {doing}: {why}; nothing of it was loaded, and it can be run again")]
    Lost {
        /// What was being done: `connect to the server`, `read the rows of public.orders`.
        doing: String,
        /// Why not; without secrets and without values of rows.
        why: String,
    },
    /// A database said no: a login, a right, a name, a statement. It does not pass by itself.
    #[error("could not {doing}: {why}; nothing of it was loaded")]
    Refused {
        /// What was being done.
        doing: String,
        /// Why not, and what to try; without secrets and without values of rows.
        why: String,
    },
    /// Columns of a database whose type can't be kept exactly. One line each, with what to do.
    #[error("columns that the lake can't keep as they are: {}; nothing was loaded", .0.join("; "))]
    Unkept(Vec<String>),
    /// A value of a database that its column in the lake can't keep exactly.
    #[error("a value of column `{column}` can't be kept: {why}; nothing of it was loaded")]
    Value {
        /// The column.
        column: String,
        /// Why, and what to do; never the value.
        why: String,
    },
    /// Rows that were read could not be written on this machine: its disk is full, say.
    #[error("could not write `{}`, where rows wait for their commit; nothing was loaded", file.display())]
    Staging {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The checkpoint can't be understood.
    #[error("can't go on from the table's checkpoint")]
    Checkpoint(#[from] BadCheckpoint),
    /// DuckDB could not do it.
    #[error(transparent)]
    Engine(#[from] comboi_engine::Error),
}

/// A row that does not fit, by its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// Relative to the source's folder.
    pub file: String,
    /// Counted from 1: the line; for a JSON array the record, for Parquet the row.
    pub line: u64,
    /// What is wrong. It names columns and types, never a value.
    pub reason: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.reason)
    }
}

fn bad_rows(count: u64, rows: &[BadRow]) -> String {
    let mut text = match count {
        1 => "1 row does not fit:".to_owned(),
        count => format!("{count} rows do not fit:"),
    };
    for row in rows {
        text.push_str(&format!("\n  {row}"));
    }
    let more = count.saturating_sub(u64::try_from(rows.len()).unwrap_or(u64::MAX));
    if more > 0 {
        text.push_str(&format!("\n  … and {more} more"));
    }
    text.push_str(
        "\nNothing was loaded. Mend the file, say another type under `columns`, or put such rows aside with `on_bad_row: quarantine`",
    );
    text
}

impl From<comboi_engine::merge::Error> for Error {
    fn from(error: comboi_engine::merge::Error) -> Self {
        use comboi_engine::merge::Error as Merge;
        match error {
            Merge::Read(error) => error.into(),
            Merge::KeyNotUnique { .. } => Self::Configuration(format!(
                "{error}, and `primary_key` says that it tells rows apart; nothing was loaded. Name more columns in `primary_key`, or leave it out"
            )),
            Merge::NullKey { .. } => Self::Configuration(format!(
                "{error}, and `primary_key` says that they tell rows apart; nothing was loaded. Name other columns in `primary_key`, or leave it out"
            )),
        }
    }
}

impl From<UnresolvedSetting> for Error {
    fn from(error: UnresolvedSetting) -> Self {
        let UnresolvedSetting {
            secret,
            used_at,
            source,
        } = error;
        let doing = format!("read the secret `{secret}` that {used_at} uses");
        let why = source.to_string();
        match source {
            SecretsError::Unavailable(_) => Self::Lost { doing, why },
            SecretsError::NoVault | SecretsError::Refused(_) => Self::Refused { doing, why },
        }
    }
}

impl From<read_files::Error> for Error {
    fn from(error: read_files::Error) -> Self {
        match error {
            read_files::Error::Engine(error) => Self::Engine(error),
            read_files::Error::BadFile(text) => Self::BadFile(text),
            // Both are answered where they can happen; the texts are for the day that one slips through.
            read_files::Error::Unfit => Self::BadFile("some rows do not fit their columns".into()),
            read_files::Error::NullInIncrementalColumn => {
                Self::NullInIncrementalColumn("the incremental column".into())
            }
        }
    }
}

/// Whether the same extract may succeed if it is tried again, with nothing mended.
pub fn worth_retrying(error: &Error) -> bool {
    match error {
        Error::ChangedWhileRead(_) | Error::Lost { .. } => true,
        Error::Folder { source, .. } | Error::Unreadable { source, .. } => !matches!(
            source.kind(),
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData
        ),
        Error::Missing(_)
        | Error::Configuration(_)
        | Error::BadFile(_)
        | Error::BadRows { .. }
        | Error::ChangedFiles(_)
        | Error::SchemaChanged(_)
        | Error::TableNeeded
        | Error::NullInIncrementalColumn(_)
        | Error::Refused { .. }
        | Error::Unkept(_)
        | Error::Staging { .. }
        | Error::Value { .. }
        | Error::Checkpoint(_)
        | Error::Engine(_) => false,
    }
}
