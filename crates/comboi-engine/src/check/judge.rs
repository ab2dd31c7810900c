//! From what the data answered to what a rule came to.

use comboi_project::{Number, Rule, Unit};

use super::Data;
use super::custom::{self, NoNumber};
use super::finding::Finding;
use super::question::{self, Breaks, Compared, Numeric, Question, Rows, Sees, Unique, named};
use super::scan::{Answers, unless_stopped};
use super::threshold::{Threshold, broken};
use super::unique::{Duplicates, Keys};
use super::verdict::{Sample, VerdictOutcome};
use super::words::{counted, grouped};
use crate::damage::{blamed, in_pages};
use crate::failure::{Failure, Kind, first_line};
use crate::masking::without_values;
use crate::{Error, view};

/// What was found out about keys: different rules may be about the same ones.
pub(super) type Known = Vec<((Vec<String>, Option<String>), Result<Duplicates, Failure>)>;

impl Data<'_> {
    pub(super) fn judge(
        &self,
        rule: &Rule,
        question: &Question,
        answers: &Answers,
        known: &mut Known,
    ) -> Result<Finding, Error> {
        let thresholds = match Threshold::all(&rule.comparisons) {
            Ok(thresholds) => thresholds,
            // Of dates and timestamps, which have their own.
            Err(_) if matches!(question, Question::Number(_)) => Vec::new(),
            Err(why) => return Ok(Finding::unknown(why)),
        };
        match question {
            Question::Impossible(why) => Ok(Finding::unknown(why.clone())),
            Question::Rows(rows) => self.judge_rows(rule, rows, answers, &thresholds),
            Question::Volume { rows, min, max } => Ok(match answers.count(*rows) {
                Ok(count) => Finding::of(
                    None,
                    question::volume(count, *min, *max, &thresholds),
                    counted(count, "row"),
                )
                .with_value(count.to_string())
                .over(count),
                Err(failure) => self.could_not(failure, "", None),
            }),
            Question::Change { versions } => {
                self.judge_change(rule, *versions, answers, &thresholds)
            }
            Question::Unique(unique) => self.judge_keys(rule, unique, answers, &thresholds, known),
            Question::Fresh(fresh) => {
                let asked = || {
                    Ok((
                        answers.count(fresh.looked_at)?,
                        answers.count(fresh.known)?,
                        answers.count(fresh.future)?,
                        answers.text(fresh.newest)?,
                    ))
                };
                let (rows, known, future, newest) = match asked() {
                    Ok(all) => all,
                    Err(failure) => return Ok(self.could_not(failure, "", None)),
                };
                let newest = newest.and_then(|text| text.parse().ok());
                let age = fresh.judge(rows, known, future, newest, self.now_micros);
                let found = Finding::of(None, age.detail, age.measured).over(rows);
                Ok(match age.hours {
                    Some(hours) => found.with_value(hours),
                    None => found,
                })
            }
            Question::Number(numeric) => self.judge_number(numeric, answers),
            Question::Compared(compared) => self.judge_difference(compared),
            Question::Counts {
                condition,
                count,
                expected,
            } => {
                let count = match answers.count(*count) {
                    Ok(count) => count,
                    Err(failure) => return Ok(self.could_not(failure, condition, None)),
                };
                let found = self.judge_count(condition, count, expected.as_ref(), answers)?;
                Ok(held(found, &Number::whole(count.into()), &thresholds)
                    .with_value(count.to_string()))
            }
            Question::Alone { query, expected } => match custom::number(self.instance, query) {
                Ok(number) => {
                    let found = match expected {
                        Some(expected) => Finding::of_number(number.as_deref(), expected),
                        None => returned(number.as_deref()),
                    };
                    let Some(number) = number else {
                        return Ok(found);
                    };
                    let found = match Number::parse(&number) {
                        Some(exact) => held(found, &exact, &thresholds),
                        None if thresholds.is_empty() => found,
                        None => Finding::unknown(format!("`{number}` can't be compared")),
                    };
                    Ok(
                        if custom::is_personal(self.session, self.contract, query)? {
                            found.without(&[grouped(&number), number])
                        } else {
                            found.with_value(number)
                        },
                    )
                }
                Err(NoNumber::Shape(why)) => Ok(Finding::unknown(why)),
                Err(NoNumber::Failed(failure)) => {
                    Ok(self.could_not(&self.unless_ended(failure)?, query, None))
                }
            },
            Question::Failed { query } => self.judge_failed_rows(rule, query, answers, &thresholds),
        }
    }

    fn row_count(&self, answers: &Answers) -> u64 {
        answers.rows().unwrap_or(0)
    }

    fn judge_rows(
        &self,
        rule: &Rule,
        rows: &Rows,
        answers: &Answers,
        thresholds: &[Threshold],
    ) -> Result<Finding, Error> {
        let looked_at = match answers.count(rows.looked_at) {
            Ok(looked_at) => looked_at,
            Err(failure) => return Ok(self.could_not(failure, "", None)),
        };
        let counted_rows = match rows.count {
            Some(asked) => answers.count(asked).map_err(Clone::clone),
            None => self.count(&rows.breaks),
        };
        let broken_by = match counted_rows {
            Ok(count) => count,
            Err(failure) => {
                let failure = self.unless_ended(failure)?;
                return Ok(self.could_not(&failure, "", rows.probe.as_deref()));
            }
        };
        let measured = counted(looked_at, "row");
        let sample = || self.sample(&rows.breaks, &rows.shown);
        let counted_rows = Counted {
            broken_by,
            looked_at,
            detail: &rows.detail,
            measured,
        };
        Self::of_rows(rule, counted_rows, thresholds, sample)
    }

    /// Rows that break a rule: none may, unless thresholds say how many.
    fn of_rows(
        rule: &Rule,
        counted_rows: Counted<'_>,
        thresholds: &[Threshold],
        sample: impl FnOnce() -> Result<Sample, Error>,
    ) -> Result<Finding, Error> {
        let Counted {
            broken_by,
            looked_at,
            detail,
            measured,
        } = counted_rows;
        let number = match rule.unit {
            Unit::Rows => Some(Number::whole(broken_by.into())),
            // Of no rows at all, none break it.
            Unit::Percent if looked_at == 0 => Some(Number::zero()),
            Unit::Percent => Number::percent(broken_by.into(), looked_at),
        };
        let Some(number) = number else {
            return Ok(Finding::unknown(
                "there are too many rows to count".to_owned(),
            ));
        };
        let unit = match rule.unit {
            Unit::Rows => "",
            Unit::Percent => " percent",
        };
        let value = number.shortened(6);
        let found = if thresholds.is_empty() {
            if broken_by == 0 {
                Finding::of(None, None, measured)
            } else {
                Finding::failed(Some(broken_by), detail.to_owned(), sample()?, measured)
            }
        } else {
            match broken(thresholds, &number) {
                Some(threshold) => {
                    let detail = match rule.unit {
                        Unit::Rows => format!("{detail}; the number of such rows {threshold}"),
                        Unit::Percent => {
                            let share = number.shortened(2);
                            format!("{detail} in {share}{unit} of the rows, {threshold}{unit}")
                        }
                    };
                    let sample = if broken_by == 0 {
                        Sample::default()
                    } else {
                        sample()?
                    };
                    Finding::failed(Some(broken_by), detail, sample, measured)
                }
                None if broken_by == 0 => Finding::of(None, None, measured),
                None => {
                    let verb = if broken_by == 1 { "breaks" } else { "break" };
                    let some = grouped(&broken_by.to_string());
                    Finding::of(None, None, format!("{measured}, {some} of which {verb} it"))
                }
            }
        };
        Ok(found.with_value(value).over(looked_at))
    }

    /// How many rows break a rule that can't share the scan.
    fn count(&self, breaks: &Breaks) -> Result<u64, Failure> {
        let query = match breaks.sees {
            Sees::Nothing | Sees::OtherDataset => format!(
                "SELECT count(*)::VARCHAR FROM {} {}",
                self.relation,
                breaks.clause()
            ),
            Sees::OtherRows => format!(
                "SELECT count(*)::VARCHAR FROM (SELECT 1 FROM {} {})",
                self.numbered().map_err(|_| Failure::interrupted())?,
                breaks.clause()
            ),
        };
        let rows = self.instance.rows(&query)?;
        let count = rows.into_iter().flatten().next().flatten();
        Ok(count.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    fn judge_keys(
        &self,
        rule: &Rule,
        unique: &Unique,
        answers: &Answers,
        thresholds: &[Threshold],
        known: &mut Known,
    ) -> Result<Finding, Error> {
        let asked = || {
            Ok((
                answers.count(unique.present)?,
                answers.count(unique.looked_at)?,
            ))
        };
        let (present, looked_at) = match asked() {
            Ok(both) => both,
            Err(failure) => return Ok(self.could_not(failure, "", None)),
        };
        let about = (unique.columns.clone(), unique.filter.clone());
        if unique.different.and_then(|it| answers.count(it).ok()) == Some(present) {
            known.push((about.clone(), Ok(Duplicates::default())));
        }
        let found = match known.iter().find(|(of, _)| *of == about) {
            Some((_, found)) => found.clone(),
            None => {
                let found = self.duplicates(unique, present)?;
                known.push((about, found.clone()));
                found
            }
        };
        let found = match found {
            Ok(found) => found,
            Err(failure) => return Ok(self.could_not(&self.unless_ended(failure)?, "", None)),
        };
        let aside = match looked_at - present.min(looked_at) {
            0 => String::new(),
            n => format!(", {} with NULL left aside", counted(n, "row")),
        };
        let measured = format!("{}{aside}", counted(looked_at, "row"));
        let what = if unique.columns.len() == 1 {
            "value"
        } else {
            "combination"
        };
        let verb = if found.keys == 1 { "occurs" } else { "occur" };
        let names = named(unique.columns.iter().map(String::as_str), ", ");
        let detail = format!(
            "{} of {names} {verb} more than once",
            counted(found.keys, what)
        );
        let sample = || self.sample_of_keys(&unique.columns, unique.filter.as_deref());
        let counted_rows = Counted {
            broken_by: found.rows,
            looked_at,
            detail: &detail,
            measured,
        };
        Self::of_rows(rule, counted_rows, thresholds, sample)
    }

    fn duplicates(
        &self,
        unique: &Unique,
        present: u64,
    ) -> Result<Result<Duplicates, Failure>, Error> {
        let select = view::select_input(self.instance, &self.input)?;
        let relation = match &unique.filter {
            None => format!("({select}) AS {}", self.relation),
            Some(filter) => format!(
                "(SELECT * FROM ({select}) AS {} WHERE {filter}) AS {}",
                self.relation, self.relation
            ),
        };
        Ok(Keys {
            relation: &relation,
            columns: unique.columns.iter().map(String::as_str).collect(),
            row_count: present,
        }
        .duplicates(self.session))
    }

    fn judge_change(
        &self,
        rule: &Rule,
        versions: u32,
        answers: &Answers,
        thresholds: &[Threshold],
    ) -> Result<Finding, Error> {
        let rows = self.row_count(answers);
        let Some(earlier) = self.around.earlier_rows else {
            return Ok(Finding::unknown(
                "there are no earlier versions: only a dataset of the lake has them".to_owned(),
            ));
        };
        let taken: Vec<i128> = earlier
            .iter()
            .take(usize::try_from(versions).unwrap_or(usize::MAX))
            .map(|rows| i128::from(*rows))
            .collect();
        let Ok(count) = i128::try_from(taken.len()) else {
            return Ok(Finding::unknown("there are too many versions".to_owned()));
        };
        if count == 0 {
            let measured = format!("{}, the first version", counted(rows, "row"));
            return Ok(Finding::of(None, None, measured).over(rows));
        }
        // As whole numbers: `count` times the difference to the average.
        let before: i128 = taken.iter().sum();
        let difference = i128::from(rows) * count - before;
        let number = match rule.unit {
            Unit::Percent => u64::try_from(before)
                .ok()
                .and_then(|before| Number::percent(difference, before)),
            Unit::Rows => u64::try_from(count * 100)
                .ok()
                .and_then(|count| Number::percent(difference, count)),
        };
        let was = match taken.as_slice() {
            [one] => format!("{} before", grouped(&one.to_string())),
            several => format!(
                "{} before on an average of {} versions",
                grouped(&(before / count).to_string()),
                several.len()
            ),
        };
        let measured = format!("{}, {was}", counted(rows, "row"));
        let Some(number) = number else {
            // From nothing, every change is without measure.
            let detail = (rows > 0).then(|| "there were no rows before".to_owned());
            return Ok(Finding::of(None, detail, measured).over(rows));
        };
        let unit = match rule.unit {
            Unit::Rows => "",
            Unit::Percent => " percent",
        };
        let detail = broken(thresholds, &number).map(|threshold| {
            format!(
                "the number of rows changed by {}{unit}, {threshold}{unit}",
                grouped(&number.shortened(2))
            )
        });
        Ok(Finding::of(None, detail, measured)
            .with_value(number.shortened(6))
            .over(rows))
    }

    fn judge_number(&self, numeric: &Numeric, answers: &Answers) -> Result<Finding, Error> {
        let text = match answers.text(numeric.value) {
            Ok(text) => text.map(str::to_owned),
            Err(failure) => return Ok(self.could_not(failure, "", None)),
        };
        let shown = match numeric.shown {
            None => text.clone(),
            Some(asked) => answers.text(asked).ok().flatten().map(str::to_owned),
        };
        let Numeric {
            label, personal, ..
        } = numeric;
        let Some(text) = text else {
            let detail = format!("there is nothing of which {label} could be computed");
            return Ok(Finding::of(None, Some(detail), "no value".to_owned()));
        };
        let Some(number) = Number::parse(&text) else {
            return Ok(Finding::unknown(format!(
                "{label} is {text}, which can't be compared"
            )));
        };
        let shown = match (personal, numeric.shown) {
            (true, _) => "‹masked›".to_owned(),
            (false, None) => grouped(&shown.unwrap_or_default()),
            (false, Some(_)) => shown.unwrap_or_default(),
        };
        let detail = broken(&numeric.thresholds, &number)
            .map(|threshold| format!("{label} is {shown}, {threshold}"));
        let found = Finding::of(None, detail, format!("{label} is {shown}"));
        Ok(if *personal {
            found
        } else if numeric.shown.is_some() {
            found.with_value(shown)
        } else {
            found.with_value(text)
        })
    }

    fn judge_difference(&self, compared: &Compared) -> Result<Finding, Error> {
        let rows = match self.instance.rows(&compared.query) {
            Ok(rows) => rows,
            Err(failure) => return Ok(self.could_not(&self.unless_ended(failure)?, "", None)),
        };
        let mut cells = rows.into_iter().flatten();
        let mut next = || cells.next().flatten();
        let (Some(value), Some(here), Some(there)) = (next(), next(), next()) else {
            let detail = format!(
                "there is nothing of which {} could be computed",
                compared.label
            );
            return Ok(Finding::of(None, Some(detail), "no value".to_owned()));
        };
        let Some(difference) = Number::parse(&value) else {
            return Ok(Finding::unknown(format!("`{value}` can't be compared")));
        };
        let number = match compared.unit {
            Unit::Rows => Some(difference),
            Unit::Percent => share(&value, &there),
        };
        let told = |text: &str| {
            if compared.personal {
                "‹masked›".to_owned()
            } else {
                grouped(text)
            }
        };
        let measured = format!(
            "{}: {} here, {} there",
            compared.label,
            told(&here),
            told(&there)
        );
        let Some(number) = number else {
            let detail = format!("{} is 0 there, of which nothing is a part", compared.label);
            return Ok(Finding::of(None, Some(detail), measured));
        };
        let unit = match compared.unit {
            Unit::Rows => "",
            Unit::Percent => " percent",
        };
        let shown = number.shortened(6);
        let wrong = if compared.thresholds.is_empty() {
            (number != Number::zero()).then(|| "must be 0".to_owned())
        } else {
            broken(&compared.thresholds, &number)
        };
        let detail = wrong.map(|wrong| {
            format!(
                "{} differs by {}{unit}, {wrong}{unit}",
                compared.label,
                told(&shown)
            )
        });
        let found = Finding::of(None, detail, measured);
        Ok(if compared.personal {
            found
        } else {
            found.with_value(shown)
        })
    }

    fn judge_failed_rows(
        &self,
        rule: &Rule,
        query: &str,
        answers: &Answers,
        thresholds: &[Threshold],
    ) -> Result<Finding, Error> {
        let counting = format!("SELECT count(*)::VARCHAR FROM (\n{query}\n)");
        let count = match self.instance.rows(&counting) {
            Ok(rows) => rows.into_iter().flatten().next().flatten(),
            Err(failure) => return Ok(self.could_not(&self.unless_ended(failure)?, query, None)),
        };
        let count = count.and_then(|text| text.parse().ok()).unwrap_or(0);
        let rows = self.row_count(answers);
        let measured = counted(rows, "row");
        let sample = || self.sample_of_query(query);
        let detail = "the query returns rows where there should be none";
        let detail = if thresholds.is_empty() {
            detail
        } else {
            "the query returns rows"
        };
        let counted_rows = Counted {
            broken_by: count,
            looked_at: rows,
            detail,
            measured,
        };
        Self::of_rows(rule, counted_rows, thresholds, sample)
    }

    fn judge_count(
        &self,
        condition: &str,
        count: u64,
        expected: Option<&comboi_project::Literal>,
        answers: &Answers,
    ) -> Result<Finding, Error> {
        let row_count = self.row_count(answers);
        let Some(expected) = expected else {
            return Ok(returned(Some(&count.to_string())).over(row_count));
        };
        let finding = Finding::of_number(Some(&count.to_string()), expected).over(row_count);
        let VerdictOutcome::Failed { detail, .. } = finding.outcome else {
            return Ok(finding);
        };
        // Which rows are to blame is plain only when there should be none.
        let none_expected =
            Number::parse(&expected.text).is_some_and(|number| number == Number::zero());
        if !none_expected {
            return Ok(
                Finding::failed(None, detail, Sample::default(), finding.measured).over(row_count),
            );
        }
        let breaks = Breaks {
            condition: format!("({condition})"),
            sees: Sees::Nothing,
        };
        let sample = self.sample(&breaks, &[])?;
        let detail = "the query counts rows where there should be none".to_owned();
        let measured = counted(row_count, "row");
        Ok(Finding::failed(Some(count), detail, sample, measured).over(row_count))
    }

    /// Being asked to stop and a file that can't be read end the whole check; everything else is the fault of one rule.
    pub(super) fn unless_ended(&self, failure: Failure) -> Result<Failure, Error> {
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
    pub(super) fn could_not(&self, failure: &Failure, said: &str, probe: Option<&str>) -> Finding {
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

/// Rows that break a rule, among those that it looks at.
struct Counted<'a> {
    broken_by: u64,
    looked_at: u64,
    /// What such rows are like.
    detail: &'a str,
    measured: String,
}

/// A number that a query returned, with nothing said about it.
fn returned(number: Option<&str>) -> Finding {
    let detail = number
        .is_none()
        .then(|| "the query returns NULL, a number is expected".to_owned());
    let shown = number.map_or_else(|| "NULL".to_owned(), grouped);
    Finding::of(None, detail, format!("the query returns {shown}"))
}

/// The same, broken also if a threshold is.
fn held(found: Finding, number: &Number, thresholds: &[Threshold]) -> Finding {
    if !matches!(found.outcome, VerdictOutcome::Passed) {
        return found;
    }
    let detail = broken(thresholds, number).map(|threshold| {
        let shown = grouped(&number.to_string());
        format!("the query returns {shown}, {threshold}")
    });
    match detail {
        None => found,
        Some(detail) => Finding {
            row_count: found.row_count,
            ..Finding::of(None, Some(detail), found.measured)
        },
    }
}

/// A part in hundredths of a whole, both of them in digits of DuckDB's: an aggregate of floating-point numbers is no more exact than they.
fn share(part: &str, whole: &str) -> Option<Number> {
    let (part, whole): (f64, f64) = (part.parse().ok()?, whole.parse().ok()?);
    let percent = part * 100.0 / whole.abs();
    percent
        .is_finite()
        .then(|| Number::parse(&format!("{percent:.12}")))
        .flatten()
}
