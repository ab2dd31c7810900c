//! How a connection is made, and how long it is waited for.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use mssql_tds::connection::tds_client::{ResultSet as _, TdsClient};
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::TdsResult;
use mssql_tds::error::Error as Tds;
use tokio::time::{Instant, timeout};

use super::catalog::AT_WORK;
use super::decode::Rows;
use super::failure::explained;
use super::settings::Settings;
use crate::Error;
use crate::database::Tokens;

/// How long the answer of a server that is at work no more may be on its way.
const GRACE: Duration = Duration::from_secs(2);
/// Whom tokens for SQL Server are asked for.
const SCOPE: &str = "https://database.windows.net/.default";
/// A server that takes connections and does not say whether it is at work is waited for so long,
const PATIENCE_IN_THE_DARK: Duration = Duration::from_secs(30 * 60);
/// and one that is so long.
const PATIENCE: Duration = Duration::from_secs(2 * 60 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);

/// How a server is reached.
pub(super) struct Way {
    pub(super) settings: Settings,
    pub(super) tokens: Arc<dyn Tokens>,
}

impl Way {
    /// Connects, once.
    pub(super) async fn go(&self) -> Result<TdsClient, Error> {
        let doing = format!("connect to {}", self.settings.place());
        let token = match &self.settings.identity {
            Some(identity) => Some(self.tokens.token(SCOPE, identity).await?),
            None => None,
        };
        let context = self.settings.context(token.clone());
        let asked_size = context.packet_size;
        let went = self.log_in(context, &doing).await?;
        let went = match went {
            // A server that does not know how to go on after a packet of this size.
            Err(e) if is_about_packets(&e) && asked_size > 8000 => {
                self.log_in(self.settings.smaller(token), &doing).await?
            }
            went => went,
        };
        went.map_err(|e| explained(&e, &doing))
    }

    async fn log_in(
        &self,
        context: mssql_tds::connection::client_context::ClientContext,
        doing: &str,
    ) -> Result<TdsResult<TdsClient>, Error> {
        let provider = TdsConnectionProvider::new();
        let going = Box::pin(provider.create_client(context, self.settings.data_source(), None));
        timeout(CONNECT_TIMEOUT, going)
            .await
            .map_err(|_| Error::Lost {
                doing: doing.to_owned(),
                why: "the server does not answer".into(),
            })
    }
}

fn is_about_packets(error: &Tds) -> bool {
    matches!(error, Tds::ProtocolError(why) if why.to_ascii_lowercase().contains("packet"))
}

/// Waits for a server, as long as that makes sense.
pub(super) struct Watch {
    pub(super) way: Arc<Way>,
    /// How long nothing may come before somebody asks.
    pub(super) idle: Duration,
    /// The number of the session.
    pub(super) session: Option<String>,
}

impl Watch {
    /// What the server answers. While it says nothing, another connection asks now and then whether it is at work; a server
    /// that answers nobody, or has nothing to do for us, is given up, and so is one that takes hours for a row.
    pub(super) async fn wait<T>(
        &self,
        doing: &str,
        answer: impl Future<Output = TdsResult<T>>,
    ) -> Result<T, Error> {
        let mut answer = std::pin::pin!(answer);
        let begun = Instant::now();
        loop {
            match timeout(self.idle, &mut answer).await {
                Ok(answered) => return answered.map_err(|e| explained(&e, doing)),
                Err(_) => {
                    let patience = match self.at_work().await {
                        Some(true) => PATIENCE,
                        Some(false) => Duration::ZERO,
                        None => PATIENCE_IN_THE_DARK,
                    };
                    if begun.elapsed() >= patience {
                        // It may have answered while it was asked.
                        if let Ok(answered) = timeout(GRACE, &mut answer).await {
                            return answered.map_err(|e| explained(&e, doing));
                        }
                        return Err(Error::Lost {
                            doing: doing.to_owned(),
                            why: format!(
                                "the server has said nothing for {} seconds",
                                begun.elapsed().as_secs()
                            ),
                        });
                    }
                }
            }
        }
    }

    /// Whether the server is at work for us; `None` when the login may not know.
    async fn at_work(&self) -> Option<bool> {
        let Some(session) = &self.session else {
            return Some(false);
        };
        match timeout(CONNECT_TIMEOUT, self.ask(&AT_WORK.replace("{}", session))).await {
            Ok(Ok(Some(said))) => Some(said == "t"),
            Ok(Ok(None)) => None,
            Ok(Err(_)) | Err(_) => Some(false),
        }
    }

    /// One value, by a connection of its own.
    async fn ask(&self, sql: &str) -> Result<Option<String>, Error> {
        let doing = "ask whether the server is at work";
        let mut client = self.way.go().await?;
        let asked: TdsResult<Rows> = async {
            client.execute(sql.to_owned(), ()).await?;
            let mut rows = Rows::of_texts(client.get_metadata().len());
            while client.next_row_into(&mut rows).await? {}
            Ok(rows)
        }
        .await;
        let texts = asked.map_err(|e| explained(&e, doing))?.texts();
        Ok(texts
            .ok()
            .and_then(|rows| rows.into_iter().flatten().next().flatten()))
    }
}
