//! The conditions that all databases have: ranges of keys, and windows of a cursor.

use super::request::{Filter, Part};

/// How a dialect names and compares columns.
pub(super) struct Spelling {
    /// A column of what is read.
    pub(super) column: fn(&str) -> String,
    pub(super) compared: Compared,
    pub(super) lowest: Lowest,
}

/// Whether a column of a type is the infinity below all other values; `None`: the type has none.
type Lowest = fn(&(String, String)) -> Option<String>;

/// `(a, b) >= (1, 2)`: columns with their types, a sign, as many values as there are columns, or fewer.
type Compared = fn(&[(String, String)], &str, &[String]) -> String;

impl Spelling {
    /// The condition with its ` WHERE`, empty for all rows; `None` for a filter that only some databases have.
    pub(super) fn condition(&self, filter: &Filter) -> Option<String> {
        let Self {
            column,
            compared,
            lowest: is_lowest,
        } = self;
        Some(match filter {
            Filter::All | Filter::Part(Part::All) => String::new(),
            Filter::WrittenSince { .. } | Filter::Part(Part::Pages { .. }) => return None,
            Filter::Part(Part::Keys { columns, after, to }) => match (after, to) {
                (None, None) => String::new(),
                (Some(after), None) => format!(" WHERE {}", compared(columns, ">", after)),
                (Some(after), Some(to)) => format!(
                    " WHERE {} AND {}",
                    compared(columns, ">", after),
                    compared(columns, "<=", to)
                ),
                // Rows without a key are in the first part: it is for others to refuse them.
                (None, Some(to)) => {
                    let first = columns.first().map(|(name, _)| column(name));
                    format!(
                        " WHERE ({} OR {} IS NULL)",
                        compared(columns, "<=", to),
                        first.unwrap_or_default()
                    )
                }
            },
            Filter::Lowest(cursor) => {
                let lowest = cursor.columns.first().and_then(is_lowest);
                format!(" WHERE {}", lowest.unwrap_or_else(|| "1 = 0".to_owned()))
            }
            Filter::Window {
                cursor,
                from,
                below,
                nulls,
                lowest,
            } => {
                let lowest = cursor.columns.first().filter(|_| *lowest && from.is_some());
                let lowest = lowest.and_then(is_lowest);
                let first = cursor.columns.first().map(|(name, _)| column(name));
                let first = first.unwrap_or_default();
                let from = from
                    .iter()
                    .map(|values| compared(&cursor.columns, ">=", values));
                let below = below
                    .iter()
                    .map(|values| compared(&cursor.columns, "<", values));
                let bounds: Vec<String> = from.chain(below).collect();
                let others = nulls.then(|| format!("{first} IS NULL")).into_iter();
                let others: Vec<String> = others.chain(lowest).collect();
                match (bounds.is_empty(), others.is_empty()) {
                    (true, true) => format!(" WHERE {first} IS NOT NULL"),
                    (true, false) => String::new(),
                    (false, true) => format!(" WHERE {}", bounds.join(" AND ")),
                    (false, false) => {
                        let others = others.join(" OR ");
                        format!(" WHERE ({} OR {others})", bounds.join(" AND "))
                    }
                }
            }
        })
    }
}
