//! What changed between two documents, put into a third one that knows more.

use serde_json::{Map, Value as Json};

/// `original`, with everything that differs between `before` and `after` as it is in `after`. Objects of lists are told apart by
/// their names.
pub(super) fn merged(original: &Json, before: &Json, after: &Json) -> Json {
    if before == after {
        return original.clone();
    }
    match (original, before, after) {
        (Json::Object(original), Json::Object(before), Json::Object(after)) => {
            let mut out = Map::new();
            for (key, value) in original {
                match (before.get(key), after.get(key)) {
                    (_, Some(now)) => {
                        let then = before.get(key).unwrap_or(&Json::Null);
                        out.insert(key.clone(), merged(value, then, now));
                    }
                    // It was comboi's, and is gone.
                    (Some(_), None) => {}
                    (None, None) => {
                        out.insert(key.clone(), value.clone());
                    }
                }
            }
            for (key, now) in after {
                if !out.contains_key(key) && before.get(key) != Some(now) {
                    out.insert(key.clone(), now.clone());
                }
            }
            Json::Object(out)
        }
        (Json::Array(original), Json::Array(before), Json::Array(after))
            if [original, before, after]
                .iter()
                .all(|list| list.iter().all(|it| name(it).is_some())) =>
        {
            let find = |list: &[Json], wanted: &Json| {
                let wanted = name(wanted).map(str::to_owned);
                list.iter()
                    .find(|it| name(it).map(str::to_owned) == wanted)
                    .cloned()
            };
            let mut out = Vec::new();
            for value in original {
                match (find(before, value), find(after, value)) {
                    (then, Some(now)) => out.push(merged(value, &then.unwrap_or(Json::Null), &now)),
                    (Some(_), None) => {}
                    (None, None) => out.push(value.clone()),
                }
            }
            for now in after {
                let is_new =
                    find(original, now).is_none() && find(before, now).as_ref() != Some(now);
                if is_new {
                    out.push(now.clone());
                }
            }
            Json::Array(out)
        }
        _ => after.clone(),
    }
}

/// By what an object of a list is told from the others.
fn name(value: &Json) -> Option<&str> {
    ["name", "property", "id"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())
}
