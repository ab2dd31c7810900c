//! Deployments that are wrong: what the doctor says, what the running handler says, and that nothing is lost of what was asked for meanwhile.

use std::time::{Duration, Instant};

use comboi_test::{ACCOUNT_KEY, Azurite, FakeAzure, FunctionsHost, Settings, Timer, get, put};

use super::App;

/// Somebody's message, sent while the deployment is wrong.
const ASKED: &str = r#"{"stage":"bronze","remaining":["silver","gold"]}"#;

/// An app, and what is around it in Azure.
struct Deployed {
    app: App,
    azure: FakeAzure,
    settings: Settings,
    /// The configuration as it was before anything was wrong.
    config: String,
}

struct Case {
    name: &'static str,
    breaks: fn(&mut Deployed),
    mends: fn(&mut Deployed),
    /// What the doctor finds: a verdict, of what, and all that is told about it.
    doctor: [&'static str; 3],
    /// What the handler says to each invocation.
    handler: &'static str,
}

const CASES: &[Case] = &[
    Case {
        name: "a setting that the configuration asks for is missing",
        breaks: |it| it.configure(|text| text.replace(ACCOUNT_KEY, "{{env:LAKE_KEY}}")),
        mends: |it| it.set("LAKE_KEY", ACCOUNT_KEY),
        doctor: ["bad", "configuration", "`LAKE_KEY` is not set"],
        handler: "`LAKE_KEY` is not set",
    },
    Case {
        name: "a vault by a wrong name",
        breaks: |it| it.key_in_vault("shpo"),
        mends: |it| it.configure(|text| text.replace("shpo", "shop")),
        doctor: [
            "bad",
            "secret lake-key",
            "if there is no such vault, mend `vault_url`",
        ],
        handler: "if there is no such vault, mend `vault_url`",
    },
    Case {
        name: "a secret that is not there",
        breaks: |it| {
            it.key_in_vault("shop");
            it.configure(|text| text.replace("keyvault:lake-key", "keyvault:lake-kye"));
        },
        mends: |it| it.configure(|text| text.replace("lake-kye", "lake-key")),
        doctor: [
            "bad",
            "secret lake-kye",
            "make it with `az keyvault secret set --vault-name shop --name lake-kye`, or mend the name",
        ],
        handler: "has no secret `lake-kye`; make it with `az keyvault secret set",
    },
    Case {
        name: "a secret that may not be read",
        breaks: |it| {
            it.key_in_vault("shop");
            it.azure.let_read("shop", false);
        },
        mends: |it| it.azure.let_read("shop", true),
        doctor: [
            "bad",
            "secret lake-key",
            "give the identity the role Key Vault Secrets User there",
        ],
        handler: "give the identity the role Key Vault Secrets User there",
    },
    Case {
        name: "a key that was changed",
        breaks: |it| it.configure(|text| text.replace("Eby8vdM0", "Fby8vdM0")),
        mends: |it| it.configure(|text| text.replace("Fby8vdM0", "Eby8vdM0")),
        doctor: [
            "bad",
            "stage bronze",
            "the account `devstoreaccount1` does not take the credential",
        ],
        handler: "the account `devstoreaccount1` does not take the credential",
    },
    Case {
        name: "a container that is missing",
        breaks: |it| it.container("bronze", "DELETE"),
        mends: |it| it.container("bronze", "PUT"),
        doctor: [
            "bad",
            "stage bronze",
            "make it (`az storage container create",
        ],
        handler: "make it (`az storage container create",
    },
    Case {
        name: "a queue in another account",
        breaks: |it| {
            let queue = it.app.tasks.clone();
            // The same server by another name, which is another account's as far as anybody can tell.
            let other = Azurite::queue_endpoint().replace("127.0.0.1", "localhost");
            let other = Azurite::connection_string().replace(&Azurite::queue_endpoint(), &other);
            it.configure(|text| {
                format!("queue: {{name: {queue}, connection_string: \"{other}\"}}\n{text}")
            });
        },
        mends: |it| it.configure(|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")),
        doctor: [
            "bad",
            "queue",
            "so nobody would do what is sent; take `queue:` out of the configuration",
        ],
        handler: "so nobody would do what is sent; take `queue:` out of the configuration",
    },
    Case {
        name: "a state of runs that a newer comboi wrote",
        breaks: |it| {
            it.app.world().run();
            change(&it.app, PLAN, |text| {
                text.replace(r#""format":1"#, r#""format":2"#)
            });
        },
        mends: |it| {
            change(&it.app, PLAN, |text| {
                text.replace(r#""format":2"#, r#""format":1"#)
            });
        },
        doctor: [
            "bad",
            "runs",
            "the state of runs was written by a newer comboi (format 2); upgrade this one",
        ],
        handler: "the state of runs was written by a newer comboi (format 2); upgrade this one",
    },
];

const PLAN: &str = "_comboi/runs/default/runs/000000000001/plan.json";

impl Deployed {
    fn new() -> Self {
        let app = App::small();
        let azure = FakeAzure::start();
        azure.give_machine("system");
        azure.keep_secret("shop", "lake-key", ACCOUNT_KEY);
        let mut settings = app.settings();
        settings.lease = Duration::from_secs(1);
        let config = app.world().read("configs/default.yml");
        let mut deployed = Self {
            app,
            azure,
            settings,
            config,
        };
        let azure = &deployed.azure;
        for (name, value) in [
            ("HTTPS_PROXY", azure.proxy()),
            ("SSL_CERT_FILE", azure.authority().display().to_string()),
            ("IDENTITY_ENDPOINT", azure.identity_endpoint()),
            ("IDENTITY_HEADER", FakeAzure::IDENTITY_HEADER.to_owned()),
        ] {
            deployed.settings.environment.insert(name.to_owned(), value);
        }
        deployed
    }

    fn set(&mut self, name: &str, value: &str) {
        let environment = &mut self.settings.environment;
        environment.insert(name.to_owned(), value.to_owned());
    }

    fn configure(&self, change: impl FnOnce(String) -> String) {
        let world = self.app.world();
        world.write(
            "configs/default.yml",
            change(world.read("configs/default.yml")),
        );
    }

    /// The lake's key comes from this vault.
    fn key_in_vault(&self, vault: &str) {
        self.configure(|text| {
            let text = text.replace(ACCOUNT_KEY, "{{keyvault:lake-key}}");
            format!("key_vault: {{vault_url: \"https://{vault}.vault.azure.net/\"}}\n{text}")
        });
    }

    fn container(&self, stage: &str, method: &str) {
        let azurite = &self.app.cloud.azurite;
        let (at, name) = (Azurite::blob_endpoint(), azurite.name(stage));
        let url = format!("{at}/{name}?restype=container");
        let answer = azurite.ask(method, &url, String::new());
        assert!(answer.status < 300, "{}", answer.body);
    }

    fn host(&self) -> FunctionsHost {
        FunctionsHost::start(&self.app.world().path(""), self.settings.clone())
    }

    /// What the doctor tells: its whole text, and its exit code.
    fn doctor(&self) -> (String, Option<i32>) {
        let mut command = self.app.world().command(&["doctor"]);
        command.envs(&self.settings.environment);
        let said = crate::world::said(command.output().unwrap());
        assert!(!said.out.contains(ACCOUNT_KEY), "{}", said.out);
        (said.out, said.code)
    }
}

/// Changes an object in the container of bronze.
fn change(app: &App, object: &str, change: impl FnOnce(String) -> String) {
    let azurite = &app.cloud.azurite;
    let store = Azurite::store(&azurite.name("bronze"));
    azurite.block_on(async {
        let found = get(store.as_ref(), object).await.unwrap().unwrap();
        let text = String::from_utf8(found.to_vec()).unwrap();
        let changed = change(text.clone());
        assert_ne!(changed, text);
        put(store.as_ref(), object, changed).await;
    });
}

/// The lines of the handler's standard error that have this text.
fn complaints(host: &FunctionsHost, text: &str) -> usize {
    let lines = host.lines();
    let of = |line: &&String| line.starts_with("! ") && line.contains(text);
    lines.iter().filter(of).count()
}

fn check(case: &Case) {
    let mut it = Deployed::new();
    (case.breaks)(&mut it);
    let name = case.name;

    let (told, code) = it.doctor();
    let [verdict, of, expected] = case.doctor;
    let found = told.lines().any(|line| {
        let rest = line.strip_prefix(verdict).unwrap_or_default().trim_start();
        rest.starts_with(of) && line.contains(expected)
    });
    assert!(found, "{name}: the doctor says\n{told}");
    assert_eq!(code, Some(1), "{name}");

    // The timer and a message fail with the same words, each time they are tried.
    let host = it.host();
    it.app.send(ASKED);
    assert!(!host.fire("driver", Timer::First), "{name}");
    let failed = || host.invocations().iter().filter(|it| !it.good).count();
    let begun = Instant::now();
    while complaints(&host, case.handler) < 3 || failed() < 3 {
        let lines = host.lines().join("\n");
        assert!(
            begun.elapsed().as_secs() < 60,
            "{name}: the handler says\n{lines}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(host.invocations().iter().all(|it| !it.good), "{name}");
    assert_eq!(host.violations(), Vec::<String>::new(), "{name}");
    drop(host);

    // Mended and started anew, what was asked for is done.
    (case.mends)(&mut it);
    let host = it.host();
    it.app.drain(&host);
    drop(host);
    let (told, code) = it.doctor();
    assert_eq!(code, Some(0), "{name}: the doctor says\n{told}");
    it.app.world().write("configs/default.yml", &it.config);
    assert_eq!(
        it.app.world().rows("daily"),
        ["2024-05-01,30.50,2"],
        "{name}"
    );
}

#[test]
fn each_is_told_and_nothing_is_lost() {
    std::thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || check(case));
        }
    });
}

/// comboi needs none: it speaks to the blob endpoint. Azurite is such an account.
#[test]
fn an_account_without_a_hierarchical_namespace_is_as_good() {
    let app = App::small();
    let url = format!(
        "{}/?restype=account&comp=properties",
        Azurite::blob_endpoint()
    );
    let account = app.cloud.azurite.ask("GET", &url, String::new());
    assert_eq!(account.header("x-ms-is-hns-enabled"), Some("false"));
    let told = app.command(&["doctor"]);
    assert_eq!(told.code, Some(0), "{}", told.out);
    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);
}

/// Its task fails with the reason on record; no invocation does, so nothing becomes poison.
#[test]
fn a_dataset_that_a_newer_comboi_wrote() {
    let app = App::small();
    app.world().run();
    app.world()
        .write("in/orders/day2.csv", "id,day,amount\n3,2024-05-02,5.25\n");
    let entry = "shop/orders/_delta_log/00000000000000000000.json";
    let formats = [r#""comboi.format":"1""#, r#""comboi.format":"2""#];
    change(&app, entry, |text| text.replace(formats[0], formats[1]));
    let expected = "`bronze/shop/orders` was written by a newer program: comboi's format 2 is not known here, only up to 1; use a newer comboi";
    let told = app.command(&["doctor"]);
    assert_eq!(told.code, Some(1), "{}", told.out);
    let bad = told.out.lines().find(|line| line.starts_with("bad"));
    let bad = bad.unwrap_or_default();
    assert!(
        bad.contains("dataset bronze/shop/orders") && bad.contains(expected),
        "{}",
        told.out
    );

    let host = app.host();
    assert!(host.fire("driver", Timer::First));
    app.drain(&host);
    assert!(host.invocations().iter().all(|it| it.good));
    let status = app.command(&["status", "2"]);
    assert!(status.out.contains(expected), "{}", status.out);
    assert_eq!(app.world().rows("daily"), ["2024-05-01,30.50,2"]);

    change(&app, entry, |text| text.replace(formats[1], formats[0]));
    assert!(host.fire("driver", Timer::NoMonitor));
    app.drain(&host);
    assert_eq!(
        app.world().rows("daily"),
        ["2024-05-01,30.50,2", "2024-05-02,5.25,1"]
    );
}

/// Both do the work, rightly, and the one that finds the other's run says so; when one of them is stopped it is quiet.
#[test]
fn two_apps_on_one_lake() {
    let first = App::small();
    let mut second = App::small();
    let config = first.world().read("configs/default.yml");
    second.world().write("configs/default.yml", config);
    let shop = first.world().path("in/orders/day1.csv");
    std::fs::copy(shop, second.world().path("in/orders/day1.csv")).unwrap();
    let expected = format!(
        "two apps work on this lake: run 1, the last one, goes by the queue `{}` in 127.0.0.1/devstoreaccount1, and this app sends to the queue `{}` in 127.0.0.1/devstoreaccount1.",
        first.tasks, second.tasks
    );
    let remedy = "stop one of them, or give it containers of its own";
    let host = first.host();
    assert!(host.fire("driver", Timer::First));
    first.drain(&host);
    assert_eq!(complaints(&host, "two apps"), 0);

    let doubts = |app: &App| {
        let told = app.command(&["doctor"]);
        assert_eq!(told.code, Some(0), "{}", told.out);
        let is_of_runs = |line: &&str| line.starts_with("doubtful  runs ");
        let lines = told.out.lines().filter(is_of_runs);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(doubts(&first), Vec::<String>::new());
    let found = doubts(&second);
    let [found] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert!(
        found.contains(&expected) && found.contains(remedy),
        "{found}"
    );

    second.queues = Azurite::queue_endpoint();
    let other = second.host();
    assert!(other.fire("driver", Timer::NoMonitor));
    second.drain(&other);
    other.says(&expected);
    assert!(
        other
            .lines()
            .iter()
            .any(|line| line.starts_with("! ") && line.contains(remedy))
    );
    let rows = ["1,2024-05-01,10.00", "2,2024-05-01,20.50"];
    assert_eq!(first.world().rows("orders"), rows);
    assert_eq!(first.world().rows("daily"), ["2024-05-01,30.50,2"]);

    // The second one has done the last run: it alone is left.
    let before = other.lines().len();
    assert!(other.fire("driver", Timer::NoMonitor));
    second.drain(&other);
    let after = other.lines().split_off(before).join("\n");
    assert!(!after.contains("two apps"), "{after}");
}
