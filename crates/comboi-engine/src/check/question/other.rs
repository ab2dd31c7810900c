//! Rules that hold a dataset against another.

use comboi_project::{Column, Rule, RuleKind, Unit};

use super::super::{Data, Other};
use super::numbers::{aggregate, label};
use super::{Breaks, Question, Sees, Uncounted, all, named, one, one_of};
use crate::check::scan::Scan;
use crate::check::threshold::Threshold;
use crate::{Error, sql};

/// A difference, and what it should be: 0 unless something else is said.
pub(in crate::check) struct Compared {
    /// Returns one row: what is measured, and what it is measured of here and there (as texts).
    pub(in crate::check) query: String,
    /// What is measured.
    pub(in crate::check) label: String,
    pub(in crate::check) thresholds: Vec<Threshold>,
    pub(in crate::check) unit: Unit,
    /// Whether the numbers themselves may be told.
    pub(in crate::check) personal: bool,
}

/// The inner `Err` says why the rule can't be asked.
pub(super) fn question(
    rule: &Rule,
    filter: Option<&str>,
    data: &Data<'_>,
    scan: &mut Scan,
) -> Result<Result<Question, String>, Error> {
    let Some((dataset, other_filter)) = rule.kind.other() else {
        let word = rule.kind.as_str();
        return Ok(Err(format!("`{word}` is about one dataset")));
    };
    let other = match data.other(dataset) {
        Ok(other) => other,
        Err(why) => return Ok(Err(why)),
    };
    let other_filter = match other_filter {
        None => None,
        Some(written) => match data.condition_on(written, &other.relation)? {
            Ok(condition) => Some(condition),
            Err(why) => return Ok(Err(format!("its condition on `{dataset}`: {why}"))),
        },
    };
    let asked = Asking {
        rule,
        filter,
        other,
        other_filter,
        dataset,
        data,
    };
    Ok(match &rule.kind {
        RuleKind::ForeignKey { columns, to, .. } => asked
            .foreign_key(columns, to)
            .map(|rows| rows.asked(filter, data, scan)),
        _ => asked.difference().map(Question::Compared),
    })
}

struct Asking<'a> {
    rule: &'a Rule,
    filter: Option<&'a str>,
    other: Other<'a>,
    other_filter: Option<String>,
    dataset: &'a str,
    data: &'a Data<'a>,
}

impl Asking<'_> {
    fn other_columns(&self, names: &[String]) -> Result<Vec<&Column>, String> {
        let whose = format!("`{}`", self.dataset);
        let columns = names
            .iter()
            .map(|name| one_of(self.other.columns, name, &whose));
        columns.collect()
    }

    /// The other dataset, as it stands behind `FROM`.
    fn other_rows(&self) -> String {
        from(
            &sql::ident(&self.other.relation),
            self.other_filter.as_deref(),
        )
    }

    fn own_rows(&self) -> String {
        from(&self.data.relation, self.filter)
    }

    fn foreign_key(&self, columns: &[String], to: &[String]) -> Result<Uncounted, String> {
        let own = all(self.data.input.columns, columns)?;
        let others = self.other_columns(to)?;
        let keys: Vec<String> = others
            .iter()
            .enumerate()
            .map(|(i, column)| format!("{} AS k{i}", sql::ident(&column.name)))
            .collect();
        let relation = &self.data.relation;
        let own_name = |column: &Column| format!("{relation}.{}", sql::ident(&column.name));
        let same: Vec<String> = own
            .iter()
            .enumerate()
            .map(|(i, column)| format!("o.k{i} = {}", own_name(column)))
            .collect();
        let present: Vec<String> = own
            .iter()
            .map(|column| format!("{} IS NOT NULL", own_name(column)))
            .collect();
        let breaks = format!(
            "({} AND NOT EXISTS (SELECT 1 FROM (SELECT {} {}) AS o WHERE {}))",
            present.join(" AND "),
            keys.join(", "),
            self.other_rows(),
            same.join(" AND "),
        );
        Ok(Uncounted {
            breaks: Breaks {
                condition: breaks,
                sees: Sees::OtherDataset,
            },
            detail: format!(
                "{} is not in `{}`",
                named(own.iter().map(|column| column.name.as_str()), ", "),
                self.dataset
            ),
            shown: own.iter().map(|column| column.name.clone()).collect(),
            probe: None,
        })
    }

    fn difference(&self) -> Result<Compared, String> {
        let (query, label, personal) = match &self.rule.kind {
            RuleKind::RowCountMatch { .. } => {
                let count = |from: String| format!("(SELECT count(*) {from})");
                (
                    subtracted(&count(self.own_rows()), &count(self.other_rows())),
                    "the number of rows".to_owned(),
                    false,
                )
            }
            RuleKind::AggregateMatch {
                function,
                column,
                quantile,
                other_column,
                ..
            } => {
                let column = one(self.data.input.columns, column)?;
                let theirs = self.other_columns(std::slice::from_ref(other_column))?;
                let theirs = theirs.first().copied().unwrap_or(column);
                let here = aggregate(*function, column, *quantile, None)?;
                let there = aggregate(*function, theirs, *quantile, None)?;
                (
                    subtracted(
                        &format!("(SELECT {here} {})", self.own_rows()),
                        &format!("(SELECT {there} {})", self.other_rows()),
                    ),
                    label(*function, column, *quantile),
                    self.data.contract.is_personal(&column.name),
                )
            }
            RuleKind::Equality {
                columns,
                other_columns,
                ..
            } => {
                let list = |columns: Vec<&Column>| {
                    let names = columns.iter().map(|column| sql::ident(&column.name));
                    names.collect::<Vec<_>>().join(", ")
                };
                let here = format!(
                    "SELECT {} {}",
                    list(all(self.data.input.columns, columns)?),
                    self.own_rows()
                );
                let there = format!(
                    "SELECT {} {}",
                    list(self.other_columns(other_columns)?),
                    self.other_rows()
                );
                let query = format!(
                    "SELECT ((SELECT count(*) FROM ({here} EXCEPT ALL {there})) + (SELECT count(*) FROM ({there} EXCEPT ALL {here})))::VARCHAR, \
                     (SELECT count(*) FROM ({here}))::VARCHAR, (SELECT count(*) FROM ({there}))::VARCHAR"
                );
                (
                    query,
                    "the number of rows in one of the two only".to_owned(),
                    false,
                )
            }
            other => return Err(format!("`{}` is about one dataset", other.as_str())),
        };
        Ok(Compared {
            query,
            label,
            thresholds: Threshold::all(&self.rule.comparisons)?,
            unit: self.rule.unit,
            personal,
        })
    }
}

fn from(relation: &str, filter: Option<&str>) -> String {
    match filter {
        None => format!("FROM {relation}"),
        Some(filter) => format!("FROM {relation} WHERE {filter}"),
    }
}

fn subtracted(here: &str, there: &str) -> String {
    format!(
        "SELECT (h - t)::VARCHAR, h::VARCHAR, t::VARCHAR FROM (SELECT {here} AS h, {there} AS t)"
    )
}
