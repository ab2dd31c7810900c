//! What a rule came to, before it has its name.

use comboi_project::{Literal, Number, Rule, RuleKind, Unit};

use super::verdict::{Sample, Verdict, VerdictOutcome};
use super::words::grouped;

/// What a rule came to, before it has its name.
pub(super) struct Finding {
    pub(super) outcome: VerdictOutcome,
    pub(super) measured: String,
    /// The number that was compared.
    pub(super) value: Option<String>,
    /// How many rows were looked at.
    pub(super) row_count: Option<u64>,
}

impl Finding {
    /// Failed if there is a detail.
    pub(super) fn of(failed_count: Option<u64>, detail: Option<String>, measured: String) -> Self {
        match detail {
            Some(detail) => Self::failed(failed_count, detail, Sample::default(), measured),
            None => Self {
                outcome: VerdictOutcome::Passed,
                measured,
                value: None,
                row_count: None,
            },
        }
    }

    pub(super) fn failed(
        failed_count: Option<u64>,
        detail: String,
        sample: Sample,
        measured: String,
    ) -> Self {
        Self {
            outcome: VerdictOutcome::Failed {
                failed_count,
                detail,
                sample,
            },
            measured,
            value: None,
            row_count: None,
        }
    }

    pub(super) fn unknown(why: String) -> Self {
        Self {
            outcome: VerdictOutcome::CouldNotRun { why },
            measured: "nothing".to_owned(),
            value: None,
            row_count: None,
        }
    }

    /// What a query returned, held against what it should.
    pub(super) fn of_number(number: Option<&str>, expected: &Literal) -> Self {
        let shown = number.map_or_else(|| "NULL".to_owned(), grouped);
        let wanted = grouped(&expected.text);
        let detail = format!("the query returns {shown}, {wanted} is expected");
        let same = number.is_some_and(|number| same_number(number, &expected.text));
        Self::of(
            None,
            (!same).then_some(detail),
            format!("the query returns {shown}"),
        )
    }

    pub(super) fn with_value(mut self, value: impl Into<String>) -> Self {
        self.value = Some(value.into());
        self
    }

    /// The same without a number that is personal data, in any of these forms.
    pub(super) fn without(mut self, forms: &[String]) -> Self {
        let hide = |text: &mut String| {
            for form in forms {
                for before in ["the query returns ", "`"] {
                    *text = text.replace(&format!("{before}{form}"), &format!("{before}‹masked›"));
                }
            }
        };
        hide(&mut self.measured);
        match &mut self.outcome {
            VerdictOutcome::Failed { detail: said, .. }
            | VerdictOutcome::CouldNotRun { why: said } => hide(said),
            VerdictOutcome::Passed => {}
        }
        self
    }

    pub(super) fn over(mut self, row_count: u64) -> Self {
        self.row_count = Some(row_count);
        self
    }

    pub(super) fn of_rule(self, rule: &Rule) -> Verdict {
        Verdict {
            rule: rule.name.clone(),
            kind: rule.kind.as_str().to_owned(),
            severity: rule.severity,
            action: rule.action,
            outcome: self.outcome,
            measured: self.measured,
            value: self.value,
            threshold: threshold(rule),
            row_count: self.row_count,
            place: rule.place.clone(),
        }
    }
}

/// What a rule expects of what it measures, in words.
fn threshold(rule: &Rule) -> Option<String> {
    let unit = match (rule.unit, &rule.kind) {
        (Unit::Percent, _) => " percent",
        (Unit::Rows, kind) if kind.is_about_rows() => " rows",
        (Unit::Rows, _) => "",
    };
    let mut said: Vec<String> = rule
        .comparisons
        .iter()
        .map(|comparison| format!("{}{unit}", comparison.value))
        .collect();
    match &rule.kind {
        RuleKind::RowCount { min, max } => {
            said.extend(min.map(|min| format!("must be greater or equal to {min} rows")));
            said.extend(max.map(|max| format!("must be less or equal to {max} rows")));
        }
        RuleKind::CustomSql {
            expected: Some(expected),
            ..
        } => said.push(format!("must be {}", expected.text)),
        RuleKind::Freshness { max_age, .. } => {
            let millihours = max_age.as_millis() / 3_600;
            let hours = Number::parse(&format!("{}.{:03}", millihours / 1000, millihours % 1000));
            said.extend(hours.map(|hours| format!("must be less or equal to {hours} hours")));
        }
        kind if said.is_empty() && kind.is_about_rows() => said.push("must be 0 rows".to_owned()),
        _ if said.is_empty() => said.push("must be 0".to_owned()),
        _ => {}
    }
    Some(said.join(", ")).filter(|text| !text.is_empty())
}

/// Compared digit by digit; `inf` and `nan`, which have none, as text.
fn same_number(number: &str, expected: &str) -> bool {
    match (Number::parse(number), Number::parse(expected)) {
        (Some(number), Some(expected)) => number == expected,
        _ => number.eq_ignore_ascii_case(expected.trim()),
    }
}
