//! What rows share that are the same thing.

use crate::read::{Read, Reader};
use crate::yaml::{Node, Value};
use crate::{Place, Problem};

/// Values that rows have in common: expressions of SQL, all of which have to be equal and none NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkKey {
    /// Columns or expressions, and where they were written. One at least.
    pub parts: Vec<(String, Place)>,
}

impl LinkKey {
    /// As people say it: `surname, dob`.
    pub fn name(&self) -> String {
        let parts: Vec<&str> = self.parts.iter().map(|(part, _)| part.as_str()).collect();
        parts.join(", ")
    }
}

impl Read for LinkKey {
    /// A key with a mistake stays a key, so that nobody is told besides that there is none.
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let parts = match &node.value {
            Value::Sequence(items) if items.is_empty() => {
                reader.problems.push(
                    Problem::at(&node.place, "the key is empty")
                        .hint("name a column, or several: `[surname, dob]`"),
                );
                Vec::new()
            }
            Value::Sequence(items) => items
                .iter()
                .filter_map(|item| written(item, reader))
                .flatten()
                .collect(),
            _ => written(node, reader).unwrap_or_default(),
        };
        Some(Self { parts })
    }

    fn schema() -> serde_json::Value {
        let text = serde_json::json!({ "type": "string", "minLength": 1 });
        serde_json::json!({ "oneOf": [text, { "type": "array", "items": text, "minItems": 1 }] })
    }
}

fn written(node: &Node, reader: &mut Reader) -> Option<Vec<(String, Place)>> {
    let text = String::read(node, reader)?;
    let parts = split(&text);
    if parts.iter().any(|part| part.is_empty()) {
        return reader.report(
            Problem::at(&node.place, "a part of the key is empty")
                .hint("write columns or expressions with one comma between them"),
        );
    }
    Some(
        parts
            .into_iter()
            .map(|part| (part.to_owned(), node.place.clone()))
            .collect(),
    )
}

/// At the commas that stand in no parentheses and no quotes.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut quote) = (0_i32, None);
    let outside = |c: char| {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(' | '[' | '{') => depth += 1,
            (None, ')' | ']' | '}') => depth -= 1,
            (None, _) => {}
        }
        c == ',' && depth == 0 && quote.is_none()
    };
    text.split(outside).map(str::trim).collect()
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn commas_of_expressions_part_nothing() {
        let check = |text: &str, parts: &[&str]| assert_eq!(split(text), parts, "{text}");
        check("email", &["email"]);
        check(" surname ,dob", &["surname", "dob"]);
        check(
            "substr(postcode, 1, 4), surname",
            &["substr(postcode, 1, 4)", "surname"],
        );
        check(
            "coalesce(a, ','), \"x,y\"",
            &["coalesce(a, ',')", "\"x,y\""],
        );
        check(
            "replace(a, 'it''s, so', ''), b",
            &["replace(a, 'it''s, so', '')", "b"],
        );
        check("[a, b], {'k': c, 'l': d}", &["[a, b]", "{'k': c, 'l': d}"]);
        check("a,,b", &["a", "", "b"]);
    }
}
