//! Rows that do not go on: those that the contract refuses, and all but one of each key.
//!
//! What a rule sets aside by its own action is left to it: there the rows are counted and can be looked at.

use comboi_project::{Action, Contract, Literal, Number, Rule, RuleKind, SqlType};

use super::column::Selected;

/// What keeps rows away.
pub(super) struct Filters {
    /// A condition, and the rules that it stands for.
    conditions: Vec<(String, String)>,
    /// What the contract itself sets aside.
    left: Vec<String>,
    key: Option<Key>,
}

struct Key {
    columns: Vec<String>,
    /// Whether a part of it may be NULL, which is equal to nothing.
    nullable: bool,
    order: Option<String>,
}

pub(super) fn filters(contract: &Contract, columns: &[Selected<'_>]) -> Filters {
    let mut conditions: Vec<(String, String)> = Vec::new();
    let mut left = Vec::new();
    let mut key = None;
    for rule in contract.rules() {
        if rule.filter.is_some() || !rule.comparisons.is_empty() {
            continue;
        }
        if let (RuleKind::Unique { columns: of }, None) = (&rule.kind, &key) {
            match rule.action {
                Action::Fail => key = key_of(contract, columns, of),
                Action::Quarantine | Action::Drop => left.push(rule.name.clone()),
                Action::Report => {}
            }
            continue;
        }
        let Some(condition) = condition(columns, &rule) else {
            continue;
        };
        match rule.action {
            Action::Fail => match conditions.iter_mut().find(|(known, _)| *known == condition) {
                Some((_, names)) => {
                    names.push_str(", ");
                    names.push_str(&rule.name);
                }
                None => conditions.push((condition, rule.name)),
            },
            Action::Quarantine | Action::Drop => left.push(rule.name),
            Action::Report => {}
        }
    }
    Filters {
        conditions,
        left,
        key,
    }
}

impl Filters {
    pub(super) fn has_conditions(&self) -> bool {
        !self.conditions.is_empty()
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    pub(super) fn sql(&self) -> String {
        let mut lines = Vec::new();
        if !self.left.is_empty() {
            lines.push(format!(
                "    -- Set aside by the contract itself: {}",
                self.left.join(", ")
            ));
        }
        for (i, (condition, rules)) in self.conditions.iter().enumerate() {
            let word = if i == 0 { "WHERE" } else { "  AND" };
            lines.push(format!("    {word} {condition}  -- {rules}"));
        }
        if let Some(key) = &self.key {
            let columns = key.columns.join(", ");
            // The hash of the row decides between rows of one time, so that the same input gives the same output.
            let order = match &key.order {
                Some(column) => format!("{column} DESC NULLS LAST, hash(typed)"),
                None => "hash(typed)".to_owned(),
            };
            let one = format!("row_number() OVER (PARTITION BY {columns} ORDER BY {order}) = 1");
            let or_null = if key.nullable {
                let parts: Vec<String> = key
                    .columns
                    .iter()
                    .map(|column| format!("{column} IS NULL"))
                    .collect();
                format!("{} OR ", parts.join(" OR "))
            } else {
                String::new()
            };
            lines.push("    -- One row for each key: the latest.".to_owned());
            lines.push(format!("    QUALIFY {or_null}{one}"));
        }
        lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

fn key_of(contract: &Contract, columns: &[Selected<'_>], of: &[String]) -> Option<Key> {
    let known: Option<Vec<&Selected<'_>>> = of.iter().map(|name| find(columns, name)).collect();
    let known = known?;
    let never_null = |name: &str| {
        contract.rules().iter().any(|rule| {
            rule.action == Action::Fail
                && matches!(&rule.kind, RuleKind::NotNull { columns } if columns.iter().any(|one| one.eq_ignore_ascii_case(name)))
        })
    };
    let order = contract
        .freshness_column()
        .and_then(|name| find(columns, name))
        .or_else(|| newest(columns));
    Some(Key {
        nullable: !of.iter().all(|name| never_null(name)),
        columns: known.iter().map(|column| column.name()).collect(),
        order: order.map(Selected::name),
    })
}

/// The column that says when a row was changed, of a contract that promises no freshness.
fn newest<'a, 'b>(columns: &'b [Selected<'a>]) -> Option<&'b Selected<'a>> {
    [
        "updated_at",
        "modified_at",
        "last_modified",
        "changed_at",
        "loaded_at",
        "event_time",
        "created_at",
    ]
    .iter()
    .find_map(|name| find(columns, name).filter(|column| column.column.sql_type.is_moment()))
}

fn find<'a, 'b>(columns: &'b [Selected<'a>], name: &str) -> Option<&'b Selected<'a>> {
    columns
        .iter()
        .find(|column| column.column.name.eq_ignore_ascii_case(name))
}

/// What every row keeps, of rules about NULL, empty texts and bounds.
fn condition(columns: &[Selected<'_>], rule: &Rule) -> Option<String> {
    match &rule.kind {
        RuleKind::NotNull { columns: of } => {
            let parts: Option<Vec<String>> = of
                .iter()
                .map(|name| Some(format!("{} IS NOT NULL", find(columns, name)?.name())))
                .collect();
            Some(parts?.join(" AND "))
        }
        RuleKind::NotEmpty { column } => {
            // An empty text is NULL by now, and NULL keeps the rule; what was empty does not.
            find(columns, column).map(|column| format!("{} IS NOT NULL", column.name()))
        }
        RuleKind::MinValue { column, value } => bound(columns, column, ">=", value),
        RuleKind::MaxValue { column, value } => bound(columns, column, "<=", value),
        RuleKind::GreaterThan { column, value } => bound(columns, column, ">", value),
        RuleKind::LessThan { column, value } => bound(columns, column, "<", value),
        _ => None,
    }
}

/// A number between two values of the column is the one beside it that holds for the same rows, and in digits: DuckDB
/// would compare `1e3` as DOUBLE.
fn number(sql_type: &SqlType, operator: &str, text: &str) -> String {
    const DIGITS: usize = 38;
    let scale = match sql_type {
        SqlType::Decimal(_, scale) => usize::from(*scale),
        whole if whole.is_integer() => 0,
        _ => return text.to_owned(),
    };
    let beside = Number::parse(text).map(|it| match operator {
        ">=" | "<" => it.ceil(scale),
        _ => it.floor(scale),
    });
    match beside.filter(|it| it.whole_digits() + scale <= DIGITS) {
        Some(number) => number.to_string(),
        None => text.to_owned(),
    }
}

/// A value of a column that has no numbers. A cast to DATE drops the time of day, and one to TIMESTAMP the offset.
fn other(sql_type: &SqlType, text: &str) -> String {
    let quoted = format!("'{}'", text.replace('\'', "''"));
    let time = text.split_once(['T', ' ']).map(|(_, time)| time);
    let has_offset = time.is_some_and(|it| it.ends_with('Z') || it.contains(['+', '-']));
    match (sql_type, time) {
        (SqlType::Varchar(_), _) => quoted,
        (SqlType::TimestampTz, _) => format!("CAST({quoted} AS {sql_type})"),
        (moment, _) if moment.is_moment() && has_offset => {
            format!("(CAST({quoted} AS TIMESTAMPTZ) AT TIME ZONE 'UTC')")
        }
        (SqlType::Date, Some(_)) => format!("CAST({quoted} AS TIMESTAMP)"),
        _ => format!("CAST({quoted} AS {sql_type})"),
    }
}

fn bound(
    columns: &[Selected<'_>],
    column: &str,
    operator: &str,
    value: &Literal,
) -> Option<String> {
    let column = find(columns, column)?;
    let name = column.name();
    let sql_type = &column.column.sql_type.value;
    let literal = if sql_type.is_number() {
        number(sql_type, operator, &value.text)
    } else {
        other(sql_type, &value.text)
    };
    let inside = format!("{name} {operator} {literal}");
    // NaN is greater than everything, and outside of all bounds.
    let inside =
        if matches!(sql_type, SqlType::Float | SqlType::Double) && operator.starts_with('>') {
            format!("({inside} AND NOT isnan({name}))")
        } else {
            inside
        };
    if column.column.nullable.value {
        Some(format!("({name} IS NULL OR {inside})"))
    } else {
        Some(inside)
    }
}
