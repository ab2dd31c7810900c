//! Parquet files that DuckDB reads wrongly or not at all, written again so that it reads what is in them.
//!
//! What the file's own footer says decides. Every column keeps its type, its levels and its values, but for
//!
//! - DECIMAL of more than 38 digits, which DuckDB makes nonsense of: text, every digit kept;
//! - GEOMETRY and GEOGRAPHY: the bytes (WKB) that they are;
//! - pages that DuckDB can't read (LZ4 as Hadoop has it, `BYTE_STREAM_SPLIT` of anything but FLOAT and DOUBLE): other pages.
//!
//! What can't be kept is refused: times with digits below a microsecond, which DuckDB cuts off.

mod change;
mod copy;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;

use crate::{Error, Session, checksums, footer, levels};

use change::changes;

/// Why a file is not taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// What is wrong with the file, which the text names, and what to do.
    File(String),
    /// It is not about the file.
    Other(Error),
}

/// A file that DuckDB reads as its writer meant it: the file itself (`None`), or `to`, made of it. Damage that only checksums show is found
/// here.
pub(crate) fn readable(
    session: &Session,
    file: &Path,
    to: &Path,
) -> Result<Option<PathBuf>, Refused> {
    let Some(footer) = footer::read(file) else {
        return match footer::unsupported(file) {
            Some(why) => Err(Refused::File(why)),
            None => Ok(None),
        };
    };
    match checksums::damaged_page_of(file, &footer) {
        Ok(Some(damage)) => {
            return Err(Refused::File(format!(
                "`{}` is damaged: {damage}",
                file.display()
            )));
        }
        Ok(None) => {}
        Err(source) => return Err(unreadable(file, &source)),
    }
    if let Some(damage) = levels::wrong_levels(file, &footer) {
        return Err(Refused::File(format!(
            "`{}` is damaged: {damage}",
            file.display()
        )));
    }
    let work = Work {
        session,
        file,
        footer: &footer,
    };
    work.run(to)
}

struct Work<'a> {
    session: &'a Session,
    file: &'a Path,
    footer: &'a ParquetMetaData,
}

impl Work<'_> {
    fn run(&self, to: &Path) -> Result<Option<PathBuf>, Refused> {
        let wanted = changes(self.footer).map_err(|why| self.refused(&why))?;
        copy::check_times(self)?;
        let Some(wanted) = wanted else {
            return Ok(None);
        };
        let unwritten = |source| {
            Refused::Other(Error::Scratch {
                folder: to.to_owned(),
                source,
            })
        };
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(unwritten)?;
        }
        copy::copy(self, &wanted, to)?;
        Ok(Some(to.to_owned()))
    }

    fn refused(&self, why: &str) -> Refused {
        Refused::File(format!("`{}`: {why}", self.file.display()))
    }

    fn not_stopped(&self) -> Result<(), Refused> {
        if self.session.interrupter().stopped() {
            return Err(Refused::Other(Error::Interrupted));
        }
        Ok(())
    }

    /// An error of reading the file, or of writing to `to`.
    fn failed(&self, error: ParquetError, to: &Path) -> Refused {
        let error = match error {
            ParquetError::External(source) => match source.downcast::<io::Error>() {
                Ok(source) if source.kind() == io::ErrorKind::StorageFull => {
                    return Refused::Other(Error::Scratch {
                        folder: to.to_owned(),
                        source: *source,
                    });
                }
                Ok(source) => source.to_string(),
                Err(source) => source.to_string(),
            },
            error => error.to_string(),
        };
        Refused::File(format!("`{}` is damaged: {error}", self.file.display()))
    }
}

fn unreadable(file: &Path, source: &io::Error) -> Refused {
    Refused::Other(Error::Unreadable {
        doing: format!("read `{}`", file.display()),
        reason: source.to_string(),
    })
}
