//! Holding a staged dataset against its contract, before anybody can read it.
//!
//! What Parquet's statistics settle is not asked ([`statistics`]); what single rules need is asked in one scan of the data
//! ([`scan`]); keys are told apart by bits in that scan or by their hashes ([`unique`]); people's queries share the scan where they can ([`custom`]). Only for a rule that failed is the
//! data read again, for a sample of the rows ([`sample`]).

mod around;
mod bind;
mod columns;
mod custom;
mod finding;
mod format;
mod judge;
mod predicate;
mod question;
mod sample;
mod scan;
mod set_aside;
mod statistics;
mod threshold;
mod unique;
mod verdict;
mod words;

use std::path::Path;

use comboi_project::{Contract, Located, Number, Rule};

use crate::instance::Instance;
use crate::{Error, Input, Session, read_files, sql, view};

use judge::Known;
use question::Question;
use scan::Scan;
use statistics::Statistics;

pub use around::{Around, OtherDataset};
pub use bind::{BadRule, Names, bind_contract_sql};
pub use columns::check_columns;
pub use custom::check_contract_sql;
pub use set_aside::{
    Aside, MOMENT_COLUMN, RULES_COLUMN, RUN_COLUMN, SetAside, quarantine_columns, set_aside,
};
pub use verdict::{Sample, Verdict, VerdictOutcome};

/// Holds a dataset against its contract: one verdict for each rule, in the order of the contract, after those on
/// its columns.
///
/// `staged` is what the query returned: the columns as people's SQL sees them, the files in the lake's types; its
/// alias does not matter. Fails only when the files can't be read at all or somebody
/// asked to stop; a rule that can't be checked is a verdict too ([`VerdictOutcome::CouldNotRun`]).
pub fn check(
    session: &Session,
    contract: &Contract,
    staged: &Input<'_>,
    around: &Around<'_>,
) -> Result<Vec<Verdict>, Error> {
    let input = Input {
        alias: contract.dataset.as_str(),
        ..*staged
    };
    let instance = seeing(session, &input, around, &[])?;
    instance.lock()?;
    let rules = rules(contract);
    let data = Data::of(session, &instance, contract, &rules, input, around);
    let mut verdicts = check_columns(contract, input.columns);
    verdicts.extend(data.verdicts()?);
    Ok(verdicts)
}

/// Everything that a contract promises about rows: what its types say first.
fn rules(contract: &Contract) -> Vec<Rule> {
    columns::length_rules(contract)
        .into_iter()
        .chain(contract.rules())
        .collect()
}

/// An instance that sees a dataset and those that it is held against, and may write to these files. It is not locked yet.
fn seeing(
    session: &Session,
    input: &Input<'_>,
    around: &Around<'_>,
    writes: &[&Path],
) -> Result<Instance, Error> {
    let others = around.others.iter().filter_map(|other| other.data.ok());
    let files: Vec<&Path> = input
        .files
        .iter()
        .chain(others.flat_map(|data| data.files))
        .map(AsRef::as_ref)
        .chain(writes.iter().copied())
        .collect();
    let instance = session.confined(&files)?;
    read_files::define_is_json(&instance)?;
    view::show_input(&instance, input)?;
    for (i, other) in around.others.iter().enumerate() {
        if let Ok(data) = other.data {
            let alias = around::alias(i);
            let shown = Input {
                alias: &alias,
                ..data
            };
            view::show_input(&instance, &shown)?;
        }
    }
    Ok(instance)
}

/// The dataset and everything that is needed to ask it.
struct Data<'a> {
    session: &'a Session,
    /// It sees nothing but the dataset, under its name, and those it is held against.
    instance: &'a Instance,
    contract: &'a Contract,
    rules: &'a [Rule],
    statistics: Statistics,
    input: Input<'a>,
    /// The dataset's name in SQL.
    relation: String,
    around: &'a Around<'a>,
    now_micros: i64,
}

/// A dataset that this one is held against.
struct Other<'a> {
    columns: &'a comboi_project::Columns,
    /// Its name in this instance.
    relation: String,
}

impl<'a> Data<'a> {
    fn of(
        session: &'a Session,
        instance: &'a Instance,
        contract: &'a Contract,
        rules: &'a [Rule],
        input: Input<'a>,
        around: &'a Around<'a>,
    ) -> Self {
        Self {
            session,
            instance,
            contract,
            rules,
            statistics: Statistics::read(instance, &input),
            input,
            relation: sql::ident(input.alias),
            around,
            now_micros: around.now.timestamp_micros(),
        }
    }

    fn verdicts(&self) -> Result<Vec<Verdict>, Error> {
        let mut scan = Scan::new();
        let rows = scan.ask_rows();
        let questions: Result<Vec<Question>, Error> = self
            .rules
            .iter()
            .map(|rule| Question::of(rule, self, &mut scan))
            .collect();
        let answers = scan.run(self)?;
        let mut known = Known::new();
        let judged = self.rules.iter().zip(questions?).map(|(rule, question)| {
            let found = match answers.count(rows) {
                Ok(_) => self.judge(rule, &question, &answers, &mut known)?,
                Err(failure) => self.could_not(failure, "", None),
            };
            Ok(found.of_rule(rule))
        });
        judged.collect()
    }

    /// A condition on the rows of this dataset, as somebody wrote it. The inner `Err` says why it is none.
    fn condition(&self, written: &Located<String>) -> Result<Result<String, String>, Error> {
        self.condition_on(written, self.contract.dataset.as_str())
    }

    /// The same of another relation of the instance.
    fn condition_on(
        &self,
        written: &Located<String>,
        relation: &str,
    ) -> Result<Result<String, String>, Error> {
        custom::condition_on(self.session, relation, written)
    }

    /// A dataset that this one is held against, by the name that the contract has for it; else why it is not at hand.
    fn other(&self, name: &str) -> Result<Other<'a>, String> {
        if name == self.contract.dataset.as_str() {
            return Ok(Other {
                columns: self.input.columns,
                relation: self.input.alias.to_owned(),
            });
        }
        let found = self.around.others.iter().enumerate();
        let mut found = found.filter(|(_, other)| other.name == name);
        match found.next() {
            Some((i, OtherDataset { data: Ok(data), .. })) => Ok(Other {
                columns: data.columns,
                relation: around::alias(i),
            }),
            Some((_, OtherDataset { data: Err(why), .. })) => Err((*why).to_owned()),
            None => Err(format!(
                "`{name}` is not at hand: it is a dataset of a project"
            )),
        }
    }
}
