//! One connection.

use std::collections::BTreeMap;

use async_trait::async_trait;
use comboi_project::SqlType;
use mssql_tds::connection::tds_client::{BufferedRowPoll, ResultSet as _, TdsClient};

use super::catalog::{SESSION, SNAPSHOT, STATE};
use super::columns::columns;
use super::decode::{Refusal, Rows};
use super::dialect::{table, text};
use super::parts::parts;
use super::wire::Watch;
use crate::Error;
use crate::database::{Connection, Origin, Part, Relation, Sink, Snapshot, SourceColumn};

/// A batch is handed on when it has so many rows or bytes.
const BATCH_ROWS: usize = 16_384;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

pub(super) struct Session {
    client: TdsClient,
    watch: Watch,
    /// Whether the database lets readers see one state of it.
    has_snapshots: bool,
    /// Whether a transaction is open that everything is read in.
    frozen: bool,
    /// Whether an answer broke off, so that nobody knows what comes next on the wire.
    broken: bool,
    /// The table that was looked at last.
    table: Option<String>,
}

impl Session {
    pub(super) async fn new(client: TdsClient, watch: Watch) -> Result<Self, Error> {
        let mut session = Self {
            client,
            watch,
            has_snapshots: false,
            frozen: false,
            broken: false,
            table: None,
        };
        session.run(SESSION, "begin a session").await?;
        let state = session.texts(STATE).await?;
        let mut cells = state.into_iter().flatten();
        session.watch.session = cells.next().flatten();
        session.has_snapshots = cells.next().flatten().as_deref() == Some("1");
        Ok(session)
    }

    /// Sends a statement and waits until its first row may be read.
    async fn send(&mut self, sql: &str, doing: &str) -> Result<(), Error> {
        if self.broken {
            return Err(Error::Lost {
                doing: doing.to_owned(),
                why: "the connection broke before".to_owned(),
            });
        }
        self.broken = true;
        let executed = self.client.execute(sql.to_owned(), ());
        self.watch.wait(doing, executed).await?;
        if !self.client.on_rows() {
            self.watch
                .wait(doing, self.client.advance_to_rows())
                .await?;
        }
        Ok(())
    }

    /// Takes in what is left of an answer. It may end with an error, which what came before it does not survive.
    async fn end(&mut self, doing: &str) -> Result<(), Error> {
        self.watch.wait(doing, self.client.close_query()).await?;
        self.broken = false;
        Ok(())
    }

    /// Whether another row came.
    async fn row(&mut self, rows: &mut Rows, doing: &str) -> Result<bool, Error> {
        // Most rows are here already; a clock is only asked when one has to be waited for.
        let polled = self.client.try_next_buffered_row_into(rows);
        let there = match polled.map_err(|e| super::failure::explained(&e, doing))? {
            BufferedRowPoll::Complete => true,
            BufferedRowPoll::Partial => {
                self.watch
                    .wait(doing, self.client.finish_row_into(rows))
                    .await?;
                true
            }
            BufferedRowPoll::Pending => {
                self.watch
                    .wait(doing, self.client.next_row_into(rows))
                    .await?
            }
            BufferedRowPoll::Exhausted => false,
        };
        Ok(there)
    }

    /// A statement without an answer.
    async fn run(&mut self, sql: &str, doing: &str) -> Result<(), Error> {
        let sent = self.send(sql, doing).await;
        self.settled(sent, doing).await?;
        self.end(doing).await
    }

    /// After an error that the server told of, the rest of its answer is taken in, so that the connection stays of use. A transaction
    /// does not survive one.
    async fn settled<T>(&mut self, done: Result<T, Error>, doing: &str) -> Result<T, Error> {
        if let Err(Error::Refused { .. }) = &done
            && !self.frozen
            && !self.client.is_connection_dead()
        {
            drop(self.end(doing).await);
        }
        done
    }

    async fn asked(&mut self, sql: &str, doing: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        self.send(sql, doing).await?;
        if !self.client.on_rows() {
            self.end(doing).await?;
            return Ok(Vec::new());
        }
        let width = self.client.get_metadata().len();
        let mut rows = Rows::of_texts(width);
        while self.row(&mut rows, doing).await? {
            if let Some((_, refusal)) = rows.refused() {
                return Err(unfit("", refusal));
            }
        }
        self.end(doing).await?;
        rows.texts().map_err(|(_, refusal)| unfit("", refusal))
    }

    async fn stream(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        to: &mut dyn Sink,
    ) -> Result<u64, Error> {
        const DOING: &str = "read rows";
        self.send(sql, DOING).await?;
        if self.client.get_metadata().len() != columns.len() {
            return Err(Error::Refused {
                doing: DOING.to_owned(),
                why: "the server sends other columns than it told of; run again".to_owned(),
            });
        }
        let refused = |(place, refusal): (usize, Refusal)| {
            unfit(
                columns.get(place).map_or("", |it| it.name.as_str()),
                refusal,
            )
        };
        let mut rows = Rows::new(columns);
        let mut count = 0;
        while self.row(&mut rows, DOING).await? {
            if let Some(wrong) = rows.refused() {
                return Err(refused(wrong));
            }
            if rows.count() >= BATCH_ROWS || rows.bytes() >= BATCH_BYTES {
                count += rows.count() as u64;
                to.put(rows.batch().map_err(refused)?)?;
            }
        }
        self.end(DOING).await?;
        count += rows.count() as u64;
        to.put(rows.batch().map_err(refused)?)?;
        for (place, count) in rows.cut_off().enumerate() {
            to.cut_off(place, count);
        }
        Ok(count)
    }

    /// The rows of a table as the catalog counts them.
    async fn counted(&mut self, name: &str) -> Result<Option<u64>, Error> {
        let rows = self
            .texts(&format!(
                "SELECT CONVERT(varchar(20), SUM(rows)) FROM sys.partitions WHERE object_id = OBJECT_ID({}) AND index_id IN (0, 1)",
                text(&table(name))
            ))
            .await?;
        Ok(rows
            .into_iter()
            .flatten()
            .flatten()
            .next()
            .and_then(|it| it.parse().ok()))
    }

    /// The rows that the server would expect of a statement, which it may not let everybody know.
    async fn expected(&mut self, sql: &str) -> Result<Option<u64>, Error> {
        let doing = "ask for an estimate";
        let on = self.run("SET SHOWPLAN_XML ON", doing).await;
        let plan = match on {
            Ok(()) => self.texts(sql).await,
            Err(error) => Err(error),
        };
        match plan {
            Err(Error::Lost { doing, why }) => return Err(Error::Lost { doing, why }),
            _ => self.run("SET SHOWPLAN_XML OFF", doing).await?,
        }
        let text: String = plan
            .unwrap_or_default()
            .into_iter()
            .flatten()
            .flatten()
            .collect();
        Ok(rows_of_plan(&text))
    }
}

/// The first `StatementEstRows="…"` of a plan.
fn rows_of_plan(xml: &str) -> Option<u64> {
    let (_, rest) = xml.split_once("StatementEstRows=\"")?;
    let (number, _) = rest.split_once('"')?;
    let rows: f64 = number.parse().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` ends at the ends of u64, and an estimate may"
    )]
    Some(rows.round() as u64)
}

#[async_trait]
impl Connection for Session {
    async fn columns(
        &mut self,
        relation: &Relation,
        said: &BTreeMap<String, SqlType>,
    ) -> Result<Vec<SourceColumn>, Error> {
        self.table = match relation {
            Relation::Table(name) => Some(name.clone()),
            Relation::Query(_) => None,
        };
        columns(self, relation, said).await
    }

    async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        let doing = "ask the server";
        let asked = self.asked(sql, doing).await;
        self.settled(asked, doing).await
    }

    async fn freeze(&mut self, _: Option<&Snapshot>) -> Result<Option<Snapshot>, Error> {
        // SQL Server has no way to share a state.
        if self.has_snapshots && !self.frozen {
            self.run(SNAPSHOT, "fix the state that is read").await?;
            self.frozen = true;
        }
        Ok(None)
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

    async fn origin(&mut self, _: &Relation, _: &str) -> Result<Origin, Error> {
        Ok(Origin::default())
    }

    async fn estimate(&mut self, sql: &str) -> Result<Option<u64>, Error> {
        let whole_table = self.table.clone().filter(|_| sql.ends_with(" AS q"));
        if let Some(name) = whole_table
            && let Some(count) = self.counted(&name).await?
        {
            return Ok(Some(count));
        }
        self.expected(sql).await
    }

    async fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        to: &mut dyn Sink,
    ) -> Result<u64, Error> {
        let read = self.stream(sql, columns, to).await;
        self.settled(read, "read rows").await
    }
}

fn unfit(column: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Value(why) => Error::Value { column: column.to_owned(), why: why.to_owned() },
        Refusal::Malformed => Error::Refused {
            doing: format!("read column `{column}`"),
            why: "the server sent it in a form that is not known; write `VARCHAR` for it under `columns:`".into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_estimate_is_read_from_a_plan() {
        let plan = |rows: &str| {
            format!(
                "<ShowPlanXML><StmtSimple StatementCompId=\"1\" StatementEstRows=\"{rows}\" X=\"2\"/></ShowPlanXML>"
            )
        };
        assert_eq!(rows_of_plan(&plan("1.5e+006")), Some(1_500_000));
        assert_eq!(rows_of_plan(&plan("0.4")), Some(0));
        assert_eq!(rows_of_plan("<ShowPlanXML/>"), None);
    }
}
