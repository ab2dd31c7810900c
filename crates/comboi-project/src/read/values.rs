//! Single values: text, numbers, truth values, and everything that is parsed from a text.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Value as Json, json};

use super::{Read, Reader};
use crate::setting::Part;
use crate::yaml::{Node, Scalar, Value};
use crate::{
    Alias, BadName, BadType, DatasetName, PipelineName, Problem, Setting, SourceName, SqlType,
    Stage, TableName,
};

/// Adds what the docs say, and the default.
pub(crate) fn documented(mut schema: Json, docs: &[&str], default: Option<Json>) -> Json {
    if let Some(object) = schema.as_object_mut() {
        let text: Vec<&str> = docs.iter().map(|line| line.trim()).collect();
        if !text.is_empty() {
            object.insert("description".to_owned(), text.join("\n").into());
        }
        if let Some(default) = default {
            object.insert("default".to_owned(), default);
        }
    }
    schema
}

/// A value that may also come from the environment, for types that a placeholder's text would not fit.
pub(crate) fn or_placeholder(schema: Json) -> Json {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/placeholder" }] })
}

fn scalar<'n>(node: &'n Node, wanted: &str, reader: &mut Reader) -> Option<&'n Scalar> {
    match &node.value {
        Value::Scalar(scalar) if !scalar.is_null() => Some(scalar),
        _ => reader.unexpected(node, wanted),
    }
}

fn text(node: &Node, wanted: &str, reader: &mut Reader) -> Option<String> {
    let scalar = scalar(node, wanted, reader)?;
    scalar.text().or_else(|| {
        reader.report(
            Problem::at(&node.place, format!("a secret can't stand here: expected {wanted}"))
                .hint("secrets are for connections and credentials; use {{env:NAME}} for what is no secret"),
        )
    })
}

impl Read for String {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        text(node, "a text", reader)
    }
    fn schema() -> Json {
        // What YAML takes for a number or a truth value is accepted as its text.
        json!({ "type": ["string", "number", "boolean"] })
    }
    fn written(&self) -> Option<Json> {
        Some(self.as_str().into())
    }
}

/// A value in exactly the digits in which it was written, for what must not pass through a float.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// As it was written, without its quotes.
    pub text: String,
    /// Whether it stood in quotes: then it is a text, whatever it looks like.
    pub quoted: bool,
}

impl Read for Literal {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let text = text(node, "a value", reader)?;
        let quoted = scalar(node, "a value", reader)?.quoted;
        Some(Self { text, quoted })
    }
    fn schema() -> Json {
        json!({ "type": ["string", "number", "boolean"] })
    }
    fn written(&self) -> Option<Json> {
        Some(if self.quoted {
            self.text.as_str().into()
        } else {
            self.text.parse().map_or(Json::Null, Json::Number)
        })
    }
}

impl Read for bool {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let wanted = "`true` or `false`";
        let typed = scalar(node, wanted, reader)?.may_be_typed();
        let text = text(node, wanted, reader)?;
        match text.as_str() {
            "true" | "True" | "TRUE" if typed => Some(true),
            "false" | "False" | "FALSE" if typed => Some(false),
            "true" | "false" => reader.report(
                Problem::at(&node.place, format!("expected {wanted}, found a text"))
                    .hint("remove the quotes"),
            ),
            _ => {
                let meant = match text.to_ascii_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" => Some("write `true`".to_owned()),
                    "no" | "off" | "n" | "0" => Some("write `false`".to_owned()),
                    _ => None,
                };
                let found = not_what_was_wanted(node, wanted);
                reader.report(found.maybe_hint(meant))
            }
        }
    }
    fn schema() -> Json {
        or_placeholder(json!({ "type": "boolean" }))
    }
    fn written(&self) -> Option<Json> {
        Some((*self).into())
    }
}

/// Shows what was written, never what a placeholder stood for.
fn not_what_was_wanted(node: &Node, wanted: &str) -> Problem {
    let mut reader = Reader::default();
    let _reported: Option<()> = reader.unexpected(node, wanted);
    reader
        .problems
        .pop()
        .unwrap_or_else(|| Problem::at(&node.place, format!("expected {wanted}")))
}

fn number<T: FromStr>(node: &Node, wanted: &str, reader: &mut Reader) -> Option<T> {
    let typed = scalar(node, wanted, reader)?.may_be_typed();
    let text = text(node, wanted, reader)?;
    match text.replace('_', "").parse() {
        Ok(number) if typed => Some(number),
        Ok(_) => reader.report(not_what_was_wanted(node, wanted).hint("remove the quotes")),
        Err(_) => reader.report(not_what_was_wanted(node, wanted)),
    }
}

macro_rules! whole_number {
    ($type:ty, $wanted:literal) => {
        impl Read for $type {
            fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
                number(node, $wanted, reader)
            }
            fn schema() -> Json {
                or_placeholder(json!({ "type": "integer", "minimum": 0 }))
            }
            fn written(&self) -> Option<Json> {
                Some((*self).into())
            }
        }
    };
}

whole_number!(u16, "a whole number from 0 to 65535");
whole_number!(u32, "a whole number from 0 to 4294967295");
whole_number!(u64, "a whole number from 0 up");

impl Read for f64 {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let found: f64 = number(node, "a number", reader)?;
        if found.is_finite() {
            Some(found)
        } else {
            reader.report(not_what_was_wanted(node, "a number"))
        }
    }
    fn schema() -> Json {
        or_placeholder(json!({ "type": "number" }))
    }
    fn written(&self) -> Option<Json> {
        Some((*self).into())
    }
}

impl Read for PathBuf {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let path = text(node, "a path", reader)?;
        if path.is_empty() || path.contains('\0') {
            return reader.report(Problem::at(&node.place, "the path is empty"));
        }
        if let Some((scheme, _)) = path.split_once("://") {
            let message = format!(
                "a path of this machine is expected, and `{scheme}://` begins the address of something else"
            );
            return reader.report(Problem::at(&node.place, message).hint(
                "write a file or folder; a lake in Azure is named with `data_lake:` of a stage",
            ));
        }
        Some(path.into())
    }
    fn schema() -> Json {
        json!({ "type": "string", "minLength": 1 })
    }
    fn written(&self) -> Option<Json> {
        self.to_str().map(Json::from)
    }
}

impl Read for Setting {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        // A setting whose placeholder could not be filled in is there all the same: nobody should ask for it.
        if matches!(node.value, Value::Reported) {
            return Some(Self::new(Vec::new(), node.place.clone()));
        }
        let scalar = scalar(node, "a text", reader)?;
        let parts = scalar
            .filled
            .clone()
            .unwrap_or_else(|| vec![Part::Text(scalar.written.clone())]);
        Some(Self::new(parts, node.place.clone()))
    }
    fn schema() -> Json {
        json!({ "type": ["string", "number"] })
    }
}

/// How a type of text says what is wrong with one.
pub(crate) trait Refusal: std::fmt::Display {
    fn suggestion(&self) -> Option<&str> {
        None
    }
}

impl Refusal for BadName {
    fn suggestion(&self) -> Option<&str> {
        Self::suggestion(self)
    }
}

impl Refusal for BadType {
    fn suggestion(&self) -> Option<&str> {
        Self::suggestion(self)
    }
}

impl Refusal for crate::BadStage {}

/// A value that is made from a text.
pub(crate) fn parsed<T: FromStr<Err: Refusal>>(
    node: &Node,
    wanted: &str,
    reader: &mut Reader,
) -> Option<T> {
    let text = text(node, wanted, reader)?;
    match text.parse() {
        Ok(value) => Some(value),
        Err(bad) => {
            let hint = bad
                .suggestion()
                .map(|suggestion| format!("did you mean `{suggestion}`?"));
            reader.report(Problem::at(&node.place, bad.to_string()).maybe_hint(hint))
        }
    }
}

/// Makes types that are parsed from a text readable.
macro_rules! read_as_parsed {
    ($($type:ty, $wanted:literal, $schema:tt;)*) => {
        $(
            impl $crate::read::Read for $type {
                fn read(node: &$crate::yaml::Node, reader: &mut $crate::read::Reader) -> Option<Self> {
                    $crate::read::parsed(node, $wanted, reader)
                }
                fn schema() -> serde_json::Value {
                    $crate::read::or_placeholder(serde_json::json!($schema))
                }
                fn written(&self) -> Option<serde_json::Value> {
                    Some(self.to_string().into())
                }
            }
        )*
    };
}
pub(crate) use read_as_parsed;

read_as_parsed! {
    SourceName, "a name", { "type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$" };
    TableName, "a name", { "type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$" };
    DatasetName, "a name", { "type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$" };
    Alias, "a name", { "type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$" };
    PipelineName, "a name", { "type": "string", "pattern": "^[a-z][a-z0-9_]{0,127}$" };
    Stage, "a stage", { "enum": ["bronze", "silver", "gold"] };
    SqlType, "a type", { "type": "string" };
}
