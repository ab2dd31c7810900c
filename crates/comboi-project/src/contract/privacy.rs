//! What a dataset holds about people, and how that is handled before anybody reads it.

use super::check::Checker;
use super::rules::{Rule, RuleKind};
use super::{Contract, ContractColumn};
use crate::read::{Entries, Literal, Located, choice, record};
use crate::{Place, SqlType};

record! {
    /// What a dataset holds about people.
    pub struct Privacy, "privacy" {
        /// Such as `PII`, `confidential` or `public`.
        pub classification: Option<Located<String>>,
        /// Whether the General Data Protection Regulation applies.
        pub gdpr_applicable: Option<bool>,
        /// Such as `access`, `rectification` and `erasure`.
        pub data_subject_rights: Vec<String> = Vec::new(),
        /// Columns whose values tell about a person.
        pub pii_columns: Vec<Located<String>> = Vec::new(),
        /// How columns about people are handled before they are published.
        pub columns: Vec<Located<Handled>> = Vec::new(),
        /// The column by which a person's rows are found.
        pub subject_column: Option<Located<String>>,
        /// Why the data may be processed.
        pub legal_basis: Option<String>,
        /// What it is processed for.
        pub purpose: Option<String>,
        /// Anything else worth writing down.
        pub notes: Entries<String> = Entries::default(),
    }
}

record! {
    /// How a column about people is handled before it is published.
    pub struct Handled, "the handling of a column" {
        /// The column of the dataset; for `exclude` the column that it must not have.
        pub column: Located<String>,
        /// How.
        pub handling: Located<Handling>,
        /// What the column is called in the input, if not the same: `email` becomes `email_hash`.
        pub from: Option<Located<String>>,
        /// For `truncate`: so many characters stay.
        pub length: Option<Located<u64>>,
        /// For `generalise`: `year`, `quarter`, `month`, `week` or `day` for dates and timestamps, the width of a step (`10`) for numbers.
        pub to: Option<Located<String>>,
        /// For `allowed`: why it may be published as it is.
        pub reason: Option<Located<String>>,
    }
}

choice! {
    /// How a column about people is handled before it is published.
    pub enum Handling {
        /// A pseudonym: HMAC-SHA-256 with the project's key, 64 hexadecimal digits. Nobody without the key can tell who it is.
        Hmac = "hmac",
        /// SHA-256 without a key: whoever guesses the value can tell that it was this one.
        Sha256Unkeyed = "sha256_unkeyed",
        /// The first character, then `***`.
        Mask = "mask",
        /// The first characters.
        Truncate = "truncate",
        /// Something less exact: the year of a date, the ten that a number lies in.
        Generalise = "generalise",
        /// It is not published at all.
        Exclude = "exclude",
        /// It is published as it is, for a reason that is written down.
        Allowed = "allowed",
    }
}

/// Steps of time that a moment is generalised to.
const STEPS: [&str; 5] = ["year", "quarter", "month", "week", "day"];

impl Contract {
    /// How a column is handled, if the contract says so.
    pub fn handling(&self, column: &str) -> Option<&Handled> {
        let privacy = self.privacy.as_ref()?;
        privacy
            .columns
            .iter()
            .map(|handled| &handled.value)
            .find(|handled| handled.column.eq_ignore_ascii_case(column))
    }

    /// Columns of which the contract itself says that they tell about a person, and not how they are handled: name and place.
    ///
    /// A word about the dataset as a whole (`classification: PII`) marks no column.
    pub fn unhandled(&self) -> Vec<(&str, &Place)> {
        let listed = |name: &str| {
            let columns = self.privacy.iter().flat_map(|privacy| &privacy.pii_columns);
            columns
                .into_iter()
                .any(|listed| listed.eq_ignore_ascii_case(name))
        };
        self.schema
            .columns
            .iter()
            .filter(|column| {
                let says = column.pii.is_some() || column.classification.is_some();
                column.is_personal() || !says && listed(&column.name)
            })
            .filter(|column| self.handling(&column.name).is_none())
            .map(|column| (column.name.as_str(), &column.name.place))
            .collect()
    }

    /// Columns that the dataset must not have.
    pub fn excluded(&self) -> impl Iterator<Item = &Located<String>> {
        let columns = self.privacy.iter().flat_map(|privacy| &privacy.columns);
        columns
            .filter(|handled| handled.handling.value == Handling::Exclude)
            .map(|handled| &handled.column)
    }

    /// Whether values of a column tell about a person, so that they are masked wherever rows are shown.
    ///
    /// A column that says nothing itself follows `privacy.pii_columns`, then `privacy.classification`.
    pub fn is_personal(&self, name: &str) -> bool {
        let column = self.column(name);
        if let Some(column) = column
            && (column.pii.is_some() || column.classification.is_some() || column.is_personal())
        {
            return column.is_personal();
        }
        let Some(privacy) = &self.privacy else {
            return false;
        };
        if !privacy.pii_columns.is_empty() {
            return privacy
                .pii_columns
                .iter()
                .any(|listed| listed.eq_ignore_ascii_case(name));
        }
        privacy.classification.as_ref().is_some_and(|said| {
            said.split(|c: char| !c.is_alphanumeric()).any(|word| {
                ["pii", "personal", "sensitive"]
                    .iter()
                    .any(|personal| word.eq_ignore_ascii_case(personal))
            })
        })
    }

    /// What can be seen of values that were handled: a pseudonym is 64 digits, a year begins in January.
    pub(super) fn privacy_rules(&self) -> Vec<Rule> {
        let columns = self.privacy.iter().flat_map(|privacy| &privacy.columns);
        columns
            .filter_map(|handled| {
                let column = self.column(&handled.column)?;
                let name = format!("{}_{}", column.name.value, handled.handling.value);
                let kind = handled.seen(column)?;
                Some(super::rules::plain(name, kind, &handled.handling.place))
            })
            .collect()
    }
}

impl Handled {
    /// What is true of every value that was handled so, as far as one can see.
    fn seen(&self, column: &ContractColumn) -> Option<RuleKind> {
        let name = column.name.value.clone();
        let pattern = |pattern: &str| RuleKind::Pattern {
            column: name.clone(),
            pattern: pattern.to_owned(),
        };
        match self.handling.value {
            Handling::Hmac | Handling::Sha256Unkeyed => Some(pattern("^[0-9a-f]{64}$")),
            Handling::Mask => Some(pattern(r"(?s)^.?\*\*\*$")),
            Handling::Truncate => Some(RuleKind::MaxLength {
                length: self.length.as_ref()?.value,
                column: name,
            }),
            Handling::Generalise => {
                let to = self.to.as_ref()?;
                if column.sql_type.is_number() {
                    return Some(RuleKind::MultipleOf {
                        column: name,
                        value: Literal {
                            text: to.value.clone(),
                            quoted: false,
                        },
                    });
                }
                let column = crate::quoted_name(&name);
                let text = format!("{column} = date_trunc('{}', {column})", to.value);
                Some(RuleKind::Expression {
                    expression: Located::new(text, to.place.clone()),
                })
            }
            Handling::Exclude | Handling::Allowed => None,
        }
    }
}

impl Checker<'_> {
    pub(super) fn privacy(&mut self) {
        let Some(privacy) = &self.contract.privacy else {
            return;
        };
        for column in privacy.pii_columns.iter().chain(&privacy.subject_column) {
            self.has_column(column);
        }
        for (at, handled) in privacy.columns.iter().enumerate() {
            let again = privacy
                .columns
                .iter()
                .take(at)
                .any(|before| before.column.eq_ignore_ascii_case(&handled.column));
            if again {
                self.report(
                    &handled.column.place,
                    format!("column `{}` is handled twice", handled.column.value),
                    None,
                );
            }
            self.handled(handled);
        }
    }

    fn handled(&mut self, handled: &Handled) {
        let how = handled.handling.value;
        let name = &handled.column;
        if how == Handling::Exclude {
            if self.contract.column(name).is_some() {
                self.report(
                    &name.place,
                    format!("`{}` is excluded, and the contract promises it", name.value),
                    Some("take it away from `schema.columns`, or handle it otherwise".to_owned()),
                );
            }
            return;
        }
        if !self.has_column(name) {
            return;
        }
        let Some(column) = self.contract.column(name) else {
            return;
        };
        let sql_type = &column.sql_type.value;
        let place = &handled.handling.place;
        match how {
            Handling::Hmac | Handling::Sha256Unkeyed => {
                let room = matches!(sql_type, SqlType::Varchar(None))
                    || matches!(sql_type, SqlType::Varchar(Some(length)) if *length >= 64);
                if !room {
                    self.report(
                        place,
                        format!(
                            "`{how}` gives 64 hexadecimal digits, and `{}` is {sql_type}",
                            name.value
                        ),
                        Some("make its type VARCHAR".to_owned()),
                    );
                }
            }
            Handling::Mask | Handling::Truncate if !matches!(sql_type, SqlType::Varchar(_)) => {
                self.report(
                    place,
                    format!("`{how}` is for texts, and `{}` is {sql_type}", name.value),
                    Some("`generalise` is for numbers and dates".to_owned()),
                );
            }
            Handling::Truncate if handled.length.is_none() => {
                self.report(
                    place,
                    "`truncate` needs the key `length`",
                    Some("the number of characters that stay: `length: 3`".to_owned()),
                );
            }
            Handling::Generalise => self.generalised(handled, sql_type),
            Handling::Allowed
                if handled
                    .reason
                    .as_ref()
                    .is_none_or(|it| it.trim().is_empty()) =>
            {
                self.report(
                    place,
                    "`allowed` needs the key `reason`",
                    Some("say why it may be published as it is".to_owned()),
                );
            }
            Handling::Mask | Handling::Truncate | Handling::Allowed | Handling::Exclude => {}
        }
    }

    fn generalised(&mut self, handled: &Handled, sql_type: &SqlType) {
        let name = &handled.column.value;
        let to = handled.to.as_ref();
        let hint = if sql_type.is_moment() {
            format!("one of {}", STEPS.join(", "))
        } else {
            "the width of a step: `to: 10`".to_owned()
        };
        let place = to.map_or(&handled.handling.place, |to| &to.place);
        let good = |to: &Located<String>| {
            if sql_type.is_moment() {
                STEPS.contains(&to.as_str())
            } else {
                super::value::is_number(to) && !to.starts_with('-') && to.parse() != Ok(0.0)
            }
        };
        if !sql_type.is_moment() && !sql_type.is_number() {
            self.report(
                &handled.handling.place,
                format!("`generalise` is for numbers and dates, and `{name}` is {sql_type}"),
                Some("`truncate` is for texts".to_owned()),
            );
        } else if !to.is_some_and(good) {
            let message = match to {
                Some(to) => format!(
                    "`{name}` ({sql_type}) can't be generalised to `{}`",
                    to.value
                ),
                None => "`generalise` needs the key `to`".to_owned(),
            };
            self.report(place, message, Some(hint));
        }
    }
}
