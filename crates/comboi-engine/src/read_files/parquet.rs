//! Parquet files by what they say their columns are.

use std::collections::BTreeMap;
use std::path::Path;

use super::run::run;
use super::{Error, FileColumn, FileToRead, Group, Layout, nulls};
use crate::convert::{Refused, readable};
use crate::failure::{Failure, Kind, first_line};
use crate::{Session, sql};

/// Parquet files by what they say their columns are, in the order of their first files.
///
/// Only their footers are read, and pages that have a checksum. A file that DuckDB would read wrongly is written again below `scratch`.
pub fn parquet_groups(
    session: &Session,
    folder: &Path,
    files: &[FileToRead],
    scratch: &Path,
) -> Result<Vec<Group>, Error> {
    let (mut as_they_are, mut converted) = (Vec::new(), Vec::new());
    for file in files {
        match readable(session, &file.path, &scratch.join(&file.name))? {
            None => as_they_are.push(file.clone()),
            Some(path) => converted.push(FileToRead {
                path,
                name: file.name.clone(),
            }),
        }
    }
    let mut groups = alike(session, folder, &as_they_are)?;
    groups.extend(alike(session, scratch, &converted)?);
    groups.sort_by_cached_key(|group| {
        let first = group.files.first();
        first.and_then(|first| files.iter().position(|it| it.name == first.name))
    });
    Ok(groups)
}

fn alike(session: &Session, folder: &Path, files: &[FileToRead]) -> Result<Vec<Group>, Error> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let paths: Vec<_> = files.iter().map(|file| &file.path).collect();
    let query = format!(
        "SELECT file_name, md5(string_agg(concat_ws('|', name, type, type_length, repetition_type, num_children, converted_type, scale, precision, logical_type), chr(10) ORDER BY column_id)) \
         FROM parquet_schema({}) GROUP BY file_name",
        sql::file_list(&paths)
    );
    let mut schemas = BTreeMap::new();
    let instance = session.free()?;
    let rows = run(&instance, "read the columns of Parquet files", &query);
    for row in rows.map_err(|error| unreadable(session, &paths).unwrap_or(error))? {
        let mut cells = row.into_iter();
        let file = cells.next().flatten().unwrap_or_default();
        schemas.insert(file, cells.next().flatten().unwrap_or_default());
    }
    let mut groups: Vec<(String, Vec<FileToRead>)> = Vec::new();
    for file in files {
        let schema = schemas
            .get(file.path.to_string_lossy().as_ref())
            .cloned()
            .unwrap_or_default();
        match groups.iter_mut().find(|(it, _)| *it == schema) {
            Some((_, files)) => files.push(file.clone()),
            None => groups.push((schema, vec![file.clone()])),
        }
    }
    groups
        .into_iter()
        .map(|(_, files)| parquet_group(session, folder, files))
        .collect()
}

/// Which file's columns can't be read, and why. A message about several files names none.
fn unreadable<P: AsRef<Path>>(session: &Session, files: &[P]) -> Option<Error> {
    let instance = session.free().ok()?;
    files.iter().map(AsRef::as_ref).find_map(|file| {
        let query = format!("FROM parquet_schema({})", sql::file_list(&[file]));
        let failure = instance.rows(&query).err()?;
        let is_of_file = matches!(failure.kind, Kind::File | Kind::Damage | Kind::Value);
        is_of_file.then(|| Error::BadFile(no_columns(file, &failure)))
    })
}

fn no_columns(file: &Path, failure: &Failure) -> String {
    match failure.kind {
        Kind::Damage => format!("`{}` is damaged: its footer can't be read", file.display()),
        _ => format!(
            "`{}`: its columns can't be read: {}",
            file.display(),
            first_line(&failure.message)
        ),
    }
}

fn parquet_group(session: &Session, folder: &Path, files: Vec<FileToRead>) -> Result<Group, Error> {
    let mut group = Group {
        layout: Layout::Parquet,
        folder: folder.to_owned(),
        files,
        columns: Vec::new(),
    };
    let first: Vec<_> = group.files.iter().take(1).map(|file| &file.path).collect();
    let instance = session.free()?;
    let instance = &*instance;
    let columns = instance.columns(&format!(
        "SELECT * FROM read_parquet({})",
        sql::file_list(&first)
    ));
    let columns = columns.map_err(|failure| {
        unreadable(session, &first).unwrap_or_else(|| {
            instance
                .explain(failure, "read the columns of a Parquet file")
                .into()
        })
    })?;
    let nodes = nulls::read(session, &first)?;
    let mut nodes = nodes.iter();
    let column = |column: comboi_project::Column| {
        let node = nodes.next();
        FileColumn {
            // DuckDB calls `A` beside `a` otherwise.
            spelled: node.map_or(column.name, |node| node.name.clone()),
            name: None,
            stored_type: node.map(|_| column.sql_type.clone()),
            sql_type: Some(nulls::known(column.sql_type, node)),
        }
    };
    group.columns = crate::instance::typed(columns)?
        .0
        .into_iter()
        .map(column)
        .collect();
    Ok(group)
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::File(text) => Self::BadFile(text),
            Refused::Other(error) => Self::Engine(error),
        }
    }
}
