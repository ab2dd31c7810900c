//! What changed between two documents, put into a third one that knows more.

use std::cmp::Reverse;

use serde_json::{Map, Value as Json};

/// `original`, with everything that differs between `before` and `after` as it is in `after`. Objects of lists are told apart by
/// their names, and those without one by what they say.
pub(super) fn merged(original: &Json, before: &Json, after: &Json) -> Json {
    if before == after {
        return original.clone();
    }
    match (original, before, after) {
        (Json::Object(original), Json::Object(before), Json::Object(after)) => {
            let mut out = Map::new();
            // A number and what it counts go together: `2 y` does not become `800 y`.
            let is_recounted = before.get("value") != after.get("value");
            for (key, value) in original {
                match (before.get(key), after.get(key)) {
                    (_, Some(unit)) if key == "unit" && is_recounted => {
                        out.insert(key.clone(), unit.clone());
                    }
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
                let is_new = before.get(key) != Some(now) || key == "unit" && is_recounted;
                if !out.contains_key(key) && is_new {
                    out.insert(key.clone(), now.clone());
                }
            }
            Json::Object(out)
        }
        (Json::Array(original), Json::Array(before), Json::Array(after))
            if [original, before, after]
                .iter()
                .all(|list| list.iter().all(Json::is_object)) =>
        {
            Json::Array(merged_lists(original, before, after))
        }
        _ => after.clone(),
    }
}

fn merged_lists(original: &[Json], before: &[Json], after: &[Json]) -> Vec<Json> {
    let same = |a: &Json, b: &Json| match name(a) {
        Some(of_a) => name(b) == Some(of_a),
        None => a == b,
    };
    let mut out = Vec::new();
    let origins = origins(original, before);
    for (value, then) in original.iter().zip(&origins) {
        match then {
            None => out.push(value.clone()),
            Some(then) => {
                let now = after.iter().find(|it| same(then, it));
                out.extend(now.map(|now| merged(value, then, now)));
            }
        }
    }
    for now in after {
        let then = before.iter().find(|it| same(it, now));
        let has_place = then.is_some_and(|then| {
            let mut known = origins.iter().flatten();
            known.any(|it| std::ptr::eq(*it, then))
        });
        if !has_place && then != Some(now) {
            out.push(now.clone());
        }
    }
    out
}

/// For each value of a document what comboi made of it, as far as it made something.
fn origins<'a>(original: &[Json], before: &'a [Json]) -> Vec<Option<&'a Json>> {
    let mut found: Vec<Option<&Json>> = vec![None; original.len()];
    let mut without = Vec::new();
    for made in before {
        let free = original.iter().enumerate().zip(&found);
        let free = free.filter(|(_, found)| found.is_none());
        let likeness = free.map(|((at, value), _)| (likeness(value, made), Reverse(at)));
        match likeness.max() {
            Some((likeness, Reverse(at))) if likeness > 0 => found[at] = Some(made),
            _ => without.push(made),
        }
    }
    // Relationships may be written in quite another way; as many as are left are those, in their order.
    let left: Vec<usize> = (0..original.len())
        .filter(|at| found[*at].is_none())
        .collect();
    let nameless = |value: &Json| name(value).is_none();
    if left.len() == without.len()
        && left.iter().all(|at| nameless(&original[*at]))
        && without.iter().all(|made| nameless(made))
    {
        for (at, made) in left.into_iter().zip(without) {
            found[at] = Some(made);
        }
    }
    found
}

/// How much speaks for it that comboi made something of a value: its name, else how many of the words are the same.
fn likeness(value: &Json, made: &Json) -> usize {
    let (Some(words), Some(made_words)) = (value.as_object(), made.as_object()) else {
        return 0;
    };
    let equal = words
        .iter()
        .filter(|(key, value)| made_words.get(*key) == Some(value))
        .count();
    let physical = value.get("physicalName").and_then(Json::as_str);
    match (name(value), name(made)) {
        // Columns are called as they are in the data.
        (_, Some(made)) if physical == Some(made) => 2000 + equal,
        (Some(name), Some(made)) if name == made => 1000 + equal,
        (Some(_), Some(_)) => 0,
        _ => equal,
    }
}

/// By what an object of a list is told from the others.
fn name(value: &Json) -> Option<&str> {
    ["name", "property", "id"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())
}
