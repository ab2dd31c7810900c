//! `type: postgres` and `type: azure_sql`: tables that are queries.

use super::{Lookback, NullPolicy, SchemaChangePolicy};
use crate::read::{Located, OneOrMany, choice, record};
use crate::{Setting, SourceName, TableName};

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
    /// A table of a database: what a query returns.
    pub struct DatabaseTable, "a table" {
        /// Its name.
        pub name: Located<TableName>,
        /// What it is.
        pub description: Option<String>,
        /// What is read: one `SELECT`.
        pub query: Located<String>,
        /// A column that grows, such as `updated_at`. Without one everything is read each time.
        pub incremental_column: Option<Located<String>>,
        /// How far below the checkpoint is read again, for rows that arrive late: `3d`, `12h`, or a number.
        pub lookback: Option<Located<Lookback>>,
        /// The columns that tell rows apart.
        pub primary_key: Option<OneOrMany<Located<String>>>,
        /// What happens to a row whose incremental column is NULL.
        pub on_null: NullPolicy = NullPolicy::Load,
        /// What happens when columns come, change or go.
        pub on_schema_change: Option<SchemaChangePolicy>,
        /// Whether rows get the columns `_comboi_loaded_at` and `_comboi_run_id`.
        pub metadata_columns: Option<bool>,
    }
}
