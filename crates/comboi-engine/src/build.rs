//! Building a dataset: somebody's `SELECT` over its inputs, written as one Parquet file of the lake's types.

use std::path::{Path, PathBuf, absolute};
use std::{fs, io};

use comboi_project::{Column, Columns, Place, Problem, Problems, SqlType};
use tracing::info;

use crate::casts::{fits_contract, not_kept, to_contract, to_lake};
use crate::damage::blamed;
use crate::failure::Failure;
use crate::instance::{Instance, typed};
use crate::select::{Select, in_sql};
use crate::view::show_input;
use crate::{Error, Input, Limits, Session, SqlFile, parquet, sql as text};

/// What became of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    /// What the query returned, in the types that people's SQL sees.
    pub columns: Columns,
    /// Rows in the file.
    pub row_count: u64,
    /// One Parquet file of the lake's types.
    pub file: PathBuf,
}

impl Built {
    /// It as an input of something else.
    pub fn input<'a>(&'a self, alias: &'a str) -> Input<'a> {
        Input {
            alias,
            columns: &self.columns,
            files: std::slice::from_ref(&self.file),
        }
    }
}

/// So many files at most are read as one table of numbered rows: each is a scan of its own.
const FEW: usize = 16;

/// The input whose rows a query returns as they are, if it does nothing else, as `FROM persons` does; [`build`] would only copy them. Not one of
/// many files.
pub fn handed_on<'a>(
    session: &Session,
    sql: &SqlFile<'_>,
    inputs: &[Input<'a>],
    wanted: &[(String, SqlType)],
) -> Result<Option<Input<'a>>, Error> {
    let aliases: Vec<&str> = inputs.iter().map(|input| input.alias).collect();
    let select = Select::read(session, sql, &aliases)?;
    let Some(name) = select.hands_on(session)? else {
        return Ok(None);
    };
    let mut inputs = inputs.iter().copied();
    let input = inputs.find(|it| it.alias.to_lowercase() == name.to_lowercase());
    Ok(input.filter(|it| {
        let as_it_is = |query: Query<'_>| query.columns == *it.columns;
        (1..=FEW).contains(&it.files.len())
            && !it.columns.0.is_empty()
            && column_problems(sql, it.columns).is_empty()
            && Query::new(sql, it.columns, wanted).is_ok_and(as_it_is)
    }))
}

/// Runs somebody's `SELECT` over its inputs and writes the result to `to`, whose folder must exist; a file that is
/// there is replaced, and none is left behind when it fails.
///
/// The query reaches the files of its inputs and nothing else. A column that `wanted` (the contract) has in
/// another type is cast to it where only an aggregate chose the type and no digit can be lost: `SUM` gives
/// HUGEINT, `COUNT` gives BIGINT. Rows come in the order of the query's own `ORDER BY`, else in any.
pub fn build(
    session: &Session,
    sql: &SqlFile<'_>,
    inputs: &[Input<'_>],
    wanted: Option<&[(String, SqlType)]>,
    to: &Path,
) -> Result<Built, Error> {
    let aliases: Vec<&str> = inputs.iter().map(|input| input.alias).collect();
    let select = Select::read(session, sql, &aliases)?;
    if let Some(place) = select.needs_key(sql)
        && let Some(problem) = session.given().key_problem(&place)
    {
        return Err(Problems(vec![problem]).into());
    }
    let unusable = |e: io::Error| Error::Unreadable {
        doing: format!("write {}", to.display()),
        reason: e.to_string(),
    };
    let to = &absolute(to).map_err(unusable)?;
    let work = Work {
        session,
        sql,
        select,
        inputs,
        wanted: wanted.unwrap_or_default(),
        to,
    };
    let limits = *session.limits();
    match work.attempt(&limits) {
        Err(Error::OutOfMemory { .. }) if limits.useful_threads() > 1 => {
            let file = sql.path.display();
            info!(%file, "{file} needs more memory than there is for {} threads: trying with one", limits.useful_threads());
            work.attempt(&Limits {
                threads: 1,
                ..limits
            })
        }
        done => done,
    }
}

struct Work<'a> {
    session: &'a Session,
    sql: &'a SqlFile<'a>,
    select: Select,
    inputs: &'a [Input<'a>],
    wanted: &'a [(String, SqlType)],
    to: &'a Path,
}

impl Work<'_> {
    fn attempt(&self, limits: &Limits) -> Result<Built, Error> {
        let files = self
            .inputs
            .iter()
            .flat_map(|input| input.files)
            .map(PathBuf::as_path);
        let files: Vec<&Path> = files.chain([self.to]).collect();
        let instance = self.session.confined_within(limits, &files)?;
        for input in self.inputs {
            show_input(&instance, input)?;
        }
        self.session.given().define(&instance)?;
        instance.lock()?;
        let given = columns_of(&instance, self.sql, &self.select)?;
        let query = Query::new(self.sql, &given, self.wanted)?;
        let (rows, start) = query.rows(&self.select);
        let written =
            parquet::write(&instance, &rows, &query.columns, self.to).map_err(|failure| {
                // What is there is incomplete, and no one may take it for the result. If even that fails, the next
                // build writes over it.
                drop(fs::remove_file(self.to));
                failure
                    .of_writing(self.to)
                    .unwrap_or_else(|| query.explain(&instance, failure, self.inputs, start))
            })?;
        let row_count = written
            .first()
            .and_then(|row| row.first()?.as_ref()?.parse().ok())
            .unwrap_or_default();
        Ok(Built {
            columns: query.columns,
            row_count,
            file: self.to.to_owned(),
        })
    }
}

/// The columns that a query returns, in its own types. All that is wrong with their names is found at once.
pub(crate) fn columns_of(
    instance: &Instance,
    sql: &SqlFile<'_>,
    select: &Select,
) -> Result<Columns, Error> {
    const BEFORE: &str = "DESCRIBE ";
    let described = instance
        .columns(&select.text)
        .map_err(|failure| explain(instance, sql, failure, BEFORE.len()))?;
    let columns = typed(described)?;
    let problems = column_problems(sql, &columns);
    if problems.is_empty() {
        Ok(columns)
    } else {
        Err(Problems(problems).into())
    }
}

/// A query whose result the lake can keep.
pub(crate) struct Query<'a> {
    sql: &'a SqlFile<'a>,
    pub(crate) columns: Columns,
    /// One expression for each column, over `c0`, `c1`, ….
    casts: Vec<String>,
}

impl<'a> Query<'a> {
    pub(crate) fn new(
        sql: &'a SqlFile<'a>,
        given: &Columns,
        wanted: &[(String, SqlType)],
    ) -> Result<Self, Error> {
        let (mut columns, mut casts, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        for (i, Column { name, sql_type, .. }) in given.0.iter().enumerate() {
            let contract = wanted
                .iter()
                .find(|(wanted, _)| wanted.to_lowercase() == name.to_lowercase())
                .map(|(_, of)| of);
            let contract = contract.filter(|of| *of != sql_type && fits_contract(sql_type, of));
            let value = format!("c{i}");
            let value = contract.map_or_else(|| value.clone(), |of| to_contract(&value, of, i));
            let sql_type = contract.unwrap_or(sql_type);
            match sql_type.lake_type() {
                Ok(kept) => casts.push(format!(
                    "{} AS {}",
                    to_lake(&value, sql_type, &kept, i),
                    text::ident(name)
                )),
                Err(e) => problems.push(
                    Problem::at(&Place::file(sql.path), format!("column `{name}`: {e}"))
                        .hint(e.hint),
                ),
            }
            columns.push(Column::new(name.clone(), sql_type.clone()));
        }
        if problems.is_empty() {
            Ok(Self {
                sql,
                columns: Columns(columns),
                casts,
            })
        } else {
            Err(Problems(problems).into())
        }
    }

    /// The query for the lake's types, and the byte of the statement where somebody's text begins.
    fn rows(&self, select: &Select) -> (String, usize) {
        let names: Vec<String> = (0..self.casts.len()).map(|i| format!("c{i}")).collect();
        let before = format!("SELECT {} FROM (\n", self.casts.join(", "));
        let rows = format!("{before}{}\n) AS q({})", select.text, names.join(", "));
        (rows, parquet::COPY_BEFORE.len() + before.len())
    }

    fn explain(
        &self,
        instance: &Instance,
        failure: Failure,
        inputs: &[Input<'_>],
        start: usize,
    ) -> Error {
        if let Some((column, why)) = not_kept(&failure.message) {
            let name = self
                .columns
                .0
                .get(column)
                .map_or("?", |column| column.name.as_str());
            return Problems(vec![Problem::at(
                &Place::file(self.sql.path),
                format!("column `{name}` can't be kept: {why}"),
            )])
            .into();
        }
        for input in inputs {
            if let Some(reason) = blamed(instance, &failure, input.files) {
                let doing = format!("read `{}` for {}", input.alias, self.sql.path.display());
                return Error::Unreadable { doing, reason };
            }
        }
        explain(instance, self.sql, failure, start)
    }
}

/// What a failure means of a statement in which somebody's text begins at byte `start`.
fn explain(instance: &Instance, sql: &SqlFile<'_>, failure: Failure, start: usize) -> Error {
    in_sql(sql, failure, start)
        .unwrap_or_else(|failure| instance.explain(failure, &format!("run {}", sql.path.display())))
}

/// Readers of Delta tables refuse these in the name of a column.
const NOT_IN_NAMES: [char; 10] = [' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

fn column_problems(sql: &SqlFile<'_>, columns: &Columns) -> Vec<Problem> {
    let place = Place::file(sql.path);
    let mut seen: Vec<String> = Vec::new();
    let mut problems = Vec::new();
    for column in &columns.0 {
        let name = &column.name;
        let lower = name.to_lowercase();
        if seen.contains(&lower) {
            let message = format!("two columns are called `{name}` (capitals make no difference)");
            problems
                .push(Problem::at(&place, message).hint("give one of them another name with AS"));
        }
        seen.push(lower);
        problems.extend(name_problem(&place, "column", name));
        fields_of(&column.sql_type, &mut |field| {
            problems.extend(name_problem(
                &place,
                &format!("column `{name}`: field"),
                field,
            ));
        });
    }
    problems
}

fn name_problem(place: &Place, what: &str, name: &str) -> Option<Problem> {
    if name.is_empty() {
        return Some(
            Problem::at(place, format!("{what} without a name"))
                .hint("give it a name with AS, or with {'name': …} in a struct"),
        );
    }
    let wrong = name.chars().find(|c| NOT_IN_NAMES.contains(c))?;
    let message =
        format!("{what} `{name}` has {wrong:?} in its name, which readers of the lake refuse");
    Some(Problem::at(place, message).hint("give it a plain name with AS"))
}

fn fields_of(sql_type: &SqlType, each: &mut impl FnMut(&str)) {
    match sql_type {
        SqlType::Struct(fields) => {
            for (name, of) in fields {
                each(name);
                fields_of(of, each);
            }
        }
        SqlType::List(item) | SqlType::Array(item, _) => fields_of(item, each),
        SqlType::Map(key, value) => {
            fields_of(key, each);
            fields_of(value, each);
        }
        _ => {}
    }
}
