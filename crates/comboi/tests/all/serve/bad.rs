//! Messages and deployments that are wrong.

use std::io::{Read as _, Write as _};
use std::process::Stdio;
use std::time::{Duration, Instant};

use comboi_test::{ACCOUNT_KEY, Azurite, FunctionsHost, Timer, contents};

use super::App;

/// What the handler wrote once it has written all of this; its lines may come after its answer.
fn written(host: &FunctionsHost, wanted: &[&str]) -> String {
    let begun = Instant::now();
    loop {
        let lines = host.lines().join("\n");
        if wanted.iter().all(|it| lines.contains(it)) {
            return lines;
        }
        assert!(begun.elapsed().as_secs() < 20, "{wanted:?}: {lines}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Why messages were refused, as it is kept beside bronze.
fn recorded(app: &App) -> Vec<String> {
    let store = Azurite::store(&app.cloud.azurite.name("bronze"));
    let objects = app.cloud.azurite.block_on(contents(store.as_ref()));
    let below = "_comboi/runs/default/refused/";
    let records = objects.iter().filter(|(name, _)| name.starts_with(below));
    let records = records.map(|(_, bytes)| serde_json::from_slice(bytes).unwrap());
    let why = |record: serde_json::Value| record["why"].as_str().unwrap().to_owned();
    records.map(why).collect()
}

/// Nobody can do these: they are put on record, and done with at the first time.
#[test]
fn messages_that_nobody_can_do() {
    let app = App::small();
    let host = app.host();
    let long = format!(r#"{{"stage":"{}"}}"#, "x".repeat(45_000));
    let messages = [
        ("bronze", "the message is no JSON;"),
        ("[1, 2]", "the message is no JSON object;"),
        (
            r#"{"stage":"platinum"}"#,
            "the message's `stage` is not `bronze`, `silver` or `gold`;",
        ),
        (
            r#"{"stage":"bronze","remaining":["iron"]}"#,
            "one of the message's `remaining` is not",
        ),
        (
            r#"{"stage":"bronze","config_path":"../other.yml"}"#,
            "`config_path` is `../other.yml`, but configurations are in `configs/`",
        ),
        (
            r#"{"stage":"bronze","config_path":"configs/../../other.yml"}"#,
            "`config_path` is `configs/../../other.yml`, but configurations are in `configs/`",
        ),
        (
            r#"{"stage":"bronze","config_path":"/etc/passwd"}"#,
            "`config_path` is `/etc/passwd`, but configurations are in `configs/`",
        ),
        (
            r#"{"stage":"bronze","config_path":"configs/absent.yml"}"#,
            "there is no configuration `configs/absent.yml`",
        ),
        (
            r#"{"stage":"bronze","run":77}"#,
            "the message is of run 77, which was never begun or is forgotten",
        ),
        (
            long.as_str(),
            "the message's `stage` is not `bronze`, `silver` or `gold`;",
        ),
        (r#"{"stage":"bron"#, "the message is no JSON;"),
    ];
    for (message, _) in messages {
        app.send(message);
    }
    app.drain(&host);
    let invocations = host.invocations();
    assert_eq!(invocations.len(), messages.len(), "{invocations:?}");
    assert!(
        invocations
            .iter()
            .all(|it| it.good && it.dequeue_count == 1),
        "{invocations:?}"
    );
    // Why each was refused is on record.
    let mut recorded = recorded(&app);
    for (message, why) in messages {
        let found = recorded.iter().position(|it| it.starts_with(why));
        let found = found.unwrap_or_else(|| panic!("{message:.60}: {recorded:#?}"));
        recorded.swap_remove(found);
    }
    assert_eq!(recorded, Vec::<String>::new());
    assert_eq!(app.runs().len(), 0);
    assert!(!app.waiting(&app.poison()).contains("<MessageText>"));
}

#[test]
fn hostile_fields_do_no_harm() {
    let app = App::small();
    let host = app.host();
    app.send(r#"{"stage":"bronze","remaining":["silver","gold"],"id":"../../x","dequeueCount":"99","popReceipt":1,"sys":{},"note":"ü \"quoted\"\n新"}"#);
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
}

/// The host does not even show it, for it expects base64: the timer and the doctor tell of it.
#[test]
fn plain_text_stays_among_the_poison_and_is_told() {
    let app = App::small();
    let host = app.host();
    app.put("not base64!");
    host.drain(&[&app.tasks]);
    assert_eq!(host.invocations().len(), 0);
    assert!(host.fire("driver", Timer::NoMonitor));
    host.drain(&[&app.tasks]);
    host.says(&format!("messages are in `{}` (1)", app.poison()));
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
    let told = app.command(&["doctor"]);
    assert_eq!(told.code, Some(0), "{}", told.out);
    assert!(told.out.contains("is not base64"), "{}", told.out);
}

/// A lake that is not there: every invocation fails, and the process lives on.
#[test]
fn a_lake_that_is_not_there() {
    let app = App::small();
    app.cloud
        .reach("http://127.0.0.1:1/devstoreaccount1", ACCOUNT_KEY);
    let host = app.host();
    let before = host.handler();
    assert!(!host.fire("driver", Timer::First));
    assert_eq!(host.handler(), before);
    let lines = written(&host, &["127.0.0.1:1"]);
    assert!(
        lines
            .lines()
            .any(|line| line.starts_with("! ") && line.contains("127.0.0.1:1")),
        "{lines}"
    );
    assert!(!lines.contains("Eby8vdM02xNOcqFl"));
}

#[test]
fn a_configuration_with_mistakes() {
    let app = App::small();
    app.world().write(
        "configs/default.yml",
        "sources:\n  - name: shop\n    type: fles\n",
    );
    let host = app.host();
    assert!(!host.fire("driver", Timer::First));
    written(&host, &["default.yml:3:", "files"]);
}

#[test]
fn settings_that_are_missing() {
    let app = App::small();
    let mut settings = app.settings();
    settings.environment.remove("COMBOI_QUEUE_CONNECTION");
    let complaint = FunctionsHost::try_start(&app.world().path(""), settings)
        .err()
        .unwrap();
    assert!(
        complaint.contains("`COMBOI_QUEUE_CONNECTION` is not set"),
        "{complaint}"
    );
    // Without the host's knowledge: the handler says the same.
    let said = app.world().comboi(&["trigger"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("no queue is configured"), "{}", said.err);
    let mut command = app.world().command(&["trigger"]);
    command.env("COMBOI_QUEUE_CONNECTION", Azurite::connection_string());
    command.env("COMBOI_QUEUE_NAME", "no-such-queue-here");
    let said = crate::world::said(command.output().unwrap());
    assert!(
        said.err.contains("there is no queue `no-such-queue-here`"),
        "{}",
        said.err
    );
}

#[test]
fn a_port_that_is_none_ends_the_program() {
    let world = crate::world::World::new();
    let said = world.comboi(&["serve"]);
    assert_eq!(said.code, Some(2));
    assert!(
        said.err
            .contains("`FUNCTIONS_CUSTOMHANDLER_PORT` is not set"),
        "{}",
        said.err
    );
    for port in ["", "0", "many", "70000"] {
        let mut command = world.command(&["serve"]);
        command.env("FUNCTIONS_CUSTOMHANDLER_PORT", port);
        let said = crate::world::said(command.output().unwrap());
        assert_eq!(said.code, Some(2), "{port}: {}", said.err);
    }
}

/// It listens before it reads anything, whatever there is to read; asked to end, it does not end with 0.
#[test]
fn it_listens_at_once_and_ends_when_asked() {
    let world = crate::world::World::new();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut child = world
        .command(&["serve"])
        .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !answers(port) {
        assert!(begun.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(2));
    }
    let ended = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status();
    assert!(ended.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = std::net::TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let mut answer = String::new();
    asked.is_ok() && stream.read_to_string(&mut answer).is_ok() && answer.contains(" 200 ")
}
