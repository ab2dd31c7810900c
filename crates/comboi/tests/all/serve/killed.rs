//! Handlers that die, hosts that die, storage that fails under them.

use std::time::Duration;

use comboi_test::{ACCOUNT_KEY, Azurite, Mishap, Proxy, Timer};

use super::App;

const DAY_TWO: &str = "id,day,amount\n3,2024-05-02,5.25\n4,2024-05-02,\n5,2024-05-02,1.00\n";

/// Day one in the lake, day two waiting; the storage is behind the proxy.
fn waiting(proxy: &Proxy) -> App {
    let app = App::small();
    app.world().run();
    app.world().write("in/orders/day2.csv", DAY_TWO);
    app.cloud
        .reach(&proxy.address(&Azurite::blob_endpoint()), ACCOUNT_KEY);
    app
}

/// What the timer ends in that nothing happens to, and how often the storage is written.
fn calm(proxy: &Proxy) -> (String, usize) {
    let app = waiting(proxy);
    proxy.arrange(None);
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    let writes = proxy.writes();
    let seen = app.cloud.seen();
    assert!(
        seen.contains("5,2024-05-02,1.00") && writes > 10,
        "{writes} {seen}"
    );
    (seen, writes)
}

/// The timer fires, the client of the proxy dies in it, the host starts it anew, and in the end everything is as if nothing had been.
fn dies(proxy: &Proxy, app: &App, mishap: Mishap, expected: &str) {
    let host = app.host();
    proxy.arrange(Some(mishap));
    proxy.client(host.handler().unwrap());
    // The timer does not come again within the hour; somebody fires it by hand.
    while !host.fire("driver", Timer::NoMonitor) {
        std::thread::sleep(Duration::from_millis(50));
    }
    host.drain(&[&app.tasks, &app.poison()]);
    proxy.arrange(None);
    // What the timer left that died is asked for when it has been quiet for long; nothing but a run of that kind is still open.
    let open = app
        .runs()
        .iter()
        .filter(|run| run["status"] == "open")
        .count();
    if open > 0 {
        app.world().run();
    }
    assert_eq!(app.cloud.seen(), expected, "{mishap:?}");
    assert_eq!(
        app.waiting(&app.poison()).matches("<MessageText>").count(),
        0
    );
}

/// After every third write, from this one on.
fn killed(first: usize) {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let (expected, writes) = calm(&proxy);
    for at in (first..=writes).step_by(3) {
        dies(&proxy, &waiting(&proxy), Mishap::KillAfter(at), &expected);
    }
}

#[test]
fn handlers_that_are_killed_after_every_write_1() {
    killed(1);
}

#[test]
fn handlers_that_are_killed_after_every_write_2() {
    killed(2);
}

#[test]
fn handlers_that_are_killed_after_every_write_3() {
    killed(3);
}

/// The message of the next stage is sent, and that this one is done is never said: it is done twice, and the lake is the same.
#[test]
fn handlers_that_are_killed_about_every_message() {
    let blobs = Proxy::before(&Azurite::blob_endpoint());
    let (expected, _) = calm(&blobs);
    blobs.arrange(None);
    let queues = Proxy::before(&Azurite::queue_endpoint());
    for at in 1..=3 {
        for mishap in [
            Mishap::KillBefore(at),
            Mishap::KillAfter(at),
            Mishap::LoseAnswer(at),
        ] {
            let mut app = waiting(&blobs);
            app.queues = queues.address(&Azurite::queue_endpoint());
            dies(&queues, &app, mishap, &expected);
        }
    }
}

/// The host dies with its handler; its message is visible again when the lease has ended, and another host takes it.
#[test]
fn a_host_that_dies() {
    let app = App::small();
    app.world().write("transformations/sql/daily.sql", "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean, (SELECT max(i) FROM range(60000000) r(i) WHERE hash(i) % 7 = 1) GROUP BY day\n");
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    while !host
        .lines()
        .iter()
        .any(|line| line.contains("`gold/daily` begins"))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    host.kill();
    let next = app.host();
    app.drain(&next);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    assert_eq!(app.runs().len(), 1);
    assert_eq!(app.runs()[0]["status"], "succeeded");
}

/// A stage that takes longer than the lease keeps its message, and is done once.
#[test]
fn a_stage_that_takes_longer_than_the_lease() {
    let app = App::small();
    app.world().write("transformations/sql/daily.sql", "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean, (SELECT max(i) FROM range(600000000) r(i) WHERE hash(i) % 7 = 1) GROUP BY day\n");
    let mut settings = app.settings();
    settings.lease = Duration::from_secs(1);
    let host = comboi_test::FunctionsHost::start(&app.world().path(""), settings);
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    assert!(host.renewals() >= 2, "{}", host.renewals());
    let gold = host.invocations();
    assert_eq!(
        gold.iter().filter(|it| it.function == "executor").count(),
        3,
        "{gold:?}"
    );
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
}

/// A stage that never ends within the function's time: what can be done is done, the rest fails and says why.
#[test]
fn a_stage_that_takes_longer_than_the_function_may() {
    let app = App::small();
    app.world().write("transformations/sql/daily.sql", "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean, (SELECT max(i) FROM range(90000000000) r(i) WHERE hash(i) % 7 = 1) GROUP BY day\n");
    let mut settings = app.settings();
    settings
        .environment
        .insert("COMBOI_TIME_LIMIT".into(), "1".into());
    let host = comboi_test::FunctionsHost::start(&app.world().path(""), settings);
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    let run = &app.runs()[0];
    assert_eq!(run["status"], "failed");
    let message = run["tasks"][2]["receipt"]["failure"]["message"]
        .as_str()
        .unwrap();
    assert!(
        message.contains("`functionTimeout` in host.json"),
        "{message}"
    );
    assert_eq!(app.world().rows("orders_clean").len(), 2);
}

/// A message over which the handler dies every time is tried anew with the instance to itself, and then given up; the run ends.
#[test]
fn a_message_that_always_fails() {
    let app = App::small();
    app.world().write("transformations/sql/orders_clean.sql", "SELECT id, day, amount FROM orders, (SELECT max(i) FROM range(90000000000) r(i) WHERE hash(i) % 7 = 1) WHERE amount IS NOT NULL\n");
    let mut settings = app.settings();
    settings.max_dequeue_count = 2;
    let host = comboi_test::FunctionsHost::start(&app.world().path(""), settings);
    assert!(host.fire("driver", Timer::First));
    let begins = |host: &comboi_test::FunctionsHost| {
        let lines = host.lines();
        lines
            .iter()
            .filter(|line| line.contains("`silver/orders_clean` begins"))
            .count()
    };
    // Twice as it is, and twice with the instance to itself.
    for times in 1..=4 {
        while begins(&host) < times {
            std::thread::sleep(Duration::from_millis(5));
        }
        host.kill_handler();
    }
    app.drain(&host);
    assert_eq!(begins(&host), 4);
    let run = &app.runs()[0];
    assert_eq!(run["status"], "failed", "{run:#}");
    assert_eq!(run["tasks"][0]["receipt"]["outcome"], "succeeded");
    let message = run["tasks"][1]["receipt"]["failure"]["message"]
        .as_str()
        .unwrap();
    assert!(message.contains("failed or was killed"), "{message}");
    assert_eq!(run["tasks"][2]["receipt"]["outcome"], "upstream_failed");
}

/// A run whose message was lost: the timer asks for it again once it has been quiet for long, and gives it up after a day.
#[test]
fn a_message_that_is_lost() {
    for (minutes, expected) in [(1, "open"), (60, "succeeded"), (60 * 25, "failed")] {
        let app = App::small();
        assert_eq!(app.command(&["trigger"]).code, Some(0));
        let url = format!("{}/{}/messages", Azurite::queue_endpoint(), app.tasks);
        assert_eq!(
            app.cloud.azurite.ask("DELETE", &url, String::new()).status,
            204
        );
        began(&app, minutes);
        let host = app.host();
        assert!(host.fire("driver", Timer::NoMonitor));
        app.drain(&host);
        let runs = app.runs();
        assert_eq!(
            runs.last().unwrap()["status"],
            expected,
            "{minutes} minutes"
        );
        // No second run as long as the first one may go on.
        assert_eq!(runs.len(), if expected == "failed" { 2 } else { 1 });
        assert_eq!(runs[0]["status"] == "open", expected == "open");
    }
}

/// Writes into the plan of run 1 that it began so many minutes ago.
fn began(app: &App, minutes: i64) {
    let store = Azurite::store(&app.cloud.azurite.name("bronze"));
    let name = "_comboi/runs/default/runs/000000000001/plan.json";
    app.cloud.azurite.block_on(async {
        let plan = comboi_test::contents(store.as_ref())
            .await
            .remove(name)
            .unwrap();
        let mut plan: serde_json::Value = serde_json::from_slice(&plan).unwrap();
        let begun: chrono::DateTime<chrono::Utc> =
            plan["begun_at"].as_str().unwrap().parse().unwrap();
        plan["begun_at"] = (begun - chrono::TimeDelta::minutes(minutes))
            .to_rfc3339()
            .into();
        comboi_test::put(store.as_ref(), name, plan.to_string()).await;
    });
}

/// Asked to end, the handler stops between two commits; what it had to do is done by the next one.
#[test]
fn a_handler_that_is_asked_to_end() {
    let app = App::small();
    app.world().write("transformations/sql/daily.sql", "SELECT day, sum(amount) AS amount, count(*) AS orders FROM orders_clean, (SELECT max(i) FROM range(60000000) r(i) WHERE hash(i) % 7 = 1) GROUP BY day\n");
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    while !host
        .lines()
        .iter()
        .any(|line| line.contains("`gold/daily` begins"))
    {
        std::thread::sleep(Duration::from_millis(5));
    }
    let handler = host.handler().unwrap().to_string();
    assert!(
        std::process::Command::new("kill")
            .args(["-TERM", &handler])
            .status()
            .unwrap()
            .success()
    );
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    assert_eq!(app.runs()[0]["status"], "succeeded");
}
