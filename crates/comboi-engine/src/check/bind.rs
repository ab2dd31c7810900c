//! The names in a contract's SQL, held against the columns that there are, before anything runs.

use comboi_project::{
    Columns, Contract, Located, Place, Problem, Rule, RuleKind, Severity, did_you_mean,
};

use super::custom::{Query, condition_on};
use crate::failure::{Failure, Kind};
use crate::instance::Instance;
use crate::select::said_of;
use crate::view::show_empty;
use crate::{Error, Input, Session, sql};

/// What the names in a contract's SQL may mean.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// The columns of the dataset.
    pub columns: &'a Columns,
    /// Whether these are all: else a name that is like none of them may be a column that the contract does not list.
    pub all: bool,
    /// The columns of datasets that it is held against, as far as they are known, by the contract's names for them.
    pub others: &'a [(&'a str, &'a Columns)],
}

/// SQL of a rule that can't be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRule {
    /// What is wrong with it.
    pub problem: Problem,
    /// Whether the contract is broken by it, and not only reported to be: by the rule's severity and action.
    pub breaks: bool,
}

/// Names in the SQL of a contract that mean nothing, and what else DuckDB finds wrong with it once it knows the columns. Runs
/// nothing, and says nothing of SQL that does not parse.
pub fn bind_contract_sql(
    session: &Session,
    contract: &Contract,
    names: &Names<'_>,
) -> Result<Vec<BadRule>, Error> {
    let rules: Vec<Rule> = contract.rules();
    let mut rules = rules.iter().filter(|rule| has_sql(rule)).peekable();
    if rules.peek().is_none() {
        return Ok(Vec::new());
    }
    let dataset = contract.dataset.as_str();
    let parser = session.parser()?;
    parser.own("begin", "BEGIN")?;
    let binding = Binding {
        session,
        instance: parser,
        dataset,
        names,
    };
    let found = binding.show(dataset, names.columns).and_then(|()| {
        let found = rules.map(|rule| {
            let breaks = rule.severity == Severity::Error || rule.action.sets_aside();
            let bad = |problem| BadRule { problem, breaks };
            Ok(binding.rule(rule)?.into_iter().map(bad).collect::<Vec<_>>())
        });
        found.collect::<Result<Vec<_>, Error>>()
    });
    // Leaves nothing for the next contract, which may be of a dataset with the same name.
    parser.own("forget the columns", "ROLLBACK")?;
    Ok(found?.into_iter().flatten().collect())
}

fn has_sql(rule: &Rule) -> bool {
    rule.filter.is_some() || query_of(rule).is_some() || conditions_of(rule).next().is_some()
}

fn query_of(rule: &Rule) -> Option<&Located<String>> {
    match &rule.kind {
        RuleKind::CustomSql { query, .. } | RuleKind::FailedRows { query } => Some(query),
        _ => None,
    }
}

/// Conditions of a rule, each with the dataset that it is about; `None`: its own.
fn conditions_of(rule: &Rule) -> impl Iterator<Item = (Option<&str>, &Located<String>)> {
    let own = match &rule.kind {
        RuleKind::Expression { expression } => Some(expression),
        _ => None,
    };
    let of_other = rule.kind.other();
    let of_other = of_other.and_then(|(dataset, filter)| Some((Some(dataset), filter?)));
    let own = own.into_iter().chain(&rule.filter).map(|it| (None, it));
    own.chain(of_other)
}

struct Binding<'a> {
    session: &'a Session,
    instance: &'a Instance,
    dataset: &'a str,
    names: &'a Names<'a>,
}

impl Binding<'_> {
    fn show(&self, alias: &str, columns: &Columns) -> Result<(), Error> {
        let empty = Input {
            alias,
            columns,
            files: &[],
        };
        show_empty(self.instance, &empty)
    }

    fn rule(&self, rule: &Rule) -> Result<Vec<Problem>, Error> {
        let mut problems = Vec::new();
        if let Some(query) = query_of(rule)
            && let Query::Counts { query: text, .. } | Query::Alone(text) =
                Query::read(self.session, self.dataset, query, &query.place)?
        {
            problems.extend(self.bound(rule, &text, self.names.columns, self.names.all, query)?);
        }
        for (other, condition) in conditions_of(rule) {
            let own = other.is_none_or(|other| other == self.dataset);
            let known = self.names.others.iter();
            let mut known = known.filter(|(name, _)| Some(*name) == other);
            let (columns, all) = match (own, known.next()) {
                (true, _) => (self.names.columns, self.names.all),
                (false, Some((_, columns))) => (*columns, true),
                (false, None) => continue,
            };
            let relation = if own { self.dataset } else { "other" };
            let Ok(text) = condition_on(self.session, relation, condition)? else {
                continue;
            };
            if !own {
                self.instance
                    .own("forget a dataset", "DROP VIEW IF EXISTS other")?;
                self.show(relation, columns)?;
            }
            let query = format!("SELECT 1 FROM {} WHERE ({text})", sql::ident(relation));
            problems.extend(self.bound(rule, &query, columns, all, condition)?);
        }
        Ok(problems)
    }

    fn bound(
        &self,
        rule: &Rule,
        query: &str,
        columns: &Columns,
        all: bool,
        written: &Located<String>,
    ) -> Result<Option<Problem>, Error> {
        let Err(failure) = self.instance.columns(query) else {
            return Ok(None);
        };
        if failure.kind == Kind::Interrupted {
            return Err(Error::Interrupted);
        }
        let unknown = unknown_name(&failure);
        let near = unknown.and_then(|name| did_you_mean(name, columns.names()));
        if unknown.is_some() && near.is_none() && !all {
            return Ok(None);
        }
        let (message, hint) = said_of(&failure);
        let message = match unknown {
            Some(name) => format!("rule `{}`: there is no column `{name}`", rule.name),
            None => format!("rule `{}`: {message}", rule.name),
        };
        let hint = near.or(hint.filter(|_| unknown.is_none()));
        let place: &Place = &written.place;
        Ok(Some(Problem::at(place, message).maybe_hint(hint)))
    }
}

/// The column that is not there, if that is what a failure is about.
fn unknown_name(failure: &Failure) -> Option<&str> {
    let after = failure.message.split_once("Referenced column \"")?.1;
    Some(after.split_once('"')?.0)
}
