//! From nodes to the types of this crate: one definition of each gives its reader and its JSON Schema.
//!
//! [`record!`], [`choice!`] and [`tagged!`] define a type together with how it is written. Reading reports
//! every mistake at its place and goes on with the rest, so that all of them are found in one go.

mod fields;
pub(crate) mod macros;
mod values;

use std::sync::Arc;

use serde_json::Value as Json;

use crate::yaml::{Node, Value};
use crate::{Place, Problem, suggest};

pub(crate) use fields::Fields;
pub(crate) use macros::{choice, record, tagged};
pub use values::Literal;
pub(crate) use values::{Refusal, documented, or_placeholder, parsed, read_as_parsed};

/// A type that people write in YAML.
pub(crate) trait Read: Sized {
    /// The value that a node stands for. None: what is wrong has been reported.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self>;

    /// What an editor has to know about it.
    fn schema() -> Json;

    /// What it is when its key is left out. None: the key has to be there.
    fn missing() -> Option<Self> {
        None
    }

    /// Whether others refer to it by its key `name`.
    fn is_named() -> bool {
        false
    }

    /// How a default would be written, for the schema.
    fn written(&self) -> Option<Json> {
        None
    }
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    pub(crate) problems: Vec<Problem>,
    /// Names of entries that could not be read: whoever refers to one of them has made no second mistake.
    pub(crate) unread: Vec<Option<String>>,
}

impl Reader {
    pub(crate) fn report<T>(&mut self, problem: Problem) -> Option<T> {
        self.problems.push(problem);
        None
    }

    /// Reports that a node is something else than what is wanted (`a list`); says nothing of what was said before.
    pub(crate) fn unexpected<T>(&mut self, node: &Node, wanted: &str) -> Option<T> {
        match &node.value {
            Value::Reported => None,
            Value::Scalar(scalar) if !scalar.is_null() => {
                let shown: String = scalar.written.chars().take(40).collect();
                let more = if shown.len() < scalar.written.len() {
                    "…"
                } else {
                    ""
                };
                self.report(Problem::at(
                    &node.place,
                    format!("expected {wanted}, found `{shown}{more}`"),
                ))
            }
            _ => self.report(Problem::at(
                &node.place,
                format!("expected {wanted}, found {}", node.kind()),
            )),
        }
    }

    /// Whether looking for what was meant is worth its time: not for the thousandth mistake.
    pub(crate) fn may_suggest(&self) -> bool {
        self.problems.len() < 100
    }

    /// What was meant, for a hint.
    pub(crate) fn meant<'a>(
        &self,
        wrong: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Option<String> {
        if self.may_suggest() {
            suggest::did_you_mean(wrong, candidates)
        } else {
            None
        }
    }

    /// Whether a name may belong to an entry that could not be read.
    pub(crate) fn may_be_unread(&self, name: &str) -> bool {
        self.unread
            .iter()
            .any(|unread| unread.as_deref().is_none_or(|unread| unread == name))
    }
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Located<T> {
    /// A value at a place.
    pub fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }
}

impl<T> std::ops::Deref for Located<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: Read> Read for Located<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        Some(Self {
            value: T::read(node, reader)?,
            place: node.place.clone(),
        })
    }
    fn schema() -> Json {
        T::schema()
    }
    fn is_named() -> bool {
        T::is_named()
    }
    fn written(&self) -> Option<Json> {
        self.value.written()
    }
}

/// A value, and what was written for it without its form: for digests.
#[derive(Clone, Debug, PartialEq)]
pub struct Written<T> {
    /// The value.
    pub value: T,
    /// The same text for the same meaning, whatever the spaces, comments and line breaks.
    pub canonical: Arc<str>,
}

impl<T: Read> Read for Written<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        Some(Self {
            value: T::read(node, reader)?,
            canonical: crate::project::canonical(node).into(),
        })
    }
    fn schema() -> Json {
        T::schema()
    }
}

impl<T: Read> Read for Option<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        if node.is_null() {
            Some(None)
        } else {
            T::read(node, reader).map(Some)
        }
    }
    fn schema() -> Json {
        T::schema()
    }
    fn missing() -> Option<Self> {
        Some(None)
    }
}

impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Sequence(items) = &node.value else {
            return reader.unexpected(node, "a list");
        };
        Some(
            items
                .iter()
                .filter_map(|item| read_entry(item, reader))
                .collect(),
        )
    }
    fn schema() -> Json {
        serde_json::json!({ "type": "array", "items": T::schema() })
    }
    fn written(&self) -> Option<Json> {
        self.iter()
            .map(Read::written)
            .collect::<Option<Vec<_>>>()
            .map(Json::Array)
    }
}

fn read_entry<T: Read>(item: &Node, reader: &mut Reader) -> Option<T> {
    let value = T::read(item, reader);
    if value.is_none() && T::is_named() {
        names_below(item, &mut reader.unread);
    }
    value
}

/// The names of an entry and of the entries inside it; `None` for an entry without one.
fn names_below(node: &Node, names: &mut Vec<Option<String>>) {
    if let Value::Mapping(entries) = &node.value {
        let name = node.get("name").and_then(|name| match &name.value {
            Value::Scalar(scalar) => scalar.text(),
            _ => None,
        });
        names.push(name);
        for item in entries.iter().filter_map(|(_, value)| match &value.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }) {
            item.iter()
                .filter(|item| item.get("name").is_some())
                .for_each(|item| names_below(item, names));
        }
    }
}

/// One value, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMany<T>(pub Vec<T>);

impl<T> std::ops::Deref for OneOrMany<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T: Read> Read for OneOrMany<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        match &node.value {
            Value::Sequence(items) if items.is_empty() => reader.report(Problem::at(
                &node.place,
                "the list is empty: one entry at least is needed",
            )),
            Value::Sequence(_) => Vec::read(node, reader).map(Self),
            _ => T::read(node, reader).map(|one| Self(vec![one])),
        }
    }
    fn schema() -> Json {
        let one = T::schema();
        serde_json::json!({ "oneOf": [one, { "type": "array", "items": one, "minItems": 1 }] })
    }
}

/// A mapping whose keys people choose, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entries<T>(pub Vec<(Located<String>, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> std::ops::Deref for Entries<T> {
    type Target = [(Located<String>, T)];
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Read> Read for Entries<T> {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let Value::Mapping(entries) = &node.value else {
            return reader.unexpected(node, "a mapping");
        };
        let entry = |(key, value): &(crate::yaml::Key, Node)| {
            Some((
                Located::new(key.text.clone(), key.place.clone()),
                T::read(value, reader)?,
            ))
        };
        Some(Self(entries.iter().filter_map(entry).collect()))
    }
    fn schema() -> Json {
        serde_json::json!({ "type": "object", "additionalProperties": T::schema() })
    }
    fn written(&self) -> Option<Json> {
        self.is_empty().then(|| serde_json::json!({}))
    }
}
