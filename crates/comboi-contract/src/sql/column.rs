//! A column: read, cast and tidied, then handled if it tells about a person.

use comboi_project::{
    Action, Constraint, Contract, ContractColumn, Format, Handled, Handling, SqlType, quoted_name,
};

use crate::words::words_of;

/// A column of the contract on its way into the dataset.
pub(super) struct Selected<'a> {
    pub(super) column: &'a ContractColumn,
    handled: Option<&'a Handled>,
    /// Whether it tells about a person and nobody said what to do.
    unhandled: bool,
}

impl<'a> Selected<'a> {
    pub(super) fn of(contract: &'a Contract, column: &'a ContractColumn) -> Self {
        let handled = contract.handling(&column.name);
        let unhandled = contract
            .unhandled()
            .iter()
            .any(|(name, _)| *name == column.name.value);
        Self {
            column,
            handled,
            unhandled,
        }
    }

    pub(super) fn name(&self) -> String {
        quoted_name(&self.column.name)
    }

    /// How it is handled, a pseudonym being what a text gets of which nothing is said.
    pub(super) fn handling(&self) -> Option<Handling> {
        match self.handled {
            Some(handled) => Some(handled.handling.value),
            None if self.unhandled && matches!(self.column.sql_type.value, SqlType::Varchar(_)) => {
                Some(Handling::Hmac)
            }
            None => None,
        }
    }

    pub(super) fn is_handled(&self) -> bool {
        self.handling()
            .is_some_and(|handling| handling != Handling::Allowed)
    }

    /// As it comes from the input: in the contract's type, tidied.
    pub(super) fn typed(&self) -> String {
        let from = self.handled.and_then(|handled| handled.from.as_ref());
        let source = quoted_name(from.map_or(self.column.name.as_str(), |from| from.as_str()));
        let name = self.name();
        let sql_type = match &self.column.sql_type.value {
            SqlType::Varchar(_) => SqlType::Varchar(None),
            other => other.clone(),
        };
        // A value that does not fit is NULL where the contract sets rows aside, and stops the build elsewhere.
        let aside = self
            .column
            .action
            .as_ref()
            .is_some_and(|action| matches!(action.value, Action::Quarantine | Action::Drop));
        let cast = if aside { "TRY_CAST" } else { "CAST" };
        let value = format!("{cast}({source} AS {sql_type})");
        if sql_type != SqlType::Varchar(None) {
            return format!("{value} AS {name}");
        }
        let trimmed = format!("trim({value})");
        let tidied = match self.case() {
            Some(function) => format!("{function}({trimmed})"),
            None => trimmed,
        };
        format!("nullif({tidied}, '') AS {name}")
    }

    /// As readers see it.
    pub(super) fn published(&self) -> String {
        let name = self.name();
        let how = self.handled;
        let (value, comment) = match self.handling() {
            None | Some(Handling::Allowed | Handling::Exclude) => return name,
            Some(Handling::Hmac) => (format!("comboi_hmac({name})"), "a pseudonym"),
            Some(Handling::Sha256Unkeyed) => (
                format!("sha256({name})"),
                "who guesses the value can tell that it is this one",
            ),
            Some(Handling::Mask) => (format!("left({name}, 1) || '***'"), "masked"),
            Some(Handling::Truncate) => {
                let length = how
                    .and_then(|handled| handled.length.as_ref())
                    .map_or(1, |length| length.value);
                (format!("left({name}, {length})"), "truncated")
            }
            Some(Handling::Generalise) => {
                let to = how
                    .and_then(|handled| handled.to.as_ref())
                    .map_or("", |to| to.as_str());
                (self.generalised(&name, to), "generalised")
            }
        };
        format!("{value} AS {name}  -- {comment}")
    }

    fn generalised(&self, name: &str, to: &str) -> String {
        let sql_type = &self.column.sql_type.value;
        let value = if sql_type.is_moment() {
            format!("date_trunc('{to}', {name})")
        } else {
            format!("floor({name} / {to}) * {to}")
        };
        format!("CAST({value} AS {sql_type})")
    }

    /// `upper` or `lower`, where the contract allows only one of them.
    fn case(&self) -> Option<&'static str> {
        let constraints = self.column.constraints.0.iter().map(|one| &one.value);
        for constraint in constraints {
            let found = match constraint {
                Constraint::AllowedValues(values) => {
                    let all = |fits: fn(&str) -> String| {
                        values.iter().all(|value| fits(&value.text) == value.text)
                    };
                    match (
                        all(|text| text.to_uppercase()),
                        all(|text| text.to_lowercase()),
                    ) {
                        (true, false) => Some("upper"),
                        (false, true) => Some("lower"),
                        _ => None,
                    }
                }
                Constraint::Format(Format::Country | Format::Currency | Format::Iban) => {
                    Some("upper")
                }
                Constraint::Format(Format::Email | Format::Uuid) => Some("lower"),
                Constraint::Pattern(pattern) => case_of(pattern),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        let words = words_of(&self.column.name);
        let email = words.iter().any(|word| word == "email")
            || words.windows(2).any(|pair| pair == ["e", "mail"]);
        // Two spellings of an address would be two pseudonyms.
        (email && self.is_handled()).then_some("lower")
    }
}

/// Patterns of nothing but capital or nothing but small letters, digits and signs.
fn case_of(pattern: &str) -> Option<&'static str> {
    if pattern == crate::Format::Email.pattern() {
        return Some("lower");
    }
    if !pattern.starts_with('^')
        || !pattern.ends_with('$')
        || pattern.contains(['\\', '(', '|', '.'])
    {
        return None;
    }
    let classes = pattern.replace("[0-9]", "");
    let capital = classes.contains("[A-Z]") || classes.contains(|c: char| c.is_ascii_uppercase());
    let small = classes.contains(|c: char| c.is_ascii_lowercase());
    match (capital, small) {
        (true, false) => Some("upper"),
        (false, true) => Some("lower"),
        _ => None,
    }
}
