//! What columns a relation has.

use std::collections::BTreeMap;

use comboi_project::SqlType;

use super::dialect::{Rows, text};
use super::failure::why;
use super::lexer::{Mistake, parts};
use super::session::Session;
use super::types::reading;
use crate::Error;
use crate::database::columns::wanted;
use crate::database::{Connection as _, Relation, SourceColumn};

pub(super) async fn columns(
    session: &mut Session,
    relation: &Relation,
    said: &BTreeMap<String, SqlType>,
) -> Result<Vec<SourceColumn>, Error> {
    if let Relation::Query(text) = relation {
        parts(text).map_err(|mistake| Error::Configuration(told(mistake).into()))?;
    }
    let described = describe(session, relation).await?;
    let names: Vec<String> = described.iter().map(|it| it.name.clone()).collect();
    let wanted = wanted(&names, said);
    let column = |(Described { name, source_type }, wanted): (Described, Option<&SqlType>)| {
        let read = reading(&source_type, wanted);
        SourceColumn {
            name,
            source_type,
            sql_type: read.sql_type,
            sent_as: read.sent_as,
            is_composite: false,
        }
    };
    Ok(described.into_iter().zip(wanted).map(column).collect())
}

struct Described {
    name: String,
    source_type: String,
}

/// Asks the server, which does not run the query for it.
async fn describe(session: &mut Session, relation: &Relation) -> Result<Vec<Described>, Error> {
    let all = Rows::of(relation).select("q.*", "");
    let rows = session
        .texts(&format!(
            "SELECT CONVERT(nvarchar(128), name), CONVERT(nvarchar(256), COALESCE(system_type_name, user_type_name)), \
             CONVERT(varchar(10), error_number), CONVERT(nvarchar(2048), error_message) \
             FROM sys.dm_exec_describe_first_result_set({}, NULL, 0) WHERE is_hidden = 0 OR error_number IS NOT NULL ORDER BY column_ordinal",
            text(&all)
        ))
        .await?;
    let mut described = Vec::new();
    for row in rows {
        let mut cells = row.into_iter();
        let mut next = || cells.next().flatten();
        let (name, source_type, error, message) = (next(), next(), next(), next());
        if let Some(number) = error.and_then(|it| it.parse().ok()) {
            return Err(Error::Refused {
                doing: "understand what is to be read".into(),
                why: why(number, &message.unwrap_or_default()),
            });
        }
        let source_type = source_type.unwrap_or_default();
        described.push(Described {
            name: name.unwrap_or_default(),
            // `timestamp` is what SQL Server calls it, and what everybody takes for something else.
            source_type: if source_type == "timestamp" {
                "rowversion".into()
            } else {
                source_type
            },
        });
    }
    if described.is_empty() {
        return Err(Error::Refused {
            doing: "understand what is to be read".into(),
            why: "it has no columns".into(),
        });
    }
    Ok(described)
}

fn told(mistake: Mistake) -> &'static str {
    match mistake {
        Mistake::Empty => "the query is empty",
        Mistake::TwoStatements => "the query holds more than one statement; write one SELECT",
        Mistake::NoQuery => "the query does not return rows: it has to begin with SELECT or WITH",
        Mistake::Writes => {
            "the query writes or runs something, and comboi only reads; write one SELECT"
        }
        Mistake::Unbalanced => {
            "a parenthesis, a text, a name or a comment of the query has no end, or no beginning"
        }
    }
}
