//! Files of a source, read by DuckDB into staged Parquet of lake types.
//!
//! The caller has looked at the files already: it says which of them are alike ([`Group`]), what their columns are
//! and what types they should get ([`Reading`]). Everything is read once, strictly: text that is not a value of
//! its column's type ends the statement with [`Error::Unfit`], and nothing is ever rounded or cut off. Only then
//! the caller looks closer, with text that was taken apart beforehand and so knows its lines
//! ([`Layout::Records`]), and stages again or reports ([`unfit()`]).

mod changed;
mod counts;
mod fit;
mod infer;
mod json;
mod known;
mod lake;
mod moment;
mod nested;
mod new_rows;
mod nulls;
mod number;
mod open;
mod parquet;
mod relation;
mod run;
mod stage;
mod survey;
mod unfit;

use std::path::{Path, PathBuf};

use comboi_project::{Column, Columns, SqlType};
use serde::{Deserialize, Serialize};

pub use infer::{Found, infer};
pub use json::{Json, has_half_a_pair};
pub(crate) use json::{define_is_json, is_json};
pub(crate) use known::Present;
pub use known::{Known, count_later, files_with_rows_of, max_value, null_count, rewrite};
pub use new_rows::{Boundary, Nulls, Rows, edge};
pub use open::{open, without_mark};
pub use parquet::parquet_groups;
pub(crate) use run::run;
pub(crate) use stage::copy;
pub use stage::{Staged, StagedFile, Stamp, To, stage, stage_last};
pub use survey::{Survey, survey};
pub use unfit::{Hopeless, UnfitRow, UnfitRows, hopeless, json_rows, stage_unfit, unfit};

/// The name of the file that a row came from, relative to its source's folder.
pub const FILE_COLUMN: &str = "_comboi_file";
/// When comboi read the row.
pub const LOADED_AT_COLUMN: &str = "_comboi_loaded_at";
/// The run in which comboi read the row.
pub const RUN_ID_COLUMN: &str = "_comboi_run_id";

/// Makes functions known to the SQL of comboi's own instance.
pub(crate) fn define(instance: &crate::instance::Instance) -> Result<(), crate::Error> {
    json::define(instance)?;
    number::define(instance)
}

/// What can go wrong while files are read, told apart by what to do next.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something in the files is not as it should be: look closer.
    #[error("some rows do not fit their columns")]
    Unfit,
    /// A row has no value in the column by which new rows are told from old ones.
    #[error("a row has no value in the incremental column")]
    NullInIncrementalColumn,
    /// A file is not what its format says; the text names it.
    #[error("{0}")]
    BadFile(String),
    /// Anything else.
    #[error(transparent)]
    Engine(#[from] crate::Error),
}

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileToRead {
    /// Where it is: absolute.
    pub path: PathBuf,
    /// What the rows call it ([`FILE_COLUMN`]): relative to the source's folder, with `/`.
    pub name: String,
}

/// How a file's bytes become records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// UTF-8 text, one record after the other; the columns by position.
    Csv(Dialect),
    /// Objects of JSON; a column for each key.
    Json(Json),
    /// Typed columns.
    Parquet,
    /// Text that was taken apart beforehand: CSV (`,`, `"`) with [`RECORD_COLUMNS`] and then the fields.
    Records {
        /// The longest record, in bytes.
        longest: u64,
    },
}

impl Layout {
    /// Whether the rows know their lines.
    pub fn knows_lines(&self) -> bool {
        matches!(self, Self::Records { .. } | Self::Json(_) | Self::Parquet)
    }

    /// Whether it is JSON.
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json(_))
    }
}

/// What each record of [`Layout::Records`] and of JSON begins with.
///
/// The file's name, the line (counted from 1; for a JSON array the record), where its text begins in bytes (counted from 0, after decompression) and the text itself.
pub const RECORD_COLUMNS: [&str; 4] = [
    "_comboi_file",
    "_comboi_line",
    "_comboi_byte",
    "_comboi_text",
];

/// How CSV text is to be taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Between two fields.
    pub delimiter: char,
    /// Around a field that contains delimiters or line breaks.
    pub quote: Option<char>,
    /// Before a quote inside quotes; the quote itself by default.
    pub escape: Option<char>,
    /// Begins a line that is no record.
    pub comment: Option<char>,
    /// Lines before the first record, the header among them.
    pub skip_lines: u64,
    /// Of the whole file.
    pub compression: Compression,
}

/// How a file is compressed as a whole.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// `.gz`
    Gzip,
    /// `.zst`
    Zstd,
}

impl Compression {
    fn as_str(self) -> &'static str {
        match self {
            Self::None => "uncompressed",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }
}

/// A column as the files have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileColumn {
    /// As the file spells it.
    pub spelled: String,
    /// The table's column that it goes to; `None`: it is not wanted.
    pub name: Option<String>,
    /// What the file says its type is (Parquet only), with the table's names of fields once they are known.
    pub sql_type: Option<SqlType>,
    /// What DuckDB says, if it is in the files (Parquet only): DuckDB takes others from the names of folders.
    pub stored_type: Option<SqlType>,
}

/// Files that are alike: same layout, same columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// How to read them.
    pub layout: Layout,
    /// The folder that all their paths begin with; the rest is the name. Not heeded by [`Layout::Records`].
    pub folder: PathBuf,
    /// The files, in order.
    pub files: Vec<FileToRead>,
    /// Their columns. For JSON: every key that is known; a key that is not is [`Error::Unfit`].
    pub columns: Vec<FileColumn>,
}

/// How text stands for values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextRules {
    /// Texts that mean NULL in CSV, besides the empty one.
    pub null_values: Vec<String>,
    /// Whether `1,5` is one and a half.
    pub decimal_comma: bool,
    /// As for DuckDB's `strptime`, such as `%d.%m.%Y`; ISO 8601 if there is none.
    pub date_format: Option<String>,
    /// As for DuckDB's `strptime`; ISO 8601 if there is none.
    pub timestamp_format: Option<String>,
}

/// Files to read and what they should become.
#[derive(Clone, Debug)]
pub struct Reading {
    /// All the files.
    pub groups: Vec<Group>,
    /// The table's columns that are filled; one that no file has is NULL.
    pub columns: Columns,
    /// How text stands for values.
    pub rules: TextRules,
    /// Whether keys of JSON objects that are not among the group's columns are passed over.
    pub ignore_unknown_keys: bool,
    /// Whether keys of JSON were looked for in a part of the files only. What would be left out does not fit then, so that
    /// it is seen: keys that are not among the group's columns, and empty lists of fields that no column has.
    pub sampled: bool,
    /// Columns whose types somebody wrote down: they take every text of an equal value, and fields of nested values
    /// that are not in them are passed over. A type that was found takes what would be found again.
    pub declared: Vec<String>,
    /// Columns that tell rows apart: a row without a value in one of them does not fit.
    pub key: Vec<String>,
}

impl Reading {
    pub(crate) fn is_of_key(&self, column: &Column) -> bool {
        let mut key = self.key.iter();
        key.any(|name| name.eq_ignore_ascii_case(&column.name))
    }

    fn parquet_files(&self) -> Vec<&Path> {
        let groups = self.groups.iter();
        groups
            .filter(|group| group.layout == Layout::Parquet)
            .flat_map(|group| &group.files)
            .map(|file| file.path.as_path())
            .collect()
    }
}
