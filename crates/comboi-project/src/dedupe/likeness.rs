//! How the values of a column are compared.

use serde_json::json;

use crate::read::{Read, Reader, documented};
use crate::yaml::{Node, Value};
use crate::{Problem, suggest};

/// How the values of a column are compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Likeness {
    /// Equal or not.
    Exact,
    /// A first name or surname.
    Name,
    /// A date of birth, as a date or as ISO text.
    DateOfBirth,
    /// An e-mail address.
    Email,
    /// A British postcode; others are equal or not.
    Postcode,
    /// Any text: equal, or alike by Jaro and Winkler.
    Text,
    /// At most so many letters wrong, missing or too many.
    Levenshtein(Vec<u32>),
    /// The same, and two neighbours that changed places count once.
    Damerau(Vec<u32>),
    /// As alike as this, by Jaro and Winkler.
    JaroWinkler(Vec<f64>),
    /// Numbers that differ by no more.
    Within(Vec<f64>),
    /// Dates or times that differ by no more days.
    Days(Vec<f64>),
    /// Lists with so many elements in common.
    ArrayIntersect(Vec<u32>),
}

const WORDS: [&str; 10] = [
    "exact",
    "name",
    "date_of_birth",
    "email",
    "postcode",
    "text",
    "levenshtein",
    "damerau",
    "jaro_winkler",
    "array_intersect",
];
const WITH_NUMBERS: [&str; 6] = [
    "levenshtein",
    "damerau",
    "jaro_winkler",
    "within",
    "days",
    "array_intersect",
];

impl Read for Likeness {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let (word, place, numbers) = match &node.value {
            Value::Mapping(entries) => match entries.as_slice() {
                [(key, value)] => (key.text.clone(), &key.place, Some(value)),
                _ => {
                    return reader.report(
                        Problem::at(&node.place, "a column is compared in one way")
                            .hint("such as `name`, or `{damerau: 1}`"),
                    );
                }
            },
            _ => (String::read(node, reader)?, &node.place, None),
        };
        let Some(numbers) = numbers else {
            return match Self::of_word(&word) {
                Some(comparison) => Some(comparison),
                None if WITH_NUMBERS.contains(&word.as_str()) => reader.report(
                    Problem::at(place, format!("`{word}` needs a number"))
                        .hint(format!("such as `{{{word}: 1}}`")),
                ),
                None => reader.report(unknown(place, &word)),
            };
        };
        match word.as_str() {
            "levenshtein" => whole(numbers, reader).map(Self::Levenshtein),
            "damerau" => whole(numbers, reader).map(Self::Damerau),
            "array_intersect" => whole(numbers, reader).map(Self::ArrayIntersect),
            "jaro_winkler" => shares(numbers, reader).map(Self::JaroWinkler),
            "within" => positive(numbers, reader).map(Self::Within),
            "days" => positive(numbers, reader).map(Self::Days),
            word if WORDS.contains(&word) => reader.report(
                Problem::at(&numbers.place, format!("`{word}` takes nothing"))
                    .hint(format!("write `{word}` alone")),
            ),
            word => reader.report(unknown(place, word)),
        }
    }

    fn schema() -> serde_json::Value {
        let numbers = json!({ "oneOf": [{ "type": "number" }, { "type": "array", "items": { "type": "number" }, "minItems": 1 }] });
        let mut ways = vec![json!({ "enum": WORDS })];
        ways.extend(WITH_NUMBERS.map(|word| {
            let property = documented(numbers.clone(), &["A threshold, or several."], None);
            json!({ "type": "object", "properties": { word: property }, "required": [word], "additionalProperties": false })
        }));
        json!({ "oneOf": ways })
    }
}

impl Likeness {
    fn of_word(word: &str) -> Option<Self> {
        Some(match word {
            "exact" => Self::Exact,
            "name" => Self::Name,
            "date_of_birth" => Self::DateOfBirth,
            "email" => Self::Email,
            "postcode" => Self::Postcode,
            "text" => Self::Text,
            "levenshtein" => Self::Levenshtein(vec![1, 2]),
            "damerau" => Self::Damerau(vec![1, 2]),
            "jaro_winkler" => Self::JaroWinkler(vec![0.9, 0.7]),
            "array_intersect" => Self::ArrayIntersect(vec![1]),
            _ => return None,
        })
    }
}

fn unknown(place: &crate::Place, word: &str) -> Problem {
    let known = WORDS.iter().chain(&["within", "days"]).copied();
    let hint = suggest::did_you_mean(word, known).unwrap_or_else(|| {
        format!(
            "one of {}, or with a threshold: {{damerau: 1}}, {{jaro_winkler: 0.9}}, {{within: 0.01}}, {{days: 30}}",
            WORDS.join(", ")
        )
    });
    Problem::at(place, format!("there is no comparison `{word}`")).hint(hint)
}

fn each<T>(
    node: &Node,
    reader: &mut Reader,
    read: impl Fn(&Node, &mut Reader) -> Option<T>,
) -> Option<Vec<T>> {
    match &node.value {
        Value::Sequence(items) if items.is_empty() => {
            reader.report(Problem::at(&node.place, "a threshold at least is needed"))
        }
        Value::Sequence(items) => items.iter().map(|item| read(item, reader)).collect(),
        _ => read(node, reader).map(|one| vec![one]),
    }
}

fn whole(node: &Node, reader: &mut Reader) -> Option<Vec<u32>> {
    each(node, reader, |node, reader| {
        match u32::read(node, reader)? {
            0 => reader.report(
                Problem::at(&node.place, "0 is what equal values have anyway").hint("1 or more"),
            ),
            number => Some(number),
        }
    })
}

fn shares(node: &Node, reader: &mut Reader) -> Option<Vec<f64>> {
    each(node, reader, |node, reader| {
        match f64::read(node, reader)? {
            number if number > 0.0 && number < 1.0 => Some(number),
            _ => reader.report(
                Problem::at(&node.place, "likeness is between 0 and 1").hint("such as 0.9"),
            ),
        }
    })
}

fn positive(node: &Node, reader: &mut Reader) -> Option<Vec<f64>> {
    each(node, reader, |node, reader| {
        match f64::read(node, reader)? {
            number if number > 0.0 => Some(number),
            _ => reader.report(Problem::at(&node.place, "a difference is more than 0")),
        }
    })
}
