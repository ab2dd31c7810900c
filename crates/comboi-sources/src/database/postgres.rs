//! PostgreSQL, by its binary `COPY`.

mod columns;
mod decode;
mod dialect;
mod failure;
mod lexer;
mod moments;
mod numeric;
mod parts;
mod session;
mod settings;
mod tls;
mod types;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use comboi_project::Secrets;
use tokio::time::Instant;
use tokio_postgres::NoTls;
use tokio_postgres::error::SqlState;

use super::client::{Connection, Database, Dialect, Identity, Tokens};
use crate::Error;
use dialect::Sql;
use failure::{explained, worth_connecting_again};
use session::Session;
use settings::Settings;

/// Whom tokens for Azure Database for PostgreSQL are asked for.
const SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";

/// How long a server that does not take connections yet is asked again.
const PATIENCE: Duration = Duration::from_secs(90);
/// A server that is not there at all is not waited for as long.
const PATIENCE_WITH_NOBODY: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A PostgreSQL database, or one that speaks like it.
pub struct Postgres {
    settings: Settings,
    tokens: Arc<dyn Tokens>,
}

impl Postgres {
    /// Understands how the database is reached, and fetches the secrets for it. Nothing is connected to yet.
    pub fn new(
        connection: &comboi_project::Connection,
        secrets: &dyn Secrets,
        tokens: Arc<dyn Tokens>,
    ) -> Result<Self, Error> {
        let mut settings = Settings::new(connection, secrets)?;
        let config = &mut settings.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(60));
        }
        config
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(30));
        Ok(Self { settings, tokens })
    }

    async fn once(&self) -> Result<Session, Error> {
        let doing = format!("connect to {}", self.settings.place());
        let mut config = self.settings.config.clone();
        if self.settings.by_token {
            config.password(self.tokens.token(SCOPE, &Identity::Default).await?);
        }
        let silent = || Error::Lost {
            doing: doing.clone(),
            why: "the server does not answer".into(),
        };
        let tls = tls::connector(&self.settings.encryption)?;
        if self.settings.encryption.only_if_asked {
            let mut plain = config.clone();
            plain.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let connecting = tokio::time::timeout(CONNECT_TIMEOUT * 2, plain.connect(NoTls));
            match connecting.await.map_err(|_| silent())? {
                Ok((client, connection)) => {
                    let connection = tokio::spawn(connection).abort_handle();
                    return Session::new(client, connection, tls).await;
                }
                // The server's rules may want encryption.
                Err(e) if e.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {}
                Err(e) => return Err(explained(&e, doing)),
            }
        }
        let connecting =
            tokio::time::timeout(CONNECT_TIMEOUT * 2, config.connect(tls.clone())).await;
        let connected = connecting.map_err(|_| silent())?;
        let (client, connection) = connected.map_err(|e| explained(&e, doing))?;
        // It ends when the client is dropped.
        let connection = tokio::spawn(connection).abort_handle();
        Session::new(client, connection, tls).await
    }
}

#[async_trait]
impl Database for Postgres {
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
            let nobody = error.to_string().contains("refused");
            let patience = if nobody {
                PATIENCE_WITH_NOBODY
            } else {
                PATIENCE
            };
            if !worth_connecting_again(&error) || begun.elapsed() + pause > patience {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
    }
}

/// Shows where it is, not how to get in.
impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL at {}", self.settings.place())
    }
}
