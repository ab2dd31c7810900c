//! What data is like: the facts that a contract can be inferred from.
//!
//! A sample says which formats are worth counting; then one scan counts them, with everything else that one scan can
//! tell. What needs its own look (is a column different in every row? what are its few values?) is asked only of columns whose
//! estimated number of values makes it likely.

mod formats;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use comboi_contract::{ColumnFacts, Facts};
use comboi_project::{Column, SqlType};

use crate::instance::Instance;
use crate::view::{about_files, show_input};
use crate::{Error, Input, Session, read_files, sql};

/// comboi's own columns.
const OWN: &str = "_comboi_";
/// Estimates of the number of values are this far off at most, nearly always.
const ESTIMATE_ERROR_PERCENT: u64 = 20;
/// More values than this are no list of kinds.
const FEW: u64 = 40;
/// Combinations of columns that are looked at, at most.
const MOST_COMBINATIONS: usize = 24;

/// Measures a dataset. Ages are counted back from `now`. Reads each file a few times, whole.
pub fn measure(session: &Session, input: &Input<'_>, now: DateTime<Utc>) -> Result<Facts, Error> {
    let files: Vec<&Path> = input.files.iter().map(AsRef::as_ref).collect();
    let instance = session.confined(&files)?;
    read_files::define_is_json(&instance)?;
    show_input(&instance, input)?;
    instance.lock()?;
    let columns: Vec<&Column> = input
        .columns
        .iter()
        .filter(|column| !column.name.starts_with(OWN))
        .collect();
    let measuring = Measuring {
        instance: &instance,
        input,
        relation: sql::ident(input.alias),
        now_micros: now.timestamp_micros(),
    };
    measuring.facts(&columns)
}

struct Measuring<'a> {
    instance: &'a Instance,
    input: &'a Input<'a>,
    relation: String,
    now_micros: i64,
}

/// The answers of one row, taken one after the other.
struct Answers(std::vec::IntoIter<Option<String>>);

impl Answers {
    fn text(&mut self) -> Option<String> {
        self.0.next().flatten()
    }

    fn number(&mut self) -> u64 {
        self.text()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }
}

impl Measuring<'_> {
    fn facts(&self, columns: &[&Column]) -> Result<Facts, Error> {
        let promising = self.promising(columns)?;
        let mut asked = vec!["count(*)".to_owned()];
        for (column, promising) in columns.iter().zip(&promising) {
            asked.extend(self.questions(column));
            asked.extend(promising.questions(&sql::ident(&column.name)));
        }
        let mut answers = self.ask(&asked, &self.relation)?;
        let rows = answers.number();
        let mut facts = Facts {
            rows,
            ..Facts::default()
        };
        let mut estimates = Vec::new();
        for (column, promising) in columns.iter().zip(promising) {
            let (mut of, estimate) = self.answered(column, &mut answers);
            promising.answered(&mut of, &mut answers);
            facts.columns.push(of);
            estimates.push(estimate);
        }
        for (column, estimate) in facts.columns.iter_mut().zip(&estimates) {
            self.look_closer(column, *estimate)?;
        }
        let has_key = facts
            .columns
            .iter()
            .any(|column| column.unique == Some(true) && column.present == rows);
        if !has_key && rows > 2 {
            facts.keys = self.combination(&facts, &estimates)?;
        }
        Ok(facts)
    }

    fn ask(&self, questions: &[String], relation: &str) -> Result<Answers, Error> {
        let query = format!("SELECT {} FROM {relation}", questions.join(", "));
        let rows = self.rows(&query)?;
        Ok(Answers(
            rows.into_iter().next().unwrap_or_default().into_iter(),
        ))
    }

    fn rows(&self, query: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.instance
            .rows(query)
            .map_err(|failure| about_files(self.instance, failure, self.input))
    }

    /// What is asked of every column, in the order of [`Self::answered`].
    fn questions(&self, column: &Column) -> Vec<String> {
        let name = sql::ident(&column.name);
        let mut asked = vec![format!("count({name})")];
        let kind = &column.sql_type;
        if is_plain(kind) {
            asked.push(format!("approx_count_distinct({name})"));
        }
        if matches!(kind, SqlType::Float | SqlType::Double) {
            let finite = format!("FILTER (WHERE isfinite({name}))");
            asked.push(format!("CAST(min({name}) {finite} AS VARCHAR)"));
            asked.push(format!("CAST(max({name}) {finite} AS VARCHAR)"));
        } else if kind.is_number() || kind.is_moment() {
            asked.push(format!("CAST(min({name}) AS VARCHAR)"));
            asked.push(format!("CAST(max({name}) AS VARCHAR)"));
        }
        if kind.is_moment() {
            // Infinite moments have none.
            let micros = match kind {
                SqlType::TimestampTz | SqlType::Timestamp => format!("epoch_us({name})"),
                _ => format!("epoch_us(CAST({name} AS TIMESTAMP))"),
            };
            let past = format!("FILTER (WHERE {micros} <= {})", self.now_micros);
            asked.push(format!("CAST(max({micros}) {past} AS VARCHAR)"));
        }
        if matches!(kind, SqlType::Varchar(_)) {
            asked.push(format!("min(length({name}))"));
            asked.push(format!("max(length({name}))"));
            asked.push(format!("count(*) FILTER (WHERE {})", sql::is_blank(&name)));
        }
        asked
    }

    /// What was said, and about how many values there are.
    fn answered(&self, column: &Column, answers: &mut Answers) -> (ColumnFacts, u64) {
        let mut of = ColumnFacts::new(&column.name, column.sql_type.clone());
        of.present = answers.number();
        let kind = &column.sql_type;
        let estimate = if is_plain(kind) { answers.number() } else { 0 };
        if kind.is_number() || kind.is_moment() {
            let least = answers.text();
            of.range = least.zip(answers.text());
        }
        if kind.is_moment() {
            let newest: Option<i64> = answers.text().and_then(|text| text.parse().ok());
            let micros = newest.and_then(|newest| u64::try_from(self.now_micros - newest).ok());
            of.age = micros.map(Duration::from_micros);
        }
        if matches!(kind, SqlType::Varchar(_)) {
            let least: Option<u64> = answers.text().and_then(|text| text.parse().ok());
            let most = answers.text().and_then(|text| text.parse().ok());
            of.lengths = least.zip(most);
            of.blank = answers.number();
        }
        (of, estimate)
    }

    /// Whether no value is there twice, or which few values there are.
    fn look_closer(&self, column: &mut ColumnFacts, estimate: u64) -> Result<(), Error> {
        let exact = is_plain(&column.sql_type)
            && !matches!(column.sql_type, SqlType::Float | SqlType::Double);
        if !exact || column.present == 0 {
            return Ok(());
        }
        let name = sql::ident(&column.name);
        if estimate.saturating_mul(100 + ESTIMATE_ERROR_PERCENT) / 100 >= column.present {
            column.unique = Some(self.all_differ(&[&column.name])?);
        }
        if estimate <= FEW && column.unique != Some(true) {
            let query = format!(
                "SELECT CAST({name} AS VARCHAR), count(*) FROM {} WHERE {name} IS NOT NULL GROUP BY {name} ORDER BY 2 DESC, 1 LIMIT {}",
                self.relation,
                FEW + 1
            );
            let rows = self.rows(&query)?;
            if rows.len() as u64 <= FEW {
                column.values = rows
                    .into_iter()
                    .filter_map(|row| {
                        let mut cells = row.into_iter();
                        Some((cells.next()??, cells.next()??.parse().ok()?))
                    })
                    .collect();
            }
        }
        Ok(())
    }

    /// Whether no two rows have the same values, rows with NULL left aside.
    fn all_differ(&self, columns: &[&str]) -> Result<bool, Error> {
        let names: Vec<String> = columns.iter().map(|name| sql::ident(name)).collect();
        let present: Vec<String> = names
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        let query = format!(
            "SELECT 1 FROM {} WHERE {} GROUP BY {} HAVING count(*) > 1 LIMIT 1",
            self.relation,
            present.join(" AND "),
            names.join(", ")
        );
        Ok(self.rows(&query)?.is_empty())
    }

    /// The first two, else three, columns that together tell rows apart.
    fn combination(&self, facts: &Facts, estimates: &[u64]) -> Result<Vec<Vec<String>>, Error> {
        let may = |column: &ColumnFacts| {
            column.present == facts.rows
                && is_plain(&column.sql_type)
                && !matches!(
                    column.sql_type,
                    SqlType::Float | SqlType::Double | SqlType::Boolean | SqlType::Decimal(..)
                )
        };
        let candidates: Vec<(&str, u64)> = facts
            .columns
            .iter()
            .zip(estimates)
            .filter(|(column, _)| may(column))
            .map(|(column, estimate)| (column.name.as_str(), (*estimate).max(1)))
            .take(8)
            .collect();
        let mut sets: Vec<Vec<&(&str, u64)>> = Vec::new();
        for (i, first) in candidates.iter().enumerate() {
            for second in candidates.iter().skip(i + 1) {
                sets.push(vec![first, second]);
            }
        }
        let pairs = sets.len();
        for i in 0..pairs {
            let last = sets[i][1].0;
            let after = candidates.iter().position(|it| it.0 == last).unwrap_or(0) + 1;
            for third in candidates.iter().skip(after) {
                sets.push(vec![sets[i][0], sets[i][1], third]);
            }
        }
        let enough = |set: &Vec<&(&str, u64)>| {
            let product = set
                .iter()
                .fold(1u64, |product, it| product.saturating_mul(it.1));
            product.saturating_mul(100 + ESTIMATE_ERROR_PERCENT) / 100 >= facts.rows
        };
        for set in sets
            .iter()
            .filter(|set| enough(set))
            .take(MOST_COMBINATIONS)
        {
            let names: Vec<&str> = set.iter().map(|it| it.0).collect();
            if self.all_differ(&names)? {
                return Ok(vec![names.into_iter().map(str::to_owned).collect()]);
            }
        }
        Ok(Vec::new())
    }
}

/// Whether values can be counted and compared at a small price.
fn is_plain(sql_type: &SqlType) -> bool {
    !sql_type.is_nested()
        && !matches!(
            sql_type,
            SqlType::Blob
                | SqlType::Bit
                | SqlType::Json
                | SqlType::Geometry
                | SqlType::Variant
                | SqlType::Null
        )
}
