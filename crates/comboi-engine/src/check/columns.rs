//! The columns of the data held against the columns that the contract promises.

use comboi_project::{
    Action, Column, Columns, Contract, ContractColumn, Place, Rule, RuleKind, Severity, SqlType,
    Unit, nearest,
};

use super::verdict::{Sample, Verdict, VerdictOutcome};
use super::words::counted;

const KIND: &str = "schema";

/// The columns that a dataset has or would have held against its contract: one verdict for each column that is not as promised, or a
/// single one that all are. [`check`](super::check()) begins with these.
pub fn check_columns(contract: &Contract, columns: &Columns) -> Vec<Verdict> {
    let promised = &contract.schema.columns;
    let mut verdicts: Vec<Verdict> = promised
        .iter()
        .filter_map(|column| broken(column, columns))
        .collect();
    if !contract.schema.allow_extra_columns {
        let extra = columns
            .iter()
            .filter(|column| contract.column(&column.name).is_none() && !is_our_own(column))
            .filter(|column| !is_welcome(contract, column));
        verdicts.extend(extra.map(|column| unexpected(column, contract)));
    }
    verdicts.extend(out_of_order(contract, columns));
    if verdicts.is_empty() {
        verdicts.push(Verdict {
            rule: "schema".to_owned(),
            kind: KIND.to_owned(),
            severity: Severity::Error,
            action: Action::Fail,
            outcome: VerdictOutcome::Passed,
            measured: measured(columns),
            value: None,
            threshold: None,
            row_count: None,
            place: contract.schema.place.clone(),
        });
    }
    verdicts
}

/// What a type says about its values beyond what DuckDB holds them to: `VARCHAR(40)`.
pub(super) fn length_rules(contract: &Contract) -> Vec<Rule> {
    let bounded = contract
        .schema
        .columns
        .iter()
        .filter_map(|column| match column.sql_type.value {
            SqlType::Varchar(Some(length)) => Some((column, length)),
            _ => None,
        });
    bounded
        .map(|(column, length)| Rule {
            name: format!("{}_length", column.name.value),
            kind: RuleKind::MaxLength {
                column: column.name.value.clone(),
                length: length.into(),
            },
            description: None,
            filter: None,
            unit: Unit::Rows,
            comparisons: Vec::new(),
            severity: Severity::Error,
            action: Action::Fail,
            dimension: None,
            tags: Vec::new(),
            place: column.sql_type.place.clone(),
        })
        .collect()
}

fn broken(promised: &ContractColumn, columns: &Columns) -> Option<Verdict> {
    let name = &promised.name.value;
    let Some(found) = columns.get(name) else {
        let close = nearest(name, columns.names())
            .map_or_else(String::new, |close| format!("; did you mean `{close}`?"));
        let detail = format!("the data has no column `{name}`{close}");
        return Some(failed(
            format!("{name}_present"),
            Severity::Error,
            detail,
            columns,
            &promised.name.place,
        ));
    };
    if same_type(&promised.sql_type, &found.sql_type) {
        return None;
    }
    let detail = format!(
        "`{name}` is {}, not {}",
        found.sql_type, promised.sql_type.value
    );
    Some(failed(
        format!("{name}_type"),
        Severity::Error,
        detail,
        columns,
        &promised.sql_type.place,
    ))
}

fn unexpected(column: &Column, contract: &Contract) -> Verdict {
    let severity = if contract.schema.exact {
        Severity::Error
    } else {
        Severity::Warning
    };
    let detail = format!(
        "the contract has no column `{}`, which is {} in the data",
        column.name, column.sql_type
    );
    Verdict {
        measured: "an extra column".to_owned(),
        ..failed(
            format!("{}_expected", column.name),
            severity,
            detail,
            &Columns(Vec::new()),
            &contract.schema.place,
        )
    }
}

fn is_welcome(contract: &Contract, column: &Column) -> bool {
    let welcome = contract.schema.extra_columns.iter();
    welcome
        .into_iter()
        .any(|it| it.eq_ignore_ascii_case(&column.name))
}

/// The first column that stands before one that it should stand behind, where the order was promised.
fn out_of_order(contract: &Contract, columns: &Columns) -> Option<Verdict> {
    if !contract.schema.ordered {
        return None;
    }
    let promised = contract.schema.columns.iter();
    let found: Vec<(&ContractColumn, usize)> = promised
        .filter_map(|column| Some((&column.value, columns.position(&column.name)?)))
        .collect();
    let (before, after) = found.windows(2).find_map(|pair| match pair {
        [(before, at), (after, then)] if then < at => Some((before, after)),
        _ => None,
    })?;
    let detail = format!(
        "`{}` stands before `{}`, the contract has it behind",
        after.name.value, before.name.value
    );
    let place = &after.name.place;
    Some(failed(
        "column_order".to_owned(),
        Severity::Error,
        detail,
        columns,
        place,
    ))
}

fn failed(
    rule: String,
    severity: Severity,
    detail: String,
    columns: &Columns,
    place: &Place,
) -> Verdict {
    let outcome = VerdictOutcome::Failed {
        failed_count: None,
        detail,
        sample: Sample::default(),
    };
    let action = match severity {
        Severity::Error => Action::Fail,
        Severity::Warning | Severity::Info => Action::Report,
    };
    Verdict {
        rule,
        kind: KIND.to_owned(),
        severity,
        action,
        outcome,
        measured: measured(columns),
        value: None,
        threshold: None,
        row_count: None,
        place: place.clone(),
    }
}

fn measured(columns: &Columns) -> String {
    counted(u64::try_from(columns.len()).unwrap_or(u64::MAX), "column")
}

/// Columns that comboi adds by itself.
fn is_our_own(column: &Column) -> bool {
    column.name.starts_with("_comboi_")
}

/// Whether a column has the type that was promised, down to precision, scale and nesting. The length of a text is
/// no part of its type: values are held to it one by one.
fn same_type(promised: &SqlType, found: &SqlType) -> bool {
    use SqlType::{Array, List, Map, Struct, Union, Varchar};
    let same_fields = |promised: &[(String, SqlType)], found: &[(String, SqlType)]| {
        let same = |((a, a_type), (b, b_type)): (&(String, SqlType), &(String, SqlType))| {
            a.eq_ignore_ascii_case(b) && same_type(a_type, b_type)
        };
        promised.len() == found.len() && promised.iter().zip(found).all(same)
    };
    match (promised, found) {
        (Varchar(_), Varchar(_)) => true,
        (List(promised), List(found)) => same_type(promised, found),
        (Array(promised, length), Array(found, other)) => {
            length == other && same_type(promised, found)
        }
        (Struct(promised), Struct(found)) | (Union(promised), Union(found)) => {
            same_fields(promised, found)
        }
        (Map(key, value), Map(found_key, found_value)) => {
            same_type(key, found_key) && same_type(value, found_value)
        }
        _ => promised == found,
    }
}
