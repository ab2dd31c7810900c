//! Which values nested texts stand for, exactly: SQL expressions.
//!
//! `comboi_json` gives an object as a struct of texts, a list as a list of texts, a map as a list of entries
//! ([`json`]). They are taken apart down to their texts, so that these are held to the same rules as
//! all others.

use comboi_project::SqlType;

use super::fit::{self, Fit, Origin};
use super::{TextRules, json};
use crate::sql;

/// What a text, or nested texts, stand for.
pub(super) fn fit(from: &str, to: &SqlType, rules: &TextRules, origin: Origin) -> Fit {
    let nested = Nested { rules, origin };
    match to {
        // It was checked when it was read.
        SqlType::Json => Fit::always(from),
        _ if is_taken_apart(to) => {
            let unfit = nested.unfit(from, to, 0);
            let unfit = unfit.unwrap_or_else(|| "false".into());
            let value = nested.value(from, to, 0);
            let of = as_kept(to);
            Fit::checked(
                from,
                format!("CASE WHEN NOT ({unfit}) THEN CAST({value} AS {of}) END"),
            )
        }
        to => fit::text(from, to, rules, origin),
    }
}

/// What a nested value in one text stands for: in a text of JSON, the same as in a file of JSON; else a text as DuckDB writes it,
/// if it writes the value just so.
pub(super) fn of_text(from: &str, to: &SqlType, rules: &TextRules, origin: Origin) -> Fit {
    if !is_taken_apart(to) {
        return Fit::checked(from, format!("TRY_CAST({from} AS {to})"));
    }
    // A list of one, so that the text is taken apart once.
    let value = format!(
        "list_transform([{}], lambda n: {})[1]",
        json::nested_texts(from, to),
        fit("n", to, rules, origin).value
    );
    let otherwise = if is_written_by_duckdb(to) {
        let cast = format!("TRY_CAST({from} AS {to})");
        format!(
            "CASE WHEN CAST({cast} AS VARCHAR) = {from} THEN CAST({cast} AS {}) END",
            as_kept(to)
        )
    } else {
        "NULL".to_owned()
    };
    let is_json = json::is_json(from);
    Fit::checked(
        from,
        format!("CASE WHEN {is_json} THEN {value} ELSE {otherwise} END"),
    )
}

/// Whether DuckDB's own text of a value is accepted. Not for maps, whose cast fails on a repeated key, nor for JSON, which it does not check.
fn is_written_by_duckdb(of: &SqlType) -> bool {
    match of {
        SqlType::List(of) | SqlType::Array(of, _) => is_written_by_duckdb(of),
        SqlType::Struct(fields) => fields.iter().all(|(_, of)| is_written_by_duckdb(of)),
        SqlType::Map(..) | SqlType::Union(_) | SqlType::Json => false,
        _ => true,
    }
}

fn is_taken_apart(of: &SqlType) -> bool {
    of.is_nested() && !matches!(of, SqlType::Union(_))
}

/// The same type with texts in the place of JSON, which DuckDB would read once more and less strictly, and lists in the
/// place of arrays, which its `CASE` can't return. The lake keeps them so, too.
fn as_kept(of: &SqlType) -> SqlType {
    use SqlType::*;
    let boxed = |of: &SqlType| Box::new(as_kept(of));
    match of {
        Json => Varchar(None),
        List(of) | Array(of, _) => List(boxed(of)),
        Map(key, of) => Map(boxed(key), boxed(of)),
        Struct(fields) => {
            let field = |(name, of): &(String, SqlType)| (name.clone(), as_kept(of));
            Struct(fields.iter().map(field).collect())
        }
        other => other.clone(),
    }
}

struct Nested<'a> {
    rules: &'a TextRules,
    origin: Origin,
}

impl Nested<'_> {
    fn value(&self, from: &str, to: &SqlType, depth: usize) -> String {
        let item = format!("j{depth}");
        match to {
            SqlType::Struct(fields) => {
                let field = |(place, (name, of)): (usize, &(String, SqlType))| {
                    let value = self.value(&part(from, place), of, depth);
                    format!("{} := {value}", sql::ident(name))
                };
                let fields: Vec<String> = fields.iter().enumerate().map(field).collect();
                format!(
                    "CASE WHEN {from} IS NOT NULL THEN struct_pack({}) END",
                    fields.join(", ")
                )
            }
            SqlType::List(of) | SqlType::Array(of, _) => {
                let value = self.value(&item, of, depth + 1);
                format!("list_transform({from}, lambda {item}: {value})")
            }
            SqlType::Map(key, of) => {
                let key = self.value(&part(&item, 0), key, depth + 1);
                let value = self.value(&part(&item, 1), of, depth + 1);
                format!(
                    "CASE WHEN {from} IS NOT NULL THEN map_from_entries(list_transform({from}, lambda {item}: struct_pack(k := {key}, v := {value}))) END"
                )
            }
            SqlType::Json => from.to_owned(),
            to => fit::text(from, to, self.rules, self.origin).value,
        }
    }

    /// Whether a text in a value is none of its type's; `None`: that can't be.
    fn unfit(&self, from: &str, to: &SqlType, depth: usize) -> Option<String> {
        let item = format!("j{depth}");
        let any = |unfit: &str| {
            format!("coalesce(len(list_filter({from}, lambda {item}: {unfit})) > 0, false)")
        };
        let conditions: Vec<String> = match to {
            SqlType::Struct(fields) => fields
                .iter()
                .enumerate()
                .filter_map(|(place, (_, of))| self.unfit(&part(from, place), of, depth))
                .collect(),
            SqlType::List(of) => {
                let unfit = self.unfit(&item, of, depth + 1);
                unfit.map(|unfit| any(&unfit)).into_iter().collect()
            }
            SqlType::Array(of, size) => {
                let unfit = self.unfit(&item, of, depth + 1);
                let length = format!("coalesce(len({from}) <> {size}, false)");
                unfit
                    .map(|unfit| any(&unfit))
                    .into_iter()
                    .chain([length])
                    .collect()
            }
            SqlType::Map(key, of) => {
                let keys = self.unfit(&part(&item, 0), key, depth + 1);
                let values = self.unfit(&part(&item, 1), of, depth + 1);
                // `1` and `1.0` are the same number.
                let key = self.value(&part(&item, 0), key, depth + 1);
                let twice = format!(
                    "coalesce(len(list_distinct(list_transform({from}, lambda {item}: {key}))) < len({from}), false)"
                );
                let parts = keys.into_iter().chain(values);
                parts.map(|unfit| any(&unfit)).chain([twice]).collect()
            }
            SqlType::Json => Vec::new(),
            to => fit::text(from, to, self.rules, self.origin)
                .unfit()
                .into_iter()
                .collect(),
        };
        (!conditions.is_empty()).then(|| format!("({})", conditions.join(" OR ")))
    }
}

fn part(from: &str, place: usize) -> String {
    format!("struct_extract({from}, {})", sql::text(&json::field(place)))
}
