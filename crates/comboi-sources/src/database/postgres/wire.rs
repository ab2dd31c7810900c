//! What moves the bytes of a connection.
//!
//! Nobody does it on the side: whoever waits for an answer moves them meanwhile, on the same thread. Handing each few rows from one
//! thread to another costs more than to decode them.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio_postgres::config::{Host, SslMode, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{CancelToken, Client, Config, NoTls, SimpleQueryMessage, Socket};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::explained;
use super::gather::{Encrypted, Plain};
use crate::Error;

/// How long another connection may take to ask what became of this one.
const PROBE: Duration = Duration::from_secs(60);
/// How long the answer of a server that is at work no more may be on its way.
const GRACE: Duration = Duration::from_secs(2);

type Moving = Pin<Box<dyn Future<Output = Result<(), tokio_postgres::Error>> + Send>>;

/// How to get to a server.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) config: Config,
    /// None: without encryption.
    pub(super) tls: Option<MakeRustlsConnect>,
}

/// The bytes of a connection, and whether somebody waits for them.
pub(super) struct Wire {
    way: Way,
    /// None when it has ended.
    moving: Option<Moving>,
    /// Why it ended.
    ended: Option<tokio_postgres::Error>,
    /// Whether the server has an answer to give that nobody has taken yet.
    pub(super) busy: bool,
    /// The server's process that answers.
    pub(super) process: Option<String>,
    /// A server that says nothing for so long is asked by another connection whether it is still at work.
    idle: Duration,
}

impl Way {
    pub(super) async fn go(self, idle: Duration) -> Result<(Client, Wire), tokio_postgres::Error> {
        let (client, moving) = match self.tls.clone() {
            Some(tls) => connected(&self.config, Encrypted(tls)).await?,
            None if self.has_names() => {
                let mut config = self.config.clone();
                config
                    .ssl_mode(SslMode::Require)
                    .ssl_negotiation(SslNegotiation::Direct);
                connected(&config, Plain).await?
            }
            None => connected(&self.config, NoTls).await?,
        };
        let wire = Wire {
            way: self,
            moving: Some(moving),
            ended: None,
            busy: false,
            process: None,
            idle,
        };
        Ok((client, wire))
    }

    /// Whether another process of the server does something other than to wait for us.
    async fn finds_at_work(self, process: String) -> bool {
        let sql = format!(
            "SELECT 1 FROM pg_stat_activity WHERE pid = {process} AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'"
        );
        let asking = async {
            let (client, mut wire) = self.go(PROBE).await.ok()?;
            let found = wire.moved(pin!(client.simple_query(&sql))).await.ok()?;
            wire.leave(&client);
            let row = |it: &_| matches!(it, SimpleQueryMessage::Row(_));
            found.iter().any(row).then_some(())
        };
        let found = tokio::time::timeout(PROBE, asking).await;
        matches!(found, Ok(Some(())))
    }

    /// Whether each host has a name or an address: the library puts no stream of ours over a socket of the file system.
    fn has_names(&self) -> bool {
        let hosts = self.config.get_hosts();
        !hosts.is_empty() && hosts.iter().all(|host| matches!(host, Host::Tcp(_)))
    }

    /// Asks the server to end what it does for a connection.
    async fn cancel(self, token: CancelToken) {
        let named = self.has_names();
        drop(match self.tls {
            Some(tls) => token.cancel_query(tls).await,
            None if named => token.cancel_query(Plain).await,
            None => token.cancel_query(NoTls).await,
        });
    }
}

async fn connected<T>(config: &Config, tls: T) -> Result<(Client, Moving), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    Ok((client, Box::pin(connection)))
}

impl Wire {
    /// Waits for an answer.
    pub(super) async fn within<T>(
        &mut self,
        doing: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.busy = true;
        let done = self.wait(doing, work).await?;
        self.busy = false;
        done.map_err(|e| self.explained(&e, doing))
    }

    /// Waits as long as the server is at work.
    pub(super) async fn wait<T>(
        &mut self,
        doing: &str,
        work: impl Future<Output = T>,
    ) -> Result<T, Error> {
        let mut work = pin!(work);
        loop {
            let idle = self.idle;
            if let Ok(done) = tokio::time::timeout(idle, self.moved(work.as_mut())).await {
                return Ok(done);
            }
            let at_work = match self.process.clone() {
                Some(process) => self.way.clone().finds_at_work(process).await,
                None => false,
            };
            if !at_work {
                // It may have answered while it was asked.
                let last = tokio::time::timeout(GRACE, self.moved(work.as_mut()));
                if let Ok(done) = last.await {
                    return Ok(done);
                }
                return Err(Error::Lost {
                    doing: doing.to_owned(),
                    why: format!("the server has said nothing for {} seconds", idle.as_secs()),
                });
            }
        }
    }

    /// What an error means; when the connection ended, why it did.
    pub(super) fn explained(&self, error: &tokio_postgres::Error, doing: &str) -> Error {
        match &self.ended {
            Some(ended) if error.is_closed() => explained(ended, doing),
            _ => explained(error, doing),
        }
    }

    async fn moved<T>(&mut self, mut work: Pin<&mut impl Future<Output = T>>) -> T {
        poll_fn(|context| {
            if let done @ Poll::Ready(_) = work.as_mut().poll(context) {
                return done;
            }
            if let Some(moving) = &mut self.moving
                && let Poll::Ready(ended) = moving.as_mut().poll(context)
            {
                self.ended = ended.err();
                self.moving = None;
            }
            work.as_mut().poll(context)
        })
        .await
    }

    /// Says goodbye. An answer that is still on its way is not waited for: the client would take all of it, and the server would go on
    /// working.
    pub(super) fn leave(&mut self, client: &Client) {
        let (Some(moving), Ok(runtime)) = (self.moving.take(), Handle::try_current()) else {
            return;
        };
        if self.busy {
            drop(moving);
            runtime.spawn(self.way.clone().cancel(client.cancel_token()));
        } else {
            // It ends by itself when the client is gone.
            runtime.spawn(moving);
        }
    }
}
