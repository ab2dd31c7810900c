//! From a contract to the SQL that keeps it: types, normalisation, what must not stay, one row for each key, personal data.
//!
//! The text depends on nothing but the contract and the name of the input, so that `validate` can tell whether both still belong together.

mod column;
mod filters;
mod marks;

use std::fmt::Write as _;

use comboi_project::{Contract, EvolutionMode, Handling, quoted_name};

use column::Selected;
pub use marks::{Drift, Refused, drift, input_of, place_in};

/// The moment at which a run builds a dataset; the same in all of its rows.
const PROCESSED_AT: &str = "processed_at";

/// What was generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// What stands between the marks, and the marks.
    part: String,
    /// What stands before them in a new file.
    heading: String,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// The SQL of a contract, which `name` is the name of (its file's, without `.yml`), over an input called `input`.
pub fn generate(contract: &Contract, name: &str, input: &str) -> Generated {
    let columns: Vec<Selected> = contract
        .schema
        .columns
        .iter()
        .filter(|column| !is_processed_at(&column.name))
        .map(|column| Selected::of(contract, column))
        .collect();
    let filters = filters::filters(contract, &columns);
    let mut sql = String::from("WITH typed AS (\n    SELECT\n");
    // A contract that lists no columns welcomes all.
    let all = || columns.is_empty().then(|| "        *".to_owned());
    let typed = columns
        .iter()
        .map(|column| format!("        {}", column.typed()));
    sql.push_str(&typed.chain(all()).collect::<Vec<_>>().join(",\n"));
    write_into(
        &mut sql,
        format_args!("\n    FROM {}\n),\n", quoted_name(input)),
    );
    sql.push_str("cleaned AS (\n    SELECT\n");
    let mut published: Vec<String> = columns
        .iter()
        .map(|column| format!("        {}", column.published()))
        .chain(all())
        .collect();
    published.extend(processed_at(contract));
    sql.push_str(&with_comments(&published));
    sql.push_str("\n    FROM typed\n");
    sql.push_str(&filters.sql());
    sql.push_str(")\n");
    Generated {
        part: marks::marked(&sql, name, input),
        heading: heading(contract, name, &columns, &filters),
        notes: notes(contract, &columns),
    }
}

fn write_into(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what)
        .expect("writing into a String cannot fail");
}

/// Lines of a list; the comma goes before a comment.
fn with_comments(lines: &[String]) -> String {
    let last = lines.len().saturating_sub(1);
    let lines: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(i, line)| match (i == last, line.split_once("  -- ")) {
            (true, _) => line.clone(),
            (false, Some((sql, comment))) => format!("{sql},  -- {comment}"),
            (false, None) => format!("{line},"),
        })
        .collect();
    lines.join("\n")
}

fn is_processed_at(column: &str) -> bool {
    column.eq_ignore_ascii_case(PROCESSED_AT)
}

/// When the run began that built this: a constant of the run, so that an unchanged dataset is not built again.
fn processed_at(contract: &Contract) -> Option<String> {
    match contract.column(PROCESSED_AT) {
        Some(column) => Some(format!(
            "        CAST(comboi_run_at() AS {}) AS {}",
            column.sql_type.value,
            quoted_name(&column.name)
        )),
        None if welcomes_extra(contract) => {
            Some(format!("        comboi_run_at() AS {PROCESSED_AT}"))
        }
        None => None,
    }
}

fn welcomes_extra(contract: &Contract) -> bool {
    let schema = &contract.schema;
    schema.allow_extra_columns
        || contract.evolution_mode() == EvolutionMode::Auto
        || schema
            .extra_columns
            .iter()
            .any(|name| is_processed_at(name))
}

fn heading(
    contract: &Contract,
    name: &str,
    columns: &[Selected<'_>],
    filters: &filters::Filters,
) -> String {
    let mut lines = vec![match &contract.description {
        Some(description) => format!("{}: {}", contract.dataset.value, one_line(description)),
        None => contract.dataset.value.to_string(),
    }];
    lines.push(String::new());
    lines.push(format!(
        "What stands between the two marks is generated from the contract `{name}`: it casts to the contract's types, tidies texts"
    ));
    let mut does = Vec::new();
    if filters.has_conditions() {
        does.push("leaves out rows that the contract refuses");
    }
    if filters.has_key() {
        does.push("keeps one row for each key");
    }
    if columns.iter().any(Selected::is_handled) {
        does.push("handles personal data");
    }
    lines.push(match does.as_slice() {
        [] => ".".to_owned(),
        does => format!("and {}.", does.join(", ")),
    });
    lines.push(
        "`comboi build --generate-sql` writes that part anew; everything else in this file is yours, and stays."
            .to_owned(),
    );
    let lines: Vec<String> = lines
        .iter()
        .map(|line| format!("-- {line}").trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n\n"
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn notes(contract: &Contract, columns: &[Selected<'_>]) -> Vec<String> {
    let mut notes: Vec<String> = contract
        .unhandled()
        .iter()
        .map(|(column, _)| {
            format!(
                "`{column}` tells about a person, and the contract does not say how it is handled: it is a pseudonym here where it is a text; say it under `privacy.columns`"
            )
        })
        .collect();
    if columns
        .iter()
        .any(|column| column.handling() == Some(Handling::Hmac))
    {
        notes.push(
            "pseudonyms need a key: `privacy: { key: \"{{keyvault:pseudonym-key}}\" }` in the configuration"
                .to_owned(),
        );
    }
    if contract.column(PROCESSED_AT).is_none() && !welcomes_extra(contract) {
        notes.push(
            "there is no `processed_at`: list it in the contract as TIMESTAMPTZ, or welcome it with `extra_columns: [processed_at]`"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
