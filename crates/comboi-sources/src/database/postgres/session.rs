//! One connection.

use async_trait::async_trait;
use comboi_project::SqlType;
use futures::{FutureExt as _, StreamExt as _, pin_mut};
use std::collections::BTreeMap;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::columns::columns;
use super::decode::{Decoder, Refusal};
use super::dialect::text;
use super::origin::origin;
use super::parts::parts;
use super::types::form;
use super::wire::Wire;
use crate::Error;
use crate::database::{
    Connection, Origin, Part, Relation, Sink, Snapshot, SourceColumn, arrow_schema,
};

/// A batch is handed on when it has so many rows or bytes.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// For one transaction, as a pooler may give the next one to another session. Forms of values that read back as the same value, in
/// UTC, and no limit of the server's on a statement that reads a whole table.
const LOCAL: &str = "SET LOCAL TimeZone = 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'postgres'; \
    SET LOCAL extra_float_digits = 3; SET LOCAL bytea_output = 'hex'; SET LOCAL standard_conforming_strings = on; \
    SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = '60s'";

/// Which process answers.
const PROCESS: &str = "SELECT pg_backend_pid()::text";

/// What the server says of a column that a statement returns.
pub(super) struct Described {
    /// Its type's modifier.
    pub(super) modifier: i32,
    /// The table that it is taken from as it is, and its number there.
    pub(super) table: Option<u32>,
    pub(super) number: Option<i16>,
}

pub(super) struct Session {
    client: Client,
    wire: Wire,
    /// Whether a transaction is open that everything is read in.
    frozen: bool,
}

impl Session {
    pub(super) async fn new(client: Client, wire: Wire) -> Result<Self, Error> {
        let mut session = Self {
            client,
            wire,
            frozen: false,
        };
        session.texts("SELECT 1").await?;
        Ok(session)
    }

    /// Begins a transaction, with a statement that returns what [`PROCESS`] does and perhaps one value more.
    async fn begin(
        &mut self,
        isolation: &str,
        with: &str,
        doing: &str,
    ) -> Result<Option<String>, Error> {
        let begin = format!("BEGIN ISOLATION LEVEL {isolation} READ ONLY; {LOCAL}; {with}");
        let messages = self.ask(&begin, doing).await?;
        let mut cells = rows(&messages).into_iter().flatten();
        self.wire.process = cells.next().flatten();
        Ok(cells.next().flatten())
    }

    async fn end(&mut self) {
        // A connection that can't even do that is of no more use, which the next statement finds.
        drop(self.ask("ROLLBACK", "end a transaction").await);
    }

    async fn ask(&mut self, sql: &str, doing: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        self.wire.within(doing, self.client.simple_query(sql)).await
    }

    /// Does something within a transaction: the one that is open, or one of its own.
    async fn query(&mut self, sql: &str, doing: &str) -> Result<Vec<SimpleQueryMessage>, Error> {
        if self.frozen {
            return self.ask(sql, doing).await;
        }
        self.begin("READ COMMITTED", PROCESS, doing).await?;
        let answer = self.ask(sql, doing).await;
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

    /// What the server says of the columns that a statement returns, which has a row. They must be of types of PostgreSQL's own.
    pub(super) async fn described(&mut self, sql: &str) -> Result<Vec<Described>, Error> {
        let doing = "understand what is to be read";
        if !self.frozen {
            self.begin("READ COMMITTED", PROCESS, doing).await?;
        }
        let rows = self
            .wire
            .within(doing, self.client.query_typed(sql, &[]))
            .await;
        if !self.frozen {
            self.end().await;
        }
        let rows = rows?;
        let columns = rows
            .first()
            .map(tokio_postgres::Row::columns)
            .unwrap_or_default();
        let described = |column: &tokio_postgres::Column| Described {
            modifier: column.type_modifier(),
            table: column.table_oid(),
            number: column.column_id(),
        };
        Ok(columns.iter().map(described).collect())
    }

    /// How a statement would be done.
    pub(super) async fn explained(&mut self, sql: &str) -> Result<serde_json::Value, Error> {
        self.explained_by(&format!("(FORMAT JSON) {sql}")).await
    }

    /// The same with other options, which stand before the statement.
    pub(super) async fn explained_by(&mut self, sql: &str) -> Result<serde_json::Value, Error> {
        let rows = self.texts(&format!("EXPLAIN {sql}")).await?;
        let text: String = rows.into_iter().flatten().flatten().collect();
        let mut plans: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(plans[0]["Plan"].take())
    }

    async fn copy(
        &mut self,
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
            .wire
            .within(DOING, self.client.copy_out(statement.as_str()))
            .await?;
        self.wire.busy = true;
        pin_mut!(stream);
        let mut count = 0;
        loop {
            // Most rows are here already; a clock is only asked when one has to be waited for.
            let next = match stream.next().now_or_never() {
                Some(next) => next,
                None => self.wire.wait(DOING, stream.next()).await?,
            };
            let message = match next {
                Some(Ok(message)) => message,
                ended => {
                    self.wire.busy = false;
                    match ended {
                        Some(Err(e)) => return Err(self.wire.explained(&e, DOING)),
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
        if !decoder.ended() {
            return Err(Error::Lost {
                doing: DOING.to_owned(),
                why: "the server's answer ended too early".to_owned(),
            });
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
        Ok(rows(&messages))
    }

    async fn freeze(&mut self, other: Option<&Snapshot>) -> Result<Option<Snapshot>, Error> {
        let doing = "fix the state that is read";
        self.frozen = true;
        if let Some(Snapshot(name)) = other {
            let with = format!("SET TRANSACTION SNAPSHOT {}; {PROCESS}", text(name));
            self.begin("REPEATABLE READ", &with, doing).await?;
            return Ok(other.cloned());
        }
        let with = format!("{PROCESS}, pg_export_snapshot()");
        match self.begin("REPEATABLE READ", &with, doing).await {
            Ok(name) => Ok(name.map(Snapshot)),
            Err(Error::Lost { doing, why }) => Err(Error::Lost { doing, why }),
            // A server that can't share its state: this connection has one for itself.
            Err(_) => {
                self.end().await;
                self.begin("REPEATABLE READ", PROCESS, doing).await?;
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

    async fn origin(&mut self, relation: &Relation, column: &str) -> Result<Origin, Error> {
        origin(self, relation, column).await
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
            self.begin("REPEATABLE READ", PROCESS, "begin to read")
                .await?;
        }
        let read = self.copy(sql, columns, to).await;
        if own && !self.wire.busy {
            self.end().await;
        }
        read
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.wire.leave(&self.client);
    }
}

fn rows(messages: &[SimpleQueryMessage]) -> Vec<Vec<Option<String>>> {
    let row = |message: &SimpleQueryMessage| match message {
        SimpleQueryMessage::Row(row) => Some(
            (0..row.len())
                .map(|i| row.get(i).map(str::to_owned))
                .collect(),
        ),
        _ => None,
    };
    messages.iter().filter_map(row).collect()
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
