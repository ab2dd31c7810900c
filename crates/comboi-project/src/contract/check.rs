//! What a contract says that can't be.

use std::collections::HashMap;

use super::{Constraint, Contract, ContractColumn, QualityRule, pattern, value};
use crate::read::{Located, Reader};
use crate::{Place, Problem};

/// Reports everything about a contract that can be seen to be wrong without data.
pub(crate) fn check(contract: &Contract, reader: &mut Reader) {
    let mut checker = Checker { contract, reader };
    checker.columns();
    checker.quality_rules();
    checker.sla();
    checker.privacy();
}

struct Checker<'a> {
    contract: &'a Contract,
    reader: &'a mut Reader,
}

impl Checker<'_> {
    fn report(&mut self, place: &Place, message: impl Into<String>, hint: Option<String>) {
        self.reader
            .problems
            .push(Problem::at(place, message).maybe_hint(hint));
    }

    fn columns(&mut self) {
        let schema = &self.contract.schema;
        if schema.columns.is_empty() && self.reader.unread.is_empty() {
            self.report(
                &schema.place,
                "the contract has no columns",
                Some("list the columns that the dataset promises".to_owned()),
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
            let wrong = match &one.value {
                Constraint::Unique(_) | Constraint::NotNull(_) => None,
                Constraint::MinValue(bound) | Constraint::MaxValue(bound) => {
                    value::not_a_bound(sql_type, bound)
                }
                Constraint::AllowedValues(values) => values
                    .iter()
                    .find_map(|one| value::not_a_value(sql_type, one)),
                Constraint::MinLength(_) | Constraint::MaxLength(_) | Constraint::Pattern(_)
                    if !sql_type.is_text() =>
                {
                    Some(format!(
                        "`{name}` is {sql_type}, and only texts have a `{key}`"
                    ))
                }
                Constraint::MinLength(_) | Constraint::MaxLength(_) => None,
                Constraint::Pattern(text) => pattern::not_a_pattern(text),
            };
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

    fn quality_rules(&mut self) {
        let mut seen: HashMap<&str, &Place> = HashMap::new();
        for rule in &self.contract.quality_rules {
            let name = rule.name();
            if let Some(first) = seen.insert(&name.value, &name.place) {
                self.report(
                    &name.place,
                    format!("there are two rules `{}`", name.value),
                    Some(format!("the other one is at {first}")),
                );
            }
            match &rule.value {
                QualityRule::NotNull(columns) | QualityRule::Uniqueness(columns) => {
                    let columns: Vec<&Located<String>> = columns.all_columns().collect();
                    if columns.is_empty() {
                        self.report(
                            &rule.place,
                            format!("rule `{}` needs the key `column` or `columns`", name.value),
                            None,
                        );
                    }
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
                QualityRule::Volume(volume) => match (&volume.min_rows, &volume.max_rows) {
                    (None, None) => {
                        self.report(
                            &rule.place,
                            format!(
                                "rule `{}` needs the key `min_rows` or `max_rows`",
                                name.value
                            ),
                            None,
                        );
                    }
                    (Some(min), Some(max)) if min.value > max.value => {
                        self.report(
                            &min.place,
                            format!("`min_rows` of `{}` is above its `max_rows`", name.value),
                            None,
                        );
                    }
                    _ => {}
                },
                QualityRule::CustomSql(custom) => {
                    if custom.query.trim().is_empty() {
                        self.report(
                            &custom.query.place,
                            "the query is empty",
                            Some("write one SELECT that returns one number".to_owned()),
                        );
                    }
                    if !value::is_number(&custom.expected.text) {
                        self.report(
                            &custom.expected.place,
                            format!("expected a number, found `{}`", custom.expected.text),
                            None,
                        );
                    }
                }
            }
        }
    }

    fn has_column(&mut self, column: &Located<String>) -> bool {
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

    fn sla(&mut self) {
        let Some(sla) = &self.contract.sla else {
            return;
        };
        if let Some(freshness) = &sla.freshness {
            // Up to a thousand years: more is a slip, and too much for a span of time.
            if !(freshness.max_age_hours.value > 0.0 && freshness.max_age_hours.value < 8_766_000.0)
            {
                self.report(
                    &freshness.max_age_hours.place,
                    "the greatest age has to be above 0 and below 1000 years",
                    None,
                );
            }
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
        if let Some(column) = sla
            .data_retention
            .as_ref()
            .and_then(|retention| retention.column.as_ref())
        {
            self.has_moment(column);
        }
    }

    fn privacy(&mut self) {
        let Some(privacy) = &self.contract.privacy else {
            return;
        };
        for column in privacy.pii_columns.iter().chain(&privacy.subject_column) {
            self.has_column(column);
        }
    }
}
