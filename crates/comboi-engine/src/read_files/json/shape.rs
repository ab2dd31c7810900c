//! Columns of texts, or of nested texts, as the types of the table's columns need them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use comboi_project::SqlType;
use duckdb::arrow::array::{ArrayRef, ListArray, StringBuilder, StructArray};
use duckdb::arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use duckdb::arrow::datatypes::{DataType, Field, Fields};
use serde::{Deserialize, Serialize};

use super::field;
use super::text::{Kind, is_untyped, kind, minified, parts, unescaped};

/// What a value is taken apart into.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Shape {
    /// A text without its quotes and escapes; anything else as it is written.
    Text,
    /// As it is written.
    Json,
    /// Nothing: values that say nothing of a type.
    Untyped,
    /// An object: the values of these keys.
    Object {
        keys: Vec<(String, Shape)>,
        others: Others,
    },
    /// An array.
    List(Box<Shape>),
    /// An object as a list of its keys and values.
    Map(Box<Shape>),
}

/// Which values of other keys are passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Others {
    /// `null` only.
    Null,
    /// Those that say nothing of a type.
    Untyped,
    /// All.
    Any,
}

impl Others {
    fn hold(self, value: &str) -> bool {
        match self {
            Self::Null => kind(value) == Kind::Null,
            Self::Untyped => is_untyped(value),
            Self::Any => true,
        }
    }
}

impl Shape {
    /// The shape for a type. `path` leads to the value, by the names of fields; `keys` are those that have another name.
    pub(super) fn of(
        to: &SqlType,
        keys: &BTreeMap<Vec<String>, String>,
        path: &mut Vec<String>,
        others: Others,
    ) -> Self {
        match to {
            SqlType::Json => Self::Json,
            SqlType::Null => Self::Untyped,
            SqlType::List(of) | SqlType::Array(of, _) => {
                Self::List(Box::new(Self::of(of, keys, path, others)))
            }
            SqlType::Map(_, of) => Self::Map(Box::new(Self::of(of, keys, path, others))),
            SqlType::Struct(fields) => {
                let mut all = Vec::with_capacity(fields.len());
                for (name, of) in fields {
                    path.push(name.clone());
                    let key = keys.get(path).unwrap_or(name).clone();
                    all.push((key, Self::of(of, keys, path, others)));
                    path.pop();
                }
                Self::Object { keys: all, others }
            }
            _ => Self::Text,
        }
    }

    pub(super) fn data_type(&self) -> DataType {
        match self {
            Self::Text | Self::Json | Self::Untyped => DataType::Utf8,
            Self::Object { keys, .. } => {
                DataType::Struct(fields(keys.iter().map(|(_, shape)| shape.data_type())))
            }
            Self::List(of) => DataType::List(item(of.data_type())),
            Self::Map(of) => DataType::List(item(entry(of.data_type()))),
        }
    }

    /// The same as a type of SQL.
    pub(super) fn sql_type(&self) -> String {
        match self {
            Self::Text | Self::Json | Self::Untyped => "VARCHAR".to_owned(),
            Self::Object { keys, .. } => {
                let field = |(place, (_, of)): (usize, &(String, Self))| {
                    format!("{} {}", field(place), of.sql_type())
                };
                let fields: Vec<String> = keys.iter().enumerate().map(field).collect();
                format!("STRUCT({})", fields.join(", "))
            }
            Self::List(of) => format!("{}[]", of.sql_type()),
            Self::Map(of) => format!(
                "STRUCT({} VARCHAR, {} {})[]",
                field(0),
                field(1),
                of.sql_type()
            ),
        }
    }

    /// The values of an object that have a field: its place, shape and value.
    pub(super) fn fields_of<'a>(&'a self, object: &'a str) -> Vec<(usize, &'a Self, &'a str)> {
        let Self::Object { keys, .. } = self else {
            return Vec::new();
        };
        let places = Places::of(keys);
        let of = |(key, value)| {
            let place = places.find(key)?;
            Some((place, &keys.get(place)?.1, value))
        };
        parts(object).filter_map(of).collect()
    }

    /// Whether a checked value has a place in this shape.
    pub(super) fn holds(&self, value: &str) -> bool {
        match (self, kind(value)) {
            (_, Kind::Null) | (Self::Text | Self::Json, _) => true,
            (Self::Untyped, _) => is_untyped(value),
            (Self::Object { keys, others }, Kind::Object) => {
                let places = Places::of(keys);
                parts(value).all(|(key, value)| match places.find(key) {
                    Some(place) => keys.get(place).is_some_and(|(_, of)| of.holds(value)),
                    None => others.hold(value),
                })
            }
            (Self::List(of), Kind::Array) => parts(value).all(|(_, item)| of.holds(item)),
            (Self::Map(of), Kind::Object) => parts(value).all(|(_, value)| of.holds(value)),
            _ => false,
        }
    }
}

fn fields(types: impl Iterator<Item = DataType>) -> Fields {
    types
        .enumerate()
        .map(|(place, of)| Field::new(field(place), of, true))
        .collect()
}

fn item(of: DataType) -> Arc<Field> {
    Arc::new(Field::new("item", of, true))
}

fn entry(of: DataType) -> DataType {
    DataType::Struct(fields([DataType::Utf8, of].into_iter()))
}

/// Where keys stand: few are compared one by one.
enum Places<'a> {
    Few(&'a [(String, Shape)]),
    Many(HashMap<&'a str, usize>),
}

impl<'a> Places<'a> {
    fn of(keys: &'a [(String, Shape)]) -> Self {
        if keys.len() <= 16 {
            return Self::Few(keys);
        }
        let places = keys.iter().enumerate();
        Self::Many(
            places
                .map(|(place, (key, _))| (key.as_str(), place))
                .collect(),
        )
    }

    fn find(&self, quoted: &str) -> Option<usize> {
        let key = unescaped(quoted)?;
        match self {
            Self::Few(keys) => keys.iter().position(|(known, _)| *known == key),
            Self::Many(places) => places.get(&*key).copied(),
        }
    }
}

/// Values of a shape that become an array of Arrow.
pub(super) enum Column {
    Text(StringBuilder),
    Object(Vec<Column>, Vec<bool>),
    List(Box<Column>, Vec<i32>, Vec<bool>),
}

impl Column {
    pub(super) fn new(shape: &Shape) -> Self {
        let list = |of| Self::List(Box::new(of), vec![0], Vec::new());
        match shape {
            Shape::Text | Shape::Json | Shape::Untyped => Self::Text(StringBuilder::new()),
            Shape::Object { keys, .. } => {
                let columns = keys.iter().map(|(_, shape)| Self::new(shape));
                Self::Object(columns.collect(), Vec::new())
            }
            Shape::List(of) => list(Self::new(of)),
            Shape::Map(of) => {
                let texts = Self::Text(StringBuilder::new());
                list(Self::Object(vec![texts, Self::new(of)], Vec::new()))
            }
        }
    }

    /// Adds a value that the shape [holds](Shape::holds), or NULL.
    pub(super) fn push(&mut self, shape: &Shape, value: Option<&str>) {
        let value = value.filter(|value| kind(value) != Kind::Null);
        match (self, shape, value) {
            (Self::Text(texts), Shape::Text, Some(value)) if kind(value) == Kind::Text => {
                texts.append_option(unescaped(value));
            }
            (Self::Text(texts), Shape::Untyped, _) => texts.append_null(),
            (Self::Text(texts), _, value) => texts.append_option(value.map(minified)),
            (Self::Object(columns, valid), Shape::Object { keys, .. }, value) => {
                let mut values: Vec<Option<&str>> = vec![None; keys.len()];
                if let Some(value) = value {
                    let places = Places::of(keys);
                    for (key, value) in parts(value) {
                        if let Some(slot) = places.find(key).and_then(|it| values.get_mut(it)) {
                            *slot = Some(value);
                        }
                    }
                }
                for ((column, (_, shape)), value) in columns.iter_mut().zip(keys).zip(values) {
                    column.push(shape, value);
                }
                valid.push(value.is_some());
            }
            (Self::List(items, ends, valid), Shape::List(of), value) => {
                let mut end = ends.last().copied().unwrap_or(0);
                for (_, item) in value.into_iter().flat_map(parts) {
                    items.push(of, Some(item));
                    end += 1;
                }
                ends.push(end);
                valid.push(value.is_some());
            }
            (Self::List(entries, ends, valid), Shape::Map(of), value) => {
                let mut end = ends.last().copied().unwrap_or(0);
                for (key, value) in value.into_iter().flat_map(parts) {
                    entries.push_entry(unescaped(key), of, value);
                    end += 1;
                }
                ends.push(end);
                valid.push(value.is_some());
            }
            (Self::Object(..) | Self::List(..), ..) => {
                unreachable!("a column is made for its shape")
            }
        }
    }

    fn push_entry(&mut self, key: Option<Cow<'_, str>>, of: &Shape, value: &str) {
        if let Self::Object(columns, valid) = self
            && let [Self::Text(keys), values] = columns.as_mut_slice()
        {
            keys.append_option(key);
            values.push(of, Some(value));
            valid.push(true);
        }
    }

    pub(super) fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut texts) => Arc::new(texts.finish()),
            Self::Object(columns, valid) => {
                let columns: Vec<ArrayRef> = columns.into_iter().map(Self::finish).collect();
                let fields = fields(columns.iter().map(|it| it.data_type().clone()));
                let nulls = Some(NullBuffer::from(valid));
                Arc::new(StructArray::new(fields, columns, nulls))
            }
            Self::List(items, ends, valid) => {
                let items = items.finish();
                let field = item(items.data_type().clone());
                let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
                Arc::new(ListArray::new(
                    field,
                    ends,
                    items,
                    Some(NullBuffer::from(valid)),
                ))
            }
        }
    }
}
