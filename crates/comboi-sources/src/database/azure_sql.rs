//! SQL Server and Azure SQL, by TDS.
//!
//! `mssql-tds` speaks the protocol and hands each value to our own decoder; nothing of it is seen outside of this module.

mod catalog;
mod columns;
mod conn_str;
mod decode;
mod dialect;
mod failure;
mod lexer;
mod moments;
mod parts;
mod session;
mod settings;
mod strings;
mod types;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use comboi_project::Secrets;
use tokio::time::Instant;

use super::client::{Connection, Database, Dialect, Tokens};
use crate::Error;
use dialect::Sql;
use failure::{is_from_server, is_login_failure, is_no_database};
use session::Session;
use settings::Settings;
use wire::{Watch, Way};

/// How long a server that does not take connections yet is asked again: a paused serverless database wakes up in a minute.
const PATIENCE: Duration = Duration::from_secs(90);
/// A server that is not there at all is not waited for as long, nor is a database that may be on its way, nor a token that has just been
/// given.
const PATIENCE_WITH_NOBODY: Duration = Duration::from_secs(5);
/// A server that says nothing for so long is asked whether it is at work.
const IDLE: Duration = Duration::from_secs(300);

/// A database of SQL Server or Azure SQL.
pub struct AzureSql {
    way: Arc<Way>,
    idle: Duration,
}

impl AzureSql {
    /// Understands how the database is reached, and fetches the secrets for it. Nothing is connected to yet. With it come
    /// warnings: what the connection string says and nothing here heeds.
    pub fn new(
        connection: &comboi_project::Connection,
        secrets: &dyn Secrets,
        tokens: Arc<dyn Tokens>,
    ) -> Result<(Self, Vec<String>), Error> {
        let (settings, warnings) = Settings::new(connection, secrets)?;
        let way = Arc::new(Way { settings, tokens });
        Ok((Self { way, idle: IDLE }, warnings))
    }

    /// The file of a certificate that a connection names, if it can be understood.
    pub(super) fn certificates(
        connection: &comboi_project::Connection,
        secrets: &dyn Secrets,
    ) -> Option<PathBuf> {
        let (settings, _) = Settings::new(connection, secrets).ok()?;
        settings.certificate().map(PathBuf::from)
    }

    async fn once(&self) -> Result<Session, Error> {
        let client = self.way.go().await?;
        let watch = Watch {
            way: Arc::clone(&self.way),
            idle: self.idle,
            session: None,
        };
        Session::new(client, watch).await
    }

    /// How long it makes sense to try again after an error.
    fn patience(&self, error: &Error) -> Duration {
        let settings = &self.way.settings;
        let is_new = is_login_failure(error) && settings.identity.is_some();
        let moves = is_no_database(error) && settings.is_azure();
        match error {
            Error::Lost { why, .. } if why.contains("refused") => PATIENCE_WITH_NOBODY,
            Error::Lost { .. } if settings.is_azure() || is_from_server(error) => PATIENCE,
            // Something else may listen there.
            Error::Lost { .. } => PATIENCE_WITH_NOBODY,
            _ if is_new || moves => PATIENCE_WITH_NOBODY,
            _ => Duration::ZERO,
        }
    }

    /// With what to check when nobody answered as SQL Server does.
    fn with_advice(&self, error: Error) -> Error {
        if self.way.settings.is_azure() || is_from_server(&error) {
            return error;
        }
        match error {
            Error::Lost { doing, why } => Error::Lost {
                doing,
                why: format!("{why}; check that SQL Server listens on this host and port"),
            },
            other => other,
        }
    }
}

#[async_trait]
impl Database for AzureSql {
    fn dialect(&self) -> &dyn Dialect {
        &Sql
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(250);
        loop {
            let error = match self.once().await {
                Ok(session) => return Ok(Box::new(session)),
                Err(error) => error,
            };
            if begun.elapsed() + pause > self.patience(&error) {
                return Err(self.with_advice(error));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }
}

/// Shows where it is, not how to get in.
impl fmt::Debug for AzureSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQL Server at {}", self.way.settings.place())
    }
}
