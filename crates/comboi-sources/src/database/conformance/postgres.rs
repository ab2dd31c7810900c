//! PostgreSQL: the tests' own server.

use std::sync::Arc;

use comboi_project::{NoVault, Project, Source};
use tokio_postgres::Client;

use super::{Open, Stand};
use crate::database::{Database, Filter, NoIdentity, OwnCursor, Postgres};

struct Server {
    database: Postgres,
    own: comboi_test::Postgres,
}

struct Transaction<'a> {
    client: Client,
    server: &'a Server,
}

impl Server {
    fn new() -> Self {
        let own = comboi_test::Postgres::database();
        own.run("CREATE TABLE t (id int PRIMARY KEY, n bigint, at timestamptz, note text)");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.yml");
        let yaml = format!(
            "sources:\n  - name: shop\n    type: postgres\n    connection: {{conn_str: '{}'}}\n    tables: [{{name: t}}]\n",
            own.url()
        );
        std::fs::write(&file, yaml).unwrap();
        let project = Project::load(&file, &|_| None).unwrap();
        let Some(Source::Postgres(source)) = project.sources.first() else {
            panic!("no source")
        };
        let database = Postgres::new(&source.connection, &NoVault, Arc::new(NoIdentity)).unwrap();
        Self { database, own }
    }
}

impl Stand for Server {
    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn fill(&self, count: i64) {
        self.own.run(&format!(
            "INSERT INTO t SELECT i, CASE WHEN i % 10 > 0 THEN i / 2 END, '2026-03-01 12:00:00+00'::timestamptz + i * interval '1 second', \
             'note ' || i FROM generate_series(1, {count}) i"
        ));
    }

    fn begin(&self, id: i64) -> Box<dyn Open + '_> {
        let client = self.own.session();
        let sql = format!(
            "BEGIN; INSERT INTO t VALUES ({id}, {id}, '2026-03-01 12:00:00+00'::timestamptz + {id} * interval '1 second', 'note {id}')"
        );
        self.own.block_on(client.batch_execute(&sql)).unwrap();
        Box::new(Transaction {
            client,
            server: self,
        })
    }

    fn own(&self) -> (String, Box<dyn Fn(String) -> Filter>) {
        let since = |transaction| Filter::WrittenSince {
            transaction,
            below_page: None,
        };
        let bound = self.database.dialect().bound(OwnCursor::Xmin).unwrap();
        (bound, Box::new(since))
    }
}

impl Open for Transaction<'_> {
    fn commit(self: Box<Self>) {
        let commit = self.client.batch_execute("COMMIT");
        self.server.own.block_on(commit).unwrap();
    }
}

super::conforms!(Server::new());
