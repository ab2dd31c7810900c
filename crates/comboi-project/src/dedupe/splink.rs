//! `splink:`: Splink's own settings, inline or as a file, in the forms that people have them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use crate::read::{Located, Read, Reader};
use crate::yaml::{Node, Scalar, Value};
use crate::{Place, Problem};

/// `splink:` as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Splink {
    /// Whether it is to be used.
    pub enabled: bool,
    /// A file with settings or a saved model.
    pub file: Option<Located<PathBuf>>,
    /// Settings that stand here.
    pub inline: Option<Inline>,
    /// One more rule by which pairs are found, over `l` and `r`.
    pub blocking_rule: Option<Located<String>>,
}

/// Settings that stand in YAML, and where each part of them does, by its JSON pointer (with `#` behind it: its key).
#[derive(Clone, Debug, PartialEq)]
pub struct Inline {
    /// As JSON.
    pub value: Json,
    /// Where each part stands.
    pub places: BTreeMap<String, Place>,
}

/// Splink's settings, read but not understood.
#[derive(Clone, Debug)]
pub struct Model {
    /// The file, as its problems name it, and its text; or what stands in YAML.
    pub settings: Result<Inline, (PathBuf, String)>,
    /// One more rule by which pairs are found.
    pub blocking_rule: Option<Located<String>>,
    /// Where it was named.
    pub place: Place,
}

impl Model {
    /// The column that tells rows apart, if the settings say so.
    pub(crate) fn unique_id(&self) -> Option<Located<String>> {
        let parsed;
        let value = match &self.settings {
            Ok(inline) => &inline.value,
            Err((_, text)) => {
                parsed = serde_json::from_str(text).unwrap_or(Json::Null);
                &parsed
            }
        };
        let name = value.get("unique_id_column_name")?.as_str()?;
        Some(Located::new(name.to_owned(), self.place.clone()))
    }
}

/// What stands around settings and is none.
const AROUND: [&str; 3] = ["enabled", "settings", "blocking_rule"];

impl Read for Splink {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut splink = Self {
            enabled: true,
            file: None,
            inline: None,
            blocking_rule: None,
        };
        let Value::Mapping(entries) = &node.value else {
            splink.file = Some(Located::read(node, reader)?);
            return Some(splink);
        };
        if let Some(enabled) = node.get("enabled") {
            splink.enabled = bool::read(enabled, reader)?;
        }
        if let Some(rule) = node.get("blocking_rule") {
            splink.blocking_rule = Some(Located::read(rule, reader)?);
        }
        let rest: Vec<_> = entries
            .iter()
            .filter(|(key, _)| !AROUND.contains(&key.text.as_str()))
            .cloned()
            .collect();
        match (node.get("settings"), rest.first()) {
            (Some(settings), None) => match &settings.value {
                Value::Mapping(_) => splink.inline = Some(Inline::of(settings, reader)?),
                _ => splink.file = Some(Located::read(settings, reader)?),
            },
            (Some(_), Some((key, _))) => {
                return reader.report(
                    Problem::at(
                        &key.place,
                        "Splink's settings stand under `settings`, or here; not in both places",
                    )
                    .hint("move this key below `settings`"),
                );
            }
            (None, Some(_)) => {
                let inner = Node {
                    place: node.place.clone(),
                    value: Value::Mapping(rest),
                };
                splink.inline = Some(Inline::of(&inner, reader)?);
            }
            (None, None) => {}
        }
        Some(splink)
    }

    fn schema() -> Json {
        json!({ "oneOf": [
            { "type": "string", "description": "A file with Splink's settings or a model that Splink saved, below the project's folder." },
            { "type": "object", "description": "Splink's settings, or `settings:` with them." },
        ] })
    }
}

impl Inline {
    fn of(node: &Node, reader: &mut Reader) -> Option<Self> {
        let mut places = BTreeMap::new();
        let value = json_of(node, "", &mut places, reader)?;
        Some(Self { value, places })
    }

    /// Where a part stands, or the next thing around it that is known.
    pub fn place(&self, pointer: &str) -> Option<&Place> {
        let mut at = pointer;
        loop {
            if let Some(place) = self.places.get(at) {
                return Some(place);
            }
            at = match at.strip_suffix('#') {
                Some(of) => of,
                None => at.rsplit_once('/')?.0,
            };
        }
    }
}

fn json_of(
    node: &Node,
    pointer: &str,
    places: &mut BTreeMap<String, Place>,
    reader: &mut Reader,
) -> Option<Json> {
    places.insert(pointer.to_owned(), node.place.clone());
    match &node.value {
        Value::Reported => None,
        Value::Scalar(scalar) => of_scalar(node, scalar, reader),
        Value::Sequence(items) => items
            .iter()
            .enumerate()
            .map(|(i, item)| json_of(item, &format!("{pointer}/{i}"), places, reader))
            .collect::<Option<_>>()
            .map(Json::Array),
        Value::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let name = key.text.replace('~', "~0").replace('/', "~1");
                let below = format!("{pointer}/{name}");
                places.insert(format!("{below}#"), key.place.clone());
                object.insert(key.text.clone(), json_of(value, &below, places, reader)?);
            }
            Some(Json::Object(object))
        }
    }
}

fn of_scalar(node: &Node, scalar: &Scalar, reader: &mut Reader) -> Option<Json> {
    if scalar.is_null() {
        return Some(Json::Null);
    }
    let text = String::read(node, reader)?;
    if !scalar.may_be_typed() {
        return Some(Json::String(text));
    }
    Some(match text.as_str() {
        "true" | "True" | "TRUE" => Json::Bool(true),
        "false" | "False" | "FALSE" => Json::Bool(false),
        _ => text
            .parse()
            .map_or_else(|_| Json::String(text.clone()), Json::Number),
    })
}
