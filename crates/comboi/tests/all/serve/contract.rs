//! What the host expects of a handler, where no other test of `serve` shows it by the way.

use std::os::unix::fs::PermissionsExt as _;

use comboi_test::{ACCOUNT_KEY, Azurite, FunctionsHost, Hitch, Mishap, Proxy, Timer};

use super::{App, base64};

const ALL: &str = r#"{"stage":"bronze","remaining":["silver","gold"]}"#;

fn without(app: &App, functions: &[&str]) {
    for function in functions {
        std::fs::remove_dir_all(app.world().path(function)).unwrap();
    }
}

/// How often each message had been taken when `executor` was asked to do it, and whether it did.
fn executed(host: &FunctionsHost) -> Vec<(u32, bool)> {
    let invocations = host.invocations().into_iter();
    invocations
        .filter(|it| it.function == "executor")
        .map(|it| (it.dequeue_count, it.good))
        .collect()
}

/// The texts in a queue as they are stored.
fn stored(app: &App, queue: &str) -> Vec<String> {
    let answer = app.waiting(queue);
    let texts = answer.split("<MessageText>").skip(1);
    texts
        .map(|rest| rest.split_once("</MessageText>").unwrap().0.to_owned())
        .collect()
}

#[test]
fn the_timer_asks_for_the_first_stage() {
    let app = App::small();
    without(&app, &["executor", "poison"]);
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    let expected = r#"{"config_path":"configs/default.yml","stage":"bronze","remaining":["silver","gold"],"run":1}"#;
    assert_eq!(stored(&app, &app.tasks), [base64(expected)]);
    assert_eq!(host.violations(), Vec::<String>::new());
}

#[test]
fn a_message_that_fails_once_is_done_at_the_second_time() {
    let proxy = Proxy::before(&Azurite::blob_endpoint());
    let app = App::small();
    app.cloud
        .reach(&proxy.address(&Azurite::blob_endpoint()), ACCOUNT_KEY);
    // What is forbidden is not tried again by whoever asked for it.
    proxy.arrange(Some(Mishap::Request(2, Hitch::Status(403))));
    let host = app.host();
    app.send(ALL);
    app.drain(&host);
    assert_eq!(
        executed(&host),
        [(1, false), (2, true), (1, true), (1, true)]
    );
    // The message has no run of its own, and yet it is one run.
    assert_eq!(app.runs().len(), 1);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    for dataset in ["orders", "orders_clean", "daily"] {
        let history = app.world().json(&["history", dataset]);
        assert_eq!(history.as_array().unwrap().len(), 1, "{dataset}");
    }
}

#[test]
fn a_message_that_always_fails_is_poison_after_five_times() {
    let app = App::small();
    without(&app, &["poison"]);
    app.world().write("configs/default.yml", "sources: 7\n");
    let host = app.host();
    let message = r#"{ "stage":"silver",  "remaining":[], "note":"as it was" }"#;
    app.send(message);
    host.drain(&[&app.tasks]);
    let times: Vec<(u32, bool)> = (1..=5).map(|time| (time, false)).collect();
    assert_eq!(executed(&host), times);
    assert_eq!(stored(&app, &app.poison()), [base64(message)]);
}

/// As long as a message can be, and with all that a message should not have.
#[test]
fn the_longest_message_is_done() {
    let app = App::small();
    let host = app.host();
    let head = r#"{"stage":"bronze","remaining":["silver","gold"],"id":"../x","dequeueCount":{"a":1},"sys":"","ü":"\"\n新","note":""#;
    // 48 KiB, which are 64 KiB in base64.
    let rest = "x".repeat(48 * 1024 - head.len() - 2);
    let text = format!("{head}{rest}\"}}");
    assert_eq!(text.len(), 48 * 1024);
    app.send(&text);
    app.drain(&host);
    assert_eq!(executed(&host), [(1, true); 3]);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
}

/// Somebody runs the function in the portal: there is no message that could come again, and each time is a run.
#[test]
fn a_function_that_is_run_by_hand() {
    let app = App::small();
    let host = app.host();
    for _ in 0..2 {
        assert!(host.by_hand("executor", ALL));
        app.drain(&host);
    }
    assert_eq!(app.runs().len(), 2);
    assert!(host.by_hand("executor", "no task"));
    assert!(host.by_hand("poison", "no task"));
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    assert_eq!(host.violations(), Vec::<String>::new());
}

/// Without any configuration the handler is there, says what is missing, and stays.
#[test]
fn a_package_without_a_configuration() {
    let app = App::small();
    without(&app, &["configs", "poison"]);
    let host = app.host();
    let before = host.handler();
    assert!(!host.fire("driver", Timer::First));
    app.send(ALL);
    host.drain(&[&app.tasks]);
    // Nobody knows the runs' state, so nothing could be put on record: the message is kept.
    assert_eq!(executed(&host).last(), Some(&(5, false)));
    assert_eq!(stored(&app, &app.poison()), [base64(ALL)]);
    assert_eq!(host.handler(), before);
    host.says("there is no configuration `configs/default.yml`");
}

/// What the host says of a package that is laid out as it does not want it.
#[test]
fn packages_that_the_host_does_not_take() {
    let refused = |broken: &dyn Fn(&App), expected: &str| {
        let app = App::small();
        broken(&app);
        let started = FunctionsHost::try_start(&app.world().path(""), app.settings());
        let told = started.err().unwrap();
        assert!(told.contains(expected), "{expected}: {told}");
    };
    let edit = |app: &App, file: &str, from: &str, to: &str| {
        let text = app.world().read(file);
        assert!(text.contains(from), "{text}");
        app.world().write(file, text.replace(from, to));
    };
    refused(
        &|app| {
            std::fs::create_dir(app.world().path("functions")).unwrap();
            for function in ["driver", "executor", "poison"] {
                let to = app.world().path(&format!("functions/{function}"));
                std::fs::rename(app.world().path(function), to).unwrap();
            }
        },
        "0 functions loaded",
    );
    refused(
        &|app| edit(app, "host.json", "extensionBundle", "extensions_bundle"),
        "queueTrigger is not registered",
    );
    refused(
        &|app| edit(app, "host.json", "defaultExecutablePath", "path"),
        "no customHandler.description.defaultExecutablePath",
    );
    refused(
        &|app| {
            edit(
                app,
                "driver/function.json",
                "{",
                r#"{"scriptFile": "__init__.py","#,
            );
        },
        "scriptFile `__init__.py` is not there",
    );
    refused(
        &|app| {
            let program = app.world().path("comboi");
            std::fs::remove_file(&program).unwrap();
            std::fs::write(&program, "").unwrap();
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o644)).unwrap();
        },
        "the handler can't be started: Permission denied",
    );
}
