//! What a query is made of: enough of T-SQL's lexical rules to tell text, names and comments from what is between them, and
//! to put our own text around a query that has common table expressions, an `ORDER BY` or an `OPTION`.

/// What is wrong with a query, before it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mistake {
    Empty,
    TwoStatements,
    /// It does not begin like something that returns rows.
    NoQuery,
    /// It would write, or run something.
    Writes,
    /// A parenthesis, a text or a comment has no end, or no beginning.
    Unbalanced,
}

/// A query in the places that T-SQL has for its parts. Each is as people wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// `WITH …`: common table expressions, which can't stand in a derived table.
    pub(super) with: Option<&'a str>,
    /// What returns the rows.
    pub(super) body: &'a str,
    /// Whether the body has an `ORDER BY` that a derived table may not have.
    pub(super) is_ordered: bool,
    /// `OPTION (…)`, which stands at the end of the whole statement.
    pub(super) option: Option<&'a str>,
}

/// Words that begin a statement of another kind, and that can't be names unless they are quoted.
const STATEMENTS: [&str; 31] = [
    "alter",
    "backup",
    "begin",
    "bulk",
    "commit",
    "create",
    "dbcc",
    "declare",
    "delete",
    "deny",
    "drop",
    "exec",
    "execute",
    "goto",
    "grant",
    "insert",
    "into",
    "kill",
    "merge",
    "print",
    "raiserror",
    "reconfigure",
    "restore",
    "revoke",
    "rollback",
    "save",
    "shutdown",
    "truncate",
    "update",
    "use",
    "waitfor",
];

/// Takes a query apart.
pub(super) fn parts(text: &str) -> Result<Parts<'_>, Mistake> {
    let mut tokens = tokens(text)?;
    // `;WITH` is a habit of many: a semicolon has to end the statement before `WITH`.
    let empty = tokens.iter().take_while(|it| it.text == ";").count();
    tokens.drain(..empty);
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else {
        return Err(Mistake::Empty);
    };
    let start = if empty > 0 { first.at } else { 0 };
    let outside = |token: &&Token<'_>| token.depth == 0;
    if tokens.iter().filter(outside).any(|it| it.text == ";") {
        return Err(Mistake::TwoStatements);
    }
    let body_at = if first.is("with") {
        after_ctes(&tokens).ok_or(Mistake::Unbalanced)?
    } else {
        0
    };
    let body = tokens.get(body_at..).unwrap_or_default();
    let begins = body.first().ok_or(Mistake::NoQuery)?;
    if STATEMENTS.iter().any(|word| begins.is(word)) {
        return Err(Mistake::Writes);
    }
    if !begins.is("select") && begins.text != "(" {
        return Err(Mistake::NoQuery);
    }
    if body.iter().any(|token| token.is("into")) {
        return Err(Mistake::Writes);
    }
    if second_statement(body) {
        return Err(Mistake::TwoStatements);
    }
    let option = body
        .iter()
        .enumerate()
        .rev()
        .find(|(_, token)| token.depth == 0 && token.is("option"))
        .filter(|(at, _)| body.get(at + 1).is_some_and(|next| next.text == "("))
        .map(|(_, token)| token.at);
    let end = last.at + last.text.len();
    let begin = begins.at;
    Ok(Parts {
        with: (body_at > 0).then(|| text.get(start..begin).unwrap_or_default()),
        body: text
            .get(if body_at > 0 { begin } else { start }..option.unwrap_or(end))
            .unwrap_or(text),
        is_ordered: is_ordered(body),
        option: option.and_then(|at| text.get(at..end)),
    })
}

/// Where the query begins that follows the common table expressions: behind a closing parenthesis that nothing continues.
fn after_ctes(tokens: &[Token<'_>]) -> Option<usize> {
    let closed = tokens.windows(2).position(|pair| match pair {
        [close, next] => {
            close.text == ")" && close.depth == 0 && next.text != "," && !next.is("as")
        }
        _ => false,
    });
    closed.map(|at| at + 1)
}

/// T-SQL needs no semicolon between statements.
fn second_statement(body: &[Token<'_>]) -> bool {
    let mut before: Option<&Token<'_>> = None;
    for token in body.iter().filter(|it| it.depth == 0) {
        let joins = before.is_none_or(|it| {
            ["union", "all", "except", "intersect"]
                .iter()
                .any(|word| it.is(word))
        });
        if STATEMENTS.iter().any(|word| token.is(word)) || (token.is("select") && !joins) {
            return true;
        }
        before = Some(token);
    }
    false
}

/// Whether there is an `ORDER BY` for the whole, with neither `TOP` nor `OFFSET` nor `FOR` to it.
fn is_ordered(body: &[Token<'_>]) -> bool {
    let outer: Vec<&Token<'_>> = body.iter().filter(|it| it.depth == 0).collect();
    let order = outer.windows(2).rposition(|pair| match pair {
        [order, by] => order.is("order") && by.is("by"),
        _ => false,
    });
    let Some(order) = order else { return false };
    let (before, after) = outer.split_at(order);
    let joined = before.iter().any(|it| {
        ["union", "except", "intersect"]
            .iter()
            .any(|word| it.is(word))
    });
    let top = before.iter().take(3).any(|it| it.is("top"));
    let bounded = after.iter().any(|it| it.is("offset") || it.is("for"));
    !bounded && (joined || !top)
}

/// What is neither space nor comment.
struct Token<'a> {
    text: &'a str,
    at: usize,
    /// In how many parentheses it stands; a parenthesis itself stands where its pair does.
    depth: usize,
}

impl Token<'_> {
    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// The tokens of a text, but for the semicolons at its end.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, Mistake> {
    let mut found: Vec<Token<'_>> = Vec::new();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, is_space) = next(rest).ok_or(Mistake::Unbalanced)?;
        let text = rest.get(..length).unwrap_or(rest);
        if text == ")" {
            depth = depth.checked_sub(1).ok_or(Mistake::Unbalanced)?;
        }
        if !is_space {
            found.push(Token { text, at, depth });
        }
        if text == "(" {
            depth += 1;
        }
        at += length;
    }
    if depth > 0 {
        return Err(Mistake::Unbalanced);
    }
    while found.last().is_some_and(|token| token.text == ";") {
        found.pop();
    }
    Ok(found)
}

/// The length of the next token, and whether it means nothing. `None`: it has no end.
fn next(rest: &str) -> Option<(usize, bool)> {
    let mut chars = rest.chars();
    let first = chars.next()?;
    let until = |stop: fn(char) -> bool| rest.find(stop).unwrap_or(rest.len());
    Some(match (first, chars.next()) {
        (c, _) if c.is_whitespace() => (until(|c| !c.is_whitespace()), true),
        ('-', Some('-')) => (rest.find('\n').unwrap_or(rest.len()), true),
        ('/', Some('*')) => (comment(rest)?, true),
        ('\'', _) => (quoted(rest, '\'')?, false),
        ('"', _) => (quoted(rest, '"')?, false),
        ('[', _) => (quoted(rest, ']')?, false),
        (c, _) if is_name(c) => (until(|c| !is_name(c)), false),
        (c, _) => (c.len_utf8(), false),
    })
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '@' | '#' | '$')
}

/// Comments nest.
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

/// A doubled end stands for itself.
fn quoted(rest: &str, end: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == end {
            match chars.peek() {
                Some((_, next)) if *next == end => {
                    chars.next();
                }
                _ => return Some(at + c.len_utf8()),
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let told = match parts(text) {
            Ok(Parts {
                with,
                body,
                is_ordered,
                option,
            }) => {
                let part = |name: &str, it: Option<&str>| {
                    it.map(|it| format!("{name}<{it}> ")).unwrap_or_default()
                };
                let ordered = if is_ordered { " ordered" } else { "" };
                format!(
                    "{}<{body}>{ordered}{}",
                    part("with", with),
                    part(" option", option).trim_end()
                )
            }
            Err(mistake) => format!("{mistake:?}"),
        };
        assert_eq!(told, expected, "{text}");
    }

    #[test]
    fn a_query_ends_before_its_semicolon() {
        check("SELECT 1", "<SELECT 1>");
        check("SELECT 1; -- done;\n ;", "<SELECT 1>");
        check(
            "-- first\nSELECT ';', N'it''s;', [a;]]], \"b;\" /* ; /* ; */ ; */",
            "<-- first\nSELECT ';', N'it''s;', [a;]]], \"b;\">",
        );
        check("((select 1))", "<((select 1))>");
        check(
            "SELECT 1 UNION ALL SELECT 2",
            "<SELECT 1 UNION ALL SELECT 2>",
        );
        check(
            "SELECT (SELECT 1) AS [update]",
            "<SELECT (SELECT 1) AS [update]>",
        );
    }

    #[test]
    fn semicolons_before_a_query_mean_nothing() {
        check(
            ";WITH a AS (SELECT id FROM o) SELECT id FROM a",
            "with<WITH a AS (SELECT id FROM o) > <SELECT id FROM a>",
        );
        check(" ; /* one */ ;\nSELECT 1;", "<SELECT 1>");
        check("; -- nothing", "Empty");
        check(";SELECT 1; SELECT 2", "TwoStatements");
        check(";DELETE FROM x", "Writes");
    }

    #[test]
    fn what_is_not_one_query_is_refused() {
        check("SELECT 1; SELECT 2", "TwoStatements");
        check("SELECT 1 SELECT 2", "TwoStatements");
        check("SELECT 1 DELETE FROM x", "TwoStatements");
        check(
            "SELECT 1) AS q; DROP TABLE x; SELECT * FROM (SELECT 2",
            "Unbalanced",
        );
        check("SELECT 'it", "Unbalanced");
        check("SELECT 1 /* open", "Unbalanced");
        check("  -- nothing\n", "Empty");
        check("DELETE FROM x", "Writes");
        check("EXEC sp_who", "Writes");
        check("SELECT * INTO y FROM x", "Writes");
        check("WITH a AS (SELECT 1 AS b) DELETE FROM a", "Writes");
        check("SET NOCOUNT ON", "NoQuery");
    }

    #[test]
    fn common_table_expressions_and_options_stand_apart() {
        check(
            "WITH a AS (SELECT 1 AS b), c (d) AS (SELECT b FROM a) SELECT * FROM c;",
            "with<WITH a AS (SELECT 1 AS b), c (d) AS (SELECT b FROM a) > <SELECT * FROM c>",
        );
        check(
            "WITH XMLNAMESPACES ('u' AS n) SELECT 1 AS a",
            "with<WITH XMLNAMESPACES ('u' AS n) > <SELECT 1 AS a>",
        );
        check(
            "with a as (select 1 as b) (select b from a)",
            "with<with a as (select 1 as b) > <(select b from a)>",
        );
        check(
            "SELECT a FROM t WITH (NOLOCK) OPTION (MAXDOP 1);",
            "<SELECT a FROM t WITH (NOLOCK) > option<OPTION (MAXDOP 1)>",
        );
    }

    #[test]
    fn an_order_is_found_where_a_derived_table_may_not_have_it() {
        check(
            "SELECT a FROM t ORDER BY a",
            "<SELECT a FROM t ORDER BY a> ordered",
        );
        check(
            "SELECT TOP 5 a FROM t ORDER BY a",
            "<SELECT TOP 5 a FROM t ORDER BY a>",
        );
        check(
            "SELECT DISTINCT TOP (5) a FROM t ORDER BY a",
            "<SELECT DISTINCT TOP (5) a FROM t ORDER BY a>",
        );
        check(
            "SELECT a FROM t ORDER BY a OFFSET 5 ROWS",
            "<SELECT a FROM t ORDER BY a OFFSET 5 ROWS>",
        );
        check(
            "SELECT a, row_number() OVER (ORDER BY a) AS n FROM t",
            "<SELECT a, row_number() OVER (ORDER BY a) AS n FROM t>",
        );
        check(
            "SELECT TOP 1 a FROM t UNION SELECT 2 ORDER BY a",
            "<SELECT TOP 1 a FROM t UNION SELECT 2 ORDER BY a> ordered",
        );
        check(
            "WITH a AS (SELECT 1 AS b) SELECT b FROM a ORDER BY b OPTION (RECOMPILE)",
            "with<WITH a AS (SELECT 1 AS b) > <SELECT b FROM a ORDER BY b > ordered option<OPTION (RECOMPILE)>",
        );
    }
}
