//! The two zeros of FLOAT and DOUBLE, which are equal and not the same.
//!
//! DuckDB 1.5.5 and 1.5.6 take them for one in the dictionaries of Parquet files, so that all zeros of a row
//! group get the sign of the first. Without dictionaries they keep it, and files are larger. So rows are written
//! with dictionaries, which ends at a zero with a sign; only then they are written once more, without. A test says
//! when the engine is right.

use comboi_project::{Columns, SqlType};

use crate::failure::Failure;
use crate::sql;

const MARK: &str = "comboi: a zero with a sign";

/// A query that ends with an error at a zero with a sign; `None` if it has no column for one.
pub(crate) fn without(query: &str, columns: &Columns) -> Option<String> {
    let checked = |column: &comboi_project::Column| {
        let name = sql::ident(&column.name);
        let is_there = is_there(&name, &column.sql_type, 0)?;
        Some(format!(
            "CASE WHEN {is_there} THEN error('{MARK}') ELSE {name} END AS {name}"
        ))
    };
    let checked: Vec<String> = columns.iter().filter_map(checked).collect();
    (!checked.is_empty())
        .then(|| format!("SELECT * REPLACE ({}) FROM ({query})", checked.join(", ")))
}

/// How many bytes of a query of [`without`] stand before the one that it is made of.
pub(crate) fn before(checked: &str, query: &str) -> usize {
    checked.len().saturating_sub(query.len() + 1)
}

/// Whether a query of [`without`] met such a zero.
pub(crate) fn found(failure: &Failure) -> bool {
    failure.message.contains(MARK)
}

/// Whether a value has one; `None`: its type has none.
fn is_there(value: &str, of: &SqlType, depth: usize) -> Option<String> {
    let item = format!("z{depth}");
    let among = |values: &str, of: &SqlType| {
        let is_there = is_there(&item, of, depth + 1)?;
        Some(format!(
            "coalesce(len(list_filter({values}, lambda {item}: {is_there})) > 0, false)"
        ))
    };
    let all: Vec<String> = match of {
        SqlType::Float | SqlType::Double => vec![format!("({value} = 0 AND signbit({value}))")],
        SqlType::List(of) | SqlType::Array(of, _) => among(value, of).into_iter().collect(),
        SqlType::Struct(fields) => fields
            .iter()
            .filter_map(|(name, of)| {
                let field = format!("struct_extract({value}, {})", sql::text(name));
                is_there(&field, of, depth)
            })
            .collect(),
        SqlType::Map(key, of) => [("map_keys", key), ("map_values", of)]
            .into_iter()
            .filter_map(|(part, of)| among(&format!("{part}({value})"), of))
            .collect(),
        _ => Vec::new(),
    };
    (!all.is_empty()).then(|| format!("({})", all.join(" OR ")))
}

#[cfg(test)]
mod tests {
    use crate::Session;
    use crate::parquet::{FORMAT, WITHOUT_DICTIONARIES, copy_as};

    /// Once the engine keeps both zeros, this fails: then this file can go.
    #[test]
    fn dictionaries_take_two_zeros_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let session = Session::small(folder.path());
        let instance = session.free().unwrap();
        let file = folder.path().join("x.parquet");
        let signs = |format: &str| {
            let rows = "SELECT if(i % 2 = 0, '-0.0', '0.0')::DOUBLE AS d FROM range(1000) AS t(i)";
            instance.rows(&copy_as(format, rows, &file)).unwrap();
            let count = format!(
                "SELECT count(*) FILTER (WHERE signbit(d))::VARCHAR FROM read_parquet({})",
                crate::sql::path(&file)
            );
            instance.rows(&count).unwrap()[0][0].clone().unwrap()
        };
        assert_eq!(signs(FORMAT), "1000");
        assert_eq!(signs(WITHOUT_DICTIONARIES), "500");
    }
}
