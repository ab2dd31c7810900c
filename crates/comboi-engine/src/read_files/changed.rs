//! Nested values that get another type: SQL expressions.
//!
//! Values are taken apart down to those that are not nested, which are held to the same rules as all others. DuckDB's own cast
//! rounds them, and leaves out fields that the other type does not have.

use comboi_project::SqlType;

use super::TextRules;
use super::fit::{self, Fit, Origin};
use crate::sql;

/// Whether both types are nested alike.
pub(super) fn is_taken_apart(of: &SqlType, to: &SqlType) -> bool {
    use SqlType::{Array, List, Map, Struct};
    matches!(
        (of, to),
        (List(_) | Array(..), List(_) | Array(..)) | (Struct(_), Struct(_)) | (Map(..), Map(..))
    )
}

/// How parts of a value are changed.
pub(super) struct Changed<'a> {
    pub(super) rules: &'a TextRules,
    pub(super) origin: Origin,
    /// Whether fields that the other type lacks are left out. Otherwise a value with such a field does not fit.
    pub(super) others_ignored: bool,
}

impl Changed<'_> {
    fn part(&self, from: &str, of: &SqlType, to: &SqlType) -> Fit {
        fit::typed(from, of, to, self.rules, self.origin, self.others_ignored)
    }

    /// The value of the other type, where nothing of it is [`unfit`](Self::unfit).
    pub(super) fn value(&self, from: &str, of: &SqlType, to: &SqlType, depth: usize) -> String {
        use SqlType::{Array, List, Map, Struct};
        let item = format!("g{depth}");
        match (of, to) {
            (of, to) if of == to => from.to_owned(),
            (List(of) | Array(of, _), List(to) | Array(to, _)) => {
                let value = self.value(&item, of, to, depth + 1);
                format!("list_transform({from}, lambda {item}: {value})")
            }
            (Struct(of), Struct(to)) => {
                let field = |(name, to): &(String, SqlType)| {
                    let value = match field(of, name) {
                        Some((name, of)) => self.value(&part(from, name), of, to, depth),
                        None => format!("CAST(NULL AS {to})"),
                    };
                    format!("{} := {value}", sql::ident(name))
                };
                let fields: Vec<String> = to.iter().map(field).collect();
                format!(
                    "CASE WHEN {from} IS NOT NULL THEN struct_pack({}) END",
                    fields.join(", ")
                )
            }
            (Map(of_key, of), Map(to_key, to)) => {
                let key = self.value(&part(&item, "key"), of_key, to_key, depth + 1);
                let value = self.value(&part(&item, "value"), of, to, depth + 1);
                format!(
                    "CASE WHEN {from} IS NOT NULL THEN map_from_entries(list_transform(map_entries({from}), \
                     lambda {item}: struct_pack(k := {key}, v := {value}))) END"
                )
            }
            (of, to) => self.part(from, of, to).value,
        }
    }

    /// Whether something of the value would be lost; `None`: that can't be.
    pub(super) fn unfit(
        &self,
        from: &str,
        of: &SqlType,
        to: &SqlType,
        depth: usize,
    ) -> Option<String> {
        use SqlType::{Array, List, Map, Struct};
        let item = format!("g{depth}");
        let any = |list: &str, unfit: &str| {
            format!("coalesce(len(list_filter({list}, lambda {item}: {unfit})) > 0, false)")
        };
        let conditions: Vec<String> = match (of, to) {
            (List(part) | Array(part, _), List(to_part) | Array(to_part, _)) => {
                let unfit = self.unfit(&item, part, to_part, depth + 1);
                let length = match to {
                    Array(_, size) => Some(format!("coalesce(len({from}) <> {size}, false)")),
                    _ => None,
                };
                unfit
                    .map(|unfit| any(from, &unfit))
                    .into_iter()
                    .chain(length)
                    .collect()
            }
            (Struct(of), Struct(to)) => {
                let condition = |(name, of): &(String, SqlType)| match field(to, name) {
                    Some((_, to)) => self.unfit(&part(from, name), of, to, depth),
                    None if self.others_ignored => None,
                    None => Some(format!("({} IS NOT NULL)", part(from, name))),
                };
                of.iter().filter_map(condition).collect()
            }
            (Map(of_key, of), Map(to_key, to)) => {
                let entries = format!("map_entries({from})");
                let (key, value) = (part(&item, "key"), part(&item, "value"));
                let parts = [
                    self.unfit(&key, of_key, to_key, depth + 1),
                    self.unfit(&value, of, to, depth + 1),
                ];
                // `1` and `1.0` are the same number.
                let twice = (of_key != to_key).then(|| {
                    let key = self.value(&key, of_key, to_key, depth + 1);
                    format!(
                        "coalesce(len(list_distinct(list_transform({entries}, lambda {item}: {key}))) < len({entries}), false)"
                    )
                });
                let parts = parts.into_iter().flatten();
                parts
                    .map(|unfit| any(&entries, &unfit))
                    .chain(twice)
                    .collect()
            }
            (of, to) => self.part(from, of, to).unfit().into_iter().collect(),
        };
        (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
    }
}

fn field<'a>(fields: &'a [(String, SqlType)], name: &str) -> Option<&'a (String, SqlType)> {
    fields.iter().find(|(it, _)| it.eq_ignore_ascii_case(name))
}

fn part(from: &str, field: &str) -> String {
    format!("struct_extract({from}, {})", sql::text(field))
}
