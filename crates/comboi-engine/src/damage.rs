//! Which file is damaged. DuckDB names it for a broken footer, for a broken page only sometimes.

use std::path::Path;

use crate::failure::{Failure, Kind, first_line, without_values};
use crate::instance::Instance;
use crate::{footer, sql};

/// What is wrong with one of these Parquet files, which the text names, if that is what a failure is about.
///
/// Where DuckDB found damage and does not say in which file, each is read until the one is found.
pub(crate) fn blamed<P: AsRef<Path>>(
    instance: &Instance,
    failure: &Failure,
    files: &[P],
) -> Option<String> {
    let mut files = files.iter().map(AsRef::as_ref);
    match failure.kind {
        Kind::File | Kind::Value | Kind::Broken | Kind::Internal => {
            files.find_map(|file| named(failure, file))
        }
        Kind::Damage => files.find_map(|file| match instance.rows(&read_all(file)) {
            Ok(_) => None,
            Err(failure) => named(&failure, file).or_else(|| {
                (failure.kind == Kind::Damage)
                    .then(|| damaged(file, &without_values(&failure.message, "")))
            }),
        }),
        _ => None,
    }
}

/// Every value of every column takes part in a hash.
fn read_all(file: &Path) -> String {
    format!(
        "SELECT max(hash(t))::VARCHAR FROM {} AS t",
        sql::parquet(&[file])
    )
}

/// Which of these Parquet files has a value that DuckDB does not read, and in which column: a time beyond its years, say.
pub(crate) fn unreadable_value<P: AsRef<Path>>(instance: &Instance, files: &[P]) -> Option<String> {
    files.iter().map(AsRef::as_ref).find_map(|file| {
        let from = sql::parquet(&[file]);
        let columns = instance.columns(&format!("SELECT * FROM {from}")).ok()?;
        columns.iter().find_map(|(column, _)| {
            let query = format!(
                "SELECT max(hash({}))::VARCHAR FROM {from}",
                sql::ident(column)
            );
            let failure = instance.rows(&query).err()?;
            (failure.kind == Kind::Value).then(|| {
                format!(
                    "`{}`: column `{column}` has a value that can't be read ({}): write it within the range of its type",
                    file.display(),
                    first_line(&without_values(&failure.message, ""))
                )
            })
        })
    })
}

/// What is wrong with a file that a failure names.
fn named(failure: &Failure, file: &Path) -> Option<String> {
    let message = &failure.message;
    if !message.contains(&*file.to_string_lossy()) {
        return None;
    }
    Some(match (failure.kind, in_pages(message)) {
        (_, Some(damage)) => damage,
        (Kind::File, None) => first_line(message),
        // What people's SQL makes of a file's name may be in such a message too.
        (_, None) => format!("`{}`: {}", file.display(), without_values(message, "")),
    })
}

/// What a message says of the pages of a Parquet file that it names, without the value that some of them quote.
pub(crate) fn in_pages(message: &str) -> Option<String> {
    const ENCODING: &str = "Invalid string encoding found in Parquet file \"";
    const READING: &str = "Failed to read file \"";
    let rest = message.strip_prefix(ENCODING);
    let (file, said) = rest
        .or_else(|| message.strip_prefix(READING))?
        .split_once("\": ")?;
    let what = rest.map_or(said, |_| "a text in it is not UTF-8");
    Some(damaged(Path::new(file), what))
}

/// A sound file may have what can't be read.
fn damaged(file: &Path, what: &str) -> String {
    if let Some(why) = footer::encrypted(file) {
        return why;
    }
    let what = first_line(what);
    let is_unsupported = [
        "nsupported",
        "not supported",
        "only supported",
        "not implemented",
    ]
    .iter()
    .any(|sign| what.contains(sign));
    if is_unsupported {
        return format!(
            "`{}` has what can't be read: {what}; write it without that",
            file.display()
        );
    }
    format!("`{}` is damaged: {what}", file.display())
}
