//! How old the newest row is.

use std::time::Duration;

use comboi_project::Column;

use super::{Question, and, looked_at};
use crate::check::scan::{Asked, Scan};
use crate::check::words::{counted, span};
use crate::sql;

/// How old the newest row may be.
pub(in crate::check) struct Fresh {
    column: String,
    max_age: Duration,
    /// Microseconds since 1970, of the newest row that is not in the future.
    pub(in crate::check) newest: Asked,
    pub(in crate::check) known: Asked,
    pub(in crate::check) future: Asked,
    pub(in crate::check) looked_at: Asked,
}

pub(super) fn question(
    column: &Column,
    max_age: Duration,
    filter: Option<&str>,
    now_micros: i64,
    scan: &mut Scan,
) -> Result<Question, String> {
    use comboi_project::SqlType::TimestampTz;
    if !column.sql_type.is_moment() {
        return Err(format!(
            "`{}` is {}, neither a date nor a timestamp",
            column.name, column.sql_type
        ));
    }
    let name = sql::ident(&column.name);
    // A timestamp without a time zone is UTC.
    let now = match column.sql_type {
        TimestampTz => format!("make_timestamptz({now_micros})"),
        _ => format!("make_timestamp({now_micros})"),
    };
    let known = match filter {
        None => format!("count({name})"),
        Some(filter) => format!("count({name}) FILTER (WHERE {filter})"),
    };
    Ok(Question::Fresh(Fresh {
        column: column.name.clone(),
        max_age,
        newest: scan.ask(format!(
            "epoch_us(max({name}) FILTER (WHERE {}))",
            and(filter, &format!("{name} <= {now}"))
        )),
        known: scan.ask(known),
        future: scan.ask_count(&and(filter, &format!("{name} > {now}"))),
        looked_at: looked_at(filter, scan),
    }))
}

/// What was found out about age.
pub(in crate::check) struct Age {
    /// What is wrong, if something is.
    pub(in crate::check) detail: Option<String>,
    pub(in crate::check) measured: String,
    /// Hours, to the thousandth.
    pub(in crate::check) hours: Option<String>,
}

impl Fresh {
    pub(in crate::check) fn judge(
        &self,
        rows: u64,
        known: u64,
        future: u64,
        newest: Option<i64>,
        now: i64,
    ) -> Age {
        let Self {
            column, max_age, ..
        } = self;
        let left_aside = match future {
            0 => String::new(),
            n => format!(", {} in the future left aside", counted(n, "row")),
        };
        let Some(newest) = newest else {
            let detail = match (rows, known) {
                (0, _) => "there are no rows, so nothing is fresh".to_owned(),
                (_, 0) => {
                    format!("`{column}` is NULL in every row, so nothing is known to be fresh")
                }
                _ => format!("`{column}` lies in the future in every row that has it"),
            };
            return Age {
                detail: Some(detail),
                measured: format!("{}{left_aside}", counted(rows, "row")),
                hours: None,
            };
        };
        let age = u64::try_from(now.saturating_sub(newest)).unwrap_or(0);
        let too_old = u128::from(age) > max_age.as_micros();
        let millihours = age / 3_600_000;
        Age {
            detail: too_old.then(|| {
                format!(
                    "the newest `{column}` is {} old, {} are allowed",
                    span(age / 1_000_000),
                    span(max_age.as_secs())
                )
            }),
            measured: format!(
                "the newest row is {} old{left_aside}",
                span(age / 1_000_000)
            ),
            hours: Some(format!("{}.{:03}", millihours / 1000, millihours % 1000)),
        }
    }
}
