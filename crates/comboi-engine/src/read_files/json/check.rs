//! JSON in columns of text, as functions of SQL. DuckDB's own take `[1,]` and `NaN`, and keep numbers as
//! doubles.

use std::collections::BTreeMap;
use std::error;
use std::sync::Arc;

use comboi_project::SqlType;
use duckdb::arrow::array::{Array, AsArray as _, BooleanArray, RecordBatch, StringArray};
use duckdb::arrow::datatypes::DataType;
use duckdb::vscalar::{ArrowFunctionSignature, VArrowScalar};
use serde::de::IgnoredAny;

use super::shape::{Others, Shape};
use super::text::{Kind, has_half_a_pair, has_key_twice, kind, minified, parts, unescaped};
use crate::instance::Instance;
use crate::{Error, sql};

/// Whether a text is JSON (RFC 8259) and each of its texts is one of characters.
const IS_JSON: &str = "comboi_is_json";
/// A text of JSON taken apart by a [`Shape`], as DuckDB writes nested texts. NULL if it is none, or has no place
/// in the shape.
const NESTED: &str = "comboi_nested_json";

/// Makes the function of [`is_json`] known to SQL. It reaches no file.
pub(crate) fn define_is_json(instance: &Instance) -> Result<(), Error> {
    let defined = instance.define::<IsJson>(IS_JSON, &());
    defined.map_err(|failure| instance.explain(failure, "define functions"))
}

pub(super) fn define(instance: &Instance) -> Result<(), Error> {
    define_is_json(instance)?;
    let defined = instance.define::<NestedJson>(NESTED, &());
    defined.map_err(|failure| instance.explain(failure, "define functions"))
}

/// Whether a text is JSON, as SQL; NULL for NULL.
pub(crate) fn is_json(text: &str) -> String {
    format!("{IS_JSON}({text})")
}

/// The nested texts that the table function gives for a type, made of a text; NULL if it does not fit.
pub(in super::super) fn nested_texts(text: &str, to: &SqlType) -> String {
    let shape = Shape::of(to, &BTreeMap::new(), &mut Vec::new(), Others::Untyped);
    let argument = serde_json::to_string(&shape).unwrap_or_default();
    format!(
        "TRY_CAST({NESTED}({text}, {}) AS {})",
        sql::text(&argument),
        shape.sql_type()
    )
}

fn is_json_text(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok() && !has_half_a_pair(text)
}

/// `None`: not JSON, a key twice, or no place in the shape.
fn taken_apart(text: &str, shape: &Shape) -> Option<String> {
    let text = text.trim_ascii();
    if !is_json_text(text) || has_key_twice(text) || !shape.holds(text) {
        return None;
    }
    let mut all = String::with_capacity(text.len() + 16);
    write(text, shape, &mut all);
    Some(all)
}

/// A value that the shape holds, in the syntax of DuckDB's casts.
fn write(value: &str, shape: &Shape, to: &mut String) {
    match (shape, kind(value)) {
        (_, Kind::Null) | (Shape::Untyped, _) => to.push_str("NULL"),
        (Shape::Object { .. }, _) => {
            let mut before = '{';
            for (place, shape, value) in shape.fields_of(value) {
                to.push(before);
                before = ',';
                to.push_str(&super::field(place));
                to.push(':');
                write(value, shape, to);
            }
            // A struct without a field that has a value is still one.
            if before == '{' {
                to.push(before);
            }
            to.push('}');
        }
        (Shape::List(of), _) => {
            to.push('[');
            for (place, (_, item)) in parts(value).enumerate() {
                if place > 0 {
                    to.push(',');
                }
                write(item, of, to);
            }
            to.push(']');
        }
        (Shape::Map(of), _) => {
            to.push('[');
            for (place, (key, value)) in parts(value).enumerate() {
                if place > 0 {
                    to.push(',');
                }
                to.push_str("{f0:");
                quote(&unescaped(key).unwrap_or_default(), to);
                to.push_str(",f1:");
                write(value, of, to);
                to.push('}');
            }
            to.push(']');
        }
        (Shape::Text, Kind::Text) => quote(&unescaped(value).unwrap_or_default(), to),
        (Shape::Text | Shape::Json, _) => quote(&minified(value), to),
    }
}

fn quote(text: &str, to: &mut String) {
    to.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            to.push('\\');
        }
        to.push(c);
    }
    to.push('"');
}

struct IsJson;

impl VArrowScalar for IsJson {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let texts = input.column(0).as_string::<i32>();
        let are: BooleanArray = texts.iter().map(|text| Some(is_json_text(text?))).collect();
        Ok(Arc::new(are))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::Utf8];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Boolean)]
    }
}

struct NestedJson;

impl VArrowScalar for NestedJson {
    type State = ();

    fn invoke((): &(), input: RecordBatch) -> Result<Arc<dyn Array>, Box<dyn error::Error>> {
        let texts = input.column(0).as_string::<i32>();
        let shapes = input.column(1).as_string::<i32>();
        let Some(shape) = shapes.iter().flatten().next() else {
            return Ok(Arc::new(StringArray::new_null(texts.len())));
        };
        let shape: Shape = serde_json::from_str(shape)?;
        let all: StringArray = texts
            .iter()
            .map(|text| taken_apart(text?, &shape))
            .collect();
        Ok(Arc::new(all))
    }

    fn signatures() -> Vec<ArrowFunctionSignature> {
        let parameters = vec![DataType::Utf8, DataType::Utf8];
        vec![ArrowFunctionSignature::exact(parameters, DataType::Utf8)]
    }
}
