//! A YAML file as a plain value, for files that are not ours to know.

use std::path::Path;

use serde_json::{Map, Number, Value as Json};

use super::{Node, Value, parse, read_text};
use crate::{Place, Problems};

/// What a YAML file says, every scalar taken as YAML 1.2 takes it. Placeholders stay as they are.
pub fn yaml_as_json(path: &Path) -> Result<Json, Problems> {
    let place = Place::file(path);
    let text = read_text(path, &place).map_err(|problem| Problems(vec![problem]))?;
    let mut problems = Vec::new();
    let node = parse(&place.file, &text, &mut problems);
    match node {
        Some(node) if problems.is_empty() => Ok(json(&node)),
        _ => Err(Problems(problems)),
    }
}

pub(crate) fn json(node: &Node) -> Json {
    match &node.value {
        Value::Reported => Json::Null,
        Value::Sequence(items) => items.iter().map(json).collect(),
        Value::Mapping(entries) => {
            let entries = entries
                .iter()
                .map(|(key, value)| (key.text.clone(), json(value)));
            Json::Object(entries.collect::<Map<_, _>>())
        }
        Value::Scalar(scalar) if scalar.is_null() => Json::Null,
        Value::Scalar(scalar) if scalar.quoted => scalar.written.as_str().into(),
        Value::Scalar(scalar) => match scalar.written.as_str() {
            "true" | "True" | "TRUE" => true.into(),
            "false" | "False" | "FALSE" => false.into(),
            text => number(text).map_or_else(|| text.into(), Json::Number),
        },
    }
}

/// A number that comes back in the same digits; what would not (`1.10`, `007`) stays a text.
fn number(text: &str) -> Option<Number> {
    let number: Number = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
