//! First loads of tables without a key: they take longer than a function may, and their handlers are killed at their commits.

use comboi_test::{Azurite, FunctionsHost, Mishap, Postgres, Proxy, Timer};

use super::App;
use super::live::app;

const MANY: &str = "CREATE TABLE many (id bigint PRIMARY KEY, v text); \
    INSERT INTO many SELECT i, 'v' || i FROM generate_series(1, 12000) i; ANALYZE many; \
    CREATE FUNCTION slow(v text) RETURNS text STABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN v; END'";

/// A database, and an app that reads it.
fn over(table: &str, blobs: &str) -> (Postgres, App) {
    let database = Postgres::database();
    database.run(MANY);
    let app = app(&database, table, blobs);
    (database, app)
}

/// What is in the lake of `many`: each row once, in all stages.
fn check_loaded(app: &App, how: &str) {
    let mut expected: Vec<String> = (1..=12_000).map(|id| format!("{id},v{id}")).collect();
    expected.sort();
    assert_eq!(app.world().rows("kept"), expected, "{how}");
    assert_eq!(app.world().rows("counted"), ["12000,12000"], "{how}");
}

fn commits(app: &App) -> usize {
    let history = app.world().json(&["history", "bronze/shop/t"]);
    history.as_array().unwrap().len()
}

fn limited(app: &App, seconds: &str) -> FunctionsHost {
    let mut settings = app.settings();
    let limit = ("COMBOI_TIME_LIMIT".to_owned(), seconds.to_owned());
    settings.environment.extend([limit]);
    FunctionsHost::start(&app.world().path(""), settings)
}

/// Each row takes more than a millisecond, and no two connections read.
#[test]
fn a_load_that_takes_longer_than_a_function_may() {
    let table = "{name: t, query: 'SELECT id, slow(v) AS v FROM many', incremental_column: id, parallelism: 1}";
    let (_database, app) = over(table, &Azurite::blob_endpoint());
    let host = limited(&app, "5");
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    let run = &app.runs()[0];
    assert_eq!(run["status"], "succeeded", "{run:#}");
    check_loaded(&app, "");
    assert_eq!(run["tasks"][0]["receipt"]["rows"], 12_000, "{run:#}");
    assert!(commits(&app) >= 4, "{}", commits(&app));
    let said = host.lines().join("\n");
    assert!(
        said.contains("bronze goes on in another invocation"),
        "{said}"
    );
    assert!(!said.contains("everything was read anew"), "{said}");
}

#[test]
fn a_load_that_never_ends_says_what_to_do() {
    let table = "{name: t, query: 'SELECT max(id) AS id, slow(v) AS v FROM many GROUP BY 2', incremental_column: id, parallelism: 1}";
    let (_database, app) = over(table, &Azurite::blob_endpoint());
    let host = limited(&app, "1");
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    let run = &app.runs()[0];
    assert_eq!(run["status"], "failed", "{run:#}");
    let message = run["tasks"][0]["receipt"]["failure"]["message"].as_str();
    assert_eq!(
        message.unwrap(),
        "it takes longer than the 1 second that a function has (`functionTimeout` in host.json) and made no commit in 3 functions in a row; nothing of it is in the lake. To have it loaded: give functions more time; or make `commit_rows` smaller, so that less is read before a commit; or name a `table:` instead of the `query`, which can always be read in parts; or name its `primary_key`, with which a first load goes on even if its source changes"
    );
}

/// The handler dies after and before each write of a first load, which the same run then goes on with. It reports all rows as its own.
fn killed(first: usize) {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let address = proxy.address(&Azurite::blob_endpoint());
    let table = "{name: t, table: many, incremental_column: id, parallelism: 1, commit_rows: 4000}";
    for (killed, at) in (first..).step_by(3).enumerate() {
        let mishap = match at % 2 {
            0 => Mishap::KillAfter(at),
            _ => Mishap::KillBefore(at),
        };
        let (_database, app) = over(table, &address);
        let host = app.host();
        let handler = host.handler().unwrap();
        proxy.arrange(Some(mishap));
        proxy.client(handler);
        app.send(r#"{"config_path":"configs/default.yml","stage":"bronze","remaining":["silver","gold"]}"#);
        host.drain(&[&app.tasks, &app.poison()]);
        proxy.arrange(None);
        let how = format!("{mishap:?}");
        check_loaded(&app, &how);
        let runs = app.runs();
        assert_eq!(runs.len(), 1, "{how}");
        let rows = &runs[0]["tasks"][0]["receipt"]["rows"];
        assert_eq!(*rows, 12_000, "{how}: {:#}", runs[0]);
        if host.handler() == Some(handler) {
            assert!(killed >= 5, "only {killed} writes");
            return;
        }
    }
}

#[test]
fn handlers_that_are_killed_at_every_write_1() {
    killed(1);
}

#[test]
fn handlers_that_are_killed_at_every_write_2() {
    killed(2);
}

#[test]
fn handlers_that_are_killed_at_every_write_3() {
    killed(3);
}
