//! Runs by the timer, by hand, by the command line.

use comboi_test::Timer;

use super::App;

const BY_HAND: &str =
    r#"{"config_path":"configs/default.yml","stage":"silver","remaining":["gold"]}"#;

fn all_by(app: &App, function: &str, host: &comboi_test::FunctionsHost) -> usize {
    let _ = app;
    let invocations = host.invocations();
    invocations
        .iter()
        .filter(|it| it.function == function && it.good)
        .count()
}

#[test]
fn the_timer_runs_all_stages() {
    let app = App::small();
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    assert_eq!(
        all_by(&app, "executor", &host),
        3,
        "{:?}",
        host.invocations()
    );
    let runs = app.runs();
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0]["status"], "succeeded");
    assert_eq!(runs[0]["tasks"].as_array().unwrap().len(), 3);
    // The next hour finds one more day.
    app.world()
        .write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    assert!(host.fire("driver", Timer::NoMonitor));
    app.drain(&host);
    assert_eq!(
        app.world().rows("daily"),
        ["2024-05-01,30.50,2", "2024-05-02,5.25,1"]
    );
    assert_eq!(app.runs().len(), 2);
}

#[test]
fn a_time_has_one_run_however_often_the_timer_tells_it() {
    let app = App::small();
    let host = app.host();
    let time = "2026-11-20T21:00:00Z".parse().unwrap();
    for timer in [Timer::At(time), Timer::At(time), Timer::PastDue(time)] {
        assert!(host.fire("driver", timer));
        app.drain(&host);
    }
    assert_eq!(app.runs().len(), 1);
    // By hand, for a time that is to come: which has its own run all the same when it comes.
    let to_come = "2126-11-20T21:00:00Z".parse().unwrap();
    assert!(host.fire("driver", Timer::ByHand(to_come)));
    app.drain(&host);
    assert!(host.fire("driver", Timer::ByHand(to_come)));
    app.drain(&host);
    assert_eq!(app.runs().len(), 3);
}

#[test]
fn a_message_by_hand_begins_a_run() {
    let app = App::small();
    app.world().expect(0, &["run", "bronze"]);
    let host = app.host();
    app.send(BY_HAND);
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    let runs = app.runs();
    assert_eq!(runs.len(), 2);
    assert_eq!(runs[0]["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(runs[0]["status"], "succeeded");
}

#[test]
fn one_message_for_each_task() {
    let app = App::small();
    let config = app.world().read("configs/default.yml");
    app.world().write(
        "configs/default.yml",
        format!(
            "queue: {{fan_out: task, name: {}, connection_string: \"{}\"}}\n{config}",
            app.tasks,
            comboi_test::Azurite::connection_string()
        ),
    );
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    // A message for each stage, and one for each of its tasks.
    assert_eq!(
        all_by(&app, "executor", &host),
        6,
        "{:?}",
        host.invocations()
    );
    assert_eq!(app.runs()[0]["status"], "succeeded");
}

#[test]
fn the_command_line_begins_runs_and_waits_for_them() {
    let app = App::small();
    let host = app.host();
    let said = app.command(&["trigger", "--wait"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("gold/daily"), "{}", said.out);
    app.world().write(
        "in/orders/day2.csv",
        "id,day,amount\n3,2024-05-02,not a number\n",
    );
    let said = app.command(&["trigger", "bronze", "--wait", "--output", "json"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let run: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(run["status"], "failed");
    app.drain(&host);
    let told = app.world().expect(1, &["status", "2"]).out;
    assert!(told.contains("bronze/shop/orders"), "{told}");
    let list = app.world().expect(0, &["runs"]).out;
    assert!(
        list.contains("failed") && list.contains("succeeded"),
        "{list}"
    );
    let gone = app.world().expect(2, &["status", "99"]).err;
    assert!(gone.contains("there is no run 99"), "{gone}");
}

/// Whatever came twice, the lake has it once, and the chain goes on once for each stage at most as often as it was asked.
#[test]
fn messages_that_come_twice() {
    let app = App::small();
    let host = app.host();
    let one = r#"{"stage":"bronze","remaining":["silver","gold"]}"#;
    app.send(one);
    app.drain(&host);
    let stage =
        |stage: &str| format!(r#"{{"stage":"{stage}","remaining":["silver","gold"],"run":1}}"#);
    for again in ["bronze", "silver", "gold", "bronze", "gold"] {
        app.send(&stage(again));
    }
    app.drain(&host);
    assert_eq!(app.world().rows("orders").len(), 2);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    assert_eq!(app.runs().len(), 1);
    for dataset in ["orders", "orders_clean", "daily"] {
        assert_eq!(
            app.world()
                .json(&["history", dataset])
                .as_array()
                .unwrap()
                .len(),
            1,
            "{dataset}"
        );
    }
}

#[test]
fn two_hosts_share_the_work() {
    let app = App::small();
    let hosts = [app.host(), app.host()];
    let time = "2026-11-20T21:00:00Z".parse().unwrap();
    for host in &hosts {
        assert!(host.fire("driver", Timer::At(time)));
    }
    for host in &hosts {
        app.drain(host);
    }
    assert_eq!(app.runs().len(), 1);
    assert_eq!(app.runs()[0]["status"], "succeeded");
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
}

/// Messages for three hosts, in disorder: some ask for runs, the others are of runs that there are or that there are not; three in ten come
/// twice and one in sixty is garbage. Two timers fire meanwhile, and files arrive. In the end every file was read once.
fn soak(count: usize) {
    const AT_ONCE: usize = 60;
    const GARBAGE: [&str; 4] = ["garbage", "{}", "[]", r#"{"stage":"tin"}"#];
    let app = App::small();
    let mut seed: u64 = 0x5eed;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let stages = ["bronze", "silver", "gold"];
    let hosts = [app.host(), app.host(), app.host()];
    let (mut sent, mut asked) = (0, 0);
    while sent < count {
        let mut messages = vec![GARBAGE[random(4)].to_owned()];
        while messages.len() < AT_ONCE {
            let message = if random(4) == 0 {
                asked += 1;
                r#"{"stage":"bronze","remaining":["silver","gold"]}"#.to_owned()
            } else {
                let (stage, run) = (stages[random(3)], random(asked + 3) + 1);
                format!(r#"{{"stage":"{stage}","remaining":["silver","gold"],"run":{run}}}"#)
            };
            if random(10) < 3 {
                asked += usize::from(!message.contains("run"));
                messages.push(message.clone());
            }
            messages.push(message);
        }
        for place in (1..messages.len()).rev() {
            messages.swap(place, random(place + 1));
        }
        std::thread::scope(|threads| {
            for host in &hosts[..2] {
                threads.spawn(|| host.fire("driver", Timer::NoMonitor));
            }
            for (number, message) in (sent..).zip(&messages) {
                if number % 10 == 5 {
                    let day = number / 10 % 28 + 1;
                    let rows = format!("id,day,amount\n{},2024-05-{day:02},1.00\n", number + 100);
                    app.world()
                        .write(&format!("in/orders/more{number}.csv"), rows);
                }
                app.send(message);
            }
        });
        sent += messages.len();
        for host in &hosts {
            app.drain(host);
        }
    }
    assert!(hosts[0].fire("driver", Timer::NoMonitor));
    app.drain(&hosts[0]);
    let rows = app.world().rows("orders");
    let mut unique = rows.clone();
    unique.sort();
    unique.dedup();
    let files = app.world().read_folder("in/orders").len();
    assert_eq!(
        (rows.len(), unique.len()),
        (files + 1, files + 1),
        "{rows:?}"
    );
    assert_eq!(app.world().rows("orders_clean"), rows);
    let runs = app.runs();
    let newest = runs.iter().filter_map(|run| run["run"].as_u64()).max();
    assert!(newest >= Some(asked as u64), "{newest:?} of {asked}");
    assert!(
        runs.iter().all(|run| run["status"] == "succeeded"),
        "{runs:#?}"
    );
    assert!(!app.waiting(&app.poison()).contains("<MessageText>"));
    assert!(app.world().comboi(&["verify"]).out.contains("all sound"));
}

#[test]
fn many_messages_in_disorder() {
    soak(60);
}

/// `cargo test -p comboi --test all -- --ignored --exact serve::runs::thousands_of_messages_in_disorder`
#[test]
#[ignore = "takes half an hour; for whoever changes what follows a message"]
fn thousands_of_messages_in_disorder() {
    soak(3_000);
}
