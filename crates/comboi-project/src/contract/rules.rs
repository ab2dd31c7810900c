//! Every check of a contract, as one list: what the engine does is exactly this.

use std::time::Duration;

use super::{Constraint, Contract, ContractColumn, QualityRule, Severity};
use crate::Place;
use crate::read::{Literal, Located};

/// One check of a contract.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// As the contract names it, or made of column and constraint: `email_not_null`.
    pub name: String,
    /// What is checked.
    pub kind: RuleKind,
    /// What it means when it is broken.
    pub severity: Severity,
    /// Where it was written.
    pub place: Place,
}

/// What a rule checks. Columns are named as the contract names them.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleKind {
    /// No value is NULL.
    NotNull {
        /// In any of these columns; one at least.
        columns: Vec<String>,
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
    /// There is no other value.
    AllowedValues {
        /// In this column.
        column: String,
        /// Than these; one at least.
        values: Vec<Literal>,
    },
    /// The number of rows has bounds.
    RowCount {
        /// Not fewer.
        min: Option<u64>,
        /// Not more.
        max: Option<u64>,
    },
    /// A query returns one number.
    CustomSql {
        /// One `SELECT`; `{dataset}` stands for the dataset.
        query: String,
        /// Where the query begins, for errors of DuckDB that name a line.
        query_place: Place,
        /// The number.
        expected: Literal,
    },
    /// The newest row is not older.
    Freshness {
        /// By this date or timestamp.
        column: String,
        /// Than this.
        max_age: Duration,
    },
}

impl RuleKind {
    /// The kind as a report names it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NotNull { .. } => "not_null",
            Self::Unique { .. } => "unique",
            Self::MinValue { .. } => "min_value",
            Self::MaxValue { .. } => "max_value",
            Self::MinLength { .. } => "min_length",
            Self::MaxLength { .. } => "max_length",
            Self::Pattern { .. } => "pattern",
            Self::AllowedValues { .. } => "allowed_values",
            Self::RowCount { .. } => "row_count",
            Self::CustomSql { .. } => "custom_sql",
            Self::Freshness { .. } => "freshness",
        }
    }
}

/// Columns by which the age of a dataset is told, the most telling first.
const FRESHNESS_COLUMNS: [&str; 8] = [
    "updated_at",
    "modified_at",
    "loaded_at",
    "processed_at",
    "event_time",
    "timestamp",
    "created_at",
    "_comboi_loaded_at",
];

impl Contract {
    /// Every check of the contract but the columns' presence and types, in the order of the contract: columns with
    /// their constraints, quality rules, SLA.
    ///
    /// What is written twice is checked and reported twice, under each of its names; only `nullable: false` beside
    /// `not_null: true` of the same column is one rule.
    pub fn rules(&self) -> Vec<Rule> {
        let columns = self
            .schema
            .columns
            .iter()
            .flat_map(|column| column_rules(column));
        let quality = self.quality_rules.iter().map(quality_rule);
        columns.chain(quality).chain(self.sla_rules()).collect()
    }

    /// The column by which the age of the dataset is told: see [`Freshness::column`](super::Freshness::column). None
    /// when there is no freshness to hold, or several columns may be meant (which is a problem of the contract).
    pub fn freshness_column(&self) -> Option<&str> {
        let freshness = self.sla.as_ref()?.freshness.as_ref()?;
        if let Some(column) = &freshness.column {
            return Some(column.as_str());
        }
        let moments: Vec<&str> = self
            .schema
            .columns
            .iter()
            .filter(|column| column.sql_type.is_moment())
            .map(|column| column.name.as_str())
            .collect();
        let telling = FRESHNESS_COLUMNS.iter().find_map(|telling| {
            moments
                .iter()
                .find(|name| name.eq_ignore_ascii_case(telling))
        });
        match (telling, moments.as_slice()) {
            (Some(column), _) | (None, [column]) => Some(column),
            // A contract need not list every column: the dataset may have the most usual one.
            (None, []) => FRESHNESS_COLUMNS.first().copied(),
            (None, _) => None,
        }
    }

    fn sla_rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let Some(sla) = &self.sla else { return rules };
        if let Some(freshness) = &sla.freshness
            && let Some(column) = self.freshness_column()
            && let Ok(max_age) = Duration::try_from_secs_f64(freshness.max_age_hours.value * 3600.0)
        {
            rules.push(Rule {
                name: "sla_freshness".to_owned(),
                kind: RuleKind::Freshness {
                    column: column.to_owned(),
                    max_age,
                },
                severity: freshness.severity,
                place: freshness.place.clone(),
            });
        }
        if let Some(completeness) = &sla.completeness
            && let Some(min) = &completeness.min_row_count
        {
            rules.push(Rule {
                name: "sla_completeness".to_owned(),
                kind: RuleKind::RowCount {
                    min: Some(min.value),
                    max: None,
                },
                severity: completeness.severity,
                place: min.place.clone(),
            });
        }
        rules
    }
}

fn column_rules(column: &ContractColumn) -> Vec<Rule> {
    let name = &column.name.value;
    let constraints = &column.constraints.0;
    let says_not_null = constraints
        .iter()
        .any(|one| matches!(one.value, Constraint::NotNull(true)));
    let rule = |suffix: &str, kind: RuleKind, place: &Place| Rule {
        name: format!("{name}_{suffix}"),
        kind,
        severity: Severity::Error,
        place: place.clone(),
    };
    let mut rules = Vec::new();
    if !column.nullable.value && !says_not_null {
        rules.push(rule(
            "not_null",
            RuleKind::NotNull {
                columns: vec![name.clone()],
            },
            &column.nullable.place,
        ));
    }
    for one in constraints {
        if let Some(kind) = constraint_kind(name, &one.value) {
            rules.push(rule(one.key(), kind, &one.place));
        }
    }
    rules
}

/// None: the constraint says that there is none (`unique: false`).
fn constraint_kind(column: &str, constraint: &Constraint) -> Option<RuleKind> {
    let column = column.to_owned();
    Some(match constraint {
        Constraint::Unique(false) | Constraint::NotNull(false) => return None,
        Constraint::Unique(true) => RuleKind::Unique {
            columns: vec![column],
        },
        Constraint::NotNull(true) => RuleKind::NotNull {
            columns: vec![column],
        },
        Constraint::MinValue(value) => RuleKind::MinValue {
            column,
            value: value.clone(),
        },
        Constraint::MaxValue(value) => RuleKind::MaxValue {
            column,
            value: value.clone(),
        },
        Constraint::MinLength(length) => RuleKind::MinLength {
            column,
            length: *length,
        },
        Constraint::MaxLength(length) => RuleKind::MaxLength {
            column,
            length: *length,
        },
        Constraint::Pattern(pattern) => RuleKind::Pattern {
            column,
            pattern: pattern.clone(),
        },
        Constraint::AllowedValues(values) => RuleKind::AllowedValues {
            column,
            values: values.clone(),
        },
    })
}

fn quality_rule(rule: &Located<QualityRule>) -> Rule {
    let columns = |rule: &super::ColumnRule| {
        rule.all_columns()
            .map(|column| column.value.clone())
            .collect()
    };
    let (kind, severity) = match &rule.value {
        QualityRule::NotNull(not_null) => (
            RuleKind::NotNull {
                columns: columns(not_null),
            },
            not_null.severity,
        ),
        QualityRule::Uniqueness(unique) => (
            RuleKind::Unique {
                columns: columns(unique),
            },
            unique.severity,
        ),
        QualityRule::Volume(volume) => {
            let bound = |bound: &Option<Located<u64>>| bound.as_ref().map(|bound| bound.value);
            (
                RuleKind::RowCount {
                    min: bound(&volume.min_rows),
                    max: bound(&volume.max_rows),
                },
                volume.severity,
            )
        }
        QualityRule::CustomSql(custom) => {
            let kind = RuleKind::CustomSql {
                query: custom.query.value.clone(),
                query_place: custom.query.place.clone(),
                expected: custom.expected.value.clone(),
            };
            (kind, custom.severity)
        }
    };
    Rule {
        name: rule.name().value.clone(),
        kind,
        severity,
        place: rule.place.clone(),
    }
}
