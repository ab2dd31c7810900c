//! Files as a relation: what to select from, and what each column is.

use comboi_project::{Column, SqlType};

use super::fit::{self, Fit, Origin, UNFIT};
use super::{Dialect, Group, Layout, Reading, TextRules, json, nested};
use crate::sql;

/// The files of a group in a `FROM` clause, and expressions over it.
pub(super) struct Relation {
    pub(super) from: String,
    /// The file's name.
    pub(super) file: String,
    pub(super) line: String,
    pub(super) byte: String,
    pub(super) text: String,
    /// One for each column of the reading.
    pub(super) fits: Vec<(Column, Fit)>,
    /// Why the record as a whole is not a row.
    pub(super) no_record: Option<NoRecord>,
    /// For each column of the key, that a row has no value in it.
    pub(super) no_key: Vec<(String, String)>,
}

/// What says why a record is not a row.
pub(super) struct NoRecord {
    /// NULL if it is one.
    pub(super) reason: String,
    /// The columns that it is about, or NULL.
    pub(super) columns: String,
}

impl NoRecord {
    pub(super) fn unfit(&self) -> String {
        format!("({} IS NOT NULL)", self.reason)
    }

    /// Ends the statement.
    fn strict(&self) -> String {
        let error = sql::text(UNFIT);
        format!(
            "CASE WHEN {} IS NULL THEN true ELSE CAST(error({error}) AS BOOLEAN) END",
            self.reason
        )
    }
}

const PATH: &str = "_comboi_path";

/// The line of a row, where rows have a key and know their lines.
pub(super) const LINE: &str = "_comboi_line_of";

pub(super) fn relation(group: &Group, reading: &Reading) -> Relation {
    let fits: Vec<(Column, Fit)> = reading
        .columns
        .iter()
        .map(|column| (column.clone(), fit_of(group, column, reading)))
        .collect();
    let no_key = no_key(&fits, reading);
    let null = || "NULL".to_owned();
    let own_file = || sql::ident(super::RECORD_COLUMNS[0]);
    let plain = Relation {
        from: match json::layout(group) {
            Some(json) => json::from(group, json, reading),
            None => from(group, &reading.rules),
        },
        file: file_name(group),
        line: null(),
        byte: null(),
        text: null(),
        fits,
        no_record: None,
        no_key,
    };
    match &group.layout {
        Layout::Csv(_) => plain,
        Layout::Parquet => Relation {
            line: "file_row_number + 1".into(),
            ..plain
        },
        Layout::Records { .. } => Relation {
            file: own_file(),
            ..located(plain)
        },
        Layout::Json(_) => Relation {
            file: own_file(),
            no_record: Some(NoRecord {
                reason: json::PROBLEM.to_owned(),
                columns: json::PROBLEM_COLUMNS.to_owned(),
            }),
            ..located(plain)
        },
    }
}

fn located(plain: Relation) -> Relation {
    let [_, line, byte, text] = super::RECORD_COLUMNS.map(sql::ident);
    Relation {
        line,
        byte,
        text,
        ..plain
    }
}

impl Relation {
    /// The rows, of which each must fit.
    pub(super) fn strict(
        &self,
        value: impl Fn(&Column, String) -> Result<String, crate::Error>,
    ) -> Result<String, crate::Error> {
        let no_key: Vec<&str> = self.no_key.iter().map(|(_, no)| no.as_str()).collect();
        let record = self.no_record.as_ref().map(NoRecord::strict);
        let record = if no_key.is_empty() {
            record
        } else {
            Some(format!(
                "CASE WHEN {} THEN CAST(error({}) AS BOOLEAN) ELSE {} END",
                no_key.join(" OR "),
                sql::text(UNFIT),
                record.as_deref().unwrap_or("true"),
            ))
        };
        let untyped = self
            .fits
            .iter()
            .filter(|(column, _)| column.sql_type == SqlType::Null);
        let empty = untyped.filter_map(|(_, fit)| fit.unfit()).map(|unfit| {
            // No file gets the column, so that nobody would find its value out.
            let error = sql::text(UNFIT);
            format!("CASE WHEN {unfit} THEN CAST(error({error}) AS BOOLEAN) ELSE true END")
        });
        let filters: Vec<String> = record.into_iter().chain(empty).collect();
        let filter = (!filters.is_empty()).then(|| filters.join(" AND "));
        self.select(filter, |column, fit| value(column, fit.strict()))
    }

    /// The rows that fit.
    pub(super) fn fitting(
        &self,
        value: impl Fn(&Column, String) -> Result<String, crate::Error>,
    ) -> Result<String, crate::Error> {
        self.select(
            self.unfit().map(|unfit| format!("NOT ({unfit})")),
            |column, fit| value(column, fit.value.clone()),
        )
    }

    fn select(
        &self,
        filter: Option<String>,
        value: impl Fn(&Column, &Fit) -> Result<String, crate::Error>,
    ) -> Result<String, crate::Error> {
        let mut columns = Vec::with_capacity(self.fits.len() + 1);
        for (column, fit) in &self.fits {
            columns.push(format!(
                "{} AS {}",
                value(column, fit)?,
                sql::ident(&column.name)
            ));
        }
        columns.push(format!("{} AS {}", self.file, super::FILE_COLUMN));
        if !self.no_key.is_empty() {
            // Several records may stand in one line.
            let place = match &self.no_record {
                Some(_) => &self.byte,
                None => &self.line,
            };
            columns.push(format!("CAST({place} AS BIGINT) AS {LINE}"));
        }
        let filter = filter
            .map(|filter| format!(" WHERE {filter}"))
            .unwrap_or_default();
        Ok(format!(
            "SELECT {} FROM {}{filter}",
            columns.join(", "),
            self.from
        ))
    }

    /// Whether a row does not fit, if that can happen at all.
    pub(super) fn unfit(&self) -> Option<String> {
        let columns = self.fits.iter().filter_map(|(_, fit)| fit.unfit());
        let no_key = self.no_key.iter().map(|(_, no)| no.clone());
        let record = self.no_record.iter().map(NoRecord::unfit);
        let conditions: Vec<String> = record.chain(no_key).chain(columns).collect();
        (!conditions.is_empty()).then(|| conditions.join(" OR "))
    }
}

fn no_key(fits: &[(Column, Fit)], reading: &Reading) -> Vec<(String, String)> {
    let key = fits.iter().filter(|(column, _)| reading.is_of_key(column));
    key.map(|(column, fit)| (column.name.clone(), format!("(({}) IS NULL)", fit.value)))
        .collect()
}

fn fit_of(group: &Group, column: &Column, reading: &Reading) -> Fit {
    let rules = &reading.rules;
    let mut here = group
        .columns
        .iter()
        .enumerate()
        .filter(|(_, it)| it.name.as_deref() == Some(&column.name));
    let Some((position, first)) = here.next() else {
        return Fit::missing(&column.sql_type);
    };
    let origin = if reading.declared.contains(&column.name) {
        Origin::Declared
    } else {
        Origin::Found
    };
    match &group.layout {
        Layout::Csv(_) | Layout::Records { .. } => {
            fit::text(&format!("c{position}"), &column.sql_type, rules, origin)
        }
        Layout::Parquet => {
            let of = first.sql_type.as_ref().unwrap_or(&column.sql_type);
            let value = match &first.stored_type {
                Some(stored) => fit::renamed(&format!("c{position}"), stored, of, 0),
                None => sql::ident(&first.spelled),
            };
            let others_ignored =
                reading.ignore_unknown_keys || reading.declared.contains(&column.name);
            fit::typed(&value, of, &column.sql_type, rules, origin, others_ignored)
        }
        Layout::Json(_) => nested::fit(&format!("c{position}"), &column.sql_type, rules, origin),
    }
}

/// DuckDB gives the whole path; the name is what follows the folder.
fn file_name(group: &Group) -> String {
    let before = group
        .folder
        .to_string_lossy()
        .trim_end_matches('/')
        .chars()
        .count()
        + 1;
    format!("substr({PATH}, {})", before + 1)
}

pub(super) fn from(group: &Group, rules: &TextRules) -> String {
    let paths: Vec<_> = group.files.iter().map(|file| &file.path).collect();
    let files = sql::file_list(&paths);
    match &group.layout {
        Layout::Csv(dialect) => format!(
            "read_csv({files}, {}, filename = '{PATH}')",
            csv_options(dialect, group.columns.len(), rules)
        ),
        Layout::Parquet => {
            let columns = group.columns.iter().filter(|it| it.stored_type.is_some());
            let columns: Vec<String> = (0..columns.count()).map(|i| format!("c{i}")).collect();
            format!(
                "read_parquet({files}, filename = '{PATH}', file_row_number = true) AS file({})",
                columns.join(", ")
            )
        }
        Layout::Records { longest } => records(&files, group.columns.len(), *longest, rules),
        Layout::Json(_) => unreachable!("it is read by a function of our own"),
    }
}

pub(super) fn csv_options(dialect: &Dialect, width: usize, rules: &TextRules) -> String {
    let one = |c: Option<char>| sql::text(&c.map(String::from).unwrap_or_default());
    let columns: Vec<String> = (0..width).map(|i| format!("'c{i}': 'VARCHAR'")).collect();
    format!(
        "auto_detect = false, header = false, skip = {}, delim = {}, quote = {}, escape = {}, comment = {}, compression = '{}', nullstr = {}, columns = {{{}}}",
        dialect.skip_lines,
        sql::text(&dialect.delimiter.to_string()),
        one(dialect.quote),
        one(dialect.escape),
        one(dialect.comment),
        dialect.compression.as_str(),
        null_texts(rules),
        columns.join(", "),
    )
}

fn null_texts(rules: &TextRules) -> String {
    let all = std::iter::once("").chain(rules.null_values.iter().map(String::as_str));
    format!("[{}]", all.map(sql::text).collect::<Vec<_>>().join(", "))
}

fn records(files: &str, width: usize, longest: u64, rules: &TextRules) -> String {
    let [file, line, byte, text] = super::RECORD_COLUMNS;
    let fields: String = (0..width).map(|i| format!(", 'c{i}': 'VARCHAR'")).collect();
    format!(
        "read_csv({files}, auto_detect = false, header = false, delim = ',', quote = '\"', escape = '\"', new_line = '\\n', max_line_size = {}, nullstr = {}, columns = {{'{file}': 'VARCHAR', '{line}': 'BIGINT', '{byte}': 'BIGINT', '{text}': 'VARCHAR'{fields}}})",
        longest.max(2_097_152),
        null_texts(rules),
    )
}
