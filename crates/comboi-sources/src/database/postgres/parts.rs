//! Dividing a relation into parts.

use super::dialect::{from, ident, name_parts, text};
use super::session::Session;
use crate::Error;
use crate::database::{Connection as _, Part, Relation, SourceColumn};

/// Pages of an ordinary table; ranges of a key that is one whole number elsewhere; else everything at once.
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
    let [key] = key else {
        return Ok(vec![Part::All]);
    };
    let column = columns.iter().find(|it| it.name.eq_ignore_ascii_case(key));
    match column {
        Some(column)
            if ["smallint", "integer", "bigint"].contains(&column.source_type.as_str()) =>
        {
            keys(session, relation, column, count).await
        }
        _ => Ok(vec![Part::All]),
    }
}

async fn pages(
    session: &mut Session,
    name: &str,
    count: usize,
) -> Result<Option<Vec<Part>>, Error> {
    let quoted: Vec<String> = name_parts(name).iter().map(|part| ident(part)).collect();
    let name = text(&quoted.join("."));
    let asked = session
        .texts(&format!(
            "SELECT pg_relation_filenode(oid)::text, (pg_relation_size(oid) / current_setting('block_size')::bigint)::text \
             FROM pg_class WHERE oid = to_regclass({name}) AND relkind IN ('r', 'm') AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhparent = oid)"
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

async fn keys(
    session: &mut Session,
    relation: &Relation,
    column: &SourceColumn,
    count: usize,
) -> Result<Vec<Part>, Error> {
    let name = ident(&column.name);
    let asked = session
        .texts(&format!(
            "SELECT min(q.{name})::text, max(q.{name})::text FROM {} AS q",
            from(relation)
        ))
        .await?;
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
