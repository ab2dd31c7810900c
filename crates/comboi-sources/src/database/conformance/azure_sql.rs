//! SQL Server: the modelled one.

use std::sync::Arc;

use comboi_project::{NoVault, Project, Source};
use comboi_test::tds::{Model, Table, Tds, Transaction, Type, Value};

use super::{Open, SECOND, Stand};
use crate::database::{AzureSql, Cursor, Database, Filter, NoIdentity, OwnCursor};

struct Server {
    database: AzureSql,
    model: Arc<Model>,
    _tds: Tds,
}

impl Server {
    fn new() -> Self {
        let columns = [
            ("id", Type::Int),
            ("n", Type::BigInt),
            ("at", Type::DateTimeOffset(7)),
            ("note", Type::NVarChar(50)),
            ("rv", Type::Rowversion),
        ];
        let model = Model::new([Table::new("t", &columns)]);
        let tds = Tds::new(Arc::clone(&model) as Arc<_>);
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("shop.yml");
        let yaml = format!(
            "sources:\n  - name: shop\n    type: azure_sql\n    connection: {{dsn: '{}'}}\n    tables: [{{name: t}}]\n",
            tds.dsn().replace('\'', "''")
        );
        std::fs::write(&file, yaml).unwrap();
        let project = Project::load(&file, &|_| None).unwrap();
        let Some(Source::AzureSql(source)) = project.sources.first() else {
            panic!("no source")
        };
        let (database, _) =
            AzureSql::new(&source.connection, &NoVault, Arc::new(NoIdentity)).unwrap();
        Self {
            database,
            model,
            _tds: tds,
        }
    }

    fn write(transaction: &Transaction, id: i64, n: Value) {
        // Ticks of 100 ns since the year 1.
        let noon = 639_079_632_000_000_000;
        let at = noon + id * SECOND * 10;
        let row = vec![
            Value::Int(id),
            n,
            Value::DateTimeOffset(at, 0),
            Value::Text(format!("note {id}")),
            Value::Null,
        ];
        assert!(transaction.write("t", row));
    }
}

impl Stand for Server {
    fn database(&self) -> &dyn Database {
        &self.database
    }

    fn fill(&self, count: i64) {
        let transaction = self.model.begin();
        for id in 1..=count {
            let n = if id % 10 > 0 {
                Value::Int(id / 2)
            } else {
                Value::Null
            };
            Self::write(&transaction, id, n);
        }
        transaction.commit();
    }

    fn begin(&self, id: i64) -> Box<dyn Open + '_> {
        let transaction = self.model.begin();
        Self::write(&transaction, id, Value::Int(id));
        Box::new(transaction)
    }

    fn own(&self) -> (String, Box<dyn Fn(String) -> Filter>) {
        let since = |bound| Filter::Window {
            cursor: Cursor {
                columns: vec![("rv".into(), "rowversion".into())],
            },
            from: Some(vec![bound]),
            below: None,
            nulls: false,
            lowest: false,
        };
        let bound = self
            .database
            .dialect()
            .bound(OwnCursor::Rowversion)
            .unwrap();
        (bound, Box::new(since))
    }
}

impl Open for Transaction {
    fn commit(self: Box<Self>) {
        Transaction::commit(*self);
    }
}

super::conforms!(Server::new());
