//! Somebody's text and places in it.

use comboi_project::{Place, Problem, Problems, did_you_mean};

use crate::failure::{Failure, Kind, first_line, without_values};
use crate::{Error, SqlFile};

use super::foreign::replacement;
use super::statement_place;

/// The text up to its first `;` that is neither quoted nor in a comment.
///
/// The lexer's rules are those of PostgreSQL: quotes double to stand for themselves, `E'…'` has backslashes,
/// `$tag$…$tag$`, comments nest. Where this and DuckDB disagree, the two trees do, and the text is refused.
pub(super) fn without_semicolon(text: &str) -> &str {
    let mut rest = text;
    loop {
        let at = text.len() - rest.len();
        let Some(first) = rest.chars().next() else {
            return text;
        };
        let escapes = at > 0
            && text
                .get(..at)
                .is_some_and(|before| before.ends_with(['e', 'E']));
        let skip = match first {
            ';' => return text.get(..at).unwrap_or(text),
            '\'' if escapes => escaped(rest),
            '\'' | '"' => quoted(rest, first),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => comment(rest),
            '$' => dollar(rest),
            c => c.len_utf8(),
        };
        rest = rest.get(skip.max(1)..).unwrap_or_default();
    }
}

fn quoted(text: &str, quote: char) -> usize {
    // A doubled quote is the end of one text and the start of the next, which comes to the same.
    text.get(1..)
        .and_then(|rest| rest.find(quote))
        .map_or(text.len(), |at| at + 2)
}

fn escaped(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '\'' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn comment(text: &str) -> usize {
    let mut depth = 0_u32;
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        match (rest.find("/*"), rest.find("*/")) {
            (Some(open), Some(close)) if open < close => (depth, at) = (depth + 1, at + open + 2),
            (_, Some(close)) if depth == 1 => return at + close + 2,
            (_, Some(close)) => (depth, at) = (depth - 1, at + close + 2),
            (_, None) => break,
        }
    }
    text.len()
}

fn dollar(text: &str) -> usize {
    let tag_end = text
        .get(1..)
        .and_then(|rest| rest.find(|c: char| !(c.is_alphanumeric() || c == '_')))
        .map(|at| at + 1);
    let Some(end) =
        tag_end.filter(|&end| text.get(end..).is_some_and(|rest| rest.starts_with('$')))
    else {
        return 1;
    };
    let Some((tag, rest)) = text.split_at_checked(end + 1) else {
        return 1;
    };
    rest.find(tag)
        .map_or(text.len(), |at| tag.len() + at + tag.len())
}

/// The place of a byte of somebody's text, the byte order mark not counted.
pub(crate) fn place_of(sql: &SqlFile<'_>, byte: usize) -> Place {
    let text = sql.text.strip_prefix('\u{feff}').unwrap_or(sql.text);
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place {
        line: number(line),
        column: number(column),
        ..Place::file(sql.path)
    }
}

/// What a failure of a statement means in which somebody's text begins at byte `start`, if it is about that text:
/// a problem at its place. Other failures come back.
pub(crate) fn in_sql(sql: &SqlFile<'_>, failure: Failure, start: usize) -> Result<Error, Failure> {
    let message = match failure.kind {
        Kind::Statement | Kind::Permission => sentence(&first_line(&failure.message)),
        Kind::Value => without_values(&failure.message, sql.text),
        _ => return Err(failure),
    };
    let problem = Problem::at(&statement_place(sql, &failure, start), message);
    Ok(Problems(vec![problem.maybe_hint(hint(&failure))]).into())
}

/// What a failure says of a statement, and what to try.
pub(crate) fn said_of(failure: &Failure) -> (String, Option<String>) {
    let message = match failure.kind {
        Kind::Statement | Kind::Permission => sentence(&first_line(&failure.message)),
        _ => without_values(&failure.message, ""),
    };
    (message, hint(failure))
}

fn hint(failure: &Failure) -> Option<String> {
    let missing = failure.message.split_once("Function with name ");
    if let Some(name) = missing.and_then(|(_, after)| after.split_whitespace().next()) {
        if let Some(instead) = replacement(name.trim_matches(['"', '!'])) {
            return Some(format!("DuckDB has {instead}"));
        }
        let candidates = failure.candidates.iter();
        let candidates = candidates.map(|text| text.trim().trim_matches('"'));
        return did_you_mean(name, candidates);
    }
    let lines: Vec<&str> = failure
        .candidates
        .iter()
        .map(|text| text.trim())
        .take(5)
        .collect();
    match (lines.as_slice(), failure.kind) {
        ([], _) | (_, Kind::Value) => None,
        ([one], _) => Some(format!("did you mean `{one}`?")),
        (many, _) => Some(format!("it could be one of: {}", many.join("; "))),
    }
}

/// Begins small, as comboi's messages do, unless it begins with a name in capitals.
fn sentence(text: &str) -> String {
    if let Some((kind, name)) = text
        .strip_suffix(" does not exist")
        .and_then(|text| text.split_once(" with name "))
    {
        let kind = kind.to_lowercase();
        return format!(
            "there is no {} `{name}`",
            kind.strip_prefix("scalar ").unwrap_or(&kind)
        );
    }
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(without_semicolon(text), expected);
    }

    #[test]
    fn a_semicolon_ends_the_query() {
        check("SELECT 1; -- done\n", "SELECT 1");
        check("SELECT 1", "SELECT 1");
        check("SELECT 1;;", "SELECT 1");
    }

    #[test]
    fn quoted_semicolons_do_not() {
        check(
            "SELECT ';''; ', \"a;\"\"b\" ; x",
            "SELECT ';''; ', \"a;\"\"b\" ",
        );
        check("SELECT e'\\';' ;", "SELECT e'\\';' ");
        check(
            "SELECT $$;$$, $a_1$ ; $$ $a_1$, 'é;' ;",
            "SELECT $$;$$, $a_1$ ; $$ $a_1$, 'é;' ",
        );
        check("SELECT $1; $2", "SELECT $1");
    }

    #[test]
    fn semicolons_in_comments_do_not() {
        check("SELECT -- ; '\n 1;", "SELECT -- ; '\n 1");
        check("SELECT /* ; /* ' */ ; */ 1;", "SELECT /* ; /* ' */ ; */ 1");
        check("SELECT 1 /* ; ", "SELECT 1 /* ; ");
    }

    #[test]
    fn places_are_counted_in_characters() {
        let sql = SqlFile {
            path: "q.sql".as_ref(),
            text: "\u{feff}SELECT 'é',\n  x",
        };
        assert_eq!(place_of(&sql, 0).to_string(), "q.sql:1:1");
        assert_eq!(place_of(&sql, 11).to_string(), "q.sql:1:11");
        assert_eq!(place_of(&sql, 15).to_string(), "q.sql:2:3");
    }
}
