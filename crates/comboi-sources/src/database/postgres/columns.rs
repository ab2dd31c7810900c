//! What columns a relation has.

use std::collections::BTreeMap;

use comboi_project::SqlType;

use super::dialect::{from, ident};
use super::lexer::{Mistake, one_query};
use super::session::Session;
use super::types::{Kind, PgType, reading};
use crate::Error;
use crate::database::columns::wanted;
use crate::database::{Connection as _, Relation, SourceColumn};

pub(super) async fn columns(
    session: &mut Session,
    relation: &Relation,
    said: &BTreeMap<String, SqlType>,
) -> Result<Vec<SourceColumn>, Error> {
    if let Relation::Query(text) = relation {
        one_query(text).map_err(|mistake| Error::Configuration(told(mistake).into()))?;
    }
    let from = from(relation);
    let names = session
        .names(&format!("SELECT * FROM {from} AS q LIMIT 0"))
        .await?;
    if let Some(twice) = names
        .iter()
        .enumerate()
        .find(|(i, name)| names[..*i].contains(name))
    {
        return Err(Error::Configuration(format!(
            "the query returns two columns `{}`; give one of them another name with AS",
            twice.1
        )));
    }
    let types = types(session, &from, &names).await?;
    let wanted = wanted(&names, said);
    let column = |((name, of), wanted): ((String, PgType), Option<&SqlType>)| {
        let read = reading(&of, wanted);
        SourceColumn {
            name,
            is_composite: of.is_composite(),
            source_type: of.name,
            sql_type: read.sql_type,
            sent_as: read.sent_as,
        }
    };
    Ok(names
        .into_iter()
        .zip(types)
        .zip(wanted)
        .map(column)
        .collect())
}

fn told(mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::Empty => "the query is empty",
        Mistake::TwoStatements => "the query holds more than one statement; write one SELECT",
        Mistake::Unbalanced => {
            "the query has a parenthesis, a text or a comment without its end, or without its beginning"
        }
        Mistake::NoQuery => {
            "the query does not return rows: it has to begin with SELECT, WITH, VALUES or TABLE"
        }
    }
}

/// One row of NULLs, whatever the relation holds.
pub(super) fn one_row(from: &str) -> String {
    format!("FROM (SELECT) AS one LEFT JOIN (SELECT * FROM {from} AS r LIMIT 0) AS q ON true")
}

/// The types of columns: what they are made of from the catalog, their precision from the server's description of a row.
async fn types(session: &mut Session, from: &str, names: &[String]) -> Result<Vec<PgType>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let one_row = one_row(from);
    let oids: Vec<String> = names
        .iter()
        .map(|name| format!("pg_typeof(q.{})::oid::text", ident(name)))
        .collect();
    let oids = session
        .texts(&format!("SELECT {} {one_row}", oids.join(", ")))
        .await?;
    let oids: Vec<String> = oids.into_iter().flatten().flatten().collect();
    let catalog = Catalog::read(session, &oids).await?;
    let own: Vec<usize> = (0..names.len())
        .filter(|at| oids.get(*at).is_some_and(|oid| catalog.has_modifier(oid)))
        .collect();
    let mut modifiers = vec![-1; names.len()];
    if !own.is_empty() {
        let selected: Vec<String> = own
            .iter()
            .map(|at| format!("q.{}", ident(&names[*at])))
            .collect();
        let found = session
            .described(&format!("SELECT {} {one_row}", selected.join(", ")))
            .await?;
        for (at, found) in own.iter().zip(found) {
            modifiers[*at] = found.modifier;
        }
    }
    Ok(oids
        .iter()
        .zip(modifiers)
        .map(|(oid, modifier)| catalog.described(oid, modifier))
        .collect())
}

/// Rows of `pg_type` by oid.
struct Catalog(BTreeMap<String, Entry>);

struct Entry {
    name: String,
    kind: String,
    base: String,
    base_modifier: i32,
    element: String,
    is_array: bool,
    schema: String,
    own: bool,
}

impl Catalog {
    async fn read(session: &mut Session, oids: &[String]) -> Result<Self, Error> {
        let mut unique: Vec<&str> = oids.iter().map(String::as_str).collect();
        unique.sort_unstable();
        unique.dedup();
        let rows = session
            .texts(&format!(
                "WITH RECURSIVE wanted(oid) AS (SELECT oid FROM pg_type WHERE oid IN ({}) UNION \
                 SELECT x.oid FROM wanted w JOIN pg_type t ON t.oid = w.oid CROSS JOIN LATERAL (VALUES (t.typbasetype), (t.typelem)) AS x(oid) WHERE x.oid <> 0) \
                 SELECT t.oid::text, format_type(t.oid, NULL), t.typtype::text, t.typbasetype::text, t.typtypmod::text, t.typelem::text, \
                 (t.typcategory = 'A' AND t.typelem <> 0)::text, n.nspname, (n.nspname = 'pg_catalog')::text, t.typname \
                 FROM wanted w JOIN pg_type t ON t.oid = w.oid JOIN pg_namespace n ON n.oid = t.typnamespace",
                unique.join(", ")
            ))
            .await?;
        let entry = |row: Vec<Option<String>>| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let oid = next();
            let mut entry = Entry {
                name: next(),
                kind: next(),
                base: next(),
                base_modifier: next().parse().unwrap_or(-1),
                element: next(),
                is_array: next() == "true",
                schema: next(),
                own: next() == "true",
            };
            if !entry.own {
                // Without its schema: PostGIS may be anywhere.
                entry.name = if matches!(next().as_str(), "geometry" | "geography") {
                    "geometry".into()
                } else {
                    entry.name
                };
            }
            (oid, entry)
        };
        Ok(Self(rows.into_iter().map(entry).collect()))
    }

    /// Whether the precision of values of this type can be asked for: PostgreSQL's own types, which the client knows.
    fn has_modifier(&self, oid: &str) -> bool {
        self.0.get(oid).is_some_and(|it| {
            let item = if it.is_array {
                self.0.get(&it.element)
            } else {
                Some(it)
            };
            it.own && item.is_some_and(|item| item.name == "numeric")
        })
    }

    fn described(&self, oid: &str, modifier: i32) -> PgType {
        let Some(entry) = self.0.get(oid) else {
            return PgType {
                name: "unknown".into(),
                kind: Kind::Other,
            };
        };
        match entry.kind.as_str() {
            "d" => self.described(
                &entry.base,
                if entry.base_modifier >= 0 {
                    entry.base_modifier
                } else {
                    modifier
                },
            ),
            "e" => PgType {
                name: entry.name.clone(),
                kind: Kind::Enum,
            },
            "c" => PgType {
                name: entry.name.clone(),
                kind: Kind::Composite,
            },
            _ if entry.is_array => {
                let item = self.described(&entry.element, modifier);
                PgType {
                    name: format!("{}[]", item.name),
                    kind: Kind::Array(Box::new(item)),
                }
            }
            "b" if entry.own => PgType {
                name: with_precision(&entry.name, modifier),
                kind: Kind::Base(entry.name.clone()),
            },
            "b" if entry.name == "geometry" => PgType {
                name: "geometry".into(),
                kind: Kind::Geometry(entry.schema.clone()),
            },
            _ => PgType {
                name: entry.name.clone(),
                kind: Kind::Other,
            },
        }
    }
}

/// `numeric(15,2)` from the modifier that `numerictypmodin` makes: precision above, 11 bits of signed scale below, plus 4.
fn with_precision(name: &str, modifier: i32) -> String {
    if name != "numeric" || modifier < 4 {
        return name.to_owned();
    }
    let modifier = modifier - 4;
    let scale = ((modifier & 0x7ff) ^ 1024) - 1024;
    format!("numeric({},{scale})", (modifier >> 16) & 0xffff)
}
