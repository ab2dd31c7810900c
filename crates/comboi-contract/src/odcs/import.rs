//! A document of the standard as a contract.

use comboi_project::DatasetName;
use serde_json::{Map, Value as Json, json};

use super::relationships;
use super::types::sql_type;
use super::{FORMATS, OPERATORS, is_odcs, own};

/// A contract that came out of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// As its file would say it, without the document.
    pub contract: Json,
    /// The object that it is of, as the document calls it.
    pub object: String,
    /// Columns whose type follows from a logical type alone, so that any type of its kind will do.
    pub loose: Vec<String>,
    /// What could not be taken over; it is kept, and not checked.
    pub notes: Vec<String>,
}

/// The contract of one object of a document; `object` says which, where there are several. An error says why there is none.
pub fn import(document: &Json, object: Option<&str>) -> Result<Imported, String> {
    if !is_odcs(document) {
        return Err("it is no document of the Open Data Contract Standard: it has no `apiVersion` and `kind: DataContract`".to_owned());
    }
    let version = text(document, "apiVersion").unwrap_or_default();
    if !version.trim_start_matches('v').starts_with("3.") {
        return Err(format!(
            "it is of version {version} of the standard; 3.0 and 3.1 can be read"
        ));
    }
    let objects = list(document, "schema");
    let whole = whole(document);
    let found = match (object, objects) {
        (None, []) => whole.as_ref(),
        (Some(wanted), []) => whole
            .as_ref()
            .filter(|it| dataset_name(it).as_deref() == Some(wanted)),
        (Some(wanted), all) => all.iter().find(|it| {
            text(it, "name") == Some(wanted)
                || text(it, "physicalName") == Some(wanted)
                || dataset_name(it).as_deref() == Some(wanted)
        }),
        (None, [one]) => Some(one),
        (None, _) => None,
    };
    let Some(found) = found else {
        let names: Vec<&str> = objects.iter().filter_map(|it| text(it, "name")).collect();
        return Err(match names.as_slice() {
            [] => match (object, whole.as_ref().and_then(dataset_name)) {
                (Some(wanted), Some(name)) => {
                    format!("it describes no object, so it is of `{name}`, not of `{wanted}`")
                }
                _ => "it describes no object (`schema` is empty), and has no `name` that could be a dataset's; give it one"
                    .to_owned(),
            },
            names => format!("say which object is meant: {}", names.join(", ")),
        });
    };
    let mut importing = Importing {
        document,
        object: found,
        loose: Vec::new(),
        notes: Vec::new(),
        rules: Vec::new(),
    };
    let contract = importing.contract(document)?;
    let mut notes = importing.notes;
    notes.extend(super::words::unknown(document, found));
    Ok(Imported {
        contract,
        object: text(found, "name").unwrap_or_default().to_owned(),
        loose: importing.loose,
        notes,
    })
}

struct Importing<'a> {
    document: &'a Json,
    object: &'a Json,
    loose: Vec<String>,
    notes: Vec<String>,
    rules: Vec<Json>,
}

impl Importing<'_> {
    fn contract(&mut self, document: &Json) -> Result<Json, String> {
        let name = text(self.object, "name").unwrap_or_default().to_owned();
        let dataset = dataset_name(self.object)
            .ok_or_else(|| format!("no dataset's name can be made from `{name}`"))?;
        let ours = own(document)
            .and_then(Json::as_object)
            .cloned()
            .unwrap_or_default();
        let mut out = Map::new();
        out.insert(
            "version".to_owned(),
            as_text(document.get("version")).into(),
        );
        out.insert("dataset".to_owned(), dataset.into());
        for key in ["stage", "owner"] {
            if let Some(value) = ours.get(key) {
                out.insert(key.to_owned(), value.clone());
            }
        }
        if !out.contains_key("owner")
            && let Some(owner) = document.pointer("/team/name").and_then(Json::as_str)
        {
            out.insert("owner".to_owned(), owner.into());
        }
        let description = document.get("description");
        let purpose =
            description.and_then(|it| it.as_str().or_else(|| it.get("purpose")?.as_str()));
        if let Some(purpose) = purpose.or_else(|| text(self.object, "description")) {
            out.insert("description".to_owned(), purpose.into());
        }
        if let Some(tags) = document.get("tags") {
            out.insert("tags".to_owned(), tags.clone());
        }
        let properties = list(self.object, "properties").to_vec();
        let mut schema = Map::new();
        let columns: Vec<Json> = properties
            .iter()
            .map(|property| self.column(property))
            .collect();
        if columns.is_empty() {
            self.notes.push(format!(
                "`{name}` has no properties, so any column is welcome: list some under `columns`, and take `allow_extra_columns` away"
            ));
        }
        let is_open = columns.is_empty();
        schema.insert("columns".to_owned(), columns.into());
        if is_open {
            schema.insert("allow_extra_columns".to_owned(), true.into());
        }
        let keys = keys(&properties);
        if !keys.is_empty() {
            schema.insert("primary_key".to_owned(), keys.into());
        }
        let name = text(self.object, "name").unwrap_or_default();
        let mut foreign_keys = Vec::new();
        for one in list(self.object, "relationships") {
            let key = relationships::of_object(self.document, one)
                .filter(|_| relationships::is_foreign_key(one));
            match key {
                Some(key) => foreign_keys.push(key),
                None => self.notes.push(unchecked_relationship(name, one)),
            }
        }
        if let Some(more) = ours.get("schema").and_then(Json::as_object) {
            schema.extend(more.clone());
            let kept = more.get("foreign_keys").and_then(Json::as_array);
            foreign_keys.extend(kept.into_iter().flatten().cloned());
        }
        if !foreign_keys.is_empty() {
            schema.insert("foreign_keys".to_owned(), foreign_keys.into());
        }
        out.insert("schema".to_owned(), schema.into());
        for check in list(self.object, "quality").to_vec() {
            self.check(&check, None);
        }
        if !self.rules.is_empty() {
            out.insert(
                "quality_rules".to_owned(),
                std::mem::take(&mut self.rules).into(),
            );
        }
        for key in ["quarantine", "privacy", "evolution"] {
            if let Some(value) = ours.get(key) {
                out.insert(key.to_owned(), value.clone());
            }
        }
        let sla = self.sla(document, ours.get("sla"));
        if !sla.is_empty() {
            out.insert("sla".to_owned(), sla.into());
        }
        Ok(Json::Object(out))
    }

    fn column(&mut self, property: &Json) -> Json {
        let name = column_name(property).to_owned();
        let mut out = Map::new();
        out.insert("name".to_owned(), name.as_str().into());
        let (sql_type, is_loose) = sql_type(property);
        if is_loose {
            self.loose.push(name.clone());
        }
        let kind: Option<comboi_project::SqlType> = sql_type.parse().ok();
        let is_text = kind
            .as_ref()
            .is_some_and(|it| matches!(it, comboi_project::SqlType::Varchar(_)));
        let is_number = kind
            .as_ref()
            .is_some_and(comboi_project::SqlType::is_number);
        let is_moment = kind
            .as_ref()
            .is_some_and(comboi_project::SqlType::is_moment);
        out.insert("type".to_owned(), sql_type.into());
        if property.get("required").and_then(Json::as_bool) == Some(true) {
            out.insert("nullable".to_owned(), false.into());
        }
        for key in ["description", "classification", "tags"] {
            if let Some(value) = property.get(key) {
                out.insert(key.to_owned(), value.clone());
            }
        }
        let mut constraints = Vec::new();
        if property.get("unique").and_then(Json::as_bool) == Some(true) {
            constraints.push(json!({ "unique": true }));
        }
        let options = property.get("logicalTypeOptions").and_then(Json::as_object);
        for (key, value) in options.into_iter().flatten() {
            let constraint = match key.as_str() {
                "minLength" if is_text => json!({ "min_length": value }),
                "maxLength" if is_text => json!({ "max_length": value }),
                "pattern" if is_text => json!({ "pattern": value }),
                "minimum" if is_number || is_moment => json!({ "min_value": value }),
                "maximum" if is_number || is_moment => json!({ "max_value": value }),
                "exclusiveMinimum" if (is_number || is_moment) && !value.is_boolean() => {
                    json!({ "greater_than": value })
                }
                "exclusiveMaximum" if (is_number || is_moment) && !value.is_boolean() => {
                    json!({ "less_than": value })
                }
                "multipleOf" if is_number => json!({ "multiple_of": value }),
                "format" if is_text => {
                    let known = FORMATS
                        .iter()
                        .find(|(theirs, _)| value.as_str() == Some(theirs));
                    match known {
                        Some((_, ours)) => json!({ "format": ours }),
                        None => {
                            self.notes
                                .push(format!("`{name}`: format {value} is not checked"));
                            continue;
                        }
                    }
                }
                "timezone" | "format" => continue,
                other => {
                    self.notes
                        .push(format!("`{name}`: `{other}` is not checked"));
                    continue;
                }
            };
            constraints.push(constraint);
        }
        if let Some(values) = property.get("enum").and_then(Json::as_array) {
            let values: Vec<Json> = values
                .iter()
                .map(|it| it.get("value").unwrap_or(it).clone())
                .collect();
            constraints.push(json!({ "allowed_values": there(&values.into()) }));
        }
        for check in list(property, "quality") {
            let derived = text(check, "name") == Some(format!("{name}_allowed_values").as_str());
            match check.pointer("/arguments/validValues").filter(|_| derived) {
                Some(values) => constraints.push(json!({ "allowed_values": there(values) })),
                None => self.check(check, Some(&name)),
            }
        }
        for one in list(property, "relationships") {
            let key = relationships::of_column(self.document, one)
                .filter(|_| relationships::is_foreign_key(one));
            // A column has one of a kind.
            let first = constraints
                .iter()
                .all(|it: &Json| it.get("foreign_key").is_none());
            match key.filter(|_| first) {
                Some(key) => constraints.push(json!({ "foreign_key": key })),
                None => self.notes.push(unchecked_relationship(&name, one)),
            }
        }
        let ours = own(property).and_then(Json::as_object);
        if let Some(more) = ours
            .and_then(|ours| ours.get("constraints"))
            .and_then(Json::as_array)
        {
            constraints.extend(more.clone());
        }
        if !constraints.is_empty() {
            out.insert("constraints".to_owned(), constraints.into());
        }
        for (key, value) in ours.into_iter().flatten() {
            if key != "constraints" {
                out.insert(key.clone(), value.clone());
            }
        }
        if property.get("deprecated").and_then(Json::as_bool) == Some(true) {
            out.insert("deprecated".to_owned(), true.into());
        }
        Json::Object(out)
    }

    /// A quality check of the object, or of a column.
    fn check(&mut self, check: &Json, column: Option<&str>) {
        let number = self.rules.len() + 1;
        let metric = text(check, "metric").or_else(|| text(check, "rule"));
        let said = text(check, "name")
            .or_else(|| text(check, "id"))
            .map(str::to_owned);
        let name = said.unwrap_or_else(|| {
            let of = column
                .or_else(|| text(self.object, "name"))
                .unwrap_or_default();
            format!(
                "{of}_{}_{number}",
                metric.or_else(|| text(check, "type")).unwrap_or("check")
            )
        });
        if text(check, "engine") == Some(super::COMBOI)
            && let Some(rule) = check.get("implementation").filter(|it| it.is_object())
        {
            self.rules.push(rule.clone());
            return;
        }
        let mut rule = Map::new();
        rule.insert("name".to_owned(), name.as_str().into());
        let mut with = |key: &str, value: Json| drop(rule.insert(key.to_owned(), value));
        let arguments = |key: &str| check.pointer(&format!("/arguments/{key}")).cloned();
        let kind = match (text(check, "type").unwrap_or("library"), metric, column) {
            ("library", Some("nullValues" | "nullCheck"), Some(column)) => {
                with("column", column.into());
                "not_null"
            }
            ("library", Some("missingValues"), Some(column)) => {
                with("column", column.into());
                if let Some(values) = arguments("missingValues") {
                    with("values", there(&values).into());
                }
                "missing"
            }
            ("library", Some("duplicateValues" | "duplicateCount"), Some(column)) => {
                with("column", column.into());
                "uniqueness"
            }
            ("library", Some("duplicateValues" | "duplicateCount"), None) => {
                match arguments("properties") {
                    Some(columns) => {
                        with("columns", columns);
                        "uniqueness"
                    }
                    None => {
                        self.notes
                            .push(format!("`{name}` names no properties, and is not checked"));
                        return;
                    }
                }
            }
            ("library", Some("invalidValues"), Some(column)) => {
                with("column", column.into());
                let mut constraints = Map::new();
                if let Some(values) =
                    arguments("validValues").or_else(|| check.get("validValues").cloned())
                {
                    let values = there(&values);
                    if !values.is_empty() {
                        constraints.insert("allowed_values".to_owned(), values.into());
                    }
                }
                if let Some(pattern) = arguments("pattern") {
                    constraints.insert("pattern".to_owned(), pattern);
                }
                if constraints.is_empty() {
                    self.notes.push(format!(
                        "`{name}` says neither values nor a pattern, and is not checked"
                    ));
                    return;
                }
                with("constraints", constraints.into());
                "validity"
            }
            ("library", Some("rowCount"), _) => "volume",
            ("sql", ..) => {
                let Some(query) = text(check, "query") else {
                    return;
                };
                let query = placeholders(query, column);
                if query.contains("${") {
                    self.notes.push(format!(
                        "`{name}` is not checked: its query has variables, and what they stand for is not in the document"
                    ));
                    return;
                }
                with("query", query.into());
                "custom_sql"
            }
            ("text", ..) => {
                self.notes
                    .push(format!("`{name}` is a text, for people to read"));
                return;
            }
            (kind, ..) => {
                let what = metric.or_else(|| text(check, "engine")).unwrap_or(kind);
                self.notes.push(format!(
                    "`{name}` ({what}) is not checked: comboi has no rule for it"
                ));
                return;
            }
        };
        with("type", kind.into());
        let mut compared = false;
        for (theirs, ours) in OPERATORS {
            let Some(value) = check.get(theirs) else {
                continue;
            };
            compared = true;
            // In comboi's shorter words where there are some.
            match (kind, theirs, value.as_array().map(Vec::as_slice)) {
                ("volume", "mustBeGreaterOrEqualTo", _) => with("min_rows", value.clone()),
                ("volume", "mustBeLessOrEqualTo", _) => with("max_rows", value.clone()),
                ("volume", "mustBeBetween", Some([least, greatest])) => {
                    with("min_rows", least.clone());
                    with("max_rows", greatest.clone());
                }
                ("custom_sql", "mustBe", _) => with("expected", value.clone()),
                ("volume" | "custom_sql", ..) => with(ours, value.clone()),
                // Of rows that break a rule there should be none anyway.
                (_, "mustBe", _) if value.as_i64() == Some(0) => {}
                _ => with(ours, value.clone()),
            }
        }
        if !compared && matches!(kind, "volume" | "custom_sql") {
            self.notes.push(format!(
                "`{name}` says nothing of what it must be, and is not checked"
            ));
            return;
        }
        if kind != "volume"
            && kind != "custom_sql"
            && let Some(unit) = text(check, "unit")
        {
            if ["rows", "percent"].contains(&unit) {
                with("unit", unit.into());
            } else {
                self.notes.push(format!(
                    "`{name}`: the standard has no unit `{unit}`, only `rows` and `percent`; the unit is not checked, rows are counted"
                ));
            }
        }
        if let Some(severity) =
            text(check, "severity").filter(|it| ["error", "warning", "info"].contains(it))
        {
            with("severity", severity.into());
        }
        for key in ["description", "dimension", "tags"] {
            if let Some(value) = check.get(key) {
                with(key, value.clone());
            }
        }
        if self
            .rules
            .iter()
            .any(|it| it.get("name") == rule.get("name"))
        {
            rule.insert("name".to_owned(), format!("{name}_{number}").into());
        }
        self.rules.push(rule.into());
    }

    fn sla(&mut self, document: &Json, ours: Option<&Json>) -> Map<String, Json> {
        let mut out = Map::new();
        for property in list(document, "slaProperties") {
            let said = text(property, "property")
                .unwrap_or_default()
                .to_ascii_lowercase();
            let unit = text(property, "unit").unwrap_or("d");
            let element = text(property, "element").or_else(|| text(document, "slaDefaultElement"));
            let column = element.and_then(|it| it.split(',').next()?.trim().rsplit_once('.'));
            if let Some((object, _)) = column
                && !is_called(self.object, object)
            {
                let others = list(document, "schema");
                if !others.iter().any(|it| is_called(it, object)) {
                    let said = text(property, "property").unwrap_or_default();
                    self.notes.push(format!(
                        "`{said}` is of `{object}`, which the document does not describe, and is not checked"
                    ));
                }
                continue;
            }
            let hours = property
                .get("value")
                .and_then(Json::as_f64)
                .zip(hours(unit))
                .map(|(value, hours)| value * hours);
            let column = column.map(|(_, column)| column.trim());
            let mut told = Map::new();
            let key = match (said.as_str(), hours) {
                ("latency" | "ly" | "freshness" | "fr", Some(hours)) => {
                    told.insert("max_age_hours".to_owned(), short(hours));
                    "freshness"
                }
                ("retention" | "re", Some(hours)) => {
                    told.insert("max_age_days".to_owned(), short((hours / 24.0).round()));
                    "data_retention"
                }
                _ => {
                    let said = text(property, "property").unwrap_or_default();
                    self.notes
                        .push(format!("`{said}` of the service level is not checked"));
                    continue;
                }
            };
            let known = column.filter(|column| {
                list(self.object, "properties")
                    .iter()
                    .any(|it| column_name(it) == *column || text(it, "name") == Some(column))
            });
            if key == "freshness" && known.is_none() {
                self.notes
                    .push(format!("`{said}` names no column, and is not checked"));
                continue;
            }
            if let Some(column) = known {
                told.insert("column".to_owned(), column.into());
            }
            out.insert(key.to_owned(), told.into());
        }
        if let Some(more) = ours.and_then(Json::as_object) {
            out.extend(more.clone());
        }
        out
    }
}

/// A number without a fraction where it needs none.
fn short(number: f64) -> Json {
    format!("{number}")
        .parse::<serde_json::Number>()
        .map_or(Json::Null, Json::Number)
}

fn hours(unit: &str) -> Option<f64> {
    Some(match unit.to_ascii_lowercase().as_str() {
        "y" | "yr" | "year" | "years" => 365.0 * 24.0,
        "m" | "mo" | "month" | "months" => 30.0 * 24.0,
        "w" | "week" | "weeks" => 7.0 * 24.0,
        "d" | "day" | "days" => 24.0,
        "h" | "hr" | "hour" | "hours" => 1.0,
        "min" | "minute" | "minutes" => 1.0 / 60.0,
        _ => return None,
    })
}

/// What stands for the object and the column in a query.
fn placeholders(query: &str, column: Option<&str>) -> String {
    let mut query = query.to_owned();
    for name in [
        "${object}",
        "${table}",
        "${dataset}",
        "${schema}",
        "{object}",
        "{table}",
        "{schema}",
    ] {
        query = query.replace(name, "{dataset}");
    }
    let column = column.map(comboi_project::quoted_name).unwrap_or_default();
    for name in ["${property}", "${column}", "{property}", "{column}"] {
        query = query.replace(name, &column);
    }
    query
}

/// The values of a list that are there. NULL is no value of its own: whether it may be there `not_null` says.
fn there(values: &Json) -> Vec<Json> {
    let values = values.as_array().into_iter().flatten();
    values.filter(|it| !it.is_null()).cloned().collect()
}

/// The object of a document that describes none: its name is the document's.
fn whole(document: &Json) -> Option<Json> {
    ["name", "dataProduct", "id"]
        .iter()
        .filter_map(|key| text(document, key))
        .map(|name| json!({ "name": name }))
        .find(|it| dataset_name(it).is_some())
}

fn is_called(object: &Json, name: &str) -> bool {
    text(object, "name") == Some(name) || text(object, "physicalName") == Some(name)
}

fn keys(properties: &[Json]) -> Vec<String> {
    let mut keys: Vec<(i64, &str)> = properties
        .iter()
        .filter(|it| it.get("primaryKey").and_then(Json::as_bool) == Some(true))
        .map(|it| {
            (
                it.get("primaryKeyPosition")
                    .and_then(Json::as_i64)
                    .unwrap_or(0),
                column_name(it),
            )
        })
        .collect();
    keys.sort_by_key(|(position, _)| *position);
    keys.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn unchecked_relationship(of: &str, relationship: &Json) -> String {
    let to = relationship.get("to").map(Json::to_string);
    let to = to.unwrap_or_else(|| "nothing".to_owned());
    format!(
        "`{of}`: its relationship to {to} is not checked: what that is in this project is not known; a `foreign_key` can say it"
    )
}

/// What the column is called in the data.
pub(super) fn column_name(property: &Json) -> &str {
    text(property, "physicalName")
        .or_else(|| text(property, "name"))
        .unwrap_or_default()
}

pub(super) fn dataset_name(object: &Json) -> Option<String> {
    let named = text(object, "name").or_else(|| text(object, "physicalName"))?;
    let parsed = named.parse::<DatasetName>();
    let folded = parsed.or_else(|bad| bad.suggestion().unwrap_or_default().parse());
    folded.ok().map(|name| name.to_string())
}

fn as_text(value: Option<&Json>) -> String {
    match value {
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => "1.0.0".to_owned(),
    }
}

pub(super) fn text<'a>(of: &'a Json, key: &str) -> Option<&'a str> {
    of.get(key)?.as_str()
}

pub(super) fn list<'a>(of: &'a Json, key: &str) -> &'a [Json] {
    of.get(key)
        .and_then(Json::as_array)
        .map_or(&[], Vec::as_slice)
}
