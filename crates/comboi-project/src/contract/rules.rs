//! One model for every rule: what a contract promises as one list. What the engine does is exactly this.

mod from_contract;

pub(super) use from_contract::plain;

use std::time::Duration;

use super::constraint::Format;
use super::quality::{AggregateFunction, CompareOperator, Direction, Gaps, StepUnit};
use super::terms::{Action, Comparison, Dimension, Severity, Unit};
use crate::Place;
use crate::read::{Literal, Located};

/// One check of a contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As the contract names it, or made of column and constraint: `email_not_null`.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What is measured.
    pub kind: RuleKind,
    /// Over which rows: a condition in SQL. None: all.
    pub filter: Option<Located<String>>,
    /// In what it is measured.
    pub unit: Unit,
    /// What has to be true of what is measured, all of it. None: what [`RuleKind`] says.
    pub comparisons: Vec<Located<Comparison>>,
    /// How loudly it is told when it is broken.
    pub severity: Severity,
    /// What becomes of the data when it is broken.
    pub action: Action,
    /// What it is about.
    pub dimension: Option<Dimension>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Where it was written.
    pub place: Place,
}

/// What a rule measures. Columns are named as the contract names them.
///
/// [About rows](Self::is_about_rows): the rows that break the rule are counted, and there should be none. The others give a number,
/// and say here what it should be.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// No value is NULL.
    NotNull {
        /// In any of these columns; one at least.
        columns: Vec<String>,
    },
    /// No value is NULL or one that stands for nothing.
    Missing {
        /// In this column.
        column: String,
        /// What stands for nothing.
        values: Vec<Literal>,
    },
    /// No text is empty or nothing but white space.
    NotEmpty {
        /// In this column.
        column: String,
    },
    /// No two rows have the same values.
    Unique {
        /// In these columns taken together; one at least.
        columns: Vec<String>,
    },
    /// No value is less.
    MinValue {
        /// Of this column.
        column: String,
        /// In the digits of the contract.
        value: Literal,
    },
    /// No value is greater.
    MaxValue {
        /// Of this column.
        column: String,
        /// In the digits of the contract.
        value: Literal,
    },
    /// Every value is greater.
    GreaterThan {
        /// Of this column.
        column: String,
        /// In the digits of the contract.
        value: Literal,
    },
    /// Every value is less.
    LessThan {
        /// Of this column.
        column: String,
        /// In the digits of the contract.
        value: Literal,
    },
    /// No text has fewer characters.
    MinLength {
        /// Of this column.
        column: String,
        /// Characters.
        length: u64,
    },
    /// No text has more characters.
    MaxLength {
        /// Of this column.
        column: String,
        /// Characters.
        length: u64,
    },
    /// The regular expression is found somewhere in every text.
    Pattern {
        /// Of this column.
        column: String,
        /// In the syntax of RE2.
        pattern: String,
    },
    /// The regular expression is found in no text.
    NotPattern {
        /// Of this column.
        column: String,
        /// In the syntax of RE2.
        pattern: String,
    },
    /// There is no other value.
    AllowedValues {
        /// In this column.
        column: String,
        /// Than these; one at least.
        values: Vec<Literal>,
    },
    /// There is none of these values.
    RejectedValues {
        /// In this column.
        column: String,
        /// One at least.
        values: Vec<Literal>,
    },
    /// Every text has a well-known form.
    Format {
        /// Of this column.
        column: String,
        /// The form.
        format: Format,
    },
    /// Every number is a multiple of one.
    MultipleOf {
        /// Of this column.
        column: String,
        /// In the digits of the contract.
        value: Literal,
    },
    /// All of several things about one column; a row that breaks any of them is counted once.
    All {
        /// As the contract says it: `range`, `length` or `validity`.
        word: &'static str,
        /// The column.
        column: String,
        /// Each about rows, and about this column.
        parts: Vec<RuleKind>,
    },
    /// Every key is one of another dataset; a key with NULL in it is left aside.
    ForeignKey {
        /// These columns taken together; one at least.
        columns: Vec<String>,
        /// The other dataset, as the contract names it.
        dataset: String,
        /// Its columns, as many.
        to: Vec<String>,
        /// Only its rows for which this is true.
        to_filter: Option<Located<String>>,
    },
    /// A condition is not false for any row.
    Expression {
        /// The condition.
        expression: Located<String>,
    },
    /// Two columns of each row compare as they should, or one of them is NULL.
    Compare {
        /// The first.
        column: String,
        /// How they compare.
        operator: CompareOperator,
        /// The second.
        other: String,
    },
    /// No value goes the other way than the one before it.
    Monotonic {
        /// Of this column.
        column: String,
        /// By which rows follow each other. None: as they are stored.
        order_by: Option<String>,
        /// Only rows with the same values in these follow each other.
        group_by: Vec<String>,
        /// Which way.
        direction: Direction,
        /// Whether equal values break it.
        strict: bool,
    },
    /// No value is further from the one before it than a step, or nearer.
    Sequential {
        /// Of this column.
        column: String,
        /// How many.
        step: u64,
        /// Of what, where values are dates or timestamps.
        step_unit: Option<StepUnit>,
        /// Only rows with the same values in these follow each other.
        group_by: Vec<String>,
    },
    /// No range overlaps another.
    NoOverlap {
        /// The column with the beginnings, which belong to their ranges.
        from: String,
        /// The column with the ends, which do not; NULL is open.
        to: String,
        /// Only ranges with the same values in these.
        group_by: Vec<String>,
        /// Between one range and the next.
        gaps: Gaps,
        /// Whether a range may end where it begins.
        empty_ranges: bool,
    },
    /// The number of rows.
    RowCount {
        /// Not fewer.
        min: Option<u64>,
        /// Not more.
        max: Option<u64>,
    },
    /// The number of rows less what there was, in percent of that unless in rows.
    RowCountChange {
        /// The average of so many versions before is what there was.
        versions: u32,
    },
    /// The newest row is not older.
    Freshness {
        /// By this date or timestamp.
        column: String,
        /// Than this.
        max_age: Duration,
    },
    /// What is computed of a column.
    Aggregate {
        /// How.
        function: AggregateFunction,
        /// Of this column.
        column: String,
        /// For quantiles: which, from 0 to 1.
        quantile: Option<f64>,
    },
    /// The number of rows less that of another dataset: 0.
    RowCountMatch {
        /// The other dataset, as the contract names it.
        dataset: String,
        /// Only its rows for which this is true.
        other_filter: Option<Located<String>>,
    },
    /// How many rows are in one of two datasets only: 0.
    Equality {
        /// The other dataset, as the contract names it.
        dataset: String,
        /// The columns that are compared; one at least.
        columns: Vec<String>,
        /// Those of the other dataset, as many.
        other_columns: Vec<String>,
        /// Only its rows for which this is true.
        other_filter: Option<Located<String>>,
    },
    /// What is computed of a column less what is computed of one of another dataset: 0.
    AggregateMatch {
        /// How.
        function: AggregateFunction,
        /// Of this column.
        column: String,
        /// For quantiles: which, from 0 to 1.
        quantile: Option<f64>,
        /// The other dataset, as the contract names it.
        dataset: String,
        /// Its column.
        other_column: String,
        /// Only its rows for which this is true.
        other_filter: Option<Located<String>>,
    },
    /// A query returns one number.
    CustomSql {
        /// One `SELECT`; `{dataset}` stands for the dataset.
        query: Located<String>,
        /// The number, if one was given or nothing else was said.
        expected: Option<Literal>,
    },
    /// How many rows a query returns: 0.
    FailedRows {
        /// One `SELECT`; `{dataset}` stands for the dataset.
        query: Located<String>,
    },
}

impl RuleKind {
    /// The kind as a report names it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotNull { .. } => "not_null",
            Self::Missing { .. } => "missing",
            Self::NotEmpty { .. } => "not_empty",
            Self::Unique { .. } => "unique",
            Self::MinValue { .. } => "min_value",
            Self::MaxValue { .. } => "max_value",
            Self::GreaterThan { .. } => "greater_than",
            Self::LessThan { .. } => "less_than",
            Self::MinLength { .. } => "min_length",
            Self::MaxLength { .. } => "max_length",
            Self::Pattern { .. } => "pattern",
            Self::NotPattern { .. } => "not_pattern",
            Self::AllowedValues { .. } => "allowed_values",
            Self::RejectedValues { .. } => "rejected_values",
            Self::Format { .. } => "format",
            Self::MultipleOf { .. } => "multiple_of",
            Self::All { word, .. } => word,
            Self::ForeignKey { .. } => "foreign_key",
            Self::Expression { .. } => "expression",
            Self::Compare { .. } => "compare",
            Self::Monotonic { .. } => "monotonic",
            Self::Sequential { .. } => "sequential",
            Self::NoOverlap { .. } => "no_overlap",
            Self::RowCount { .. } => "row_count",
            Self::RowCountChange { .. } => "row_count_change",
            Self::Freshness { .. } => "freshness",
            Self::Aggregate { .. } => "aggregate",
            Self::RowCountMatch { .. } => "row_count_match",
            Self::Equality { .. } => "equality",
            Self::AggregateMatch { .. } => "aggregate_match",
            Self::CustomSql { .. } => "custom_sql",
            Self::FailedRows { .. } => "failed_rows",
        }
    }

    /// The other dataset that it is about, and which rows of it.
    pub fn other(&self) -> Option<(&str, Option<&Located<String>>)> {
        match self {
            Self::ForeignKey {
                dataset,
                to_filter: filter,
                ..
            }
            | Self::RowCountMatch {
                dataset,
                other_filter: filter,
            }
            | Self::Equality {
                dataset,
                other_filter: filter,
                ..
            }
            | Self::AggregateMatch {
                dataset,
                other_filter: filter,
                ..
            } => Some((dataset, filter.as_ref())),
            _ => None,
        }
    }

    /// Whether it is broken by rows, which can be counted, shown and compared with a number of rows or a percentage.
    pub fn is_about_rows(&self) -> bool {
        self.can_set_aside() || matches!(self, Self::Monotonic { .. } | Self::Sequential { .. })
    }

    /// Whether what stays keeps the rule once the rows that break it are taken away.
    pub fn can_set_aside(&self) -> bool {
        match self {
            Self::NotNull { .. }
            | Self::Missing { .. }
            | Self::NotEmpty { .. }
            | Self::Unique { .. }
            | Self::MinValue { .. }
            | Self::MaxValue { .. }
            | Self::GreaterThan { .. }
            | Self::LessThan { .. }
            | Self::MinLength { .. }
            | Self::MaxLength { .. }
            | Self::Pattern { .. }
            | Self::NotPattern { .. }
            | Self::AllowedValues { .. }
            | Self::RejectedValues { .. }
            | Self::Format { .. }
            | Self::MultipleOf { .. }
            | Self::All { .. }
            | Self::ForeignKey { .. }
            | Self::Expression { .. }
            | Self::Compare { .. } => true,
            // Where there has to be no gap, taking a range away makes one.
            Self::NoOverlap { gaps, .. } => *gaps != Gaps::Forbidden,
            Self::Monotonic { .. }
            | Self::Sequential { .. }
            | Self::RowCount { .. }
            | Self::RowCountChange { .. }
            | Self::Freshness { .. }
            | Self::Aggregate { .. }
            | Self::RowCountMatch { .. }
            | Self::Equality { .. }
            | Self::AggregateMatch { .. }
            | Self::CustomSql { .. }
            | Self::FailedRows { .. } => false,
        }
    }

    /// The dataset that it is held against, as the contract names it.
    pub fn other_dataset(&self) -> Option<&str> {
        match self {
            Self::ForeignKey { dataset, .. }
            | Self::RowCountMatch { dataset, .. }
            | Self::Equality { dataset, .. }
            | Self::AggregateMatch { dataset, .. } => Some(dataset),
            _ => None,
        }
    }

    /// Whether it can be measured in percent of rows.
    pub fn has_percent(&self) -> bool {
        self.is_about_rows()
            || matches!(
                self,
                Self::RowCountChange { .. }
                    | Self::RowCountMatch { .. }
                    | Self::Equality { .. }
                    | Self::AggregateMatch { .. }
                    | Self::FailedRows { .. }
            )
    }
}
