//! What tells the rows of a dataset apart.

use comboi_project::SqlType;

use crate::facts::{ColumnFacts, Facts};
use crate::words::{counted, words_of};
use crate::yaml;

/// What tells rows apart, and why we think so.
pub(super) enum Key {
    /// A column of its own.
    One(String, String),
    /// Several columns together.
    Several(Vec<String>, String),
    /// Nothing that was found.
    None,
}

impl Key {
    /// What a database declares, else the column that is most likely to be meant, else the first combination.
    pub(super) fn of(facts: &Facts) -> Self {
        let declared = "the database declares it the primary key";
        match facts.primary_key.as_slice() {
            [] => {}
            [one] => return Self::One(one.clone(), declared.to_owned()),
            several => {
                return Self::Several(
                    several.to_vec(),
                    "the database declares them the primary key".to_owned(),
                );
            }
        }
        let rows = counted(facts.rows, "row");
        let best = facts
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| may_be_key(column, facts.rows))
            .max_by_key(|(at, column)| (likely(&column.name), usize::MAX - at));
        if let Some((_, column)) = best {
            return Self::One(
                column.name.clone(),
                format!("a different value in each of {rows}"),
            );
        }
        match facts.keys.first() {
            Some(columns) => Self::Several(
                columns.clone(),
                format!(
                    "no single column tells rows apart; {} do, in {rows}",
                    yaml::list(columns.iter().map(String::as_str))
                ),
            ),
            None => Self::None,
        }
    }

    /// The evidence, if this column alone is the key.
    pub(super) fn evidence(&self, column: &str) -> Option<&str> {
        match self {
            Self::One(name, evidence) if name == column => Some(evidence),
            _ => None,
        }
    }

    /// Whether a column belongs to it.
    pub(super) fn has(&self, column: &str) -> bool {
        match self {
            Self::One(name, _) => name == column,
            Self::Several(names, _) => names.iter().any(|name| name == column),
            Self::None => false,
        }
    }
}

/// One or two rows tell nothing, and amounts and times are different by chance.
fn may_be_key(column: &ColumnFacts, rows: u64) -> bool {
    let kind = column.sql_type.is_integer()
        || matches!(column.sql_type, SqlType::Varchar(_) | SqlType::Uuid);
    kind && rows > 2
        && column.present == rows
        && column.unique == Some(true)
        && likely(&column.name) > 0
}

/// How much a name sounds like a key.
pub(super) fn likely(name: &str) -> u8 {
    let words = words_of(name);
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    if has(&["id", "uuid", "guid", "key", "pk"]) || name.ends_with("Id") {
        3
    } else if has(&[
        "no",
        "nr",
        "number",
        "code",
        "sku",
        "isbn",
        "ref",
        "reference",
    ]) {
        2
    } else if has(&["email", "name", "slug", "login", "username", "hash"]) {
        1
    } else {
        0
    }
}
