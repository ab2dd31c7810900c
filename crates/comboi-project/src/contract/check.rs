//! What a contract says that can't be.

mod quality;
mod threshold;

use std::collections::HashMap;

use super::terms::{Action, Severity};
use super::{Constraint, Contract, ContractColumn, Retention, check_age, pattern, value};
use crate::read::{Located, Reader};
use crate::{Place, Problem, SqlType};

/// Reports everything about a contract that can be seen to be wrong without data.
pub(crate) fn check(contract: &Contract, reader: &mut Reader) {
    let mut checker = Checker { contract, reader };
    checker.columns();
    checker.keys();
    checker.quality_rules();
    checker.quarantine();
    checker.sla();
    checker.privacy();
    checker.evolution();
}

pub(super) struct Checker<'a> {
    pub(super) contract: &'a Contract,
    reader: &'a mut Reader,
}

impl Checker<'_> {
    pub(super) fn report(
        &mut self,
        place: &Place,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.reader
            .problems
            .push(Problem::at(place, message).maybe_hint(hint));
    }

    fn columns(&mut self) {
        let schema = &self.contract.schema;
        if schema.columns.is_empty() && !schema.allow_extra_columns && self.reader.unread.is_empty()
        {
            self.report(
                &schema.place,
                "the contract has no columns",
                Some("list the columns that the dataset promises, or welcome any: `allow_extra_columns: true`".to_owned()),
            );
        }
        let mut seen: HashMap<String, &Place> = HashMap::new();
        for column in &schema.columns {
            let name = &column.name;
            if let Some(first) = seen.insert(name.to_ascii_lowercase(), &name.place) {
                self.report(
                    &name.place,
                    format!("column `{}` is here twice", name.value),
                    Some(format!("it is at {first} already")),
                );
            }
            if let Err(not_kept) = column.sql_type.lake_type() {
                self.report(
                    &column.sql_type.place,
                    not_kept.to_string(),
                    Some(not_kept.hint.to_owned()),
                );
            }
            self.constraints(column);
            self.consequence(column.severity.as_ref(), column.action.as_ref());
        }
    }

    /// What withholds a dataset can't be a mere warning.
    fn consequence(
        &mut self,
        severity: Option<&Located<Severity>>,
        action: Option<&Located<Action>>,
    ) {
        let (Some(severity), Some(action)) = (severity, action) else {
            return;
        };
        if action.value == Action::Fail && severity.value != Severity::Error {
            self.report(
                &action.place,
                format!(
                    "the action `fail` keeps the dataset from its readers, which is more than {} `{}`",
                    article(severity.value),
                    severity.value
                ),
                Some("use the action `report`, or the severity `error`".to_owned()),
            );
        }
    }

    /// Keys of several columns.
    fn keys(&mut self) {
        let schema = &self.contract.schema;
        for key in schema.primary_key.iter().chain(&schema.unique_keys) {
            self.several_columns(&key.value);
        }
        for key in &schema.foreign_keys {
            self.several_columns(&key.columns);
            self.as_many(
                &key.place,
                key.columns.len(),
                key.to.as_ref().map(|to| to.len()),
            );
        }
        if schema.exact && schema.allow_extra_columns {
            let place = schema.place.clone();
            self.report(
                &place,
                "`exact` and `allow_extra_columns` contradict each other",
                Some("keep one of them; single columns are welcome by `extra_columns`".to_owned()),
            );
        }
    }

    /// Columns that the contract has, each once.
    fn several_columns(&mut self, columns: &[Located<String>]) {
        for (i, column) in columns.iter().enumerate() {
            self.has_column(column);
            if columns
                .iter()
                .take(i)
                .any(|before| before.eq_ignore_ascii_case(column))
            {
                self.report(
                    &column.place,
                    format!("column `{}` is here twice", column.value),
                    None,
                );
            }
        }
    }

    fn as_many(&mut self, place: &Place, columns: usize, others: Option<usize>) {
        if let Some(others) = others
            && others != columns
        {
            self.report(
                place,
                format!("{columns} of the columns here would be compared with {others} of the other dataset"),
                Some("name as many of each, in the same order".to_owned()),
            );
        }
    }

    fn constraints(&mut self, column: &ContractColumn) {
        let name = &column.name.value;
        let sql_type = &column.sql_type.value;
        let mut seen: HashMap<&str, &Place> = HashMap::new();
        for one in &column.constraints.0 {
            let key = one.key();
            if let Some(first) = seen.insert(key, &one.place) {
                self.report(
                    &one.place,
                    format!("`{key}` of `{name}` is here twice"),
                    Some(format!("it is at {first} already")),
                );
            }
            let wrong = wrong_constraint(name, sql_type, &one.value);
            if let Some(wrong) = wrong {
                self.report(&one.place, wrong, None);
            }
        }
        self.bounds(column);
    }

    fn bounds(&mut self, column: &ContractColumn) {
        let find = |wanted: &str| column.constraints.0.iter().find(|one| one.key() == wanted);
        let crossed = |least: &str, greatest: &str| {
            let (least, greatest) = (find(least)?, find(greatest)?);
            let order = match (&least.value, &greatest.value) {
                (Constraint::MinValue(least), Constraint::MaxValue(greatest)) => {
                    value::order(&column.sql_type, least, greatest)?
                }
                (Constraint::MinLength(least), Constraint::MaxLength(greatest)) => {
                    least.cmp(greatest)
                }
                _ => return None,
            };
            order
                .is_gt()
                .then(|| (least.place.clone(), least.key(), greatest.key()))
        };
        for (place, least, greatest) in [
            crossed("min_value", "max_value"),
            crossed("min_length", "max_length"),
        ]
        .into_iter()
        .flatten()
        {
            self.report(
                &place,
                format!(
                    "`{least}` of `{}` is above its `{greatest}`",
                    column.name.value
                ),
                None,
            );
        }
    }

    pub(super) fn has_column(&mut self, column: &Located<String>) -> bool {
        if self.contract.column(column).is_some() || self.reader.may_be_unread(column) {
            return true;
        }
        let names = self
            .contract
            .schema
            .columns
            .iter()
            .map(|column| column.name.as_str());
        let hint = self.reader.meant(column, names);
        self.report(
            &column.place,
            format!("the contract has no column `{}`", column.value),
            hint,
        );
        false
    }

    fn has_moment(&mut self, column: &Located<String>) {
        if self.has_column(column)
            && let Some(found) = self.contract.column(column)
            && !found.sql_type.is_moment()
        {
            let message = format!(
                "age is told by a date or timestamp, and `{}` is {}",
                column.value, found.sql_type.value
            );
            self.report(&column.place, message, None);
        }
    }

    fn age(&mut self, hours: &Located<f64>) {
        // Up to a thousand years: more is a slip, and too much for a span of time.
        if !(hours.value > 0.0 && hours.value < 8_766_000.0) {
            self.report(
                &hours.place,
                "the greatest age has to be above 0 and below 1000 years",
                None,
            );
        }
    }

    fn sla(&mut self) {
        let Some(sla) = &self.contract.sla else {
            return;
        };
        if let Some(freshness) = &sla.freshness {
            self.age(&freshness.max_age_hours);
            match &freshness.column {
                Some(column) => self.has_moment(column),
                None if self.contract.freshness_column().is_none()
                    && self.reader.unread.is_empty() =>
                {
                    let hint = "name it with `column:`, or add a column such as `updated_at` of type TIMESTAMP to the schema";
                    self.report(
                        &freshness.place,
                        "freshness needs a date or timestamp, and it is not clear which",
                        Some(hint.to_owned()),
                    );
                }
                None => {}
            }
        }
        if let Some(retention) = &sla.data_retention {
            self.retention(retention);
        }
    }

    fn retention(&mut self, retention: &Retention) {
        if let Some(column) = &retention.column {
            self.has_moment(column);
        }
        let Some(days) = &retention.max_age_days else {
            return;
        };
        check_age(days, self.reader);
        if self.contract.kept_for().is_none() && self.reader.unread.is_empty() {
            let hint = "name the date or timestamp by which it is told with `column:`";
            self.report(
                &days.place,
                "it is not clear how old a row is",
                Some(hint.to_owned()),
            );
        }
    }
}

fn article(severity: Severity) -> &'static str {
    match severity {
        Severity::Error | Severity::Info => "an",
        Severity::Warning => "a",
    }
}

/// Why the values of a column can't keep a constraint, if they can't.
fn wrong_constraint(name: &str, sql_type: &SqlType, constraint: &Constraint) -> Option<String> {
    let key = constraint.key();
    match constraint {
        Constraint::Unique(_) | Constraint::NotNull(_) | Constraint::ForeignKey(_) => None,
        Constraint::MinValue(bound)
        | Constraint::MaxValue(bound)
        | Constraint::GreaterThan(bound)
        | Constraint::LessThan(bound) => value::not_a_bound(sql_type, bound),
        Constraint::AllowedValues(values) | Constraint::RejectedValues(values) => values
            .iter()
            .find_map(|one| value::not_a_value(sql_type, one)),
        Constraint::MultipleOf(of) => not_a_factor(name, sql_type, &of.text),
        Constraint::MinLength(_) | Constraint::MaxLength(_) if !has_length(sql_type) => Some(
            format!("`{name}` is {sql_type}, and only texts, BLOB, lists and maps have a `{key}`"),
        ),
        Constraint::Pattern(_) | Constraint::Format(_) if !sql_type.is_text() => Some(format!(
            "`{name}` is {sql_type}, and only texts have a `{key}`"
        )),
        Constraint::MinLength(_) | Constraint::MaxLength(_) | Constraint::Format(_) => None,
        Constraint::Pattern(text) => pattern::not_a_pattern(text),
    }
}

/// Whether values of a type have a length: characters of texts, bytes of a BLOB, elements of a list, entries of a map.
fn has_length(sql_type: &SqlType) -> bool {
    use SqlType::{Array, Blob, List, Map};
    sql_type.is_text() || matches!(sql_type, Blob | List(_) | Array(..) | Map(..))
}

fn not_a_factor(name: &str, sql_type: &SqlType, of: &str) -> Option<String> {
    if !(sql_type.is_integer() || matches!(sql_type, SqlType::Decimal(..))) {
        return Some(format!(
            "`{name}` is {sql_type}, and only whole numbers and decimals are multiples of something, exactly"
        ));
    }
    let positive = value::is_number(of)
        && !of.starts_with('-')
        && !of.contains(['e', 'E'])
        && of.contains(|c: char| c.is_ascii_digit() && c != '0');
    (!positive).then(|| format!("expected a number above 0, found `{of}`"))
}
