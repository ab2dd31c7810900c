//! Keys as rules: records are a pair if they are equal in all expressions of a key. A blank text is equal to nothing.

use comboi_engine::{Session, parse_expressions, print_expressions, unless_blank};
use comboi_project::{Columns, Place, Problem, Problems, SqlType};
use serde_json::Value;

use crate::Error;
use crate::expression;
use crate::settings::Rule;

/// The rules of keys. An expression of a key is over one record, such as `surname` or `substr(postcode, 1, 4)`; the session only parses.
///
/// `columns` are those of the records, if blank texts are not NULL in them already.
pub fn rules_of_keys(
    session: &Session,
    keys: &[Vec<String>],
    columns: Option<&Columns>,
    place: &Place,
) -> Result<Vec<Rule>, Error> {
    let texts: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
    let parsed = parse_expressions(session, &texts)?;
    let (mut sides, mut may_be_blank, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for (text, parsed) in texts.iter().zip(parsed) {
        match parsed {
            Err(e) => problems.push(
                Problem::at(place, format!("the key `{text}` is not SQL: {}", e.message))
                    .hint("a key is a column or an expression over one record, such as `substr(postcode, 1, 4)`"),
            ),
            Ok(tree) => {
                if let Some(wrong) = expression::refused(session, &tree)? {
                    problems.push(Problem::at(place, format!("the key `{text}` {wrong}")));
                }
                may_be_blank.extend([may_give_blank(&tree, columns); 2]);
                for side in ["l", "r"] {
                    sides.push(expression::rewritten(&tree, &|names| of_side(names, side)));
                }
            }
        }
    }
    if keys.iter().any(Vec::is_empty) {
        let problem = Problem::at(place, "a key without columns");
        problems.push(problem.hint("all records would be compared with each other"));
    }
    if !problems.is_empty() {
        return Err(Problems(problems).into());
    }
    let printed = print_expressions(session, &sides)?;
    let mut printed = printed.into_iter().zip(may_be_blank);
    let mut next = || match printed.next() {
        Some((sql, true)) => unless_blank(&sql),
        Some((sql, false)) => sql,
        None => String::new(),
    };
    let rule = |key: &Vec<String>| {
        let each: Vec<String> = key
            .iter()
            .map(|_| format!("{} = {}", next(), next()))
            .collect();
        Rule::new(each.join(" AND "), place)
    };
    Ok(keys.iter().map(rule).collect())
}

/// Whether an expression may give a blank text: one that is a column alone does if the records have such texts in it.
fn may_give_blank(tree: &Value, columns: Option<&Columns>) -> bool {
    let Some(names) = expression::names(tree) else {
        return true;
    };
    let column = names.first().zip(columns);
    column.is_some_and(|(name, columns)| {
        let found = columns.get(name);
        found.is_none_or(|it| matches!(it.sql_type, SqlType::Varchar(_)) || names.len() > 1)
    })
}

/// A column reference in the record of a side.
fn of_side(names: &[String], side: &str) -> Value {
    let names = std::iter::once(side).chain(names.iter().map(String::as_str));
    expression::column(names)
}
