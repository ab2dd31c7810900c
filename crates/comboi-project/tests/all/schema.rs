//! The JSON Schemas say what the reader does.

use serde_json::Value;

fn schema(name: &str) -> Value {
    comboi_project::schemas()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

/// `properties.sources.items` of a schema.
fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    path.split('.')
        .fold(schema, |value, key| match key.parse::<usize>() {
            Ok(i) => &value[i],
            Err(_) => &value[key],
        })
}

#[test]
fn every_schema_names_its_dialect_and_is_closed() {
    for (name, schema) in comboi_project::schemas() {
        assert_eq!(
            schema["$schema"], "https://json-schema.org/draft/2020-12/schema",
            "{name}"
        );
        assert_eq!(schema["additionalProperties"], false, "{name}");
        assert!(
            schema["title"].as_str().unwrap().starts_with("comboi"),
            "{name}"
        );
        documented(&schema, name);
    }
}

/// Every key of every mapping has a description.
fn documented(schema: &Value, path: &str) {
    for (key, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        assert!(
            property.get("const").is_some() || property.get("description").is_some(),
            "{path}"
        );
        documented(property, &path);
        documented(&property["items"], &path);
        for variant in property["items"]["oneOf"].as_array().into_iter().flatten() {
            documented(variant, &path);
        }
    }
}

#[test]
fn keys_defaults_and_choices_come_from_the_types() {
    let config = schema("config");
    assert_eq!(
        at(&config, "properties.queue.properties.name.default"),
        "comboi-tasks"
    );
    assert_eq!(
        at(
            &config,
            "properties.monitoring.properties.log_level.default"
        ),
        "info"
    );
    let files = at(&config, "properties.sources.items.oneOf.0");
    assert_eq!(files["properties"]["type"]["const"], "files");
    assert_eq!(
        files["required"],
        serde_json::json!(["type", "name", "tables"])
    );
    let on_null = at(files, "properties.tables.items.properties.on_null");
    assert_eq!(on_null["default"], "load");
    let words: Vec<&str> = on_null["anyOf"][0]["oneOf"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|word| word["const"].as_str())
        .collect();
    assert_eq!(words, ["load", "skip", "fail"]);
    let contract = schema("contract");
    assert_eq!(
        contract["required"],
        serde_json::json!(["dataset", "schema"])
    );
}

#[test]
fn references_lead_somewhere() {
    for (_, schema) in comboi_project::schemas() {
        assert!(schema["$defs"]["placeholder"].is_object());
        let text = schema.to_string();
        let references = text.matches("\"$ref\":").count();
        assert_eq!(
            references,
            text.matches("\"$ref\":\"#/$defs/placeholder\"").count()
        );
    }
}
