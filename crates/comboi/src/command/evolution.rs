//! `comboi contract diff` and `contract versions`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use comboi_contract::{Bump, Difference, Policy, Promise, difference};
use comboi_project::{Compatibility, EvolutionMode};

use crate::cli::{Global, Output};
use crate::exit::{Exit, Usage};
use crate::{text, wiring};

/// A contract, and how it wants to be changed where it says so.
struct Side {
    promise: Promise,
    policy: Option<Policy>,
}

pub(crate) fn diff(
    global: &Global,
    old: &str,
    new: Option<&str>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let (old, new) = match new {
        Some(new) => (side(global, old)?, side(global, new)?),
        None => {
            let new = file(Path::new(old))?;
            (of_lake(global, &new.promise.dataset)?, new)
        }
    };
    let policy = new.policy.unwrap_or(Policy {
        mode: EvolutionMode::Lenient,
        compatibility: Compatibility::Forward,
        new_columns: None,
        removed_columns: None,
        types: None,
    });
    let found = difference(&old.promise, &new.promise, &policy);
    let is_told = found.is_told(policy.mode);
    match output {
        Output::Json => {
            let mut json = serde_json::to_value(&found)?;
            json["breaking"] = found.is_breaking().into();
            json["version_is_enough"] = is_told.into();
            json["least_version"] = found.least_version().map(|it| it.to_string()).into();
            super::json(out, &json)?;
        }
        Output::Text => tell(&found, is_told, out)?,
    }
    Ok(if is_told { Exit::Good } else { Exit::Contract })
}

fn tell(found: &Difference, is_told: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    if found.changes.is_empty() {
        writeln!(out, "nothing has changed that readers could notice")?;
        return Ok(());
    }
    for change in &found.changes {
        let word = if change.breaking {
            "breaking"
        } else {
            "compatible"
        };
        writeln!(out, "{word:<10}  {:<5}  {}", change.demands, change.what)?;
    }
    let version =
        |version: &Option<String>| version.clone().unwrap_or_else(|| "no version".to_owned());
    let (old, new) = (version(&found.old), version(&found.new));
    let said = match (is_told, found.least_version()) {
        (true, _) if found.given >= found.demanded => "which says so".to_owned(),
        (true, Some(least)) => format!("which is enough here; {least} would say so"),
        (false, Some(least)) => format!("which is not enough: {least} at least"),
        (true, None) => "which is enough".to_owned(),
        (false, None) => "which is not enough: give it a version".to_owned(),
    };
    let demanded = match found.demanded {
        Bump::None => "no other version".to_owned(),
        bump => format!("a {bump} version"),
    };
    writeln!(
        out,
        "\nThis demands {demanded}; it goes from {old} to {new}, {said}."
    )?;
    Ok(())
}

/// A file, or a dataset of the lake.
fn side(global: &Global, text: &str) -> anyhow::Result<Side> {
    let path = Path::new(text);
    if path.is_file() || text.ends_with(".yml") || text.ends_with(".yaml") {
        file(path)
    } else {
        of_lake(global, text)
    }
}

fn file(path: &Path) -> anyhow::Result<Side> {
    let contract = wiring::contract(path)?;
    Ok(Side {
        promise: Promise::of(&contract),
        policy: Some(Policy::of(&contract)),
    })
}

fn of_lake(global: &Global, dataset: &str) -> anyhow::Result<Side> {
    let project = wiring::project(global)?;
    let table = wiring::table(&project, &wiring::lake(&project)?, dataset)?;
    let snapshot = wiring::block_on(table.snapshot())??
        .ok_or_else(|| comboi_lake::Error::Missing(table.name().to_owned()))?;
    let promise = only(dataset, comboi_run::promised(&snapshot.properties))?;
    Ok(Side {
        promise,
        policy: None,
    })
}

fn only(dataset: &str, promises: BTreeMap<String, Promise>) -> anyhow::Result<Promise> {
    let names: Vec<String> = promises.keys().cloned().collect();
    let mut promises = promises.into_values();
    match (promises.next(), promises.next()) {
        (Some(promise), None) => Ok(promise),
        (None, _) => Err(Usage(format!(
            "the published version of `{dataset}` has no contract; `comboi run` publishes one with it"
        ))
        .into()),
        (Some(_), Some(_)) => Err(Usage(format!(
            "`{dataset}` keeps several contracts ({}); compare their files",
            names.join(", ")
        ))
        .into()),
    }
}

pub(crate) fn versions(
    global: &Global,
    dataset: &str,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let project = wiring::project(global)?;
    let table = wiring::table(&project, &wiring::lake(&project)?, dataset)?;
    let history = wiring::block_on(table.history(usize::MAX))??;
    // One line for each contract as long as it stayed the same: the version with which it was published first.
    let mut rows: Vec<(String, Promise, u64, Option<String>)> = Vec::new();
    for version in &history {
        let at = version
            .committed_at
            .map(|at| at.format("%Y-%m-%d %H:%M:%S").to_string());
        for (name, promise) in comboi_run::promised(&version.properties) {
            match rows.iter_mut().rev().find(|(known, ..)| *known == name) {
                Some((_, known, first, since)) if *known == promise => {
                    *first = version.version;
                    *since = at.clone();
                }
                _ => rows.push((name, promise, version.version, at.clone())),
            }
        }
    }
    match output {
        Output::Json => {
            let all: Vec<_> = rows
                .iter()
                .map(|(name, promise, version, at)| {
                    serde_json::json!({ "contract": name, "version": promise.version, "since_version": version, "since": at, "promise": promise })
                })
                .collect();
            super::json(out, &all)?;
        }
        Output::Text if rows.is_empty() => {
            writeln!(
                out,
                "no version of `{dataset}` was published with a contract"
            )?;
        }
        Output::Text => {
            let head = [
                "contract",
                "version",
                "columns",
                "rules",
                "since version",
                "time (UTC)",
            ];
            let mut table = vec![head.map(str::to_owned).to_vec()];
            table.extend(rows.iter().map(|(name, promise, version, at)| {
                vec![
                    name.clone(),
                    promise.version.clone().unwrap_or_else(|| "-".to_owned()),
                    promise.columns.len().to_string(),
                    promise.rules.len().to_string(),
                    version.to_string(),
                    at.clone().unwrap_or_default(),
                ]
            }));
            write!(out, "{}", text::table(&table))?;
        }
    }
    Ok(Exit::Good)
}
