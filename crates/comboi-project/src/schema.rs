//! JSON Schemas of what people write, for editors: from the same definitions that read it.

use serde_json::{Value as Json, json};

use crate::read::Read;
use crate::transformations::Transformations;
use crate::{Config, Contract};

/// The schemas by name: `config`, `transformations` and `contract`.
///
/// They say what a single file can be seen to be. What it takes several files to see, `comboi validate` tells.
pub fn schemas() -> [(&'static str, Json); 3] {
    [
        ("config", titled("comboi configuration", Config::schema())),
        (
            "transformations",
            titled("comboi transformations", Transformations::schema()),
        ),
        ("contract", titled("comboi contract", Contract::schema())),
    ]
}

fn titled(title: &str, schema: Json) -> Json {
    let mut document =
        json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title });
    if let (Json::Object(document), Json::Object(schema)) = (&mut document, schema) {
        document.extend(schema);
        let placeholder = json!({
            "type": "string",
            "pattern": "\\{\\{ *env *:",
            "description": "A value that is taken from the environment: {{env:NAME}} or {{env:NAME|default}}.",
        });
        document.insert("$defs".to_owned(), json!({ "placeholder": placeholder }));
    }
    document
}
