//! PostgreSQL's SQL: pure.

use comboi_project::Lookback;

use super::lexer::one_query;
use crate::database::condition::Spelling;
use crate::database::{
    Cursor, CursorKind, Dialect, Filter, FoundTable, OwnCursor, Part, Relation, SourceColumn,
};

/// PostgreSQL's SQL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sql;

impl Dialect for Sql {
    fn select(&self, relation: &Relation, columns: &[SourceColumn], filter: &Filter) -> String {
        let values: Vec<String> = columns.iter().map(value).collect();
        format!(
            "SELECT {} FROM {} AS q{}",
            values.join(", "),
            from(relation),
            condition(filter)
        )
    }

    fn count(&self, relation: &Relation, filter: &Filter) -> String {
        format!(
            "SELECT count(*) FROM {} AS q{}",
            from(relation),
            condition(filter)
        )
    }

    fn greatest(&self, relation: &Relation, cursor: &Cursor, filter: &Filter) -> String {
        let names: Vec<String> = cursor
            .columns
            .iter()
            .map(|(name, _)| column(name))
            .collect();
        match names.as_slice() {
            [one] if has_max(cursor) => format!(
                "SELECT max({one})::text FROM {} AS q{}",
                from(relation),
                condition(filter)
            ),
            names => {
                let texts: Vec<String> = names.iter().map(|name| format!("{name}::text")).collect();
                let order: Vec<String> = names.iter().map(|name| format!("{name} DESC")).collect();
                let there: Vec<String> = names
                    .iter()
                    .map(|name| format!("{name} IS NOT NULL"))
                    .collect();
                let condition = condition(filter);
                let and = if condition.is_empty() {
                    " WHERE"
                } else {
                    " AND"
                };
                format!(
                    "SELECT {} FROM {} AS q{condition}{and} {} ORDER BY {} LIMIT 1",
                    texts.join(", "),
                    from(relation),
                    there.join(" AND "),
                    order.join(", ")
                )
            }
        }
    }

    fn open_transactions(&self) -> String {
        OPEN_TRANSACTIONS.to_owned()
    }

    fn capped(
        &self,
        cursor: &Cursor,
        value: &str,
        time: i64,
        floor: Option<&str>,
    ) -> Option<String> {
        let [(_, of)] = cursor.columns.as_slice() else {
            return None;
        };
        if !(of.starts_with("timestamp") && of.ends_with("with time zone")) {
            return None;
        }
        let least = format!(
            "least({}, 'epoch'::timestamptz + {time} * interval '1 microsecond')",
            literal(value, of)
        );
        Some(match floor {
            Some(floor) => format!("SELECT greatest({least}, {})::text", literal(floor, of)),
            None => format!("SELECT ({least})::text"),
        })
    }

    fn cursor_kind(&self, of: &str) -> Result<CursorKind, &'static str> {
        cursor_kind(of)
    }

    fn lowered(&self, cursor: &Cursor, low: &str, lookback: &Lookback) -> String {
        let of = cursor.columns.first().map_or("text", |(_, of)| of.as_str());
        let lowered = match (lookback, cursor_kind(of)) {
            (Lookback::Time(span), Ok(kind @ CursorKind::Uuid)) => {
                let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                let time = kind.time(low).unwrap_or(0).saturating_sub(micros);
                let value = kind.value(time.max(0));
                literal(value.as_deref().unwrap_or(low), of)
            }
            (Lookback::Time(span), _) => {
                format!(
                    "{} - interval '{} seconds'",
                    literal(low, of),
                    span.as_secs()
                )
            }
            (Lookback::Number(number), _) => {
                let least = match of {
                    "smallint" => "-32768",
                    "integer" => "-2147483648",
                    "bigint" => "-9223372036854775808",
                    "oid" => "0",
                    _ => return format!("SELECT ({} - {number})::{of}::text", literal(low, of)),
                };
                // As `numeric`, which does not overflow.
                format!(
                    "greatest({}::numeric - {number}, {least})",
                    literal(low, &wide(of))
                )
            }
        };
        format!("SELECT ({lowered})::{of}::text")
    }

    fn bound(&self, mode: OwnCursor) -> Option<String> {
        (mode == OwnCursor::Xmin)
            .then(|| "SELECT pg_snapshot_xmin(s)::text, CASE WHEN pg_snapshot_xmin(s) < pg_snapshot_xmax(s) THEN 't' ELSE 'f' END \
                FROM pg_current_snapshot() AS s".to_owned())
    }

    fn about(&self) -> String {
        "SELECT 'PostgreSQL ' || current_setting('server_version') || CASE WHEN pg_is_in_recovery() THEN ', a replica' ELSE '' END, \
         current_database(), current_user"
            .to_owned()
    }

    fn catalog(&self) -> String {
        "SELECT n.nspname, c.relname, CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END, \
         CASE WHEN c.relkind = 'v' OR c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint::text END, \
         a.attname, format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'f' ELSE 't' END, \
         array_position(k.conkey, a.attnum)::text \
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p' \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition \
         AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_' AND has_table_privilege(c.oid, 'SELECT') \
         ORDER BY n.nspname, c.relname, a.attnum"
            .to_owned()
    }

    fn digits(&self, table: &FoundTable, columns: &[&str]) -> Option<String> {
        let name = format!("{}.{}", ident(&table.schema), ident(&table.name));
        let values: Vec<String> = columns.iter().map(|name| column(name)).collect();
        let looked_at = values.iter().map(|value| {
            let is_number = format!("{value}::text NOT IN ('NaN', 'Infinity', '-Infinity')");
            format!(
                "max(length(trunc(abs({value}))::text)) FILTER (WHERE {is_number}), max(min_scale({value}))"
            )
        });
        let looked_at: Vec<String> = looked_at.collect();
        // Of a large table some pages from everywhere.
        let sample = match table.rows {
            Some(rows) if rows > 2 * DIGITS_ROWS && !table.is_view => {
                format!(
                    " TABLESAMPLE SYSTEM ({})",
                    (200 * DIGITS_ROWS).div_ceil(rows)
                )
            }
            _ => String::new(),
        };
        Some(format!(
            "SET LOCAL statement_timeout = '10s'; SELECT {} FROM (SELECT * FROM {name}{sample} LIMIT {DIGITS_ROWS}) AS q",
            looked_at.join(", ")
        ))
    }

    fn cuts(&self, _: &SourceColumn) -> bool {
        false
    }

    fn told(&self, filter: &Filter) -> String {
        match filter {
            Filter::All | Filter::Part(_) | Filter::Lowest(_) => "everything".to_owned(),
            Filter::WrittenSince { transaction, .. } => format!("xmin >= {transaction}"),
            Filter::Window {
                cursor,
                from,
                below,
                ..
            } => {
                let names: Vec<&str> = cursor
                    .columns
                    .iter()
                    .map(|(name, _)| name.as_str())
                    .collect();
                let bound = |sign: &str, values: &Vec<String>| {
                    let names = names.get(..values.len()).unwrap_or(&names);
                    format!("{} {sign} {}", names.join(", "), values.join(", "))
                };
                let bounds: Vec<String> = from
                    .iter()
                    .map(|it| bound(">=", it))
                    .chain(below.iter().map(|it| bound("<", it)))
                    .collect();
                if bounds.is_empty() {
                    "everything".to_owned()
                } else {
                    bounds.join(" and ")
                }
            }
        }
    }
}

/// How many rows are looked at to propose a type.
const DIGITS_ROWS: u64 = 100_000;

/// Comboi's own connections only read, and autovacuum writes no rows. A backend without an xid may still get one. The start of a
/// prepared transaction is not known (`prepared` is the time of PREPARE), nor that of a session with `track_activities = off`, which is
/// told by the lock on its virtual transaction. A transaction that is prepared meanwhile is found among both, as each step is taken
/// after the one that it refers to. A transaction of another database holds xmin back too.
const OPEN_TRANSACTIONS: &str = "WITH \
    c AS MATERIALIZED (SELECT clock_timestamp() AS at), \
    a AS MATERIALIZED (SELECT c.at, s.* FROM c CROSS JOIN LATERAL ( \
      SELECT min(xact_start) AS oldest, max(xact_start) AS newest, array_agg(pid) FILTER (WHERE state = 'disabled') AS hidden \
      FROM pg_stat_activity WHERE c.at IS NOT NULL AND pid <> pg_backend_pid() AND datname = current_database() \
      AND backend_type IS DISTINCT FROM 'autovacuum worker' AND NOT (application_name = 'comboi' AND backend_xid IS NULL)) AS s), \
    l AS MATERIALIZED (SELECT a.*, (SELECT string_agg('v' || virtualtransaction, ',') FROM pg_locks \
      WHERE a.hidden IS NOT NULL AND locktype = 'virtualxid' AND mode = 'ExclusiveLock' AND pid = ANY (a.hidden)) AS running FROM a), \
    p AS MATERIALIZED (SELECT l.*, (SELECT string_agg('p' || transaction, ',') FROM pg_prepared_xacts \
      WHERE database = current_database() AND l.at IS NOT NULL) AS prepared FROM l) \
    SELECT (extract(epoch FROM at) * 1000000)::bigint::text, (extract(epoch FROM oldest) * 1000000)::bigint::text, \
    CASE WHEN NOT pg_is_in_recovery() AND (pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') \
      OR (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)) THEN 't' ELSE 'f' END, \
    nullif(concat_ws(',', running, prepared), ''), \
    (extract(epoch FROM at AT TIME ZONE zone) * 1000000)::bigint::text, \
    (extract(epoch FROM newest) * 1000000)::bigint::text, \
    (extract(epoch FROM least((SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()), \
      (SELECT min(prepared) FROM pg_prepared_xacts))) * 1000000)::bigint::text, \
    (extract(epoch FROM ((at - interval '1 hour') AT TIME ZONE zone + interval '2 hours') - ((at + interval '1 hour') AT TIME ZONE zone)) \
      * 1000000)::bigint::text \
    FROM p, (SELECT reset_val AS zone FROM pg_settings WHERE name = 'TimeZone') AS z";

/// What kind of cursor a column is.
fn cursor_kind(of: &str) -> Result<CursorKind, &'static str> {
    let plain = of.split('(').next().unwrap_or(of).trim();
    if of.ends_with("[]") {
        return Err("arrays do not grow from row to row");
    }
    Ok(match plain {
        "smallint" | "integer" | "bigint" | "oid" => CursorKind::Whole,
        "numeric" | "real" | "double precision" => CursorKind::Number,
        "date" => CursorKind::Date,
        "uuid" => CursorKind::Uuid,
        "text" | "character varying" | "character" | "name" => CursorKind::Text,
        "timestamp with time zone" => CursorKind::Moment,
        "timestamp without time zone" => CursorKind::Local,
        "boolean" => return Err("it has only two values"),
        "time without time zone" | "time with time zone" => {
            return Err("times of day begin again every day");
        }
        "interval" => return Err("intervals do not grow from row to row"),
        "json" | "jsonb" | "xml" => {
            return Err("such values are in no order; name a column, or make one in a `query`");
        }
        "point" | "line" | "lseg" | "box" | "path" | "polygon" | "circle" | "geometry" => {
            return Err("such values are in no order");
        }
        "inet" | "cidr" | "macaddr" | "macaddr8" | "bit" | "bit varying" | "tsvector"
        | "tsquery" => {
            return Err("such values do not grow from row to row");
        }
        of if of.ends_with("range") => return Err("ranges do not grow from row to row"),
        // Others have an order of their own (`pg_lsn`, `xid8`, `bytea`, types of extensions), or PostgreSQL says that they have none.
        _ => CursorKind::Other,
    })
}

/// Whether a cursor of one column has a `max`, which may be found by several processes at once.
fn has_max(cursor: &Cursor) -> bool {
    let kind = cursor.columns.first().map(|(_, of)| cursor_kind(of));
    !matches!(kind, Some(Ok(CursorKind::Uuid | CursorKind::Other)))
}

/// A whole type that can become `numeric`.
fn wide(of: &str) -> String {
    match of {
        "oid" => "oid::bigint".to_owned(),
        of => of.to_owned(),
    }
}

/// A relation as it stands after FROM. A query has lines of its own, so that a comment at its end ends there.
pub(super) fn from(relation: &Relation) -> String {
    match relation {
        Relation::Table(name) => {
            let parts: Vec<String> = name_parts(name).iter().map(|part| ident(part)).collect();
            parts.join(".")
        }
        Relation::Query(text) => format!("(\n{}\n)", one_query(text).unwrap_or(text)),
    }
}

/// `sales.orders`, `"odd.name".orders`: names are taken as they are written.
pub(super) fn name_parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    let mut chars = name.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                parts
                    .last_mut()
                    .expect("there is one from the start")
                    .push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts
                .last_mut()
                .expect("there is one from the start")
                .push(c),
        }
    }
    parts
}

pub(super) fn ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn column(name: &str) -> String {
    format!("q.{}", ident(name))
}

fn value(of: &SourceColumn) -> String {
    let name = column(&of.name);
    of.sent_as.as_ref().map_or_else(
        || name.clone(),
        |expression| expression.replace("{}", &name),
    )
}

/// A value of a type. `standard_conforming_strings` is on in every session, so a backslash is a backslash.
fn literal(value: &str, of: &str) -> String {
    format!("{}::{of}", text(value))
}

fn condition(filter: &Filter) -> String {
    match filter {
        Filter::WrittenSince {
            transaction,
            below_page,
        } => {
            // Ages are told against the snapshot's own next transaction, so they do not wrap; frozen rows keep the xid that they were
            // written by, which age() takes for as old as it is.
            let age = format!("age(q.xmin) <= age({}::xid8::xid)", text(transaction));
            match below_page {
                Some(page) => format!(" WHERE q.ctid < '({page},0)'::tid AND {age}"),
                None => format!(" WHERE {age}"),
            }
        }
        Filter::Part(Part::Pages { from, to, .. }) => match to {
            Some(to) => format!(" WHERE q.ctid >= '({from},0)'::tid AND q.ctid < '({to},0)'::tid"),
            None => format!(" WHERE q.ctid >= '({from},0)'::tid"),
        },
        others => {
            let spelling = Spelling {
                column,
                compared,
                lowest,
            };
            let condition = spelling.condition(others);
            condition.expect("what only PostgreSQL has is written above")
        }
    }
}

/// A `numeric` is compared with its least finite value but one: before PostgreSQL 14 it has no infinity.
fn lowest((name, of): &(String, String)) -> Option<String> {
    let name = column(name);
    match (cursor_kind(of).ok()?, of.as_str()) {
        (CursorKind::Number, of) if of.starts_with("numeric") => {
            Some(format!("{name} < '-1e131071'::numeric"))
        }
        (CursorKind::Number, of) => Some(format!("{name} = '-Infinity'::{of}")),
        (CursorKind::Moment | CursorKind::Local | CursorKind::Date, of) => {
            Some(format!("{name} = '-infinity'::{of}"))
        }
        _ => None,
    }
}

/// `(a, b) >= (1, 2)`: as many columns as there are values.
fn compared(columns: &[(String, String)], sign: &str, values: &[String]) -> String {
    let pairs: Vec<(String, String)> = columns
        .iter()
        .zip(values)
        .map(|((name, of), value)| (column(name), literal(value, of)))
        .collect();
    match pairs.as_slice() {
        [(name, value)] => format!("{name} {sign} {value}"),
        pairs => {
            let (names, values): (Vec<&str>, Vec<&str>) = pairs
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .unzip();
            format!("({}) {sign} ({})", names.join(", "), values.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(columns: &[(&str, &str)]) -> Cursor {
        Cursor {
            columns: columns
                .iter()
                .map(|(name, of)| ((*name).to_owned(), (*of).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn windows_and_parts() {
        let column = SourceColumn {
            name: "it's \"odd\"".into(),
            source_type: "inet".into(),
            sql_type: comboi_project::SqlType::Varchar(None),
            sent_as: Some("({})::text".into()),
            is_composite: false,
        };
        let check = |relation: &Relation, filter: &Filter, expected: &str| {
            assert_eq!(
                Sql.select(relation, std::slice::from_ref(&column), filter),
                expected
            );
        };
        let table = Relation::Table("sales.Orders".into());
        let query = Relation::Query("SELECT 1 -- one;\n;".into());
        check(
            &query,
            &Filter::All,
            "SELECT (q.\"it's \"\"odd\"\"\")::text FROM (\nSELECT 1 -- one;\n\n) AS q",
        );
        let window = |from: Option<&str>, below: Option<&str>, nulls| Filter::Window {
            cursor: cursor(&[("at", "timestamp with time zone")]),
            from: from.map(|it| vec![it.to_owned()]),
            below: below.map(|it| vec![it.to_owned()]),
            nulls,
            lowest: false,
        };
        let select = "SELECT (q.\"it's \"\"odd\"\"\")::text FROM \"sales\".\"Orders\" AS q";
        check(&table, &window(None, None, true), select);
        check(
            &table,
            &window(None, None, false),
            &format!("{select} WHERE q.\"at\" IS NOT NULL"),
        );
        check(
            &table,
            &window(Some("2026-01-01"), None, true),
            &format!(
                "{select} WHERE (q.\"at\" >= '2026-01-01'::timestamp with time zone OR q.\"at\" IS NULL)"
            ),
        );
        let lowest = |of: &str, nulls| Filter::Window {
            cursor: cursor(&[("n", of)]),
            from: Some(vec!["5".to_owned()]),
            below: None,
            nulls,
            lowest: true,
        };
        check(
            &table,
            &lowest("double precision", true),
            &format!(
                "{select} WHERE (q.\"n\" >= '5'::double precision OR q.\"n\" IS NULL OR q.\"n\" = '-Infinity'::double precision)"
            ),
        );
        check(
            &table,
            &lowest("integer", false),
            &format!("{select} WHERE q.\"n\" >= '5'::integer"),
        );
        let two = cursor(&[("at", "date"), ("id", "integer")]);
        let from = |values: &[&str]| Filter::Window {
            cursor: two.clone(),
            from: Some(values.iter().map(|it| (*it).to_owned()).collect()),
            below: None,
            nulls: false,
            lowest: false,
        };
        check(
            &table,
            &from(&["2026-01-01", "7"]),
            &format!("{select} WHERE (q.\"at\", q.\"id\") >= ('2026-01-01'::date, '7'::integer)"),
        );
        check(
            &table,
            &from(&["2026-01-01"]),
            &format!("{select} WHERE q.\"at\" >= '2026-01-01'::date"),
        );
        check(
            &table,
            &Filter::Part(Part::Pages {
                from: 5,
                to: Some(9),
                file: "1".into(),
            }),
            &format!("{select} WHERE q.ctid >= '(5,0)'::tid AND q.ctid < '(9,0)'::tid"),
        );
        let keys = |after: Option<&str>, to: Option<&str>| {
            let value = |it: &str| vec![it.to_owned()];
            Filter::Part(Part::Keys {
                columns: vec![("id".into(), "bigint".into())],
                after: after.map(value),
                to: to.map(value),
            })
        };
        check(
            &table,
            &keys(None, Some("5")),
            &format!("{select} WHERE (q.\"id\" <= '5'::bigint OR q.\"id\" IS NULL)"),
        );
        check(
            &table,
            &keys(Some("5"), Some("9")),
            &format!("{select} WHERE q.\"id\" > '5'::bigint AND q.\"id\" <= '9'::bigint"),
        );
        check(
            &table,
            &keys(Some("9"), None),
            &format!("{select} WHERE q.\"id\" > '9'::bigint"),
        );
    }

    #[test]
    fn names_are_taken_as_they_are_written() {
        assert_eq!(name_parts("a.b"), ["a", "b"]);
        assert_eq!(name_parts("\"a.b\".\"c\"\"d\""), ["a.b", "c\"d"]);
        assert_eq!(name_parts("Order Items"), ["Order Items"]);
    }
}
