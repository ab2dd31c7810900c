//! Where a statement ends: enough of PostgreSQL's lexical rules (chapter "Lexical Structure" of its manual) to tell
//! text and comments from what is between them.

/// What is wrong with a query, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Empty,
    TwoStatements,
    /// It does not begin like something that returns rows.
    NoQuery,
}

/// The query without a semicolon at its end. Comments stay.
pub(super) fn one_query(text: &str) -> Result<&str, Mistake> {
    let mut end = text.len();
    let mut first_word: Option<&str> = None;
    let mut semicolon = false;
    let mut at = 0;
    while let Some(token) = next(text, at) {
        if token.is_space {
        } else if token.text == ";" {
            if !semicolon {
                end = at;
            }
            semicolon = true;
        } else if semicolon {
            return Err(Mistake::TwoStatements);
        } else if first_word.is_none() && token.text != "(" {
            first_word = Some(token.text);
        }
        at += token.text.len();
    }
    let first = first_word.ok_or(Mistake::Empty)?;
    if !["select", "with", "values", "table"]
        .iter()
        .any(|word| first.eq_ignore_ascii_case(word))
    {
        return Err(Mistake::NoQuery);
    }
    Ok(text.get(..end).unwrap_or(text))
}

struct Token<'a> {
    text: &'a str,
    is_space: bool,
}

fn next(text: &str, at: usize) -> Option<Token<'_>> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let mut chars = rest.chars();
    let first = chars.next()?;
    let second = chars.next();
    let space = |length: usize| Token {
        text: rest.get(..length).unwrap_or(rest),
        is_space: true,
    };
    let solid = |length: usize| Token {
        text: rest.get(..length).unwrap_or(rest),
        is_space: false,
    };
    Some(match (first, second) {
        (c, _) if c.is_whitespace() => space(
            rest.find(|c: char| !c.is_whitespace())
                .unwrap_or(rest.len()),
        ),
        ('-', Some('-')) => space(rest.find('\n').unwrap_or(rest.len())),
        ('/', Some('*')) => space(comment(rest)),
        ('\'', _) => solid(quoted(rest, 1, '\'', false)),
        ('e' | 'E', Some('\'')) => solid(quoted(rest, 2, '\'', true)),
        ('"', _) => solid(quoted(rest, 1, '"', false)),
        ('$', _) => solid(dollar(rest).unwrap_or(1)),
        (c, _) if c.is_alphanumeric() || c == '_' => solid(
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len()),
        ),
        (c, _) => solid(c.len_utf8()),
    })
}

/// Comments nest.
fn comment(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// A doubled quote stands for itself; with `escapes`, a backslash takes the next character with it.
fn quoted(rest: &str, begin: usize, quote: char, escapes: bool) -> usize {
    let mut chars = rest.char_indices().skip(begin).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + c.len_utf8(),
            }
        }
    }
    rest.len()
}

/// `$tag$ … $tag$`
fn dollar(rest: &str) -> Option<usize> {
    let tag_end = rest.get(1..)?.find('$')? + 2;
    let tag = rest.get(..tag_end)?;
    let inner = tag.trim_matches('$');
    let is_tag = !inner.starts_with(|c: char| c.is_ascii_digit())
        && inner.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_tag.then(|| {
        let body = rest.get(tag_end..).unwrap_or_default();
        body.find(tag)
            .map_or(rest.len(), |at| tag_end + at + tag.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_ends_before_its_semicolon() {
        let check = |text: &str, expected: Result<&str, Mistake>| {
            assert_eq!(one_query(text), expected, "{text}");
        };
        check("SELECT 1", Ok("SELECT 1"));
        check("SELECT 1; -- done;\n ;", Ok("SELECT 1"));
        check(
            "-- first\nSELECT ';', E'\\';', $$;$$, $a$;$a$, \";\" /* ; /* ; */ ; */ ORDER BY 1 -- ;",
            Ok(
                "-- first\nSELECT ';', E'\\';', $$;$$, $a$;$a$, \";\" /* ; /* ; */ ; */ ORDER BY 1 -- ;",
            ),
        );
        check("((select 1))", Ok("((select 1))"));
        check(
            "WITH a AS (SELECT 1) TABLE a;",
            Ok("WITH a AS (SELECT 1) TABLE a"),
        );
        check("SELECT 'it''s; é' ;", Ok("SELECT 'it''s; é' "));
        check("SELECT 1; SELECT 2", Err(Mistake::TwoStatements));
        check("SELECT 1; drop table x", Err(Mistake::TwoStatements));
        check("  -- nothing\n", Err(Mistake::Empty));
        check("DELETE FROM x", Err(Mistake::NoQuery));
        check("SELECT '; drop", Ok("SELECT '; drop"));
    }
}
