//! What quality rules say that can't be.

use std::collections::HashMap;

use super::threshold::Domain;
use super::{Checker, has_length, not_a_factor, wrong_constraint};
use crate::contract::quality::{AggregateFunction, QualityRule, SequentialRule};
use crate::contract::rules::{Rule, RuleKind};
use crate::contract::{Constraint, ContractColumn, pattern, value};
use crate::read::{Literal, Located};
use crate::{Place, SqlType};

impl<'a> Checker<'a> {
    pub(super) fn quality_rules(&mut self) {
        let contract = self.contract;
        let mut seen: HashMap<&str, &Place> = HashMap::new();
        for rule in &contract.quality_rules {
            let name = rule.name();
            if let Some(first) = seen.insert(&name.value, &name.place) {
                self.report(
                    &name.place,
                    format!("there are two rules `{}`", name.value),
                    Some(format!("the other one is at {first}")),
                );
            }
            self.about(rule);
            self.terms(rule);
        }
    }

    pub(super) fn quarantine(&mut self) {
        let Some(limits) = &self.contract.quarantine else {
            return;
        };
        if let Some(percent) = &limits.max_percent
            && !(0.0..=100.0).contains(&percent.value)
        {
            self.report(
                &percent.place,
                "`max_percent` has to lie between 0 and 100",
                None,
            );
        }
    }

    /// What all rules say.
    fn terms(&mut self, written: &Located<QualityRule>) {
        let terms = written.terms();
        let rule = self.contract.quality_rule(written);
        let name = &rule.name;
        self.consequence(terms.severity.as_ref(), terms.action.as_ref());
        if let Some(filter) = &terms.filter {
            self.has_sql(filter, "the condition");
            if matches!(
                rule.kind,
                RuleKind::RowCountChange { .. }
                    | RuleKind::CustomSql { .. }
                    | RuleKind::FailedRows { .. }
            ) {
                self.report(
                    &filter.place,
                    format!("a rule of type `{}` looks at all rows", written.type_name()),
                    Some(match rule.kind {
                        RuleKind::RowCountChange { .. } => {
                            "leave `where` out: of earlier versions only the number of rows is known"
                        }
                        _ => "write the condition into the query",
                    }
                    .to_owned()),
                );
            }
        }
        if let Some(unit) = &terms.unit
            && unit.value == crate::Unit::Percent
            && !rule.kind.has_percent()
        {
            self.report(
                &unit.place,
                format!("rule `{name}` measures no part of the rows, so it can't count in percent"),
                Some("leave `unit` out".to_owned()),
            );
        }
        if let Some(action) = &terms.action
            && action.sets_aside()
        {
            if !rule.kind.can_set_aside() {
                let action_word = action.value;
                self.report(
                    &action.place,
                    format!(
                        "rule `{name}` is not about single rows that could be taken away, so its action can't be `{action_word}`"
                    ),
                    Some("use `fail` or `report`".to_owned()),
                );
            } else if let Some(one) = terms.comparisons.first() {
                self.report(
                    &one.place,
                    format!("rule `{name}` takes away every row that breaks it, however many they are"),
                    Some(
                        "leave the threshold out: how many may be taken away is said by `quarantine: { max_rows, max_percent }` of the contract"
                            .to_owned(),
                    ),
                );
            }
        }
        self.comparisons(&rule);
    }

    fn comparisons(&mut self, rule: &Rule) {
        if let RuleKind::Freshness { .. } = rule.kind {
            if let Some(one) = rule.comparisons.first() {
                self.report(
                    &one.place,
                    "how old the newest row may be is said by `max_age_hours` alone",
                    Some(format!("leave `{}` out", one.key())),
                );
            }
            return;
        }
        let moments = self.measures_moments(&rule.kind);
        let mut sound = true;
        for one in &rule.comparisons {
            for said in one.values() {
                let wrong = match &moments {
                    Some(sql_type) => value::not_a_value(sql_type, said),
                    None if value::is_number(&said.text) => None,
                    None => Some(format!("expected a number, found `{}`", said.text)),
                };
                if let Some(wrong) = wrong {
                    self.report(&one.place, wrong, None);
                    sound = false;
                }
            }
        }
        if sound
            && moments.is_none()
            && let Some((one, wrong)) = Domain::of(&rule.kind, rule.unit).wrong(&rule.comparisons)
        {
            self.report(&one.place, wrong, None);
        }
    }

    /// The type of what is measured, where that is a date or timestamp.
    fn measures_moments(&self, kind: &RuleKind) -> Option<SqlType> {
        let RuleKind::Aggregate {
            function: AggregateFunction::Min | AggregateFunction::Max,
            column,
            ..
        } = kind
        else {
            return None;
        };
        let sql_type = &self.contract.column(column)?.sql_type.value;
        sql_type.is_moment().then(|| sql_type.clone())
    }

    /// What rules of one type say.
    fn about(&mut self, rule: &Located<QualityRule>) {
        let place = &rule.place;
        let name = &rule.name().value;
        match &rule.value {
            QualityRule::NotNull(rule) | QualityRule::Uniqueness(rule) => {
                let columns: Vec<Located<String>> = rule.all_columns().cloned().collect();
                self.some_columns(place, name, &columns);
            }
            QualityRule::Missing(rule) => {
                let values = rule.values.as_deref().unwrap_or_default();
                self.values(&rule.column, &rule.column.place, values);
            }
            QualityRule::AcceptedValues(rule) | QualityRule::RejectedValues(rule) => {
                self.values(&rule.column, &rule.values.place, &rule.values.value);
            }
            QualityRule::NotEmpty(rule) => self.text(&rule.column, "be empty"),
            QualityRule::Format(rule) => self.text(&rule.column, "have a format"),
            QualityRule::Range(rule) => {
                let bounds = [
                    &rule.min_value,
                    &rule.greater_than,
                    &rule.max_value,
                    &rule.less_than,
                ];
                if bounds.iter().all(|bound| bound.is_none()) {
                    self.report(
                        place,
                        format!("rule `{name}` needs one of the keys `min_value`, `max_value`, `greater_than` and `less_than`"),
                        None,
                    );
                }
                let Some(column) = self.column(&rule.column) else {
                    return;
                };
                for bound in bounds.into_iter().flatten() {
                    if let Some(wrong) = value::not_a_bound(&column.sql_type, &bound.value) {
                        self.report(&bound.place, wrong, None);
                    }
                }
                let least = [(&rule.min_value, false), (&rule.greater_than, true)];
                let greatest = [(&rule.max_value, false), (&rule.less_than, true)];
                for ((least, open), (greatest, other_open)) in least
                    .into_iter()
                    .flat_map(|it| greatest.map(|other| (it, other)))
                {
                    let (Some(least), Some(greatest)) = (least, greatest) else {
                        continue;
                    };
                    let order = value::order(&column.sql_type, &least.value, &greatest.value);
                    if order.is_some_and(|it| it.is_gt() || it.is_eq() && (open || other_open)) {
                        self.report(
                            &least.place,
                            format!("no value lies between the bounds of `{name}`"),
                            None,
                        );
                    }
                }
            }
            QualityRule::Length(rule) => {
                if let Some(found) = self.column(&rule.column)
                    && !has_length(&found.sql_type)
                {
                    let message = format!(
                        "`{}` is {}, and only texts, BLOB, lists and maps have a length",
                        rule.column.value, found.sql_type.value
                    );
                    self.report(&rule.column.place, message, None);
                }
                match (&rule.min_length, &rule.max_length) {
                    (None, None) => self.report(
                        place,
                        format!("rule `{name}` needs the key `min_length` or `max_length`"),
                        None,
                    ),
                    (Some(min), Some(max)) if min.value > max.value => self.report(
                        &min.place,
                        format!("`min_length` of `{name}` is above its `max_length`"),
                        None,
                    ),
                    _ => {}
                }
            }
            QualityRule::Pattern(rule) | QualityRule::NotPattern(rule) => {
                self.text(&rule.column, "match a pattern");
                if let Some(wrong) = pattern::not_a_pattern(&rule.pattern) {
                    self.report(&rule.pattern.place, wrong, None);
                }
            }
            QualityRule::MultipleOf(rule) => {
                if let Some(column) = self.column(&rule.column)
                    && let Some(wrong) =
                        not_a_factor(&rule.column, &column.sql_type, &rule.multiple_of.text)
                {
                    self.report(&rule.multiple_of.place, wrong, None);
                }
            }
            QualityRule::Validity(rule) => {
                let Some(column) = self.column(&rule.column) else {
                    return;
                };
                if rule.constraints.0.is_empty() {
                    self.report(
                        &rule.constraints.place,
                        format!("rule `{name}` needs one constraint at least"),
                        None,
                    );
                }
                for one in &rule.constraints.0 {
                    let wrong = match &one.value {
                        Constraint::Unique(_) | Constraint::ForeignKey(_) => Some(format!(
                            "`{}` looks at other rows than its own: make it a rule of its own",
                            one.key()
                        )),
                        other => wrong_constraint(&rule.column, &column.sql_type, other),
                    };
                    if let Some(wrong) = wrong {
                        self.report(&one.place, wrong, None);
                    }
                }
            }
            QualityRule::ForeignKey(rule) => {
                let columns: Vec<Located<String>> = rule.all_columns().cloned().collect();
                self.some_columns(place, name, &columns);
                let others = rule.to.as_ref().map(|to| to.len());
                self.as_many(place, columns.len(), others);
                self.optional_sql(rule.to_where.as_ref());
            }
            QualityRule::Expression(rule) => self.has_sql(&rule.expression, "the expression"),
            QualityRule::Compare(rule) => {
                let both = (self.column(&rule.column), self.column(&rule.other_column));
                if let (Some(one), Some(other)) = both
                    && !comparable(&one.sql_type, &other.sql_type)
                {
                    self.report(
                        &rule.other_column.place,
                        format!(
                            "`{}` is {} and `{}` is {}, which don't compare",
                            rule.column.value,
                            one.sql_type.value,
                            rule.other_column.value,
                            other.sql_type.value
                        ),
                        None,
                    );
                }
            }
            QualityRule::Monotonic(rule) => {
                for column in [Some(&rule.column), rule.order_by.as_ref()]
                    .into_iter()
                    .flatten()
                {
                    self.has_column(column);
                }
                self.several_columns(rule.group_by.as_deref().unwrap_or_default());
            }
            QualityRule::Sequential(rule) => {
                self.sequential(rule);
                self.several_columns(rule.group_by.as_deref().unwrap_or_default());
            }
            QualityRule::NoOverlap(rule) => {
                self.has_column(&rule.from_column);
                self.has_column(&rule.to_column);
                self.several_columns(rule.group_by.as_deref().unwrap_or_default());
            }
            QualityRule::Volume(rule) => match (&rule.min_rows, &rule.max_rows) {
                (None, None) if rule.terms().comparisons.is_empty() => {
                    self.report(
                        place,
                        format!("rule `{name}` needs the key `min_rows` or `max_rows`"),
                        None,
                    );
                }
                (Some(min), Some(max)) if min.value > max.value => {
                    self.report(
                        &min.place,
                        format!("`min_rows` of `{name}` is above its `max_rows`"),
                        None,
                    );
                }
                _ => {}
            },
            QualityRule::RowCountChange(rule) => {
                if rule.versions.value == 0 {
                    self.report(
                        &rule.versions.place,
                        "one version at least is needed to compare with",
                        None,
                    );
                }
                self.needs_threshold(place, name, rule.terms().comparisons.is_empty());
            }
            QualityRule::Freshness(rule) => {
                self.age(&rule.max_age_hours);
                self.has_moment(&rule.column);
            }
            QualityRule::Aggregate(rule) => {
                self.aggregate(&rule.function, &rule.column, rule.quantile.as_ref());
                self.needs_threshold(place, name, rule.terms().comparisons.is_empty());
            }
            QualityRule::RowCountMatch(rule) => self.optional_sql(rule.other_where.as_ref()),
            QualityRule::Equality(rule) => {
                let columns = rule.columns.as_deref().unwrap_or_default();
                self.several_columns(columns);
                let count = match &rule.columns {
                    Some(columns) => columns.len(),
                    None => self.contract.schema.columns.len(),
                };
                let others = rule.other_columns.as_ref().map(|others| others.len());
                self.as_many(place, count, others);
                self.optional_sql(rule.other_where.as_ref());
            }
            QualityRule::AggregateMatch(rule) => {
                self.aggregate(&rule.function, &rule.column, rule.quantile.as_ref());
                if let Some(column) = self.contract.column(&rule.column)
                    && column.sql_type.is_moment()
                    && matches!(
                        rule.function.value,
                        AggregateFunction::Min | AggregateFunction::Max
                    )
                {
                    self.report(
                        &rule.column.place,
                        format!(
                            "`{}` is {}, and only numbers are subtracted",
                            rule.column.value, column.sql_type.value
                        ),
                        None,
                    );
                }
                self.optional_sql(rule.other_where.as_ref());
            }
            QualityRule::CustomSql(rule) => {
                if rule.query.trim().is_empty() {
                    self.report(
                        &rule.query.place,
                        "the query is empty",
                        Some("write one SELECT that returns one number".to_owned()),
                    );
                }
                if let Some(expected) = &rule.expected
                    && !value::is_number(&expected.text)
                {
                    self.report(
                        &expected.place,
                        format!("expected a number, found `{}`", expected.text),
                        None,
                    );
                }
            }
            QualityRule::FailedRows(rule) => {
                if rule.query.trim().is_empty() {
                    self.report(
                        &rule.query.place,
                        "the query is empty",
                        Some("write one SELECT that returns the rows".to_owned()),
                    );
                }
            }
        }
    }

    fn needs_threshold(&mut self, place: &Place, name: &str, none: bool) {
        if none {
            self.report(
                place,
                format!("rule `{name}` does not say what it expects"),
                Some("add a threshold such as `must_be_between: [0, 100]`".to_owned()),
            );
        }
    }

    fn some_columns(&mut self, place: &Place, name: &str, columns: &[Located<String>]) {
        if columns.is_empty() {
            self.report(
                place,
                format!("rule `{name}` needs the key `column` or `columns`"),
                None,
            );
        }
        self.several_columns(columns);
    }

    /// The column that is meant, which is told of if there is none.
    fn column(&mut self, column: &Located<String>) -> Option<&'a ContractColumn> {
        if self.has_column(column) {
            self.contract.column(column)
        } else {
            None
        }
    }

    fn text(&mut self, column: &Located<String>, what: &str) {
        if let Some(found) = self.column(column)
            && !found.sql_type.is_text()
        {
            let message = format!(
                "`{}` is {}, and only texts {what}",
                column.value, found.sql_type.value
            );
            self.report(&column.place, message, None);
        }
    }

    fn values(&mut self, column: &Located<String>, place: &Place, values: &[Literal]) {
        let Some(found) = self.column(column) else {
            return;
        };
        let wrong = values
            .iter()
            .find_map(|one| value::not_a_value(&found.sql_type, one));
        if let Some(wrong) = wrong {
            self.report(place, wrong, None);
        }
    }

    fn sequential(&mut self, rule: &SequentialRule) {
        if rule.step.value == 0 {
            self.report(&rule.step.place, "a step of 0 leads nowhere", None);
        }
        let Some(column) = self.column(&rule.column) else {
            return;
        };
        let sql_type = column.sql_type.value.clone();
        let wrong = match (&rule.step_unit, &sql_type) {
            (Some(unit), whole) if whole.is_integer() => Some((
                unit.place.clone(),
                format!(
                    "`{}` is {whole}, whose steps have no unit",
                    rule.column.value
                ),
            )),
            (None, moment) if moment.is_moment() && *moment != SqlType::Date => Some((
                rule.column.place.clone(),
                format!(
                    "`{}` is {moment}: say by `step_unit` of what a step is",
                    rule.column.value
                ),
            )),
            (_, other) if !other.is_integer() && !other.is_moment() => Some((
                rule.column.place.clone(),
                format!(
                    "`{}` is {other}, and only whole numbers, dates and timestamps go step by step",
                    rule.column.value
                ),
            )),
            _ => None,
        };
        if let Some((place, wrong)) = wrong {
            self.report(&place, wrong, None);
        }
    }

    fn aggregate(
        &mut self,
        function: &Located<AggregateFunction>,
        column: &Located<String>,
        quantile: Option<&Located<f64>>,
    ) {
        use AggregateFunction::{
            Avg, AvgLength, Count, DistinctCount, Max, MaxLength, Median, Min, MinLength, Quantile,
            StdDev, Sum, Variance,
        };
        match (function.value, quantile) {
            (Quantile, None) => self.report(
                &function.place,
                "the function `quantile` needs the key `quantile`",
                Some("from 0 to 1: 0.95 has 95 percent of the values below it".to_owned()),
            ),
            (Quantile, Some(said)) if !(0.0..=1.0).contains(&said.value) => {
                self.report(&said.place, "a quantile lies between 0 and 1", None);
            }
            (Quantile, Some(_)) | (_, None) => {}
            (other, Some(said)) => self.report(
                &said.place,
                format!("the function `{other}` has no `quantile`"),
                None,
            ),
        }
        let Some(found) = self.column(column) else {
            return;
        };
        let sql_type = &found.sql_type.value;
        let (fits, needed) = match function.value {
            Count | DistinctCount => (true, ""),
            Sum | Avg | StdDev | Variance | Median | Quantile => (sql_type.is_number(), "numbers"),
            Min | Max => (
                sql_type.is_number() || sql_type.is_moment(),
                "numbers, dates and timestamps",
            ),
            MinLength | MaxLength | AvgLength => (sql_type.is_text(), "texts"),
        };
        if !fits {
            let message = format!(
                "`{}` is {sql_type}, and only {needed} have a `{}`",
                column.value, function.value
            );
            self.report(&column.place, message, None);
        }
    }

    fn optional_sql(&mut self, condition: Option<&Located<String>>) {
        if let Some(condition) = condition {
            self.has_sql(condition, "the condition");
        }
    }

    fn has_sql(&mut self, sql: &Located<String>, what: &str) {
        if sql.trim().is_empty() {
            self.report(&sql.place, format!("{what} is empty"), None);
        }
    }
}

fn comparable(one: &SqlType, other: &SqlType) -> bool {
    one == other
        || one.is_number() && other.is_number()
        || one.is_moment() && other.is_moment()
        || one.is_text() && other.is_text()
}
