//! A database of a test's own.

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::services::service;

/// A fresh database on the tests' PostgreSQL, gone when it is dropped.
pub struct Postgres {
    server: String,
    name: String,
    runtime: Runtime,
}

impl Postgres {
    /// A new, empty database.
    ///
    /// # Panics
    /// When the server was not started.
    pub fn database() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let made = Self {
            server: service("COMBOI_TEST_POSTGRES"),
            name: format!("test_{}", uuid::Uuid::new_v4().simple()),
            runtime,
        };
        // Not from template1, which two tests can't copy at once.
        let create = format!("CREATE DATABASE {} TEMPLATE template0", made.name);
        made.on("postgres", &create);
        made
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address, with a password in it.
    pub fn url(&self) -> String {
        format!("{}/{}", self.server, self.name)
    }

    /// The same database by way of `PgBouncer` in transaction mode.
    pub fn pooled_url(&self) -> String {
        format!("{}/{}", service("COMBOI_TEST_PGBOUNCER"), self.name)
    }

    /// The same database on a replica, which has by now all that was committed.
    ///
    /// # Panics
    /// When it does not follow within a minute.
    pub fn replica_url(&self) -> String {
        let replica = service("COMBOI_TEST_POSTGRES_REPLICA");
        let wanted = self.value("SELECT pg_current_wal_insert_lsn()::text");
        let is_there = format!("SELECT (pg_last_wal_replay_lsn() >= '{wanted}')::text");
        for _ in 0..600 {
            let said = self
                .runtime
                .block_on(asked(&format!("{replica}/postgres"), &is_there));
            if said[0][0].as_deref() == Some("true") {
                return format!("{replica}/{}", self.name);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the replica does not follow")
    }

    /// Runs statements, and gives back the rows of the last one that had any.
    ///
    /// # Panics
    /// When one of them fails.
    pub fn run(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        self.on(&self.name, sql)
    }

    /// The only value of the only row, as text.
    ///
    /// # Panics
    /// When there is none, or it is NULL.
    pub fn value(&self, sql: &str) -> String {
        let rows = self.run(sql);
        rows.into_iter()
            .flatten()
            .flatten()
            .next()
            .expect("the statement returns a value")
    }

    /// A connection that stays, for transactions that stay open.
    ///
    /// # Panics
    /// When it can't be had.
    pub fn session(&self) -> Client {
        self.runtime.block_on(connect(&self.url()))
    }

    /// Does something with a connection.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    fn on(&self, database: &str, sql: &str) -> Vec<Vec<Option<String>>> {
        let url = format!("{}/{database}", self.server);
        self.runtime.block_on(asked(&url, sql))
    }
}

async fn asked(url: &str, sql: &str) -> Vec<Vec<Option<String>>> {
    let client = connect(url).await;
    let messages = client.simple_query(sql).await.unwrap_or_else(|e| {
        let said = e
            .as_db_error()
            .map_or_else(|| e.to_string(), ToString::to_string);
        panic!("{sql}: {said}")
    });
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

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("the tests' PostgreSQL can be reached");
    tokio::spawn(connection);
    client
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.on(
                "postgres",
                &format!("DROP DATABASE {} WITH (FORCE)", self.name),
            );
        }
    }
}
