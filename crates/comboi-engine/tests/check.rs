//! Contracts in YAML and rows in SQL go in, the text of the verdicts comes out.

mod aside;
mod bind;
mod columns;
mod custom;
mod keys;
mod many;
mod rules;
mod sample;
mod values;

use chrono::{DateTime, Utc};
use comboi_engine::{Around, Error, Input, Verdict, VerdictOutcome};
use comboi_project::{Constraint, Contract, Located, NamedContract, Place};

use crate::build::Bench;

/// When it is, for all tests.
pub(crate) fn now() -> DateTime<Utc> {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

/// A contract of the dataset `shop`. What follows `dataset` is given.
pub(crate) fn contract(yaml: &str) -> Contract {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.yml");
    std::fs::write(&path, format!("dataset: shop\n{yaml}")).unwrap();
    let loaded =
        NamedContract::load(&path, &|_| None).unwrap_or_else(|problems| panic!("{problems}"));
    (*loaded.contract).clone()
}

pub(crate) fn verdicts(
    bench: &Bench,
    contract: &Contract,
    rows: &str,
) -> Result<Vec<Verdict>, Error> {
    let (columns, files) = bench.stage("staged", rows);
    comboi_engine::check(
        &bench.session,
        contract,
        &Input {
            alias: "x",
            columns: &columns,
            files: &files,
        },
        &Around::at(now()),
    )
}

/// A line for each verdict, and its sample below it.
pub(crate) fn told(verdicts: &[Verdict]) -> String {
    let mut lines = Vec::new();
    for verdict in verdicts {
        lines.push(verdict.to_string());
        if let VerdictOutcome::Failed { sample, .. } = &verdict.outcome {
            lines.extend(sample.lines().iter().map(|line| format!("  {line}")));
        }
    }
    lines.join("\n")
}

pub(crate) fn check_contract(contract: &Contract, rows: &str, expected: &str) {
    let bench = Bench::new();
    assert_eq!(
        told(&verdicts(&bench, contract, rows).unwrap()),
        trimmed(expected),
        "{rows}"
    );
}

/// The whole contract after `dataset`.
pub(crate) fn check(yaml: &str, rows: &str, expected: &str) {
    check_contract(&contract(yaml), rows, expected);
}

/// One column `x` of a type with constraints (each `key: value`), and its values.
pub(crate) fn check_column(sql_type: &str, constraint: &str, values: &str, expected: &str) {
    let yaml = format!(
        "schema:\n  columns:\n    - name: x\n      type: '{sql_type}'\n      constraints: {{ {constraint} }}\n"
    );
    let rows = format!("SELECT x::{sql_type} AS x FROM (SELECT unnest([{values}]) AS x)");
    let bench = Bench::new();
    let all = verdicts(&bench, &contract(&yaml), &rows).unwrap();
    assert_eq!(
        told(&all[1..]),
        trimmed(expected),
        "{sql_type} {constraint} {values}"
    );
}

/// The lines of a text that is written over several, without what stands before all of them.
fn trimmed(text: &str) -> String {
    let lines = text.lines().skip_while(|line| line.trim().is_empty());
    let lines: Vec<&str> = lines.collect();
    let indent = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines: Vec<&str> = lines
        .iter()
        .map(|line| line.get(indent..).unwrap_or_default())
        .collect();
    let written = lines
        .iter()
        .rposition(|line| !line.trim().is_empty())
        .map_or(0, |last| last + 1);
    lines.get(..written).unwrap_or_default().join("\n")
}

/// Adds a constraint that no file could bring in, since reading it would already be refused.
pub(crate) fn constrain(contract: &mut Contract, constraint: Constraint) {
    let column = contract.schema.value.columns.first_mut().unwrap();
    column
        .value
        .constraints
        .0
        .push(Located::new(constraint, Place::file("shop.yml")));
}
