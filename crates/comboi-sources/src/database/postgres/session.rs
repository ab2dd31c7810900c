//! One connection.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use comboi_project::SqlType;
use futures::{FutureExt as _, StreamExt as _, pin_mut};
use tokio::task::AbortHandle;
use tokio_postgres::{Client, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::columns::columns;
use super::decode::{Decoder, Refusal};
use super::dialect::text;
use super::failure::explained;
use super::parts::parts;
use super::types::form;
use crate::Error;
use crate::database::{Connection, Part, Relation, Sink, Snapshot, SourceColumn, arrow_schema};

/// A server that says nothing for so long is taken for dead.
const IDLE: Duration = Duration::from_secs(300);
/// A batch is handed on when it has so many rows or bytes.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// For one transaction, as a pooler may give the next one to another session. Forms of values that read back as the same value, in
/// UTC, and no limit of the server's on a statement that reads a whole table.
const LOCAL: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on; \
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '60s'";

pub(super) struct Session {
    client: Client,
    /// What moves the bytes.
    connection: AbortHandle,
    tls: MakeRustlsConnect,
    /// Whether a transaction is open that everything is read in.
    frozen: bool,
    /// Whether the server has an answer to give that nobody has taken yet.
    busy: AtomicBool,
}

impl Session {
    pub(super) async fn new(
        client: Client,
        connection: AbortHandle,
        tls: MakeRustlsConnect,
    ) -> Result<Self, Error> {
        let mut session = Self {
            client,
            connection,
            tls,
            frozen: false,
            busy: AtomicBool::new(false),
        };
        session.texts("SELECT 1").await?;
        Ok(session)
    }

    /// Waits for an answer, but not for ever.
    async fn within<T>(
        &self,
        doing: &str,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Error> {
        self.busy.store(true, Ordering::Relaxed);
        let done = tokio::time::timeout(IDLE, work)
            .await
            .map_err(|_| silent(doing))?;
        self.busy.store(false, Ordering::Relaxed);
        done.map_err(|e| explained(&e, doing))
    }

    async fn begin(&self, isolation: &str, doing: &str) -> Result<(), Error> {
        let begin = format!("BEGIN ISOLATION LEVEL {isolation} READ ONLY; {LOCAL}");
        self.within(doing, self.client.batch_execute(&begin)).await
    }

    async fn end(&self) {
        // A connection that can't even do that is of no more use, which the next statement finds.
        drop(
            self.within("end a transaction", self.client.batch_execute("ROLLBACK"))
                .await,
        );
    }

    /// Does something within a transaction: the one that is open, or one of its own.
    async fn query(&self, sql: &str, doing: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        if self.frozen {
            return self.within(doing, self.client.simple_query(sql)).await;
        }
        self.begin("READ COMMITTED", doing).await?;
        let answer = self.within(doing, self.client.simple_query(sql)).await;
        self.end().await;
        answer
    }

    /// The names of the columns that a statement returns, which is not run.
    pub(super) async fn names(&mut self, sql: &str) -> Result<Vec<String>, Error> {
        let messages = self.query(sql, "understand what is to be read").await?;
        let described = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::RowDescription(columns) => {
                Some(columns.iter().map(|it| it.name().to_owned()).collect())
            }
            _ => None,
        });
        Ok(described.unwrap_or_default())
    }

    /// The types' modifiers of the columns that a statement returns. They must be of types of PostgreSQL's own.
    pub(super) async fn modifiers(&mut self, sql: &str) -> Result<Vec<i32>, Error> {
        let doing = "understand what is to be read";
        if !self.frozen {
            self.begin("READ COMMITTED", doing).await?;
        }
        let rows = self.within(doing, self.client.query_typed(sql, &[])).await;
        if !self.frozen {
            self.end().await;
        }
        let rows = rows?;
        let columns = rows
            .first()
            .map(tokio_postgres::Row::columns)
            .unwrap_or_default();
        Ok(columns
            .iter()
            .map(tokio_postgres::Column::type_modifier)
            .collect())
    }

    /// How a statement would be done.
    pub(super) async fn explained(&mut self, sql: &str) -> Result<serde_json::Value, Error> {
        let rows = self.texts(&format!("EXPLAIN (FORMAT JSON) {sql}")).await?;
        let text: String = rows.into_iter().flatten().flatten().collect();
        let mut plans: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(plans[0]["Plan"].take())
    }

    async fn copy(
        &self,
        sql: &str,
        columns: &[SourceColumn],
        to: &mut dyn Sink,
    ) -> Result<u64, Error> {
        const DOING: &str = "read rows";
        let schema = arrow_schema(columns);
        let forms: Vec<_> = columns
            .iter()
            .map(|it| form(&it.source_type, &it.sql_type, it.sent_as.as_deref()))
            .collect();
        let mut decoder = Decoder::new(schema, &forms);
        let statement = format!("COPY ({sql}) TO STDOUT (FORMAT binary)");
        let refused = |(place, refusal): (Option<usize>, Refusal)| {
            refused(place.and_then(|at| columns.get(at)), &refusal)
        };
        let stream = self
            .within(DOING, self.client.copy_out(statement.as_str()))
            .await?;
        self.busy.store(true, Ordering::Relaxed);
        pin_mut!(stream);
        let mut count = 0;
        loop {
            // Most rows are here already; a clock is only asked when one has to be waited for.
            let next = match stream.next().now_or_never() {
                Some(next) => next,
                None => tokio::time::timeout(IDLE, stream.next())
                    .await
                    .map_err(|_| silent(DOING))?,
            };
            let message = match next {
                Some(Ok(message)) => message,
                ended => {
                    self.busy.store(false, Ordering::Relaxed);
                    match ended {
                        Some(Err(e)) => return Err(explained(&e, DOING)),
                        _ => break,
                    }
                }
            };
            decoder.take(&message).map_err(refused)?;
            if decoder.rows() >= BATCH_ROWS || decoder.bytes() >= BATCH_BYTES {
                count += decoder.rows() as u64;
                to.put(decoder.batch().map_err(refused)?)?;
            }
        }
        count += decoder.rows() as u64;
        to.put(decoder.batch().map_err(refused)?)?;
        Ok(count)
    }
}

#[async_trait]
impl Connection for Session {
    async fn columns(
        &mut self,
        relation: &Relation,
        said: &BTreeMap<String, SqlType>,
    ) -> Result<Vec<SourceColumn>, Error> {
        columns(self, relation, said).await
    }

    async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        let messages = self.query(sql, "ask the server").await?;
        let row = |message: &SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) => Some(
                (0..row.len())
                    .map(|i| row.get(i).map(str::to_owned))
                    .collect(),
            ),
            _ => None,
        };
        Ok(messages.iter().filter_map(row).collect())
    }

    async fn freeze(&mut self, other: Option<&Snapshot>) -> Result<Option<Snapshot>, Error> {
        let doing = "fix the state that is read";
        self.begin("REPEATABLE READ", doing).await?;
        self.frozen = true;
        if let Some(Snapshot(name)) = other {
            let set = format!("SET TRANSACTION SNAPSHOT {}", text(name));
            self.within(doing, self.client.batch_execute(&set)).await?;
            return Ok(other.cloned());
        }
        let export = self.client.simple_query("SELECT pg_export_snapshot()");
        match self.within(doing, export).await {
            Ok(messages) => Ok(messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(|name| Snapshot(name.to_owned())),
                _ => None,
            })),
            Err(Error::Lost { doing, why }) => Err(Error::Lost { doing, why }),
            // A server that can't share its state: this connection has one for itself.
            Err(_) => {
                self.end().await;
                self.begin("REPEATABLE READ", doing).await?;
                Ok(None)
            }
        }
    }

    async fn parts(
        &mut self,
        relation: &Relation,
        columns: &[SourceColumn],
        key: &[String],
        count: usize,
    ) -> Result<Vec<Part>, Error> {
        parts(self, relation, columns, key, count).await
    }

    async fn estimate(&mut self, sql: &str) -> Result<Option<u64>, Error> {
        Ok(self.explained(sql).await?["Plan Rows"].as_u64())
    }

    async fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        to: &mut dyn Sink,
    ) -> Result<u64, Error> {
        let own = !self.frozen;
        if own {
            self.begin("REPEATABLE READ", "begin to read").await?;
        }
        let read = self.copy(sql, columns, to).await;
        if own && !self.busy.load(Ordering::Relaxed) {
            self.end().await;
        }
        read
    }
}

/// An answer that is still on its way is not waited for: the client would take all of it, and the server would go on working.
impl Drop for Session {
    fn drop(&mut self) {
        if !*self.busy.get_mut() {
            return;
        }
        self.connection.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (cancel, tls) = (self.client.cancel_token(), self.tls.clone());
            runtime.spawn(async move {
                drop(cancel.cancel_query(tls).await);
            });
        }
    }
}

fn refused(column: Option<&SourceColumn>, refusal: &Refusal) -> Error {
    let name = column.map(|it| it.name.clone()).unwrap_or_default();
    match refusal {
        Refusal::Value(why) => Error::Value { column: name, why: (*why).to_owned() },
        Refusal::Malformed => Error::Refused {
            doing: format!("read column `{name}`"),
            why: "the server sent it in a form that is not known; write `VARCHAR` for it under `columns:`".into(),
        },
    }
}

fn silent(doing: &str) -> Error {
    Error::Lost {
        doing: doing.to_owned(),
        why: format!("the server has said nothing for {} seconds", IDLE.as_secs()),
    }
}
