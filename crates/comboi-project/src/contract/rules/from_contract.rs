//! From what people write to rules: columns with their constraints, keys, quality rules, SLA.

use std::time::Duration;

use super::{Rule, RuleKind};
use crate::Place;
use crate::contract::constraint::Constraint;
use crate::contract::quality::{ColumnRule, QualityRule, RangeRule};
use crate::contract::terms::{Action, Comparison, Severity, Terms, Unit, severity_and_action};
use crate::contract::{Completeness, Contract, ContractColumn};
use crate::read::{Literal, Located, OneOrMany};

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
    /// their constraints, keys of several columns, quality rules, SLA, what was handled.
    ///
    /// What is written twice is checked and reported twice, under each of its names; only `nullable: false` beside
    /// `not_null: true` of the same column is one rule.
    pub fn rules(&self) -> Vec<Rule> {
        let columns = self
            .schema
            .columns
            .iter()
            .flat_map(|column| column_rules(column));
        let quality = self
            .quality_rules
            .iter()
            .map(|rule| self.quality_rule(rule));
        columns
            .chain(self.key_rules())
            .chain(quality)
            .chain(self.sla_rules())
            .chain(self.privacy_rules())
            .collect()
    }

    /// The column by which the age of the dataset is told: see [`Freshness::column`](crate::Freshness::column). None
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

    /// The datasets that its rules are held against, each once, with the place of its first mention.
    pub fn other_datasets(&self) -> Vec<Located<String>> {
        let mut found: Vec<Located<String>> = Vec::new();
        let columns = self.schema.columns.iter();
        let constraints = columns.flat_map(|column| &column.constraints.0);
        let of_columns = constraints.filter_map(|one| match &one.value {
            Constraint::ForeignKey(references) => Some(&references.dataset),
            _ => None,
        });
        let of_keys = self.schema.foreign_keys.iter().map(|key| &key.dataset);
        let of_rules = self
            .quality_rules
            .iter()
            .filter_map(|rule| match &rule.value {
                QualityRule::ForeignKey(rule) => Some(&rule.dataset),
                QualityRule::RowCountMatch(rule) => Some(&rule.dataset),
                QualityRule::Equality(rule) => Some(&rule.dataset),
                QualityRule::AggregateMatch(rule) => Some(&rule.dataset),
                _ => None,
            });
        for dataset in of_columns.chain(of_keys).chain(of_rules) {
            if found.iter().all(|known| known.value != dataset.value) {
                found.push(dataset.clone());
            }
        }
        found
    }

    fn key_rules(&self) -> Vec<Rule> {
        let schema = &self.schema;
        let mut rules = Vec::new();
        if let Some(key) = &schema.primary_key {
            let columns = names(&key.value);
            rules.push(plain(
                "primary_key_not_null".to_owned(),
                RuleKind::NotNull {
                    columns: columns.clone(),
                },
                &key.place,
            ));
            rules.push(plain(
                "primary_key_unique".to_owned(),
                RuleKind::Unique { columns },
                &key.place,
            ));
        }
        for key in &schema.unique_keys {
            let columns = names(&key.value);
            rules.push(plain(
                format!("{}_unique", columns.join("_")),
                RuleKind::Unique { columns },
                &key.place,
            ));
        }
        for key in &schema.foreign_keys {
            let columns = names(&key.columns);
            let kind = RuleKind::ForeignKey {
                dataset: key.dataset.value.clone(),
                to: key.to.as_ref().map_or_else(|| columns.clone(), names),
                to_filter: None,
                columns,
            };
            rules.push(plain(
                format!("{}_foreign_key", names(&key.columns).join("_")),
                kind,
                &key.place,
            ));
        }
        rules
    }

    fn sla_rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let Some(sla) = &self.sla else { return rules };
        if let Some(freshness) = &sla.freshness
            && let Some(column) = self.freshness_column()
            && let Some(max_age) = hours(freshness.max_age_hours.value)
        {
            let kind = RuleKind::Freshness {
                column: column.to_owned(),
                max_age,
            };
            let rule = plain("sla_freshness".to_owned(), kind, &freshness.place);
            rules.push(with_severity(rule, freshness.severity));
        }
        if let Some(completeness) = &sla.completeness {
            rules.extend(completeness_rules(completeness));
        }
        rules
    }

    pub(in crate::contract) fn quality_rule(&self, rule: &Located<QualityRule>) -> Rule {
        let kind = self.kind(&rule.value);
        let Terms {
            name,
            description,
            filter,
            unit,
            comparisons,
            severity,
            action,
            dimension,
            tags,
        } = rule.terms();
        let (severity, action) =
            severity_and_action(severity.map(|it| it.value), action.map(|it| it.value));
        let usual = match kind {
            RuleKind::RowCountChange { .. } => Unit::Percent,
            _ => Unit::Rows,
        };
        Rule {
            name: name.value,
            description,
            filter,
            unit: unit.map_or(usual, |unit| unit.value),
            comparisons,
            severity,
            action,
            dimension,
            tags,
            kind,
            place: rule.place.clone(),
        }
    }

    fn kind(&self, rule: &QualityRule) -> RuleKind {
        let one = |column: &Located<String>| column.value.clone();
        let many = |columns: &Option<OneOrMany<Located<String>>>| {
            columns.as_ref().map(names).unwrap_or_default()
        };
        let several = |rule: &ColumnRule| rule.all_columns().map(one).collect();
        match rule {
            QualityRule::NotNull(rule) => RuleKind::NotNull {
                columns: several(rule),
            },
            QualityRule::Missing(rule) => RuleKind::Missing {
                column: one(&rule.column),
                values: rule.values.as_ref().map_or_else(
                    || vec![literal("", true)],
                    |OneOrMany(values)| values.clone(),
                ),
            },
            QualityRule::NotEmpty(rule) => RuleKind::NotEmpty {
                column: one(&rule.column),
            },
            QualityRule::Uniqueness(rule) => RuleKind::Unique {
                columns: several(rule),
            },
            QualityRule::AcceptedValues(rule) => RuleKind::AllowedValues {
                column: one(&rule.column),
                values: rule.values.value.0.clone(),
            },
            QualityRule::RejectedValues(rule) => RuleKind::RejectedValues {
                column: one(&rule.column),
                values: rule.values.value.0.clone(),
            },
            QualityRule::Range(rule) => range(rule),
            QualityRule::Length(rule) => {
                let column = one(&rule.column);
                let bound = |bound: &Option<Located<u64>>, of: fn(String, u64) -> RuleKind| {
                    bound.as_ref().map(|bound| of(column.clone(), bound.value))
                };
                let least = bound(&rule.min_length, |column, length| RuleKind::MinLength {
                    column,
                    length,
                });
                let greatest = bound(&rule.max_length, |column, length| RuleKind::MaxLength {
                    column,
                    length,
                });
                all("length", column, [least, greatest])
            }
            QualityRule::Pattern(rule) => RuleKind::Pattern {
                column: one(&rule.column),
                pattern: rule.pattern.value.clone(),
            },
            QualityRule::NotPattern(rule) => RuleKind::NotPattern {
                column: one(&rule.column),
                pattern: rule.pattern.value.clone(),
            },
            QualityRule::Format(rule) => RuleKind::Format {
                column: one(&rule.column),
                format: rule.format.value,
            },
            QualityRule::MultipleOf(rule) => RuleKind::MultipleOf {
                column: one(&rule.column),
                value: rule.multiple_of.value.clone(),
            },
            QualityRule::Validity(rule) => {
                let column = one(&rule.column);
                let parts = rule.constraints.0.iter();
                let parts: Vec<_> = parts
                    .map(|part| constraint_kind(&column, &part.value))
                    .collect();
                all("validity", column, parts)
            }
            QualityRule::ForeignKey(rule) => {
                let columns: Vec<String> = rule.all_columns().map(one).collect();
                RuleKind::ForeignKey {
                    dataset: one(&rule.dataset),
                    to: rule.to.as_ref().map_or_else(|| columns.clone(), names),
                    to_filter: rule.to_where.clone(),
                    columns,
                }
            }
            QualityRule::Expression(rule) => RuleKind::Expression {
                expression: rule.expression.clone(),
            },
            QualityRule::Compare(rule) => RuleKind::Compare {
                column: one(&rule.column),
                operator: rule.operator.value,
                other: one(&rule.other_column),
            },
            QualityRule::Monotonic(rule) => RuleKind::Monotonic {
                column: one(&rule.column),
                order_by: rule.order_by.as_ref().map(one),
                group_by: many(&rule.group_by),
                direction: rule.direction,
                strict: rule.strict,
            },
            QualityRule::Sequential(rule) => RuleKind::Sequential {
                column: one(&rule.column),
                step: rule.step.value,
                step_unit: rule.step_unit.as_ref().map(|unit| unit.value),
                group_by: many(&rule.group_by),
            },
            QualityRule::NoOverlap(rule) => RuleKind::NoOverlap {
                from: one(&rule.from_column),
                to: one(&rule.to_column),
                group_by: many(&rule.group_by),
                gaps: rule.gaps,
                empty_ranges: rule.empty_ranges,
            },
            QualityRule::Volume(rule) => {
                let bound = |bound: &Option<Located<u64>>| bound.as_ref().map(|bound| bound.value);
                RuleKind::RowCount {
                    min: bound(&rule.min_rows),
                    max: bound(&rule.max_rows),
                }
            }
            QualityRule::RowCountChange(rule) => RuleKind::RowCountChange {
                versions: rule.versions.value,
            },
            QualityRule::Freshness(rule) => RuleKind::Freshness {
                column: one(&rule.column),
                max_age: hours(rule.max_age_hours.value).unwrap_or_default(),
            },
            QualityRule::Aggregate(rule) => RuleKind::Aggregate {
                function: rule.function.value,
                column: one(&rule.column),
                quantile: rule.quantile.as_ref().map(|it| it.value),
            },
            QualityRule::RowCountMatch(rule) => RuleKind::RowCountMatch {
                dataset: one(&rule.dataset),
                other_filter: rule.other_where.clone(),
            },
            QualityRule::Equality(rule) => {
                let columns = match &rule.columns {
                    Some(columns) => names(columns),
                    None => {
                        let columns = self.schema.columns.iter();
                        columns.map(|column| column.name.value.clone()).collect()
                    }
                };
                let other = rule.other_columns.as_ref();
                RuleKind::Equality {
                    dataset: one(&rule.dataset),
                    other_columns: other.map_or_else(|| columns.clone(), names),
                    other_filter: rule.other_where.clone(),
                    columns,
                }
            }
            QualityRule::AggregateMatch(rule) => RuleKind::AggregateMatch {
                function: rule.function.value,
                column: one(&rule.column),
                quantile: rule.quantile.as_ref().map(|it| it.value),
                dataset: one(&rule.dataset),
                other_column: one(rule.other_column.as_ref().unwrap_or(&rule.column)),
                other_filter: rule.other_where.clone(),
            },
            QualityRule::CustomSql(rule) => RuleKind::CustomSql {
                query: rule.query.clone(),
                expected: match &rule.expected {
                    Some(expected) => Some(expected.value.clone()),
                    None if rule.terms().comparisons.is_empty() => Some(literal("0", false)),
                    None => None,
                },
            },
            QualityRule::FailedRows(rule) => RuleKind::FailedRows {
                query: rule.query.clone(),
            },
        }
    }
}

fn literal(text: &str, quoted: bool) -> Literal {
    Literal {
        text: text.to_owned(),
        quoted,
    }
}

fn names(columns: &OneOrMany<Located<String>>) -> Vec<String> {
    columns.iter().map(|column| column.value.clone()).collect()
}

fn hours(hours: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(hours * 3600.0).ok()
}

pub(in crate::contract) fn plain(name: String, kind: RuleKind, place: &Place) -> Rule {
    Rule {
        name,
        description: None,
        kind,
        filter: None,
        unit: Unit::Rows,
        comparisons: Vec::new(),
        severity: Severity::Error,
        action: Action::Fail,
        dimension: None,
        tags: Vec::new(),
        place: place.clone(),
    }
}

fn with_severity(mut rule: Rule, severity: Severity) -> Rule {
    (rule.severity, rule.action) = severity_and_action(Some(severity), None);
    rule
}

fn completeness_rules(completeness: &Completeness) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(min) = &completeness.min_row_count {
        let kind = RuleKind::RowCount {
            min: Some(min.value),
            max: None,
        };
        rules.push(plain("sla_completeness".to_owned(), kind, &min.place));
    }
    if let Some(rate) = &completeness.expected_growth_rate {
        let kind = RuleKind::RowCountChange { versions: 1 };
        let mut rule = plain("sla_growth".to_owned(), kind, &rate.place);
        rule.unit = Unit::Percent;
        let percent = literal(&percent(rate.value), false);
        rule.comparisons.push(Located::new(
            Comparison::GreaterOrEqual(percent),
            rate.place.clone(),
        ));
        rules.push(rule);
    }
    rules
        .into_iter()
        .map(|rule| with_severity(rule, completeness.severity))
        .collect()
}

/// A share in hundredths, without the noise that binary fractions bring: 0.07 is 7 and not 7.000000000000001.
fn percent(share: f64) -> String {
    let text = format!("{:.9}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn column_rules(column: &ContractColumn) -> Vec<Rule> {
    let name = &column.name.value;
    let constraints = &column.constraints.0;
    let says_not_null = constraints
        .iter()
        .any(|one| matches!(one.value, Constraint::NotNull(true)));
    let (severity, action) = severity_and_action(
        column.severity.as_ref().map(|it| it.value),
        column.action.as_ref().map(|it| it.value),
    );
    let rule = |suffix: &str, kind: RuleKind, place: &Place| Rule {
        severity,
        action,
        ..plain(format!("{name}_{suffix}"), kind, place)
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
    Some(match constraint.clone() {
        Constraint::Unique(false) | Constraint::NotNull(false) => return None,
        Constraint::Unique(true) => RuleKind::Unique {
            columns: vec![column],
        },
        Constraint::NotNull(true) => RuleKind::NotNull {
            columns: vec![column],
        },
        Constraint::MinValue(value) => RuleKind::MinValue { column, value },
        Constraint::MaxValue(value) => RuleKind::MaxValue { column, value },
        Constraint::GreaterThan(value) => RuleKind::GreaterThan { column, value },
        Constraint::LessThan(value) => RuleKind::LessThan { column, value },
        Constraint::MultipleOf(value) => RuleKind::MultipleOf { column, value },
        Constraint::MinLength(length) => RuleKind::MinLength { column, length },
        Constraint::MaxLength(length) => RuleKind::MaxLength { column, length },
        Constraint::Pattern(pattern) => RuleKind::Pattern { column, pattern },
        Constraint::AllowedValues(values) => RuleKind::AllowedValues { column, values },
        Constraint::RejectedValues(values) => RuleKind::RejectedValues { column, values },
        Constraint::Format(format) => RuleKind::Format { column, format },
        Constraint::ForeignKey(references) => RuleKind::ForeignKey {
            to: vec![
                references
                    .column
                    .map_or_else(|| column.clone(), |it| it.value),
            ],
            columns: vec![column],
            dataset: references.dataset.value,
            to_filter: None,
        },
    })
}

fn range(rule: &RangeRule) -> RuleKind {
    let column = rule.column.value.clone();
    let bound = |bound: &Option<Located<Literal>>, of: fn(String, Literal) -> RuleKind| {
        bound
            .as_ref()
            .map(|bound| of(column.clone(), bound.value.clone()))
    };
    let parts = [
        bound(&rule.min_value, |column, value| RuleKind::MinValue {
            column,
            value,
        }),
        bound(&rule.greater_than, |column, value| RuleKind::GreaterThan {
            column,
            value,
        }),
        bound(&rule.max_value, |column, value| RuleKind::MaxValue {
            column,
            value,
        }),
        bound(&rule.less_than, |column, value| RuleKind::LessThan {
            column,
            value,
        }),
    ];
    all("range", column, parts)
}

fn all(
    word: &'static str,
    column: String,
    parts: impl IntoIterator<Item = Option<RuleKind>>,
) -> RuleKind {
    RuleKind::All {
        word,
        column,
        parts: parts.into_iter().flatten().collect(),
    }
}
