//! How fast rows of SQL Server become Arrow batches: `scripts/bench --only tds`.
//!
//! A process of its own plays the server, so that time and memory are the reader's alone. The answer is made as it is sent: what counts is the
//! processor time of the reader.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "it is a measurement, not part of the program"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use arrow_array::RecordBatch;
use comboi_project::{NoVault, Project, Source};
use comboi_sources::Error;
use comboi_sources::database::{AzureSql, Database as _, Filter, NoIdentity, Relation, Sink};
use comboi_test::tds::{Answer, Answers, Collation, Tds, Type, Value};

/// What `lineitem` and its like are made of.
const COLUMNS: [(&str, Type); 8] = [
    ("id", Type::BigInt),
    ("line", Type::Int),
    ("price", Type::Decimal(15, 2)),
    ("discount", Type::Float),
    ("shipped", Type::Date),
    ("changed", Type::DateTime2(6)),
    ("flag", Type::VarChar(10, Collation::Latin1)),
    ("comment", Type::NVarChar(44)),
];

/// A table of so many rows.
struct Rows(i64);

impl Answers for Rows {
    fn answer(&self, _: u64, sql: &str) -> Answer {
        let text = |it: &str| Value::Text(it.to_owned());
        let columns = |count: usize| {
            (0..count)
                .map(|_| (String::new(), Type::NVarChar(100)))
                .collect()
        };
        if sql.starts_with("SET ") {
            return Answer::Done;
        }
        if sql.contains("@@SPID") {
            return Answer::Rows(
                columns(2),
                Box::new(std::iter::once(vec![text("51"), text("1")])),
            );
        }
        if sql.contains("dm_exec_describe_first_result_set") {
            let rows = COLUMNS
                .map(|(name, of)| vec![text(name), text(&of.name()), Value::Null, Value::Null]);
            return Answer::Rows(columns(4), Box::new(rows.into_iter()));
        }
        let row = |id: i64| {
            vec![
                Value::Int(id),
                Value::Int(id % 7 + 1),
                Value::Decimal(i128::from(id) * 137 % 10_000_000),
                Value::Float(0.05),
                Value::Date(730_000 + id % 2500),
                Value::DateTime2(639_000_000_000_000_000 + id * 10),
                Value::Text("RETURNED".into()),
                Value::Text("carefully final packages among the slyly".into()),
            ]
        };
        let columns = COLUMNS.map(|(name, of)| (name.to_owned(), of));
        Answer::Rows(columns.into(), Box::new((0..self.0).map(row)))
    }

    fn gone(&self, _: u64) {}
}

#[derive(Default)]
struct Counting(usize);

impl Sink for Counting {
    fn put(&mut self, batch: RecordBatch) -> Result<(), Error> {
        self.0 += batch.num_rows();
        Ok(())
    }

    fn cut_off(&mut self, _: usize, _: u64) {}
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let count = arguments
        .get(1)
        .and_then(|it| it.parse().ok())
        .unwrap_or(3_000_000);
    if arguments.get(2).is_some_and(|it| it == "serve") {
        let server = Tds::new(Arc::new(Rows(count)));
        println!("{}", server.dsn());
        // Until the reader has gone.
        drop(std::io::stdin().read_line(&mut String::new()));
        return;
    }
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args([&count.to_string(), "serve"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut dsn = String::new();
    BufReader::new(server.stdout.take().unwrap())
        .read_line(&mut dsn)
        .unwrap();
    read(dsn.trim(), count);
    drop(server.stdin.take());
    server.wait().unwrap();
}

fn read(dsn: &str, count: i64) {
    let file = std::env::temp_dir().join(format!("comboi-decode-{}.yml", std::process::id()));
    std::fs::write(&file, format!("sources:\n  - name: shop\n    type: azure_sql\n    connection: {{dsn: '{dsn}'}}\n    tables: [{{name: t}}]\n")).unwrap();
    let project = Project::load(&file, &|_| None).unwrap();
    std::fs::remove_file(&file).unwrap();
    let Some(Source::AzureSql(source)) = project.sources.first() else {
        unreachable!("it was just written")
    };
    let (database, _) = AzureSql::new(&source.connection, &NoVault, Arc::new(NoIdentity)).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = database.connect().await.unwrap();
        let table = Relation::Table("t".into());
        let columns = connection.columns(&table, &BTreeMap::new()).await.unwrap();
        let sql = database.dialect().select(&table, &columns, &Filter::All);
        let mut counting = Counting::default();
        let (cpu, began) = (processor_seconds(), Instant::now());
        connection
            .read(&sql, &columns, &mut counting)
            .await
            .unwrap();
        assert_eq!(i64::try_from(counting.0), Ok(count));
        let (cpu, wall) = (processor_seconds() - cpu, began.elapsed().as_secs_f64());
        println!("{count} {wall:.2} {cpu:.2} {}", peak_kilobytes());
    });
}

/// Of this process; the kernel counts in hundredths of a second.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let behind_name = stat.rsplit(')').next().unwrap();
    let fields: Vec<f64> = behind_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|it| it.parse().unwrap())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}

fn peak_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find_map(|it| it.strip_prefix("VmHWM:"))
        .unwrap();
    peak.split_whitespace().next().unwrap().parse().unwrap()
}
