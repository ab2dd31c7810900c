//! Types of the standard and of the databases that it speaks of, as DuckDB's.

use comboi_project::SqlType;
use serde_json::Value as Json;

/// DuckDB's type for a property; whether that follows from the logical type alone, which leaves the width open.
pub(super) fn sql_type(property: &Json) -> (String, bool) {
    let text = |key: &str| property.get(key).and_then(Json::as_str);
    let physical = text("physicalType").map(|physical| match text("logicalType") {
        Some("array" | "object" | "map") | None => physical.to_owned(),
        // What is no list has a length there: `varchar[50]`.
        Some(_) => in_parentheses(physical).unwrap_or_else(|| physical.to_owned()),
    });
    if let Some(physical) = physical.as_deref().and_then(known) {
        // Without a width it is a decimal number of any: DuckDB's usual one would be a promise that nobody gave.
        let is_open = physical.starts_with("DECIMAL") && !physical_has_width(property);
        return (physical, is_open);
    }
    (logical(property), true)
}

fn physical_has_width(property: &Json) -> bool {
    let physical = property.get("physicalType").and_then(Json::as_str);
    physical.is_some_and(|it| it.contains(['(', '[']) || it.eq_ignore_ascii_case("money"))
}

fn in_parentheses(physical: &str) -> Option<String> {
    let (word, length) = physical.trim().strip_suffix(']')?.split_once('[')?;
    Some(format!("{word}({length})"))
}

/// A type as some database calls it.
fn known(physical: &str) -> Option<String> {
    let lower = physical.trim().to_ascii_lowercase();
    let (word, rest) = match lower.split_once('(') {
        Some((word, rest)) => (word.trim(), format!("({rest}")),
        None => (lower.as_str(), String::new()),
    };
    let other = match word {
        "string" | "nvarchar" | "nchar" | "ntext" | "text" | "clob" | "varchar2"
        | "character varying" | "bpchar" => {
            if rest.contains("max") {
                "VARCHAR".to_owned()
            } else {
                format!("VARCHAR{rest}")
            }
        }
        "number" => format!("DECIMAL{rest}"),
        "money" => "DECIMAL(19,4)".to_owned(),
        "datetime"
        | "datetime2"
        | "smalldatetime"
        | "timestamp_ntz"
        | "timestamp without time zone" => "TIMESTAMP".to_owned(),
        "datetimeoffset" | "timestamp_tz" | "timestamp_ltz" => "TIMESTAMPTZ".to_owned(),
        "uniqueidentifier" => "UUID".to_owned(),
        "int64" | "bigserial" | "serial8" => "BIGINT".to_owned(),
        "serial" | "serial4" => "INTEGER".to_owned(),
        "smallserial" | "serial2" => "SMALLINT".to_owned(),
        "float64" => "DOUBLE".to_owned(),
        "bytes" => "BLOB".to_owned(),
        _ => physical.to_owned(),
    };
    let parsed: SqlType = other.parse().ok()?;
    Some(parsed.to_string())
}

fn logical(property: &Json) -> String {
    let children = |key: &str| {
        property
            .get(key)
            .and_then(Json::as_array)
            .cloned()
            .unwrap_or_default()
    };
    match property.get("logicalType").and_then(Json::as_str) {
        Some("integer") => "BIGINT".to_owned(),
        Some("number") => "DOUBLE".to_owned(),
        Some("boolean") => "BOOLEAN".to_owned(),
        Some("date") => "DATE".to_owned(),
        Some("time") => "TIME".to_owned(),
        Some("timestamp") => {
            let zone = property
                .pointer("/logicalTypeOptions/timezone")
                .and_then(Json::as_bool);
            if zone == Some(true) {
                "TIMESTAMP WITH TIME ZONE"
            } else {
                "TIMESTAMP"
            }
            .to_owned()
        }
        Some("array") => {
            let item = property
                .get("items")
                .map_or_else(|| "VARCHAR".to_owned(), |items| sql_type(items).0);
            format!("{item}[]")
        }
        Some("object") => {
            let fields: Vec<String> = children("properties")
                .iter()
                .map(|field| {
                    let name = field.get("name").and_then(Json::as_str).unwrap_or_default();
                    format!(
                        "{} {}",
                        comboi_project::quoted_name(name),
                        sql_type(field).0
                    )
                })
                .collect();
            if fields.is_empty() {
                "JSON".to_owned()
            } else {
                format!("STRUCT({})", fields.join(", "))
            }
        }
        _ => "VARCHAR".to_owned(),
    }
}

/// The standard's word for a type.
pub(super) fn logical_type(sql_type: &SqlType) -> &'static str {
    match sql_type {
        whole if whole.is_integer() => "integer",
        number if number.is_number() => "number",
        SqlType::Boolean => "boolean",
        SqlType::Date => "date",
        moment if moment.is_moment() => "timestamp",
        SqlType::Time | SqlType::TimeNs | SqlType::TimeTz => "time",
        SqlType::List(_) | SqlType::Array(..) => "array",
        SqlType::Struct(_) | SqlType::Map(..) | SqlType::Json => "object",
        _ => "string",
    }
}
