//! `type: files`: tables that are files in a folder.

use std::fmt;
use std::path::PathBuf;

use encoding_rs::Encoding;
use serde_json::json;

use super::{Lookback, Span};
use crate::contract::Retention;
use crate::read::macros::not_a_word;
use crate::read::{
    Entries, Fields, Located, OneOrMany, Read, Reader, choice, documented, or_placeholder, record,
};
use crate::yaml::{Node, Value};
use crate::{Problem, SourceName, SqlType, TableName};

record! {
    /// A folder of files. What it says of rows and files holds for every table that does not say otherwise.
    pub struct FilesSource, "a source of files" {
        /// Its name.
        pub name: Located<SourceName>,
        /// The folder, relative to the project's; the project's own by default.
        pub path: Option<Located<PathBuf>>,
        /// Accepted and not used: checkpoints are kept with the tables they stand for.
        pub checkpoint_key: Option<String>,
        /// What happens to a row that can't be read.
        pub on_bad_row: Option<BadRowPolicy>,
        /// What happens when columns come, change or go.
        pub on_schema_change: Option<SchemaChangePolicy>,
        /// What happens when a file changes after it was read.
        pub on_changed_file: Option<ChangedFilePolicy>,
        /// Whether rows get the columns `_comboi_file`, `_comboi_loaded_at` and `_comboi_run_id`.
        pub metadata_columns: Option<bool>,
        /// Whether symbolic links are followed that lead out of the folder. Links to what is in it always are.
        pub follow_links: bool = false,
        /// Its tables.
        pub tables: Vec<FilesTable>,
    }
}

record! {
    /// A table that is made of files.
    pub struct FilesTable, "a table" {
        /// Its name.
        pub name: Located<TableName>,
        /// What it is.
        pub description: Option<String>,
        /// Globs below the source's path, such as `orders/*.csv` or `**/*.parquet`.
        pub files: OneOrMany<Located<String>>,
        /// How the files are written; else told by their names.
        pub format: Option<FileFormat>,
        /// How CSV is to be understood; what is left out is found by looking.
        pub csv: CsvOptions = CsvOptions::default(),
        /// Types of columns, where the one that was found by looking is not the right one.
        pub columns: Entries<Located<SqlType>> = Entries::default(),
        /// How many rows of each file are looked at to find types.
        pub sample_size: u32 = 20_480,
        /// How a run finds what is new: `column` when there is an `incremental_column`, else `new_files`.
        pub incremental: Option<Located<Incremental>>,
        /// A column that grows, such as `updated_at`.
        pub incremental_column: Option<Located<String>>,
        /// How far below the checkpoint is read again, for rows that arrive late: `3d`, `12h`, or a number.
        pub lookback: Option<Located<Lookback>>,
        /// A date or time in the incremental column that is later than this machine's clock and this span is loaded, but
        /// does not move the checkpoint; `1d` by default.
        pub max_future: Option<Located<Span>>,
        /// The columns that tell rows apart. With them the last row of each key takes the place of the one that the table has;
        /// without them every row is added.
        pub primary_key: Option<OneOrMany<Located<String>>>,
        /// What happens to a row whose incremental column is NULL.
        pub on_null: NullPolicy = NullPolicy::Load,
        /// What happens to a row that can't be read.
        pub on_bad_row: Option<BadRowPolicy>,
        /// What happens when columns come, change or go.
        pub on_schema_change: Option<SchemaChangePolicy>,
        /// What happens when a file changes after it was read.
        pub on_changed_file: Option<ChangedFilePolicy>,
        /// Whether rows get the columns `_comboi_file`, `_comboi_loaded_at` and `_comboi_run_id`.
        pub metadata_columns: Option<bool>,
        /// How long its rows are kept: by which column, and for how many days. Both are needed.
        pub data_retention: Option<Located<Retention>>,
    }
}

/// What a table does in the cases that a source may decide for all its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policies {
    /// With a row that can't be read.
    pub on_bad_row: BadRowPolicy,
    /// When columns come, change or go.
    pub on_schema_change: SchemaChangePolicy,
    /// When a file changes after it was read.
    pub on_changed_file: ChangedFilePolicy,
    /// Whether rows get comboi's own columns.
    pub metadata_columns: bool,
}

impl FilesSource {
    /// What holds for a table: its own word, else the source's, else the default.
    pub fn policies(&self, table: &FilesTable) -> Policies {
        Policies {
            on_bad_row: table
                .on_bad_row
                .or(self.on_bad_row)
                .unwrap_or(BadRowPolicy::Fail),
            on_schema_change: table
                .on_schema_change
                .or(self.on_schema_change)
                .unwrap_or(SchemaChangePolicy::Evolve),
            on_changed_file: table
                .on_changed_file
                .or(self.on_changed_file)
                .unwrap_or(ChangedFilePolicy::Report),
            metadata_columns: table
                .metadata_columns
                .or(self.metadata_columns)
                .unwrap_or(true),
        }
    }
}

impl FilesTable {
    /// The columns that tell rows apart; empty when nobody said.
    pub fn key(&self) -> Vec<String> {
        let columns = self.primary_key.iter().flat_map(|it| it.iter());
        columns.map(|it| it.value.clone()).collect()
    }

    /// How far beyond the clock a date or time of the incremental column may lie and still become the checkpoint.
    pub fn max_future(&self) -> Span {
        self.max_future.as_ref().map_or(Span::DAY, |it| it.value)
    }

    /// How a run finds what is new.
    pub fn incremental(&self) -> Incremental {
        match (&self.incremental, &self.incremental_column) {
            (Some(said), _) => said.value,
            (None, Some(_)) => Incremental::Column,
            (None, None) => Incremental::NewFiles,
        }
    }
}

choice! {
    /// How files are written. Each may also be compressed: `.gz` or `.zst`.
    pub enum FileFormat {
        /// Comma-separated values, or with another delimiter.
        Csv = "csv",
        /// One JSON array of objects.
        Json = "json",
        /// One JSON object a line.
        Ndjson = "ndjson",
        /// Parquet.
        Parquet = "parquet",
    }
}

choice! {
    /// How a run finds what is new in a table of files.
    pub enum Incremental {
        /// By file: what has not been read is read.
        NewFiles = "new_files",
        /// By a column that grows.
        Column = "column",
        /// Not at all: everything is read and replaces what was there.
        Full = "full",
    }
}

choice! {
    /// What happens to a row whose incremental column is NULL.
    pub enum NullPolicy {
        /// It is loaded, once.
        Load = "load",
        /// It is left out, and counted.
        Skip = "skip",
        /// The task fails.
        Fail = "fail",
    }
}

choice! {
    /// What happens to a row that can't be read.
    pub enum BadRowPolicy {
        /// The task fails, naming file and line.
        Fail = "fail",
        /// It goes to the quarantine with its text, place and reason.
        Quarantine = "quarantine",
    }
}

/// What happens when columns come, change or go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaChangePolicy {
    /// Columns are added and types widened; any other change of a type is an error.
    Evolve,
    /// The same, but a column whose type is no wider one becomes `VARCHAR`.
    EvolveAny,
    /// The task fails, naming the columns.
    Freeze,
    /// New columns are left out; a value that does not fit its column is a bad row.
    Discard,
}

impl SchemaChangePolicy {
    /// Whether new columns are added to a table.
    pub fn adds_columns(self) -> bool {
        matches!(self, Self::Evolve | Self::EvolveAny)
    }
}

impl fmt::Display for SchemaChangePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Evolve => "evolve",
            Self::EvolveAny => "{evolve: any}",
            Self::Freeze => "freeze",
            Self::Discard => "discard",
        })
    }
}

/// Written as a word, or as `{evolve: any}`.
impl Read for SchemaChangePolicy {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if matches!(node.value, Value::Mapping(_)) {
            let mut fields = Fields::open(node, "`on_schema_change`", reader)?;
            let evolve: Option<Located<String>> = fields.take("evolve", None, reader);
            fields.close(reader);
            let evolve = evolve?;
            return match evolve.value.as_str() {
                "any" => Some(Self::EvolveAny),
                _ => reader.report(Problem::at(
                    &evolve.place,
                    "`evolve` can only be `any`".to_owned(),
                )),
            };
        }
        let text = String::read(node, reader)?;
        match text.as_str() {
            "evolve" => Some(Self::Evolve),
            "freeze" => Some(Self::Freeze),
            "discard" => Some(Self::Discard),
            _ => reader.report(not_a_word(node, &text, &["evolve", "freeze", "discard"])),
        }
    }

    fn schema() -> serde_json::Value {
        let word = |word: &str, about: &str| documented(json!({ "const": word }), &[about], None);
        let words = [
            word(
                "evolve",
                " Columns are added and types widened; any other change of a type is an error.",
            ),
            word("freeze", " The task fails, naming the columns."),
            word(
                "discard",
                " New columns are left out; a value that does not fit its column is a bad row.",
            ),
        ];
        let any = json!({
            "type": "object",
            "properties": { "evolve": { "const": "any" } },
            "required": ["evolve"],
            "additionalProperties": false,
        });
        let about = " As `evolve`, but a column whose type is no wider one becomes `VARCHAR`.";
        let any = documented(any, &[about], None);
        let words = or_placeholder(json!({ "oneOf": words }));
        let about = " What happens when columns come, change or go.";
        documented(json!({ "anyOf": [words, any] }), &[about], None)
    }
}

choice! {
    /// What happens when a file changes after it was read.
    pub enum ChangedFilePolicy {
        /// Every run says so; its rows stay as they were.
        Report = "report",
        /// Its rows are replaced.
        Reread = "reread",
        /// The task fails.
        Fail = "fail",
    }
}

record! {
    /// How CSV is to be understood. What is left out is found by looking.
    #[derive(Default)]
    pub struct CsvOptions, "the options of CSV" {
        /// Whether the first line has names.
        pub header: Option<bool>,
        /// What stands between values: one character, or `\t`.
        pub delimiter: Option<Located<String>>,
        /// What stands around values that contain the delimiter.
        pub quote: Option<Located<String>>,
        /// What stands before a quote inside of quotes.
        pub escape: Option<Located<String>>,
        /// What begins a line that is left out.
        pub comment: Option<Located<String>>,
        /// The encoding, `utf-8` by default: a label of the WHATWG's Encoding Standard, such as `utf-16` or `windows-1252`, or
        /// `latin-1`.
        pub encoding: Option<Located<String>>,
        /// Texts that stand for NULL.
        pub null_values: Option<OneOrMany<String>>,
        /// How many lines are left out at the beginning.
        pub skip_lines: Option<u32>,
        /// How dates are written, such as `%d.%m.%Y`.
        pub date_format: Option<Located<String>>,
        /// How timestamps are written, such as `%d.%m.%Y %H:%M`.
        pub timestamp_format: Option<Located<String>>,
        /// What stands before the decimals: `.` or `,`.
        pub decimal_separator: Option<Located<String>>,
    }
}

/// The encoding of a name: a label of the WHATWG's Encoding Standard, or one of the spellings `latin-1`, `utf_8`, `cp1252`.
/// `utf-16` is little-endian unless a byte-order mark says otherwise.
pub fn encoding(name: &str) -> Option<&'static Encoding> {
    let label = match name.trim().to_ascii_lowercase().as_str() {
        "latin-1" | "latin_1" => "latin1".to_owned(),
        "utf_8" => "utf-8".to_owned(),
        "utf16" | "utf_16" => "utf-16".to_owned(),
        other => other.replace("cp125", "windows-125"),
    };
    Encoding::for_label_no_replacement(label.as_bytes())
}
