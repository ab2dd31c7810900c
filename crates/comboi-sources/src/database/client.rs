//! What a database has to be able to do to be a source.

use std::collections::BTreeMap;
use std::fmt;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use comboi_project::SqlType;

use super::catalog::FoundTable;
use super::columns::SourceColumn;
use super::cursor::CursorKind;
use super::origin::Origin;
use super::request::{Cursor, Filter, OwnCursor, Part, Relation};
use crate::Error;

/// A database that tables are read from.
#[async_trait]
pub trait Database: fmt::Debug + Send + Sync {
    /// How its SQL is written.
    fn dialect(&self) -> &dyn Dialect;

    /// Opens a connection. What passes (a server that wakes up, a lost packet) is tried again for a while; what does not
    /// is an error that says what to do.
    async fn connect(&self) -> Result<Box<dyn Connection>, Error>;
}

/// A state of the database that other connections can see too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot(pub String);

/// A connection to a database. After an error of kind [`Error::Lost`] it is of no more use.
#[async_trait]
pub trait Connection: Send {
    /// The columns of a relation, in its order, with the types that the lake gets. `said` are types that people want
    /// instead. A column whose type can't be kept exactly is an error that names it; all such columns are told at once.
    async fn columns(
        &mut self,
        relation: &Relation,
        said: &BTreeMap<String, SqlType>,
    ) -> Result<Vec<SourceColumn>, Error>;

    /// A small answer: values as the database's own exact texts.
    async fn texts(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error>;

    /// From now on every statement sees one and the same state of the database, as far as the database can (until the
    /// connection is dropped). With `other`: the state that another connection sees. `None`: the state can't be shared,
    /// so what other connections read may differ.
    async fn freeze(&mut self, other: Option<&Snapshot>) -> Result<Option<Snapshot>, Error>;

    /// Divides a relation into about `count` parts of about the same size that can be read one by one, in this order,
    /// also by different connections and after a restart. One part if it can't be divided. `key` are columns that tell rows
    /// apart; empty if they are not known.
    async fn parts(
        &mut self,
        relation: &Relation,
        columns: &[SourceColumn],
        key: &[String],
        count: usize,
    ) -> Result<Vec<Part>, Error>;

    /// Where the values of a column of a relation come from, as far as the database knows.
    async fn origin(&mut self, relation: &Relation, column: &str) -> Result<Origin, Error>;

    /// About how many rows a statement would return; without reading them. `None` where the database does not tell.
    async fn estimate(&mut self, sql: &str) -> Result<Option<u64>, Error>;

    /// Reads the rows of a statement made by [`Dialect::select`] with these columns, and hands them on in batches whose
    /// schema is [`arrow_schema`](super::arrow_schema)`(columns)`. It gives back how many rows there were. Memory is bounded, whatever
    /// the size of the answer: the next rows are not asked for before `to` has taken the last ones.
    async fn read(
        &mut self,
        sql: &str,
        columns: &[SourceColumn],
        to: &mut dyn Sink,
    ) -> Result<u64, Error>;
}

/// What takes rows.
pub trait Sink: Send {
    /// Takes some rows.
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error>;

    /// Counts values that were cut off to what their column's type keeps; each value is told once.
    fn cut_off(&mut self, column: usize, count: u64);
}

/// How a database's SQL is written. People's queries stand in it unchanged.
pub trait Dialect: Send + Sync {
    /// The rows of a relation in these columns; [`sent_as`](SourceColumn::sent_as) where that is said.
    fn select(&self, relation: &Relation, columns: &[SourceColumn], filter: &Filter) -> String;

    /// How many rows there are: one row with one value.
    fn count(&self, relation: &Relation, filter: &Filter) -> String;

    /// The greatest value of a cursor among the rows of a filter, as exact texts that [`Filter::Window`] takes again: one row
    /// with one value for each of the cursor's columns; NULL, or no row at all, when there is none. A cursor of several columns is
    /// compared column by column.
    fn greatest(&self, relation: &Relation, cursor: &Cursor, filter: &Filter) -> String;

    /// The database's clock and its open transactions: one row with three to eight values, times in microseconds since 1970.
    ///
    /// 1. The time now by the server's clock, taken before the transactions are looked at.
    /// 2. When the oldest transaction began that may still write (our own connections, which only read, do not), or NULL when there
    ///    is none.
    /// 3. `t` when the login may see everybody's transactions, else `f`.
    /// 4. Names of open transactions whose beginning is not known, with commas between them: a transaction has the same name as long
    ///    as it is open, and one that goes from the second value to these is never in neither. NULL when there is none.
    /// 5. The server's local time, as if it were UTC; NULL: it is UTC.
    /// 6. When the newest of the transactions of the second value began, or NULL.
    /// 7. Since when at least the oldest transaction is open that holds a [`bound`](Self::bound) back, or NULL.
    /// 8. How far local clocks go back within an hour from now, or have gone back in the last hour; NULL where that is not known.
    fn open_transactions(&self) -> String;

    /// The lesser of a cursor's value and a time (microseconds since 1970; up to a second earlier where a column rounds what is put into
    /// it), but not less than `floor`; for a cursor of one column that is a moment in time with its time zone. One row with one value: exact
    /// text. `None`: the cursor is no such moment.
    fn capped(
        &self,
        cursor: &Cursor,
        value: &str,
        time: i64,
        floor: Option<&str>,
    ) -> Option<String>;

    /// What kind of cursor a column of a type is, or why it can't be one.
    fn cursor_kind(&self, of: &str) -> Result<CursorKind, &'static str>;

    /// A cursor's value less a lookback (`Lookback` as it is printed for the database: seconds for moments, a number
    /// otherwise): one row with one value, exact text.
    fn lowered(&self, cursor: &Cursor, value: &str, lookback: &comboi_project::Lookback) -> String;

    /// The bound below which nothing will change any more, for modes whose cursor is the database's own (`xmin`,
    /// `rowversion`): one row with two values. An exact text, and `t` where an open transaction holds it back, else `f`. `None`: the
    /// database has no such mode.
    fn bound(&self, mode: OwnCursor) -> Option<String>;

    /// Who and where we are: one row with three values. The server's version in a line, the database and the login.
    fn about(&self) -> String;

    /// What the login may read: a row for each column of each table and view (system catalogs aside), ordered by schema, table and
    /// the column's place, with eight values. Schema, table, `table` or `view`, about how many rows (NULL if that is not
    /// known), column, type as the database calls it, `t` or `f` for nullable, and the place in the primary key from 1 on (NULL if it is
    /// not in it).
    fn catalog(&self) -> String;

    /// A look at some rows of a table, for columns whose numbers have no precision: one row with two values for each column, the
    /// most digits in front of the point and behind it, as far as there are numbers. `None`: every number of this database has a precision.
    fn digits(&self, table: &FoundTable, columns: &[&str]) -> Option<String>;

    /// Whether values of a column may have more digits of a second than its type in the lake, and are cut off then.
    fn cuts(&self, column: &SourceColumn) -> bool;

    /// What a filter takes, for people: `updated_at >= 2026-03-01 00:00:00+00`.
    fn told(&self, filter: &Filter) -> String;
}

/// Where tokens of Microsoft Entra come from.
#[async_trait]
pub trait Tokens: fmt::Debug + Send + Sync {
    /// A token for a scope such as `https://database.windows.net/.default`, fresh enough to log in with. An error says which
    /// identities were tried, and never shows a token.
    async fn token(&self, scope: &str, identity: &Identity) -> Result<String, Error>;
}

/// Who a token is for.
#[derive(Clone, PartialEq, Eq)]
pub enum Identity {
    /// Whoever this machine or developer is: the environment, the machine's managed identity, the login of the developer's tools.
    Default,
    /// The machine's managed identity; with a client id, the user-assigned one.
    Managed(Option<String>),
    /// A service principal.
    ServicePrincipal {
        /// The directory; none: the one of the environment (`AZURE_TENANT_ID`).
        tenant: Option<String>,
        /// The application's id.
        client: String,
        /// Its secret.
        secret: String,
    },
}

/// Shows no secret.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Default => "the default identity",
            Self::Managed(_) => "the managed identity",
            Self::ServicePrincipal { .. } => "a service principal",
        })
    }
}
