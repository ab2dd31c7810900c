//! Rules that are queries.
//!
//! A person's query passes the same fence as a transformation. Where it is no more than the number of rows for which
//! something is true, it shares the scan with the other rules. Whether it is, DuckDB's own parser says: the
//! condition is cut out of the text, put behind `count(*) FILTER`, and the two trees have to be the same.

use std::path::Path;

use comboi_project::{Contract, Located, Place, Problem, RuleKind};
use serde_json::Value;

use crate::expressions::{self, without_places};
use crate::failure::Failure;
use crate::instance::Instance;
use crate::select::Select;
use crate::{Error, Session, SqlFile, sql};

use super::scan::unless_stopped;

/// A query of a contract, and how to run it.
pub(super) enum Query {
    /// It counts the rows for which this condition is true.
    Counts {
        /// The condition.
        condition: String,
        /// The whole.
        query: String,
    },
    /// It has to run on its own.
    Alone(String),
    /// It is not one `SELECT` over the dataset.
    Refused(String),
}

/// What stands for the dataset in a query.
const PLACEHOLDER: &str = "{dataset}";

/// What may stand in a condition that shares a scan: nothing that looks at other rows.
const SHARED_CLASSES: [&str; 9] = [
    "BETWEEN",
    "CASE",
    "CAST",
    "COLUMN_REF",
    "COMPARISON",
    "CONJUNCTION",
    "CONSTANT",
    "FUNCTION",
    "OPERATOR",
];

impl Query {
    pub(super) fn read(
        session: &Session,
        dataset: &str,
        query: &str,
        place: &Place,
    ) -> Result<Self, Error> {
        let name = sql::ident(dataset);
        let query = query
            .replace(&format!("\"{PLACEHOLDER}\""), &name)
            .replace(PLACEHOLDER, &name);
        let file = SqlFile {
            path: &place.file,
            text: &query,
        };
        match Select::read(session, &file, &[dataset]) {
            Ok(select) => Ok(match condition(session.parser()?, &select.text, dataset)? {
                Some(condition) => Self::Counts {
                    condition,
                    query: select.text,
                },
                None => Self::Alone(select.text),
            }),
            Err(Error::Interrupted) => Err(Error::Interrupted),
            Err(Error::Problems(problems)) => {
                let said = problems.0.iter().map(|problem| match &problem.hint {
                    Some(hint) => format!("{} ({hint})", problem.message),
                    None => problem.message.clone(),
                });
                Ok(Self::Refused(said.collect::<Vec<_>>().join("; ")))
            }
            Err(other) => Ok(Self::Refused(other.to_string())),
        }
    }
}

/// A condition on the rows of a dataset, ready to stand in parentheses. The inner `Err` says why it is none.
pub(super) fn condition_on(
    session: &Session,
    dataset: &str,
    written: &Located<String>,
) -> Result<Result<String, String>, Error> {
    let query = format!(
        "SELECT count(*) FROM {} WHERE (\n{}\n)",
        sql::ident(dataset),
        written.value
    );
    Ok(
        match Query::read(session, dataset, &query, &written.place)? {
            Query::Counts { condition, .. } => match expressions::parse(session, &written.value)? {
                Ok(_) => Ok(condition),
                Err(not_sql) => Err(format!("it is not a condition: {}", not_sql.message)),
            },
            Query::Alone(_) => Err(
                "it looks at more than one row: a condition has no subquery, aggregate or window"
                    .to_owned(),
            ),
            Query::Refused(why) => Err(why),
        },
    )
}

/// What is wrong with the SQL of a contract, as far as that can be seen without data. Runs nothing.
pub fn check_contract_sql(session: &Session, contract: &Contract) -> Result<Vec<Problem>, Error> {
    let dataset = contract.dataset.as_str();
    let mut problems = Vec::new();
    for rule in contract.rules() {
        let query = match &rule.kind {
            RuleKind::CustomSql { query, .. } | RuleKind::FailedRows { query } => Some(query),
            _ => None,
        };
        if let Some(query) = query
            && let Query::Refused(why) = Query::read(session, dataset, query, &query.place)?
        {
            problems.push(Problem::at(
                &query.place,
                format!("rule `{}`: {why}", rule.name),
            ));
        }
        let conditions = [
            rule.filter.as_ref(),
            match &rule.kind {
                RuleKind::Expression { expression } => Some(expression),
                kind => kind.other().and_then(|(_, filter)| filter),
            },
        ];
        for condition in conditions.into_iter().flatten() {
            if let Err(why) = condition_on(session, dataset, condition)? {
                let message = format!("rule `{}`: {why}", rule.name);
                problems.push(Problem::at(&condition.place, message));
            }
        }
    }
    Ok(problems)
}

/// Whether the number that a query returns is computed of personal data, and is not just a count.
pub(super) fn is_personal(
    session: &Session,
    contract: &Contract,
    query: &str,
) -> Result<bool, Error> {
    let file = SqlFile {
        path: Path::new("rule"),
        text: query,
    };
    let names = crate::select::column_names(session, &file)?;
    let personal = names.iter().any(|name| contract.is_personal(name));
    Ok(personal && !crate::select::is_count(session, &file)?)
}

/// The number that a query returns, as text; `Err(Ok(…))` says why it is none.
pub(super) fn number(instance: &Instance, query: &str) -> Result<Option<String>, NoNumber> {
    let columns = instance.columns(&format!("SELECT * FROM (\n{query}\n)"))?;
    let [(_, sql_type)] = columns.as_slice() else {
        return Err(NoNumber::Shape(format!(
            "it returns {} columns, not one number",
            columns.len()
        )));
    };
    let is_number = sql_type
        .parse()
        .is_ok_and(|it: comboi_project::SqlType| it.is_number());
    if !is_number {
        return Err(NoNumber::Shape(format!(
            "it returns {sql_type}, not a number"
        )));
    }
    let rows = instance.rows(&format!(
        "SELECT v::VARCHAR FROM (\n{query}\n) AS t(v) LIMIT 2"
    ))?;
    match rows.len() {
        1 => Ok(rows.into_iter().flatten().next().flatten()),
        0 => Err(NoNumber::Shape(
            "it returns no row, not one number".to_owned(),
        )),
        _ => Err(NoNumber::Shape(
            "it returns several rows, not one number".to_owned(),
        )),
    }
}

/// Why a query gave no number.
pub(super) enum NoNumber {
    Shape(String),
    Failed(Failure),
}

impl From<Failure> for NoNumber {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// The condition of a query that is `SELECT count(*) FROM dataset WHERE condition`, as it is written.
fn condition(parser: &Instance, query: &str, dataset: &str) -> Result<Option<String>, Error> {
    let Some(condition) = tree(parser, query)?.and_then(|tree| counted_condition(tree, dataset))
    else {
        return Ok(None);
    };
    let lower = query.to_ascii_lowercase();
    for (at, word) in lower.match_indices("where") {
        let tail = query.get(at + word.len()..).unwrap_or_default();
        let same = format!(
            "SELECT count(*) FILTER (WHERE\n{tail}\n) FROM {}",
            sql::ident(dataset)
        );
        if tree(parser, &same)?
            .and_then(|tree| filter(tree, dataset))
            .as_ref()
            == Some(&condition)
        {
            return Ok(Some(format!("\n{tail}\n")));
        }
    }
    Ok(None)
}

/// DuckDB's tree of one `SELECT`, without the places in its text.
fn tree(parser: &Instance, query: &str) -> Result<Option<Value>, Error> {
    let asked = format!("SELECT json_serialize_sql({})::VARCHAR", sql::text(query));
    let rows = match parser.rows(&asked) {
        Ok(rows) => rows,
        Err(failure) => return unless_stopped(failure).map(|_| None),
    };
    let text = rows
        .into_iter()
        .flatten()
        .next()
        .flatten()
        .unwrap_or_default();
    let Ok(json) = serde_json::from_str::<Value>(&text) else {
        return Ok(None);
    };
    let mut json = without_places(json);
    Ok(
        match json
            .get_mut("statements")
            .and_then(Value::as_array_mut)
            .map(Vec::as_mut_slice)
        {
            Some([statement]) => statement.get_mut("node").map(Value::take),
            _ => None,
        },
    )
}

/// The `WHERE` of a plain `SELECT count(*)`, if nothing in it looks at other rows.
fn counted_condition(mut node: Value, dataset: &str) -> Option<Value> {
    let condition = node.get_mut("where_clause").map(Value::take)?;
    let plain = counts_rows(&node, dataset)
        && node
            .pointer("/select_list/0/filter")
            .is_none_or(Value::is_null);
    (plain && looks_at_one_row(&condition)).then_some(condition)
}

/// The `FILTER` of a plain `SELECT count(*)`.
fn filter(mut node: Value, dataset: &str) -> Option<Value> {
    let filter = node.pointer_mut("/select_list/0/filter").map(Value::take)?;
    counts_rows(&node, dataset).then_some(filter)
}

/// Whether a query is `SELECT count(*) FROM dataset`, its `WHERE` and `FILTER` left aside.
fn counts_rows(node: &Value, dataset: &str) -> bool {
    let text = |pointer: &str| {
        node.pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let empty = |pointer: &str| match node.pointer(pointer) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::String(text)) => text.is_empty(),
        Some(_) => false,
    };
    let selects = node
        .get("select_list")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    let distinct = node
        .pointer("/select_list/0/distinct")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    selects == 1
        && text("/type") == "SELECT_NODE"
        && text("/select_list/0/class") == "FUNCTION"
        && text("/select_list/0/function_name") == "count_star"
        && !distinct
        && text("/from_table/type") == "BASE_TABLE"
        && text("/from_table/table_name").eq_ignore_ascii_case(dataset)
        && text("/aggregate_handling") == "STANDARD_HANDLING"
        && [
            "/modifiers",
            "/cte_map/map",
            "/select_list/0/children",
            "/select_list/0/schema",
            "/select_list/0/order_bys/orders",
            "/from_table/alias",
            "/from_table/sample",
            "/from_table/schema_name",
            "/from_table/catalog_name",
            "/from_table/column_name_alias",
            "/from_table/at_clause",
            "/group_expressions",
            "/group_sets",
            "/having",
            "/sample",
            "/qualify",
        ]
        .into_iter()
        .all(empty)
}

fn looks_at_one_row(json: &Value) -> bool {
    match json {
        Value::Object(fields) => {
            let class = fields.get("class").and_then(Value::as_str);
            class.is_none_or(|class| SHARED_CLASSES.contains(&class))
                && fields.values().all(looks_at_one_row)
        }
        Value::Array(items) => items.iter().all(looks_at_one_row),
        _ => true,
    }
}
