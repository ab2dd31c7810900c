//! YAML as comboi knows it: mappings, lists and scalars, each with its place.
//!
//! Less than YAML allows, on purpose: no anchors, aliases, tags or merge keys, one document a file, no key
//! twice. Sizes are bounded before memory is spent, so a hostile file costs no more than a long one.

mod build;
mod file;
mod json;
mod placeholder;

use crate::Place;
use crate::setting::Part;

pub(crate) use build::parse;
pub(crate) use file::read_text;
pub(crate) use json::json;
pub use json::yaml_as_json;
pub(crate) use placeholder::{Env, fill_in, report_shell_variables};

/// Something in a file, and where.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) place: Place,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Scalar(Scalar),
    Sequence(Vec<Node>),
    /// In the order of the file, every key once.
    Mapping(Vec<(Key, Node)>),
    /// Something that has been reported as a problem already.
    Reported,
}

#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) place: Place,
}

/// A text, number, truth value or nothing: told apart by whoever reads it.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    /// As it was written, quotes and escapes resolved; placeholders still in it.
    pub(crate) written: String,
    /// Whether it stood in quotes or in a block, so that it is a text whatever it looks like.
    pub(crate) quoted: bool,
    /// What it stands for, once its placeholders are filled in. None: there were none.
    pub(crate) filled: Option<Vec<Part>>,
}

impl Scalar {
    /// YAML 1.2's core schema: nothing at all, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        !self.quoted && matches!(self.written.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }

    /// The text it stands for; None when a part of it is a secret.
    pub(crate) fn text(&self) -> Option<String> {
        match &self.filled {
            None => Some(self.written.clone()),
            Some(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => Some(text.as_str()),
                    Part::Secret(_) => None,
                })
                .collect(),
        }
    }

    /// Whether it may be a number or a truth value: what stood in no quotes, or only for its placeholder's sake.
    pub(crate) fn may_be_typed(&self) -> bool {
        !self.quoted || self.filled.is_some()
    }
}

impl Node {
    pub(crate) fn reported(place: Place) -> Self {
        Self {
            place,
            value: Value::Reported,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar(scalar) if scalar.is_null())
    }

    /// What stands under a key, when this is a mapping that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        match &self.value {
            Value::Mapping(entries) => entries
                .iter()
                .find(|(known, _)| known.text == key)
                .map(|(_, node)| node),
            _ => None,
        }
    }

    /// What it is, for a message: `a list`.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Scalar(scalar) if scalar.is_null() => "nothing",
            Value::Scalar(_) => "a single value",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
            Value::Reported => "something wrong",
        }
    }
}
