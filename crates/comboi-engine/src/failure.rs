//! What DuckDB says when something goes wrong, and what it means for the caller.

use std::io;
use std::path::{Path, PathBuf};

use comboi_project::Problems;
use serde::Deserialize;

use crate::Limits;
pub(crate) use crate::masking::without_values;

/// What can go wrong with DuckDB, told apart by what to do next. No message contains a value out of a row.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has to mend a file of theirs, or what the SQL in it does with the rows it meets.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// Somebody asked to stop; nothing is wrong.
    #[error("interrupted")]
    Interrupted,
    /// More memory, fewer tasks at once or another query.
    #[error(
        "could not {doing}: it needs more than the {limit_mib} MiB of memory that it may use; raise `engine.memory_limit`, run fewer tasks at once (`--jobs`) or lower `engine.threads`"
    )]
    OutOfMemory {
        /// Completes "could not …".
        doing: String,
        /// What the task was allowed, in MiB.
        limit_mib: u64,
    },
    /// Room on the disk, or another scratch folder.
    #[error(
        "could not {doing}: the disk is full (or more than the allowed part of it is used for spilling); free some space or set `engine.temp_directory` to a larger disk"
    )]
    DiskFull {
        /// Completes "could not …".
        doing: String,
    },
    /// A file is missing, may not be read, or is not what it should be (a truncated Parquet file, say).
    #[error("could not {doing}: {reason}")]
    Unreadable {
        /// Completes "could not …".
        doing: String,
        /// What DuckDB says about the file, which it names.
        reason: String,
    },
    /// The scratch folder can't be used.
    #[error("the scratch folder `{}` can't be used", folder.display())]
    Scratch {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A defect of comboi or of DuckDB. The task may be tried again, but will likely fail again.
    #[error("could not {doing}: {message}")]
    Internal {
        /// Completes "could not …".
        doing: String,
        /// What DuckDB says.
        message: String,
    },
}

/// An error of DuckDB, taken apart. Its message may quote values; only [`crate::sql`]'s neighbours see it.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// As DuckDB wrote it: it may quote values out of rows.
    pub(crate) message: String,
    /// The byte of the statement that it is about.
    pub(crate) position: Option<usize>,
    /// What a name could have meant.
    pub(crate) candidates: Vec<String>,
    /// What the system said, if it was asked.
    pub(crate) errno: Option<i32>,
}

/// DuckDB's kinds of error, as far as they differ in what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The statement can't be understood: its text is to be mended. The message quotes the statement only.
    Statement,
    /// A value met while running did not fit. The message may quote it.
    Value,
    Permission,
    Interrupted,
    OutOfMemory,
    DiskFull,
    File,
    /// What is read is not what it should be, and the message does not say where.
    Damage,
    /// An internal error of DuckDB: the instance answers no statement any more.
    Broken,
    Internal,
}

#[derive(Deserialize)]
struct Json {
    exception_type: String,
    exception_message: String,
    position: Option<String>,
    candidates: Option<String>,
    errno: Option<String>,
}

impl Failure {
    pub(crate) fn interrupted() -> Self {
        Self {
            kind: Kind::Interrupted,
            message: "interrupted".into(),
            position: None,
            candidates: Vec::new(),
            errno: None,
        }
    }

    /// What a failure of comboi's own statement means for the caller. `doing` completes "could not …".
    pub(crate) fn into_error(self, doing: &str, limits: &Limits) -> Error {
        let doing = doing.to_owned();
        match self.kind {
            Kind::Interrupted => Error::Interrupted,
            Kind::OutOfMemory => Error::OutOfMemory {
                doing,
                limit_mib: limits.memory_bytes / (1024 * 1024),
            },
            Kind::DiskFull => Error::DiskFull { doing },
            Kind::File | Kind::Permission => Error::Unreadable {
                doing,
                reason: first_line(&self.message),
            },
            Kind::Damage => Error::Unreadable {
                doing,
                reason: format!("a file is damaged: {}", without_values(&self.message, "")),
            },
            Kind::Value | Kind::Broken | Kind::Internal => Error::Internal {
                doing,
                message: without_values(&self.message, ""),
            },
            Kind::Statement => Error::Internal {
                doing,
                message: first_line(&self.message),
            },
        }
    }

    fn parse(text: &str) -> Self {
        // "Catalog Error: {…}", or plain text for the few errors that never become JSON.
        let json = text
            .find('{')
            .and_then(|start| text.get(start..))
            .and_then(|json| serde_json::from_str::<Json>(json).ok());
        let Some(json) = json else {
            return Self {
                kind: kind("", text),
                message: text.to_owned(),
                ..Self::interrupted()
            };
        };
        Self {
            kind: if disk_is_full(json.errno.as_deref()) {
                Kind::DiskFull
            } else {
                kind(&json.exception_type, &json.exception_message)
            },
            position: json.position.and_then(|text| text.parse().ok()),
            candidates: candidates(json.candidates.as_deref().unwrap_or_default()),
            errno: json.errno.and_then(|text| text.parse().ok()),
            message: json.exception_message,
        }
    }
}

impl Failure {
    /// An error of the scratch folder, if this is about what was to be written there: a file or a folder of files.
    pub(crate) fn of_writing(&self, written: &Path) -> Option<Error> {
        let about_it = self.message.contains(&*written.to_string_lossy());
        let unwritable = matches!(self.kind, Kind::File | Kind::Permission) && about_it;
        unwritable.then(|| Error::Scratch {
            folder: written.parent().unwrap_or(written).to_owned(),
            source: self.errno.map_or_else(
                || io::Error::other(first_line(&self.message)),
                io::Error::from_raw_os_error,
            ),
        })
    }
}

impl From<duckdb::Error> for Failure {
    fn from(error: duckdb::Error) -> Self {
        match error {
            duckdb::Error::DuckDBFailure(_, Some(text)) => Self::parse(&text),
            other => Self {
                kind: Kind::Internal,
                message: other.to_string(),
                ..Self::interrupted()
            },
        }
    }
}

/// `ENOSPC`, and `EDQUOT` on Linux and on macOS.
fn disk_is_full(errno: Option<&str>) -> bool {
    matches!(errno, Some("28" | "122" | "69"))
}

fn kind(exception: &str, message: &str) -> Kind {
    match exception {
        "INTERRUPT" | "Interrupt" => Kind::Interrupted,
        "Out of Memory" if message.contains("max_temp_directory_size") => Kind::DiskFull,
        "Out of Memory" => Kind::OutOfMemory,
        "IO" | "HTTP" | "Serialization" => Kind::File,
        "Permission" => Kind::Permission,
        // What the decoders of Parquet throw.
        "Invalid" => Kind::Damage,
        "Parser"
        | "Syntax"
        | "Binder"
        | "Catalog"
        | "Expression"
        | "Parameter Not Resolved"
        | "Parameter Not Allowed"
        | "Dependency" => Kind::Statement,
        // "Not implemented" is what ICU says of a row's time zone.
        "Not implemented" | "Conversion" | "Out of Range" | "Invalid Input" | "Constraint"
        | "Mismatch Type" | "Divide by Zero" | "Decimal" | "Invalid type" | "Sequence" => {
            Kind::Value
        }
        "INTERNAL" | "FATAL" => Kind::Broken,
        _ if message.contains("INTERRUPT") => Kind::Interrupted,
        _ => Kind::Internal,
    }
}

/// A list of names or of functions with their arguments, which have commas too.
fn candidates(text: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let outside = |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(outside)
        .map(str::trim)
        .filter(|one| !one.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The first line of a message: DuckDB goes on with advice about settings that people can't reach.
pub(crate) fn first_line(message: &str) -> String {
    message
        .lines()
        .next()
        .unwrap_or_default()
        .trim_end_matches(['!', '.', ' '])
        .to_owned()
}
