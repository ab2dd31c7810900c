//! The [Open Data Contract Standard](https://bitol-io.github.io/open-data-contract-standard/), versions 3.0 and 3.1: in and out.
//!
//! A document that comes in is kept with the contract, whole (`odcs:`). One that goes out is that document with what differs between
//! then and now put into it, so nothing is lost that comboi has no word for, and nothing moves that nobody changed.

mod export;
mod import;
mod merge;
mod relationships;
mod types;
mod words;

use serde_json::Value as Json;

pub use export::export;
pub use import::{Imported, import};

/// Whether a document says that it is one of the standard's.
pub fn is_odcs(document: &Json) -> bool {
    document.get("apiVersion").is_some()
        && document.get("kind").and_then(Json::as_str) == Some("DataContract")
}

/// The operators of the standard, and comboi's words for them.
const OPERATORS: [(&str, &str); 8] = [
    ("mustBe", "must_be"),
    ("mustNotBe", "must_not_be"),
    ("mustBeGreaterThan", "must_be_greater_than"),
    ("mustBeGreaterOrEqualTo", "must_be_greater_or_equal_to"),
    ("mustBeLessThan", "must_be_less_than"),
    ("mustBeLessOrEqualTo", "must_be_less_or_equal_to"),
    ("mustBeBetween", "must_be_between"),
    ("mustNotBeBetween", "must_not_be_between"),
];

/// Formats of texts, and comboi's words for them.
const FORMATS: [(&str, &str); 6] = [
    ("email", "email"),
    ("uuid", "uuid"),
    ("uri", "url"),
    ("hostname", "hostname"),
    ("ipv4", "ipv4"),
    ("ipv6", "ipv6"),
];

/// What is comboi's own in a document.
const COMBOI: &str = "comboi";

/// What an object has under `customProperties` for comboi.
fn own(of: &Json) -> Option<&Json> {
    of.get("customProperties")?
        .as_array()?
        .iter()
        .find(|property| property.get("property").and_then(Json::as_str) == Some(COMBOI))?
        .get("value")
}

#[cfg(test)]
mod tests;
