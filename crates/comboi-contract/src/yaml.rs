//! YAML as comboi writes it.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

/// A text as one scalar that reads as that very text: plain where that is safe, in double quotes elsewhere.
pub fn text(value: &str) -> String {
    if is_plain(value) {
        value.to_owned()
    } else {
        quoted(value)
    }
}

/// A text in double quotes.
pub fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if (c as u32) < 0x20
                || c == '\u{7f}'
                || c == '\u{feff}'
                || ('\u{80}'..'\u{a0}').contains(&c) =>
            {
                write!(out, "\\x{:02x}", c as u32 & 0xff)
                    .expect("writing into a String cannot fail");
            }
            '\u{2028}' => out.push_str("\\u2028"),
            '\u{2029}' => out.push_str("\\u2029"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a text may stand without quotes, in a block or between the brackets of a list.
fn is_plain(value: &str) -> bool {
    let first_is_safe = value
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() || c == '_');
    let safe = |c: char| {
        c.is_alphanumeric()
            || matches!(
                c,
                '_' | '-' | '.' | '/' | '(' | ')' | ' ' | '@' | '+' | '\''
            )
    };
    let reserved = [
        "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity",
    ];
    first_is_safe
        && value.chars().all(safe)
        && !value.ends_with(' ')
        && !reserved.contains(&value.to_ascii_lowercase().as_str())
}

/// Texts in a row: `[a, b]`.
pub fn list<'a>(values: impl IntoIterator<Item = &'a str>) -> String {
    let items: Vec<String> = values.into_iter().map(text).collect();
    format!("[{}]", items.join(", "))
}

/// A value as a file.
pub fn document(value: &Json) -> String {
    let mut out = String::new();
    match value {
        Json::Object(entries) if !entries.is_empty() => mapping(&mut out, entries, 0),
        Json::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        other => {
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
    out
}

fn mapping(out: &mut String, entries: &Map<String, Json>, indent: usize) {
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 || !out.ends_with("- ") {
            out.push_str(&" ".repeat(indent));
        }
        out.push_str(&text(key));
        out.push(':');
        below(out, value, indent);
    }
}

fn sequence(out: &mut String, items: &[Json], indent: usize) {
    for item in items {
        out.push_str(&" ".repeat(indent));
        out.push('-');
        match item {
            Json::Object(entries) if !entries.is_empty() => {
                out.push(' ');
                mapping(out, entries, indent + 2);
            }
            other => below(out, other, indent),
        }
    }
}

/// What follows a key or a dash.
fn below(out: &mut String, value: &Json, indent: usize) {
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            out.push('\n');
            mapping(out, entries, indent + 2);
        }
        Json::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(out, items, indent + 2);
        }
        other => {
            out.push(' ');
            out.push_str(&scalar(other));
            out.push('\n');
        }
    }
}

fn scalar(value: &Json) -> String {
    match value {
        Json::String(value) => text(value),
        Json::Object(_) => "{}".to_owned(),
        Json::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_where_yaml_would_read_something_else() {
        for (value, expected) in [
            ("data-team", "data-team"),
            ("DECIMAL(10,2)", "\"DECIMAL(10,2)\""),
            ("Cleansed customer data", "Cleansed customer data"),
            ("a: b", "\"a: b\""),
            ("a # b", "\"a # b\""),
            ("no", "\"no\""),
            ("1.0", "\"1.0\""),
            ("", "\"\""),
            ("- x", "\"- x\""),
            ("tab\there", "\"tab\\there\""),
            ("^[A-Z]\\d$", "\"^[A-Z]\\\\d$\""),
            ("Größe", "Größe"),
        ] {
            assert_eq!(text(value), expected);
        }
    }
}
