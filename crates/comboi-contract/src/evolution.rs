//! What a contract promises to readers, how two versions of it differ, and which version number the difference demands.

mod changes;
mod version;
mod widths;

use std::collections::BTreeMap;

use comboi_project::{
    Action, Compatibility, Contract, EvolutionMode, Literal, Rule, RuleKind, Severity, SqlType,
};
use serde::{Deserialize, Serialize};

pub use changes::{Bump, Change, Difference, difference};
pub use version::Version;

/// What a contract promises to readers: everything whose change they could notice. Kept with each version of a dataset that is published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// The version of the contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The dataset.
    pub dataset: String,
    /// Its columns, in order.
    pub columns: Vec<PromisedColumn>,
    /// What its rows keep, by the names of the rules; only what is an error when it is broken.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, PromisedRule>,
    /// For how many days rows are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_days: Option<u64>,
    /// How columns are handled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub handled: BTreeMap<String, String>,
    /// What people are told: a digest of descriptions, owners and tags.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
}

/// A column that is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromisedColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub sql_type: SqlType,
    /// Whether it may be NULL.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// Whether it is on its way out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deprecated: bool,
}

/// A rule that is promised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromisedRule {
    /// What it is about, without the measure: two rules of which this differs are two things.
    pub about: String,
    /// A bound: a greater one promises less (`most`) or more (`least`).
    #[serde(default, skip_serializing_if = "Measure::is_none")]
    pub measure: Measure,
}

/// How much a rule promises.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// All or nothing.
    #[default]
    None,
    /// Not less than this.
    Least(String),
    /// Not more than this.
    Most(String),
    /// Only these.
    Among(Vec<String>),
    /// None of these.
    NotAmong(Vec<String>),
}

impl Measure {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// How a contract wants changes of itself to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What is done about changes.
    pub mode: EvolutionMode,
    /// Who has to keep working; readers of the old version by default.
    pub compatibility: Compatibility,
    /// Whether new columns break nobody.
    pub new_columns: Option<bool>,
    /// Whether columns that go break nobody.
    pub removed_columns: Option<bool>,
    /// Whether other types break nobody.
    pub types: Option<bool>,
}

impl Policy {
    /// What a contract says.
    pub fn of(contract: &Contract) -> Self {
        let evolution = contract.evolution.as_ref();
        Self {
            mode: contract.evolution_mode(),
            compatibility: evolution
                .and_then(|evolution| evolution.compatibility)
                .unwrap_or(Compatibility::Forward),
            new_columns: evolution.and_then(|evolution| evolution.allow_new_columns),
            removed_columns: evolution.and_then(|evolution| evolution.allow_column_removal),
            types: evolution.and_then(|evolution| evolution.allow_type_changes),
        }
    }
}

impl Promise {
    /// What a contract promises.
    pub fn of(contract: &Contract) -> Self {
        let columns = contract.schema.columns.iter();
        let deprecated: Vec<&str> = contract
            .deprecated_columns()
            .map(|(name, ..)| name)
            .collect();
        let rules = contract.rules();
        let never_null = |name: &str| {
            rules.iter().any(|rule| {
                is_promise(rule)
                    && is_whole(rule)
                    && matches!(&rule.kind, RuleKind::NotNull { columns } if columns.len() == 1 && columns[0] == name)
            })
        };
        let promised = columns.map(|column| PromisedColumn {
            name: column.name.value.clone(),
            sql_type: column.sql_type.value.clone(),
            nullable: !never_null(&column.name),
            deprecated: deprecated.contains(&column.name.as_str()),
        });
        let handled = contract.privacy.iter().flat_map(|privacy| &privacy.columns);
        let handled = handled.map(|it| {
            let how = [
                Some(it.handling.value.to_string()),
                it.length.as_ref().map(|length| length.value.to_string()),
                it.to.as_ref().map(|to| to.value.clone()),
            ];
            (
                it.column.value.clone(),
                how.into_iter().flatten().collect::<Vec<_>>().join(" "),
            )
        });
        let retention = contract
            .sla
            .as_ref()
            .and_then(|sla| sla.data_retention.as_ref());
        Self {
            version: contract
                .version
                .as_ref()
                .map(|version| version.value.clone()),
            dataset: contract.dataset.to_string(),
            columns: promised.collect(),
            handled: handled.collect(),
            rules: rules
                .iter()
                .filter(|rule| {
                    is_promise(rule) && !(is_whole(rule) && is_of_one_column(&rule.kind))
                })
                .map(|rule| (rule.name.clone(), promised_rule(rule)))
                .collect(),
            kept_days: retention
                .and_then(|retention| retention.max_age_days.as_ref())
                .map(|days| days.value),
            words: words(contract),
        }
    }
}

/// What is only told when it is broken is no promise.
fn is_promise(rule: &Rule) -> bool {
    rule.severity == Severity::Error
        || rule.action == Action::Quarantine
        || rule.action == Action::Drop
}

/// Whether it is about all rows, and none may break it.
fn is_whole(rule: &Rule) -> bool {
    rule.filter.is_none() && rule.comparisons.is_empty()
}

/// Whether it is told by the column already.
fn is_of_one_column(kind: &RuleKind) -> bool {
    matches!(kind, RuleKind::NotNull { columns } if columns.len() == 1)
}

fn promised_rule(rule: &Rule) -> PromisedRule {
    let text = |value: &Literal| value.text.clone();
    let texts = |values: &[Literal]| {
        let mut texts: Vec<String> = values.iter().map(text).collect();
        texts.sort();
        texts
    };
    let (about, measure) = match &rule.kind {
        RuleKind::MinValue { column, value } => (column.clone(), Measure::Least(text(value))),
        RuleKind::MaxValue { column, value } => (column.clone(), Measure::Most(text(value))),
        RuleKind::GreaterThan { column, value } => (column.clone(), Measure::Least(text(value))),
        RuleKind::LessThan { column, value } => (column.clone(), Measure::Most(text(value))),
        RuleKind::MinLength { column, length } => {
            (column.clone(), Measure::Least(length.to_string()))
        }
        RuleKind::MaxLength { column, length } => {
            (column.clone(), Measure::Most(length.to_string()))
        }
        RuleKind::AllowedValues { column, values } => {
            (column.clone(), Measure::Among(texts(values)))
        }
        RuleKind::RejectedValues { column, values } => {
            (column.clone(), Measure::NotAmong(texts(values)))
        }
        RuleKind::RowCount {
            min: Some(min),
            max: None,
        } => (String::new(), Measure::Least(min.to_string())),
        RuleKind::RowCount {
            min: None,
            max: Some(max),
        } => (String::new(), Measure::Most(max.to_string())),
        RuleKind::Freshness { column, max_age } => {
            (column.clone(), Measure::Most(max_age.as_secs().to_string()))
        }
        RuleKind::NotNull { columns } | RuleKind::Unique { columns } => {
            (columns.join(", "), Measure::None)
        }
        RuleKind::Pattern { column, pattern } => (format!("{column} ~ {pattern}"), Measure::None),
        RuleKind::CustomSql { query, expected } => (
            format!(
                "{} = {}",
                query.split_whitespace().collect::<Vec<_>>().join(" "),
                expected.as_ref().map_or("", |it| it.text.as_str())
            ),
            Measure::None,
        ),
        // The rest differs in so many ways that only sameness counts: places of files are not part of it.
        other => (without_places(&format!("{other:?}")), Measure::None),
    };
    let filter = rule
        .filter
        .as_ref()
        .map(|filter| format!(" where {}", filter.value));
    let compared: Vec<String> = rule
        .comparisons
        .iter()
        .map(|it| it.value.to_string())
        .collect();
    PromisedRule {
        about: format!(
            "{} {about}{}{}{}",
            rule.kind.as_str(),
            filter.unwrap_or_default(),
            if compared.is_empty() { "" } else { ": " },
            compared.join(", ")
        )
        .trim()
        .to_owned(),
        measure,
    }
}

/// A description of a value without the places in files that it was read from.
fn without_places(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("place: Place {") {
        out.push_str(before);
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

/// What is written for people, in one short text.
fn words(contract: &Contract) -> String {
    use sha2::{Digest as _, Sha256};
    let mut all = vec![
        contract.owner.clone().unwrap_or_default(),
        contract.description.clone().unwrap_or_default(),
        contract.tags.join(","),
    ];
    for column in &contract.schema.columns {
        let said = [
            column.description.clone().unwrap_or_default(),
            column.classification.clone().unwrap_or_default(),
            column.tags.join(","),
        ];
        if said.iter().any(|text| !text.is_empty()) {
            all.push(column.name.value.clone());
            all.extend(said);
        }
    }
    let digest = Sha256::digest(all.join("\0").as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests;
