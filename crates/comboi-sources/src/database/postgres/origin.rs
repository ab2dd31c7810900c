//! Where the values of a column come from: its default, identity, triggers and sequence.

use super::columns::one_row;
use super::dialect::{from, ident};
use super::session::Session;
use crate::Error;
use crate::database::{Connection as _, Origin, Relation, Sequence};

/// What is known of the column of a table; a query's columns are followed to the table that they are taken from. Of a view's, and of
/// what is computed, nothing is known.
pub(super) async fn origin(
    session: &mut Session,
    relation: &Relation,
    column: &str,
) -> Result<Origin, Error> {
    let one = format!("SELECT q.{} {}", ident(column), one_row(&from(relation)));
    let described = session.described(&one).await?;
    let place = described.first();
    let Some((table, number)) = place.and_then(|it| Some((it.table?, it.number?))) else {
        return Ok(Origin::default());
    };
    let rows = session.texts(&asked(table, number)).await?;
    Ok(rows.into_iter().next().map(origin_of).unwrap_or_default())
}

fn asked(table: u32, number: i16) -> String {
    // A trigger for each row (1) before (2) it is inserted (4) may set any column.
    format!(
        "SELECT c.relkind IN ('r', 'p'), a.atthasdef OR a.attidentity <> '', \
         EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgtype & 7 = 7), \
         EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid = c.oid), \
         s.seqrelid::regclass::text, s.seqcache, s.seqincrement, s.seqcycle, \
         CASE WHEN has_sequence_privilege(s.seqrelid, 'SELECT, USAGE') THEN pg_sequence_last_value(s.seqrelid) END \
         FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = {number} \
         LEFT JOIN LATERAL (SELECT q.* FROM pg_sequence q JOIN pg_depend d ON \
         (d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = q.seqrelid \
         AND d.objid = (SELECT f.oid FROM pg_attrdef f WHERE f.adrelid = c.oid AND f.adnum = a.attnum)) OR \
         (d.classid = 'pg_class'::regclass AND d.objid = q.seqrelid AND d.refclassid = 'pg_class'::regclass \
         AND d.refobjid = c.oid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')) LIMIT 1) AS s ON true \
         WHERE c.oid = {table}"
    )
}

fn origin_of(row: Vec<Option<String>>) -> Origin {
    let mut cells = row.into_iter();
    let mut next = || cells.next().flatten();
    let is = |cell: Option<String>| cell.as_deref() == Some("t");
    let (is_table, has_default, has_trigger) = (is(next()), is(next()), is(next()));
    let is_replicated = is(next());
    let name = next();
    let (cache, step) = (next(), next());
    let cycles = is(next());
    let number = |cell: Option<String>| cell.and_then(|it| it.parse().ok());
    let last = number(next());
    Origin {
        by_database: match (has_default, has_trigger) {
            _ if !is_table => None,
            (true, _) => Some(true),
            (false, true) => None,
            (false, false) => Some(false),
        },
        is_replicated,
        sequence: name.map(|name| Sequence {
            name,
            cache: number(cache).unwrap_or(1),
            step: number(step).unwrap_or(1),
            cycles,
            last,
        }),
    }
}
