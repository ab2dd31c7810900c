//! A small table that somebody made by hand, such as labels: CSV or Parquet.

use std::path::Path;

use crate::failure::first_line;
use crate::show::Rows;
use crate::{Error, Session, sql};

/// All cells of a CSV file with a header, or of a Parquet file, as text.
pub fn read_table(session: &Session, file: &Path) -> Result<Rows, Error> {
    let instance = session.free()?;
    let instance = &*instance;
    let parquet = file.extension().is_some_and(|end| end == "parquet");
    let scan = if parquet {
        sql::parquet(&[file])
    } else {
        format!(
            "read_csv({}, header = true, all_varchar = true)",
            sql::file(file)
        )
    };
    let unreadable = |failure: crate::failure::Failure| Error::Unreadable {
        doing: format!("read {}", file.display()),
        reason: first_line(&failure.message),
    };
    let columns = instance
        .columns(&format!("SELECT * FROM {scan}"))
        .map_err(unreadable)?;
    let cells: Vec<String> = columns
        .iter()
        .map(|(name, _)| format!("CAST({} AS VARCHAR)", sql::ident(name)))
        .collect();
    let rows = instance
        .rows(&format!("SELECT {} FROM {scan}", cells.join(", ")))
        .map_err(unreadable)?;
    let (names, types) = columns.into_iter().unzip();
    Ok(Rows { names, types, rows })
}
