//! Rules that each row keeps or breaks by itself.

use comboi_project::{Column, Columns, CompareOperator, Literal, RuleKind};

use super::super::{Data, format, predicate};
use super::{Breaks, Sees, Uncounted, all, named, one};
use crate::check::words::counted;
use crate::sql;

/// Which rows break such a rule.
pub(super) fn rows(kind: &RuleKind, columns: &Columns) -> Result<Uncounted, String> {
    Ok(match kind {
        RuleKind::NotNull { columns: names } => nulls(&all(columns, names)?),
        RuleKind::Missing { column, values } => {
            let column = one(columns, column)?;
            let breaks = predicate::missing(column, &texts(values))?;
            let others = values.iter().any(|value| !value.text.is_empty());
            let what = match (others, column.sql_type.is_text()) {
                (true, _) => format!("missing: NULL or one of {}", few(values)),
                (false, true) => "NULL or empty".to_owned(),
                (false, false) => "NULL".to_owned(),
            };
            plain(column, &format!("is {what}"), breaks)
        }
        RuleKind::NotEmpty { column } => {
            let column = one(columns, column)?;
            plain(column, "is empty", predicate::empty(column))
        }
        RuleKind::MinValue { column, value } => {
            let column = one(columns, column)?;
            compared(
                column,
                "less than",
                value,
                predicate::below(column, &value.text)?,
            )
        }
        RuleKind::MaxValue { column, value } => {
            let column = one(columns, column)?;
            compared(
                column,
                "greater than",
                value,
                predicate::above(column, &value.text)?,
            )
        }
        RuleKind::GreaterThan { column, value } => {
            let column = one(columns, column)?;
            let breaks = predicate::not_greater(column, &value.text)?;
            compared(column, "not greater than", value, breaks)
        }
        RuleKind::LessThan { column, value } => {
            let column = one(columns, column)?;
            let breaks = predicate::not_less(column, &value.text)?;
            compared(column, "not less than", value, breaks)
        }
        RuleKind::MinLength { column, length } => {
            let column = one(columns, column)?;
            measured(column, "less", *length, predicate::shorter(column, *length))
        }
        RuleKind::MaxLength { column, length } => {
            let column = one(columns, column)?;
            measured(column, "more", *length, predicate::longer(column, *length))
        }
        RuleKind::Pattern { column, pattern } => {
            let column = one(columns, column)?;
            let breaks = predicate::unmatched(column, pattern);
            matching(column, "does not match", pattern, breaks)
        }
        RuleKind::NotPattern { column, pattern } => {
            let column = one(columns, column)?;
            let breaks = predicate::matched(column, pattern);
            matching(column, "matches", pattern, breaks)
        }
        RuleKind::AllowedValues { column, values } => {
            let column = one(columns, column)?;
            listed(
                column,
                "none of",
                values,
                predicate::not_among(column, &texts(values))?,
            )
        }
        RuleKind::RejectedValues { column, values } => {
            let column = one(columns, column)?;
            listed(
                column,
                "one of",
                values,
                predicate::among(column, &texts(values))?,
            )
        }
        RuleKind::Format { column, format } => {
            let column = one(columns, column)?;
            let breaks = format::malformed(column, *format);
            plain(
                column,
                &format!("is not {}", format::described(*format)),
                breaks,
            )
        }
        RuleKind::MultipleOf { column, value } => {
            let column = one(columns, column)?;
            let breaks = predicate::no_multiple(column, &value.text)?;
            plain(column, &format!("is no multiple of {}", value.text), breaks)
        }
        RuleKind::All { column, parts, .. } => {
            let column = one(columns, column)?;
            let parts: Result<Vec<Uncounted>, String> =
                parts.iter().map(|part| rows(part, columns)).collect();
            together(column, parts?)
        }
        RuleKind::Compare {
            column,
            operator,
            other,
        } => pair(one(columns, column)?, *operator, one(columns, other)?),
        other => return Err(format!("`{}` is not about single rows", other.as_str())),
    })
}

/// A condition that somebody wrote: rows for which it is false.
pub(super) fn expression(condition: &str, written: &str) -> Uncounted {
    const CHARACTERS: usize = 60;
    let line = written.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(CHARACTERS).collect();
    let more = if short.len() < line.len() { "…" } else { "" };
    Uncounted {
        breaks: alone(format!("(NOT ({condition}))")),
        detail: format!("`{short}{more}` is false"),
        shown: Vec::new(),
        probe: None,
    }
}

/// Whether no row breaks the rule by what Parquet's statistics say.
pub(super) fn settled(kind: &RuleKind, data: &Data<'_>) -> bool {
    let columns = data.input.columns;
    let breaks = match kind {
        RuleKind::NotNull { columns: names } => {
            return all(columns, names).is_ok_and(|named| {
                named
                    .iter()
                    .all(|column| data.statistics.has_no_null(column))
            });
        }
        RuleKind::All { parts, .. } => {
            return !parts.is_empty() && parts.iter().all(|part| settled(part, data));
        }
        RuleKind::MinValue { column, value } => {
            (columns.get(column)).map(|it| (it, predicate::below(it, &value.text)))
        }
        RuleKind::MaxValue { column, value } => {
            (columns.get(column)).map(|it| (it, predicate::above(it, &value.text)))
        }
        RuleKind::GreaterThan { column, value } => {
            (columns.get(column)).map(|it| (it, predicate::not_greater(it, &value.text)))
        }
        RuleKind::LessThan { column, value } => {
            (columns.get(column)).map(|it| (it, predicate::not_less(it, &value.text)))
        }
        _ => return false,
    };
    let Some((column, Ok(breaks))) = breaks else {
        return false;
    };
    data.statistics.rule_out(data.instance, column, &breaks)
}

fn alone(condition: String) -> Breaks {
    Breaks {
        condition,
        sees: Sees::Nothing,
    }
}

fn texts(values: &[Literal]) -> Vec<&str> {
    values.iter().map(|value| value.text.as_str()).collect()
}

fn plain(column: &Column, what: &str, breaks: String) -> Uncounted {
    Uncounted {
        breaks: alone(breaks),
        detail: format!("`{}` {what}", column.name),
        shown: vec![column.name.clone()],
        probe: None,
    }
}

fn nulls(columns: &[&Column]) -> Uncounted {
    let breaks: Vec<String> = columns
        .iter()
        .map(|column| format!("{} IS NULL", sql::ident(&column.name)))
        .collect();
    Uncounted {
        breaks: alone(format!("({})", breaks.join(" OR "))),
        detail: format!(
            "{} is NULL",
            named(columns.iter().map(|column| column.name.as_str()), " or ")
        ),
        // With one column there is nothing to see; with several, which of them it was.
        shown: columns
            .iter()
            .filter(|_| columns.len() > 1)
            .map(|column| column.name.clone())
            .collect(),
        probe: None,
    }
}

fn compared(column: &Column, how: &str, value: &Literal, breaks: String) -> Uncounted {
    let literal = predicate::moment(&column.sql_type, &value.text)
        .unwrap_or_else(|| format!("{}::{}", sql::text(&value.text), column.sql_type));
    Uncounted {
        probe: (!column.sql_type.is_number()).then(|| format!("SELECT ({literal})::VARCHAR")),
        ..plain(column, &format!("is {how} {}", value.text), breaks)
    }
}

fn measured(column: &Column, how: &str, length: u64, breaks: String) -> Uncounted {
    use comboi_project::SqlType::{Array, Blob, List, Map};
    let unit = match &column.sql_type {
        Blob => "byte",
        List(_) | Array(..) => "element",
        Map(..) => "entry",
        _ => "character",
    };
    let entries = counted(length, unit).replace("entrys", "entries");
    plain(column, &format!("has {how} than {entries}"), breaks)
}

fn matching(column: &Column, how: &str, pattern: &str, breaks: String) -> Uncounted {
    let probe = format!("SELECT regexp_matches('', {})::VARCHAR", sql::text(pattern));
    Uncounted {
        probe: Some(probe),
        ..plain(column, &format!("{how} `{pattern}`"), breaks)
    }
}

fn few(values: &[Literal]) -> String {
    const FEW: usize = 5;
    let shown = named(texts(values).into_iter().take(FEW), ", ");
    match values.len().saturating_sub(FEW) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn listed(column: &Column, how: &str, values: &[Literal], breaks: String) -> Uncounted {
    let literals: Vec<String> = texts(values)
        .iter()
        .map(|text| format!("({}::{})::VARCHAR", sql::text(text), column.sql_type))
        .collect();
    Uncounted {
        probe: (!column.sql_type.is_number()).then(|| format!("SELECT {}", literals.join(", "))),
        ..plain(column, &format!("is {how} {}", few(values)), breaks)
    }
}

fn together(column: &Column, parts: Vec<Uncounted>) -> Uncounted {
    let breaks: Vec<&str> = parts
        .iter()
        .map(|part| part.breaks.condition.as_str())
        .collect();
    let details: Vec<&str> = parts
        .iter()
        .enumerate()
        .map(|(i, part)| {
            let whole = part.detail.as_str();
            let name = format!("`{}` ", column.name);
            if i == 0 {
                whole
            } else {
                whole.strip_prefix(&name).unwrap_or(whole)
            }
        })
        .collect();
    Uncounted {
        breaks: alone(format!("({})", breaks.join(" OR "))),
        detail: details.join(" or "),
        shown: vec![column.name.clone()],
        probe: parts.iter().find_map(|part| part.probe.clone()),
    }
}

fn pair(column: &Column, operator: CompareOperator, other: &Column) -> Uncounted {
    let (a, b) = (sql::ident(&column.name), sql::ident(&other.name));
    Uncounted {
        breaks: alone(format!("(NOT ({a} {operator} {b}))")),
        detail: format!(
            "`{}` {operator} `{}` does not hold",
            column.name, other.name
        ),
        shown: vec![column.name.clone(), other.name.clone()],
        probe: None,
    }
}
