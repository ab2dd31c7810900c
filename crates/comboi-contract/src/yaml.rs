//! YAML as comboi writes it.

use std::fmt::Write as _;

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
