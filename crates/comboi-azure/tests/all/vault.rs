//! Secrets of a Key Vault.

use std::sync::Arc;

use comboi_azure::Vault;
use comboi_project::{Secret, Secrets as _, SecretsError};
use comboi_test::FakeAzure;

use crate::{PRINCIPAL, Place, now, without_secrets};

const PASSWORD: &str = "GET shop.vault.azure.net/secrets/password/";

/// A vault `shop` with a secret `password`.
struct Shop {
    place: Place,
    vault: Vault,
}

impl Shop {
    fn new() -> Self {
        Self::of(Place::new(PRINCIPAL))
    }

    fn of(place: Place) -> Self {
        place.azure.keep_secret("shop", "password", "canary-1");
        let url = "https://shop.vault.azure.net/".parse().unwrap();
        let vault = Vault::new(url, Arc::clone(&place.identities));
        Self { place, vault }
    }

    fn secret(&self) -> String {
        told(self.vault.secret(&"password".parse().unwrap()))
    }

    fn anew(&self) -> String {
        told(self.vault.secret_anew(&"password".parse().unwrap()))
    }

    /// How a secret can't be had, and whether that may pass.
    fn failure(&self, name: &str) -> String {
        without_secrets(format!("{:?}", self.vault));
        without_secrets(told(self.vault.secret(&name.parse().unwrap())))
    }

    /// What is told when the vault says this.
    fn refusal(&self, status: u16, code: &str, inner: &str, message: &str) -> String {
        self.place.wait(120);
        let body = format!(
            r#"{{"error":{{"code":"{code}","message":"{message}","innererror":{{"code":"{inner}"}}}}}}"#
        );
        self.place.azure.say_instead(PASSWORD, status, &[], &body);
        self.failure("password")
    }
}

fn told(secret: Result<Secret, SecretsError>) -> String {
    match secret {
        Ok(secret) => secret.expose().to_owned(),
        Err(error) => {
            without_secrets(format!("{error:?}"));
            let again = match &error {
                SecretsError::Unavailable(_) => "later",
                SecretsError::NoVault | SecretsError::Refused(_) => "never",
            };
            format!("{again}: {error}")
        }
    }
}

#[test]
fn a_secret_is_fetched_once() {
    let shop = Shop::new();
    assert!(shop.place.azure.asked().is_empty());
    assert_eq!(shop.secret(), "canary-1");
    assert_eq!(shop.secret(), "canary-1");
    assert_eq!(
        shop.place.azure.asked(),
        [
            PASSWORD,
            "POST login.microsoftonline.com/home/oauth2/v2.0/token",
            PASSWORD
        ]
    );
    shop.place
        .azure
        .keep_secret("shop", "other", "canary-other");
    assert_eq!(
        told(shop.vault.secret(&"other".parse().unwrap())),
        "canary-other"
    );
    // The vault was asked what token it wants already.
    assert_eq!(shop.place.azure.asked().len(), 4);
}

#[test]
fn a_changed_secret_is_found_when_the_old_one_is_doubted() {
    let shop = Shop::new();
    assert_eq!(shop.secret(), "canary-1");
    shop.place.azure.keep_secret("shop", "password", "canary-2");
    assert_eq!(shop.secret(), "canary-1");
    // It has just been fetched: many tasks may be refused at once.
    assert_eq!(shop.anew(), "canary-1");
    shop.place.wait(1);
    assert_eq!(shop.anew(), "canary-2");
    assert_eq!(shop.secret(), "canary-2");
    assert_eq!(shop.place.asked(PASSWORD), 3);
}

#[test]
fn a_secret_is_fetched_again_after_an_hour_and_at_its_end() {
    let shop = Shop::new();
    assert_eq!(shop.secret(), "canary-1");
    let ends = (now() + chrono::TimeDelta::minutes(90)).timestamp();
    let store = |value| {
        let azure = &shop.place.azure;
        azure.keep_secret_until("shop", "password", value, Some(ends));
    };
    store("canary-2");
    shop.place.wait(59);
    assert_eq!(shop.secret(), "canary-1");
    shop.place.wait(1);
    assert_eq!(shop.secret(), "canary-2");
    store("canary-3");
    shop.place.wait(29);
    assert_eq!(shop.secret(), "canary-2");
    shop.place.wait(2);
    assert_eq!(shop.secret(), "canary-3");
    // It has ended, and vaults give it out all the same.
    store("canary-4");
    shop.place.wait(30);
    assert_eq!(shop.secret(), "canary-3");
}

#[test]
fn what_the_vault_said_last_does_while_it_does_not_answer() {
    let shop = Shop::new();
    assert_eq!(shop.secret(), "canary-1");
    let throttled = || {
        let azure = &shop.place.azure;
        azure.say_instead(PASSWORD, 429, &["retry-after: 3600"], "{}");
    };
    shop.place.wait(120);
    throttled();
    assert_eq!(shop.secret(), "canary-1");
    // But not for whoever knows that it is no good.
    shop.place.wait(1);
    throttled();
    assert_eq!(
        shop.anew(),
        "later: the key vault https://shop.vault.azure.net is asked too much (429)"
    );
    shop.place.wait(24 * 60);
    throttled();
    assert!(shop.secret().starts_with("later"));
    // And what is said for good ends it.
    let refusal = shop.refusal(403, "Forbidden", "ForbiddenByRbac", "no");
    assert!(refusal.starts_with("never"), "{refusal}");
}

#[test]
fn a_busy_vault_is_waited_for() {
    let shop = Shop::new();
    let azure = &shop.place.azure;
    azure.say_instead(PASSWORD, 429, &["Retry-After: 1"], "{}");
    azure.say_instead(PASSWORD, 503, &[], "");
    assert_eq!(shop.secret(), "canary-1");
    assert_eq!(shop.place.asked(PASSWORD), 4);
}

#[test]
fn each_refusal_says_what_to_do() {
    let shop = Shop::new();
    let vault = "the key vault https://shop.vault.azure.net";
    assert_eq!(
        shop.failure("pasword"),
        format!(
            "never: {vault} has no secret `pasword`; make it with `az keyvault secret set --vault-name shop --name pasword`, or mend the name"
        )
    );
    assert_eq!(
        shop.refusal(
            403,
            "Forbidden",
            "ForbiddenByRbac",
            "Caller is not authorized.\\r\\nCaller: oid=1"
        ),
        format!(
            "never: {vault} does not let us read it; give the identity the role Key Vault Secrets User there, and wait some minutes (Caller is not authorized. Caller: oid=1)"
        )
    );
    assert_eq!(
        shop.refusal(
            403,
            "Forbidden",
            "SecretDisabled",
            "Operation get is not allowed on a disabled secret."
        ),
        "never: the secret is disabled in the key vault https://shop.vault.azure.net; enable it there"
    );
    assert_eq!(
        shop.refusal(
            403,
            "Forbidden",
            "ForbiddenByFirewall",
            "Client address is not authorized."
        ),
        "never: the firewall of the key vault https://shop.vault.azure.net does not let this machine in; allow its network under the vault's Networking (Client address is not authorized)"
    );
    assert_eq!(
        shop.refusal(400, "BadParameter", "x", "No."),
        format!("never: {vault} refuses (400: No)")
    );
    shop.place.wait(120);
    assert_eq!(shop.secret(), "canary-1");
}

#[test]
fn a_token_that_is_not_taken_is_told() {
    let shop = Shop::new();
    assert_eq!(shop.secret(), "canary-1");
    // What the vault says about a token of another directory, also in a challenge.
    shop.place.wait(120);
    let body = r#"{"error":{"code":"Unauthorized","message":"AKV10032: Invalid issuer."}}"#;
    let challenge = [
        r#"www-authenticate: Bearer authorization="https://login.microsoftonline.com/x", resource="https://vault.azure.net""#,
    ];
    for _ in 0..2 {
        shop.place
            .azure
            .say_instead(PASSWORD, 401, &challenge, body);
    }
    assert_eq!(
        shop.failure("password"),
        "never: the key vault https://shop.vault.azure.net does not take the token, which may be of another directory than the vault's; log in to that one (AKV10032: Invalid issuer)"
    );
}

#[test]
fn without_a_login_the_vault_is_not_read() {
    let shop = Shop::of(Place::new(&[
        ("AZURE_TENANT_ID", "home"),
        ("AZURE_CLIENT_ID", "robot"),
        ("AZURE_CLIENT_SECRET", "canary-wrong"),
    ]));
    assert_eq!(
        shop.failure("password"),
        "never: there is no login for the key vault https://shop.vault.azure.net: the service principal `robot`: AADSTS7000215: Invalid client secret provided"
    );
}

#[test]
fn a_stranger_gets_no_token() {
    let shop = Shop::new();
    let challenge = r#"www-authenticate: Bearer authorization="https://login.microsoftonline.com/home", resource="https://evil.example""#;
    shop.place
        .azure
        .say_instead(PASSWORD, 401, &[challenge], "{}");
    assert_eq!(
        shop.failure("password"),
        "never: what answers at https://shop.vault.azure.net is no key vault; mend `vault_url`"
    );
    assert_eq!(shop.place.azure.asked(), [PASSWORD]);
}

#[test]
fn whose_certificate_is_not_known_gets_no_question() {
    let shop = Shop::of(Place::by(FakeAzure::start(), PRINCIPAL, |client| client));
    let failure = shop.failure("password");
    assert!(
        failure.starts_with("never: the key vault https://shop.vault.azure.net: the certificate of `shop.vault.azure.net` is not one that this machine trusts"),
        "{failure}"
    );
    assert!(shop.place.azure.asked().is_empty());
}

#[test]
fn an_answer_that_is_none_is_not_repeated() {
    let shop = Shop::new();
    assert_eq!(shop.secret(), "canary-1");
    for body in [r#"{"value": ["canary"]}"#, "canary", "{}"] {
        shop.place.wait(25 * 60);
        shop.place.azure.say_instead(PASSWORD, 200, &[], body);
        assert_eq!(
            shop.failure("password"),
            "later: what the key vault https://shop.vault.azure.net answers can't be understood"
        );
    }
}

#[test]
fn it_can_be_read_from_wherever_one_is() {
    let shop = Shop::new();
    let one = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(one.block_on(async { shop.secret() }), "canary-1");
    shop.place.wait(120);
    let many = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let shop = Arc::new(shop);
    let reading = Arc::clone(&shop);
    let read = many.spawn(async move { reading.secret() });
    assert_eq!(many.block_on(read).unwrap(), "canary-1");
    assert_eq!(shop.place.asked(PASSWORD), 3);
}
