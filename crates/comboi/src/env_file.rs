//! `.env` files: `NAME=value` lines that stand in for environment variables.
//!
//! What stands there is taken as it stands: nothing in a value is replaced, so a password keeps its `$`. Errors name
//! the line and never quote it.

use std::collections::BTreeMap;

/// A line that is not `NAME=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadLine {
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong with it.
    pub(crate) why: &'static str,
}

/// The variables of a file; of two lines with one name the last counts.
pub(crate) fn parse(text: &str) -> Result<BTreeMap<String, String>, BadLine> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let bad = |why| BadLine {
            line: number + 1,
            why,
        };
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (name, value) = line.split_once('=').ok_or(bad("there is no `=`"))?;
        let name = name.trim();
        if !is_name(name) {
            return Err(bad(
                "what stands before the `=` is not the name of a variable",
            ));
        }
        variables.insert(name.to_owned(), unquoted(value.trim()).map_err(bad)?);
    }
    Ok(variables)
}

fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && text.chars().all(inside)
}

fn unquoted(value: &str) -> Result<String, &'static str> {
    let mut chars = value.chars();
    let Some(quote @ ('"' | '\'')) = chars.next() else {
        let end = value.find(" #").unwrap_or(value.len());
        return Ok(value.get(..end).unwrap_or(value).trim_end().to_owned());
    };
    let mut text = String::new();
    loop {
        match chars.next() {
            None => return Err("its quotation mark is not closed"),
            Some(c) if c == quote => break,
            Some('\\') if quote == '"' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                Some(c @ ('\\' | '"' | '$')) => text.push(c),
                Some(c) => text.extend(['\\', c]),
                None => return Err("its quotation mark is not closed"),
            },
            Some(c) => text.push(c),
        }
    }
    let rest = chars.as_str().trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(text)
    } else {
        Err("something follows the closing quotation mark")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_stand() {
        for (line, value) in [
            ("X=a b", "a b"),
            ("  export X = a  # why", "a"),
            ("X=", ""),
            ("X=pa$$w#rd\"x", "pa$$w#rd\"x"),
            ("X='${HOME} # \\n'", "${HOME} # \\n"),
            (r#"X="a\n\"b\" \d" # why"#, "a\n\"b\" \\d"),
            ("X=Server=s;Pwd=a=b", "Server=s;Pwd=a=b"),
            ("\u{feff}X=a\r\n", "a"),
            ("# why\n\nX=a\nX=b", "b"),
        ] {
            let parsed = parse(line).unwrap();
            assert_eq!(parsed.get("X").map(String::as_str), Some(value), "{line}");
        }
    }

    #[test]
    fn a_bad_line_is_named_and_not_quoted() {
        for (text, line) in [
            ("A=1\nsecret", 2),
            ("1X=secret", 1),
            ("a b=secret", 1),
            ("X=\"secret", 1),
            ("\nX='secret' more", 2),
        ] {
            let bad = parse(text).unwrap_err();
            assert_eq!(bad.line, line, "{text}");
            assert!(!bad.why.contains("secret"));
        }
    }
}
