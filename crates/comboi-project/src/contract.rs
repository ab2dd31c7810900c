//! `transformations/contracts/*.yml`: what a dataset promises.

mod check;
mod pattern;
mod rules;
mod value;

use crate::read::{
    Entries, Literal, Located, OneOrMany, Read, Reader, choice, documented, record, tagged,
};
use crate::yaml::{Key, Node, Value};
use crate::{DatasetName, Place, Problem, SqlType, Stage, suggest};

pub(crate) use check::check;
pub use rules::{Rule, RuleKind};

record! {
    /// What a dataset promises: its columns, rules that its rows keep, and how fresh it is.
    pub struct Contract, "a contract" {
        /// The version of the contract, such as `1.0.0`.
        pub version: Option<Located<String>>,
        /// The dataset that promises this.
        pub dataset: Located<DatasetName>,
        /// Where the dataset lives.
        pub stage: Option<Located<Stage>>,
        /// Who answers for it.
        pub owner: Option<String>,
        /// What it is.
        pub description: Option<String>,
        /// Words to select it by.
        pub tags: Vec<String> = Vec::new(),
        /// Its columns.
        pub schema: Located<Schema>,
        /// What its rows keep.
        pub quality_rules: Vec<Located<QualityRule>> = Vec::new(),
        /// How fresh and complete it is.
        pub sla: Option<Sla>,
        /// What it holds about people.
        pub privacy: Option<Privacy>,
        /// How it may change.
        pub evolution: Option<Evolution>,
    }
}

record! {
    /// The columns of a dataset.
    pub struct Schema, "the schema" {
        /// The columns, in any order.
        pub columns: Vec<Located<ContractColumn>>,
        /// Whether columns that are not listed are welcome: else each is a warning.
        pub allow_extra_columns: bool = false,
    }
}

record! {
    /// A column that a dataset promises.
    pub struct ContractColumn, "a column" {
        /// Its name; the case of its letters does not matter.
        pub name: Located<String>,
        /// Its type, as DuckDB writes it; `VARCHAR(40)` also bounds the length.
        pub sql_type: Located<SqlType> as "type",
        /// Whether it may be NULL.
        pub nullable: Located<bool> as "nullable" = nullable_by_default(),
        /// What it is.
        pub description: Option<String>,
        /// What its values keep.
        pub constraints: Constraints = Constraints::default(),
        /// Whether its values tell about a person: then samples of rows show them masked.
        pub pii: Option<bool>,
        /// Such as `PII`, `confidential` or `public`.
        pub classification: Option<String>,
        /// Words to select it by.
        pub tags: Vec<String> = Vec::new(),
    }
}

fn nullable_by_default() -> Located<bool> {
    Located::new(true, Place::file(""))
}

impl ContractColumn {
    /// Whether its values tell about a person.
    pub fn is_personal(&self) -> bool {
        let said = |text: &str| {
            let word = text.to_ascii_lowercase();
            ["pii", "personal", "sensitive"].iter().any(|personal| {
                word.split(|c: char| !c.is_alphanumeric())
                    .any(|part| part == *personal)
            })
        };
        self.pii.unwrap_or_else(|| {
            self.classification.as_deref().is_some_and(said)
                || self.tags.iter().any(|tag| said(tag))
        })
    }
}

/// What the values of a column keep: a list of single constraints, or one mapping of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Constraints(pub Vec<Located<Constraint>>);

/// One thing that the values of a column keep. NULL keeps all but `not_null`.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// `unique: true`
    Unique(bool),
    /// `not_null: true`
    NotNull(bool),
    /// `min_value: 0`
    MinValue(Literal),
    /// `max_value: 100`
    MaxValue(Literal),
    /// `min_length: 2`
    MinLength(u64),
    /// `max_length: 40`
    MaxLength(u64),
    /// `pattern: '^[A-Z]{2}$'`: a regular expression that is found somewhere in the text.
    Pattern(String),
    /// `allowed_values: [a, b]`
    AllowedValues(Vec<Literal>),
}

const CONSTRAINTS: [&str; 8] = [
    "unique",
    "not_null",
    "min_value",
    "max_value",
    "min_length",
    "max_length",
    "pattern",
    "allowed_values",
];

impl Constraint {
    /// Its key.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Unique(_) => "unique",
            Self::NotNull(_) => "not_null",
            Self::MinValue(_) => "min_value",
            Self::MaxValue(_) => "max_value",
            Self::MinLength(_) => "min_length",
            Self::MaxLength(_) => "max_length",
            Self::Pattern(_) => "pattern",
            Self::AllowedValues(_) => "allowed_values",
        }
    }

    fn read(key: &Key, value: &Node, reader: &mut Reader) -> Option<Self> {
        if value.is_null() && CONSTRAINTS.contains(&key.text.as_str()) {
            return reader.report(Problem::at(
                &key.place,
                format!("`{}` has no value", key.text),
            ));
        }
        match key.text.as_str() {
            "unique" => bool::read(value, reader).map(Self::Unique),
            "not_null" => bool::read(value, reader).map(Self::NotNull),
            "min_value" => Literal::read(value, reader).map(Self::MinValue),
            "max_value" => Literal::read(value, reader).map(Self::MaxValue),
            "min_length" => u64::read(value, reader).map(Self::MinLength),
            "max_length" => u64::read(value, reader).map(Self::MaxLength),
            "pattern" => String::read(value, reader).map(Self::Pattern),
            "allowed_values" => {
                OneOrMany::read(value, reader).map(|values| Self::AllowedValues(values.0))
            }
            unknown => {
                let expected: Vec<String> = CONSTRAINTS
                    .iter()
                    .map(|known| format!("`{known}`"))
                    .collect();
                let hint = suggest::did_you_mean(unknown, CONSTRAINTS)
                    .unwrap_or_else(|| format!("one of {}", expected.join(", ")));
                reader.report(
                    Problem::at(&key.place, format!("unknown constraint `{unknown}`")).hint(hint),
                )
            }
        }
    }
}

impl Read for Constraints {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut found = Vec::new();
        let mut mapping = |node: &Node, reader: &mut Reader| match &node.value {
            Value::Mapping(entries) => {
                for (key, value) in entries {
                    found.extend(
                        Constraint::read(key, value, reader)
                            .map(|one| Located::new(one, key.place.clone())),
                    );
                }
            }
            _ => {
                let _reported: Option<()> =
                    reader.unexpected(node, "a constraint such as `unique: true`");
            }
        };
        match &node.value {
            Value::Sequence(items) => items.iter().for_each(|item| mapping(item, reader)),
            _ => mapping(node, reader),
        }
        Some(Self(found))
    }

    fn schema() -> serde_json::Value {
        let one = serde_json::json!({
            "type": "object",
            "properties": {
                "unique": { "type": "boolean", "description": "No value is there twice." },
                "not_null": { "type": "boolean", "description": "No value is NULL." },
                "min_value": documented(Literal::schema(), &["The least value."], None),
                "max_value": documented(Literal::schema(), &["The greatest value."], None),
                "min_length": { "type": "integer", "minimum": 0, "description": "The least number of characters." },
                "max_length": { "type": "integer", "minimum": 0, "description": "The greatest number of characters." },
                "pattern": { "type": "string", "description": "A regular expression that is found somewhere in the text; `^` and `$` hold it to the whole." },
                "allowed_values": documented(OneOrMany::<Literal>::schema(), &["The only values."], None),
            },
            "additionalProperties": false,
        });
        serde_json::json!({ "oneOf": [one, { "type": "array", "items": one }] })
    }
}

choice! {
    /// What a broken rule means.
    pub enum Severity {
        /// The dataset is not published: readers keep the last good version.
        Error = "error",
        /// It is published, and the run says so.
        Warning = "warning",
        /// It is published, and the report has it.
        Info = "info",
    }
}

tagged! {
    /// Something that the rows of a dataset keep.
    pub enum QualityRule, "a quality rule", by "type" {
        /// Columns are never NULL.
        NotNull(ColumnRule) = "not_null",
        /// No two rows have the same values in columns.
        Uniqueness(ColumnRule) = "uniqueness",
        /// The number of rows has bounds.
        Volume(VolumeRule) = "volume",
        /// A query returns the number that is expected.
        CustomSql(CustomSqlRule) = "custom_sql",
    }
}

impl QualityRule {
    /// Its name.
    pub fn name(&self) -> &Located<String> {
        match self {
            Self::NotNull(rule) | Self::Uniqueness(rule) => &rule.name,
            Self::Volume(rule) => &rule.name,
            Self::CustomSql(rule) => &rule.name,
        }
    }
}

record! {
    /// A rule on columns.
    pub struct ColumnRule, "a rule on columns" {
        /// Its name in reports.
        pub name: Located<String>,
        /// What it is for.
        pub description: Option<String>,
        /// The column.
        pub column: Option<Located<String>>,
        /// The columns, when there are several.
        pub columns: Option<OneOrMany<Located<String>>>,
        /// What it means when the rule is broken.
        pub severity: Severity = Severity::Error,
    }
}

impl ColumnRule {
    /// The columns it is about, in the order of the file.
    pub fn all_columns(&self) -> impl Iterator<Item = &Located<String>> {
        self.column
            .iter()
            .chain(self.columns.iter().flat_map(|columns| columns.iter()))
    }
}

record! {
    /// A rule on the number of rows.
    pub struct VolumeRule, "a rule on the number of rows" {
        /// Its name in reports.
        pub name: Located<String>,
        /// What it is for.
        pub description: Option<String>,
        /// The least number of rows.
        pub min_rows: Option<Located<u64>>,
        /// The greatest number of rows.
        pub max_rows: Option<Located<u64>>,
        /// What it means when the rule is broken.
        pub severity: Severity = Severity::Error,
    }
}

record! {
    /// A rule that is a query.
    pub struct CustomSqlRule, "a rule in SQL" {
        /// Its name in reports.
        pub name: Located<String>,
        /// What it is for.
        pub description: Option<String>,
        /// One `SELECT` that returns one number; `{dataset}` stands for the dataset.
        pub query: Located<String>,
        /// The number it has to return.
        pub expected: Located<Literal> = zero(),
        /// What it means when the rule is broken.
        pub severity: Severity = Severity::Error,
    }
}

fn zero() -> Located<Literal> {
    Located::new(
        Literal {
            text: "0".to_owned(),
            quoted: false,
        },
        Place::file(""),
    )
}

record! {
    /// How fresh and complete a dataset is.
    pub struct Sla, "the SLA" {
        /// How old its newest row may be.
        pub freshness: Option<Located<Freshness>>,
        /// How many rows it has.
        pub completeness: Option<Located<Completeness>>,
        /// How long its rows are kept.
        pub data_retention: Option<Retention>,
        /// When it is made.
        pub schedule: Option<Schedule>,
    }
}

record! {
    /// How old the newest row of a dataset may be.
    pub struct Freshness, "freshness" {
        /// In hours, a fraction being welcome.
        pub max_age_hours: Located<f64>,
        /// The date or timestamp by which age is told; else the first of `updated_at`, `modified_at`, `loaded_at`,
        /// `processed_at`, `event_time`, `timestamp`, `created_at` and `_comboi_loaded_at` that the contract has, else
        /// its only column that is a date or timestamp, else `updated_at` if it has none at all.
        pub column: Option<Located<String>>,
        /// What it means when the dataset is older.
        pub severity: Severity = Severity::Error,
    }
}

record! {
    /// How many rows a dataset has.
    pub struct Completeness, "completeness" {
        /// The least number of rows.
        pub min_row_count: Option<Located<u64>>,
        /// Known and not checked yet: by how much it grows from run to run.
        pub expected_growth_rate: Option<Located<f64>>,
        /// What it means when there are fewer.
        pub severity: Severity = Severity::Error,
    }
}

record! {
    /// How long rows are kept. Known and not acted upon yet.
    pub struct Retention, "data retention" {
        /// In days.
        pub max_age_days: Option<Located<u64>>,
        /// The date or timestamp by which age is told.
        pub column: Option<Located<String>>,
    }
}

record! {
    /// When a dataset is made. Known and not acted upon yet.
    pub struct Schedule, "a schedule" {
        /// As cron writes it.
        pub cron: Option<Located<String>>,
        /// Such as `hourly` or `daily`.
        pub frequency: Option<Located<String>>,
        /// The time of day at which it is there.
        pub available_by: Option<Located<String>>,
        /// The zone of those times.
        pub timezone: Option<Located<String>>,
    }
}

record! {
    /// What a dataset holds about people.
    pub struct Privacy, "privacy" {
        /// Such as `PII`, `confidential` or `public`.
        pub classification: Option<Located<String>>,
        /// Whether the General Data Protection Regulation applies.
        pub gdpr_applicable: Option<bool>,
        /// Such as `access`, `rectification` and `erasure`.
        pub data_subject_rights: Vec<String> = Vec::new(),
        /// Columns whose values tell about a person.
        pub pii_columns: Vec<Located<String>> = Vec::new(),
        /// The column by which a person's rows are found.
        pub subject_column: Option<Located<String>>,
        /// Why the data may be processed.
        pub legal_basis: Option<String>,
        /// What it is processed for.
        pub purpose: Option<String>,
        /// Anything else worth writing down.
        pub notes: Entries<String> = Entries::default(),
    }
}

record! {
    /// How a dataset may change. Known and not acted upon yet.
    pub struct Evolution, "evolution" {
        /// Between which versions readers keep working.
        pub compatibility: Option<Compatibility>,
        /// Whether columns may be added.
        pub allow_new_columns: Option<bool>,
        /// Whether columns may go.
        pub allow_column_removal: Option<bool>,
        /// Whether types may change.
        pub allow_type_changes: Option<bool>,
        /// Whether the dataset is on its way out, and what to use instead.
        pub deprecated: Option<String>,
        /// What changed, version by version.
        pub changes: Entries<String> = Entries::default(),
    }
}

choice! {
    /// Between which versions readers keep working.
    pub enum Compatibility {
        /// Readers of the new version can read old data.
        Backward = "backward",
        /// Readers of the old version can read new data.
        Forward = "forward",
        /// Both.
        Full = "full",
        /// Neither.
        None = "none",
    }
}

impl Contract {
    /// The column of this name, whatever the case of its letters.
    pub fn column(&self, name: &str) -> Option<&ContractColumn> {
        self.schema
            .columns
            .iter()
            .map(|column| &column.value)
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }

    /// Whether values of a column tell about a person, so that they are masked wherever rows are shown.
    ///
    /// A column that says nothing itself follows `privacy.pii_columns`, then `privacy.classification`.
    pub fn is_personal(&self, name: &str) -> bool {
        let column = self.column(name);
        if let Some(column) = column
            && (column.pii.is_some() || column.classification.is_some() || column.is_personal())
        {
            return column.is_personal();
        }
        let Some(privacy) = &self.privacy else {
            return false;
        };
        if !privacy.pii_columns.is_empty() {
            return privacy
                .pii_columns
                .iter()
                .any(|listed| listed.eq_ignore_ascii_case(name));
        }
        privacy.classification.as_ref().is_some_and(|said| {
            said.split(|c: char| !c.is_alphanumeric()).any(|word| {
                ["pii", "personal", "sensitive"]
                    .iter()
                    .any(|personal| word.eq_ignore_ascii_case(personal))
            })
        })
    }
}
