//! Which of a cluster's rows survives, and which value of a column.

use serde_json::json;

use crate::read::{Located, Read, Reader, documented};
use crate::yaml::{Node, Value};
use crate::{Problem, suggest};

/// One step of the choice between rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SurvivorRule {
    /// `latest: updated_at`, `longest: name`, `min: price`: by a column of the row. A row without a value comes last.
    By(Ranked, Located<String>),
    /// `source_priority: [sap, crm]`: the row from the source that comes first.
    SourcePriority(SourceOrder),
    /// `most_complete`: the row with the fewest NULLs.
    MostComplete,
    /// `first`: the row with the smallest id.
    First,
}

/// What a column is ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranked {
    /// The greatest value first: `latest` and `max`.
    Greatest,
    /// The smallest first: `earliest` and `min`.
    Smallest,
    /// The longest text first.
    Longest,
}

/// Sources, the best first. What is not listed comes after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOrder(pub Vec<Located<String>>);

/// How the value of a column is chosen from a cluster's rows. NULL never wins over a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GoldenRule {
    /// `latest` or `earliest`: of the row that is so by the column which is named here, or else in `survivor`.
    ByTime(Ranked, Option<Located<String>>),
    /// `max`, `min` or `longest`: the value that is so.
    OfValues(Ranked),
    /// `most_frequent`: the value that most rows have.
    MostFrequent,
    /// `most_complete`: of the row with the fewest NULLs.
    MostComplete,
    /// `source_priority: [sap, crm]`: of the row from the source that comes first.
    SourcePriority(SourceOrder),
    /// `concat`: all different values, sorted, with this text between them.
    Concat(String),
    /// `first`: of the row with the smallest id.
    First,
    /// `survivor`: of the row that survives.
    Survivor,
}

/// Between the values of a `concat`, if nothing else is said.
const SEPARATOR: &str = ", ";

impl Read for SurvivorRule {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        const WORDS: &[&str] = &[
            "latest",
            "earliest",
            "max",
            "min",
            "longest",
            "source_priority",
            "most_complete",
            "first",
        ];
        let (word, argument) = rule(node, WORDS, reader)?;
        let by = |ranked, reader: &mut Reader| match argument {
            Some(argument) => Some(Self::By(ranked, Located::read(argument, reader)?)),
            None => reader.report(
                Problem::at(&node.place, format!("`{word}` needs a column"))
                    .hint(format!("write `{word}: <column>`")),
            ),
        };
        match word.as_str() {
            "latest" | "max" => by(Ranked::Greatest, reader),
            "earliest" | "min" => by(Ranked::Smallest, reader),
            "longest" => by(Ranked::Longest, reader),
            "source_priority" => sources(node, argument, reader).map(Self::SourcePriority),
            "most_complete" => alone(&word, argument, Self::MostComplete, reader),
            _ => alone(&word, argument, Self::First, reader),
        }
    }

    fn schema() -> serde_json::Value {
        json!({ "oneOf": [
            { "enum": ["most_complete", "first"] },
            by_column("latest"), by_column("earliest"), by_column("max"), by_column("min"), by_column("longest"),
            source_priority(),
        ] })
    }
}

impl Read for GoldenRule {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        const WORDS: &[&str] = &[
            "latest",
            "earliest",
            "most_frequent",
            "longest",
            "most_complete",
            "source_priority",
            "max",
            "min",
            "concat",
            "first",
            "survivor",
        ];
        let (word, argument) = rule(node, WORDS, reader)?;
        match word.as_str() {
            "latest" | "earliest" => {
                let ranked = if word == "latest" {
                    Ranked::Greatest
                } else {
                    Ranked::Smallest
                };
                let column = match argument {
                    Some(argument) => Some(Located::read(argument, reader)?),
                    None => None,
                };
                Some(Self::ByTime(ranked, column))
            }
            "source_priority" => sources(node, argument, reader).map(Self::SourcePriority),
            "concat" => match argument {
                Some(argument) => String::read(argument, reader).map(Self::Concat),
                None => Some(Self::Concat(SEPARATOR.to_owned())),
            },
            "max" => alone(&word, argument, Self::OfValues(Ranked::Greatest), reader),
            "min" => alone(&word, argument, Self::OfValues(Ranked::Smallest), reader),
            "longest" => alone(&word, argument, Self::OfValues(Ranked::Longest), reader),
            "most_frequent" => alone(&word, argument, Self::MostFrequent, reader),
            "most_complete" => alone(&word, argument, Self::MostComplete, reader),
            "survivor" => alone(&word, argument, Self::Survivor, reader),
            _ => alone(&word, argument, Self::First, reader),
        }
    }

    fn schema() -> serde_json::Value {
        let words = [
            "latest",
            "earliest",
            "most_frequent",
            "longest",
            "most_complete",
            "max",
            "min",
            "concat",
            "first",
            "survivor",
        ];
        json!({ "oneOf": [
            { "enum": words },
            by_column("latest"), by_column("earliest"),
            one_key("concat", json!({ "type": "string" }), "What stands between the texts."),
            source_priority(),
        ] })
    }
}

impl Read for SourceOrder {
    fn read(node: &Node, reader: &mut Reader) -> Option<Self> {
        let sources = Vec::<Located<String>>::read(node, reader)?;
        if sources.is_empty() {
            return reader.report(Problem::at(
                &node.place,
                "the list is empty: one source at least is needed",
            ));
        }
        Some(Self(sources))
    }

    fn schema() -> serde_json::Value {
        json!({ "type": "array", "items": { "type": "string" }, "minItems": 1 })
    }
}

/// A rule is a word, or a mapping of one word to what it needs.
fn rule<'n>(
    node: &'n Node,
    words: &[&str],
    reader: &mut Reader,
) -> Option<(String, Option<&'n Node>)> {
    let (word, place, argument) = match &node.value {
        Value::Mapping(entries) => match entries.as_slice() {
            [(key, argument)] => (key.text.clone(), &key.place, Some(argument)),
            _ => {
                return reader.report(Problem::at(&node.place, "a rule has one key").hint(
                    "such as `latest: updated_at`; begin a new line with `-` for another rule",
                ));
            }
        },
        _ => (String::read(node, reader)?, &node.place, None),
    };
    if words.contains(&word.as_str()) {
        return Some((word, argument));
    }
    let known: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    let hint = suggest::did_you_mean(&word, words.iter().copied())
        .unwrap_or_else(|| format!("one of {}", known.join(", ")));
    reader.report(Problem::at(place, format!("there is no rule `{word}`")).hint(hint))
}

fn alone<T>(word: &str, argument: Option<&Node>, rule: T, reader: &mut Reader) -> Option<T> {
    match argument {
        None => Some(rule),
        Some(argument) => reader.report(
            Problem::at(&argument.place, format!("`{word}` takes nothing"))
                .hint(format!("write `{word}` alone")),
        ),
    }
}

fn sources(node: &Node, argument: Option<&Node>, reader: &mut Reader) -> Option<SourceOrder> {
    match argument {
        Some(argument) => SourceOrder::read(argument, reader),
        None => reader.report(
            Problem::at(&node.place, "`source_priority` needs the sources")
                .hint("write `source_priority: [sap, crm]`, the best first"),
        ),
    }
}

fn one_key(key: &str, of: serde_json::Value, doc: &str) -> serde_json::Value {
    let of = documented(of, &[doc], None);
    json!({ "type": "object", "properties": { key: of }, "required": [key], "additionalProperties": false })
}

fn by_column(key: &str) -> serde_json::Value {
    one_key(key, json!({ "type": "string" }), "A column.")
}

fn source_priority() -> serde_json::Value {
    one_key(
        "source_priority",
        SourceOrder::schema(),
        "Sources, the best first.",
    )
}
