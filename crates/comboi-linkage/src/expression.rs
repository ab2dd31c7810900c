//! DuckDB's trees of conditions: which record a part of one is about, and what it is.

use comboi_engine::{Session, changes};
use comboi_project::did_you_mean;
use serde_json::{Value, json};

use crate::Error;

/// One of two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Side {
    Left,
    Right,
}

/// How a condition names the two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// `surname_l`, in levels.
    Suffix,
    /// `l.surname`, in rules.
    Prefix,
}

pub(crate) fn text<'a>(node: &'a Value, key: &str) -> &'a str {
    node.get(key).and_then(Value::as_str).unwrap_or_default()
}

pub(crate) fn children(node: &Value) -> &[Value] {
    node.get("children")
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// The parts of the name of a column reference.
pub(crate) fn names(node: &Value) -> Option<Vec<String>> {
    if text(node, "class") != "COLUMN_REF" {
        return None;
    }
    let parts = node.get("column_names")?.as_array()?;
    Some(
        parts
            .iter()
            .filter_map(|it| it.as_str().map(str::to_owned))
            .collect(),
    )
}

/// A reference to a column.
pub(crate) fn column<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    json!({
        "class": "COLUMN_REF", "type": "COLUMN_REF", "alias": "",
        "column_names": names.collect::<Vec<_>>()
    })
}

/// A rule, and that the two records differ in a column.
pub(crate) fn apart(rule: &Value, of: &str) -> Value {
    let mut parts = match text(rule, "type") {
        "CONJUNCTION_AND" => children(rule).to_vec(),
        _ => vec![rule.clone()],
    };
    parts.push(json!({
        "class": "COMPARISON", "type": "COMPARE_NOTEQUAL", "alias": "",
        "left": column(["l", of].into_iter()), "right": column(["r", of].into_iter())
    }));
    json!({"class": "CONJUNCTION", "type": "CONJUNCTION_AND", "alias": "", "children": parts})
}

/// What keeps a tree from being a condition over two records; completes "the condition …".
pub(crate) fn refused(session: &Session, tree: &Value) -> Result<Option<String>, Error> {
    let (mut found, mut calls) = (None, Vec::new());
    each(tree, &mut |node| {
        let what = match text(node, "class") {
            "SUBQUERY" => Some("has a subquery, which can't be used here".to_owned()),
            "WINDOW" => Some("has a window function, which can't be used here".to_owned()),
            "PARAMETER" => Some("has a parameter, which has no value here".to_owned()),
            "STAR" => Some("has a `*`, which can't be used here".to_owned()),
            "FUNCTION" => {
                let function = text(node, "function_name").to_lowercase();
                calls.push((function, children(node).len()));
                None
            }
            _ => None,
        };
        found = found.take().or(what);
    });
    for (function, arguments) in calls {
        if found.is_none() && changes(session, &function, arguments)? {
            found = Some(format!(
                "uses `{function}`, so that it would be another each time"
            ));
        }
    }
    Ok(found)
}

fn each(node: &Value, visit: &mut dyn FnMut(&Value)) {
    match node {
        Value::Object(entries) => {
            visit(node);
            for (_, inner) in entries {
                each(inner, visit);
            }
        }
        Value::Array(items) => {
            for item in items {
                each(item, visit);
            }
        }
        _ => {}
    }
}

/// A tree with its references to columns replaced, without where it stood in the text. What a lambda calls its own stays.
pub(crate) fn rewritten(tree: &Value, replace: &dyn Fn(&[String]) -> Value) -> Value {
    rewrite(tree, replace, &mut Vec::new())
}

fn rewrite(node: &Value, replace: &dyn Fn(&[String]) -> Value, own: &mut Vec<String>) -> Value {
    if let Some(names) = names(node) {
        let is_own = names.first().is_some_and(|it| own.contains(it));
        return if is_own {
            column(names.iter().map(String::as_str))
        } else {
            replace(&names)
        };
    }
    match node {
        Value::Object(entries) => {
            let before = own.len();
            own.extend(parameters(node));
            let kept = entries.iter().filter(|(key, _)| *key != "query_location");
            let out = kept
                .map(|(key, inner)| (key.clone(), rewrite(inner, replace, own)))
                .collect();
            own.truncate(before);
            Value::Object(out)
        }
        Value::Array(items) => {
            Value::Array(items.iter().map(|it| rewrite(it, replace, own)).collect())
        }
        other => other.clone(),
    }
}

/// What a lambda calls its elements.
fn parameters(node: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if text(node, "class") == "LAMBDA"
        && let Some(left) = node.get("lhs")
    {
        each(left, &mut |node| {
            found.extend(names(node).into_iter().flatten());
        });
    }
    found
}

/// The record that a reference to a column is about, and the parts of the column's name.
pub(crate) type Reference = (Side, Vec<String>);

/// The columns that a tree refers to, with the record each is of; or what is wrong with one of them.
pub(crate) fn references(tree: &Value, naming: Naming) -> Vec<Result<Reference, Vec<String>>> {
    let found = std::cell::RefCell::new(Vec::new());
    let collect = |names: &[String]| {
        found
            .borrow_mut()
            .push(side_of(names, naming).ok_or_else(|| names.to_vec()));
        Value::Null
    };
    rewritten(tree, &collect);
    found.into_inner()
}

/// The record and the column that a reference means.
pub(crate) fn side_of(names: &[String], naming: Naming) -> Option<Reference> {
    let (first, rest) = names.split_first()?;
    let side = |text: &str| match text {
        "l" | "L" => Some(Side::Left),
        "r" | "R" => Some(Side::Right),
        _ => None,
    };
    match naming {
        Naming::Prefix => {
            let side = side(first)?;
            (!rest.is_empty()).then(|| (side, rest.to_vec()))
        }
        Naming::Suffix => {
            let (name, end) = first.rsplit_once('_')?;
            let side = side(end)?;
            let names = std::iter::once(name.to_owned()).chain(rest.iter().cloned());
            (!name.is_empty()).then(|| (side, names.collect()))
        }
    }
}

/// The column that a tree over one record reads, if it is one alone; its name in small letters.
pub(crate) fn only_column(tree: &Value) -> Option<String> {
    let found = std::cell::RefCell::new(Vec::new());
    rewritten(tree, &|names| {
        found.borrow_mut().push(names.join(".").to_lowercase());
        Value::Null
    });
    let mut found = found.into_inner();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [_] => found.pop(),
        _ => None,
    }
}

/// A tree over one record as it reads without the other one: with bare names of columns.
pub(crate) fn bare(tree: &Value, naming: Naming) -> Value {
    rewritten(tree, &|names| {
        let (_, path) = side_of(names, naming).unwrap_or((Side::Left, names.to_vec()));
        column(path.iter().map(String::as_str))
    })
}

/// A tree over two records with `l.` and `r.` before the names of columns.
pub(crate) fn prefixed(tree: &Value, naming: Naming) -> Value {
    rewritten(tree, &|names| match side_of(names, naming) {
        Some((side, path)) => {
            let side = if side == Side::Left { "l" } else { "r" };
            column(std::iter::once(side).chain(path.iter().map(String::as_str)))
        }
        None => column(names.iter().map(String::as_str)),
    })
}

/// A number that stands in a tree, casts of it included.
pub(crate) fn constant(node: &Value) -> Option<f64> {
    match text(node, "class") {
        "CAST" => constant(node.get("child")?),
        "CONSTANT" => {
            let value = node.get("value")?;
            let kind = value.pointer("/type/id")?.as_str()?;
            let number = value.get("value")?.as_f64()?;
            match kind {
                "DECIMAL" => {
                    let scale = value.pointer("/type/type_info/scale")?.as_i64()?;
                    Some(number / 10_f64.powi(i32::try_from(scale).ok()?))
                }
                "TINYINT" | "SMALLINT" | "INTEGER" | "BIGINT" | "UTINYINT" | "USMALLINT"
                | "UINTEGER" | "DOUBLE" => Some(number),
                _ => None,
            }
        }
        _ => None,
    }
}

/// What to try for a column that is not there.
pub(crate) fn like_column(name: &str, columns: &[String]) -> Option<String> {
    did_you_mean(name, columns.iter().map(String::as_str))
}
