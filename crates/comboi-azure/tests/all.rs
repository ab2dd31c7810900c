//! Identities and secrets, on a false Azure.

#![allow(clippy::unwrap_used, reason = "what a test can not get ends the test")]

#[path = "all/identities.rs"]
mod identities;
#[path = "all/vault.rs"]
mod vault;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use comboi_azure::{Identities, Machine};
use comboi_test::FakeAzure;

/// What the machine's environment has. Its secret is one that must not be seen anywhere.
const PRINCIPAL: &[(&str, &str)] = &[
    ("AZURE_TENANT_ID", "home"),
    ("AZURE_CLIENT_ID", "robot"),
    ("AZURE_CLIENT_SECRET", "canary-client-secret"),
];

/// A machine that reaches nothing but a false Azure, with a clock that can be set forward.
struct Place {
    azure: FakeAzure,
    ahead: Arc<Mutex<TimeDelta>>,
    identities: Arc<Identities>,
}

impl Place {
    fn new(env: &'static [(&str, &str)]) -> Self {
        let azure = FakeAzure::start();
        azure.know_principal("home", "robot", "canary-client-secret");
        let authority = std::fs::read(azure.authority()).unwrap();
        let authority = reqwest::Certificate::from_pem(&authority).unwrap();
        Self::by(azure, env, |builder| {
            builder.add_root_certificate(authority)
        })
    }

    /// With a client that has more than the proxy set.
    fn by(
        azure: FakeAzure,
        env: &'static [(&str, &str)],
        more: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Self {
        let proxy = reqwest::Proxy::all(azure.proxy()).unwrap();
        let client = reqwest::Client::builder()
            .proxy(proxy)
            .pool_max_idle_per_host(0);
        let client = more(client).build().unwrap();
        let ahead = Arc::new(Mutex::new(TimeDelta::zero()));
        let clock = Arc::clone(&ahead);
        let machine = Machine::new(
            |name| {
                let mut found = env.iter().filter(|(it, _)| *it == name);
                found.next().map(|(_, value)| (*value).to_owned())
            },
            move || now() + *clock.lock().unwrap(),
        );
        Self {
            azure,
            ahead,
            identities: Arc::new(Identities::new(machine.asking_by(client))),
        }
    }

    fn wait(&self, minutes: i64) {
        *self.ahead.lock().unwrap() += TimeDelta::minutes(minutes);
    }

    /// How many requests of a kind there were.
    fn asked(&self, kind: &str) -> usize {
        let asked = self.azure.asked();
        asked.iter().filter(|line| line.contains(kind)).count()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "tokens end at a time of the real clock"
)]
fn now() -> DateTime<Utc> {
    Utc::now()
}

/// Nothing that people see may have any of it.
fn without_secrets(text: String) -> String {
    assert!(!text.contains("canary"), "{text}");
    text
}
