//! Holding a staged dataset against its contract, before anybody can read it.
//!
//! What Parquet's statistics settle is not asked ([`statistics`]); what single rules need is asked in one scan of the data
//! ([`scan`]); keys are told apart by bits in that scan or by their hashes ([`unique`]); people's queries share the scan where they can ([`custom`]). Only for a rule that failed is the
//! data read again, for a sample of the rows ([`sample`]).

mod columns;
mod custom;
mod number;
mod predicate;
mod question;
mod sample;
mod scan;
mod statistics;
mod unique;
mod verdict;
mod words;

use std::path::Path;

use chrono::{DateTime, Utc};
use comboi_project::{Contract, Literal, Rule};

use crate::damage::{blamed, in_pages};
use crate::failure::{Failure, Kind, first_line};
use crate::instance::Instance;
use crate::masking::without_values;
use crate::{Error, Input, Session, sql, view};

use custom::NoNumber;
use number::Number;
use question::{Question, Rows, named};
use scan::{Answers, Asked, Scan, unless_stopped};
use statistics::Statistics;
use unique::{Duplicates, Keys};
use words::{counted, grouped};

pub use verdict::{Sample, Verdict, VerdictOutcome};

/// Holds a dataset against its contract: one verdict for each rule, in the order of the contract, after those on
/// its columns.
///
/// `staged` is what the query returned: the columns as people's SQL sees them, the files in the lake's types; its
/// alias does not matter. Age is counted back from `now`. Fails only when the files can't be read at all or somebody
/// asked to stop; a rule that can't be checked is a verdict too ([`VerdictOutcome::CouldNotRun`]).
pub fn check(
    session: &Session,
    contract: &Contract,
    staged: &Input<'_>,
    now: DateTime<Utc>,
) -> Result<Vec<Verdict>, Error> {
    let input = Input {
        alias: contract.dataset.as_str(),
        ..*staged
    };
    let files: Vec<&Path> = input.files.iter().map(AsRef::as_ref).collect();
    let instance = session.confined(&files)?;
    view::show_input(&instance, &input)?;
    instance.lock()?;
    let statistics = Statistics::read(&instance, &input);
    let rules: Vec<Rule> = columns::length_rules(contract)
        .into_iter()
        .chain(contract.rules())
        .collect();
    let data = Data {
        session,
        instance: &instance,
        contract,
        rules: &rules,
        statistics,
        input,
        relation: sql::ident(input.alias),
        now_micros: now.timestamp_micros(),
    };
    let mut verdicts = columns::compare(contract, input.columns);
    verdicts.extend(data.verdicts()?);
    Ok(verdicts)
}

/// The dataset and everything that is needed to ask it.
struct Data<'a> {
    session: &'a Session,
    /// It sees nothing but the dataset, under its name.
    instance: &'a Instance,
    contract: &'a Contract,
    rules: &'a [Rule],
    statistics: Statistics,
    input: Input<'a>,
    /// The dataset's name in SQL.
    relation: String,
    now_micros: i64,
}

/// What a rule came to, before it has its name.
struct Finding {
    outcome: VerdictOutcome,
    measured: String,
}

impl Data<'_> {
    fn verdicts(&self) -> Result<Vec<Verdict>, Error> {
        let mut scan = Scan::new();
        let rows = scan.ask_rows();
        let questions: Result<Vec<Question>, Error> = self
            .rules
            .iter()
            .map(|rule| Question::of(rule, self, &mut scan))
            .collect();
        let answers = scan.run(self)?;
        let mut known = Vec::new();
        let judged = self.rules.iter().zip(questions?).map(|(rule, question)| {
            let Finding { outcome, measured } =
                self.judge(&question, &answers, rows, &mut known)?;
            Ok(Verdict {
                rule: rule.name.clone(),
                kind: rule.kind.as_str().to_owned(),
                severity: rule.severity,
                outcome,
                measured,
                place: rule.place.clone(),
            })
        });
        judged.collect()
    }

    fn judge(
        &self,
        question: &Question,
        answers: &Answers,
        rows: Asked,
        known: &mut Known,
    ) -> Result<Finding, Error> {
        let row_count = match answers.count(rows) {
            Ok(row_count) => row_count,
            Err(failure) => return Ok(self.could_not(failure, "", None)),
        };
        match question {
            Question::Impossible(why) => Ok(Finding::unknown(why.clone())),
            Question::Rows(rows) => self.judge_rows(rows, answers, row_count),
            Question::Volume { min, max } => Ok(Finding::of(
                None,
                question::volume(row_count, *min, *max),
                counted(row_count, "row"),
            )),
            Question::Unique {
                columns,
                present,
                different,
            } => match answers.count(*present) {
                Ok(present) => {
                    let different = different.and_then(|it| answers.count(it).ok());
                    if different == Some(present) {
                        known.push((columns.clone(), Ok(Duplicates::default())));
                    }
                    self.judge_keys(columns, present, row_count, known)
                }
                Err(failure) => Ok(self.could_not(failure, "", None)),
            },
            Question::Fresh(fresh) => {
                let asked = || {
                    Ok((
                        answers.count(fresh.known)?,
                        answers.count(fresh.future)?,
                        answers.text(fresh.newest)?,
                    ))
                };
                let (known, future, newest) = match asked() {
                    Ok(all) => all,
                    Err(failure) => return Ok(self.could_not(failure, "", None)),
                };
                let newest = newest.and_then(|text| text.parse().ok());
                let (detail, measured) =
                    fresh.judge(row_count, known, future, newest, self.now_micros);
                Ok(Finding::of(None, detail, measured))
            }
            Question::Counts {
                condition,
                count,
                expected,
            } => match answers.count(*count) {
                Ok(count) => self.judge_count(condition, count, expected, row_count),
                Err(failure) => Ok(self.could_not(failure, condition, None)),
            },
            Question::Alone { query, expected } => match custom::number(self.instance, query) {
                Ok(number) => Ok(Finding::of_number(number.as_deref(), expected)),
                Err(NoNumber::Shape(why)) => Ok(Finding::unknown(why)),
                Err(NoNumber::Failed(failure)) => {
                    Ok(self.could_not(&self.unless_ended(failure)?, query, None))
                }
            },
        }
    }

    fn judge_rows(&self, rows: &Rows, answers: &Answers, row_count: u64) -> Result<Finding, Error> {
        let broken = match answers.count(rows.count) {
            Ok(broken) => broken,
            Err(failure) => return Ok(self.could_not(failure, "", rows.probe.as_deref())),
        };
        let measured = counted(row_count, "row");
        if broken == 0 {
            return Ok(Finding::of(None, None, measured));
        }
        let sample = self.sample(&rows.breaks, &rows.shown)?;
        Ok(Finding::failed(
            Some(broken),
            rows.detail.clone(),
            sample,
            measured,
        ))
    }

    fn judge_keys(
        &self,
        columns: &[String],
        present: u64,
        row_count: u64,
        known: &mut Known,
    ) -> Result<Finding, Error> {
        let found = match known.iter().find(|(of, _)| of == columns) {
            Some((_, found)) => found.clone(),
            None => {
                let select = view::select_input(self.instance, &self.input)?;
                let relation = format!("({select}) AS {}", self.relation);
                let names = columns.iter().map(String::as_str).collect();
                let found = Keys {
                    relation: &relation,
                    columns: names,
                    row_count: present,
                }
                .duplicates(self.session);
                known.push((columns.to_vec(), found.clone()));
                found
            }
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) => return Ok(self.could_not(&self.unless_ended(failure)?, "", None)),
        };
        let aside = match row_count - present.min(row_count) {
            0 => String::new(),
            n => format!(", {} with NULL left aside", counted(n, "row")),
        };
        let measured = format!("{}{aside}", counted(row_count, "row"));
        if found.rows == 0 {
            return Ok(Finding::of(None, None, measured));
        }
        let what = if columns.len() == 1 {
            "value"
        } else {
            "combination"
        };
        let verb = if found.keys == 1 { "occurs" } else { "occur" };
        let names = named(columns.iter().map(String::as_str), ", ");
        let detail = format!(
            "{} of {names} {verb} more than once",
            counted(found.keys, what)
        );
        Ok(Finding::failed(
            Some(found.rows),
            detail,
            self.sample_of_keys(columns)?,
            measured,
        ))
    }

    fn judge_count(
        &self,
        condition: &str,
        count: u64,
        expected: &Literal,
        row_count: u64,
    ) -> Result<Finding, Error> {
        let finding = Finding::of_number(Some(&count.to_string()), expected);
        let VerdictOutcome::Failed { detail, .. } = finding.outcome else {
            return Ok(finding);
        };
        // Which rows are to blame is plain only when there should be none.
        let none_expected =
            Number::parse(&expected.text).is_some_and(|number| number == Number::zero());
        if !none_expected {
            return Ok(Finding::failed(
                None,
                detail,
                Sample::default(),
                finding.measured,
            ));
        }
        let sample = self.sample(&format!("({condition})"), &[])?;
        let detail = "the query counts rows where there should be none".to_owned();
        Ok(Finding::failed(
            Some(count),
            detail,
            sample,
            counted(row_count, "row"),
        ))
    }

    /// Being asked to stop and a file that can't be read end the whole check; everything else is the fault of one rule.
    fn unless_ended(&self, failure: Failure) -> Result<Failure, Error> {
        let about_a_file = matches!(failure.kind, Kind::File | Kind::Damage)
            || in_pages(&failure.message).is_some();
        let reason = about_a_file.then(|| blamed(self.instance, &failure, self.input.files));
        match reason.flatten() {
            Some(reason) => Err(Error::Unreadable {
                doing: format!("read `{}`", self.input.alias),
                reason,
            }),
            None => unless_stopped(failure),
        }
    }

    /// `said`: the rule's own SQL, if it has any: messages may repeat what stands there. `probe`: a query without
    /// rows that fails in the same way when the contract is to blame, not the data.
    fn could_not(&self, failure: &Failure, said: &str, probe: Option<&str>) -> Finding {
        let blamed = probe.and_then(|probe| self.instance.rows(probe).err());
        let mib = self.session.limits().memory_bytes / (1024 * 1024);
        Finding::unknown(match (blamed, failure.kind) {
            (Some(blamed), _) => first_line(&blamed.message),
            (None, Kind::OutOfMemory) => {
                format!("it needs more than the {mib} MiB of memory that it may use")
            }
            (None, Kind::DiskFull) => {
                "the disk is full, or more than the allowed part of it is used for spilling"
                    .to_owned()
            }
            (None, Kind::Statement | Kind::Permission) => first_line(&failure.message),
            (None, _) => without_values(&failure.message, said),
        })
    }
}

/// What was found out about keys: different rules may be about the same ones.
type Known = Vec<(Vec<String>, Result<Duplicates, Failure>)>;

impl Finding {
    /// Failed if there is a detail.
    fn of(failed_count: Option<u64>, detail: Option<String>, measured: String) -> Self {
        match detail {
            Some(detail) => Self::failed(failed_count, detail, Sample::default(), measured),
            None => Self {
                outcome: VerdictOutcome::Passed,
                measured,
            },
        }
    }

    fn failed(failed_count: Option<u64>, detail: String, sample: Sample, measured: String) -> Self {
        Self {
            outcome: VerdictOutcome::Failed {
                failed_count,
                detail,
                sample,
            },
            measured,
        }
    }

    fn unknown(why: String) -> Self {
        Self {
            outcome: VerdictOutcome::CouldNotRun { why },
            measured: "nothing".to_owned(),
        }
    }

    /// What a query returned, held against what it should.
    fn of_number(number: Option<&str>, expected: &Literal) -> Self {
        let shown = number.map_or_else(|| "NULL".to_owned(), grouped);
        let wanted = grouped(&expected.text);
        let detail = format!("the query returns {shown}, {wanted} is expected");
        let same = number.is_some_and(|number| same_number(number, &expected.text));
        Self::of(
            None,
            (!same).then_some(detail),
            format!("the query returns {shown}"),
        )
    }
}

/// Compared digit by digit; `inf` and `nan`, which have none, as text.
fn same_number(number: &str, expected: &str) -> bool {
    match (Number::parse(number), Number::parse(expected)) {
        (Some(number), Some(expected)) => number == expected,
        _ => number.eq_ignore_ascii_case(expected.trim()),
    }
}
