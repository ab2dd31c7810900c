//! The text of JSON: checked by `serde_json`, then walked through without another copy.

use std::borrow::Cow;
use std::collections::HashSet;

use memchr::{memchr, memchr2, memmem};
use serde::de::IgnoredAny;

/// The members of a record, which must be an object with each key once; or why it is not. Never its content, but
/// for a key.
pub(super) fn members(record: &[u8]) -> Result<Vec<(Cow<'_, str>, &str)>, String> {
    let text = std::str::from_utf8(record).map_err(|_| "its text is not UTF-8".to_owned())?;
    if text.is_empty() {
        return Err("not a JSON object: there is no value".to_owned());
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| not_json(&error))?;
    if !text.starts_with('{') {
        return Err(format!(
            "not a JSON object but {}",
            kind(text).with_article()
        ));
    }
    if has_half_a_pair(text) {
        return Err("not a JSON object: half of a surrogate pair is no character".to_owned());
    }
    let mut keys = Keys::default();
    let mut all = Vec::new();
    for (key, value) in parts(text) {
        let key = unescaped(key).unwrap_or_default();
        if !keys.insert(key.clone()) {
            return Err(format!("key twice: `{key}`"));
        }
        if has_key_twice(value) {
            return Err(format!("key twice in `{key}`"));
        }
        all.push((key, value));
    }
    Ok(all)
}

fn not_json(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    match (error.line(), error.column()) {
        (1, column) => format!("not a JSON object: {what} at column {column}"),
        (line, column) => format!("not a JSON object: {what} in its line {line}, column {column}"),
    }
}

/// A text without the white space of JSON at its beginning.
pub(super) fn trim_start(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let space = text.iter().take_while(|byte| is_space(byte)).count();
    text.get(space..).unwrap_or_default()
}

/// The same for both ends.
pub(super) fn trim(text: &[u8]) -> &[u8] {
    let text = trim_start(text);
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let length = text.iter().rposition(is_text).map_or(0, |last| last + 1);
    text.get(..length).unwrap_or_default()
}

/// The kinds of JSON values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Number,
    Boolean,
    Null,
}

impl Kind {
    /// As DuckDB's `json_type` has it, as far as [`counts`](super::super::counts) tells them apart.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Object => "OBJECT",
            Self::Array => "ARRAY",
            Self::Text => "VARCHAR",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::Null => "NULL",
        }
    }

    fn with_article(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Boolean => "a truth value",
            Self::Null => "null",
        }
    }
}

/// The kind of a checked value.
pub(super) fn kind(value: &str) -> Kind {
    match value.as_bytes().first() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// The members of a checked object as (key in quotes, value), or the items of a checked array as ("", value).
pub(super) fn parts(container: &str) -> Parts<'_> {
    Parts {
        text: container,
        at: 1,
        has_keys: container.starts_with('{'),
    }
}

pub(super) struct Parts<'a> {
    text: &'a str,
    at: usize,
    has_keys: bool,
}

impl<'a> Parts<'a> {
    fn take(&mut self, end: usize) -> &'a str {
        let part = self.text.get(self.at..end).unwrap_or_default();
        self.at = end;
        part
    }

    /// Past white space, and the one comma or colon that may stand in it.
    fn skip(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        loop {
            match *bytes.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' => self.at += 1,
                byte => return Some(byte),
            }
        }
    }
}

impl<'a> Iterator for Parts<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.text.as_bytes();
        let first = self.skip()?;
        if matches!(first, b'}' | b']') {
            return None;
        }
        let mut key = "";
        if self.has_keys {
            key = self.take(string_end(bytes, self.at));
            self.skip()?;
        }
        let value = self.take(value_end(bytes, self.at));
        Some((key, value))
    }
}

/// Whether a text has an escape that stands for no character, which the grammar allows.
pub fn has_half_a_pair(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    if memmem::find(bytes, b"\\u").is_none() {
        return false;
    }
    while let Some(quote) = memchr(b'"', bytes.get(at..).unwrap_or_default()) {
        let start = at + quote;
        at = string_end(bytes, start);
        let quoted = json.get(start..at).unwrap_or_default();
        if memmem::find(quoted.as_bytes(), b"\\u").is_some() && unescaped(quoted).is_none() {
            return true;
        }
    }
    false
}

/// Where a text that begins here with its quote ends.
fn string_end(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(found) = memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

fn value_end(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => string_end(bytes, start),
        Some(b'{' | b'[') => container_end(bytes, start),
        _ => {
            let rest = bytes.get(start..).unwrap_or_default();
            let ends =
                |byte: &u8| matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r');
            start + rest.iter().position(ends).unwrap_or(rest.len())
        }
    }
}

fn container_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut at) = (0_usize, start);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            break;
        }
    }
    at
}

/// What a text in quotes stands for; `None` if it has half of a surrogate pair, which is no character.
pub(super) fn unescaped(quoted: &str) -> Option<Cow<'_, str>> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    if memchr(b'\\', inner.as_bytes()).is_none() {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(quoted).ok().map(Cow::Owned)
}

/// A checked value as it is written, without the white space between its parts.
pub(super) fn minified(value: &str) -> Cow<'_, str> {
    let bytes = value.as_bytes();
    if !matches!(bytes.first(), Some(b'{' | b'[')) {
        return Cow::Borrowed(value);
    }
    let (mut out, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            b' ' | b'\t' | b'\n' | b'\r' => {
                out.push_str(value.get(kept..at).unwrap_or_default());
                kept = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    if kept == 0 {
        return Cow::Borrowed(value);
    }
    out.push_str(value.get(kept..).unwrap_or_default());
    Cow::Owned(out)
}

/// Whether a checked value says nothing of a type: `null`, or an array or an object of nothing else. An object without
/// keys is JSON.
pub(super) fn is_untyped(value: &str) -> bool {
    let bytes = value.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = string_end(bytes, at);
                let behind = bytes.get(at..).unwrap_or_default().trim_ascii_start();
                if behind.first() != Some(&b':') {
                    return false;
                }
                continue;
            }
            b't' | b'f' | b'-' | b'0'..=b'9' => return false,
            b'{' => {
                at += 1;
                let behind = bytes.get(at..).unwrap_or_default().trim_ascii_start();
                if behind.first() == Some(&b'}') {
                    return false;
                }
            }
            _ => at += 1,
        }
    }
    true
}

/// Whether an object in a checked value, however deep, has a key twice.
pub(super) fn has_key_twice(value: &str) -> bool {
    let bytes = value.as_bytes();
    if !matches!(bytes.first(), Some(b'{' | b'[')) || memchr(b'{', bytes).is_none() {
        return false;
    }
    // One for each object or array that is open; arrays have no keys.
    let mut open: Vec<Option<Keys<'_>>> = Vec::new();
    let (mut key_is_next, mut at) = (false, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                let quoted = value.get(at..end).unwrap_or_default();
                if let (true, Some(Some(keys))) = (key_is_next, open.last_mut())
                    && !keys.insert(unescaped(quoted).unwrap_or_default())
                {
                    return true;
                }
                key_is_next = false;
                at = end;
                continue;
            }
            b'{' => {
                open.push(Some(Keys::default()));
                key_is_next = true;
            }
            b'[' => open.push(None),
            b'}' | b']' => {
                open.pop();
                key_is_next = false;
            }
            b',' => key_is_next = matches!(open.last(), Some(Some(_))),
            _ => {}
        }
        at += 1;
    }
    false
}

/// The keys of an object: few are compared one by one.
#[derive(Default)]
struct Keys<'a> {
    few: Vec<Cow<'a, str>>,
    many: HashSet<Cow<'a, str>>,
}

impl<'a> Keys<'a> {
    /// Whether the key was not there yet.
    fn insert(&mut self, key: Cow<'a, str>) -> bool {
        const FEW: usize = 16;
        if !self.many.is_empty() {
            return self.many.insert(key);
        }
        if self.few.contains(&key) {
            return false;
        }
        self.few.push(key);
        if self.few.len() > FEW {
            self.many = std::mem::take(&mut self.few).into_iter().collect();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(record: &str, expected: &str) {
        let said = match members(record.as_bytes()) {
            Ok(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(key, value)| format!("{key}={}", minified(value)))
                    .collect();
                members.join(" ")
            }
            Err(why) => why,
        };
        assert_eq!(said, expected, "{record}");
    }

    #[test]
    fn values_keep_their_text() {
        check(
            r#"{"a" : 1.10, "b":1e400 ,"c":[ 98765432109876543.21, -0 ],"d":"x y","e":{"f" : " g , }"},"h":null}"#,
            r#"a=1.10 b=1e400 c=[98765432109876543.21,-0] d="x y" e={"f":" g , }"} h=null"#,
        );
        check(r#"{"\u0061\n":"\\\"}"}"#, "a\n=\"\\\\\\\"}\"");
        check("{}", "");
        check("{\r\n\t\"a\":[],\"b\":{}}", "a=[] b={}");
    }

    /// RFC 8259, and texts of which parsers of other languages take some.
    #[test]
    fn what_is_not_json() {
        for bad in [
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":NaN}"#,
            r#"{"a":-NaN}"#,
            r#"{"a":Infinity}"#,
            r#"{"a":[Inf]}"#,
            r"{'a':1}",
            r"{a:1}",
            r#"{"a":1} // x"#,
            r#"{"a":/**/1}"#,
            r#"{"a":01}"#,
            r#"{"a":+1}"#,
            r#"{"a":.5}"#,
            r#"{"a":1.}"#,
            r#"{"a":0x1F}"#,
            r#"{"a":True}"#,
            r#"{"a":1}{"b":2}"#,
            r#"{"a" 1}"#,
            r#"{"a":1"#,
            "{\"a\":\"\t\"}",
            r#"{"a":"\x"}"#,
            "",
        ] {
            let said = members(bad.as_bytes()).unwrap_err();
            assert!(said.starts_with("not a JSON object: "), "{bad}: {said}");
        }
        for (other, what) in [
            ("[1]", "an array"),
            ("1", "a number"),
            ("\"x\"", "a text"),
            ("null", "null"),
            ("true", "a truth value"),
        ] {
            check(other, &format!("not a JSON object but {what}"));
        }
        assert_eq!(
            members(b"{\"a\":\"caf\xE9\"}").unwrap_err(),
            "its text is not UTF-8"
        );
    }

    #[test]
    fn keys_twice() {
        check(r#"{"a":1,"a":1}"#, "key twice: `a`");
        check(r#"{"a":1,"\u0061":1}"#, "key twice: `a`");
        check(r#"{"o":{"a":1,"b":{"c":1,"c":2}}}"#, "key twice in `o`");
        check(r#"{"o":[[],{"a":1,"b":["a"],"a":2}]}"#, "key twice in `o`");
        check(
            r#"{"a":1,"A":2,"o":[{"a":"a"},{"a":["a","a"],"b":{"a":1}}]}"#,
            r#"a=1 A=2 o=[{"a":"a"},{"a":["a","a"],"b":{"a":1}}]"#,
        );
        let many: Vec<String> = (0..100).map(|i| format!("\"k{i}\":{i}")).collect();
        assert!(members(format!("{{{}}}", many.join(",")).as_bytes()).is_ok());
        check(
            &format!("{{{},\"k99\":0}}", many.join(",")),
            "key twice: `k99`",
        );
    }

    #[test]
    fn half_of_a_surrogate_pair_is_no_character() {
        assert_eq!(unescaped(r#""\ud83d\ude00""#).unwrap(), "😀");
        let said = "not a JSON object: half of a surrogate pair is no character";
        check(r#"{"a":"\ud83d"}"#, said);
        check(r#"{"a":[{"b":"\ude00\ud83d"}]}"#, said);
        check(r#"{"\ud83dx":1}"#, said);
        check(r#"{"a":"\\ud83d"}"#, r#"a="\\ud83d""#);
    }

    #[test]
    fn values_that_say_nothing_of_a_type() {
        for value in [
            "null",
            "[]",
            "[null, []]",
            r#"{"t1" : null,"b":[{"c":[]}]}"#,
        ] {
            assert!(is_untyped(value), "{value}");
        }
        for value in [
            "1",
            "-1",
            "true",
            "false",
            "{ }",
            r#"[null,{"a":{}}]"#,
            r#""""#,
            "[0]",
            r#"{"a":false}"#,
            r#"[[""]]"#,
        ] {
            assert!(!is_untyped(value), "{value}");
        }
    }

    /// Millions of brackets take neither a deep stack nor long.
    #[test]
    fn deep_values() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        assert_eq!(members(deep.as_bytes()).unwrap().len(), 1);
        let deep = format!(
            "{{\"a\":{}1{}}}",
            "{\"b\":".repeat(1 << 18),
            "}".repeat(1 << 18)
        );
        assert_eq!(members(deep.as_bytes()).unwrap().len(), 1);
    }
}
