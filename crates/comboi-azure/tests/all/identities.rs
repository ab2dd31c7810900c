//! Who comboi is.

use comboi_sources::database::{Identity, Tokens as _};
use comboi_sources::worth_retrying;

use crate::{PRINCIPAL, Place, without_secrets};

const SCOPE: &str = "https://database.windows.net/.default";
const LOGIN: &str = "POST login.microsoftonline.com/home/oauth2/v2.0/token";
const METADATA: &str = "GET 169.254.169.254/metadata/identity/oauth2/token";

impl Place {
    async fn token(&self, identity: &Identity) -> String {
        self.identities.token(SCOPE, identity).await.unwrap()
    }

    /// How it fails, and whether it may be tried again.
    async fn failure(&self, identity: &Identity) -> String {
        let error = self.identities.token(SCOPE, identity).await.unwrap_err();
        let again = if worth_retrying(&error) {
            "later"
        } else {
            "never"
        };
        without_secrets(format!("{error:?}"));
        without_secrets(format!("{:?}", self.identities));
        without_secrets(format!("{again}: {error}"))
    }
}

#[tokio::test]
async fn a_token_is_kept_until_shortly_before_its_end() {
    let place = Place::new(PRINCIPAL);
    let token = place.token(&Identity::Default).await;
    assert_eq!(token, "canary-token-1");
    place.wait(54);
    assert_eq!(place.token(&Identity::Default).await, token);
    place.wait(2);
    assert_eq!(place.token(&Identity::Default).await, "canary-token-2");
    assert_eq!(place.azure.asked(), [LOGIN, LOGIN]);
}

#[tokio::test]
async fn tokens_are_for_one_purpose_and_one_identity() {
    let place = Place::new(PRINCIPAL);
    place.azure.give_machine("system");
    place.token(&Identity::Default).await;
    place.token(&Identity::Managed(None)).await;
    let storage = "https://storage.azure.com/.default";
    let other = place.identities.token(storage, &Identity::Default).await;
    assert!(other.unwrap().ends_with(".canary-token-3"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_at_once_shares_one_request() {
    let place = std::sync::Arc::new(Place::new(PRINCIPAL));
    let asking = (0..20).map(|_| {
        let place = std::sync::Arc::clone(&place);
        tokio::spawn(async move { place.token(&Identity::Default).await })
    });
    let asking: Vec<_> = asking.collect();
    for asked in asking {
        assert_eq!(asked.await.unwrap(), "canary-token-1");
    }
    assert_eq!(place.azure.asked(), [LOGIN]);
}

#[tokio::test]
async fn a_virtual_machine_has_its_identities() {
    let place = Place::new(&[]);
    place.azure.give_machine("system");
    place.azure.give_machine("robot");
    place.token(&Identity::Managed(None)).await;
    place.token(&Identity::Managed(Some("robot".into()))).await;
    let other = Identity::Managed(Some("other".into()));
    assert_eq!(
        place.failure(&other).await,
        "never: could not get a token for https://database.windows.net: the managed identity `other`: Identity not found; assign it to this machine, or mend the id that names it (`AZURE_CLIENT_ID`); nothing of it was loaded"
    );
}

#[tokio::test]
async fn a_token_in_a_file_stands_for_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let env: Vec<(&str, &str)> = vec![
        ("AZURE_TENANT_ID", "home"),
        ("AZURE_CLIENT_ID", "robot"),
        (
            "AZURE_FEDERATED_TOKEN_FILE",
            file.to_str().unwrap().to_owned().leak(),
        ),
    ];
    let place = Place::new(env.leak());
    let failure = place.failure(&Identity::Default).await;
    assert!(
        failure.starts_with("never: could not get a token for https://database.windows.net: the workload identity `robot`: there is no file `"),
        "{failure}"
    );
    std::fs::write(&file, "canary-client-secret").unwrap();
    place.wait(1);
    place.token(&Identity::Default).await;
}

#[tokio::test]
async fn who_is_refused_is_told_why() {
    let place = Place::new(&[]);
    let principal = |tenant: &str, client: &str, secret: &str| Identity::ServicePrincipal {
        tenant: Some(tenant.into()),
        client: client.into(),
        secret: secret.into(),
    };
    for (identity, expected) in [
        (
            principal("home", "robot", "canary-wrong"),
            "the service principal `robot`: AADSTS7000215: Invalid client secret provided",
        ),
        (
            principal("home", "nobody", "canary"),
            "the service principal `nobody`: AADSTS700016: Application was not found in the directory",
        ),
        (
            principal("elsewhere", "robot", "canary-client-secret"),
            "the service principal `robot`: AADSTS90002: Tenant not found",
        ),
        (
            principal("no tenant", "robot", "canary-client-secret"),
            "the service principal `robot`: invalid tenant ID no tenant. You can locate your tenantID by following the instructions listed here: https://learn.microsoft.com/partner-center/find-ids-and-domain-names",
        ),
    ] {
        assert_eq!(
            place.failure(&identity).await,
            format!(
                "never: could not get a token for https://database.windows.net: {expected}; nothing of it was loaded"
            )
        );
    }
}

#[tokio::test]
async fn what_passes_is_waited_for() {
    let place = Place::new(PRINCIPAL);
    place.azure.give_machine("system");
    place.azure.say_instead(LOGIN, 503, &[], "");
    place
        .azure
        .say_instead(LOGIN, 429, &["retry-after: 1"], "{}");
    place.token(&Identity::Default).await;
    assert_eq!(place.asked(LOGIN), 3);
    // It answers so while an identity is being set up. The first question is whether it is there at all.
    place.azure.say_instead(METADATA, 400, &[], "");
    place.azure.say_instead(METADATA, 404, &[], "");
    place.token(&Identity::Managed(None)).await;
    assert_eq!(place.asked(METADATA), 3);
}

#[tokio::test]
async fn nobody_waits_for_an_hour() {
    let place = Place::new(PRINCIPAL);
    place
        .azure
        .say_instead(LOGIN, 429, &["retry-after: 3600"], "{}");
    assert_eq!(
        place.failure(&Identity::Default).await,
        "later: could not get a token for https://database.windows.net: the service principal `robot`: status 429; nothing of it was loaded, and it can be run again"
    );
    // Whoever asks at once gets the same answer, without another question.
    place.failure(&Identity::Default).await;
    assert_eq!(place.asked(LOGIN), 1);
    place.wait(1);
    place.token(&Identity::Default).await;
}

#[tokio::test]
async fn an_old_token_does_while_no_new_one_is_given() {
    let place = Place::new(PRINCIPAL);
    let token = place.token(&Identity::Default).await;
    place.wait(57);
    let throttled = || {
        place
            .azure
            .say_instead(LOGIN, 429, &["retry-after: 3600"], "{}");
    };
    throttled();
    assert_eq!(place.token(&Identity::Default).await, token);
    place.wait(4);
    throttled();
    place.failure(&Identity::Default).await;
}

#[tokio::test]
async fn an_answer_that_is_none_is_not_repeated() {
    let place = Place::new(PRINCIPAL);
    let secret = r#"{"access_token": ["canary"], "expires_in": "canary", "ext_expires_in": 1}"#;
    place.azure.say_instead(LOGIN, 200, &[], secret);
    assert_eq!(
        place.failure(&Identity::Default).await,
        "later: could not get a token for https://database.windows.net: the service principal `robot`: the answer can't be understood; nothing of it was loaded, and it can be run again"
    );
    place.wait(1);
    let long = "canary".repeat(200_000);
    place.azure.say_instead(LOGIN, 200, &[], &long);
    let failure = place.failure(&Identity::Default).await;
    assert!(failure.contains("is far too long"), "{failure}");
    place.wait(1);
    let echo =
        r#"{"error": "canary-client-secret", "error_description": "bad canary-client-secret"}"#;
    place.azure.say_instead(LOGIN, 400, &[], echo);
    let failure = place.failure(&Identity::Default).await;
    assert!(failure.contains("bad …"), "{failure}");
}
