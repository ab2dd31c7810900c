//! Rows that come to a table that has some of them already.

use std::path::PathBuf;

use comboi_project::{Column, Columns};

use crate::read_files::{
    Error as ReadError, FILE_COLUMN, Known, LOADED_AT_COLUMN, Present, RUN_ID_COLUMN, To, copy, run,
};
use crate::{Session, sql};

/// Staged rows on their way into a table.
#[derive(Clone, Copy, Debug)]
pub struct Incoming<'a> {
    /// Parquet files of lake types, with these columns and perhaps comboi's own.
    pub files: &'a [PathBuf],
    /// Their columns, without comboi's own.
    pub columns: &'a Columns,
    /// Those of the columns that the source has. They say whether a row is one that the table has. In the others, a row of the table
    /// keeps the value that it has when a row with its key comes.
    pub read: &'a Columns,
    /// Columns that tell rows apart.
    pub key: &'a [String],
    /// A column that grows. Of two rows with the same key the one with the greater is kept, and if both are the same the one that
    /// comes. Without it that is always the one that comes.
    pub cursor: Option<&'a str>,
    /// Whether all rows come from one state of the source, so that a key that is there twice is a mistake.
    pub consistent: bool,
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

/// Settles which of the rows that came go into the table, one for each key, and which of its files have to be written anew for
/// them. `None` if all are new: they go in as they came.
///
/// Of the table's files, `known` has at least those with rows that others take the place of.
pub fn merge(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    to: &To,
) -> Result<Option<Merged>, Error> {
    let is_unique = check_key(session, incoming)?;
    match (known.files.is_empty(), is_unique) {
        (true, true) => Ok(None),
        (true, false) => one_for_each_key(session, incoming, to).map(Some),
        (false, _) => {
            let rule = Rule {
                is_unique,
                ..Rule::default()
            };
            newest(session, known, incoming, rule, to).map(Some)
        }
    }
}

/// The same for rows of files, each of which has a key of its own.
///
/// A row without a value in the cursor is older than one that has one. With `by_file`, a row that comes from another file than the same one of the table takes its place.
pub fn merge_unique(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    by_file: bool,
    to: &To,
) -> Result<Option<Merged>, Error> {
    if known.files.is_empty() || incoming.files.is_empty() {
        return Ok(None);
    }
    let rule = Rule {
        is_unique: true,
        null_is_oldest: true,
        by_file,
    };
    newest(session, known, incoming, rule, to).map(Some)
}

/// Which rows take the place of others.
#[derive(Clone, Copy, Default)]
struct Rule {
    /// Every row that comes has a key of its own.
    is_unique: bool,
    /// Without a value in the cursor a row is older than one that has one.
    null_is_oldest: bool,
    /// Rows of different files are different.
    by_file: bool,
}

/// Whether every row that comes has a key of its own. Where that is a mistake, it is an error.
pub fn check_key(session: &Session, incoming: &Incoming<'_>) -> Result<bool, Error> {
    let key = incoming.key;
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
    let rows = run(&*session.free()?, "look at the keys of new rows", &query)?;
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

/// What is added to a table that has none of the keys that come.
fn one_for_each_key(session: &Session, incoming: &Incoming<'_>, to: &To) -> Result<Merged, Error> {
    let staged = copy(
        session,
        &coming(incoming, false),
        incoming.columns,
        incoming.files,
        to,
    )?;
    Ok(Merged {
        row_count: staged.row_count(),
        files: staged.paths(),
        removed: Vec::new(),
    })
}

fn newest(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    rule: Rule,
    to: &To,
) -> Result<Merged, Error> {
    let present = known.present(session)?;
    let all: Vec<&Column> = incoming.columns.iter().collect();
    let key_columns: Vec<&Column> = all
        .iter()
        .copied()
        .filter(|it| {
            incoming
                .key
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&it.name))
        })
        .collect();
    let names = list(incoming.key);
    let own = own_columns(session, incoming, &present)?;
    let coming = coming(incoming, rule.is_unique);
    let instance = session.free()?;
    let instance = &*instance;
    let own_statement = |doing: &str, text: &str| -> Result<(), Error> {
        run(instance, doing, text).map(drop).map_err(Error::from)
    };
    // Rows of the table that stay, although a row with their key comes: the same, or newer. A key that the table has more than once
    // (a load that was interrupted) is put in order.
    let by_file = rule.by_file && own.iter().any(|it| it.name == FILE_COLUMN && it.comes);
    let file = by_file.then_some(FILE_COLUMN);
    let same: Vec<String> = incoming
        .compared()
        .map(|column| sql::ident(&column.name))
        .chain(file.map(str::to_owned))
        .map(|name| format!("had.{name} IS NOT DISTINCT FROM came.{name}"))
        .collect();
    let newer = incoming.cursor.map_or_else(String::new, |cursor| {
        let cursor = sql::ident(cursor);
        let newer = format!(" OR had.{cursor} > came.{cursor}");
        if rule.null_is_oldest {
            format!("{newer} OR (had.{cursor} IS NOT NULL AND came.{cursor} IS NULL)")
        } else {
            newer
        }
    });
    let file = own.iter().find(|it| by_file && it.name == FILE_COLUMN);
    let file = file.map_or_else(String::new, |it| format!(", {}", it.of(&present)));
    let candidates = known.values_and(&all, &present, &file)?;
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
    let selected: Vec<String> = incoming.columns.names().map(sql::ident).collect();
    let selected = selected.join(", ");
    let came: String = own.iter().map(|it| format!(", {}", it.coming())).collect();
    let coming = match removed.is_empty() {
        true => coming,
        false => with_kept_values(session, known, &removed, incoming, &coming)?,
    };
    let mut query =
        format!("SELECT {selected}{came} FROM ({coming}) SEMI JOIN _comboi_came USING ({names})");
    if !removed.is_empty() {
        let touched = Known {
            columns: known.columns.clone(),
            files: removed.clone(),
        };
        let in_them = touched.present(session)?;
        let kept: String = own
            .iter()
            .map(|it| format!(", {}", it.of(&in_them)))
            .collect();
        let stay = touched.values_and(&all, &in_them, &kept)?;
        let own: String = own.iter().map(|it| format!(", {}", it.name)).collect();
        query = format!(
            "{query} UNION ALL SELECT {selected}{own} FROM ({stay}) ANTI JOIN _comboi_came USING ({names})"
        );
    }
    let staged = copy(session, &query, incoming.columns, &known.files, to)?;
    own_statement("forget the keys of new rows", "DROP TABLE _comboi_came")?;
    Ok(Merged {
        files: staged.paths(),
        row_count,
        removed,
    })
}

/// Rows that take the place of the whole table, with the values that its rows have in columns that the source does not have
/// any more. `None` if no row has one: then they are what came.
pub fn replace(
    session: &Session,
    known: &Known,
    incoming: &Incoming<'_>,
    to: &To,
) -> Result<Option<Vec<PathBuf>>, Error> {
    check_key(session, incoming)?;
    if known.files.is_empty() || incoming.files.is_empty() {
        return Ok(None);
    }
    let coming = coming(incoming, true);
    let kept = with_kept_values(session, known, &known.files, incoming, &coming)?;
    if kept == coming {
        return Ok(None);
    }
    let from: Vec<PathBuf> = known.files.iter().chain(incoming.files).cloned().collect();
    let staged = copy(session, &kept, incoming.columns, &from, to)?;
    Ok(Some(staged.paths()))
}

/// The rows that come, with what these files of the table have in columns that the source does not have any more. A key that is
/// in them twice (a load that was interrupted) has the same value there, or none.
fn with_kept_values(
    session: &Session,
    known: &Known,
    files: &[PathBuf],
    incoming: &Incoming<'_>,
    coming: &str,
) -> Result<String, Error> {
    let here = Known {
        columns: known.columns.clone(),
        files: files.to_vec(),
    };
    let present = here.present(session)?;
    let is_kept = |it: &&Column| !incoming.is_compared(it) && present.get(&it.name).is_some();
    let kept: Vec<&Column> = incoming.columns.iter().filter(is_kept).collect();
    if kept.is_empty() {
        return Ok(coming.to_owned());
    }
    let is_key = |it: &&Column| {
        incoming
            .key
            .iter()
            .any(|key| key.eq_ignore_ascii_case(&it.name))
    };
    let wanted: Vec<&Column> = incoming
        .columns
        .iter()
        .filter(is_key)
        .chain(kept.iter().copied())
        .collect();
    let names: Vec<String> = kept.iter().map(|it| sql::ident(&it.name)).collect();
    let values: Vec<String> = names
        .iter()
        .map(|name| format!("any_value({name}) AS {name}"))
        .collect();
    let replaced: Vec<String> = names
        .iter()
        .map(|name| format!("had.{name} AS {name}"))
        .collect();
    let key = list(incoming.key);
    Ok(format!(
        "SELECT came.* REPLACE ({}) FROM ({coming}) AS came LEFT JOIN \
         (SELECT {key}, {} FROM ({}) GROUP BY {key}) AS had USING ({key})",
        replaced.join(", "),
        values.join(", "),
        here.values(&wanted, &present, None)?,
    ))
}

impl Incoming<'_> {
    fn compared(&self) -> impl Iterator<Item = &Column> {
        self.columns
            .iter()
            .filter(|column| self.is_compared(column))
    }

    fn is_compared(&self, column: &Column) -> bool {
        self.read.get(&column.name).is_some()
    }
}

/// The rows that come, one for each key.
fn coming(incoming: &Incoming<'_>, is_unique: bool) -> String {
    let from = sql::parquet(incoming.files);
    if is_unique {
        return format!("SELECT * FROM {from}");
    }
    let order = incoming.cursor.map_or_else(String::new, |cursor| {
        format!(" ORDER BY {} DESC NULLS LAST", sql::ident(cursor))
    });
    format!(
        "SELECT * FROM {from} QUALIFY row_number() OVER (PARTITION BY {}{order}) = 1",
        list(incoming.key)
    )
}

/// One of comboi's own columns.
struct Own {
    name: &'static str,
    sql_type: &'static str,
    /// Whether the rows that come have it.
    comes: bool,
}

impl Own {
    fn coming(&self) -> String {
        if self.comes {
            self.name.to_owned()
        } else {
            self.none()
        }
    }

    /// As files have it that have these columns.
    fn of(&self, present: &Present) -> String {
        match present.get(self.name) {
            Some(_) => self.name.to_owned(),
            None => self.none(),
        }
    }

    fn none(&self) -> String {
        format!("CAST(NULL AS {}) AS {}", self.sql_type, self.name)
    }
}

/// Those of comboi's own columns that the rows have which come, or those of the table.
fn own_columns(
    session: &Session,
    incoming: &Incoming<'_>,
    present: &Present,
) -> Result<Vec<Own>, Error> {
    let files = Known {
        columns: Columns::default(),
        files: incoming.files.to_vec(),
    };
    let coming = files.present(session)?;
    let all = [
        (FILE_COLUMN, "VARCHAR"),
        (LOADED_AT_COLUMN, "TIMESTAMPTZ"),
        (RUN_ID_COLUMN, "BIGINT"),
    ];
    let own = all.into_iter().map(|(name, sql_type)| Own {
        name,
        sql_type,
        comes: coming.get(name).is_some(),
    });
    Ok(own
        .filter(|it| it.comes || present.get(it.name).is_some())
        .collect())
}

fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| sql::ident(name))
        .collect::<Vec<_>>()
        .join(", ")
}
