//! A small database: tables whose rows have versions, transactions that may stay open, row versions that grow, and a clock that
//! moves when it is told to. It answers the statements that comboi makes; whatever else it is asked is an error.

mod answers;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use super::eval::compare;
use super::types::{Type, Value};
use super::{Answer, Answers, lock};

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub of: Type,
}

impl Column {
    /// A column of this name and type.
    pub fn new(name: &str, of: Type) -> Self {
        Self {
            name: name.to_owned(),
            of,
        }
    }
}

/// A table. Its rows are told apart by their first column.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name, without a schema.
    pub name: String,
    /// Its columns. One of type `rowversion` is filled in by the database.
    pub columns: Vec<Column>,
    /// Whether the first column is what the table is clustered by.
    pub is_clustered: bool,
}

impl Table {
    /// A table that is clustered by its first column.
    pub fn new(name: &str, columns: &[(&str, Type)]) -> Self {
        Self {
            name: name.to_owned(),
            columns: columns
                .iter()
                .map(|(name, of)| Column::new(name, *of))
                .collect(),
            is_clustered: true,
        }
    }
}

/// The database.
pub struct Model {
    state: Mutex<State>,
}

struct State {
    tables: Vec<(Table, Vec<Versions>)>,
    /// Where the rows of a table are, by its name and their first value.
    places: HashMap<(String, String), usize>,
    /// How many transactions have been committed.
    commits: u64,
    /// The row version that was given last.
    row_version: u64,
    /// Hundreds of nanoseconds since 0001-01-01.
    clock: i64,
    transactions: BTreeMap<u64, Open>,
    begun: u64,
    sessions: HashMap<u64, Reader>,
    has_snapshots: bool,
    shows_transactions: bool,
    /// Whether the bound of row versions leaves open transactions aside.
    bounds_wrongly: bool,
    statements: Vec<String>,
}

/// What a row was, the oldest first. `None` in a version: it was deleted, or not there.
type Versions = Vec<Version>;

#[derive(Clone, Debug)]
struct Version {
    /// The commit it came with; none while its transaction is open.
    commit: Option<u64>,
    transaction: u64,
    values: Option<Vec<Value>>,
}

struct Open {
    began: i64,
    /// The first row version that it was given.
    row_version: Option<u64>,
}

/// A session that reads.
#[derive(Clone, Copy, Debug, Default)]
struct Reader {
    frozen: bool,
    /// The commit that its snapshot ends with, from its first statement on.
    snapshot: Option<u64>,
}

/// A transaction that writes. What is not committed when it is dropped is taken back.
pub struct Transaction {
    model: Arc<Model>,
    number: u64,
}

impl Model {
    /// A database with these tables and no rows, at noon of 2026-03-01.
    pub fn new(tables: impl IntoIterator<Item = Table>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                tables: tables
                    .into_iter()
                    .map(|table| (table, Vec::new()))
                    .collect(),
                places: HashMap::new(),
                commits: 0,
                row_version: 2000,
                clock: 739_675 * 864_000_000_000 + 432_000_000_000,
                transactions: BTreeMap::new(),
                begun: 0,
                sessions: HashMap::new(),
                has_snapshots: true,
                shows_transactions: true,
                bounds_wrongly: false,
                statements: Vec::new(),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Whether readers may ask for a snapshot.
    pub fn set_snapshots(&self, allowed: bool) {
        self.state().has_snapshots = allowed;
    }

    /// Whether the login may see open transactions.
    pub fn set_shows_transactions(&self, allowed: bool) {
        self.state().shows_transactions = allowed;
    }

    /// From now on the least active row version is told as if no transaction were open, as whoever takes `@@DBTS` for it would have it.
    pub fn forget_active_row_versions(&self) {
        self.state().bounds_wrongly = true;
    }

    /// Now, in hundreds of nanoseconds since 0001-01-01.
    pub fn now(&self) -> i64 {
        self.state().clock
    }

    /// Lets time pass.
    pub fn advance(&self, ticks: i64) {
        self.state().clock += ticks;
    }

    /// The statements that sessions have sent.
    pub fn statements(&self) -> Vec<String> {
        self.state().statements.clone()
    }

    /// Begins a transaction.
    pub fn begin(self: &Arc<Self>) -> Transaction {
        let mut state = self.state();
        state.begun += 1;
        let number = state.begun;
        let open = Open {
            began: state.clock,
            row_version: None,
        };
        state.transactions.insert(number, open);
        Transaction {
            model: Arc::clone(self),
            number,
        }
    }

    /// The rows of a table that are committed, in order of their first column.
    pub fn rows(&self, table: &str) -> Vec<Vec<Value>> {
        let state = self.state();
        let last = state.commits;
        let (_, rows) = state
            .tables
            .iter()
            .find(|(it, _)| it.name == table)
            .expect("there is such a table");
        let mut rows: Vec<Vec<Value>> = rows
            .iter()
            .filter_map(|it| seen(it, last))
            .cloned()
            .collect();
        rows.sort_by(|a, b| {
            compare(&a[0], &b[0])
                .ok()
                .flatten()
                .unwrap_or(std::cmp::Ordering::Equal)
        });
        rows
    }
}

/// The version of a row as it was after a commit.
fn seen(versions: &[Version], commit: u64) -> Option<&Vec<Value>> {
    let then = versions
        .iter()
        .rev()
        .find(|it| it.commit.is_some_and(|it| it <= commit));
    then.and_then(|it| it.values.as_ref())
}

impl Transaction {
    /// Writes a row: a new one, or another version of the one with this first column. `false`: another open transaction has
    /// written it.
    pub fn write(&self, table: &str, values: Vec<Value>) -> bool {
        let key = values[0].clone();
        self.put(table, &key, Some(values))
    }

    /// Deletes the row with this first column. `false`: another open transaction has written it.
    pub fn delete(&self, table: &str, key: &Value) -> bool {
        self.put(table, key, None)
    }

    fn put(&self, table: &str, key: &Value, values: Option<Vec<Value>>) -> bool {
        let mut state = self.model.state();
        let version = state.row_version + 1;
        let State {
            tables,
            places,
            transactions,
            ..
        } = &mut *state;
        let (table, rows) = tables
            .iter_mut()
            .find(|(it, _)| it.name == table)
            .expect("there is such a table");
        let values = values.map(|mut values| {
            assert_eq!(
                values.len(),
                table.columns.len(),
                "a row has a value for each column"
            );
            for (value, _) in values
                .iter_mut()
                .zip(&table.columns)
                .filter(|(_, it)| it.of == Type::Rowversion)
            {
                *value = Value::Bytes(version.to_be_bytes().into());
            }
            values
        });
        let place = *places
            .entry((table.name.clone(), format!("{key:?}")))
            .or_insert_with(|| {
                rows.push(Vec::new());
                rows.len() - 1
            });
        let row = &mut rows[place];
        if row
            .iter()
            .any(|it| it.commit.is_none() && it.transaction != self.number)
        {
            return false;
        }
        row.push(Version {
            commit: None,
            transaction: self.number,
            values,
        });
        let open = transactions
            .get_mut(&self.number)
            .expect("it is open until it is dropped");
        open.row_version.get_or_insert(version);
        state.row_version = version;
        true
    }

    /// Makes what was written visible, at once.
    pub fn commit(self) {
        let mut state = self.model.state();
        state.commits += 1;
        let commit = state.commits;
        let versions = state
            .tables
            .iter_mut()
            .flat_map(|(_, rows)| rows.iter_mut().flatten());
        for version in versions.filter(|it| it.commit.is_none() && it.transaction == self.number) {
            version.commit = Some(commit);
        }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let mut state = self.model.state();
        state.transactions.remove(&self.number);
        for (_, rows) in &mut state.tables {
            for row in rows.iter_mut() {
                row.retain(|it| it.commit.is_some() || it.transaction != self.number);
            }
        }
    }
}

impl Answers for Model {
    fn answer(&self, session: u64, sql: &str) -> Answer {
        let mut state = self.state();
        state.statements.push(sql.to_owned());
        state
            .answer(session, sql)
            .unwrap_or_else(|(number, message)| Answer::Error(number, message))
    }

    fn gone(&self, session: u64) {
        self.state().sessions.remove(&session);
    }
}
