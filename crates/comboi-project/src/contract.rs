//! `transformations/contracts/*.yml`: what a dataset promises.

mod check;
mod constraint;
mod evolution;
mod pattern;
mod privacy;
mod quality;
mod retention;
mod rules;
mod terms;
mod value;

use crate::read::{Located, OneOrMany, Read, Reader, record};
use crate::yaml::Node;
use crate::{DatasetName, Place, SqlType, Stage};

pub(crate) use check::check;
pub use constraint::{Constraint, Constraints, Format, References};
pub use evolution::{Compatibility, Evolution, EvolutionMode};
pub use privacy::{Handled, Handling, Privacy};
pub use quality::{
    AggregateFunction, AggregateMatchRule, AggregateRule, ColumnRule, CompareOperator, CompareRule,
    CustomSqlRule, Direction, EqualityRule, ExpressionRule, FailedRowsRule, ForeignKeyRule,
    FormatRule, FreshnessRule, Gaps, LengthRule, MissingRule, MonotonicRule, MultipleOfRule,
    NoOverlapRule, PatternRule, QualityRule, QuarantineLimits, RangeRule, RowCountChangeRule,
    RowCountMatchRule, SequentialRule, SingleColumnRule, StepUnit, ValidityRule, ValuesRule,
    VolumeRule,
};
pub use retention::KeptFor;
pub(crate) use retention::check_age;
pub use rules::{Rule, RuleKind};
pub use terms::{Action, Between, Comparison, Dimension, Severity, Terms, Unit};

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
        /// How many rows may be kept from the dataset by rules with the action `quarantine` or `drop`.
        pub quarantine: Option<QuarantineLimits>,
        /// How fresh and complete it is.
        pub sla: Option<Sla>,
        /// What it holds about people.
        pub privacy: Option<Privacy>,
        /// How it may change.
        pub evolution: Option<Evolution>,
        /// The document of the Open Data Contract Standard that it came from, for what comboi has no word of its own.
        pub odcs: Option<Kept>,
    }
}

/// Something that is kept as it is, whatever it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept(pub serde_json::Value);

impl Read for Kept {
    fn read(node: &Node, _: &mut Reader) -> Option<Self> {
        Some(Self(crate::yaml::json(node)))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "object" })
    }
}

record! {
    /// The columns of a dataset.
    pub struct Schema, "the schema" {
        /// The columns, in any order.
        pub columns: Vec<Located<ContractColumn>>,
        /// Whether columns that are not listed are welcome: else each is a warning.
        pub allow_extra_columns: bool = false,
        /// Columns that are not listed and welcome nonetheless.
        pub extra_columns: Vec<String> = Vec::new(),
        /// Whether a column that is neither listed nor welcome is an error.
        pub exact: bool = false,
        /// Whether the columns have to come in the order in which they are listed.
        pub ordered: bool = false,
        /// The columns whose values together tell rows apart: never NULL, never twice.
        pub primary_key: Option<Located<OneOrMany<Located<String>>>>,
        /// Groups of columns whose values together are never there twice: a list of lists.
        pub unique_keys: Vec<Located<OneOrMany<Located<String>>>> = Vec::new(),
        /// Columns whose values together are a key of another dataset.
        pub foreign_keys: Vec<Located<ForeignKey>> = Vec::new(),
    }
}

record! {
    /// Columns whose values together are a key of another dataset.
    pub struct ForeignKey, "a foreign key" {
        /// The columns.
        pub columns: OneOrMany<Located<String>>,
        /// The other dataset, such as `customers_clean` or `bronze/shop/customers`.
        pub dataset: Located<String>,
        /// Its columns, in the same order; those of the same names by default.
        pub to: Option<OneOrMany<Located<String>>>,
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
        /// How loudly a broken constraint is told: `error` unless `action` says otherwise.
        pub severity: Option<Located<Severity>>,
        /// What becomes of the data when a constraint is broken: `fail` for an `error`, else `report`.
        pub action: Option<Located<Action>>,
        /// Whether its values tell about a person: then samples of rows show them masked.
        pub pii: Option<bool>,
        /// Such as `PII`, `confidential` or `public`.
        pub classification: Option<String>,
        /// That the column is on its way out: `true`, or since when and why. Runs say so.
        pub deprecated: Option<String>,
        /// The column to use instead of a deprecated one.
        pub replacement: Option<Located<String>>,
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
        /// By what share it grows from version to version at least: `0.05` is a twentieth.
        pub expected_growth_rate: Option<Located<f64>>,
        /// What it means when there are fewer.
        pub severity: Severity = Severity::Error,
    }
}

record! {
    /// How long rows are kept: `comboi retention` removes those that are older.
    pub struct Retention, "data retention" {
        /// In days, each of 24 hours.
        pub max_age_days: Option<Located<u64>>,
        /// The date or timestamp by which age is told; of a contract else `sla.freshness.column`, unless that says when a row was
        /// loaded or processed, else the first of `updated_at`, `modified_at`, `event_time`, `timestamp` and `created_at`
        /// that the contract has, else its only other date or timestamp.
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

impl Contract {
    /// The column of this name, whatever the case of its letters.
    pub fn column(&self, name: &str) -> Option<&ContractColumn> {
        self.schema
            .columns
            .iter()
            .map(|column| &column.value)
            .find(|column| column.name.eq_ignore_ascii_case(name))
    }
}
