//! Conditions over two records made into what runs natively: expressions over one record, computed once by DuckDB, and what is left to
//! do for a pair.

mod accept;
mod draft;
mod source;

use comboi_engine::{Session, parse_expressions};
use comboi_project::{Columns, Place, Problem};
use serde_json::Value;

pub(crate) use accept::{Compiled, Field, Layout, compile_comparison, compile_rule};
pub(crate) use draft::{Draft, Likeness, Op, draft};
pub(crate) use source::{Class, Sources};

use crate::Error;
use crate::expression::{self, Naming};

/// A condition as DuckDB parsed it, its columns found to exist.
pub(crate) struct Condition {
    pub(crate) tree: Value,
    pub(crate) naming: Naming,
    /// The columns that it reads, as the records call them.
    pub(crate) columns: Vec<String>,
}

/// Parses conditions; what is wrong with each goes to `problems`, and None stands in its place.
pub(crate) fn conditions(
    session: &Session,
    columns: &Columns,
    texts: &[(&str, &Place, Naming)],
    problems: &mut Vec<Problem>,
) -> Result<Vec<Option<Condition>>, Error> {
    let bare: Vec<&str> = texts.iter().map(|it| it.0).collect();
    let parsed = parse_expressions(session, &bare)?;
    let known: Vec<String> = columns.0.iter().map(|it| it.name.clone()).collect();
    let mut out = Vec::new();
    for ((text, place, naming), parsed) in texts.iter().zip(parsed) {
        let before = problems.len();
        let condition = match parsed {
            Ok(tree) => {
                if let Some(wrong) = expression::refused(session, &tree)? {
                    problems.push(Problem::at(
                        place,
                        format!("the condition `{text}` {wrong}"),
                    ));
                }
                let columns = check_columns(&tree, *naming, &known, place, problems);
                Condition {
                    tree,
                    naming: *naming,
                    columns,
                }
            }
            Err(e) => {
                problems.push(
                    Problem::at(place, format!("`{text}` is not SQL: {}", e.message))
                        .hint("conditions are DuckDB's SQL, as Splink writes it"),
                );
                out.push(None);
                continue;
            }
        };
        out.push((problems.len() == before).then_some(condition));
    }
    Ok(out)
}

fn check_columns(
    tree: &Value,
    naming: Naming,
    known: &[String],
    place: &Place,
    problems: &mut Vec<Problem>,
) -> Vec<String> {
    let mut columns = Vec::new();
    for reference in expression::references(tree, naming) {
        let problem = match reference {
            Ok((_, path)) => {
                let name = path.first().cloned().unwrap_or_default();
                let found = known
                    .iter()
                    .find(|it| it.to_lowercase() == name.to_lowercase());
                if let Some(found) = found {
                    if !columns.contains(found) {
                        columns.push(found.clone());
                    }
                    continue;
                }
                Problem::at(place, format!("the records have no column `{name}`"))
                    .maybe_hint(expression::like_column(&name, known))
            }
            Err(names) => {
                let name = names.join(".");
                let (message, hint) = match naming {
                    Naming::Suffix => (
                        format!("`{name}` is of neither record"),
                        format!("`{name}_l` and `{name}_r` are the values of the two records"),
                    ),
                    Naming::Prefix => (
                        format!("`{name}` is of neither record"),
                        format!("`l.{name}` and `r.{name}` are the values of the two records"),
                    ),
                };
                Problem::at(place, message).hint(hint)
            }
        };
        if !problems.contains(&problem) {
            problems.push(problem);
        }
    }
    columns
}
