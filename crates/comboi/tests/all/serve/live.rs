//! Handlers that are killed with SIGKILL about some writes of driver and executor, while somebody writes into the PostgreSQL that they
//! read. In the end every row of the source is in every stage, once, as it was last written.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use comboi_test::{ACCOUNT_KEY, Azurite, FunctionsHost, Mishap, Postgres, Proxy, Timer};

use super::App;

const TRANSFORMATIONS: &str = "\
silver:
  - name: kept
    inputs: [{alias: t, stage: bronze, source_path: shop/t.parquet}]
gold:
  - name: counted
    inputs: [{alias: kept, stage: silver, source_path: refined/kept.parquet}]
";

/// All stages, as somebody's request.
const ALL: &str =
    r#"{"config_path":"configs/default.yml","stage":"bronze","remaining":["silver","gold"]}"#;

/// An app over a table of a database that has an `id` and a `v`.
pub(super) fn app(database: &Postgres, table: &str, blobs: &str) -> App {
    let app = App::small();
    let config = format!(
        "sources:\n  - name: shop\n    type: postgres\n    connection:\n      conn_str: \"{}\"\n    tables:\n      - {table}\n{}",
        database.url(),
        app.cloud.stages(blobs, ACCOUNT_KEY)
    );
    let world = app.world();
    world.write("configs/default.yml", config);
    world.write("configs/transformations.yml", TRANSFORMATIONS);
    world.write("transformations/sql/kept.sql", "SELECT id, v FROM t\n");
    world.write(
        "transformations/sql/counted.sql",
        "SELECT count(*) AS rows, count(DISTINCT id) AS ids FROM kept\n",
    );
    for unused in [
        "contracts/orders_clean.yml",
        "sql/orders_clean.sql",
        "sql/daily.sql",
    ] {
        std::fs::remove_file(world.path(&format!("transformations/{unused}"))).unwrap();
    }
    app
}

/// A database that somebody writes into, and an app whose storage is behind the proxy.
struct Live {
    database: Postgres,
    app: App,
    blobs: Proxy,
}

impl Live {
    fn new() -> Self {
        let database = Postgres::database();
        database.run(
            "CREATE TABLE t (id bigint PRIMARY KEY, v text, at timestamptz DEFAULT clock_timestamp()); CREATE INDEX ON t (at)",
        );
        let blobs = Proxy::before(&Azurite::blob_endpoint());
        let table = "{name: t, incremental_column: at, primary_key: id}";
        let app = app(&database, table, &blobs.address(&Azurite::blob_endpoint()));
        Self {
            database,
            app,
            blobs,
        }
    }

    /// Two sessions whose transactions overlap: a row is written early and seen late, others are changed or taken back.
    fn writes_until(&self, done: &AtomicBool) {
        let (slow, quick) = (self.database.session(), self.database.session());
        let run = |session: &tokio_postgres::Client, sql: &str| {
            self.database.block_on(session.batch_execute(sql)).unwrap();
        };
        for n in (1..).step_by(4) {
            let last = n + 3;
            run(&slow, &format!("BEGIN; INSERT INTO t VALUES ({n}, 'new')"));
            run(
                &quick,
                &format!(
                    "INSERT INTO t VALUES ({}, 'new'), ({}, 'new')",
                    n + 1,
                    n + 2
                ),
            );
            std::thread::sleep(Duration::from_millis(10));
            let change = "UPDATE t SET v = v || '.', at = clock_timestamp() WHERE id";
            run(&quick, &format!("{change} IN ({}, {})", n / 2 + 2, n + 2));
            run(
                &quick,
                &format!("BEGIN; INSERT INTO t VALUES ({last}, 'never'); ROLLBACK"),
            );
            run(&slow, "COMMIT");
            if done.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Asks for a run, kills the handler at one of the writes that follow, and waits until all is done; says whether it was killed.
    fn dies(&self, host: &FunctionsHost, asks: impl Fn(), mishap: Mishap) -> bool {
        self.blobs.arrange(Some(mishap));
        let handler = host.handler().unwrap();
        self.blobs.client(handler);
        asks();
        host.drain(&[&self.app.tasks, &self.app.poison()]);
        self.blobs.arrange(None);
        host.handler() != Some(handler)
    }

    /// What is in the source, as it is in silver.
    fn rows(&self) -> Vec<String> {
        let rows = self.database.run("SELECT id || ',' || v FROM t");
        let mut rows: Vec<String> = rows.into_iter().flatten().flatten().collect();
        rows.sort();
        rows
    }
}

#[test]
fn handlers_that_are_killed_while_somebody_writes() {
    let live = Live::new();
    let host = live.app.host();
    let done = AtomicBool::new(false);
    let killed = std::thread::scope(|threads| {
        let writer = threads.spawn(|| live.writes_until(&done));
        // The run that a timer leaves so is asked for again in twelve minutes; messages begin others meanwhile.
        let fires = || {
            host.fire("driver", Timer::NoMonitor);
        };
        let mut killed = usize::from(live.dies(&host, fires, Mishap::KillAfter(2)));
        for n in 0..7 {
            let mishap = match n % 2 {
                0 => Mishap::KillAfter(2 + 3 * n),
                _ => Mishap::KillBefore(2 + 3 * n),
            };
            let killed_by_it = live.dies(&host, || live.app.send(ALL), mishap);
            killed += usize::from(killed_by_it);
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap();
        killed
    });
    assert_eq!(killed, 8, "handlers that were killed");
    live.app.world().run();
    let rows = live.rows();
    assert!(rows.len() > 100 && rows.iter().any(|row| row.ends_with('.')));
    assert_eq!(live.app.world().rows("kept"), rows);
    let count = rows.len();
    let counted = live.app.world().rows("counted");
    assert_eq!(counted, [format!("{count},{count}")]);
    let bronze = live.app.world().rows("t");
    assert_eq!(bronze.len(), count);
    let told = live.app.world().expect(0, &["verify"]).out;
    assert!(told.contains("all sound"), "{told}");
}
