//! What is held against a server: the fake one of `comboi-test`, and a real one where `COMBOI_TEST_MSSQL_DSN` names it.

mod faults;
mod login;
mod reading;
mod real;
mod tls;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType,
};
use arrow_array::{Array as _, RecordBatch};
use arrow_schema::DataType;
use async_trait::async_trait;
use comboi_project::{NoVault, Project, Source, SqlType};
use comboi_test::tds::{Model, Table, Tds, Type, Value};

use super::AzureSql;
use crate::Error;
use crate::database::{Connection, Database, Filter, Identity, Relation, Sink, Tokens};

/// A database that is reached so.
fn reached(dsn: &str, tokens: Arc<dyn Tokens>) -> AzureSql {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.yml");
    let dsn = dsn.replace('\'', "''");
    let yaml = format!(
        "sources:\n  - name: shop\n    type: azure_sql\n    connection: {{dsn: '{dsn}'}}\n    tables: [{{name: t}}]\n"
    );
    std::fs::write(&file, yaml).unwrap();
    let project = Project::load(&file, &|_| None).unwrap();
    let Some(Source::AzureSql(source)) = project.sources.first() else {
        panic!("no source")
    };
    let (database, warnings) = AzureSql::new(&source.connection, &NoVault, tokens).unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    database
}

/// The token that everybody gets.
#[derive(Debug)]
struct OneToken;

#[async_trait]
impl Tokens for OneToken {
    async fn token(&self, scope: &str, _: &Identity) -> Result<String, Error> {
        assert_eq!(scope, "https://database.windows.net/.default");
        Ok("a.token".to_owned())
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(work)
}

/// A database with these tables, and a server for it.
fn served(tables: impl IntoIterator<Item = Table>) -> (Arc<Model>, Tds) {
    let model = Model::new(tables);
    let server = Tds::new(Arc::clone(&model) as Arc<_>);
    (model, server)
}

/// A table `t` of one number `id` with these many rows, from 1 on, each with a text beside it.
fn numbered(count: i64) -> (Arc<Model>, Tds) {
    let (model, server) = served([Table::new(
        "t",
        &[("id", Type::Int), ("note", Type::NVarChar(50))],
    )]);
    let transaction = model.begin();
    for id in 1..=count {
        assert!(transaction.write("t", vec![Value::Int(id), Value::Text(format!("note {id}"))]));
    }
    transaction.commit();
    (model, server)
}

#[derive(Default)]
struct Kept(Vec<RecordBatch>);

impl Sink for Kept {
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.0.push(batch);
        Ok(())
    }

    fn cut_off(&mut self, _: usize, _: u64) {}
}

impl Kept {
    fn rows(&self) -> usize {
        self.0.iter().map(RecordBatch::num_rows).sum()
    }

    /// A line for each row.
    fn told(&self) -> Vec<String> {
        let lines = |batch: &RecordBatch| {
            (0..batch.num_rows())
                .map(|row| {
                    (0..batch.num_columns())
                        .map(|column| cell(batch, row, column))
                        .collect::<Vec<_>>()
                        .join(" | ")
                })
                .collect::<Vec<_>>()
        };
        self.0.iter().flat_map(lines).collect()
    }
}

/// A value as it is in the array: numbers of a date or time as they are.
fn cell(batch: &RecordBatch, row: usize, column: usize) -> String {
    let array = batch.column(column);
    if array.is_null(row) {
        return "NULL".into();
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => format!("{:e}", array.as_primitive::<Float32Type>().value(row)),
        DataType::Float64 => format!("{:e}", array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value_as_string(row),
        DataType::Date32 => array
            .as_primitive::<Date32Type>()
            .value_as_date(row)
            .unwrap()
            .to_string(),
        DataType::Timestamp(..) => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            chrono::DateTime::from_timestamp_micros(micros)
                .unwrap()
                .format("%Y-%m-%d %H:%M:%S%.f")
                .to_string()
        }
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => array
            .as_binary::<i32>()
            .value(row)
            .iter()
            .map(|it| format!("{it:02x}"))
            .collect(),
        other => panic!("a column of {other}"),
    }
}

/// Reads a relation as an extract would.
async fn read(
    connection: &mut dyn Connection,
    database: &AzureSql,
    relation: &Relation,
    said: &BTreeMap<String, SqlType>,
    filter: &Filter,
) -> Result<Kept, Error> {
    let columns = connection.columns(relation, said).await?;
    let sql = database.dialect().select(relation, &columns, filter);
    let mut kept = Kept::default();
    let count = connection.read(&sql, &columns, &mut kept).await?;
    assert_eq!(count, kept.rows() as u64);
    Ok(kept)
}

/// What is read of a table of the server, all of it.
fn all_of(server: &Tds, table: &str, said: &[(&str, &str)]) -> Result<Kept, Error> {
    all_by(&reached(&server.dsn(), Arc::new(OneToken)), table, said)
}

fn all_by(database: &AzureSql, table: &str, said: &[(&str, &str)]) -> Result<Kept, Error> {
    let said = said
        .iter()
        .map(|(name, of)| ((*name).to_owned(), of.parse().unwrap()))
        .collect();
    run(async {
        let mut connection = database.connect().await?;
        let relation = Relation::Table(table.to_owned());
        read(
            connection.as_mut(),
            database,
            &relation,
            &said,
            &Filter::All,
        )
        .await
    })
}
