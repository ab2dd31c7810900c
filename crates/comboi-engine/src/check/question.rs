//! What has to be asked of the data to judge a rule.

use std::time::Duration;

use comboi_project::{Column, Columns, Literal, Place, Rule, RuleKind, did_you_mean};

use super::Data;
use super::custom::Query;
use super::scan::{Asked, Scan};
use super::words::{counted, span};
use super::{predicate, unique};
use crate::{Error, sql};

const NOT_KNOWN: &str = "this version of comboi can't check it";

/// What has to be asked of the data to judge a rule.
pub(super) enum Question {
    /// Which rows break the rule?
    Rows(Rows),
    /// How many rows are there?
    Volume { min: Option<u64>, max: Option<u64> },
    /// Do keys occur more than once?
    Unique {
        columns: Vec<String>,
        present: Asked,
        /// How many keys there are, where that could be asked in the scan.
        different: Option<Asked>,
    },
    /// How old is the newest row?
    Fresh(Fresh),
    /// For how many rows is a condition true?
    Counts {
        condition: String,
        count: Asked,
        expected: Literal,
    },
    /// What number does a query return?
    Alone { query: String, expected: Literal },
    /// The rule can't be asked of this data.
    Impossible(String),
}

/// A rule that each row keeps or breaks by itself.
pub(super) struct Rows {
    /// True for a row that breaks it.
    pub(super) breaks: String,
    pub(super) count: Asked,
    /// What such rows are like: `` `amount` is less than 0 ``.
    pub(super) detail: String,
    /// The values worth showing, besides the row's key.
    pub(super) shown: Vec<String>,
    /// What the rule says that DuckDB may not understand, as a query without any row.
    pub(super) probe: Option<String>,
}

/// How old the newest row may be.
pub(super) struct Fresh {
    pub(super) column: String,
    pub(super) max_age: Duration,
    /// Microseconds since 1970, of the newest row that is not in the future.
    pub(super) newest: Asked,
    pub(super) known: Asked,
    pub(super) future: Asked,
}

impl Question {
    pub(super) fn of(rule: &Rule, data: &Data<'_>, scan: &mut Scan) -> Result<Self, Error> {
        if let RuleKind::CustomSql {
            query,
            expected: Some(expected),
        } = &rule.kind
            && rule.filter.is_none()
            && rule.comparisons.is_empty()
        {
            return Self::custom(data, query, &query.place, expected, scan);
        }
        if rule.filter.is_some() || !rule.comparisons.is_empty() {
            return Ok(Self::Impossible(NOT_KNOWN.to_owned()));
        }
        Ok(Self::plain(&rule.kind, data, scan).unwrap_or_else(Self::Impossible))
    }

    fn custom(
        data: &Data<'_>,
        query: &str,
        place: &Place,
        expected: &Literal,
        scan: &mut Scan,
    ) -> Result<Self, Error> {
        let expected = expected.clone();
        Ok(
            match Query::read(data.session, data.contract, query, place)? {
                Query::Counts(condition) => {
                    let count = scan.ask_count(&condition);
                    Self::Counts {
                        condition,
                        count,
                        expected,
                    }
                }
                Query::Alone(query) => Self::Alone { query, expected },
                Query::Refused(why) => Self::Impossible(why),
            },
        )
    }

    fn plain(kind: &RuleKind, data: &Data<'_>, scan: &mut Scan) -> Result<Self, String> {
        let columns = data.input.columns;
        if let Some(settled) = settled(kind, data) {
            return Ok(Self::Rows(settled.with(scan.ask_count("false"))));
        }
        let rows = match kind {
            RuleKind::NotNull { columns: names } => nulls(&all(columns, names)?),
            RuleKind::MinValue { column, value } => {
                let column = one(columns, column)?;
                let breaks = predicate::below(column, &value.text)?;
                compared(column, "less than", value, breaks)
            }
            RuleKind::MaxValue { column, value } => {
                let column = one(columns, column)?;
                let breaks = predicate::above(column, &value.text)?;
                compared(column, "greater than", value, breaks)
            }
            RuleKind::MinLength { column, length } => {
                let column = one(columns, column)?;
                measured(column, "less", *length, predicate::shorter(column, *length))
            }
            RuleKind::MaxLength { column, length } => {
                let column = one(columns, column)?;
                measured(column, "more", *length, predicate::longer(column, *length))
            }
            RuleKind::Pattern { column, pattern } => unmatched(one(columns, column)?, pattern),
            RuleKind::AllowedValues { column, values } => foreign(one(columns, column)?, values)?,
            RuleKind::RowCount { min, max } => {
                return Ok(Self::Volume {
                    min: *min,
                    max: *max,
                });
            }
            RuleKind::Unique { columns: names } => {
                let columns: Vec<String> = all(columns, names)?
                    .iter()
                    .map(|column| column.name.clone())
                    .collect();
                let present = match columns.as_slice() {
                    [only] => scan.ask_values(only),
                    several => {
                        let names: Vec<&str> = several.iter().map(String::as_str).collect();
                        scan.ask_count(&unique::present(&names))
                    }
                };
                let different = match columns.as_slice() {
                    [only] => bits(data, only).map(|bits| scan.ask(bits)),
                    _ => None,
                };
                return Ok(Self::Unique {
                    columns,
                    present,
                    different,
                });
            }
            RuleKind::Freshness { column, max_age } => {
                return fresh(one(columns, column)?, *max_age, data.now_micros, scan);
            }
            _ => return Err(NOT_KNOWN.to_owned()),
        };
        let count = match kind {
            RuleKind::NotNull { columns: names } if names.len() == 1 => {
                let name = sql::ident(&one(columns, &names[0])?.name);
                scan.ask(format!("count(*) - count({name})"))
            }
            _ => scan.ask_count(&rows.breaks),
        };
        Ok(Self::Rows(rows.with(count)))
    }
}

/// A rule that no row breaks by what Parquet's statistics say.
fn settled(kind: &RuleKind, data: &Data<'_>) -> Option<Uncounted> {
    let columns = data.input.columns;
    let (column, how, value, breaks) = match kind {
        RuleKind::NotNull { columns: names } => {
            let named = all(columns, names).ok()?;
            let none = named
                .iter()
                .all(|column| data.statistics.has_no_null(column));
            return none.then(|| nulls(&named));
        }
        RuleKind::MinValue { column, value } => {
            let column = columns.get(column)?;
            (
                column,
                "less than",
                value,
                predicate::below(column, &value.text).ok()?,
            )
        }
        RuleKind::MaxValue { column, value } => {
            let column = columns.get(column)?;
            (
                column,
                "greater than",
                value,
                predicate::above(column, &value.text).ok()?,
            )
        }
        _ => return None,
    };
    let none = data.statistics.rule_out(data.instance, column, &breaks);
    none.then(|| compared(column, how, value, breaks))
}

/// How many different values a column of whole numbers has: a bit for each number between its ends, where those fit into an eighth of
/// the memory on every thread.
fn bits(data: &Data<'_>, column: &str) -> Option<String> {
    let limits = data.session.limits();
    let threads = u64::try_from(limits.threads).unwrap_or(u64::MAX).max(1);
    // DuckDB itself takes no more than a billion.
    let most = (limits.memory_bytes / threads).min(1_000_000_000);
    let column = data.input.columns.get(column)?;
    let (least, greatest) = data.statistics.dense(column, most)?;
    let (name, of) = (sql::ident(&column.name), &column.sql_type);
    Some(format!(
        "bit_count(bitstring_agg({name}, {least}::{of}, {greatest}::{of}))"
    ))
}

/// [`Rows`] before the scan is asked to count them.
struct Uncounted {
    breaks: String,
    detail: String,
    shown: Vec<String>,
    probe: Option<String>,
}

impl Uncounted {
    fn with(self, count: Asked) -> Rows {
        let Self {
            breaks,
            detail,
            shown,
            probe,
        } = self;
        Rows {
            breaks,
            count,
            detail,
            shown,
            probe,
        }
    }
}

fn one<'a>(columns: &'a Columns, name: &str) -> Result<&'a Column, String> {
    columns.get(name).ok_or_else(|| {
        let hint = did_you_mean(name, columns.names())
            .map_or_else(String::new, |hint| format!("; {hint}"));
        format!("the data has no column `{name}`{hint}")
    })
}

fn all<'a>(columns: &'a Columns, names: &[String]) -> Result<Vec<&'a Column>, String> {
    names.iter().map(|name| one(columns, name)).collect()
}

fn nulls(columns: &[&Column]) -> Uncounted {
    let breaks: Vec<String> = columns
        .iter()
        .map(|column| format!("{} IS NULL", sql::ident(&column.name)))
        .collect();
    Uncounted {
        breaks: format!("({})", breaks.join(" OR ")),
        detail: format!(
            "{} is NULL",
            named(columns.iter().map(|column| column.name.as_str()), " or ")
        ),
        // With one column there is nothing to see; with several, which of them it was.
        shown: columns
            .iter()
            .filter(|_| columns.len() > 1)
            .map(|column| column.name.clone())
            .collect(),
        probe: None,
    }
}

fn compared(column: &Column, how: &str, value: &Literal, breaks: String) -> Uncounted {
    let literal = format!("{}::{}", sql::text(&value.text), column.sql_type);
    Uncounted {
        breaks,
        detail: format!("`{}` is {how} {}", column.name, value.text),
        shown: vec![column.name.clone()],
        probe: (!column.sql_type.is_number()).then(|| format!("SELECT ({literal})::VARCHAR")),
    }
}

fn measured(column: &Column, how: &str, length: u64, breaks: String) -> Uncounted {
    use comboi_project::SqlType::{Array, Blob, List, Map};
    let unit = match &column.sql_type {
        Blob => "byte",
        List(_) | Array(..) => "element",
        Map(..) => "entry",
        _ => "character",
    };
    let entries = counted(length, unit).replace("entrys", "entries");
    Uncounted {
        breaks,
        detail: format!("`{}` has {how} than {entries}", column.name),
        shown: vec![column.name.clone()],
        probe: None,
    }
}

fn unmatched(column: &Column, pattern: &str) -> Uncounted {
    Uncounted {
        breaks: predicate::unmatched(column, pattern),
        detail: format!("`{}` does not match `{pattern}`", column.name),
        shown: vec![column.name.clone()],
        probe: Some(format!(
            "SELECT regexp_matches('', {})::VARCHAR",
            sql::text(pattern)
        )),
    }
}

fn foreign(column: &Column, values: &[Literal]) -> Result<Uncounted, String> {
    const FEW: usize = 5;
    let texts: Vec<&str> = values.iter().map(|value| value.text.as_str()).collect();
    let few = named(texts.iter().copied().take(FEW), ", ");
    let more = texts.len().saturating_sub(FEW);
    let more = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    let literals: Vec<String> = texts
        .iter()
        .map(|text| format!("({}::{})::VARCHAR", sql::text(text), column.sql_type))
        .collect();
    Ok(Uncounted {
        breaks: predicate::not_among(column, &texts)?,
        detail: format!("`{}` is none of {few}{more}", column.name),
        shown: vec![column.name.clone()],
        probe: (!column.sql_type.is_number()).then(|| format!("SELECT {}", literals.join(", "))),
    })
}

fn fresh(
    column: &Column,
    max_age: Duration,
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
    Ok(Question::Fresh(Fresh {
        column: column.name.clone(),
        max_age,
        newest: scan.ask(format!(
            "epoch_us(max({name}) FILTER (WHERE {name} <= {now}))"
        )),
        known: scan.ask(format!("count({name})")),
        future: scan.ask_count(&format!("{name} > {now}")),
    }))
}

/// `` `a`, `b` ``
pub(super) fn named<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(between)
}

impl Fresh {
    /// What is wrong, if something is, and what was measured.
    pub(super) fn judge(
        &self,
        rows: u64,
        known: u64,
        future: u64,
        newest: Option<i64>,
        now: i64,
    ) -> (Option<String>, String) {
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
            return (
                Some(detail),
                format!("{}{left_aside}", counted(rows, "row")),
            );
        };
        let age = u64::try_from(now.saturating_sub(newest)).unwrap_or(0);
        let measured = format!(
            "the newest row is {} old{left_aside}",
            span(age / 1_000_000)
        );
        let too_old = u128::from(age) > max_age.as_micros();
        let detail = too_old.then(|| {
            format!(
                "the newest `{column}` is {} old, {} are allowed",
                span(age / 1_000_000),
                span(max_age.as_secs())
            )
        });
        (detail, measured)
    }
}

/// What is wrong with a number of rows, if something is.
pub(super) fn volume(rows: u64, min: Option<u64>, max: Option<u64>) -> Option<String> {
    match (min, max) {
        (Some(min), _) if rows < min => Some(format!("at least {} expected", are(min))),
        (_, Some(max)) if rows > max => Some(format!("at most {} expected", are(max))),
        _ => None,
    }
}

fn are(rows: u64) -> String {
    let verb = if rows == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(rows, "row"))
}
