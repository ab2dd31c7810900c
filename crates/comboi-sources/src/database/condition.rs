//! The conditions that all databases have: ranges of keys, and windows of a cursor.

use super::request::{Filter, Part};

/// How a dialect names and compares columns.
pub(super) struct Spelling {
    /// A column of what is read.
    pub(super) column: fn(&str) -> String,
    pub(super) compared: Compared,
}

/// `(a, b) >= (1, 2)`: columns with their types, a sign, as many values as there are columns, or fewer.
type Compared = fn(&[(String, String)], &str, &[String]) -> String;

impl Spelling {
    /// The condition with its ` WHERE`, empty for all rows; `None` for a filter that only some databases have.
    pub(super) fn condition(&self, filter: &Filter) -> Option<String> {
        let Self { column, compared } = self;
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
            Filter::Window {
                cursor,
                from,
                below,
                nulls,
            } => {
                let first = cursor.columns.first().map(|(name, _)| column(name));
                let first = first.unwrap_or_default();
                let from = from
                    .iter()
                    .map(|values| compared(&cursor.columns, ">=", values));
                let below = below
                    .iter()
                    .map(|values| compared(&cursor.columns, "<", values));
                let bounds: Vec<String> = from.chain(below).collect();
                match (bounds.is_empty(), nulls) {
                    (true, true) => String::new(),
                    (true, false) => format!(" WHERE {first} IS NOT NULL"),
                    (false, true) => {
                        format!(" WHERE ({} OR {first} IS NULL)", bounds.join(" AND "))
                    }
                    (false, false) => format!(" WHERE {}", bounds.join(" AND ")),
                }
            }
        })
    }
}
