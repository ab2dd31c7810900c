//! PostgreSQL, by its binary `COPY`.

mod columns;
mod decode;
mod dialect;
mod failure;
mod gather;
mod lexer;
mod moments;
mod numeric;
mod origin;
mod parts;
mod session;
mod settings;
mod tls;
mod types;
mod unique;
mod wire;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use comboi_project::{Secrets, SslMode};
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use super::client::{Connection, Database, Dialect, Identity, Tokens};
use crate::Error;
use dialect::Sql;
use failure::{explained, worth_connecting_again};
use session::Session;
use settings::Settings;
use wire::Way;

/// Whom tokens for Azure Database for PostgreSQL are asked for.
const SCOPE: &str = "https://ossrdbms-aad.database.windows.net/.default";

/// How long a server that does not take connections yet is asked again.
const PATIENCE: Duration = Duration::from_secs(90);
/// A server that is not there at all is not waited for as long.
const PATIENCE_WITH_NOBODY: Duration = Duration::from_secs(5);
/// A server that says nothing for so long, and is not at work either, is taken for dead.
const IDLE: Duration = Duration::from_secs(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A PostgreSQL database, or one that speaks like it.
pub struct Postgres {
    settings: Settings,
    tokens: Arc<dyn Tokens>,
    idle: Duration,
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
        Ok(Self {
            settings,
            tokens,
            idle: IDLE,
        })
    }

    /// The file of certificates that a connection names, if it can be understood.
    pub(super) fn certificates(
        connection: &comboi_project::Connection,
        secrets: &dyn Secrets,
    ) -> Option<PathBuf> {
        let settings = Settings::new(connection, secrets).ok()?;
        settings.encryption.root_certificates.map(PathBuf::from)
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
        let encryption = &self.settings.encryption;
        if encryption.only_if_asked {
            let mut config = config.clone();
            config.ssl_mode(tokio_postgres::config::SslMode::Disable);
            let plain = Way { config, tls: None }.go(self.idle);
            match tokio::time::timeout(CONNECT_TIMEOUT * 2, plain).await {
                Err(_) => return Err(silent()),
                Ok(Ok((client, wire))) => return Session::new(client, wire).await,
                // The server's rules may want encryption.
                Ok(Err(e)) if e.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {}
                Ok(Err(e)) => return Err(explained(&e, doing)),
            }
        }
        let tls = match encryption.mode {
            SslMode::Disable => None,
            _ => Some(tls::connector(encryption)?),
        };
        let going = Way { config, tls }.go(self.idle);
        let gone = tokio::time::timeout(CONNECT_TIMEOUT * 2, going).await;
        let (client, wire) = gone
            .map_err(|_| silent())?
            .map_err(|e| explained(&e, &doing))?;
        Session::new(client, wire).await
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

#[cfg(test)]
mod tests {
    use std::process::Command;

    use comboi_project::{NoVault, Project, Source};

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    #[async_trait]
    impl Tokens for Nobody {
        async fn token(&self, _: &str, _: &Identity) -> Result<String, Error> {
            unreachable!("nobody asks for a token")
        }
    }

    /// A connection that is given up when the server says nothing for a second and is not at work.
    fn check(test: impl AsyncFnOnce(Box<dyn Connection>)) {
        let database = comboi_test::Postgres::database();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.yml");
        let yaml = format!(
            "sources:\n  - name: shop\n    type: postgres\n    connection: {{conn_str: '{}'}}\n    tables: [{{name: t}}]\n",
            database.url()
        );
        std::fs::write(&file, yaml).unwrap();
        let project = Project::load(&file, &|_| None).unwrap();
        let Some(Source::Postgres(source)) = project.sources.first() else {
            panic!("no source")
        };
        let mut postgres = Postgres::new(&source.connection, &NoVault, Arc::new(Nobody)).unwrap();
        postgres.idle = Duration::from_secs(1);
        database.block_on(async { test(postgres.connect().await.unwrap()).await });
    }

    #[test]
    fn a_server_that_is_at_work_is_waited_for() {
        check(async |mut connection| {
            let slept = connection.texts("SELECT pg_sleep(2.5)::text, 'done'").await;
            assert_eq!(slept.unwrap(), [[Some(String::new()), Some("done".into())]]);
        });
    }

    #[test]
    fn a_server_that_hangs_is_given_up() {
        check(async |mut connection| {
            let process = connection.texts("SELECT pg_backend_pid()::text").await;
            let process = process.unwrap().remove(0).remove(0).unwrap();
            let signal = |name: &str| {
                let kill = Command::new("kill").args([name, &process]).status();
                assert!(kill.unwrap().success());
            };
            signal("-STOP");
            let asked = connection.texts("SELECT 1").await;
            signal("-CONT");
            let told = asked.unwrap_err().to_string();
            assert!(
                told.contains("the server has said nothing for 1 seconds"),
                "{told}"
            );
        });
    }
}
