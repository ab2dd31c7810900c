//! What rows of one thing share, as SQL.

use comboi_project::{Columns, LinkKey, Located, Place, Problem, Problems, SqlType, did_you_mean};

use crate::build::columns_of;
use crate::select::{Select, uses_the_clock};
use crate::view::show_empty;
use crate::{Error, Input, Session, SqlFile, expressions, sql};

/// What people's expressions call the rows.
pub(super) const ROWS: &str = "rows";

/// A key as an expression for each part.
pub(super) struct Key {
    pub(super) name: String,
    pub(super) parts: Vec<String>,
    pub(super) place: Place,
}

impl Key {
    pub(super) fn new(written: &Located<LinkKey>, columns: &Columns) -> Self {
        let parts = written.parts.iter();
        Self {
            name: written.name(),
            parts: parts.map(|(part, _)| expression(part, columns)).collect(),
            place: written.place.clone(),
        }
    }

    /// `k0, k1, …`
    pub(super) fn names(&self) -> Vec<String> {
        (0..self.parts.len()).map(|i| format!("k{i}")).collect()
    }
}

/// A column by its name, else what was written.
fn expression(part: &str, columns: &Columns) -> String {
    columns.get(part).map_or_else(
        || format!("(\n{part}\n)"),
        |column| sql::ident(&column.name),
    )
}

/// A text that is blank says as little as NULL.
pub(super) fn not_blank(value: &str, of: &SqlType) -> String {
    match of {
        SqlType::Varchar(_) => sql::unless_blank(value),
        _ => value.to_owned(),
    }
}

/// Every part of a key that is neither a column nor an expression over the columns.
pub(super) fn problems(
    session: &Session,
    keys: &[Located<LinkKey>],
    columns: &Columns,
) -> Result<Vec<Problem>, Error> {
    let mut problems = Vec::new();
    for (part, place) in keys.iter().flat_map(|key| &key.parts) {
        if columns.get(part).is_some() {
            continue;
        }
        if is_name(part) {
            let message = format!("the query returns no column `{part}`");
            problems
                .push(Problem::at(place, message).maybe_hint(did_you_mean(part, columns.names())));
            continue;
        }
        match check_expression(session, part, place, columns) {
            Err(Error::Problems(Problems(found))) => {
                // The place in the expression means nothing in the file that it is part of.
                let found = found.into_iter().take(1).map(|problem| Problem {
                    place: place.clone(),
                    message: format!("`{part}`: {}", problem.message),
                    ..problem
                });
                problems.extend(found);
            }
            done => done?,
        }
    }
    Ok(problems)
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_alphabetic() || c == '_')
        && chars.all(|c| c.is_alphanumeric() || c == '_')
}

fn check_expression(
    session: &Session,
    part: &str,
    place: &Place,
    columns: &Columns,
) -> Result<(), Error> {
    let text = format!("SELECT (\n{part}\n) AS k FROM {ROWS}");
    let sql = SqlFile {
        path: &place.file,
        text: &text,
    };
    let select = Select::read(session, &sql, &[ROWS])?;
    if let Err(not_sql) = expressions::parse(session, part)? {
        return Err(Problems(vec![Problem::at(place, not_sql.message)]).into());
    }
    if uses_the_clock(session, &sql)? {
        let problem = Problem::at(place, "a key can't ask for the time or for chance");
        return Err(Problems(vec![problem]).into());
    }
    let instance = session.parser()?;
    instance.own("begin", "BEGIN")?;
    let rows = Input {
        alias: ROWS,
        columns,
        files: &[],
    };
    let described = show_empty(instance, &rows).and_then(|()| columns_of(instance, &sql, &select));
    instance.own("forget the rows", "ROLLBACK")?;
    described.map(drop)
}
