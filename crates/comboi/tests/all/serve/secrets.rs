//! Secrets of every kind, at the most talkative log level, where things go well and where they fail: none is ever to be found anywhere.

use std::collections::BTreeMap;

use comboi_test::{ACCOUNT, ACCOUNT_KEY, Azurite, FakeAzure, FunctionsHost, Postgres, Timer};

use super::{App, base64};

/// An app that has each of its secrets from a vault, which it enters by a client secret.
struct Guarded {
    app: App,
    azure: FakeAzure,
    database: Postgres,
    key: String,
}

/// What a secret looks like that must not be found: the emulator's key, and all that the test made up.
const TRACES: [&str; 2] = ["Eby8vdM02xNOcqFl", "canary"];

impl Guarded {
    fn new() -> Self {
        let guarded = Self {
            app: App::small(),
            azure: FakeAzure::start(),
            database: Postgres::database(),
            key: base64("a canary that is as long as a key of an account"),
        };
        let (app, azure) = (&guarded.app, &guarded.azure);
        azure.know_principal("home", "robot", "canary-client-secret");
        azure.keep_secret("shop", "lake", ACCOUNT_KEY);
        azure.keep_secret("shop", "queue", &Azurite::connection_string());
        let database = guarded.database.url();
        guarded
            .database
            .run("CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 3) g");
        azure.keep_secret(
            "shop",
            "database",
            &format!("{database}?application_name=canary"),
        );
        let till = "  - name: till\n    type: postgres\n    connection: {conn_str: \"{{keyvault:database}}\"}\n    tables: [{name: t}]\n";
        let config = format!(
            "key_vault: {{vault_url: \"https://shop.vault.azure.net/\"}}\nqueue: {{name: {}, connection_string: \"{{{{keyvault:queue}}}}\"}}\n{}{till}{}",
            app.tasks,
            crate::world::SMALL_CONFIG,
            app.cloud
                .stages(&Azurite::blob_endpoint(), "{{keyvault:lake}}"),
        );
        app.world().write("configs/default.yml", config);
        app.world().write("tmp/.keep", "");
        guarded
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = self.app.settings().environment;
        let temporary = self.app.world().path("tmp").display().to_string();
        for (name, value) in [
            ("HTTPS_PROXY", self.azure.proxy()),
            (
                "SSL_CERT_FILE",
                self.azure.authority().display().to_string(),
            ),
            ("AZURE_TENANT_ID", "home".to_owned()),
            ("AZURE_CLIENT_ID", "robot".to_owned()),
            ("AZURE_CLIENT_SECRET", "canary-client-secret".to_owned()),
            ("COMBOI_LOG_LEVEL", "trace".to_owned()),
            ("TMPDIR", temporary),
        ] {
            environment.insert(name.to_owned(), value);
        }
        environment
    }

    /// What a command says, which holds no secret.
    fn says(&self, words: &[&str]) -> String {
        let mut command = self.app.world().command(words);
        command
            .args(["--log-level", "trace"])
            .envs(self.environment());
        let said = crate::world::said(command.output().unwrap());
        let text = said.out + &said.err;
        self.holds_no_secret(&words.join(" "), text.as_bytes());
        text
    }

    fn holds_no_secret(&self, what: &str, bytes: &[u8]) {
        for trace in TRACES.into_iter().chain([self.key.as_str()]) {
            let found = bytes
                .windows(trace.len())
                .position(|it| it == trace.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(300)..(at + 30).min(bytes.len())];
                panic!("{what} has `{trace}`: {}", String::from_utf8_lossy(around));
            }
        }
    }

    /// A whole day: the timer, the messages, and what people ask. Gives back what the doctor found bad.
    fn lives_through_a_day(&self) -> Vec<String> {
        let mut settings = self.app.settings();
        settings.environment = self.environment();
        settings.max_dequeue_count = 2;
        let host = FunctionsHost::start(&self.app.world().path(""), settings);
        let fired = host.fire("driver", Timer::First);
        host.by_hand("executor", r#"{"stage":"bronze","remaining":[]}"#);
        host.by_hand("poison", r#"{"stage":"bronze","poisoned":1,"run":1}"#);
        if fired {
            host.drain(&[&self.app.tasks, &self.app.poison()]);
        }
        let found = self.says(&["doctor"]);
        for words in [
            vec!["plan"],
            vec!["test-connection"],
            vec!["run", "all"],
            vec!["trigger"],
            vec!["runs"],
            vec!["status", "1"],
            vec!["verify"],
        ] {
            self.says(&words);
        }
        self.holds_no_secret("the handler's log", host.lines().join("\n").as_bytes());
        drop(host);
        self.left_nothing();
        let bad = found.lines().filter(|line| line.starts_with("bad "));
        bad.map(str::to_owned).collect()
    }

    /// What is in the app's folder, temporary files included, and in the lake.
    fn left_nothing(&self) {
        let world = self.app.world();
        for file in world.files(".").into_iter().filter(|it| it != "comboi") {
            self.holds_no_secret(&file, &std::fs::read(world.path(&file)).unwrap());
        }
        let azurite = &self.app.cloud.azurite;
        for stage in ["bronze", "silver", "gold"] {
            let store = Azurite::store(&azurite.name(stage));
            let contents = azurite.block_on(comboi_test::contents(store.as_ref()));
            for (name, bytes) in contents {
                self.holds_no_secret(&format!("{stage}/{name}"), &bytes);
            }
        }
    }
}

#[test]
fn where_all_goes_well() {
    let guarded = Guarded::new();
    assert_eq!(guarded.lives_through_a_day(), Vec::<String>::new());
    let said = guarded.says(&["show", "t"]);
    assert!(said.contains('3'), "{said}");
}

#[test]
fn where_a_login_fails() {
    let guarded = Guarded::new();
    let fails = |expected: &str| {
        let bad = guarded.lives_through_a_day().join("\n");
        assert!(bad.contains(expected), "{expected}: {bad}");
    };
    let key = &guarded.key;
    let queue = format!(
        "AccountName={ACCOUNT};AccountKey={key};QueueEndpoint={}",
        Azurite::queue_endpoint()
    );
    let signature =
        "sv=2024-08-04&ss=q&srt=sco&sp=rwdl&se=2030-01-01T00:00:00Z&sig=canary-signature%3D";
    let signed = format!(
        "QueueEndpoint={};SharedAccessSignature={signature}",
        Azurite::queue_endpoint()
    );
    let database = guarded.database.url();
    let (_, place) = database.split_once('@').unwrap();
    let database = format!("postgresql://nobody:canary-password@{place}");
    // One after the other: the database, the queue by a key and by a signature, the lake by both, the vault itself.
    let keep = |name: &str, value: &str| guarded.azure.keep_secret("shop", name, value);
    keep("database", &database);
    fails("source till");
    keep("queue", &queue);
    fails("does not let us send");
    keep("queue", &signed);
    fails("queue");
    keep("lake", key);
    fails("does not take the credential");
    keep("lake", &format!("?{signature}"));
    fails("stage bronze");
    let azure = &guarded.azure;
    azure.know_principal("home", "robot", "another secret");
    fails("Invalid client secret");
}
