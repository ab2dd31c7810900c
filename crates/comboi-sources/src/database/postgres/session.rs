//! One connection.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use comboi_project::SqlType;
use futures::{FutureExt as _, StreamExt as _, pin_mut};
use tokio_postgres::{Client, SimpleQueryMessage};

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
    pub(super) client: Client,
    /// Whether a transaction is open that everything is read in.
    frozen: bool,
}

impl Session {
    pub(super) async fn new(client: Client) -> Result<Self, Error> {
        let mut session = Self {
            client,
            frozen: false,
        };
        session.texts("SELECT 1").await?;
        Ok(session)
    }

    async fn begin(&mut self, isolation: &str, doing: &str) -> Result<(), Error> {
        let begin = format!("BEGIN ISOLATION LEVEL {isolation} READ ONLY; {LOCAL}");
        within(doing, self.client.batch_execute(&begin)).await
    }

    async fn end(&mut self) {
        // A connection that can't even do that is of no more use, which the next statement finds.
        drop(within("end a transaction", self.client.batch_execute("ROLLBACK")).await);
    }

    /// Does something within a transaction: the one that is open, or one of its own.
    async fn query(&mut self, sql: &str, doing: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        if self.frozen {
            return within(doing, self.client.simple_query(sql)).await;
        }
        self.begin("READ COMMITTED", doing).await?;
        let answer = within(doing, self.client.simple_query(sql)).await;
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
        let rows = within(doing, self.client.query_typed(sql, &[])).await;
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
            within(doing, self.client.batch_execute(&set)).await?;
            return Ok(other.cloned());
        }
        // A replica can't export its state; then the first statement fixes it for this connection alone.
        let exported = within(
            doing,
            self.client
                .simple_query("SAVEPOINT export; SELECT pg_export_snapshot(); RELEASE export"),
        )
        .await;
        match exported {
            Ok(messages) => Ok(messages.iter().find_map(|message| match message {
                SimpleQueryMessage::Row(row) => row.get(0).map(|name| Snapshot(name.to_owned())),
                _ => None,
            })),
            Err(Error::Lost { doing, why }) => Err(Error::Lost { doing, why }),
            Err(_) => {
                within(
                    doing,
                    self.client.batch_execute("ROLLBACK TO SAVEPOINT export"),
                )
                .await?;
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
        let rows = self.texts(&format!("EXPLAIN (FORMAT JSON) {sql}")).await?;
        let text: String = rows.into_iter().flatten().flatten().collect();
        let plan: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(plan[0]["Plan"]["Plan Rows"].as_u64())
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
        let read = copy(&self.client, sql, columns, to).await;
        if own {
            self.end().await;
        }
        read
    }
}

async fn copy(
    client: &Client,
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
    let stream = within(DOING, client.copy_out(statement.as_str())).await?;
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
        let Some(message) = next else { break };
        let message = message.map_err(|e| explained(&e, DOING))?;
        decoder
            .take(&message)
            .map_err(|(place, refusal)| refused(place.and_then(|at| columns.get(at)), &refusal))?;
        if decoder.rows() >= BATCH_ROWS || decoder.bytes() >= BATCH_BYTES {
            count += decoder.rows() as u64;
            to.put(batch(&mut decoder)?)?;
        }
    }
    count += decoder.rows() as u64;
    to.put(batch(&mut decoder)?)?;
    Ok(count)
}

fn batch(decoder: &mut Decoder) -> Result<arrow_array::RecordBatch, Error> {
    decoder.batch().map_err(|e| Error::Refused {
        doing: "understand the rows that the server sent".into(),
        why: e.to_string(),
    })
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

/// Waits for an answer, but not for ever.
async fn within<T>(
    doing: &str,
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Error> {
    match tokio::time::timeout(IDLE, work).await {
        Ok(done) => done.map_err(|e| explained(&e, doing)),
        Err(_) => Err(silent(doing)),
    }
}
