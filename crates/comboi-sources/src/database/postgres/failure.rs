//! What PostgreSQL's errors mean for who reads from it.

use tokio_postgres::error::{DbError, SqlState};

use crate::Error;

/// What a failure means: whether it passes, and what a person should try. Details of the server's error are left out,
/// as they may quote rows.
pub(super) fn explained(error: &tokio_postgres::Error, doing: impl Into<String>) -> Error {
    let doing = doing.into();
    match error.as_db_error() {
        Some(said) if passes(said.code()) => Error::Lost {
            doing,
            why: said.message().to_owned(),
        },
        Some(said) => Error::Refused {
            doing,
            why: why(said),
        },
        None => {
            let mut why = error.to_string();
            let mut cause = std::error::Error::source(error);
            while let Some(next) = cause {
                let text = next.to_string();
                if !why.contains(&text) {
                    why = format!("{why}: {text}");
                }
                cause = next.source();
            }
            if why.contains("invalid peer certificate") || why.contains("certificate") {
                return Error::Refused {
                    doing,
                    why: format!(
                        "{why}. Name the authority's file with `sslrootcert=…`; `sslmode: require` encrypts without knowing who the server is"
                    ),
                };
            }
            if error.to_string().contains("TLS") || why.contains("does not support TLS") {
                return Error::Refused {
                    doing,
                    why: format!("{why}. `sslmode: prefer` and `disable` do without encryption"),
                };
            }
            if why.contains("failed to lookup") || why.contains("password missing") {
                return Error::Refused { doing, why };
            }
            Error::Lost { doing, why }
        }
    }
}

fn why(said: &DbError) -> String {
    let hint = match *said.code() {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Some("check user and password")
        }
        SqlState::INVALID_CATALOG_NAME => Some("check the name of the database"),
        SqlState::UNDEFINED_TABLE | SqlState::INVALID_SCHEMA_NAME => Some(
            "`comboi discover` lists the tables that there are; names are taken as they are written, with their case",
        ),
        SqlState::UNDEFINED_COLUMN => Some("`comboi discover` lists the columns that there are"),
        SqlState::INSUFFICIENT_PRIVILEGE => Some("grant the login the right to SELECT"),
        SqlState::READ_ONLY_SQL_TRANSACTION => Some("comboi only reads; the query must not write"),
        _ => None,
    };
    let hint = hint
        .or(said.hint())
        .map(|hint| format!(" ({hint})"))
        .unwrap_or_default();
    format!("{}{hint}", masked(said))
}

/// The server's words. An error about a value (class 22) quotes it, so only what kind it is remains.
fn masked(said: &DbError) -> String {
    if *said.code() == SqlState::CHARACTER_NOT_IN_REPERTOIRE {
        "a text is not in the encoding that the database says it has; in a `query`, `convert(textsend(column), 'LATIN1', 'UTF8')` gives its bytes in UTF-8".into()
    } else if said.code().code().starts_with("22") {
        format!(
            "a value is not what the statement takes it for (SQLSTATE {})",
            said.code().code()
        )
    } else {
        said.message().to_owned()
    }
}

/// Whether the same thing may succeed a little later: PostgreSQL's classes 08, 40, 53 and 57, and lock timeouts.
fn passes(code: &SqlState) -> bool {
    let text = code.code();
    (text.starts_with("08")
        || text.starts_with("40")
        || text.starts_with("53")
        || text.starts_with("57"))
        && *code != SqlState::QUERY_CANCELED
        && *code != SqlState::DATABASE_DROPPED
        || *code == SqlState::LOCK_NOT_AVAILABLE
}

/// Whether a connection may be had a little later.
pub(super) fn worth_connecting_again(error: &Error) -> bool {
    matches!(error, Error::Lost { .. })
}
