//! A contract as a document of the standard.

use comboi_project::SqlType;
use serde_json::{Map, Value as Json, json};

use super::import::import;
use super::merge::merged;
use super::relationships::{to_object, to_property};
use super::types::logical_type;
use super::{COMBOI, FORMATS, OPERATORS};

/// The document of a contract, which `contract` is as its file says it.
pub fn export(contract: &Json) -> Json {
    let dataset = contract
        .get("dataset")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let imported = contract
        .get("odcs")
        .and_then(|original| Some((original, import(original, Some(dataset)).ok()?)));
    match imported {
        Some((original, imported)) => {
            let then = plain(&imported.contract, &imported.object);
            merged(original, &then, &plain(contract, &imported.object))
        }
        None => plain(contract, dataset),
    }
}

/// What the standard has words for, and the rest as comboi's own. `name` is the object's.
fn plain(contract: &Json, name: &str) -> Json {
    let text = |key: &str| contract.get(key).and_then(Json::as_str);
    let dataset = text("dataset").unwrap_or_default();
    let mut out = Map::new();
    out.insert("apiVersion".to_owned(), "v3.1.0".into());
    out.insert("kind".to_owned(), "DataContract".into());
    out.insert("id".to_owned(), dataset.into());
    out.insert("name".to_owned(), dataset.into());
    out.insert(
        "version".to_owned(),
        contract
            .get("version")
            .map_or_else(|| "1.0.0".into(), as_text),
    );
    out.insert("status".to_owned(), "active".into());
    if let Some(description) = text("description") {
        out.insert("description".to_owned(), json!({ "purpose": description }));
    }
    if let Some(tags) = contract.get("tags") {
        out.insert("tags".to_owned(), tags.clone());
    }
    let mut object = Map::new();
    object.insert("name".to_owned(), name.into());
    object.insert("logicalType".to_owned(), "object".into());
    object.insert("physicalType".to_owned(), "table".into());
    let rules = list(contract.get("quality_rules"));
    let keys = names(contract.pointer("/schema/primary_key"));
    let properties: Vec<Json> = list(contract.pointer("/schema/columns"))
        .iter()
        .map(|column| property(column, &keys, &rules))
        .collect();
    object.insert("properties".to_owned(), properties.into());
    let relationships: Vec<Json> = list(contract.pointer("/schema/foreign_keys"))
        .iter()
        .filter_map(|key| to_object(key, name))
        .collect();
    if !relationships.is_empty() {
        object.insert("relationships".to_owned(), relationships.into());
    }
    let quality: Vec<Json> = rules
        .iter()
        .filter(|rule| of_column(rule).is_none())
        .map(quality)
        .collect();
    if !quality.is_empty() {
        object.insert("quality".to_owned(), quality.into());
    }
    out.insert("schema".to_owned(), json!([object]));
    let sla = sla(contract, name);
    if !sla.is_empty() {
        out.insert("slaProperties".to_owned(), sla.into());
    }
    let rest = rest(contract, name);
    if !rest.is_empty() {
        out.insert(
            "customProperties".to_owned(),
            json!([{ "property": COMBOI, "value": rest }]),
        );
    }
    Json::Object(out)
}

/// What the standard has no words for.
fn rest(contract: &Json, name: &str) -> Map<String, Json> {
    let mut rest = Map::new();
    for key in ["stage", "owner", "quarantine", "privacy", "evolution"] {
        if let Some(value) = contract.get(key) {
            rest.insert(key.to_owned(), value.clone());
        }
    }
    let mut schema = contract
        .get("schema")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    let columns = schema.remove("columns");
    schema.remove("primary_key");
    if list(columns.as_ref()).is_empty() {
        // Without columns all are welcome, and the document says so by having none.
        schema.remove("allow_extra_columns");
    }
    if let Some(Json::Array(keys)) = schema.get_mut("foreign_keys") {
        keys.retain(|key| to_object(key, name).is_none());
        if keys.is_empty() {
            schema.remove("foreign_keys");
        }
    }
    if !schema.is_empty() {
        rest.insert("schema".to_owned(), schema.into());
    }
    let mut sla = contract
        .get("sla")
        .and_then(Json::as_object)
        .cloned()
        .unwrap_or_default();
    for told in ["freshness", "data_retention"] {
        sla.remove(told);
    }
    if !sla.is_empty() {
        rest.insert("sla".to_owned(), sla.into());
    }
    rest
}

fn property(column: &Json, keys: &[String], rules: &[Json]) -> Json {
    let text = |key: &str| column.get(key).and_then(Json::as_str);
    let name = text("name").unwrap_or_default();
    let sql_type: SqlType = text("type")
        .unwrap_or_default()
        .parse()
        .unwrap_or(SqlType::Varchar(None));
    let logical = logical_type(&sql_type);
    let mut out = Map::new();
    out.insert("name".to_owned(), name.into());
    out.insert("logicalType".to_owned(), logical.into());
    out.insert("physicalType".to_owned(), sql_type.to_string().into());
    for key in ["description", "classification", "tags"] {
        if let Some(value) = column.get(key) {
            out.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(at) = keys.iter().position(|key| key == name) {
        out.insert("primaryKey".to_owned(), true.into());
        out.insert("primaryKeyPosition".to_owned(), (at + 1).into());
    }
    let mut options = Map::new();
    if sql_type == SqlType::TimestampTz {
        options.insert("timezone".to_owned(), true.into());
    }
    let mut quality = Vec::new();
    let mut own = Map::new();
    let mut required = column.get("nullable").and_then(Json::as_bool) == Some(false);
    let is_text = matches!(sql_type, SqlType::Varchar(_));
    let bounded = sql_type.is_number() || sql_type.is_moment();
    let (mut kept, mut relationships) = (Vec::new(), Vec::new());
    for (key, value) in constraints(column.get("constraints")) {
        let option = match key.as_str() {
            "not_null" => {
                required |= value == Json::Bool(true);
                continue;
            }
            "unique" => {
                out.insert("unique".to_owned(), value);
                continue;
            }
            "min_length" if is_text => Some(("minLength", value.clone())),
            "max_length" if is_text => Some(("maxLength", value.clone())),
            "pattern" if is_text => Some(("pattern", value.clone())),
            "min_value" if bounded => Some(("minimum", value.clone())),
            "max_value" if bounded => Some(("maximum", value.clone())),
            "greater_than" if bounded => Some(("exclusiveMinimum", value.clone())),
            "less_than" if bounded => Some(("exclusiveMaximum", value.clone())),
            "multiple_of" if sql_type.is_number() => Some(("multipleOf", value.clone())),
            "format" if is_text => FORMATS
                .iter()
                .find(|(_, ours)| value.as_str() == Some(ours))
                .map(|(theirs, _)| ("format", (*theirs).into())),
            "foreign_key" => {
                match to_property(&value, name) {
                    Some(relationship) => relationships.push(relationship),
                    None => kept.push(json!({ key: value })),
                }
                continue;
            }
            "allowed_values" => {
                quality.push(json!({
                    "name": format!("{name}_allowed_values"),
                    "metric": "invalidValues",
                    "arguments": { "validValues": value },
                    "mustBe": 0,
                }));
                continue;
            }
            _ => None,
        };
        // A bound that is a placeholder or a text where a number is wanted is not the standard's.
        let fits = option.as_ref().is_some_and(|(key, value)| {
            sql_type.is_moment() && value.is_string()
                || value.is_number() && !sql_type.is_moment()
                || matches!(*key, "pattern" | "format")
        });
        match option.filter(|_| fits) {
            Some((key, value)) => drop(options.insert(key.to_owned(), value)),
            None => kept.push(json!({ key: value })),
        }
    }
    if required {
        out.insert("required".to_owned(), true.into());
    }
    if !options.is_empty() {
        out.insert("logicalTypeOptions".to_owned(), options.into());
    }
    quality.extend(
        rules
            .iter()
            .filter(|rule| of_column(rule) == Some(name))
            .map(self::quality),
    );
    if !quality.is_empty() {
        out.insert("quality".to_owned(), quality.into());
    }
    if !relationships.is_empty() {
        out.insert("relationships".to_owned(), relationships.into());
    }
    if !kept.is_empty() {
        own.insert("constraints".to_owned(), kept.into());
    }
    for key in ["pii", "severity", "action", "deprecated", "replacement"] {
        if let Some(value) = column.get(key) {
            own.insert(key.to_owned(), value.clone());
        }
    }
    if !own.is_empty() {
        out.insert(
            "customProperties".to_owned(),
            json!([{ "property": COMBOI, "value": own }]),
        );
    }
    Json::Object(out)
}

/// The column of a rule that the standard has a metric of columns for.
fn of_column(rule: &Json) -> Option<&str> {
    let kind = rule.get("type")?.as_str()?;
    let metric = matches!(
        kind,
        "not_null" | "missing" | "validity" | "accepted_values"
    ) || kind == "uniqueness" && rule.get("columns").is_none();
    (metric && library(rule).is_some()).then(|| rule.get("column")?.as_str())?
}

/// A rule as the standard writes it.
fn quality(rule: &Json) -> Json {
    let mut out = Map::new();
    if let Some(name) = rule.get("name") {
        out.insert("name".to_owned(), name.clone());
    }
    match library(rule) {
        Some(words) => {
            out.extend(words);
            for key in ["description", "severity", "dimension", "unit", "tags"] {
                if let Some(value) = rule.get(key) {
                    out.insert(key.to_owned(), value.clone());
                }
            }
        }
        None => {
            out.insert("type".to_owned(), "custom".into());
            out.insert("engine".to_owned(), COMBOI.into());
            out.insert("implementation".to_owned(), rule.clone());
        }
    }
    Json::Object(out)
}

/// The metric or query of a rule and what it must be; `None` for what the standard can't say.
fn library(rule: &Json) -> Option<Map<String, Json>> {
    const SAID: [&str; 14] = [
        "name",
        "type",
        "description",
        "column",
        "columns",
        "min_rows",
        "max_rows",
        "values",
        "constraints",
        "query",
        "expected",
        "severity",
        "dimension",
        "unit",
    ];
    let object = rule.as_object()?;
    let operators: Vec<(&str, &Json)> = OPERATORS
        .iter()
        .filter_map(|(theirs, ours)| Some((*theirs, object.get(*ours)?)))
        .collect();
    let is_operator = |key: &str| OPERATORS.iter().any(|(_, ours)| *ours == key);
    if operators.len() > 1
        || object
            .keys()
            .any(|key| !SAID.contains(&key.as_str()) && key != "tags" && !is_operator(key))
    {
        return None;
    }
    let mut out = Map::new();
    let mut metric = |name: &str| drop(out.insert("metric".to_owned(), name.into()));
    let mut usual: Option<(&str, Json)> = Some(("mustBe", 0.into()));
    match object.get("type")?.as_str()? {
        "not_null" if object.contains_key("column") => metric("nullValues"),
        "uniqueness" => {
            metric("duplicateValues");
            if let Some(columns) = object.get("columns") {
                out.insert(
                    "arguments".to_owned(),
                    json!({ "properties": names(Some(columns)) }),
                );
            }
        }
        "missing" => {
            metric("missingValues");
            if let Some(values) = object.get("values") {
                out.insert("arguments".to_owned(), json!({ "missingValues": values }));
            }
        }
        "accepted_values" => {
            metric("invalidValues");
            out.insert(
                "arguments".to_owned(),
                json!({ "validValues": object.get("values")? }),
            );
        }
        "validity" if object.contains_key("column") => {
            metric("invalidValues");
            let constraints = object.get("constraints")?.as_object()?;
            let mut arguments = Map::new();
            for (key, value) in constraints {
                let theirs = match key.as_str() {
                    "allowed_values" => "validValues",
                    "pattern" => "pattern",
                    _ => return None,
                };
                arguments.insert(theirs.to_owned(), value.clone());
            }
            out.insert("arguments".to_owned(), arguments.into());
        }
        "volume" => {
            metric("rowCount");
            usual = match (object.get("min_rows"), object.get("max_rows")) {
                (Some(min), Some(max)) if min != max => Some(("mustBeBetween", json!([min, max]))),
                (Some(min), Some(_)) => Some(("mustBe", min.clone())),
                (Some(min), None) => Some(("mustBeGreaterOrEqualTo", min.clone())),
                (None, Some(max)) => Some(("mustBeLessOrEqualTo", max.clone())),
                (None, None) => None,
            };
            if usual.is_some() && !operators.is_empty() {
                return None;
            }
        }
        "custom_sql" => {
            out.insert("type".to_owned(), "sql".into());
            let query = object
                .get("query")?
                .as_str()?
                .replace("{dataset}", "{object}");
            out.insert("query".to_owned(), query.into());
            usual = Some((
                "mustBe",
                object.get("expected").cloned().unwrap_or_else(|| 0.into()),
            ));
        }
        _ => return None,
    }
    let (word, value) = match operators.first() {
        Some((word, value)) => (*word, (*value).clone()),
        None => usual?,
    };
    let numbers = |value: &Json| {
        value.is_number()
            || value
                .as_array()
                .is_some_and(|list| list.iter().all(Json::is_number))
    };
    if !numbers(&value) {
        return None;
    }
    out.insert(word.to_owned(), value);
    Some(out)
}

fn sla(contract: &Json, name: &str) -> Vec<Json> {
    let mut out = Vec::new();
    let element = |of: &Json| {
        of.get("column")
            .and_then(Json::as_str)
            .map_or_else(|| name.to_owned(), |column| format!("{name}.{column}"))
    };
    if let Some(freshness) = contract.pointer("/sla/freshness")
        && let Some(hours) = freshness.get("max_age_hours")
    {
        out.push(json!({ "property": "latency", "value": hours, "unit": "h", "element": element(freshness) }));
    }
    if let Some(retention) = contract.pointer("/sla/data_retention")
        && let Some(days) = retention.get("max_age_days")
    {
        out.push(json!({ "property": "retention", "value": days, "unit": "d", "element": element(retention) }));
    }
    out
}

fn as_text(value: &Json) -> Json {
    match value {
        Json::String(_) => value.clone(),
        other => other.to_string().into(),
    }
}

fn list(value: Option<&Json>) -> Vec<Json> {
    value.and_then(Json::as_array).cloned().unwrap_or_default()
}

/// One name or several.
fn names(value: Option<&Json>) -> Vec<String> {
    match value {
        Some(Json::String(one)) => vec![one.clone()],
        Some(Json::Array(all)) => all
            .iter()
            .filter_map(Json::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

/// Constraints one by one, however they are written.
fn constraints(value: Option<&Json>) -> Vec<(String, Json)> {
    let of = |value: &Json| -> Vec<(String, Json)> {
        let entries = value.as_object().into_iter().flatten();
        entries
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect()
    };
    match value {
        Some(Json::Array(all)) => all.iter().flat_map(of).collect(),
        Some(one) => of(one),
        None => Vec::new(),
    }
}
