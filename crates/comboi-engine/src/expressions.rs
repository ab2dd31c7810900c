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

fn parse(session: &Session, text: &str) -> Result<Result<Value, NotSql>, Error> {
    const BEFORE: &str = "SELECT (";
    if text.contains('\0') {
        return Ok(Err(NotSql {
            message: "it contains a NUL character".to_owned(),
            position: text.find('\0'),
        }));
    }
    let parser = session.parser()?;
    // The line break ends a comment at the text's end.
    let statement = sql::text(&format!("{BEFORE}{text}\n)"));
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
            position: position.and_then(|it| it.checked_sub(BEFORE.len())),
        }));
    }
    let not_one = NotSql {
        message: "it is not one expression".to_owned(),
        position: None,
    };
    let statements = tree.get("statements").and_then(Value::as_array);
    let Some([statement]) = statements.map(Vec::as_slice) else {
        return Ok(Err(not_one));
    };
    let node = statement.get("node").unwrap_or(&Value::Null);
    let plain = node.pointer("/from_table/type").and_then(Value::as_str) == Some("EMPTY")
        && node.get("type").and_then(Value::as_str) == Some("SELECT_NODE")
        && node.get("where_clause").is_none_or(Value::is_null);
    let list = node.get("select_list").and_then(Value::as_array);
    Ok(match list.map(Vec::as_slice) {
        Some([expression]) if plain => Ok(expression.clone()),
        _ => Err(not_one),
    })
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
