//! What published versions of a dataset promised: kept in their commits, and held against what the contract says now, before
//! anything is written.

use std::collections::BTreeMap;

use comboi_contract::{Difference, Policy, Promise, difference};
use comboi_project::{Columns, Dataset, EvolutionMode, NamedContract};

use crate::task::TaskError;

/// What a version promises, by the names of its contracts. Kept in its commit, under this property.
pub(crate) const PROMISES: &str = "promises";

/// What the contracts of a dataset promise, as it is kept with a version.
pub(crate) fn promises_of(dataset: &Dataset) -> String {
    let promises: BTreeMap<&str, Promise> = dataset
        .contracts
        .iter()
        .map(|named| (named.name.as_str(), Promise::of(&named.contract)))
        .collect();
    serde_json::to_string(&promises).expect("names and numbers always become JSON")
}

/// What a version promised, by the names of its contracts. Nothing where it was published without, or by another comboi that kept it
/// in another form.
pub fn promised(properties: &BTreeMap<String, String>) -> BTreeMap<String, Promise> {
    properties
        .get(PROMISES)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

/// How contracts of a dataset differ from what its published version promised, where their versions do not say so.
pub fn untold<'a>(
    dataset: &'a Dataset,
    properties: &BTreeMap<String, String>,
) -> Vec<(&'a NamedContract, Difference)> {
    let before = promised(properties);
    let contracts = dataset.contracts.iter();
    contracts
        .filter_map(|named| {
            let found = difference(
                before.get(&named.name)?,
                &Promise::of(&named.contract),
                &Policy::of(&named.contract),
            );
            (!found.is_told(named.contract.evolution_mode())).then_some((named, found))
        })
        .collect()
}

/// A difference that a version does not tell, in a line.
pub fn told(name: &str, found: &Difference) -> String {
    let version = match (&found.old, &found.new) {
        (_, None) => "it has no version".to_owned(),
        (Some(old), Some(new)) if old == new => format!("its version still is {new}"),
        (old, Some(new)) => format!(
            "its version is {new}, after {}",
            old.as_deref().unwrap_or("none")
        ),
    };
    let changes: Vec<&str> = found
        .changes
        .iter()
        .filter(|change| change.demands >= found.demanded || change.breaking)
        .map(|change| change.what.as_str())
        .collect();
    let breaks = if found.is_breaking() {
        "breaks what readers of the published version were promised"
    } else {
        "differs from the published version"
    };
    format!(
        "contract `{name}` {breaks}, and {version}: {}",
        changes.join("; ")
    )
}

/// What to do about it.
pub fn advice(found: &Difference) -> String {
    let version = found.least_version().map_or_else(
        || "a version".to_owned(),
        |version| format!("version {version}"),
    );
    format!("give it {version}, or take the change back")
}

/// Ends a build whose contract breaks its readers without saying so.
pub(crate) fn hold(
    dataset: &Dataset,
    properties: Option<&BTreeMap<String, String>>,
) -> Result<(), TaskError> {
    let Some(properties) = properties else {
        return Ok(());
    };
    let untold = untold(dataset, properties);
    if untold.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = untold
        .iter()
        .map(|(named, found)| format!("{}; {}", told(&named.name, found), advice(found)))
        .collect();
    Err(TaskError::Unpublishable(lines.join(". ")))
}

/// Ends a build that would publish columns which its contracts keep from readers.
pub(crate) fn hold_columns(dataset: &Dataset, columns: &Columns) -> Result<(), TaskError> {
    let contracts = dataset.contracts.iter();
    let mut wrong: Vec<String> = contracts
        .clone()
        .flat_map(|named| named.contract.excluded())
        .filter(|name| columns.get(name).is_some())
        .map(|name| {
            format!(
                "`{}` is excluded by the contract, and the query returns it",
                name.value
            )
        })
        .collect();
    wrong.extend(
        contracts
            .flat_map(|named| named.contract.unhandled())
            .map(|(name, _)| {
                format!(
                    "`{name}` tells about a person, and the contract does not say how it is handled"
                )
            }),
    );
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(TaskError::Unpublishable(wrong.join("; ")))
    }
}

/// Columns that a contract neither lists nor welcomes by name.
fn unlisted<'a>(named: &'a NamedContract, columns: &'a Columns) -> impl Iterator<Item = &'a str> {
    let contract = &named.contract;
    columns
        .names()
        .filter(|name| !name.starts_with("_comboi_") && contract.column(name).is_none())
        .filter(|name| {
            let mut welcome = contract.schema.extra_columns.iter();
            !welcome.any(|it| it.eq_ignore_ascii_case(name))
        })
}

/// What people should know of a version that was published: columns on their way out, and columns that nobody listed and that are
/// welcome.
pub(crate) fn notes(dataset: &Dataset, columns: &Columns) -> Vec<String> {
    let mut notes = Vec::new();
    for named in &dataset.contracts {
        let contract = &named.contract;
        notes.extend(
            contract
                .deprecated_columns()
                .map(|(name, said, instead)| deprecated(&format!("`{name}`"), said, instead)),
        );
        if contract.evolution_mode() == EvolutionMode::Auto {
            let new: Vec<String> = unlisted(named, columns)
                .map(|name| format!("`{name}`"))
                .collect();
            if !new.is_empty() {
                notes.push(format!(
                    "published too, though contract `{}` does not list it: {}",
                    named.name,
                    new.join(", ")
                ));
            }
        }
    }
    notes
}

/// That a column is on its way out.
pub(crate) fn deprecated(column: &str, said: &str, instead: Option<&str>) -> String {
    let since = match said {
        "true" => String::new(),
        said => format!(" ({said})"),
    };
    let instead = instead.map_or_else(String::new, |instead| format!("; use `{instead}`"));
    format!("{column} is deprecated{since}{instead}")
}
