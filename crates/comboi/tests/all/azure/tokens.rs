//! A lake and a queue by identity: an Azurite that takes tokens, over TLS, and whoever gives tokens in Azure.

use std::path::Path;

use comboi_test::{ACCOUNT, Azurite, FakeAzure, FunctionsHost, Settings, Timer};

use crate::world::{SMALL_CONFIG, Said, World, said};

/// A project whose lake and queue have no key.
struct Place {
    azure: FakeAzure,
    azurite: Azurite,
    world: World,
    queue: String,
}

impl Place {
    fn new() -> Self {
        let azurite = Azurite::that_takes_tokens();
        let place = Self {
            azure: FakeAzure::start(),
            world: World::small(),
            queue: azurite.queue("tasks"),
            azurite,
        };
        let mut config = format!("{SMALL_CONFIG}stages:\n");
        for stage in ["bronze", "silver", "gold"] {
            let container = place.azurite.container(stage);
            let endpoint = place.azurite.blobs();
            config += &format!(
                "  {stage}: {{data_lake: {{account_name: {ACCOUNT}, file_system: {container}, endpoint: \"{endpoint}\"}}}}\n"
            );
        }
        place.world.write("configs/default.yml", config);
        let read = |file: &Path| std::fs::read_to_string(file).unwrap();
        let authorities = read(&place.azure.authority()) + &read(&Azurite::authority());
        place.world.write("authorities.pem", authorities);
        place
    }

    /// The environment of a machine that reaches nothing of Azure but what is false, with more.
    fn environment(&self, more: &[(&str, String)]) -> Settings {
        let mut settings = Settings::default();
        let file = |name: &str| self.world.path(name).display().to_string();
        let common = [
            ("HTTPS_PROXY", self.azure.proxy()),
            ("NO_PROXY", "localhost".to_owned()),
            ("SSL_CERT_FILE", file("authorities.pem")),
            ("PATH", file("no-tools")),
            ("COMBOI_QUEUE_NAME", self.queue.clone()),
            (
                "COMBOI_QUEUE_CONNECTION__queueServiceUri",
                self.azurite.queues().to_owned(),
            ),
        ];
        for (name, value) in common.iter().chain(more) {
            let (name, value) = ((*name).to_owned(), value.clone());
            settings.environment.insert(name, value);
        }
        settings
    }

    /// A function app that has an identity.
    fn hosted(&self) -> Settings {
        self.azure.give_machine("system");
        self.environment(&[
            ("IDENTITY_ENDPOINT", self.azure.identity_endpoint()),
            ("IDENTITY_HEADER", FakeAzure::IDENTITY_HEADER.to_owned()),
        ])
    }

    fn comboi(&self, settings: &Settings, words: &[&str]) -> Said {
        let mut command = self.world.command(words);
        command.envs(&settings.environment);
        let said = said(command.output().unwrap());
        for text in [&said.out, &said.err] {
            assert!(!text.contains("canary"), "a secret is shown: {text}");
        }
        said
    }

    fn expect(&self, settings: &Settings, words: &[&str]) -> Said {
        let said = self.comboi(settings, words);
        assert_eq!(said.code, Some(0), "{words:?}: {}{}", said.out, said.err);
        said
    }

    /// How many messages the queue has.
    fn waiting(&self) -> usize {
        let url = format!(
            "{}/{}/messages?peekonly=true&numofmessages=32",
            self.azurite.queues(),
            self.queue
        );
        let answer = self.azurite.ask("GET", &url, String::new()).body;
        answer.matches("<MessageText>").count()
    }

    fn tokens(&self, of: &str) -> usize {
        let asked = self.azure.asked();
        asked.iter().filter(|line| line.contains(of)).count()
    }
}

/// Everything with a lake and a queue that a token opens; each command asks for one.
fn works(place: &Place, settings: &Settings, asks: &str) {
    place.expect(settings, &["run", "all"]);
    assert_eq!(place.tokens(asks), 1);
    let shown = place.expect(settings, &["show", "daily"]).out;
    assert!(shown.contains("2024-05-01"), "{shown}");
    let told = place.expect(settings, &["doctor"]).out;
    assert!(told.contains("its container can be written"), "{told}");
    assert!(told.contains(&place.queue), "{told}");
    place.expect(settings, &["trigger"]);
    assert_eq!(place.waiting(), 1);
    assert_eq!(place.tokens(asks), 4);
}

#[test]
fn the_managed_identity_of_an_app() {
    let place = Place::new();
    let settings = place.hosted();
    works(&place, &settings, "/msi/token");
}

const ENTRA: &str = "POST login.microsoftonline.com/home/oauth2/v2.0/token";

#[test]
fn a_service_principal_with_a_secret() {
    let place = Place::new();
    place.azure.know_principal("home", "robot", "canary-secret");
    let settings = place.environment(&[
        ("AZURE_TENANT_ID", "home".to_owned()),
        ("AZURE_CLIENT_ID", "robot".to_owned()),
        ("AZURE_CLIENT_SECRET", "canary-secret".to_owned()),
    ]);
    works(&place, &settings, ENTRA);
}

#[test]
fn a_workload_identity() {
    let place = Place::new();
    place
        .azure
        .know_principal("home", "robot", "canary-federated");
    place.world.write("federated", "canary-federated");
    let file = place.world.path("federated").display().to_string();
    let settings = place.environment(&[
        ("AZURE_TENANT_ID", "home".to_owned()),
        ("AZURE_CLIENT_ID", "robot".to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", file),
    ]);
    works(&place, &settings, ENTRA);
}

/// The process of an app outlives many tokens.
#[test]
fn a_token_that_has_ended_is_renewed() {
    let place = Place::new();
    place.azure.tokens_live(16);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for file in ["host.json", "functions/driver/function.json"] {
        let text = std::fs::read(root.join(file)).unwrap();
        place
            .world
            .write(file.trim_start_matches("functions/"), text);
    }
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_comboi"), place.world.path("comboi")).unwrap();
    let mut settings = place.hosted();
    let schedule = "0 0 * * * *".to_owned();
    settings
        .environment
        .insert("COMBOI_TIMER_SCHEDULE".to_owned(), schedule);
    let host = FunctionsHost::start(&place.world.path(""), settings);
    let said = |host: &FunctionsHost| host.lines().join("\n");
    assert!(host.fire("driver", Timer::First), "{}", said(&host));
    let before = place.tokens("/msi/token");
    std::thread::sleep(std::time::Duration::from_secs(17));
    // Azurite would refuse the first one now.
    assert!(host.fire("driver", Timer::NoMonitor), "{}", said(&host));
    assert!(place.tokens("/msi/token") > before);
    assert_eq!(place.waiting(), 1);
    assert!(!said(&host).contains("canary"), "{}", said(&host));
}

#[test]
fn tokens_that_the_storage_does_not_take() {
    let place = Place::new();
    let settings = place.hosted();
    let told = |expected: &[&str]| {
        let run = place.comboi(&settings, &["run", "all"]);
        assert_eq!(run.code, Some(1), "{}{}", run.out, run.err);
        let doctor = place.comboi(&settings, &["doctor"]);
        assert_eq!(doctor.code, Some(1), "{}{}", doctor.out, doctor.err);
        for expected in expected {
            assert!(run.err.contains(expected), "{}", run.err);
            assert!(doctor.out.contains(expected), "{}", doctor.out);
        }
    };
    place.azure.tokens_are_for(Some("https://vault.azure.net"));
    told(&[
        "the account `devstoreaccount1` does not take the login's token, which was given out for another service",
    ]);
    place.azure.tokens_are_for(None);
    place.azure.tokens_live(-30);
    told(&[
        "the account `devstoreaccount1` does not take the login's token: it has expired or is not valid yet",
    ]);
}
