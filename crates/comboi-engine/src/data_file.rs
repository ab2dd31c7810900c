//! A Parquet file that somebody names, to be held to a contract where it lies.

use std::path::{Path, PathBuf};

use comboi_project::Columns;

use crate::convert::{Refused, readable};
use crate::damage::blamed;
use crate::instance::typed;
use crate::{Error, Session, sql};

/// The columns of a Parquet file, in its own types, and where to read it: there, or at `scratch` if it had to be converted.
pub fn parquet_file(
    session: &Session,
    file: &Path,
    scratch: &Path,
) -> Result<(Columns, PathBuf), Error> {
    let doing = || format!("read `{}`", file.display());
    let converted = readable(session, file, scratch).map_err(|refused| match refused {
        Refused::File(reason) => Error::Unreadable {
            doing: doing(),
            reason,
        },
        Refused::Other(error) => error,
    })?;
    let file = converted.unwrap_or_else(|| file.to_owned());
    let instance = session.free()?;
    let instance = &*instance;
    let columns = instance.columns(&format!("SELECT * FROM {}", sql::parquet(&[&file])));
    let columns =
        typed(
            columns.map_err(|failure| match blamed(instance, &failure, &[&file]) {
                Some(reason) => Error::Unreadable {
                    doing: doing(),
                    reason,
                },
                None => instance.explain(failure, &doing()),
            })?,
        )?;
    Ok((columns, file))
}
