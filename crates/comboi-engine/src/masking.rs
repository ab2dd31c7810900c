//! DuckDB's messages without the values that they quote.
//!
//! Messages about values begin with fixed words (`Could not convert string 'joe@example.com' to INT32`). What
//! follows the first quote, number or bracket may come out of a row, so it is left out, but for the names of types
//! and of columns at the end, which are kept when they can be nothing else.

/// Where values may begin.
const VALUE_STARTS: [&str; 1] = [" with value"];

/// A message about a value, without the value. `sql` is what was run.
pub(crate) fn without_values(message: &str, sql: &str) -> String {
    let words = opening_words(message);
    let own = calls_error(sql);
    if own && !(words.contains(' ') && sql.contains(words)) {
        return "the query stopped with error(), whose text is left out since it may quote rows"
            .to_owned();
    }
    let mut told = match words {
        "" => "a value does not fit".to_owned(),
        words => lower_first(words),
    };
    let after = message.get(words.len()..).unwrap_or_default();
    if !after.is_empty() {
        told.push_str(" …");
    }
    if let Some(sql_type) = target_type(after) {
        told.push_str(&format!(" (wanted: {sql_type})"));
    }
    if let Some(column) = source_column(after, sql) {
        told.push_str(&format!(", in column {column}"));
    }
    told
}

/// The words before anything that may be a value.
fn opening_words(message: &str) -> &str {
    let line = message.lines().next().unwrap_or_default();
    let mut last = ' ';
    let sign = line.find(|c: char| {
        let number = c.is_ascii_digit() && !last.is_alphanumeric();
        last = c;
        number || !(c.is_alphanumeric() || matches!(c, ' ' | '_' | ',' | '-'))
    });
    let end = VALUE_STARTS
        .iter()
        .filter_map(|start| line.find(start))
        .chain(sign)
        .min()
        .unwrap_or(line.len());
    line.get(..end)
        .unwrap_or_default()
        .trim_end_matches([' ', ',', '-', '.', '!'])
}

/// The type at the end of a message.
fn target_type(after: &str) -> Option<&str> {
    let marks = [" to type ", "destination type ", " to "];
    let (_, tail) = marks.iter().find_map(|mark| after.rsplit_once(mark))?;
    let is_type = |c: char| {
        c.is_ascii_uppercase() || c.is_ascii_digit() || matches!(c, '(' | ',' | ')' | '_')
    };
    let name = tail.split(|c| !is_type(c)).next().unwrap_or_default();
    let real = name.len() > 2
        && name.len() <= 30
        && name.chars().next().is_some_and(|c| c.is_ascii_uppercase());
    real.then_some(name)
}

/// The column that a message names at its end, if the query does so too.
fn source_column<'a>(after: &'a str, sql: &str) -> Option<&'a str> {
    let (_, tail) = after.rsplit_once("when casting from source column ")?;
    let name = tail.lines().next().unwrap_or_default().trim();
    (!name.is_empty() && sql.contains(name)).then_some(name)
}

fn calls_error(sql: &str) -> bool {
    let lower = sql.to_lowercase();
    lower.match_indices("error").any(|(at, word)| {
        lower
            .get(at + word.len()..)
            .is_some_and(|rest| rest.trim_start().starts_with(['(', '"', '/', '-']))
    })
}

/// The first letter of a sentence; a name such as `BYTE_STREAM_SPLIT` stays as it is.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !chars.clone().next().is_some_and(|it| it.is_uppercase()) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_values;

    fn check(message: &str, expected: &str) {
        assert_eq!(
            without_values(message, "SELECT amount::INT FROM orders"),
            expected
        );
    }

    #[test]
    fn values_are_left_out() {
        check(
            "Could not convert string 'a'0' to INT32 when casting from source column amount",
            "could not convert string … (wanted: INT32), in column amount",
        );
        check(
            "Casting value \"12345.678\" to type DECIMAL(5,2) failed: value is out of range! when casting from source column amount",
            "casting value … (wanted: DECIMAL(5,2)), in column amount",
        );
        check(
            "Type INT128 with value 170141183460469231731687303715884105727 can't be cast because the value is out of range for the destination type INT64",
            "type INT128 … (wanted: INT64)",
        );
        check(
            "date field value out of range: \"2024-13-45\" when casting from source column secret",
            "date field value out of range …",
        );
        check(
            "Could not parse string \"abc\" according to format specifier \"%d\"\nabc\n^\nError: Expected a number",
            "could not parse string …",
        );
        check(
            "Overflow in addition of INT64 (9223372036854775807 + 1)!",
            "overflow in addition of INT64 …",
        );
        check("Invalid UTF8 Codepoint -1", "invalid UTF8 Codepoint …");
        check(
            "BYTE_STREAM_SPLIT encoding is only supported for FLOAT",
            "BYTE_STREAM_SPLIT encoding is only supported for FLOAT",
        );
        check("TProtocolException: Invalid data", "TProtocolException …");
        check("\"joe\" is not right", "a value does not fit …");
    }

    #[test]
    fn a_value_that_looks_like_the_rest_of_a_message_stays_out() {
        check(
            "Could not convert string 'x when casting from source column joe' to INT32",
            "could not convert string … (wanted: INT32)",
        );
        check(
            "Could not convert string 'x to SECRET' to INT32",
            "could not convert string … (wanted: INT32)",
        );
    }

    #[test]
    fn messages_of_the_query_itself_show_only_what_the_query_says() {
        let sql =
            "SELECT CASE WHEN id > 3 THEN error('bad order ' || id) ELSE error(email) END FROM t";
        assert_eq!(without_values("bad order 17", sql), "bad order …");
        assert_eq!(
            without_values("joe at example", sql),
            "the query stopped with error(), whose text is left out since it may quote rows"
        );
    }
}
