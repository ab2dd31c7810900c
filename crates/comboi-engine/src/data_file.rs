//! A Parquet file that somebody names, to be held to a contract where it lies.

use std::path::Path;

use comboi_project::Columns;

use crate::damage::blamed;
use crate::instance::typed;
use crate::{Error, Session, sql};

/// The columns of a Parquet file, in its own types.
pub fn parquet_columns(session: &Session, file: &Path) -> Result<Columns, Error> {
    let instance = session.free()?;
    let columns = instance.columns(&format!("SELECT * FROM {}", sql::parquet(&[file])));
    typed(columns.map_err(|failure| {
        let doing = format!("read `{}`", file.display());
        match blamed(instance, &failure, &[file]) {
            Some(reason) => Error::Unreadable { doing, reason },
            None => instance.explain(failure, &doing),
        }
    })?)
}
