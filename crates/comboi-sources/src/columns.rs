//! Which columns the table has and what becomes of others: pure.

use std::collections::BTreeSet;

use comboi_project::{Column, Columns, SchemaChangePolicy, SqlType};

use crate::lacking::WITHIN;
use crate::names::{clean, meant};
use crate::widen::{known_part, widen};

/// The columns after looking at a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) columns: Columns,
    /// What is new or wider than in the table, for people.
    pub(crate) changes: Vec<String>,
    /// Some column of the table gets another type, so rows that it has are written anew.
    pub(crate) widened: bool,
    /// Columns that the table does not take.
    pub(crate) discarded: Vec<String>,
    /// Columns with lists that are empty in every row, which are NULL as long as no list has an item.
    pub(crate) emptied: Vec<String>,
    /// Columns whose types in the files have none in common, so that their values are kept as text.
    pub(crate) mixed: Vec<String>,
}

/// A type that the configuration gives to a column, which it names as the source or as the table does.
pub(crate) type Declared = (String, SqlType);

/// What the columns are decided by.
pub(crate) struct Rules<'a> {
    /// The table's columns; `None`: there is no table yet.
    pub(crate) known: Option<&'a Columns>,
    /// Types that the configuration says.
    pub(crate) declared: &'a [Declared],
    pub(crate) policy: SchemaChangePolicy,
    /// The source says types itself, so another one is meant; in text it is most likely a mistake.
    pub(crate) typed: bool,
}

/// Adds what was found in a source to the columns so far; the error is what the policy does not allow.
pub(crate) fn decide(
    rules: &Rules<'_>,
    so_far: Option<&Columns>,
    found: &[Column],
) -> Result<Decision, Vec<String>> {
    let mut decision = Decision {
        columns: so_far.or(rules.known).cloned().unwrap_or_default(),
        ..Decision::default()
    };
    let mut unlike = BTreeSet::new();
    for column in found {
        match decision.columns.position(&column.name) {
            None => add(rules, &mut decision, column),
            Some(place) if !meet(rules, &mut decision, place, column, so_far.is_some()) => {
                unlike.insert((place, column.sql_type.to_string()));
            }
            Some(_) => {}
        }
    }
    for column in &mut decision.columns.0 {
        let (known, emptied) = known_part(&column.sql_type);
        column.sql_type = known;
        if emptied {
            decision.emptied.push(column.name.clone());
        }
    }
    for place in declare(rules, &mut decision) {
        unlike.retain(|(unlike, _)| *unlike != place);
        let name = &decision.columns.0[place].name;
        decision.mixed.retain(|it| it != name);
    }
    if !unlike.is_empty() {
        let columns = unlike.iter().map(|(place, found)| {
            let Column { name, sql_type, .. } = &decision.columns.0[*place];
            format!(
                "`{name}` is {found}, and {sql_type} in the table, which is not widened to it: `on_schema_change: {{evolve: any}}` makes it VARCHAR, \
                 `columns: {{{name}: {sql_type}}}` takes values that fit"
            )
        });
        return Err(columns.collect());
    }
    compare(rules, &mut decision)?;
    Ok(decision)
}

/// Gives columns their declared types; which ones.
fn declare(rules: &Rules<'_>, decision: &mut Decision) -> Vec<usize> {
    let mut places = Vec::new();
    for (name, sql_type) in rules.declared {
        let place = meant(&decision.columns, name).map(|column| column.name.clone());
        match place.and_then(|name| decision.columns.position(&name)) {
            Some(place) => {
                let column = &mut decision.columns.0[place];
                // A `STRUCT` that is declared has the fields that it names.
                let mut fields = Vec::new();
                new_fields(sql_type, &column.sql_type, &column.name, &mut fields);
                fields.retain(|field| !decision.discarded.contains(field));
                decision.discarded.extend(fields);
                column.sql_type = sql_type.clone();
                places.push(place);
            }
            None if rules.known.is_none() || rules.policy.adds_columns() => {
                let column = Column::new(clean(name), sql_type.clone()).of_source("");
                decision.columns.0.push(column);
            }
            None => {}
        }
    }
    places
}

fn add(rules: &Rules<'_>, decision: &mut Decision, column: &Column) {
    if rules.known.is_some() && rules.policy == SchemaChangePolicy::Discard {
        if !decision.discarded.contains(&column.name) {
            decision.discarded.push(column.name.clone());
        }
    } else {
        decision.columns.0.push(column.clone());
    }
}

/// Whether the column has, or gets, a type for what was found.
fn meet(
    rules: &Rules<'_>,
    decision: &mut Decision,
    place: usize,
    found: &Column,
    looked_before: bool,
) -> bool {
    let column = &mut decision.columns.0[place];
    if column.source_name.as_deref().is_none_or(str::is_empty) {
        column.source_name.clone_from(&found.source_name);
    }
    column.field_names.extend(found.field_names.clone());
    let known = rules.known.and_then(|known| known.get(&column.name));
    let is_settled = known.is_some_and(|known| known.sql_type != SqlType::Null);
    if is_settled && rules.policy == SchemaChangePolicy::Discard {
        let mut fields = Vec::new();
        new_fields(&column.sql_type, &found.sql_type, &column.name, &mut fields);
        fields.retain(|field| !decision.discarded.contains(field));
        decision.discarded.extend(fields);
        return true;
    }
    if let Some(wider) = widen(&column.sql_type, &found.sql_type) {
        column.sql_type = wider;
        return true;
    }
    let is_text = matches!(column.sql_type, SqlType::Varchar(_));
    if is_settled && rules.typed && !is_text && rules.policy == SchemaChangePolicy::Evolve {
        return false;
    }
    // Nothing is settled before the table is there: what has no type in common is text.
    if rules.typed || !(is_settled || looked_before) {
        let name = &column.name;
        let is_meant = is_settled && rules.policy == SchemaChangePolicy::EvolveAny;
        if rules.typed && !is_meant && !decision.mixed.contains(name) {
            decision.mixed.push(name.clone());
        }
        column.sql_type = SqlType::Varchar(None);
    }
    true
}

/// Fields that the table's type does not have, as `column.field`.
fn new_fields(known: &SqlType, found: &SqlType, path: &str, into: &mut Vec<String>) {
    paths_of_new_fields(known, found, (path, '.'), into);
}

/// Fields that types of the table get, as [`Lacking`](crate::lacking::Lacking) names them.
pub(crate) fn fields_gained(known: &Columns, columns: &Columns) -> BTreeSet<String> {
    let mut fields = Vec::new();
    for column in columns {
        if let Some(known) = known.get(&column.name) {
            let path = (column.name.as_str(), WITHIN);
            paths_of_new_fields(&known.sql_type, &column.sql_type, path, &mut fields);
        }
    }
    fields.into_iter().collect()
}

fn paths_of_new_fields(
    known: &SqlType,
    found: &SqlType,
    (path, within): (&str, char),
    into: &mut Vec<String>,
) {
    use SqlType::{Array, List, Map, Struct};
    match (known, found) {
        (List(known) | Array(known, _), List(found) | Array(found, _))
        | (Map(_, known), Map(_, found)) => {
            paths_of_new_fields(known, found, (path, within), into);
        }
        (Struct(known), Struct(found)) => {
            for (name, found) in found.iter().filter(|(_, of)| *of != SqlType::Null) {
                let path = format!("{path}{within}{name}");
                let known = known.iter().find(|(it, _)| it.eq_ignore_ascii_case(name));
                match known {
                    Some((_, known)) => paths_of_new_fields(known, found, (&path, within), into),
                    None => into.push(path),
                }
            }
        }
        _ => {}
    }
}

/// Parts of what was found that have nothing but empty lists and that the table's type does not have, as `column.field`.
pub(crate) fn empty_parts(known: &SqlType, found: &SqlType, path: &str, into: &mut Vec<String>) {
    use SqlType::{Array, List, Map, Struct};
    match (known, found) {
        (List(known) | Array(known, _), List(found)) | (Map(_, known), Map(_, found)) => {
            empty_parts(known, found, path, into);
        }
        (Struct(known), Struct(found)) => {
            for (name, found) in found {
                let path = format!("{path}.{name}");
                match known.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)) {
                    Some((_, known)) => empty_parts(known, found, &path, into),
                    None if known_part(found).1 => into.push(path),
                    None => {}
                }
            }
        }
        _ => {}
    }
}

/// What changed against the table, if there is one.
fn compare(rules: &Rules<'_>, decision: &mut Decision) -> Result<(), Vec<String>> {
    let Some(known) = rules.known else {
        return Ok(());
    };
    let mut first_values = Vec::new();
    for column in &decision.columns {
        match known.get(&column.name) {
            None => decision.changes.push(match column.sql_type {
                SqlType::Null => format!("new column `{}` (without a value yet)", column.name),
                _ => format!("new column `{}` ({})", column.name, column.sql_type),
            }),
            Some(before) if before.sql_type == column.sql_type => {}
            Some(before) if before.is_untyped() => first_values.push(format!(
                "`{}` is {} by its first values",
                column.name, column.sql_type
            )),
            Some(before) => {
                decision.changes.push(format!(
                    "`{}` is {} instead of {}",
                    column.name, column.sql_type, before.sql_type
                ));
                decision.widened = true;
            }
        }
    }
    if rules.policy == SchemaChangePolicy::Freeze && !decision.changes.is_empty() {
        return Err(std::mem::take(&mut decision.changes));
    }
    decision.changes.extend(first_values);
    Ok(())
}
