//! What can go wrong in the lake, told apart by what the caller does next.

use comboi_project::{Companion, DatasetId, RunId};

use crate::root::NoLinks;

/// An error of a library below: shown in the chain, never looked into by callers.
pub type Source = Box<dyn std::error::Error + Send + Sync>;

/// What can go wrong in the lake. Every variant names the dataset; none carries a row's content.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing has been committed under this name yet.
    #[error("`{0}` is not in the lake")]
    Missing(String),
    /// The version was never there, or its files are gone.
    #[error("`{dataset}` has no version {version}: versions {oldest} to {newest} can be read")]
    NoSuchVersion {
        /// The dataset.
        dataset: String,
        /// The version that was asked for.
        version: u64,
        /// The first version whose files and log are kept.
        oldest: u64,
        /// The current version.
        newest: u64,
    },
    /// Somebody else committed first, so what this change was based on is out of date. Nothing of it
    /// is in the lake: read the dataset again and decide anew.
    #[error("`{0}` was changed by somebody else first")]
    Overtaken(String),
    /// This pipeline's run and chunk, or a later one, is in the dataset already. Nothing was changed.
    #[error("run {}.{} has committed `{dataset}` already", by.0, by.1)]
    Superseded {
        /// The dataset.
        dataset: String,
        /// The run and the chunk that were committed.
        by: (RunId, u32),
    },
    /// A newer program wrote the dataset in a way that this one can't keep whole.
    #[error("`{dataset}` was written by a newer program: {what}; use a newer comboi")]
    Newer {
        /// The dataset.
        dataset: String,
        /// What is not understood.
        what: String,
    },
    /// What is stored is not what was written. Nothing was changed.
    #[error(
        "`{dataset}` is damaged: {what} (`{file}`); {}",
        way_out(dataset, file)
    )]
    Damaged {
        /// The dataset.
        dataset: String,
        /// The object, below the dataset's folder.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// A file that only earlier versions have is not what was written. The current version is sound.
    #[error(
        "earlier versions of `{dataset}` are damaged and can't be read or restored: {what} (`{file}`); bring the file back from a backup, or delete what only earlier versions have: `comboi vacuum {} --keep 0d`",
        without_suffix(dataset)
    )]
    DamagedBefore {
        /// The dataset.
        dataset: String,
        /// The object, below the dataset's folder.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The published copy of the dataset's file is not what was copied. The dataset itself is sound.
    #[error(
        "the file `{key}` has other bytes than the file of `{dataset}` that it is a copy of; delete it: `comboi repair` then publishes it again"
    )]
    DamagedCopy {
        /// The dataset.
        dataset: String,
        /// The published copy.
        key: String,
    },
    /// The storage did not answer as it should. `doing` completes "the lake could not …".
    #[error("the lake could not {doing} `{dataset}`")]
    Unavailable {
        /// The dataset.
        dataset: String,
        /// What was being done.
        doing: &'static str,
        /// What the storage said.
        #[source]
        source: Source,
    },
    /// The folder is on a file system that can't tell which of two writers was first. Nothing was changed.
    #[error(transparent)]
    NoLinks(NoLinks),
    /// The change itself can't be kept: the caller has to make another one. Nothing was changed.
    #[error("`{dataset}` can't be changed like this: {why}")]
    Refused {
        /// The dataset.
        dataset: String,
        /// Why.
        why: String,
    },
}

/// What stands behind a table's name in that of the table of the files that it was read from.
pub(crate) const FILES_READ: &str = "__files_read";

/// What works: without its log a dataset has no history to go back in.
fn way_out(dataset: &str, file: &str) -> String {
    if let Some(table) = dataset.strip_suffix(FILES_READ) {
        return way_out_without_files_read(table, file);
    }
    if file.ends_with(".checkpoint.parquet") || file.ends_with("_last_checkpoint") {
        return "`comboi repair` takes it away if all entries of the log are there; else bring the file back from a backup, or move the dataset's folder away: the next run makes it anew, without its earlier versions".to_owned();
    }
    let backup = "bring the file back from a backup";
    if file.starts_with("_delta_log") {
        return format!(
            "{backup}, or move the dataset's folder away: the next run makes it anew, without its earlier versions"
        );
    }
    // The quarantine is made anew with its dataset; what a deduplication keeps is needed for the next one.
    let is_companion = Companion::ALL.map(|it| dataset.ends_with(it.suffix()));
    let dataset = without_suffix(dataset);
    match dataset.parse() {
        Ok(DatasetId::Extracted(source, table)) => format!(
            "{backup}; without one, see `comboi history {dataset}` for a version to `comboi restore` that does not have the file, or read the source again as a whole: `comboi reset-checkpoint --source {source} --table {table}` and `comboi run all`"
        ),
        Ok(DatasetId::Built(..)) if !is_companion.contains(&true) => format!(
            "{backup}; without one, build the dataset again: `comboi run all --rebuild --select {dataset}`"
        ),
        _ => backup.to_owned(),
    }
}

/// What works when nobody knows which files a table was read from.
fn way_out_without_files_read(table: &str, file: &str) -> String {
    let again = match table.parse() {
        Ok(DatasetId::Extracted(source, name)) => format!(
            "read the source again as a whole: `comboi reset-checkpoint --source {source} --table {name}` and `comboi run all`"
        ),
        _ => "read the source again as a whole".to_owned(),
    };
    let backup = "bring the file back from a backup";
    if !file.starts_with("_delta_log") {
        return format!("{backup}; without one, {again}");
    }
    let repair = match file.ends_with(".checkpoint.parquet") || file.ends_with("_last_checkpoint") {
        true => "`comboi repair` takes it away if all entries of the log are there; else ",
        false => "",
    };
    format!(
        "{repair}{backup}; without one, move the folder `_files_read` in that of `{table}` away and {again}"
    )
}

/// The dataset that a table is beside.
fn without_suffix(name: &str) -> &str {
    let suffixes = Companion::ALL.map(Companion::suffix).into_iter();
    let mut suffixes = suffixes.chain(["__quarantine", FILES_READ]);
    let dataset = suffixes.find_map(|suffix| name.strip_suffix(suffix));
    dataset.unwrap_or(name)
}

/// Whether the very same call may succeed if it is tried again.
///
/// [`Error::Overtaken`] is not of these: the next try has to start from what the dataset is now.
pub fn worth_retrying(error: &Error) -> bool {
    match error {
        Error::Unavailable { source, .. } => !is_settled(source.as_ref()),
        Error::Missing(_)
        | Error::NoSuchVersion { .. }
        | Error::Overtaken(_)
        | Error::Superseded { .. }
        | Error::Newer { .. }
        | Error::Damaged { .. }
        | Error::DamagedBefore { .. }
        | Error::DamagedCopy { .. }
        | Error::NoLinks(_)
        | Error::Refused { .. } => false,
    }
}

/// Whether storage said something that it will say again: no permission, no such container or device to write to.
fn is_settled(error: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && matches!(
                io.kind(),
                ErrorKind::PermissionDenied
                    | ErrorKind::NotADirectory
                    | ErrorKind::IsADirectory
                    | ErrorKind::ReadOnlyFilesystem
                    | ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
            )
        {
            return true;
        }
        if let Some(
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. },
        ) = error.downcast_ref::<object_store::Error>()
        {
            return true;
        }
        if error.downcast_ref::<crate::azure::Advice>().is_some() {
            return true;
        }
        cause = error.source();
    }
    false
}
