//! `type: postgres` and `type: azure_sql`: tables that are queries.

use super::{ByteSize, Lookback, NullPolicy, SchemaChangePolicy, Span};
use crate::contract::Retention;
use crate::read::{Entries, Located, OneOrMany, choice, record};
use crate::{Setting, SourceName, SqlType, TableName};

record! {
    /// A database.
    pub struct DatabaseSource, "a database" {
        /// Its name.
        pub name: Located<SourceName>,
        /// How it is reached.
        pub connection: Located<Connection>,
        /// Accepted and not used: checkpoints are kept with the tables they stand for.
        pub checkpoint_key: Option<String>,
        /// What happens when columns come, change or go.
        pub on_schema_change: Option<SchemaChangePolicy>,
        /// Whether rows get the columns `_comboi_loaded_at` and `_comboi_run_id`.
        pub metadata_columns: Option<bool>,
        /// How many connections read a table at once; by default as many as there are processors, 4 at most.
        pub parallelism: Option<Located<u32>>,
        /// About how much an extract of one table may keep in memory on its way to disk, `256MB` by default.
        pub extract_memory: Option<Located<ByteSize>>,
        /// Its tables.
        pub tables: Vec<DatabaseTable>,
    }
}

record! {
    /// How a database is reached: a `dsn` or `conn_str`, or its parts.
    pub struct Connection, "a connection" {
        /// A connection string of ODBC's form: `Server=…;Database=…;Uid=…;Pwd=…`.
        pub dsn: Option<Setting>,
        /// A connection string or an address of PostgreSQL's form: `host=… dbname=…` or `postgresql://…`.
        pub conn_str: Option<Setting>,
        /// The machine.
        pub host: Option<Setting>,
        /// The port; 5432 or 1433 by default.
        pub port: Option<u16>,
        /// The database.
        pub database: Option<Setting>,
        /// Who connects.
        pub user: Option<Setting>,
        /// With this password; better `{{keyvault:…}}` or `{{env:…}}` than the text itself.
        pub password: Option<Setting>,
        /// How PostgreSQL's connection is encrypted.
        pub sslmode: Option<SslMode>,
        /// How the database knows who connects.
        pub authentication: Option<Authentication>,
    }
}

choice! {
    /// How PostgreSQL's connection is encrypted.
    pub enum SslMode {
        /// Not at all.
        Disable = "disable",
        /// If the server can.
        Prefer = "prefer",
        /// Always, whoever the server is.
        Require = "require",
        /// Always, with a certificate of a known authority.
        VerifyCa = "verify-ca",
        /// Always, with a certificate of the right name.
        VerifyFull = "verify-full",
    }
}

choice! {
    /// How a database knows who connects.
    pub enum Authentication {
        /// By user and password.
        Password = "password",
        /// By a token of Microsoft Entra for the identity of the machine.
        Entra = "entra",
    }
}

record! {
    /// A table of a database, or what a query returns.
    pub struct DatabaseTable, "a table" {
        /// Its name in the lake; in the database too, when neither `table` nor `query` says otherwise.
        pub name: Located<TableName>,
        /// What it is.
        pub description: Option<String>,
        /// The table or view in the database, such as `sales.orders`.
        pub table: Option<Located<String>>,
        /// What is read instead of a table: one `SELECT`.
        pub query: Option<Located<String>>,
        /// Types of columns, where another one is wanted than the database's: `VARCHAR` keeps the database's own text.
        pub columns: Entries<Located<SqlType>> = Entries::default(),
        /// How a run finds what is new: `watermark` when there is an `incremental_column`, else `full`.
        pub incremental: Option<Located<DatabaseIncremental>>,
        /// A column that grows, such as `updated_at`; or two, such as `[updated_at, id]`, the second one telling apart what
        /// the first one does not. With `rowversion`: the column of that type.
        pub incremental_column: Option<OneOrMany<Located<String>>>,
        /// How far below the checkpoint is read again: for clocks that differ, and where the login may not see open
        /// transactions. `3d`, `1.5h`, or a number.
        pub lookback: Option<Located<Lookback>>,
        /// A date or time in the incremental column that is later than the server's clock and this span is loaded, but does
        /// not move the checkpoint; `1d` by default.
        pub max_future: Option<Located<Span>>,
        /// The columns that tell rows apart. With them a row that changed takes the place of the old one; without them it is added.
        pub primary_key: Option<OneOrMany<Located<String>>>,
        /// What happens to a row whose incremental column is NULL.
        pub on_null: NullPolicy = NullPolicy::Load,
        /// What happens when columns come, change or go.
        pub on_schema_change: Option<SchemaChangePolicy>,
        /// Whether rows get the columns `_comboi_loaded_at` and `_comboi_run_id`.
        pub metadata_columns: Option<bool>,
        /// How many connections read it at once.
        pub parallelism: Option<Located<u32>>,
        /// About how many rows of a first load are committed at once. A load that was interrupted goes on after the last commit.
        pub commit_rows: Option<Located<u64>>,
        /// How long its rows are kept: by which column, and for how many days. Both are needed.
        pub data_retention: Option<Located<Retention>>,
    }
}

choice! {
    /// How a run finds what is new in a table of a database.
    pub enum DatabaseIncremental {
        /// By a column that grows.
        Watermark = "watermark",
        /// By SQL Server's row versions.
        Rowversion = "rowversion",
        /// By PostgreSQL's transaction ids: every row that was inserted or updated, without any column for it.
        Xmin = "xmin",
        /// Not at all: everything is read and replaces what was there.
        Full = "full",
    }
}

impl DatabaseSource {
    /// What happens when columns of a table come, change or go.
    pub fn on_schema_change(&self, table: &DatabaseTable) -> SchemaChangePolicy {
        table
            .on_schema_change
            .or(self.on_schema_change)
            .unwrap_or(SchemaChangePolicy::Evolve)
    }

    /// Whether a table's rows get comboi's own columns.
    pub fn metadata_columns(&self, table: &DatabaseTable) -> bool {
        table
            .metadata_columns
            .or(self.metadata_columns)
            .unwrap_or(true)
    }

    /// About how much an extract of one table may keep in memory.
    pub fn extract_memory(&self) -> ByteSize {
        self.extract_memory
            .as_ref()
            .map_or(ByteSize::from_bytes(256_000_000), |it| it.value)
    }

    /// How many connections somebody wants for a table.
    pub fn parallelism(&self, table: &DatabaseTable) -> Option<u32> {
        let said = table.parallelism.as_ref().or(self.parallelism.as_ref());
        said.map(|it| it.value)
    }
}

impl DatabaseTable {
    /// How a run finds what is new.
    pub fn incremental(&self) -> DatabaseIncremental {
        match (&self.incremental, &self.incremental_column) {
            (Some(said), _) => said.value,
            (None, Some(_)) => DatabaseIncremental::Watermark,
            (None, None) => DatabaseIncremental::Full,
        }
    }

    /// How far beyond the server's clock a value of the incremental column may lie.
    pub fn max_future(&self) -> Span {
        self.max_future.as_ref().map_or(Span::DAY, |it| it.value)
    }

    /// The columns that tell rows apart; empty when nobody said.
    pub fn key(&self) -> Vec<String> {
        names(self.primary_key.as_ref())
    }

    /// The columns that grow, the most significant one first; empty when nobody said.
    pub fn cursor(&self) -> Vec<String> {
        names(self.incremental_column.as_ref())
    }
}

fn names(of: Option<&OneOrMany<Located<String>>>) -> Vec<String> {
    of.map(|it| it.iter().map(|name| name.value.clone()).collect())
        .unwrap_or_default()
}
