//! Taking rows away that break rules with the action `quarantine` or `drop`, before anybody can read them.
//!
//! Which rows those are is found once, by all of these rules together; what stays and what goes to the quarantine is written from that, so
//! that a row is in exactly one of the two, or dropped.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use comboi_project::{Action, Column, Columns, Contract, Rule, RunId, SqlType};

use super::question::{Breaks, Question};
use super::scan::Scan;
use super::{Around, Data, rules, seeing};
use crate::failure::Failure;
use crate::{Error, Input, Session, parquet, sql, view};

/// The column of a quarantine that names the rules which a row broke.
pub const RULES_COLUMN: &str = "_comboi_rules";
/// The column of a quarantine that says which run put a row there.
pub const RUN_COLUMN: &str = "_comboi_run_id";
/// The column of a quarantine that says when a row was put there.
pub const MOMENT_COLUMN: &str = "_comboi_quarantined_at";

/// Where the rows go.
#[derive(Clone, Copy, Debug)]
pub struct Aside<'a> {
    /// A file for what stays.
    pub kept: &'a Path,
    /// A file for what goes to the quarantine.
    pub quarantined: &'a Path,
    /// The run.
    pub run: RunId,
    /// When it is.
    pub at: DateTime<Utc>,
}

/// What became of the rows of a dataset.
#[derive(Clone, Debug)]
pub struct SetAside {
    /// What stays: one file with the columns of the dataset.
    pub kept: PathBuf,
    /// Rows in it.
    pub kept_rows: u64,
    /// What goes to the quarantine, if there is any: one file with the columns of [`quarantine_columns`].
    pub quarantined: Option<PathBuf>,
    /// Rows in it.
    pub quarantined_rows: u64,
    /// Rows that are left out.
    pub dropped_rows: u64,
}

/// The columns of the quarantine of a dataset that has these: its own, and why, by which run and when.
///
/// A column of the dataset with one of these names gives way: comboi's own names are nobody else's.
pub fn quarantine_columns(columns: &Columns) -> Columns {
    let text = SqlType::Varchar(None);
    let own = [
        Column::new(RULES_COLUMN, SqlType::List(Box::new(text))),
        Column::new(RUN_COLUMN, SqlType::BigInt),
        Column::new(MOMENT_COLUMN, SqlType::TimestampTz),
    ];
    Columns(its_own(columns).cloned().chain(own).collect())
}

/// The columns of a dataset that its quarantine has too.
fn its_own(columns: &Columns) -> impl Iterator<Item = &Column> {
    columns.iter().filter(|column| {
        [RULES_COLUMN, RUN_COLUMN, MOMENT_COLUMN]
            .iter()
            .all(|name| !column.name.eq_ignore_ascii_case(name))
    })
}

/// Takes the rows away that break rules of these contracts with the action `quarantine` or `drop`. A row that breaks one of each goes to the
/// quarantine.
///
/// `staged` is what the query returned, in one file. To be called when all of those rules could be checked; one that can't be fails.
pub fn set_aside(
    session: &Session,
    contracts: &[&Contract],
    staged: &Input<'_>,
    around: &Around<'_>,
    to: &Aside<'_>,
) -> Result<SetAside, Error> {
    let Some(contract) = contracts.first() else {
        return Err(defect("no contract says which rows to set aside"));
    };
    let input = Input {
        alias: contract.dataset.as_str(),
        ..*staged
    };
    let instance = seeing(session, &input, around, &[to.kept, to.quarantined])?;
    instance.lock()?;
    let mut flags = Vec::new();
    for contract in contracts {
        let rules: Vec<Rule> = rules(contract)
            .into_iter()
            .filter(|rule| rule.action.sets_aside())
            .collect();
        let data = Data::of(session, &instance, contract, &rules, input, around);
        for rule in &rules {
            let breaks = data.breaks(rule)?;
            flags.push((rule.name.clone(), rule.action, breaks.condition));
        }
    }
    let rules: &[Rule] = &[];
    let data = Data::of(session, &instance, contract, rules, input, around);
    data.take_away(&flags, to)
}

impl Data<'_> {
    /// Which rows break a rule.
    fn breaks(&self, rule: &Rule) -> Result<Breaks, Error> {
        // Nothing is asked of this scan: it is only how conditions are made.
        let mut scan = Scan::new();
        match Question::of(rule, self, &mut scan)? {
            Question::Rows(rows) => Ok(rows.breaks),
            Question::Unique(unique) => Ok(unique.breaks()),
            Question::Impossible(why) => Err(defect(&why)),
            _ => Err(defect(&format!("`{}` is not about rows", rule.name))),
        }
    }

    fn take_away(
        &self,
        flags: &[(String, Action, String)],
        to: &Aside<'_>,
    ) -> Result<SetAside, Error> {
        let (file, row) = (self.file_name(), self.row_name());
        let flag = |(name, _, condition): &(String, Action, String)| {
            format!("CASE WHEN {condition} THEN {} END", sql::text(name))
        };
        let names: Vec<String> = flags.iter().map(flag).collect();
        let quarantining: Vec<String> = flags
            .iter()
            .filter(|(_, action, _)| *action == Action::Quarantine)
            .map(|(name, ..)| sql::text(name))
            .collect();
        let found = format!(
            "CREATE TEMP TABLE taken AS SELECT *, list_has_any(rules, [{}]::VARCHAR[]) AS kept_aside FROM (\
             SELECT {file} AS file, {row} AS row, list_distinct(list_filter([{}], lambda r: r IS NOT NULL)) AS rules FROM {}\
             ) WHERE len(rules) > 0",
            quarantining.join(", "),
            names.join(", "),
            self.numbered()?
        );
        self.run(&found)?;
        let scan = view::scan(self.input.files);
        let stored = |columns: &mut dyn Iterator<Item = &Column>| {
            let names: Vec<String> = columns
                .map(|column| format!("s.{}", sql::ident(&column.name)))
                .collect();
            names.join(", ")
        };
        let kept = format!(
            "SELECT {} FROM {scan} AS s ANTI JOIN taken AS t ON s.file_index = t.file AND s.file_row_number = t.row",
            stored(&mut self.input.columns.iter())
        );
        let kept_rows = self.write(&kept, self.input.columns, to.kept)?;
        let own: String = stored(&mut its_own(self.input.columns));
        let comma = if own.is_empty() { "" } else { ", " };
        let aside = format!(
            "SELECT {own}{comma}list_sort(t.rules) AS {RULES_COLUMN}, {}::BIGINT AS {RUN_COLUMN}, make_timestamptz({}) AS {MOMENT_COLUMN} \
             FROM {scan} AS s JOIN taken AS t ON s.file_index = t.file AND s.file_row_number = t.row WHERE t.kept_aside",
            to.run.0,
            to.at.timestamp_micros()
        );
        let counted = self.instance.rows(
            "SELECT (count(*) FILTER (WHERE kept_aside))::VARCHAR, (count(*) FILTER (WHERE NOT kept_aside))::VARCHAR FROM taken",
        );
        let counted = counted.map_err(|failure| self.told(failure))?;
        let mut counts = counted.into_iter().flatten().flatten();
        let mut next = || {
            counts
                .next()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        let (quarantined_rows, dropped_rows) = (next(), next());
        if quarantined_rows > 0 {
            let own = its_own(self.input.columns).cloned().collect();
            self.write(&aside, &own, to.quarantined)?;
        }
        Ok(SetAside {
            kept: to.kept.to_owned(),
            kept_rows,
            quarantined: (quarantined_rows > 0).then(|| to.quarantined.to_owned()),
            quarantined_rows,
            dropped_rows,
        })
    }

    fn write(&self, select: &str, columns: &Columns, to: &Path) -> Result<u64, Error> {
        let written = parquet::write(self.instance, select, columns, to)
            .map_err(|failure| failure.of_writing(to).unwrap_or_else(|| self.told(failure)))?;
        let count = written.into_iter().flatten().next().flatten();
        Ok(count.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    fn run(&self, statement: &str) -> Result<(), Error> {
        self.instance
            .execute(statement)
            .map(drop)
            .map_err(|failure| self.told(failure))
    }

    fn told(&self, failure: Failure) -> Error {
        match self.unless_ended(failure) {
            Ok(failure) => self.instance.explain(
                failure,
                &format!("set rows of `{}` aside", self.input.alias),
            ),
            Err(error) => error,
        }
    }
}

fn defect(why: &str) -> Error {
    Error::Internal {
        doing: "set rows aside".to_owned(),
        message: why.to_owned(),
    }
}
