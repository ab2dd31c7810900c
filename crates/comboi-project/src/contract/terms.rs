//! What every rule may say besides what it is about: over which rows, how many may break it, and what follows.

use crate::Problem;
use crate::read::{Literal, Located, Read, Reader, choice};
use crate::yaml::{Node, Value};

choice! {
    /// How loudly a broken rule is told, and whether the run ends with exit code 3.
    pub enum Severity {
        /// The run ends with exit code 3.
        Error = "error",
        /// The run says so.
        Warning = "warning",
        /// The report has it.
        Info = "info",
    }
}

choice! {
    /// What becomes of the data when a rule is broken.
    pub enum Action {
        /// The dataset is not published: readers keep the last good version.
        Fail = "fail",
        /// The rows that break it go to the dataset's quarantine; the others are published.
        Quarantine = "quarantine",
        /// The rows that break it are left out and counted; the others are published.
        Drop = "drop",
        /// Everything is published, and the report has it.
        Report = "report",
    }
}

impl Action {
    /// Whether rows that break the rule are kept from the dataset.
    pub fn sets_aside(self) -> bool {
        matches!(self, Self::Quarantine | Self::Drop)
    }
}

choice! {
    /// In what a rule counts.
    pub enum Unit {
        /// Rows.
        Rows = "rows",
        /// Hundredths of the rows that the rule looks at.
        Percent = "percent",
    }
}

choice! {
    /// What a rule is about, in the words of the Open Data Contract Standard.
    pub enum Dimension {
        /// Values are those of the real world.
        Accuracy = "accuracy",
        /// Nothing is missing.
        Completeness = "completeness",
        /// Values have the form that they should have.
        Conformity = "conformity",
        /// Values do not contradict each other.
        Consistency = "consistency",
        /// All that is to be described is.
        Coverage = "coverage",
        /// It is there in time.
        Timeliness = "timeliness",
        /// Nothing is there twice.
        Uniqueness = "uniqueness",
    }
}

/// How what is measured has to compare with what was written.
#[derive(Clone, Debug, PartialEq)]
pub enum Comparison {
    /// `must_be: 0`
    Equal(Literal),
    /// `must_not_be: 0`
    NotEqual(Literal),
    /// `must_be_greater_than: 0`
    Greater(Literal),
    /// `must_be_greater_or_equal_to: 1`
    GreaterOrEqual(Literal),
    /// `must_be_less_than: 100`
    Less(Literal),
    /// `must_be_less_or_equal_to: 99`
    LessOrEqual(Literal),
    /// `must_be_between: [1, 99]`, both of them inside.
    Between(Literal, Literal),
    /// `must_not_be_between: [1, 99]`, both of them inside, and so forbidden.
    NotBetween(Literal, Literal),
}

impl Comparison {
    /// Its key.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Equal(_) => "must_be",
            Self::NotEqual(_) => "must_not_be",
            Self::Greater(_) => "must_be_greater_than",
            Self::GreaterOrEqual(_) => "must_be_greater_or_equal_to",
            Self::Less(_) => "must_be_less_than",
            Self::LessOrEqual(_) => "must_be_less_or_equal_to",
            Self::Between(..) => "must_be_between",
            Self::NotBetween(..) => "must_not_be_between",
        }
    }

    /// What was written, one value or two.
    pub fn values(&self) -> Vec<&Literal> {
        match self {
            Self::Equal(value)
            | Self::NotEqual(value)
            | Self::Greater(value)
            | Self::GreaterOrEqual(value)
            | Self::Less(value)
            | Self::LessOrEqual(value) => vec![value],
            Self::Between(least, greatest) | Self::NotBetween(least, greatest) => {
                vec![least, greatest]
            }
        }
    }
}

/// `must be less than 5`
impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key().replace('_', " "))?;
        match self.values().as_slice() {
            [one] => write!(f, " {}", one.text),
            [least, greatest] => write!(f, " {} and {}", least.text, greatest.text),
            _ => Ok(()),
        }
    }
}

/// Two values with everything between them, and they themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct Between(pub Literal, pub Literal);

impl Read for Between {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "a list of two values, such as [1, 99]";
        let Value::Sequence(items) = &node.value else {
            return reader.unexpected(node, wanted);
        };
        let [least, greatest] = items.as_slice() else {
            let found = format!("expected {wanted}, found {} values", items.len());
            return reader.report(Problem::at(&node.place, found));
        };
        let (least, greatest) = (
            Literal::read(least, reader),
            Literal::read(greatest, reader),
        );
        Some(Self(least?, greatest?))
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({ "type": "array", "items": Literal::schema(), "minItems": 2, "maxItems": 2 })
    }
}

/// What a rule says besides what it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Its name in reports.
    pub name: Located<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Only rows for which this is true: a condition in SQL.
    pub filter: Option<Located<String>>,
    /// In what it counts; what is usual for the type of rule when it is not said.
    pub unit: Option<Located<Unit>>,
    /// All of these have to be true of what is measured; what is usual for the type of rule when there is none.
    pub comparisons: Vec<Located<Comparison>>,
    /// How loudly it is told.
    pub severity: Option<Located<Severity>>,
    /// What becomes of the data.
    pub action: Option<Located<Action>>,
    /// What it is about.
    pub dimension: Option<Dimension>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// What a rule means when it is broken, each told by the other where it is not written: `error` withholds, everything
/// else is published; what is set aside or only reported is a warning.
pub(in crate::contract) fn severity_and_action(
    severity: Option<Severity>,
    action: Option<Action>,
) -> (Severity, Action) {
    match (severity, action) {
        (Some(severity), Some(action)) => (severity, action),
        (None | Some(Severity::Error), None) => (Severity::Error, Action::Fail),
        (Some(severity), None) => (severity, Action::Report),
        (None, Some(Action::Fail)) => (Severity::Error, Action::Fail),
        (None, Some(action)) => (Severity::Warning, action),
    }
}

/// A [`record!`](crate::read::record) of a rule: its own keys, and those that all rules have.
macro_rules! rule {
    (
        $(#[doc = $doc:literal])*
        pub struct $name:ident, $what:literal {
            $(
                $(#[doc = $field_doc:literal])*
                pub $field:ident: $type:ty $(as $key:literal)? $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $crate::read::record! {
            $(#[doc = $doc])*
            pub struct $name, $what {
                /// Its name in reports.
                pub name: Located<String>,
                /// What it is for.
                pub description: Option<String>,
                $( $(#[doc = $field_doc])* pub $field: $type $(as $key)? $(= $default)?, )*
                /// Look only at rows for which this is true: a condition in SQL over one row.
                pub filter: Option<Located<String>> as "where",
                /// In what the rule counts: `rows` (the default of most types) or `percent` of the rows it looks at.
                pub unit: Option<Located<$crate::Unit>>,
                /// What is measured has to be this.
                pub must_be: Option<Located<Literal>>,
                /// What is measured must not be this.
                pub must_not_be: Option<Located<Literal>>,
                /// What is measured has to be greater.
                pub must_be_greater_than: Option<Located<Literal>>,
                /// What is measured has to be this or greater.
                pub must_be_greater_or_equal_to: Option<Located<Literal>>,
                /// What is measured has to be less.
                pub must_be_less_than: Option<Located<Literal>>,
                /// What is measured has to be this or less.
                pub must_be_less_or_equal_to: Option<Located<Literal>>,
                /// What is measured has to lie between these two, or be one of them.
                pub must_be_between: Option<Located<$crate::Between>>,
                /// What is measured has to lie below the first or above the second.
                pub must_not_be_between: Option<Located<$crate::Between>>,
                /// How loudly a broken rule is told: `error` unless `action` says otherwise, which then is a `warning`.
                pub severity: Option<Located<$crate::Severity>>,
                /// What becomes of the data: `fail` for an `error`, else `report`.
                pub action: Option<Located<$crate::Action>>,
                /// What the rule is about.
                pub dimension: Option<$crate::Dimension>,
                /// Words to find it by.
                pub tags: Vec<String> = Vec::new(),
            }
        }

        impl $name {
            /// What it says besides what it is about.
            pub fn terms(&self) -> $crate::contract::terms::Terms {
                use $crate::contract::terms::{Between, Comparison};
                let one = |said: &Option<Located<Literal>>, of: fn(Literal) -> Comparison| {
                    let said = said.as_ref()?;
                    Some(Located::new(of(said.value.clone()), said.place.clone()))
                };
                let two = |said: &Option<Located<Between>>, of: fn(Literal, Literal) -> Comparison| {
                    let said = said.as_ref()?;
                    let Between(least, greatest) = said.value.clone();
                    Some(Located::new(of(least, greatest), said.place.clone()))
                };
                let comparisons = [
                    one(&self.must_be, Comparison::Equal),
                    one(&self.must_not_be, Comparison::NotEqual),
                    one(&self.must_be_greater_than, Comparison::Greater),
                    one(&self.must_be_greater_or_equal_to, Comparison::GreaterOrEqual),
                    one(&self.must_be_less_than, Comparison::Less),
                    one(&self.must_be_less_or_equal_to, Comparison::LessOrEqual),
                    two(&self.must_be_between, Comparison::Between),
                    two(&self.must_not_be_between, Comparison::NotBetween),
                ];
                $crate::contract::terms::Terms {
                    name: self.name.clone(),
                    description: self.description.clone(),
                    filter: self.filter.clone(),
                    unit: self.unit.clone(),
                    comparisons: comparisons.into_iter().flatten().collect(),
                    severity: self.severity.clone(),
                    action: self.action.clone(),
                    dimension: self.dimension,
                    tags: self.tags.clone(),
                }
            }
        }
    };
}

pub(super) use rule;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severity_and_action_tell_each_other() {
        let check = |severity, action, expected| {
            assert_eq!(
                severity_and_action(severity, action),
                expected,
                "{severity:?} {action:?}"
            );
        };
        use {Action::*, Severity::*};
        check(None, None, (Error, Fail));
        check(Some(Error), None, (Error, Fail));
        check(Some(Warning), None, (Warning, Report));
        check(Some(Info), None, (Info, Report));
        check(None, Some(Fail), (Error, Fail));
        check(None, Some(Quarantine), (Warning, Quarantine));
        check(None, Some(Drop), (Warning, Drop));
        check(Some(Error), Some(Quarantine), (Error, Quarantine));
        check(Some(Error), Some(Report), (Error, Report));
    }
}
