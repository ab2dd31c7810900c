//! Which columns the table has and what becomes of others: pure.

use comboi_project::{Column, Columns, SchemaChangePolicy, SqlType};

use crate::widen::widen;

/// The columns after looking at files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) columns: Columns,
    /// What is new or wider than in the table, for people.
    pub(crate) changes: Vec<String>,
    /// Some column of the table gets another type, so rows that it has are written anew.
    pub(crate) widened: bool,
    /// Columns that the table does not take.
    pub(crate) discarded: Vec<String>,
}

/// What the columns are decided by.
pub(crate) struct Rules<'a> {
    /// The table's columns; `None`: there is no table yet.
    pub(crate) known: Option<&'a Columns>,
    /// Types that the configuration says.
    pub(crate) declared: &'a [Column],
    pub(crate) policy: SchemaChangePolicy,
    /// The files say types themselves, so another one is meant; in text it is most likely a mistake.
    pub(crate) typed_files: bool,
}

/// Adds what was found in files to the columns so far; the error is what `freeze` does not allow.
pub(crate) fn decide(
    rules: &Rules<'_>,
    so_far: Option<&Columns>,
    found: &[Column],
) -> Result<Decision, Vec<String>> {
    let mut decision = Decision {
        columns: so_far.or(rules.known).cloned().unwrap_or_default(),
        ..Decision::default()
    };
    for column in found {
        match decision.columns.position(&column.name) {
            None => add(rules, &mut decision, column),
            Some(place) => meet(
                rules,
                &mut decision,
                place,
                &column.sql_type,
                so_far.is_some(),
            ),
        }
    }
    for column in rules.declared {
        match decision.columns.position(&column.name) {
            None if rules.known.is_none() || rules.policy == SchemaChangePolicy::Evolve => {
                decision.columns.0.push(column.clone());
            }
            None => {}
            Some(place) => decision.columns.0[place].sql_type = column.sql_type.clone(),
        }
    }
    for column in &mut decision.columns.0 {
        if column.sql_type == SqlType::Null {
            column.sql_type = SqlType::Varchar(None);
        }
    }
    compare(rules, &mut decision)?;
    Ok(decision)
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

fn meet(
    rules: &Rules<'_>,
    decision: &mut Decision,
    place: usize,
    found: &SqlType,
    looked_before: bool,
) {
    let column = &mut decision.columns.0[place];
    let is_known = rules
        .known
        .is_some_and(|known| known.get(&column.name).is_some());
    if is_known && rules.policy == SchemaChangePolicy::Discard {
        return;
    }
    let wider = widen(&column.sql_type, found);
    // Nothing is settled before the table is there: what has no type in common is text.
    let text =
        (rules.typed_files || !(is_known || looked_before)).then_some(SqlType::Varchar(None));
    if let Some(wider) = wider.or(text) {
        column.sql_type = wider;
    }
}

/// What changed against the table, if there is one.
fn compare(rules: &Rules<'_>, decision: &mut Decision) -> Result<(), Vec<String>> {
    let Some(known) = rules.known else {
        return Ok(());
    };
    for column in &decision.columns {
        match known.get(&column.name) {
            None => decision.changes.push(format!(
                "new column `{}` ({})",
                column.name, column.sql_type
            )),
            Some(before) if before.sql_type != column.sql_type => {
                decision.changes.push(format!(
                    "`{}` is {} instead of {}",
                    column.name, column.sql_type, before.sql_type
                ));
                decision.widened = true;
            }
            Some(_) => {}
        }
    }
    match rules.policy {
        SchemaChangePolicy::Freeze if !decision.changes.is_empty() => {
            Err(std::mem::take(&mut decision.changes))
        }
        _ => Ok(()),
    }
}

/// The name that a column gets in the lake. Delta tables without column mapping can't have any of ` ,;{}()=` and
/// line breaks in a name, so that `Amount (EUR)` becomes `Amount_EUR`; an empty name becomes `column3` and the
/// second `a` is `a_1`, as DuckDB has it.
pub(crate) fn names<'a>(spelled: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (i, text) in spelled.into_iter().enumerate() {
        let mut name = clean(text);
        if name.is_empty() {
            name = format!("column{i}");
        }
        let taken =
            |names: &[String], name: &str| names.iter().any(|it| it.eq_ignore_ascii_case(name));
        let first = name.clone();
        let mut number = 0;
        while taken(&names, &name) {
            number += 1;
            name = format!("{first}_{number}");
        }
        names.push(name);
    }
    names
}

pub(crate) fn clean(text: &str) -> String {
    let mut name = String::new();
    for c in text.trim().chars() {
        if c.is_whitespace() || c.is_control() || ",;{}()=".contains(c) {
            if !name.is_empty() && !name.ends_with('_') {
                name.push('_');
            }
        } else {
            name.push(c);
        }
    }
    if name.trim_end_matches('_').is_empty() {
        name
    } else {
        name.trim_end_matches('_').to_owned()
    }
}
