//! What has to be asked of the data to judge a rule.

mod fresh;
mod numbers;
mod other;
mod rows;
mod windows;

use comboi_project::{Column, Columns, Literal, Located, Rule, RuleKind, did_you_mean};

use super::Data;
use super::custom::Query;
use super::scan::{Asked, Scan};
use super::threshold::Threshold;
use super::words::counted;
use crate::{Error, sql};

pub(super) use fresh::Fresh;
pub(super) use numbers::Numeric;
pub(super) use other::Compared;

/// What has to be asked of the data to judge a rule.
pub(super) enum Question {
    /// Which rows break the rule?
    Rows(Rows),
    /// How many rows are there?
    Volume {
        rows: Asked,
        min: Option<u64>,
        max: Option<u64>,
    },
    /// How many rows were there?
    Change { versions: u32 },
    /// Do keys occur more than once?
    Unique(Unique),
    /// How old is the newest row?
    Fresh(Fresh),
    /// What is the value of something that was computed?
    Number(Numeric),
    /// What is the difference to another dataset?
    Compared(Compared),
    /// For how many rows is a condition true?
    Counts {
        condition: String,
        count: Asked,
        expected: Option<Literal>,
    },
    /// What number does a query return?
    Alone {
        query: String,
        expected: Option<Literal>,
    },
    /// How many rows does a query return?
    Failed { query: String },
    /// The rule can't be asked of this data.
    Impossible(String),
}

/// Which rows break a rule.
pub(super) struct Rows {
    /// True for a row that breaks it.
    pub(super) breaks: Breaks,
    /// How many they are, where that could be asked in the scan.
    pub(super) count: Option<Asked>,
    /// How many rows the rule looks at.
    pub(super) looked_at: Asked,
    /// What such rows are like: `` `amount` is less than 0 ``.
    pub(super) detail: String,
    /// The values worth showing, besides the row's key.
    pub(super) shown: Vec<String>,
    /// What the rule says that DuckDB may not understand, as a query without any row.
    pub(super) probe: Option<String>,
}

/// A condition that is true for a row that breaks a rule.
#[derive(Clone)]
pub(super) struct Breaks {
    pub(super) condition: String,
    pub(super) sees: Sees,
}

/// What a condition looks at besides the row itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// Nothing: it may share the scan.
    Nothing,
    /// Another dataset: it may stand in `WHERE`.
    OtherDataset,
    /// Rows around it, by window functions over the numbered relation: it may stand in `QUALIFY`.
    OtherRows,
}

impl Breaks {
    /// What keeps the rows of a relation that break the rule.
    pub(super) fn clause(&self) -> String {
        let word = match self.sees {
            Sees::Nothing | Sees::OtherDataset => "WHERE",
            Sees::OtherRows => "QUALIFY",
        };
        format!("{word} {}", self.condition)
    }
}

/// Keys that should occur once.
pub(super) struct Unique {
    pub(super) columns: Vec<String>,
    pub(super) filter: Option<String>,
    pub(super) present: Asked,
    pub(super) looked_at: Asked,
    /// How many keys there are, where that could be asked in the scan.
    pub(super) different: Option<Asked>,
}

impl Question {
    pub(super) fn of(rule: &Rule, data: &Data<'_>, scan: &mut Scan) -> Result<Self, Error> {
        let filter = match &rule.filter {
            None => None,
            Some(filter) => match data.condition(filter)? {
                Ok(condition) => Some(condition),
                Err(why) => return Ok(Self::Impossible(format!("its `where`: {why}"))),
            },
        };
        let asked = match &rule.kind {
            RuleKind::CustomSql { query, expected } => {
                return Self::custom(data, query, expected.as_ref(), scan);
            }
            RuleKind::FailedRows { query } => {
                let dataset = data.contract.dataset.as_str();
                return Ok(
                    match Query::read(data.session, dataset, query, &query.place)? {
                        Query::Counts { query, .. } | Query::Alone(query) => Self::Failed { query },
                        Query::Refused(why) => Self::Impossible(why),
                    },
                );
            }
            RuleKind::Expression { expression } => match data.condition(expression)? {
                Ok(condition) => Ok(rows::expression(&condition, &expression.value).asked(
                    filter.as_deref(),
                    data,
                    scan,
                )),
                Err(why) => Err(why),
            },
            RuleKind::ForeignKey { .. }
            | RuleKind::RowCountMatch { .. }
            | RuleKind::Equality { .. }
            | RuleKind::AggregateMatch { .. } => {
                other::question(rule, filter.as_deref(), data, scan)?
            }
            _ => Self::plain(rule, filter.as_deref(), data, scan),
        };
        Ok(asked.unwrap_or_else(Self::Impossible))
    }

    fn custom(
        data: &Data<'_>,
        query: &Located<String>,
        expected: Option<&Literal>,
        scan: &mut Scan,
    ) -> Result<Self, Error> {
        let dataset = data.contract.dataset.as_str();
        let expected = expected.cloned();
        Ok(
            match Query::read(data.session, dataset, query, &query.place)? {
                Query::Counts { condition, .. } => Self::Counts {
                    count: scan.ask_count(&condition),
                    condition,
                    expected,
                },
                Query::Alone(query) => Self::Alone { query, expected },
                Query::Refused(why) => Self::Impossible(why),
            },
        )
    }

    fn plain(
        rule: &Rule,
        filter: Option<&str>,
        data: &Data<'_>,
        scan: &mut Scan,
    ) -> Result<Self, String> {
        let columns = data.input.columns;
        match &rule.kind {
            RuleKind::RowCount { min, max } => Ok(Self::Volume {
                rows: looked_at(filter, scan),
                min: *min,
                max: *max,
            }),
            RuleKind::RowCountChange { versions } => Ok(Self::Change {
                versions: *versions,
            }),
            RuleKind::Unique { columns: names } => {
                let columns = all(columns, names)?.into_iter();
                let columns = columns.map(|column| column.name.clone()).collect();
                Ok(Self::Unique(Unique::asked(columns, filter, data, scan)))
            }
            RuleKind::Freshness { column, max_age } => fresh::question(
                one(columns, column)?,
                *max_age,
                filter,
                data.now_micros,
                scan,
            ),
            RuleKind::Aggregate { .. } => numbers::question(rule, filter, data, scan),
            RuleKind::Monotonic { .. }
            | RuleKind::Sequential { .. }
            | RuleKind::NoOverlap { .. } => {
                Ok(windows::rows(&rule.kind, filter, data)?.asked(None, data, scan))
            }
            RuleKind::NotNull { columns: names } if names.len() == 1 && filter.is_none() => {
                let found = rows::rows(&rule.kind, columns)?;
                if rows::settled(&rule.kind, data) {
                    return Ok(found.counted_as("0".to_owned(), data, scan));
                }
                let name = sql::ident(&one(columns, &names[0])?.name);
                Ok(found.counted_as(format!("count(*) - count({name})"), data, scan))
            }
            kind => {
                let found = rows::rows(kind, columns)?;
                if rows::settled(kind, data) {
                    let none = "count(*) FILTER (WHERE false)".to_owned();
                    let settled = found.with(filter);
                    return Ok(settled.counted_as(none, data, scan).over(filter, scan));
                }
                Ok(found.asked(filter, data, scan))
            }
        }
    }
}

impl Unique {
    fn asked(columns: Vec<String>, filter: Option<&str>, data: &Data<'_>, scan: &mut Scan) -> Self {
        let names: Vec<&str> = columns.iter().map(String::as_str).collect();
        let present = match (names.as_slice(), filter) {
            ([only], None) => scan.ask_values(only),
            (several, filter) => scan.ask_count(&and(filter, &super::unique::present(several))),
        };
        let different = match (names.as_slice(), filter) {
            ([only], None) => bits(data, only).map(|bits| scan.ask(bits)),
            _ => None,
        };
        Self {
            looked_at: looked_at(filter, scan),
            filter: filter.map(str::to_owned),
            present,
            different,
            columns,
        }
    }

    /// True for rows whose key another row has too.
    pub(super) fn breaks(&self) -> Breaks {
        let names: Vec<&str> = self.columns.iter().map(String::as_str).collect();
        let among = and(self.filter.as_deref(), &super::unique::present(&names));
        let keys: Vec<String> = names.iter().map(|name| sql::ident(name)).collect();
        Breaks {
            condition: format!(
                "({among} AND count(*) OVER (PARTITION BY coalesce({among}, false), {}) > 1)",
                keys.join(", ")
            ),
            sees: Sees::OtherRows,
        }
    }
}

/// How many rows a rule looks at.
fn looked_at(filter: Option<&str>, scan: &mut Scan) -> Asked {
    match filter {
        None => scan.ask_rows(),
        Some(filter) => scan.ask_count(filter),
    }
}

/// Both of two conditions.
pub(super) fn and(filter: Option<&str>, condition: &str) -> String {
    match filter {
        None => condition.to_owned(),
        Some(filter) => format!("(({filter}) AND {condition})"),
    }
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
    breaks: Breaks,
    detail: String,
    shown: Vec<String>,
    probe: Option<String>,
}

impl Uncounted {
    /// Only rows for which this is true can break the rule.
    fn with(mut self, filter: Option<&str>) -> Self {
        self.breaks.condition = and(filter, &self.breaks.condition);
        self
    }

    fn asked(self, filter: Option<&str>, data: &Data<'_>, scan: &mut Scan) -> Question {
        let counted = self.with(filter);
        let count = match counted.breaks.sees {
            Sees::Nothing => Some(scan.ask_count(&counted.breaks.condition)),
            Sees::OtherDataset | Sees::OtherRows => None,
        };
        counted.question(count, data, scan).over(filter, scan)
    }

    fn counted_as(self, aggregate: String, data: &Data<'_>, scan: &mut Scan) -> Question {
        let count = scan.ask(aggregate);
        self.question(Some(count), data, scan)
    }

    fn question(self, count: Option<Asked>, _: &Data<'_>, scan: &mut Scan) -> Question {
        let Self {
            breaks,
            detail,
            shown,
            probe,
        } = self;
        Question::Rows(Rows {
            breaks,
            count,
            looked_at: scan.ask_rows(),
            detail,
            shown,
            probe,
        })
    }
}

impl Question {
    /// The same of the rows that a filter leaves.
    fn over(mut self, filter: Option<&str>, scan: &mut Scan) -> Self {
        if let Self::Rows(rows) = &mut self {
            rows.looked_at = looked_at(filter, scan);
        }
        self
    }
}

fn one<'a>(columns: &'a Columns, name: &str) -> Result<&'a Column, String> {
    one_of(columns, name, "the data")
}

/// `where_`: `the data`, or the other dataset.
fn one_of<'a>(columns: &'a Columns, name: &str, whose: &str) -> Result<&'a Column, String> {
    columns.get(name).ok_or_else(|| {
        let hint = did_you_mean(name, columns.names())
            .map_or_else(String::new, |hint| format!("; {hint}"));
        format!("{whose} has no column `{name}`{hint}")
    })
}

fn all<'a>(columns: &'a Columns, names: &[String]) -> Result<Vec<&'a Column>, String> {
    names.iter().map(|name| one(columns, name)).collect()
}

/// `` `a`, `b` ``
pub(super) fn named<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    names
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(between)
}

/// What is wrong with a number of rows, if something is.
pub(super) fn volume(
    rows: u64,
    min: Option<u64>,
    max: Option<u64>,
    thresholds: &[Threshold],
) -> Option<String> {
    match (min, max) {
        (Some(min), _) if rows < min => Some(format!("at least {} expected", are(min))),
        (_, Some(max)) if rows > max => Some(format!("at most {} expected", are(max))),
        _ => {
            let broken = super::threshold::broken(thresholds, &super::Number::whole(rows.into()))?;
            Some(format!("the number of rows {broken}"))
        }
    }
}

fn are(rows: u64) -> String {
    let verb = if rows == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(rows, "row"))
}
