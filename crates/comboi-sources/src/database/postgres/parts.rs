//! Dividing a relation into parts.

use super::dialect::{Sql, from, ident, name_parts, text};
use super::session::Session;
use super::unique::{Unique, is_whole, unique};
use crate::Error;
use crate::database::{Connection as _, Dialect as _, Filter, Part, Relation, SourceColumn};

/// Pages of tables; elsewhere ranges of whole numbers, which the key is or a column that is proven to be unique, if they can be
/// found without reading everything; else everything at once.
pub(super) async fn parts(
    session: &mut Session,
    relation: &Relation,
    columns: &[SourceColumn],
    key: &[String],
    count: usize,
) -> Result<Vec<Part>, Error> {
    if let Relation::Table(name) = relation
        && let Some(parts) = pages(session, name, count).await?
    {
        return Ok(parts);
    }
    let named = match key {
        [key] => columns.iter().find(|it| it.name.eq_ignore_ascii_case(key)),
        _ => None,
    };
    if let Some(column) = named.filter(|it| is_whole(it)) {
        let parts = ranges_of(session, relation, columns, column, count).await?;
        if parts.len() > 1 {
            return Ok(parts);
        }
    }
    let Some(Unique { column, table }) = unique(session, relation, columns).await? else {
        return Ok(vec![Part::All]);
    };
    match table {
        Some(table) => ranges(session, &table, column, count).await,
        None => ranges_of(session, relation, columns, column, count).await,
    }
}

/// The same pages of each partition, where a table has partitions. Before PostgreSQL 14 a range of pages is found by reading all of
/// them, and tables that are not PostgreSQL's own heaps may have no pages.
async fn pages(
    session: &mut Session,
    name: &str,
    count: usize,
) -> Result<Option<Vec<Part>>, Error> {
    let quoted: Vec<String> = name_parts(name).iter().map(|part| ident(part)).collect();
    let name = text(&quoted.join("."));
    let asked = session
        .texts(&format!(
            "WITH whole AS (SELECT oid, relkind FROM pg_class WHERE oid = to_regclass({name})), \
             leaf AS (SELECT oid FROM whole WHERE relkind IN ('r', 'm') AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = oid) \
               UNION ALL SELECT p.relid FROM whole CROSS JOIN LATERAL pg_partition_tree(whole.oid) AS p WHERE whole.relkind = 'p' AND p.isleaf) \
             SELECT CASE WHEN count(*) = 1 THEN min(pg_relation_filenode(c.oid)::text) \
               ELSE md5(string_agg(pg_relation_filenode(c.oid)::text, ',' ORDER BY c.oid)) END, \
             max(pg_relation_size(c.oid) / current_setting('block_size')::bigint)::text \
             FROM leaf JOIN pg_class c ON c.oid = leaf.oid LEFT JOIN pg_am ON pg_am.oid = c.relam \
             HAVING bool_and(c.relkind IN ('r', 'm') AND pg_am.amname = 'heap') AND current_setting('server_version_num')::int >= 140000"
        ))
        .await?;
    let Some(row) = asked.into_iter().next() else {
        return Ok(None);
    };
    let mut cells = row.into_iter().flatten();
    let (Some(file), Some(size)) = (
        cells.next(),
        cells.next().and_then(|it| it.parse::<u64>().ok()),
    ) else {
        return Ok(None);
    };
    let step = size.div_ceil(count as u64).max(1);
    if size <= step {
        return Ok(Some(vec![Part::All]));
    }
    let mut parts = Vec::new();
    let mut page = 0;
    loop {
        let end = page + step;
        // The last part has no end: rows that come later than this question belong to it.
        let last = end >= size;
        parts.push(Part::Pages {
            from: page,
            to: (!last).then_some(end),
            file: file.clone(),
        });
        if last {
            return Ok(Some(parts));
        }
        page = end;
    }
}

/// Ranges of a column, unless each of them would read everything again, without an index below.
async fn ranges_of(
    session: &mut Session,
    relation: &Relation,
    columns: &[SourceColumn],
    column: &SourceColumn,
    count: usize,
) -> Result<Vec<Part>, Error> {
    let from = from(relation);
    let all = Sql.select(relation, columns, &Filter::All);
    let ends = ends(&from, column);
    if cost(session, &ends).await? * 4.0 > cost(session, &all).await? {
        return Ok(vec![Part::All]);
    }
    ranges(session, &from, column, count).await
}

fn ends(from: &str, column: &SourceColumn) -> String {
    let name = ident(&column.name);
    format!("SELECT min(q.{name})::text, max(q.{name})::text FROM {from} AS q")
}

/// Ranges of the same width between the ends of a column. The first and the last have no end of their own.
async fn ranges(
    session: &mut Session,
    from: &str,
    column: &SourceColumn,
    count: usize,
) -> Result<Vec<Part>, Error> {
    let ends = ends(from, column);
    let asked = session.texts(&ends).await?;
    let mut bounds = asked
        .into_iter()
        .flatten()
        .map(|it| it.and_then(|it| it.parse::<i128>().ok()));
    let (Some(Some(least)), Some(Some(greatest))) = (bounds.next(), bounds.next()) else {
        return Ok(vec![Part::All]);
    };
    let columns = vec![(column.name.clone(), column.source_type.clone())];
    let step = ((greatest - least) / i128::try_from(count).unwrap_or(1)).max(1);
    let edges: Vec<i128> = (1..)
        .map(|i| least + step * i)
        .take_while(|edge| *edge < greatest)
        .take(count.saturating_sub(1))
        .collect();
    let text = |edge: &i128| vec![edge.to_string()];
    let mut parts: Vec<Part> = Vec::new();
    let mut after = None;
    for edge in &edges {
        parts.push(Part::Keys {
            columns: columns.clone(),
            after: after.take(),
            to: Some(text(edge)),
        });
        after = Some(text(edge));
    }
    parts.push(Part::Keys {
        columns,
        after,
        to: None,
    });
    Ok(parts)
}

/// What PostgreSQL thinks that a statement costs, in its own unit.
async fn cost(session: &mut Session, sql: &str) -> Result<f64, Error> {
    let plan = session.explained(sql).await?;
    Ok(plan["Total Cost"].as_f64().unwrap_or_default())
}
