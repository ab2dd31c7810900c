//! Relationships of the standard (3.1) and foreign keys.
//!
//! The standard names the other side by names, `receivers.id`, or by ids, `/schema/receivers_tbl/properties/id_prop`, which may stand in another
//! document: `receivers.yaml#/schema/…`. Only of ids in the same document it is known what they are called.

use serde_json::{Value as Json, json};

use super::import::{column_name, dataset_name, list, text};

/// The columns of one dataset that a relationship names on one of its sides.
struct Side {
    dataset: String,
    columns: Vec<String>,
}

/// The foreign key of a column, of a relationship that stands with it; `None` where the other side can't be told.
pub(super) fn of_column(document: &Json, relationship: &Json) -> Option<Json> {
    let to = side(document, relationship.get("to")?)?;
    match to.columns.as_slice() {
        [column] => Some(json!({ "dataset": to.dataset, "column": column })),
        _ => None,
    }
}

/// The foreign key of an object, of a relationship that stands with it.
pub(super) fn of_object(document: &Json, relationship: &Json) -> Option<Json> {
    let from = side(document, relationship.get("from")?)?;
    let to = side(document, relationship.get("to")?)?;
    (from.columns.len() == to.columns.len())
        .then(|| json!({ "columns": from.columns, "dataset": to.dataset, "to": to.columns }))
}

/// Whether it is one that comboi has a rule for: the standard has no other type yet.
pub(super) fn is_foreign_key(relationship: &Json) -> bool {
    text(relationship, "type").is_none_or(|kind| kind == "foreignKey")
}

fn side(document: &Json, written: &Json) -> Option<Side> {
    let all: Vec<&str> = match written {
        Json::String(one) => vec![one],
        Json::Array(all) => all.iter().map(Json::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let mut sides = all.into_iter().map(|one| reference(document, one));
    let (dataset, first) = sides.next()??;
    let mut columns = vec![first];
    for side in sides {
        let (other, column) = side?;
        if other != dataset {
            return None;
        }
        columns.push(column);
    }
    Some(Side { dataset, columns })
}

/// A dataset and its column.
fn reference(document: &Json, written: &str) -> Option<(String, String)> {
    let objects = list(document, "schema");
    if let Some(path) = by_ids(written) {
        let object = objects.iter().find(|it| text(it, "id") == Some(path.0))?;
        let mut properties = list(object, "properties").iter();
        let property = properties.find(|it| text(it, "id") == Some(path.1))?;
        return Some((dataset_name(object)?, column_name(property).to_owned()));
    }
    let (table, column) = written.split_once('.')?;
    if column.contains(['.', '/']) {
        return None;
    }
    let known = objects.iter().find(|it| text(it, "name") == Some(table));
    let Some(object) = known else {
        // An object of another document is called as its dataset will be.
        let dataset = dataset_name(&json!({ "name": table }))?;
        return Some((dataset, column.to_owned()));
    };
    let mut properties = list(object, "properties").iter();
    let property = properties.find(|it| text(it, "name") == Some(column));
    let column = property.map_or(column, column_name);
    Some((dataset_name(object)?, column.to_owned()))
}

/// The ids of an object and of its property, of the same document.
fn by_ids(written: &str) -> Option<(&str, &str)> {
    let parts: Vec<&str> = written.trim_start_matches('/').split('/').collect();
    match parts.as_slice() {
        ["schema", object, "properties", property] => Some((object, property)),
        _ => None,
    }
}

/// A foreign key of one column as a relationship of its property; `None` for what the standard's names can't say.
pub(super) fn to_property(foreign_key: &Json, column: &str) -> Option<Json> {
    let dataset = text(foreign_key, "dataset")?;
    let to = text(foreign_key, "column").unwrap_or(column);
    let only = foreign_key.as_object()?.len() <= 2;
    Some(json!({ "type": "foreignKey", "to": shorthand(dataset, to).filter(|_| only)? }))
}

/// A foreign key of an object as a relationship. `name` is the object's.
pub(super) fn to_object(foreign_key: &Json, name: &str) -> Option<Json> {
    let columns = names(foreign_key.get("columns")?);
    let dataset = text(foreign_key, "dataset")?;
    let to = foreign_key.get("to").map_or_else(|| columns.clone(), names);
    let side = |dataset: &str, columns: &[String]| -> Option<Vec<String>> {
        columns.iter().map(|it| shorthand(dataset, it)).collect()
    };
    let (from, to) = (side(name, &columns)?, side(dataset, &to)?);
    Some(json!({ "type": "foreignKey", "from": from, "to": to }))
}

/// `receivers.id`, if both are plain names.
fn shorthand(dataset: &str, column: &str) -> Option<String> {
    let plain = |name: &str| {
        let mut chars = name.chars();
        chars
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    (plain(dataset) && plain(column)).then(|| format!("{dataset}.{column}"))
}

fn names(value: &Json) -> Vec<String> {
    match value {
        Json::String(one) => vec![one.clone()],
        Json::Array(all) => {
            let all = all.iter().filter_map(Json::as_str);
            all.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}
