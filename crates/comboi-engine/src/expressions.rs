//! Expressions of people's SQL as DuckDB's trees, and trees as SQL.

use serde_json::{Value, json};

use crate::failure::first_line;
use crate::{Error, Session, sql};

/// A text that is not an expression of SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSql {
    /// What DuckDB says.
    pub message: String,
    /// The byte of the text that it is about.
    pub position: Option<usize>,
}

/// DuckDB's trees of texts that should each be one expression.
pub fn parse_expressions(
    session: &Session,
    texts: &[&str],
) -> Result<Vec<Result<Value, NotSql>>, Error> {
    texts.iter().map(|text| parse(session, text)).collect()
}

/// DuckDB's tree of a text that is one expression by itself.
///
/// In parentheses `a) OR (b` and a list would be one too, and without them `a AS b`: so it is parsed both ways, and
/// has to be the same. Then no parenthesis, quote or comment of it reaches beyond its end.
pub(crate) fn parse(session: &Session, text: &str) -> Result<Result<Value, NotSql>, Error> {
    if let Some(position) = text.find('\0') {
        return Ok(Err(NotSql {
            message: "it contains a NUL character".to_owned(),
            position: Some(position),
        }));
    }
    let alone = match selected(session, "SELECT ", text, "")? {
        Ok(expression) => expression,
        Err(not_sql) => return Ok(Err(not_sql)),
    };
    let enclosed = match selected(session, "SELECT (", text, ")")? {
        Ok(expression) => expression,
        Err(not_sql) => return Ok(Err(not_sql)),
    };
    let same = without_places(alone.clone()) == without_places(enclosed);
    Ok(if same { Ok(alone) } else { Err(not_one()) })
}

fn not_one() -> NotSql {
    NotSql {
        message: "it is not one expression".to_owned(),
        position: None,
    }
}

/// The only thing that a statement selects, from nothing, whose text ends in a line break: that ends a comment.
fn selected(
    session: &Session,
    before: &str,
    text: &str,
    after: &str,
) -> Result<Result<Value, NotSql>, Error> {
    let parser = session.parser()?;
    let statement = sql::text(&format!("{before}{text}\n{after}"));
    let answer = parser
        .rows(&format!("SELECT json_serialize_sql({statement})::VARCHAR"))
        .map_err(|failure| parser.explain(failure, "parse an expression"))?;
    let answer = answer.into_iter().flatten().flatten().next();
    let tree: Value = serde_json::from_str(&answer.unwrap_or_default()).unwrap_or_default();
    if let Some(message) = tree.get("error_message").and_then(Value::as_str) {
        let position = tree
            .get("position")
            .and_then(|it| it.as_str()?.parse::<usize>().ok());
        return Ok(Err(NotSql {
            message: first_line(message),
            position: position.and_then(|it| it.checked_sub(before.len())),
        }));
    }
    let statements = tree.get("statements").and_then(Value::as_array);
    let Some([statement]) = statements.map(Vec::as_slice) else {
        return Ok(Err(not_one()));
    };
    let node = statement.get("node").unwrap_or(&Value::Null);
    let list = node.get("select_list").and_then(Value::as_array);
    Ok(match list.map(Vec::as_slice) {
        Some([expression]) if selects_alone(node) => Ok(expression.clone()),
        _ => Err(not_one()),
    })
}

/// Whether a statement has no part beside what it selects.
fn selects_alone(node: &Value) -> bool {
    let empty = |key: &str| match node.get(key) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    let parts = [
        "modifiers",
        "where_clause",
        "group_expressions",
        "group_sets",
    ];
    node.get("type").and_then(Value::as_str) == Some("SELECT_NODE")
        && node.pointer("/from_table/type").and_then(Value::as_str) == Some("EMPTY")
        && parts
            .into_iter()
            .chain(["having", "sample", "qualify"])
            .all(empty)
}

/// A tree without the places of its parts in the text.
pub(crate) fn without_places(mut tree: Value) -> Value {
    fn forget(json: &mut Value) {
        match json {
            Value::Object(fields) => {
                fields.remove("query_location");
                fields.values_mut().for_each(forget);
            }
            Value::Array(items) => items.iter_mut().for_each(forget),
            _ => {}
        }
    }
    forget(&mut tree);
    tree
}

/// Trees of expressions as SQL.
pub fn print_expressions(session: &Session, trees: &[Value]) -> Result<Vec<String>, Error> {
    if trees.is_empty() {
        return Ok(Vec::new());
    }
    let parser = session.parser()?;
    let literals: Vec<String> = trees
        .iter()
        .map(|tree| sql::text(&statement_of(tree).to_string()))
        .collect();
    let printed = parser
        .rows(&format!(
            "SELECT json_deserialize_sql(t.j::JSON) FROM (SELECT unnest([{}]) AS j) AS t",
            literals.join(", ")
        ))
        .map_err(|failure| parser.explain(failure, "print an expression"))?;
    let bare = |text: String| {
        text.strip_prefix("SELECT ")
            .map(str::to_owned)
            .unwrap_or(text)
    };
    Ok(printed.into_iter().flatten().flatten().map(bare).collect())
}

/// The tree of a statement that selects an expression.
fn statement_of(expression: &Value) -> Value {
    json!({"error": false, "statements": [{"node": {
        "type": "SELECT_NODE", "modifiers": [], "cte_map": {"map": []},
        "select_list": [expression],
        "from_table": {"type": "EMPTY", "alias": "", "sample": null, "query_location": u64::MAX},
        "where_clause": null, "group_expressions": [], "group_sets": [],
        "aggregate_handling": "STANDARD_HANDLING", "having": null, "sample": null, "qualify": null
    }, "named_param_map": []}]})
}
