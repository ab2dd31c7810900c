//! How comboi writes Parquet.

use std::path::Path;

use comboi_project::Columns;

use crate::failure::Failure;
use crate::instance::Instance;
use crate::{sql, zeros};

/// Rows in a row group: DuckDB's own choice, of which each thread holds one in memory.
pub(crate) const ROW_GROUP_ROWS: usize = 122_880;

/// What stands before the query in [`copy_to`].
pub(crate) const COPY_BEFORE: &str = "COPY (";

/// The lowest level: of the time that a whole statement takes the processor, it saves a quarter against DuckDB's own choice, which is the third, and files are a
/// twentieth larger. A dictionary of more values than this in a row group is begun and given up by most columns that come to it: a seventh of the time of
/// a `COPY` of persons, for a thirtieth of the file.
///
/// No bloom filters: DuckDB 1.5.5 and 1.5.6 ask them with other bytes than they were made of, so that filters
/// and joins on a BLOB, and on the two zeros of DOUBLE, lose rows (<https://github.com/duckdb/duckdb/issues/24994>).
pub(crate) const FORMAT: &str = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 8192, WRITE_BLOOM_FILTER false";

/// [`FORMAT`] for rows that dictionaries would change ([`crate::zeros`]).
pub(crate) const WITHOUT_DICTIONARIES: &str = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, DICTIONARY_SIZE_LIMIT 0, WRITE_BLOOM_FILTER false";

/// The statement that writes the rows of a query into one file. It answers with the number of rows.
pub(crate) fn copy_to(select: &str, to: &Path) -> String {
    copy_as(FORMAT, select, to)
}

/// The same with another format.
pub(crate) fn copy_as(format: &str, select: &str, to: &Path) -> String {
    format!(
        "{COPY_BEFORE}{select}) TO {} ({format}, ROW_GROUP_SIZE {ROW_GROUP_ROWS}, USE_TMP_FILE false)",
        sql::path(to)
    )
}

/// Runs [`copy_to`] for a query with these columns, and keeps the signs of zeros. The position of a failure is
/// that in [`copy_to`].
pub(crate) fn write(
    instance: &Instance,
    select: &str,
    columns: &Columns,
    to: &Path,
) -> Result<Vec<Vec<Option<String>>>, Failure> {
    let Some(checked) = zeros::without(select, columns) else {
        return instance.rows(&copy_to(select, to));
    };
    match instance.rows(&copy_to(&checked, to)) {
        Err(failure) if zeros::found(&failure) => {
            instance.rows(&copy_as(WITHOUT_DICTIONARIES, select, to))
        }
        Err(failure) => {
            let before = zeros::before(&checked, select);
            let position = failure.position.and_then(|it| it.checked_sub(before));
            Err(Failure {
                position,
                ..failure
            })
        }
        written => written,
    }
}
