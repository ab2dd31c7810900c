//! Where a statement ends: enough of PostgreSQL's lexical rules (chapter "Lexical Structure" of its manual) to tell
//! text and comments from what is between them.

/// What is wrong with a query, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Empty,
    TwoStatements,
    /// It does not begin like something that returns rows.
    NoQuery,
    /// A parenthesis, a text or a comment has no end, or no beginning.
    Unbalanced,
}

/// The query without a semicolon at its end. Comments stay.
pub(super) fn one_query(text: &str) -> Result<&str, Mistake> {
    let mut end = text.len();
    let mut first_word: Option<&str> = None;
    let mut semicolon = false;
    let (mut at, mut depth) = (0, 0_i32);
    while let Some(token) = next(text, at) {
        depth += match token.text {
            "(" => 1,
            ")" => -1,
            _ => 0,
        };
        if !token.is_closed || depth < 0 {
            return Err(Mistake::Unbalanced);
        }
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
    if depth != 0 {
        return Err(Mistake::Unbalanced);
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
    /// Whether the text or comment that it is has its end.
    is_closed: bool,
}

fn next(text: &str, at: usize) -> Option<Token<'_>> {
    let rest = text.get(at..).filter(|rest| !rest.is_empty())?;
    let mut chars = rest.chars();
    let first = chars.next()?;
    let second = chars.next();
    let token = |is_space: bool, length: Option<usize>| Token {
        text: length.and_then(|it| rest.get(..it)).unwrap_or(rest),
        is_space,
        is_closed: length.is_some(),
    };
    let space = |length: usize| token(true, Some(length));
    let solid = |length: usize| token(false, Some(length));
    Some(match (first, second) {
        (c, _) if c.is_whitespace() => space(
            rest.find(|c: char| !c.is_whitespace())
                .unwrap_or(rest.len()),
        ),
        ('-', Some('-')) => space(rest.find('\n').unwrap_or(rest.len())),
        ('/', Some('*')) => token(true, comment(rest)),
        ('\'', _) => token(false, quoted(rest, 1, '\'', false)),
        ('e' | 'E', Some('\'')) => token(false, quoted(rest, 2, '\'', true)),
        ('"', _) => token(false, quoted(rest, 1, '"', false)),
        ('$', _) => token(false, dollar(rest)),
        (c, _) if c.is_alphanumeric() || c == '_' => solid(
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
                .unwrap_or(rest.len()),
        ),
        (c, _) => solid(c.len_utf8()),
    })
}

/// Comments nest. `None`: it has no end.
fn comment(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

/// A doubled quote stands for itself; with `escapes`, a backslash takes the next character with it.
fn quoted(rest: &str, begin: usize, quote: char, escapes: bool) -> Option<usize> {
    let mut chars = rest.char_indices().skip(begin).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return Some(at + c.len_utf8()),
            }
        }
    }
    None
}

/// `$tag$ … $tag$`; a `$` that begins no such text is a token of its own.
fn dollar(rest: &str) -> Option<usize> {
    let end = rest.get(1..).and_then(|after| after.find('$'));
    let Some((tag_end, tag)) = end.and_then(|it| Some((it + 2, rest.get(..it + 2)?))) else {
        return Some(1);
    };
    let inner = tag.trim_matches('$');
    let is_tag = !inner.starts_with(|c: char| c.is_ascii_digit())
        && inner.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag {
        return Some(1);
    }
    let body = rest.get(tag_end..).unwrap_or_default();
    body.find(tag).map(|at| tag_end + at + tag.len())
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
        // None of these is a query by itself, and in parentheses some would be.
        for text in [
            "SELECT '; drop",
            "SELECT 1) AS a, (SELECT 2",
            "SELECT (1",
            "SELECT 1)",
            "SELECT \"a",
            "SELECT $a$ x $b$",
            "SELECT E'\\'",
            "SELECT 1 /* /* */",
            "SELECT 1 -- )\n)",
        ] {
            check(text, Err(Mistake::Unbalanced));
        }
        check("SELECT ')', $1, $(, 1)", Ok("SELECT ')', $1, $(, 1)"));
    }
}
