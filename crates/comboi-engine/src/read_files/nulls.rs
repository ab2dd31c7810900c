//! Columns of Parquet files that say that they have no value: pandas and Arrow write what is NULL throughout as the type
//! Null, which DuckDB takes for an `INTEGER`.

use comboi_project::SqlType;

use super::Error;
use super::run::run;
use crate::{Session, sql};

/// A node of a file's schema.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    is_null: bool,
    children: Vec<Node>,
}

/// The columns of a file.
pub(super) fn read<P: AsRef<std::path::Path>>(
    session: &Session,
    file: &[P],
) -> Result<Vec<Node>, Error> {
    let query = format!(
        "SELECT name, num_children, logical_type LIKE 'Null%' FROM parquet_schema({}) ORDER BY column_id",
        sql::file_list(file)
    );
    let rows = run(
        &*session.free()?,
        "read the columns of a Parquet file",
        &query,
    )?;
    let mut rows = rows.into_iter();
    Ok(node(&mut rows).unwrap_or_default().children)
}

/// Nodes come before their children.
fn node(rows: &mut impl Iterator<Item = Vec<Option<String>>>) -> Option<Node> {
    let mut cells = rows.next()?.into_iter();
    let mut next = || cells.next().flatten();
    let name = next().unwrap_or_default();
    let count = next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let is_null = next().as_deref() == Some("true");
    let children = (0..count).map_while(|_| node(rows)).collect();
    Some(Node {
        name,
        is_null,
        children,
    })
}

/// A column's type, `Null` where there is no value, with the file's names of fields: DuckDB changes those that differ in case only.
pub(super) fn known(of: SqlType, node: Option<&Node>) -> SqlType {
    let Some(node) = node else { return of };
    match of {
        _ if node.is_null => SqlType::Null,
        SqlType::List(item) => SqlType::List(Box::new(known(*item, in_list(node)))),
        SqlType::Struct(fields) => {
            let mut nodes = node.children.iter();
            let field = |(name, of): (String, SqlType)| {
                let node = nodes.next();
                let name = node.map_or(name, |node| node.name.clone());
                (name, known(of, node))
            };
            SqlType::Struct(fields.into_iter().map(field).collect())
        }
        other => other,
    }
}

/// The item of a list: of three levels by the format's rules, of two as older programs write it.
fn in_list(list: &Node) -> Option<&Node> {
    let repeated = list.children.first()?;
    let is_item = repeated.children.len() != 1
        || repeated.name == "array"
        || repeated.name == format!("{}_tuple", list.name);
    if is_item {
        Some(repeated)
    } else {
        repeated.children.first()
    }
}
