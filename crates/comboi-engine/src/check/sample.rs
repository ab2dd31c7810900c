//! Some of the rows that break a rule, for the person who has to find them.

use comboi_project::RuleKind;

use super::Data;
use super::question::{Breaks, and};
use super::unique::present;
use super::verdict::Sample;
use crate::failure::Failure;
use crate::{Error, sql, view};

/// So many rows are shown.
const ROWS: usize = 5;
/// So many characters of a value are shown.
const CHARACTERS: usize = 100;

/// What the row's position is called.
const POSITION: &str = "row";

impl Data<'_> {
    /// The first rows that break a rule: the key of the dataset (else the row's position) and what else
    /// is worth showing. What tells about a person is masked.
    pub(super) fn sample(&self, breaks: &Breaks, shown: &[String]) -> Result<Sample, Error> {
        let keys = self.keys();
        let findable = !keys.is_empty() && !keys.iter().any(|key| self.contract.is_personal(key));
        let mut columns: Vec<&str> = if findable { keys } else { Vec::new() };
        for name in shown {
            if !columns.contains(&name.as_str()) {
                columns.push(name);
            }
        }
        let position = (!findable).then(|| (POSITION.to_owned(), self.position()));
        let values = columns
            .iter()
            .map(|name| ((*name).to_owned(), self.shown(name)));
        let (names, values): (Vec<String>, Vec<String>) =
            position.into_iter().chain(values).unzip();
        let query = format!(
            "SELECT {} FROM {} {} ORDER BY {}, {} LIMIT {ROWS}",
            values.join(", "),
            self.numbered()?,
            breaks.clause(),
            self.file_name(),
            self.row_name(),
        );
        self.fetch(names, &query)
    }

    /// The keys that most rows have, and how many rows that is.
    pub(super) fn sample_of_keys(
        &self,
        key: &[String],
        filter: Option<&str>,
    ) -> Result<Sample, Error> {
        let columns: Vec<&str> = key.iter().map(String::as_str).collect();
        let masked = columns.iter().any(|name| self.contract.is_personal(name));
        let mut names: Vec<String> = key.to_vec();
        let mut values: Vec<String> = columns.iter().map(|name| self.shown(name)).collect();
        names.push("rows".to_owned());
        values.push("count(*)::VARCHAR".to_owned());
        if masked {
            names.insert(0, format!("first {POSITION}"));
            values.insert(
                0,
                format!(
                    "min_by({}, ({}, {}))",
                    self.position(),
                    self.file_name(),
                    self.row_name()
                ),
            );
        }
        let grouped: Vec<String> = columns.iter().map(|name| sql::ident(name)).collect();
        let query = format!(
            "SELECT {} FROM {} WHERE {} GROUP BY {grouped} HAVING count(*) > 1 ORDER BY count(*) DESC, {grouped} LIMIT {ROWS}",
            values.join(", "),
            self.numbered()?,
            and(filter, &present(&columns)),
            grouped = grouped.join(", "),
        );
        self.fetch(names, &query)
    }

    /// The first rows that a query returns. A column that the dataset does not have may be made of any of its own: it is masked if one of
    /// those tells about a person.
    pub(super) fn sample_of_query(&self, query: &str) -> Result<Sample, Error> {
        let Ok(columns) = self
            .instance
            .columns(&format!("SELECT * FROM (\n{query}\n)"))
        else {
            return Ok(Sample::default());
        };
        let any_personal = self
            .input
            .columns
            .iter()
            .any(|column| self.contract.is_personal(&column.name));
        let shown = |(i, (name, _)): (usize, &(String, String))| {
            let masked = match self.input.columns.get(name) {
                Some(_) => self.contract.is_personal(name),
                None => any_personal,
            };
            told(&format!("c{i}"), masked)
        };
        let values: Vec<String> = columns.iter().enumerate().map(shown).collect();
        let aliases: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
        let query = format!(
            "SELECT {} FROM (\n{query}\n) AS q({}) LIMIT {ROWS}",
            values.join(", "),
            aliases.join(", ")
        );
        self.fetch(columns.into_iter().map(|(name, _)| name).collect(), &query)
    }

    /// The verdict stands without a sample, so its absence is no failure.
    fn fetch(&self, columns: Vec<String>, query: &str) -> Result<Sample, Error> {
        match self.instance.rows(query) {
            Ok(rows) => Ok(Sample { columns, rows }),
            Err(failure) => self
                .unless_ended(failure)
                .map(|_: Failure| Sample::default()),
        }
    }

    /// The columns by which the contract tells rows apart.
    fn keys(&self) -> Vec<&str> {
        let unique = self.rules.iter().find_map(|rule| match &rule.kind {
            RuleKind::Unique { columns } => columns
                .iter()
                .map(|name| Some(self.input.columns.get(name)?.name.as_str()))
                .collect::<Option<Vec<_>>>(),
            _ => None,
        });
        unique.unwrap_or_default()
    }

    /// A value as text. A masked one is masked inside DuckDB: it never comes here.
    fn shown(&self, column: &str) -> String {
        told(&sql::ident(column), self.contract.is_personal(column))
    }

    /// The position of a row, counted from 1, with its file's name if there are several.
    fn position(&self) -> String {
        let row = format!("({} + 1)::VARCHAR", self.row_name());
        if self.input.files.len() < 2 {
            return row;
        }
        let names: Vec<String> = self
            .input
            .files
            .iter()
            .map(|file| sql::text(&file.file_name().unwrap_or_default().to_string_lossy()))
            .collect();
        format!(
            "({row} || ' of ' || ([{}])[{}::BIGINT + 1])",
            names.join(", "),
            self.file_name()
        )
    }

    /// The relation with two more columns: the number of the file and of the row in it.
    pub(super) fn numbered(&self) -> Result<String, Error> {
        let select = view::select_input(self.instance, &self.input)?;
        let rest = select.strip_prefix("SELECT ").expect("it is a SELECT");
        Ok(format!(
            "(SELECT file_index AS {}, file_row_number AS {}, {rest}) AS {}",
            self.file_name(),
            self.row_name(),
            self.relation,
        ))
    }

    pub(super) fn file_name(&self) -> String {
        self.unused("file")
    }

    pub(super) fn row_name(&self) -> String {
        self.unused("row")
    }

    /// A name that no column has.
    fn unused(&self, name: &str) -> String {
        let mut name = format!("comboi {name}");
        while self.input.columns.get(&name).is_some() {
            name.push('_');
        }
        sql::ident(&name)
    }
}

/// A value as text, cut where it is long; its length only where it is masked.
fn told(value: &str, masked: bool) -> String {
    let text = format!("{value}::VARCHAR");
    if masked {
        return format!("('‹masked, ' || length({text}) || ' characters›')");
    }
    format!(
        "CASE WHEN length({text}) > {CHARACTERS} THEN left({text}, {CHARACTERS}) || '…' ELSE {text} END"
    )
}
