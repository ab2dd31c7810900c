//! What the table has already: its files, read to compare with or to be written anew.

use std::path::PathBuf;

use comboi_project::{Column, Columns, SqlType};

use super::run::run;
use super::stage::{Staged, To, copy};
use super::{Error, FILE_COLUMN, LOADED_AT_COLUMN, RUN_ID_COLUMN, Reading, TextRules, fit, lake};
use crate::pruning::Pruned;
use crate::{Session, sql};

/// The current version of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Its columns, without comboi's own.
    pub columns: Columns,
    /// Its Parquet files, on a local disk.
    pub files: Vec<PathBuf>,
}

/// What is in a table's files.
#[derive(Default)]
pub(crate) struct Present {
    columns: Columns,
    pruned: Pruned,
}

impl Present {
    pub(crate) fn get(&self, name: &str) -> Option<&Column> {
        self.columns.get(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }
}

impl Known {
    /// The columns that are in at least one of the files; the others are NULL in every row.
    pub(crate) fn present(&self, session: &Session) -> Result<Present, Error> {
        if self.files.is_empty() {
            return Ok(Present::default());
        }
        let instance = session.free()?;
        let instance = &*instance;
        let columns = instance.columns(&format!("SELECT * FROM {}", parquet(&self.files)));
        let columns =
            columns.map_err(|failure| instance.explain(failure, "read the table's files"))?;
        let columns = crate::instance::typed(columns)?;
        let pruned = Pruned::of(&self.files, &columns);
        Ok(Present { columns, pruned })
    }

    /// The same without a filter, with more expressions over the files' own columns.
    pub(crate) fn values_and(
        &self,
        wanted: &[&Column],
        present: &Present,
        more: &str,
    ) -> Result<String, Error> {
        Ok(format!(
            "SELECT {}{more} FROM {}",
            self.expressions(wanted, present)?,
            parquet(&self.files)
        ))
    }

    /// The table's rows in these columns, as the lake would keep them with these types.
    pub(crate) fn values(
        &self,
        wanted: &[&Column],
        present: &Present,
        filter: Option<&str>,
    ) -> Result<String, Error> {
        let filter = filter
            .map(|filter| format!(" WHERE {filter}"))
            .unwrap_or_default();
        Ok(format!(
            "SELECT * FROM (SELECT {} FROM {}){filter}",
            self.expressions(wanted, present)?,
            parquet(&self.files)
        ))
    }

    fn expressions(&self, wanted: &[&Column], present: &Present) -> Result<String, Error> {
        let values: Result<Vec<String>, Error> = wanted
            .iter()
            .map(|column| {
                Ok(format!(
                    "{} AS {}",
                    self.value(column, present)?,
                    sql::ident(&column.name)
                ))
            })
            .collect();
        Ok(values?.join(", "))
    }

    fn value(&self, wanted: &Column, present: &Present) -> Result<String, Error> {
        let known = self.columns.get(&wanted.name);
        Ok(match known.zip(present.get(&wanted.name)) {
            None => format!("CAST(NULL AS {})", lake::lake_type(&wanted.sql_type)?),
            Some((known, there)) if known.sql_type == wanted.sql_type => {
                present.pruned.value(there)
            }
            // A text, if another program has given it values.
            Some((known, there)) if known.is_untyped() => {
                let text = SqlType::Varchar(None);
                let name = sql::ident(&there.name);
                let (to, rules) = (&wanted.sql_type, TextRules::default());
                let now = fit::typed(&name, &text, to, &rules, fit::Origin::Found, false);
                lake::kept(&now.strict(), &wanted.sql_type)?
            }
            Some((known, there)) => {
                let before = lake::back(&present.pruned.value(there), &known.sql_type)?;
                let now = fit::typed(
                    &before,
                    &known.sql_type,
                    &wanted.sql_type,
                    &TextRules::default(),
                    // No text becomes another type but by somebody's declaration.
                    fit::Origin::Declared,
                    false,
                );
                lake::kept(&now.strict(), &wanted.sql_type)?
            }
        })
    }
}

fn parquet(files: &[PathBuf]) -> String {
    format!(
        "read_parquet({}, union_by_name = true, filename = '_comboi_path')",
        sql::file_list(files)
    )
}

/// Stages the rows of these files of the table anew, without those that came from the named files of the source.
///
/// They get these columns. A value that its column's new type can't hold exactly is [`Error::Unfit`].
pub fn rewrite(
    session: &Session,
    known: &Known,
    columns: &Columns,
    without: &[String],
    to: &To,
) -> Result<Staged, Error> {
    if known.files.is_empty() {
        return Ok(Staged::default());
    }
    let present = known.present(session)?;
    let mut values = Vec::with_capacity(columns.len() + 3);
    for column in columns.iter().filter(|column| !column.is_untyped()) {
        values.push(format!(
            "{} AS {}",
            known.value(column, &present)?,
            sql::ident(&column.name)
        ));
    }
    let own = [FILE_COLUMN, LOADED_AT_COLUMN, RUN_ID_COLUMN];
    values.extend(
        own.iter()
            .filter(|name| present.get(name).is_some())
            .map(|name| (*name).to_owned()),
    );
    let filter = if without.is_empty() {
        String::new()
    } else {
        format!(
            " WHERE {FILE_COLUMN} IS NULL OR {FILE_COLUMN} NOT IN ({})",
            texts(without)
        )
    };
    copy(
        session,
        &format!(
            "SELECT {} FROM {}{filter}",
            values.join(", "),
            parquet(&known.files)
        ),
        columns,
        &known.files,
        to,
    )
}

/// Which of the table's files hold rows that came from the named files of the source.
pub fn files_with_rows_of(
    session: &Session,
    known: &Known,
    names: &[String],
) -> Result<Vec<PathBuf>, Error> {
    if known.files.is_empty()
        || names.is_empty()
        || known.present(session)?.get(FILE_COLUMN).is_none()
    {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT DISTINCT _comboi_path FROM {} WHERE {FILE_COLUMN} IN ({}) ORDER BY 1",
        parquet(&known.files),
        texts(names)
    );
    let rows = run(&*session.free()?, "find the rows of changed files", &query)?;
    Ok(rows
        .into_iter()
        .flatten()
        .flatten()
        .map(PathBuf::from)
        .collect())
}

fn texts(values: &[String]) -> String {
    values
        .iter()
        .map(|value| sql::text(value))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The greatest value of a column in staged files (and `at_least` this one), as text that is that very value again
/// when it is read as the column's type. Values later than `limit` do not count.
pub fn max_value(
    session: &Session,
    staged: &[PathBuf],
    column: &Column,
    at_least: Option<&str>,
    limit: Option<&str>,
) -> Result<Option<String>, Error> {
    if staged.is_empty() {
        return Ok(at_least.map(str::to_owned));
    }
    let name = sql::ident(&column.name);
    let filter = match limit {
        None => String::new(),
        Some(limit) => format!(" FILTER ({name} <= {})", literal(limit, column)?),
    };
    let greatest = lake::back(&format!("max({name}){filter}"), &column.sql_type)?;
    let before = at_least
        .map(|text| format!(", CAST({} AS {})", sql::text(text), column.sql_type))
        .unwrap_or_default();
    let query = format!(
        "SELECT CAST(greatest({greatest}{before}) AS VARCHAR) FROM read_parquet({})",
        sql::file_list(staged)
    );
    let rows = run(
        &*session.free()?,
        "find the greatest value of the incremental column",
        &query,
    )?;
    Ok(rows
        .into_iter()
        .next()
        .and_then(|mut row| row.pop())
        .flatten())
}

/// How many rows of a table lie beyond a limit.
pub fn count_later(
    session: &Session,
    table: &Known,
    column: &Column,
    limit: &str,
) -> Result<u64, Error> {
    if table.files.is_empty() {
        return Ok(0);
    }
    let later = format!("{} > {}", sql::ident(&column.name), literal(limit, column)?);
    let present = table.present(session)?;
    let later = table.values(&[column], &present, Some(&later))?;
    let query = format!("SELECT count(*) FROM ({later})");
    let rows = run(&*session.free()?, "count rows in the future", &query)?;
    let count = rows.into_iter().flatten().next().flatten();
    Ok(count.and_then(|it| it.parse().ok()).unwrap_or(0))
}

/// A value of a column, as the lake keeps it.
fn literal(text: &str, column: &Column) -> Result<String, Error> {
    let of = &column.sql_type;
    Ok(lake::kept(
        &format!("CAST({} AS {of})", sql::text(text)),
        of,
    )?)
}

/// How many rows of the files have no value in this column.
pub fn null_count(session: &Session, reading: &Reading, column: &str) -> Result<u64, Error> {
    let selects: Result<Vec<String>, crate::Error> = reading
        .groups
        .iter()
        .map(|group| super::relation::relation(group, reading).fitting(|_, value| Ok(value)))
        .collect();
    let query = format!(
        "SELECT count(*) FROM ({}) WHERE {} IS NULL",
        selects?.join(" UNION ALL "),
        sql::ident(column)
    );
    let rows = run(&*session.free()?, "count the rows without a value", &query)?;
    Ok(rows
        .into_iter()
        .flatten()
        .flatten()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0))
}
