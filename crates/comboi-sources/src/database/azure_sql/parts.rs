//! Dividing a table into parts.

use super::dialect::{table, text};
use super::session::Session;
use crate::Error;
use crate::database::{Connection as _, Part, Relation, SourceColumn};

/// Ranges of a whole number that a table is clustered by; everything at once elsewhere, as each range would read all of it.
///
/// Parts are read in different states of the database. A row that is there all the while is in one part only if its number can't
/// change: it is (part of) the key that tells rows apart, or an identity, which SQL Server does not let anybody change.
pub(super) async fn parts(
    session: &mut Session,
    relation: &Relation,
    columns: &[SourceColumn],
    key: &[String],
    count: usize,
) -> Result<Vec<Part>, Error> {
    let Relation::Table(name) = relation else {
        return Ok(vec![Part::All]);
    };
    let Some((clustered, is_identity)) = clustered_by(session, name).await? else {
        return Ok(vec![Part::All]);
    };
    let is_key = key.iter().any(|it| it.eq_ignore_ascii_case(&clustered));
    let column = columns
        .iter()
        .find(|it| it.name.eq_ignore_ascii_case(&clustered));
    match column {
        Some(column)
            if (is_key || is_identity)
                && ["tinyint", "smallint", "int", "bigint"]
                    .contains(&column.source_type.as_str()) =>
        {
            ranges(session, name, column, count).await
        }
        _ => Ok(vec![Part::All]),
    }
}

/// The first column of the table's clustered index, and whether it is an identity.
async fn clustered_by(session: &mut Session, name: &str) -> Result<Option<(String, bool)>, Error> {
    let rows = session
        .texts(&format!(
            "SELECT CONVERT(nvarchar(128), c.name), CONVERT(varchar(1), c.is_identity) FROM sys.indexes AS i \
             JOIN sys.index_columns AS ic ON ic.object_id = i.object_id AND ic.index_id = i.index_id AND ic.key_ordinal = 1 \
             JOIN sys.columns AS c ON c.object_id = ic.object_id AND c.column_id = ic.column_id \
             WHERE i.object_id = OBJECT_ID({}) AND i.type = 1",
            text(&table(name))
        ))
        .await?;
    let mut cells = rows.into_iter().flatten();
    let name = cells.next().flatten();
    let is_identity = cells.next().flatten().as_deref() == Some("1");
    Ok(name.map(|name| (name, is_identity)))
}

/// Ranges that hold about as many rows each, as far as the table's statistics tell; else ranges of the same width.
async fn ranges(
    session: &mut Session,
    name: &str,
    column: &SourceColumn,
    count: usize,
) -> Result<Vec<Part>, Error> {
    let asked = session
        .texts(&super::dialect::ends(name, &column.name))
        .await?;
    let mut ends = asked
        .into_iter()
        .flatten()
        .map(|it| it.and_then(|it| it.parse::<i64>().ok()));
    let (Some(Some(least)), Some(Some(greatest))) = (ends.next(), ends.next()) else {
        return Ok(vec![Part::All]);
    };
    let steps = histogram(session, name, &column.name).await?;
    let edges = edges(least, greatest, &steps, count);
    let columns = vec![(column.name.clone(), column.source_type.clone())];
    let mut parts: Vec<Part> = Vec::new();
    let mut after = None;
    for edge in edges {
        let edge = vec![edge.to_string()];
        parts.push(Part::Keys {
            columns: columns.clone(),
            after: after.replace(edge.clone()),
            to: Some(edge),
        });
    }
    // The last part has no end: rows that come later than this question belong to it.
    parts.push(Part::Keys {
        columns,
        after,
        to: None,
    });
    Ok(parts)
}

/// Up to which value there are about how many rows, in order: the steps of the statistics of the clustered index. Nothing where the
/// login or the server does not tell.
async fn histogram(
    session: &mut Session,
    name: &str,
    column: &str,
) -> Result<Vec<(i64, f64)>, Error> {
    let asked = session
        .texts(&format!(
            "BEGIN TRY EXEC sp_executesql N'SELECT CONVERT(varchar(20), CONVERT(bigint, h.range_high_key)), CONVERT(varchar(40), h.range_rows + h.equal_rows, 3) \
             FROM sys.stats AS s JOIN sys.stats_columns AS sc ON sc.object_id = s.object_id AND sc.stats_id = s.stats_id AND sc.stats_column_id = 1 \
             CROSS APPLY sys.dm_db_stats_histogram(s.object_id, s.stats_id) AS h \
             WHERE s.object_id = OBJECT_ID(@table) AND s.stats_id = 1 AND COL_NAME(sc.object_id, sc.column_id) = @column ORDER BY h.step_number', \
             N'@table nvarchar(1000), @column nvarchar(128)', @table = {}, @column = {} \
             END TRY BEGIN CATCH SELECT CONVERT(varchar(20), NULL), CONVERT(varchar(40), NULL) END CATCH",
            text(&table(name)),
            text(column)
        ))
        .await?;
    let step = |row: Vec<Option<String>>| {
        let mut cells = row.into_iter().flatten();
        Some((cells.next()?.parse().ok()?, cells.next()?.parse().ok()?))
    };
    Ok(asked.into_iter().filter_map(step).collect())
}

/// Where to cut, in order and each once.
fn edges(least: i64, greatest: i64, steps: &[(i64, f64)], count: usize) -> Vec<i64> {
    let total: f64 = steps.iter().map(|(_, rows)| rows).sum();
    let mut edges = Vec::new();
    if steps.len() > count && total > 0.0 {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a share of rows that are an estimate"
        )]
        let share = total / count as f64;
        let mut seen = 0.0;
        for (high, rows) in steps {
            seen += rows;
            if seen >= share {
                edges.push(*high);
                seen = 0.0;
            }
        }
    } else {
        let (least, greatest) = (i128::from(least), i128::from(greatest));
        let step = ((greatest - least) / i128::try_from(count).unwrap_or(1)).max(1);
        let wanted = (1..)
            .map(|i| least + step * i)
            .take(count.saturating_sub(1));
        edges.extend(wanted.filter_map(|edge| i64::try_from(edge).ok()));
    }
    edges.retain(|edge| (least..greatest).contains(edge));
    edges.dedup();
    edges.truncate(count.saturating_sub(1));
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_in_order_and_inside() {
        assert_eq!(edges(1, 100, &[], 4), [25, 49, 73]);
        assert_eq!(edges(1, 3, &[], 10), [2]);
        assert_eq!(edges(7, 7, &[], 4), Vec::<i64>::new());
        assert_eq!(edges(i64::MIN, i64::MAX, &[], 2), [-1]);
        // Most of the rows have great numbers.
        let steps: Vec<(i64, f64)> = [
            (1, 1.0),
            (1000, 1.0),
            (2000, 50.0),
            (2001, 50.0),
            (2002, 50.0),
            (2003, 50.0),
            (2004, 50.0),
        ]
        .to_vec();
        assert_eq!(edges(1, 2004, &steps, 3), [2001, 2003]);
    }
}
