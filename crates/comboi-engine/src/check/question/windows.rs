//! Rules that look at the rows around a row.

use comboi_project::{Direction, Gaps, RuleKind, StepUnit};

use super::super::Data;
use super::{Breaks, Sees, Uncounted, all, and, named, one};
use crate::sql;

/// Which rows break such a rule. `filter` is part of the condition already.
pub(super) fn rows(
    kind: &RuleKind,
    filter: Option<&str>,
    data: &Data<'_>,
) -> Result<Uncounted, String> {
    let columns = data.input.columns;
    match kind {
        RuleKind::Monotonic {
            column,
            order_by,
            group_by,
            direction,
            strict,
        } => {
            let column = one(columns, column)?;
            let name = sql::ident(&column.name);
            let stored = format!("{}, {}", data.file_name(), data.row_name());
            let (order, by) = match order_by {
                None => (stored, None),
                Some(by) => {
                    let by = one(columns, by)?;
                    (
                        format!("{}, {stored}", sql::ident(&by.name)),
                        Some(&by.name),
                    )
                }
            };
            let window = Window::of(filter, &[&name], &groups(data, group_by)?, &order);
            let before = window.over(&format!("lag({name})"));
            let (operator, word) = match (direction, strict) {
                (Direction::Increasing, false) => ("<", "less than"),
                (Direction::Increasing, true) => ("<=", "not greater than"),
                (Direction::Decreasing, false) => (">", "greater than"),
                (Direction::Decreasing, true) => (">=", "not less than"),
            };
            Ok(Uncounted {
                breaks: window.breaks(&format!("{name} {operator} {before}")),
                detail: format!("`{}` is {word} in the row before", column.name),
                shown: by.into_iter().chain([&column.name]).cloned().collect(),
                probe: None,
            })
        }
        RuleKind::Sequential {
            column,
            step,
            step_unit,
            group_by,
        } => {
            let column = one(columns, column)?;
            let name = sql::ident(&column.name);
            let window = Window::of(filter, &[&name], &groups(data, group_by)?, &name);
            let before = window.over(&format!("lag({name})"));
            let (breaks, step) = if column.sql_type.is_integer() {
                let next = format!("{before}::HUGEINT + {step}");
                (format!("{name}::HUGEINT <> {next}"), step.to_string())
            } else if column.sql_type.is_moment() {
                let unit = step_unit.unwrap_or(StepUnit::Day);
                let next = format!("{before} + INTERVAL '{step} {unit}'");
                (format!("{name} <> {next}"), format!("{step} {unit}"))
            } else {
                return Err(format!(
                    "`{}` is {}, neither a whole number nor a date nor a timestamp",
                    column.name, column.sql_type
                ));
            };
            Ok(Uncounted {
                breaks: window.breaks(&breaks),
                detail: format!("`{}` is not {step} after the one before", column.name),
                shown: vec![column.name.clone()],
                probe: None,
            })
        }
        RuleKind::NoOverlap {
            from,
            to,
            group_by,
            gaps,
            empty_ranges,
        } => {
            let (from, to) = (one(columns, from)?, one(columns, to)?);
            let (begin, end) = (sql::ident(&from.name), sql::ident(&to.name));
            let order = format!(
                "{begin}, {end} NULLS LAST, {}, {}",
                data.file_name(),
                data.row_name()
            );
            let window = Window::of(filter, &[&begin], &groups(data, group_by)?, &order);
            let before = |aggregate: &str| {
                window.framed(
                    aggregate,
                    "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
                )
            };
            let last_end = before(&format!("max({end})"));
            let open = before(&format!("bool_or({end} IS NULL)"));
            let next = window.over(&format!("lead({begin})"));
            let mut breaks = vec![
                format!("{open}"),
                format!("{last_end} > {begin}"),
                format!("({next} IS NOT NULL AND ({end} IS NULL OR {next} < {end}))"),
                format!("{end} {} {begin}", if *empty_ranges { "<" } else { "<=" }),
            ];
            let what = match gaps {
                Gaps::Allowed => "overlaps another range",
                Gaps::Forbidden => {
                    breaks.push(format!("{last_end} <> {begin}"));
                    "overlaps another range or leaves a gap"
                }
                Gaps::Required => {
                    breaks.push(format!("{last_end} = {begin}"));
                    breaks.push(format!("{next} = {end}"));
                    "overlaps another range or leaves no gap"
                }
            };
            Ok(Uncounted {
                breaks: window.breaks(&format!("coalesce({}, false)", breaks.join(" OR "))),
                detail: format!(
                    "the range from {} {what}, or ends before it begins",
                    named([from.name.as_str(), to.name.as_str()].into_iter(), " to ")
                ),
                shown: vec![from.name.clone(), to.name.clone()],
                probe: None,
            })
        }
        other => Err(format!("`{}` looks at no other rows", other.as_str())),
    }
}

fn groups(data: &Data<'_>, names: &[String]) -> Result<Vec<String>, String> {
    let columns = all(data.input.columns, names)?.into_iter();
    Ok(columns.map(|column| sql::ident(&column.name)).collect())
}

/// Rows that are looked at together, in their order.
struct Window {
    among: String,
    partition: String,
    order: String,
}

impl Window {
    /// `present`: columns that must not be NULL.
    fn of(filter: Option<&str>, present: &[&str], groups: &[String], order: &str) -> Self {
        let present: Vec<String> = present
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let among = and(filter, &format!("({})", present.join(" AND ")));
        let mut partition = vec![format!("coalesce({among}, false)")];
        partition.extend_from_slice(groups);
        Self {
            among,
            partition: partition.join(", "),
            order: order.to_owned(),
        }
    }

    fn over(&self, function: &str) -> String {
        self.framed(function, "")
    }

    fn framed(&self, function: &str, frame: &str) -> String {
        format!(
            "{function} OVER (PARTITION BY {} ORDER BY {} {frame})",
            self.partition, self.order
        )
    }

    fn breaks(&self, condition: &str) -> Breaks {
        Breaks {
            condition: format!("({} AND ({condition}))", self.among),
            sees: Sees::OtherRows,
        }
    }
}
