//! Writing what a deduplication keeps.

use std::path::Path;

use comboi_project::Columns;

use crate::casts::to_lake;
use crate::instance::Instance;
use crate::{Built, Error, parquet, sql};

/// Writes the rows of a query, which has these columns in their order, into one file of the lake's types.
pub(super) fn write(
    instance: &Instance,
    select: &str,
    columns: Columns,
    to: &Path,
) -> Result<Built, Error> {
    let doing = format!("write {}", to.display());
    let mut casts = Vec::new();
    for (i, column) in columns.iter().enumerate() {
        let kept = column.sql_type.lake_type().map_err(|e| Error::Internal {
            doing: format!("keep column `{}`", column.name),
            message: e.to_string(),
        })?;
        casts.push(format!(
            "{} AS {}",
            to_lake(&format!("c{i}"), &column.sql_type, &kept, i),
            sql::ident(&column.name)
        ));
    }
    let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
    let select = format!(
        "SELECT {} FROM (\n{select}\n) AS q({})",
        casts.join(", "),
        names.join(", ")
    );
    let written = parquet::write(instance, &select, &columns, to).map_err(|failure| {
        failure
            .of_writing(to)
            .unwrap_or_else(|| instance.explain(failure, &doing))
    })?;
    let row_count = written
        .first()
        .and_then(|row| row.first()?.as_ref()?.parse().ok())
        .unwrap_or_default();
    Ok(Built {
        columns,
        row_count,
        file: to.to_owned(),
    })
}
