//! Keys as rules: records are a pair if they are equal in all expressions of a key.

use comboi_engine::{Session, parse_expressions, print_expressions};
use comboi_project::{Place, Problem, Problems};
use serde_json::Value;

use crate::Error;
use crate::expression;
use crate::settings::Rule;

/// The rules of keys. An expression of a key is over one record, such as `surname` or `substr(postcode, 1, 4)`; the session only parses.
pub fn rules_of_keys(
    session: &Session,
    keys: &[Vec<String>],
    place: &Place,
) -> Result<Vec<Rule>, Error> {
    let texts: Vec<&str> = keys.iter().flatten().map(String::as_str).collect();
    let parsed = parse_expressions(session, &texts)?;
    let (mut sides, mut problems) = (Vec::new(), Vec::new());
    for (text, parsed) in texts.iter().zip(parsed) {
        match parsed {
            Err(e) => problems.push(
                Problem::at(place, format!("the key `{text}` is not SQL: {}", e.message))
                    .hint("a key is a column or an expression over one record, such as `substr(postcode, 1, 4)`"),
            ),
            Ok(tree) => {
                if let Some(wrong) = expression::refused(&tree) {
                    problems.push(Problem::at(place, format!("the key `{text}` {wrong}")));
                }
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
    let mut printed = print_expressions(session, &sides)?.into_iter();
    let mut next = || printed.next().unwrap_or_default();
    let rule = |key: &Vec<String>| {
        let each: Vec<String> = key
            .iter()
            .map(|_| format!("{} = {}", next(), next()))
            .collect();
        Rule::new(each.join(" AND "), place)
    };
    Ok(keys.iter().map(rule).collect())
}

/// A column reference in the record of a side.
fn of_side(names: &[String], side: &str) -> Value {
    let names = std::iter::once(side).chain(names.iter().map(String::as_str));
    expression::column(names)
}
