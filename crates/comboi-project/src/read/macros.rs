//! Types that define how they are written.

/// A struct that is written as a mapping.
///
/// `pub field: Type` is a key that has to be there, unless the type is an `Option`; `= value` gives it a
/// default, `as "key"` another name in YAML. The docs become the schema's descriptions; the text after the
/// struct's name says in messages what it is.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $(#[derive($($derive:ident),*)])?
        pub struct $name:ident, $what:literal {
            $(
                $(#[doc = $field_doc:literal])*
                pub $field:ident: $type:ty $(as $key:literal)? $(= $default:expr)?
            ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq, $($($derive),*)?)]
        pub struct $name {
            $( $(#[doc = $field_doc])* pub $field: $type, )*
        }

        impl $crate::read::Read for $name {
            fn read(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader) -> Option<Self> {
                let mut fields = $crate::read::Fields::open(node, $what, reader)?;
                $(
                    let $field: Option<$type> = fields.take(
                        $crate::read::macros::key!($field $(, $key)?),
                        $crate::read::macros::default!($type $(, $default)?),
                        reader,
                    );
                )*
                fields.close(reader);
                Some(Self { $( $field: $field?, )* })
            }

            fn is_named() -> bool {
                [$( stringify!($field) ),*].contains(&"name")
            }

            fn schema() -> serde_json::Value {
                let mut properties = serde_json::Map::new();
                let mut required: Vec<&str> = Vec::new();
                $(
                    let key = $crate::read::macros::key!($field $(, $key)?);
                    let default: Option<$type> = $crate::read::macros::default!($type $(, $default)?);
                    if default.is_none() && <$type as $crate::read::Read>::missing().is_none() {
                        required.push(key);
                    }
                    let written = default.as_ref().and_then($crate::read::Read::written);
                    let schema = <$type as $crate::read::Read>::schema();
                    properties.insert(key.to_owned(), $crate::read::documented(schema, &[$($field_doc),*], written));
                )*
                let schema = serde_json::json!({
                    "type": "object",
                    "properties": properties,
                    "required": required,
                    "additionalProperties": false,
                });
                $crate::read::documented(schema, &[$($doc),*], None)
            }
        }
    };
}

macro_rules! key {
    ($field:ident, $key:literal) => {
        $key
    };
    ($field:ident) => {
        stringify!($field)
    };
}

macro_rules! default {
    ($type:ty, $default:expr) => {
        Some::<$type>($default)
    };
    ($type:ty) => {
        None::<$type>
    };
}

/// An enum that is written as one of a few words.
macro_rules! choice {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident {
            $( $(#[doc = $variant_doc:literal])* $variant:ident = $word:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* #[serde(rename = $word)] $variant, )*
        }

        impl $name {
            /// As it is written.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( Self::$variant => $word, )*
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::read::Read for $name {
            fn read(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),*];
                let text = String::read(node, reader)?;
                match text.as_str() {
                    $( $word => Some(Self::$variant), )*
                    _ => reader.report($crate::read::macros::not_a_word(node, &text, WORDS)),
                }
            }

            fn schema() -> serde_json::Value {
                let words = [$( $crate::read::documented(serde_json::json!({ "const": $word }), &[$($variant_doc),*], None) ),*];
                $crate::read::documented($crate::read::or_placeholder(serde_json::json!({ "oneOf": words })), &[$($doc),*], None)
            }

            fn written(&self) -> Option<serde_json::Value> {
                Some(self.as_str().into())
            }
        }
    };
}

/// An enum of records, told apart by one of their keys.
macro_rules! tagged {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident, $what:literal, by $tag:literal {
            $( $(#[doc = $variant_doc:literal])* $variant:ident($type:ty) = $word:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant($type), )*
        }

        impl $crate::read::Read for $name {
            fn read(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),*];
                let (word, rest) = $crate::read::macros::split_tag(node, $what, $tag, WORDS, reader)?;
                match word.as_str() {
                    $( $word => <$type as $crate::read::Read>::read(&rest, reader).map(Self::$variant), )*
                    _ => None,
                }
            }

            fn is_named() -> bool {
                $( <$type as $crate::read::Read>::is_named() )||+
            }

            fn schema() -> serde_json::Value {
                let variants = [$(
                    $crate::read::macros::with_tag(<$type as $crate::read::Read>::schema(), $tag, $word, &[$($variant_doc),*])
                ),*];
                $crate::read::documented(serde_json::json!({ "oneOf": variants }), &[$($doc),*], None)
            }
        }
    };
}

pub(crate) use {choice, default, key, record, tagged};

use serde_json::{Value as Json, json};

use super::{Read, Reader, documented};
use crate::yaml::{Node, Value};
use crate::{Problem, suggest};

pub(crate) fn not_a_word(node: &Node, text: &str, words: &[&str]) -> Problem {
    let expected: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let shown = match &node.value {
        Value::Scalar(scalar) => scalar.written.chars().take(60).collect(),
        _ => String::new(),
    };
    let elsewhere = suggest::rule_of_other_tool(text).filter(|rule| words.contains(rule));
    let elsewhere = elsewhere.map(|rule| format!("`{rule}` is the rule that checks that here"));
    let meant = elsewhere.or_else(|| suggest::did_you_mean(text, words.iter().copied()));
    // Nobody reads a long list whose word for it is known.
    let message = if meant.is_some() && words.len() > 12 {
        format!("there is no `{shown}`")
    } else {
        format!("expected {}, found `{shown}`", expected.join(", "))
    };
    Problem::at(&node.place, message).maybe_hint(meant)
}

/// The word that tells what a mapping is, and the mapping without it.
pub(crate) fn split_tag(
    node: &Node,
    what: &str,
    tag: &str,
    words: &[&str],
    reader: &mut Reader,
) -> Option<(String, Node)> {
    let Value::Mapping(entries) = &node.value else {
        return reader.unexpected(node, &format!("{what}: a mapping"));
    };
    let Some(found) = node.get(tag) else {
        let expected: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
        return reader.report(
            Problem::at(&node.place, format!("{what} needs the key `{tag}`"))
                .hint(format!("one of {}", expected.join(", "))),
        );
    };
    let word = String::read(found, reader)?;
    if !words.contains(&word.as_str()) {
        return reader.report(not_a_word(found, &word, words));
    }
    let rest = entries
        .iter()
        .filter(|(key, _)| key.text != tag)
        .cloned()
        .collect();
    Some((
        word,
        Node {
            place: node.place.clone(),
            value: Value::Mapping(rest),
        },
    ))
}

/// The schema of a record, with the key that tells it apart from others.
pub(crate) fn with_tag(mut schema: Json, tag: &str, word: &str, docs: &[&str]) -> Json {
    if let Some(properties) = schema.get_mut("properties").and_then(Json::as_object_mut) {
        let others = std::mem::take(properties);
        properties.insert(tag.to_owned(), json!({ "const": word }));
        properties.extend(others);
    }
    if let Some(required) = schema.get_mut("required").and_then(Json::as_array_mut) {
        required.insert(0, tag.into());
    }
    documented(schema, docs, None)
}
