//! A column of a query that no two of its rows share and that each of them has, as far as PostgreSQL can prove it.
//!
//! The column is taken as it is from one of a table that is NOT NULL and unique. The query returns no row of that table twice: by its
//! plan it scans the table once and joins only what has one match at most (`Inner Unique`).

use serde_json::Value;

use super::columns::one_row;
use super::dialect::{from, ident, name_parts};
use super::session::{Described, Session};
use crate::Error;
use crate::database::{Connection as _, Relation, SourceColumn};

/// Such a column of whole numbers.
pub(super) struct Unique<'a> {
    pub(super) column: &'a SourceColumn,
    /// The table that it is taken from, as it stands after FROM, with the same name for the column; `None` where the login may not
    /// read it.
    pub(super) table: Option<String>,
}

/// The first such column.
pub(super) async fn unique<'a>(
    session: &mut Session,
    relation: &Relation,
    columns: &'a [SourceColumn],
) -> Result<Option<Unique<'a>>, Error> {
    let whole: Vec<&SourceColumn> = columns.iter().filter(|it| is_whole(it)).collect();
    if whole.is_empty() {
        return Ok(None);
    }
    let from = from(relation);
    let names: Vec<String> = whole
        .iter()
        .map(|it| format!("q.{}", ident(&it.name)))
        .collect();
    let one = format!("SELECT {} {}", names.join(", "), one_row(&from));
    let described = session.described(&one).await?;
    for ((column, name), described) in whole.into_iter().zip(&names).zip(&described) {
        let Some(place) = unique_in_table(session, described).await? else {
            continue;
        };
        let query = format!("(VERBOSE, FORMAT JSON) SELECT {name} FROM {from} AS q");
        let plan = session.explained_by(&query).await?;
        if returns_no_row_twice(&plan, &place) {
            let table = place.table(&column.name);
            return Ok(Some(Unique { column, table }));
        }
    }
    Ok(None)
}

/// Whether ranges of a column can be told by its numbers.
pub(super) fn is_whole(column: &SourceColumn) -> bool {
    let of = column.source_type.as_str();
    ["smallint", "integer", "bigint"].contains(&of)
}

/// Schema, table and column.
struct Place {
    names: [String; 3],
    is_readable: bool,
}

impl Place {
    /// The table with a column of this name.
    fn table(&self, name: &str) -> Option<String> {
        let [schema, table, column] = self.names.each_ref().map(|name| ident(name));
        let name = ident(name);
        self.is_readable
            .then(|| format!("(SELECT {column} AS {name} FROM {schema}.{table})"))
    }
}

/// Where a column is taken from, if it is NOT NULL and unique there.
async fn unique_in_table(
    session: &mut Session,
    described: &Described,
) -> Result<Option<Place>, Error> {
    let (Some(table), Some(number)) = (described.table, described.number) else {
        return Ok(None);
    };
    let rows = session
        .texts(&format!(
            "SELECT n.nspname, c.relname, a.attname, has_column_privilege(c.oid, a.attnum, 'SELECT') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = {number} AND a.attnotnull \
             WHERE c.oid = {table} AND EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid \
             AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL AND i.indnkeyatts = 1 AND i.indkey[0] = {number})"
        ))
        .await?;
    let place = rows.into_iter().next().and_then(|row| {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        Some(Place {
            names: [next()?, next()?, next()?],
            is_readable: next()? == "t",
        })
    });
    Ok(place)
}

/// Whether a plan whose only value is a column returns each row of its table once at most.
fn returns_no_row_twice(plan: &Value, place: &Place) -> bool {
    let [schema, table, column] = &place.names;
    let Some([output]) = plan["Output"].as_array().map(Vec::as_slice) else {
        return false;
    };
    let mut node = plan;
    loop {
        match node["Node Type"].as_str().unwrap_or_default() {
            "Seq Scan" | "Index Scan" | "Index Only Scan" | "Bitmap Heap Scan" => {
                let is = |key: &str, value: &str| node[key].as_str() == Some(value);
                let value = [node["Alias"].as_str().unwrap_or_default(), column];
                return is("Schema", schema)
                    && is("Relation Name", table)
                    && name_parts(output.as_str().unwrap_or_default()) == value;
            }
            "Gather" | "Gather Merge" | "Sort" | "Incremental Sort" | "Result" => {}
            "Nested Loop" | "Hash Join" | "Merge Join" if matches_once(node) => {}
            _ => return false,
        }
        let Some(outer) = outer(node) else {
            return false;
        };
        node = outer;
    }
}

/// Whether a row of the outer side of a join comes out once at most, and no other.
fn matches_once(join: &Value) -> bool {
    match join["Join Type"].as_str() {
        Some("Inner" | "Left") => join["Inner Unique"].as_bool() == Some(true),
        Some("Semi" | "Anti") => true,
        _ => false,
    }
}

fn outer(node: &Value) -> Option<&Value> {
    let mut inputs = node["Plans"].as_array()?.iter();
    inputs.find(|it| it["Parent Relationship"].as_str() == Some("Outer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plans as PostgreSQL 15 writes them, without what is not looked at.
    fn check(plan: &str, expected: bool) {
        let plan: Value = serde_json::from_str(plan).unwrap();
        let place = Place {
            names: ["shop", "orders", "id"].map(str::to_owned),
            is_readable: true,
        };
        assert_eq!(returns_no_row_twice(&plan, &place), expected, "{plan}");
    }

    const SCAN: &str = r#""Node Type": "Seq Scan", "Relation Name": "orders", "Schema": "shop", "Alias": "o", "Output": ["o.id"]"#;

    fn over(node: &str, input: &str) -> String {
        format!(
            r#"{{{node}, "Output": ["o.id"], "Plans": [{{"Parent Relationship": "SubPlan", "Node Type": "Result"}}, {{"Parent Relationship": "Outer", {input}}}, {{"Parent Relationship": "Inner", "Node Type": "Hash"}}]}}"#
        )
    }

    #[test]
    fn plans_that_return_no_row_twice() {
        check(&format!("{{{SCAN}}}"), true);
        check(&over(r#""Node Type": "Gather""#, SCAN), true);
        let join = |of: &str, unique: bool| {
            format!(r#""Node Type": "Hash Join", "Join Type": "{of}", "Inner Unique": {unique}"#)
        };
        check(&over(&join("Left", true), SCAN), true);
        check(&over(&join("Inner", true), SCAN), true);
        check(&over(&join("Semi", false), SCAN), true);
        check(&over(&join("Left", false), SCAN), false);
        check(&over(&join("Right", true), SCAN), false);
        check(&over(&join("Full", true), SCAN), false);
        for node in [
            "ProjectSet",
            "Append",
            "Limit",
            "Aggregate",
            "Subquery Scan",
            "Sample Scan",
        ] {
            check(&over(&format!(r#""Node Type": "{node}""#), SCAN), false);
        }
        // The value is that of another scan of the same table.
        let other = SCAN.replace(r#""Alias": "o""#, r#""Alias": "p""#);
        check(&over(&join("Inner", true), &other), false);
        check(&format!("{{{}}}", SCAN.replace("orders", "items")), false);
        check(&format!("{{{}}}", SCAN.replace("shop", "other")), false);
        check(
            &format!("{{{}}}", SCAN.replace("o.id\"", "(o.id + 1)\"")),
            false,
        );
    }
}
