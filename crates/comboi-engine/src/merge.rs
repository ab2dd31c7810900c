//! Rows that come to a table that has some of them already.

use std::path::PathBuf;

use comboi_project::{Column, Columns};

use crate::read_files::{
    Error as ReadError, Known, LOADED_AT_COLUMN, RUN_ID_COLUMN, To, copy, run,
};
use crate::{Session, sql};

/// Staged rows on their way into a table.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Parquet files of lake types, with these columns and perhaps comboi's own.
    pub files: &'a [PathBuf],
    /// Their columns, without comboi's own.
    pub columns: &'a Columns,
    /// Those of the columns that say whether a row is one that the table has: a column that the source has not any more does not.
    pub compared: &'a [&'a str],
    /// Which rows are to be there in the end.
    pub keep: Keep<'a>,
    /// Whether all rows come from one state of the source, so that a key that is there twice is a mistake.
    pub consistent: bool,
}

/// Which rows are to be in the table in the end.
#[derive(Clone, Copy, Debug)]
pub enum Keep<'a> {
    /// One for each key: the one with the greater cursor, and if both are the same the one that comes. Without a cursor always
    /// the one that comes.
    Newest {
        /// Columns that tell rows apart.
        key: &'a [String],
        /// A column that grows.
        cursor: Option<&'a str>,
    },
    /// Each as often as it comes, counting those that the table has.
    Unknown {
        /// A column that all copies of a row share the value of, so that only rows near those that come are compared.
        cursor: Option<&'a str>,
    },
}

/// What a commit needs.
#[derive(Debug, Default)]
pub struct Merged {
    /// Files to be added: rows that came, and rows of the removed files that stay.
    pub files: Vec<PathBuf>,
    /// How many of the rows that came are in them.
    pub row_count: u64,
    /// Files of the table to be removed.
    pub removed: Vec<PathBuf>,
}

/// Why rows can't be merged.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Rows that came have the same key.
    #[error("{rows} rows share their `{}` with another row", key.join("`, `"))]
    KeyNotUnique {
        /// The columns.
        key: Vec<String>,
        /// How many rows there are too many.
        rows: u64,
    },
    /// Rows that came have no key.
    #[error("{rows} rows have no value in `{}`", key.join("` or `"))]
    NullKey {
        /// The columns.
        key: Vec<String>,
        /// How many rows.
        rows: u64,
    },
    /// Anything else.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Settles which of the rows that came go into the table, and which of its files have to be written anew for them.
///
/// `known` are the files that the table has, at least one.
pub fn merge(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    to: &To,
) -> Result<Merged, Error> {
    match incoming.keep {
        Keep::Unknown { cursor } => unknown(session, known, incoming, cursor, to),
        Keep::Newest { key, cursor } => {
            let unique = check_key(session, incoming)?;
            newest(
                session,
                known,
                incoming,
                &Key {
                    names: key,
                    cursor,
                    unique,
                },
                to,
            )
        }
    }
}

/// Whether every row that comes has a key of its own. Where that is a mistake, it is an error.
pub fn check_key(session: &Session, incoming: &Incoming<'_>) -> Result<bool, Error> {
    let Keep::Newest { key, .. } = incoming.keep else {
        return Ok(true);
    };
    let names = list(key);
    let missing: Vec<String> = key
        .iter()
        .map(|name| format!("{} IS NULL", sql::ident(name)))
        .collect();
    let query = format!(
        "SELECT count(*) - count(DISTINCT ({names})), count(*) FILTER ({}) FROM {}",
        missing.join(" OR "),
        sql::parquet(incoming.files)
    );
    let rows = run(session.free()?, "look at the keys of new rows", &query)?;
    let mut counts = rows
        .into_iter()
        .flatten()
        .map(|text| text.and_then(|text| text.parse().ok()).unwrap_or(0));
    let (too_many, nulls): (u64, u64) = (counts.next().unwrap_or(0), counts.next().unwrap_or(0));
    if nulls > 0 {
        return Err(Error::NullKey {
            key: key.to_vec(),
            rows: nulls,
        });
    }
    if too_many > 0 && incoming.consistent {
        return Err(Error::KeyNotUnique {
            key: key.to_vec(),
            rows: too_many,
        });
    }
    Ok(too_many == 0)
}

impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Self {
        Self::Read(error.into())
    }
}

fn unknown(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    cursor: Option<&str>,
    to: &To,
) -> Result<Merged, Error> {
    let present = known.present(session)?;
    let compared: Vec<&Column> = incoming.compared().collect();
    let near = match cursor {
        Some(cursor) => near(session, incoming, cursor)?,
        None => None,
    };
    let had = known.values(&compared, &present, near.as_deref())?;
    let names: Vec<String> = compared
        .iter()
        .map(|column| sql::ident(&column.name))
        .collect();
    let names = names.join(", ");
    let gone: Result<Vec<String>, Error> = incoming.gone().map(null).collect();
    let own: Vec<String> = own_columns(session, incoming)?
        .into_iter()
        .map(|name| {
            format!(
                ", (SELECT min({name}) FROM {}) AS {name}",
                sql::parquet(incoming.files)
            )
        })
        .collect();
    let query = format!(
        "SELECT {names}{}{} FROM (SELECT {names} FROM {} EXCEPT ALL SELECT {names} FROM ({had}))",
        gone?.join(""),
        own.join(""),
        sql::parquet(incoming.files)
    );
    let staged = copy(session, &query, &known.files, to)?;
    Ok(Merged {
        row_count: staged.row_count(),
        files: staged.paths(),
        removed: Vec::new(),
    })
}

/// Where copies of the rows that come can be: between their least and their greatest cursor.
fn near(session: &Session, incoming: &Incoming<'_>, cursor: &str) -> Result<Option<String>, Error> {
    let name = sql::ident(cursor);
    let Some(column) = incoming.columns.get(cursor) else {
        return Ok(None);
    };
    let kept = column
        .sql_type
        .lake_type()
        .map_err(|e| crate::Error::Internal {
            doing: "compare new rows".into(),
            message: e.to_string(),
        });
    let kept = kept.map_err(ReadError::from)?;
    let query = format!(
        "SELECT CAST(min({name}) AS VARCHAR), CAST(max({name}) AS VARCHAR), count(*) > count({name}) FROM {}",
        sql::parquet(incoming.files)
    );
    let rows = run(session.free()?, "find where new rows begin", &query)?;
    let mut row = rows.into_iter().next().unwrap_or_default().into_iter();
    let (least, greatest, nulls) = (
        row.next().flatten(),
        row.next().flatten(),
        row.next().flatten(),
    );
    let nulls = if nulls.as_deref() == Some("true") {
        format!("{name} IS NULL")
    } else {
        "false".to_owned()
    };
    Ok(Some(match (least, greatest) {
        (Some(least), Some(greatest)) => format!(
            "({name} BETWEEN CAST({} AS {kept}) AND CAST({} AS {kept}) OR {nulls})",
            sql::text(&least),
            sql::text(&greatest)
        ),
        _ => nulls,
    }))
}

struct Key<'a> {
    names: &'a [String],
    cursor: Option<&'a str>,
    /// Whether each row that comes has its own.
    unique: bool,
}

fn newest(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    key: &Key<'_>,
    to: &To,
) -> Result<Merged, Error> {
    let present = known.present(session)?;
    let all: Vec<&Column> = incoming.columns.iter().collect();
    let key_columns: Vec<&Column> = all
        .iter()
        .copied()
        .filter(|it| {
            key.names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&it.name))
        })
        .collect();
    let names = list(key.names);
    let coming = coming(incoming, key);
    let own = own_columns(session, incoming)?;
    let instance = session.free()?;
    let own_statement = |doing: &str, text: &str| -> Result<(), Error> {
        run(instance, doing, text).map(drop).map_err(Error::from)
    };
    // Rows of the table that stay, although a row with their key comes: the same, or newer. A key that the table has more than once
    // (a load that was interrupted) is put in order.
    let same: Vec<String> = incoming
        .compared()
        .map(|column| {
            let name = sql::ident(&column.name);
            format!("had.{name} IS NOT DISTINCT FROM came.{name}")
        })
        .collect();
    let newer = key.cursor.map_or_else(String::new, |cursor| {
        format!(" OR had.{0} > came.{0}", sql::ident(cursor))
    });
    let candidates = known.values(&all, &present, None)?;
    own_statement(
        "compare new rows with the table",
        &format!(
            "CREATE OR REPLACE TEMP TABLE _comboi_came AS SELECT {names} FROM ({coming}) ANTI JOIN \
             (SELECT {names} FROM ({candidates}) AS had JOIN ({coming}) AS came USING ({names}) \
              GROUP BY ALL HAVING count(*) = 1 AND bool_and(({same}){newer})) USING ({names})",
            same = same.join(" AND "),
        ),
    )?;
    let came = run(
        instance,
        "count new rows",
        "SELECT count(*) FROM _comboi_came",
    )?;
    let row_count: u64 = came
        .into_iter()
        .flatten()
        .flatten()
        .next()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    if row_count == 0 {
        return Ok(Merged::default());
    }
    let keys = known.values_and(&key_columns, &present, ", _comboi_path")?;
    let touched = run(
        instance,
        "find the files of changed rows",
        &format!(
            "SELECT DISTINCT _comboi_path FROM ({keys}) SEMI JOIN _comboi_came USING ({names}) ORDER BY 1"
        ),
    )?;
    let removed: Vec<PathBuf> = touched
        .into_iter()
        .flatten()
        .flatten()
        .map(PathBuf::from)
        .collect();
    let selected: Vec<String> = incoming
        .columns
        .names()
        .map(sql::ident)
        .chain(own.iter().map(|name| (*name).to_owned()))
        .collect();
    let selected = selected.join(", ");
    let mut query =
        format!("SELECT {selected} FROM ({coming}) SEMI JOIN _comboi_came USING ({names})");
    if !removed.is_empty() {
        let touched = Known {
            columns: known.columns.clone(),
            files: removed.clone(),
        };
        let in_them = touched.present(session)?;
        let kept_own: Vec<String> = own
            .iter()
            .map(|name| match in_them.get(name) {
                Some(_) => format!(", {name}"),
                None if *name == RUN_ID_COLUMN => format!(", CAST(NULL AS BIGINT) AS {name}"),
                None => format!(", CAST(NULL AS TIMESTAMPTZ) AS {name}"),
            })
            .collect();
        let stay = touched.values_and(&all, &in_them, &kept_own.join(""))?;
        query = format!(
            "{query} UNION ALL SELECT {selected} FROM ({stay}) ANTI JOIN _comboi_came USING ({names})"
        );
    }
    let staged = copy(session, &query, &known.files, to)?;
    own_statement("forget the keys of new rows", "DROP TABLE _comboi_came")?;
    Ok(Merged {
        files: staged.paths(),
        row_count,
        removed,
    })
}

impl Incoming<'_> {
    fn compared(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| self.is_compared(column))
    }

    fn gone(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| !self.is_compared(column))
    }

    fn is_compared(&self, column: &Column) -> bool {
        self.compared
            .iter()
            .any(|name| name.eq_ignore_ascii_case(&column.name))
    }
}

/// A column of nothing but NULL, as one more expression.
fn null(column: &Column) -> Result<String, Error> {
    let kept = column
        .sql_type
        .lake_type()
        .map_err(|e| crate::Error::Internal {
            doing: "stage rows".into(),
            message: e.to_string(),
        })?;
    Ok(format!(
        ", CAST(NULL AS {kept}) AS {}",
        sql::ident(&column.name)
    ))
}

/// The rows that come, one for each key.
fn coming(incoming: &Incoming<'_>, key: &Key<'_>) -> String {
    let from = sql::parquet(incoming.files);
    if key.unique {
        return format!("SELECT * FROM {from}");
    }
    let order = key.cursor.map_or_else(String::new, |cursor| {
        format!(" ORDER BY {} DESC NULLS LAST", sql::ident(cursor))
    });
    format!(
        "SELECT * FROM {from} QUALIFY row_number() OVER (PARTITION BY {}{order}) = 1",
        list(key.names)
    )
}

/// Those of comboi's own columns that the rows have which come.
fn own_columns(session: &Session, incoming: &Incoming<'_>) -> Result<Vec<&'static str>, Error> {
    let files = Known {
        columns: Columns::default(),
        files: incoming.files.to_vec(),
    };
    let present = files.present(session)?;
    Ok([LOADED_AT_COLUMN, RUN_ID_COLUMN]
        .into_iter()
        .filter(|name| present.get(name).is_some())
        .collect())
}

fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| sql::ident(name))
        .collect::<Vec<_>>()
        .join(", ")
}
