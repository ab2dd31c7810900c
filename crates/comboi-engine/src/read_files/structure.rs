//! What objects and lists of JSON are made of.

use comboi_project::SqlType;

use super::infer::{Found, sample};
use super::run::run;
use super::{Error, Group, TextRules};
use crate::{Session, sql};

/// What objects and lists are made of. Where they have nothing in common, they stay JSON.
pub(super) fn structured(
    session: &Session,
    group: &Group,
    rows_per_file: Option<u64>,
    rules: &TextRules,
    mut found: Vec<Found>,
) -> Result<Vec<Found>, Error> {
    let nested: Vec<String> = found
        .iter()
        .filter(|it| it.sql_type == SqlType::Json)
        .map(|it| sql::text(&it.spelled))
        .collect();
    if nested.is_empty() {
        return Ok(found);
    }
    let query = format!(
        "SELECT key, CAST(json_group_structure(item) AS VARCHAR), bool_and(json_type(item) IN ('OBJECT', 'ARRAY')) FROM (\
         SELECT unnest(map_keys(m)) AS key, unnest(map_values(m)) AS item FROM ({})) \
         WHERE key IN ({}) AND json_type(item) <> 'NULL' GROUP BY key",
        sample(group, rules, "m", rows_per_file),
        nested.join(", "),
    );
    for row in run(session.free()?, "find what objects are made of", &query)? {
        let [Some(key), Some(structure), Some(nested)] = row.as_slice() else {
            continue;
        };
        let structure = serde_json::from_str(structure)
            .ok()
            .and_then(|it| of_structure(&it));
        let place = found.iter_mut().find(|it| it.spelled == *key);
        if let (Some(structure), Some(place), "true") = (structure, place, nested.as_str()) {
            place.sql_type = structure;
        }
    }
    Ok(found)
}

/// An object with more fields than this is more likely a map of things to values.
const MOST_FIELDS: usize = 200;

fn of_structure(structure: &serde_json::Value) -> Option<SqlType> {
    use serde_json::Value;
    Some(match structure {
        Value::Object(fields) if fields.is_empty() || fields.len() > MOST_FIELDS => SqlType::Json,
        Value::Object(fields) => SqlType::Struct(
            fields
                .iter()
                .map(|(name, of)| Some((name.clone(), of_structure(of)?)))
                .collect::<Option<_>>()?,
        ),
        Value::Array(items) => SqlType::List(Box::new(of_structure(items.first()?)?)),
        Value::String(name) => match name.as_str() {
            "BIGINT" | "UBIGINT" | "HUGEINT" => SqlType::BigInt,
            "DOUBLE" => SqlType::Double,
            "BOOLEAN" => SqlType::Boolean,
            "VARCHAR" | "NULL" => SqlType::Varchar(None),
            _ => SqlType::Json,
        },
        _ => return None,
    })
}
