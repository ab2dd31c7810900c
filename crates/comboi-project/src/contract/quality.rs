//! `quality_rules`: each type of rule with its own keys.

use super::constraint::{Constraints, Format};
use super::terms::{Terms, rule};
use crate::Place;
use crate::read::{Literal, Located, OneOrMany, choice, record, tagged};

macro_rules! rules {
    ( $( $(#[doc = $doc:literal])* $variant:ident($type:ty) = $word:literal ),* $(,)? ) => {
        tagged! {
            /// Something that the rows of a dataset keep.
            pub enum QualityRule, "a quality rule", by "type" {
                $( $(#[doc = $doc])* $variant($type) = $word, )*
            }
        }

        impl QualityRule {
            /// What it says besides what it is about.
            pub fn terms(&self) -> Terms {
                match self { $( Self::$variant(rule) => rule.terms(), )* }
            }

            /// Its name.
            pub fn name(&self) -> &Located<String> {
                match self { $( Self::$variant(rule) => &rule.name, )* }
            }

            /// Its type, as it is written.
            pub fn type_name(&self) -> &'static str {
                match self { $( Self::$variant(_) => $word, )* }
            }
        }
    };
}

rules! {
    /// Columns are never NULL.
    NotNull(ColumnRule) = "not_null",
    /// A column has a value: neither NULL nor one of those that stand for nothing.
    Missing(MissingRule) = "missing",
    /// A text is neither empty nor nothing but white space.
    NotEmpty(SingleColumnRule) = "not_empty",
    /// No two rows have the same values in columns.
    Uniqueness(ColumnRule) = "uniqueness",
    /// There is no other value than these.
    AcceptedValues(ValuesRule) = "accepted_values",
    /// There is none of these values.
    RejectedValues(ValuesRule) = "rejected_values",
    /// Values lie between bounds.
    Range(RangeRule) = "range",
    /// Texts are neither too short nor too long.
    Length(LengthRule) = "length",
    /// A regular expression is found in every text.
    Pattern(PatternRule) = "pattern",
    /// A regular expression is found in no text.
    NotPattern(PatternRule) = "not_pattern",
    /// Texts have a well-known form.
    Format(FormatRule) = "format",
    /// Numbers are multiples of one.
    MultipleOf(MultipleOfRule) = "multiple_of",
    /// Values keep several constraints; those that break one at least are counted once.
    Validity(ValidityRule) = "validity",
    /// Every key is one of another dataset.
    ForeignKey(ForeignKeyRule) = "foreign_key",
    /// A condition is true of every row.
    Expression(ExpressionRule) = "expression",
    /// Two columns of each row compare as they should.
    Compare(CompareRule) = "compare",
    /// Values only grow, or only fall.
    Monotonic(MonotonicRule) = "monotonic",
    /// Values go on step by step, without a gap.
    Sequential(SequentialRule) = "sequential",
    /// Ranges of different rows do not overlap.
    NoOverlap(NoOverlapRule) = "no_overlap",
    /// The number of rows has bounds.
    Volume(VolumeRule) = "volume",
    /// The number of rows does not change by too much from version to version.
    RowCountChange(RowCountChangeRule) = "row_count_change",
    /// The newest row is not too old.
    Freshness(FreshnessRule) = "freshness",
    /// What is computed of a whole column has bounds.
    Aggregate(AggregateRule) = "aggregate",
    /// There are as many rows as in another dataset.
    RowCountMatch(RowCountMatchRule) = "row_count_match",
    /// The rows are those of another dataset.
    Equality(EqualityRule) = "equality",
    /// What is computed of a column is what it is in another dataset.
    AggregateMatch(AggregateMatchRule) = "aggregate_match",
    /// A query returns the number that is expected.
    CustomSql(CustomSqlRule) = "custom_sql",
    /// A query returns no rows.
    FailedRows(FailedRowsRule) = "failed_rows",
}

rule! {
    /// A rule on columns.
    pub struct ColumnRule, "a rule on columns" {
        /// The column.
        pub column: Option<Located<String>>,
        /// The columns, when there are several.
        pub columns: Option<OneOrMany<Located<String>>>,
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

rule! {
    /// A rule on one column.
    pub struct SingleColumnRule, "a rule on a column" {
        /// The column.
        pub column: Located<String>,
    }
}

rule! {
    /// A rule on values that are missing.
    pub struct MissingRule, "a rule on missing values" {
        /// The column.
        pub column: Located<String>,
        /// What stands for nothing, besides NULL: the empty text by default.
        pub values: Option<OneOrMany<Literal>>,
    }
}

rule! {
    /// A rule on the values that a column may have.
    pub struct ValuesRule, "a rule on values" {
        /// The column.
        pub column: Located<String>,
        /// The values.
        pub values: Located<OneOrMany<Literal>>,
    }
}

rule! {
    /// A rule on the bounds of values.
    pub struct RangeRule, "a rule on bounds" {
        /// The column.
        pub column: Located<String>,
        /// The least value.
        pub min_value: Option<Located<Literal>>,
        /// The greatest value.
        pub max_value: Option<Located<Literal>>,
        /// Values have to be greater than this.
        pub greater_than: Option<Located<Literal>>,
        /// Values have to be less than this.
        pub less_than: Option<Located<Literal>>,
    }
}

rule! {
    /// A rule on the length of texts.
    pub struct LengthRule, "a rule on lengths" {
        /// The column.
        pub column: Located<String>,
        /// The least number of characters.
        pub min_length: Option<Located<u64>>,
        /// The greatest number of characters.
        pub max_length: Option<Located<u64>>,
    }
}

rule! {
    /// A rule with a regular expression.
    pub struct PatternRule, "a rule with a pattern" {
        /// The column.
        pub column: Located<String>,
        /// The regular expression; `^` and `$` hold it to the whole text.
        pub pattern: Located<String>,
    }
}

rule! {
    /// A rule on the form of texts.
    pub struct FormatRule, "a rule on a format" {
        /// The column.
        pub column: Located<String>,
        /// The form.
        pub format: Located<Format>,
    }
}

rule! {
    /// A rule on multiples.
    pub struct MultipleOfRule, "a rule on multiples" {
        /// The column.
        pub column: Located<String>,
        /// The number of which every value is a multiple.
        pub multiple_of: Located<Literal>,
    }
}

rule! {
    /// A rule of several constraints.
    pub struct ValidityRule, "a rule on validity" {
        /// The column.
        pub column: Located<String>,
        /// What its values keep, as it is written for a column of the schema; not `unique` and `foreign_key`.
        pub constraints: Located<Constraints>,
    }
}

rule! {
    /// A rule on keys of another dataset. A key with NULL in it refers to nothing and keeps the rule.
    pub struct ForeignKeyRule, "a rule on a foreign key" {
        /// The column.
        pub column: Option<Located<String>>,
        /// The columns, when there are several.
        pub columns: Option<OneOrMany<Located<String>>>,
        /// The other dataset, such as `customers_clean` or `bronze/shop/customers`.
        pub dataset: Located<String>,
        /// Its columns, in the same order; those of the same names by default.
        pub to: Option<OneOrMany<Located<String>>>,
        /// Only keys of the other dataset for which this is true.
        pub to_where: Option<Located<String>>,
    }
}

impl ForeignKeyRule {
    /// The columns it is about, in the order of the file.
    pub fn all_columns(&self) -> impl Iterator<Item = &Located<String>> {
        self.column
            .iter()
            .chain(self.columns.iter().flat_map(|columns| columns.iter()))
    }
}

rule! {
    /// A condition on a row.
    pub struct ExpressionRule, "a rule with an expression" {
        /// A condition in SQL over one row. A row for which it is NULL keeps the rule.
        pub expression: Located<String>,
    }
}

choice! {
    /// How two columns compare.
    pub enum CompareOperator {
        /// The first is less.
        Less = "<",
        /// The first is not greater.
        LessOrEqual = "<=",
        /// They are equal.
        Equal = "=",
        /// They differ.
        NotEqual = "!=",
        /// The first is not less.
        GreaterOrEqual = ">=",
        /// The first is greater.
        Greater = ">",
    }
}

rule! {
    /// A rule on two columns of a row. A row with NULL in one of them keeps the rule.
    pub struct CompareRule, "a rule on two columns" {
        /// The first column.
        pub column: Located<String>,
        /// How it has to compare with the other.
        pub operator: Located<CompareOperator>,
        /// The other column.
        pub other_column: Located<String>,
    }
}

choice! {
    /// Which way values go.
    pub enum Direction {
        /// They grow.
        Increasing = "increasing",
        /// They fall.
        Decreasing = "decreasing",
    }
}

rule! {
    /// A rule on the order of values. Rows with NULL in the column are left aside.
    pub struct MonotonicRule, "a rule on the order of values" {
        /// The column.
        pub column: Located<String>,
        /// The column by which rows follow each other; the order in which they are stored by default.
        pub order_by: Option<Located<String>>,
        /// Only rows with the same values in these columns follow each other.
        pub group_by: Option<OneOrMany<Located<String>>>,
        /// Which way.
        pub direction: Direction = Direction::Increasing,
        /// Whether equal values that follow each other break the rule.
        pub strict: bool = false,
    }
}

choice! {
    /// What a step is made of where values are dates or timestamps.
    pub enum StepUnit {
        /// Seconds.
        Second = "second",
        /// Minutes.
        Minute = "minute",
        /// Hours.
        Hour = "hour",
        /// Days.
        Day = "day",
        /// Weeks.
        Week = "week",
        /// Months.
        Month = "month",
        /// Years.
        Year = "year",
    }
}

rule! {
    /// A rule on gaps. Rows with NULL in the column are left aside.
    pub struct SequentialRule, "a rule on gaps" {
        /// The column: whole numbers, dates or timestamps.
        pub column: Located<String>,
        /// How far one value is from the next.
        pub step: Located<u64> = Located::new(1, Place::file("")),
        /// Of what, for dates (days by default) and timestamps.
        pub step_unit: Option<Located<StepUnit>>,
        /// Only rows with the same values in these columns follow each other.
        pub group_by: Option<OneOrMany<Located<String>>>,
    }
}

choice! {
    /// Whether there may be something between one range and the next.
    pub enum Gaps {
        /// There may be.
        Allowed = "allowed",
        /// One range ends where the next begins.
        Forbidden = "forbidden",
        /// There has to be.
        Required = "required",
    }
}

rule! {
    /// A rule on ranges. A range includes its beginning and not its end; an end that is NULL is open.
    pub struct NoOverlapRule, "a rule on ranges" {
        /// The column with the beginning of a range.
        pub from_column: Located<String>,
        /// The column with its end.
        pub to_column: Located<String>,
        /// Only ranges with the same values in these columns may not overlap.
        pub group_by: Option<OneOrMany<Located<String>>>,
        /// Whether there may be something between one range and the next.
        pub gaps: Gaps = Gaps::Allowed,
        /// Whether a range may end where it begins.
        pub empty_ranges: bool = false,
    }
}

rule! {
    /// A rule on the number of rows.
    pub struct VolumeRule, "a rule on the number of rows" {
        /// The least number of rows.
        pub min_rows: Option<Located<u64>>,
        /// The greatest number of rows.
        pub max_rows: Option<Located<u64>>,
    }
}

rule! {
    /// A rule on the change of the number of rows: what there is now less what there was, in percent of that unless `unit` is `rows`.
    pub struct RowCountChangeRule, "a rule on a change" {
        /// Compare with the average of so many versions before.
        pub versions: Located<u32> = Located::new(1, Place::file("")),
    }
}

rule! {
    /// A rule on the age of the newest row.
    pub struct FreshnessRule, "a rule on freshness" {
        /// The date or timestamp by which age is told.
        pub column: Located<String>,
        /// How old the newest row may be, in hours, a fraction being welcome.
        pub max_age_hours: Located<f64>,
    }
}

choice! {
    /// What is computed of a whole column. NULL is left aside.
    pub enum AggregateFunction {
        /// How many values there are.
        Count = "count",
        /// How many different values there are.
        DistinctCount = "distinct_count",
        /// Their sum.
        Sum = "sum",
        /// Their mean.
        Avg = "avg",
        /// The least.
        Min = "min",
        /// The greatest.
        Max = "max",
        /// The standard deviation of a sample.
        StdDev = "stddev",
        /// The variance of a sample.
        Variance = "variance",
        /// The value in the middle.
        Median = "median",
        /// The value below which a given share of the values lies.
        Quantile = "quantile",
        /// The length of the shortest text.
        MinLength = "min_length",
        /// The length of the longest text.
        MaxLength = "max_length",
        /// The mean length of texts.
        AvgLength = "avg_length",
    }
}

rule! {
    /// A rule on what is computed of a column.
    pub struct AggregateRule, "a rule on an aggregate" {
        /// What is computed.
        pub function: Located<AggregateFunction>,
        /// The column.
        pub column: Located<String>,
        /// For `quantile`: which one, from 0 to 1.
        pub quantile: Option<Located<f64>>,
    }
}

rule! {
    /// A rule on the numbers of rows of two datasets: those of this one less those of the other.
    pub struct RowCountMatchRule, "a rule on two numbers of rows" {
        /// The other dataset.
        pub dataset: Located<String>,
        /// Only rows of the other dataset for which this is true.
        pub other_where: Option<Located<String>>,
    }
}

rule! {
    /// A rule on the rows of two datasets: how many are in one of them only, each as often as it is there.
    pub struct EqualityRule, "a rule on the rows of two datasets" {
        /// The other dataset.
        pub dataset: Located<String>,
        /// The columns to compare; all that the contract has by default.
        pub columns: Option<OneOrMany<Located<String>>>,
        /// The columns of the other dataset, in the same order; those of the same names by default.
        pub other_columns: Option<OneOrMany<Located<String>>>,
        /// Only rows of the other dataset for which this is true.
        pub other_where: Option<Located<String>>,
    }
}

rule! {
    /// A rule on an aggregate of two datasets: that of this one less that of the other.
    pub struct AggregateMatchRule, "a rule on two aggregates" {
        /// What is computed.
        pub function: Located<AggregateFunction>,
        /// The column.
        pub column: Located<String>,
        /// For `quantile`: which one, from 0 to 1.
        pub quantile: Option<Located<f64>>,
        /// The other dataset.
        pub dataset: Located<String>,
        /// Its column; the one of the same name by default.
        pub other_column: Option<Located<String>>,
        /// Only rows of the other dataset for which this is true.
        pub other_where: Option<Located<String>>,
    }
}

rule! {
    /// A rule that is a query.
    pub struct CustomSqlRule, "a rule in SQL" {
        /// One `SELECT` that returns one number; `{dataset}` stands for the dataset.
        pub query: Located<String>,
        /// The number it has to return: 0 unless `must_…` says otherwise.
        pub expected: Option<Located<Literal>>,
    }
}

rule! {
    /// A query for rows that should not be there.
    pub struct FailedRowsRule, "a query for failed rows" {
        /// One `SELECT`; `{dataset}` stands for the dataset.
        pub query: Located<String>,
    }
}

record! {
    /// How many rows may be set aside by rules with the action `quarantine` or `drop`. Beyond that nothing is published.
    pub struct QuarantineLimits, "the quarantine" {
        /// So many rows at most.
        pub max_rows: Option<Located<u64>>,
        /// So many hundredths of the rows at most.
        pub max_percent: Option<Located<f64>>,
    }
}
