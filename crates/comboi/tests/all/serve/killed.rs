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

/// The handler dies at every third write, before and after it; the host starts it anew and the message comes again.
fn killed(first: usize) {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let (expected, writes) = calm(&proxy);
    for at in (first..=writes).step_by(3) {
        for mishap in [Mishap::KillBefore(at), Mishap::KillAfter(at)] {
            let app = waiting(&proxy);
            let host = app.host();
            proxy.arrange(Some(mishap));
            proxy.client(host.handler().unwrap());
            // The timer does not come again within the hour; somebody fires it by hand.
            let mut fired = host.fire("driver", Timer::First);
            while !fired {
                std::thread::sleep(Duration::from_millis(50));
                fired = host.fire("driver", Timer::NoMonitor);
            }
            host.drain(&[&app.tasks, &app.poison()]);
            proxy.arrange(None);
            if app.runs()[0]["status"] == "open" {
                // What nobody asks for any more, the next run does, which the timer begins when the old one is given up.
                app.world().run();
            }
            assert_eq!(app.cloud.seen(), expected, "{mishap:?} of {writes}");
            assert!(app.waiting(&app.poison()).matches("<MessageText>").count() == 0);
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

/// A message that kills its handler every time is tried anew with the instance to itself, and then given up; the run ends.
#[test]
fn a_message_that_always_fails() {
    let app = App::small();
    let mut settings = app.settings();
    settings.max_dequeue_count = 2;
    let host = comboi_test::FunctionsHost::start(&app.world().path(""), settings);
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    // From now on its storage is out of reach for every stage but bronze's own.
    let config = app.world().read("configs/default.yml");
    let silver = app.cloud.azurite.name("silver");
    app.world().write(
        "configs/default.yml",
        config.replace(&silver, "no-such-container"),
    );
    app.world().write("in/orders/day2.csv", DAY_TWO);
    host.kill_handler();
    std::thread::sleep(Duration::from_millis(300));
    assert!(host.fire("driver", Timer::NoMonitor));
    app.drain(&host);
    let run = &app.runs()[0];
    assert_eq!(run["status"], "failed", "{run:#}");
    assert_eq!(run["tasks"][0]["receipt"]["outcome"], "succeeded");
    assert_eq!(run["tasks"][2]["receipt"]["outcome"], "upstream_failed");
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
