//! Who comboi is: tokens, kept until shortly before they end.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::credentials::{AccessToken, TokenCredential, TokenRequestOptions};
use azure_core::error::ErrorKind;
use chrono::{DateTime, TimeDelta, Utc};
use comboi_sources::Error;
use comboi_sources::database::{Identity, Tokens};

use crate::Machine;
use crate::keep::{Age, Fetched, Keep};
use crate::sign_in::{NotSignedIn, Way, ways};

/// Whoever logs in with a token wants it to be good for a while.
const BEFORE_ITS_END: TimeDelta = TimeDelta::minutes(5);
/// When no new one can be had, the old one is good to the last.
const TO_THE_LAST: TimeDelta = TimeDelta::seconds(30);

/// Tokens of Microsoft Entra for the identities of this machine.
pub struct Identities {
    pub(crate) machine: Machine,
    kept: Keep<(Identity, String), AccessToken, NoToken>,
}

/// Nobody gave a token. Says who was asked, and what each of them said.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{why}")]
pub struct NoToken {
    pub(crate) why: String,
    pub(crate) passes: bool,
}

impl Identities {
    /// Asks nobody yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            kept: Keep::default(),
        }
    }

    /// An identity as Microsoft's libraries take it.
    pub fn credential(self: &Arc<Self>, identity: Identity) -> Arc<dyn TokenCredential> {
        Arc::new(Credential {
            identities: Arc::clone(self),
            identity,
        })
    }

    /// A token that is good for some minutes at least, where one can be had.
    pub async fn bearer(&self, scope: &str, identity: &Identity) -> Result<String, NoToken> {
        let token = self.get(scope, identity).await?;
        Ok(token.token.secret().to_owned())
    }

    async fn get(&self, scope: &str, identity: &Identity) -> Result<AccessToken, NoToken> {
        let key = (identity.clone(), scope.to_owned());
        let fetch = self.fetch(scope, identity);
        let passes = |error: &NoToken| error.passes;
        self.kept
            .get(&key, Age::Fresh, &self.machine, passes, fetch)
            .await
    }

    async fn fetch(&self, scope: &str, who: &Identity) -> Result<Fetched<AccessToken>, NoToken> {
        let ways = ways(who, &self.machine).map_err(|why| NoToken { why, passes: false })?;
        let mut tried = Vec::new();
        for way in &ways {
            match way.token(scope, &self.machine).await {
                Ok(token) => {
                    let end = token.expires_on.unix_timestamp();
                    let end = DateTime::from_timestamp(end, 0).unwrap_or_default();
                    return Ok(good_until(token, end, self.machine.now()));
                }
                Err(error) => tried.push((way, error)),
            }
        }
        let told = |(way, error): &(&Way, NotSignedIn)| format!("{way}: {}", error.why);
        let told: Vec<_> = tried.iter().map(told).collect();
        Err(NoToken {
            why: match told.as_slice() {
                [one] => one.clone(),
                several => format!(
                    "nobody is logged in here ({}); in Azure give the machine a managed identity, on your own machine run `az login`, anywhere set `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`",
                    several.join("; ")
                ),
            },
            passes: tried.iter().any(|(_, error)| error.passes),
        })
    }
}

fn good_until(token: AccessToken, end: DateTime<Utc>, now: DateTime<Utc>) -> Fetched<AccessToken> {
    // Some live only for minutes.
    let before = BEFORE_ITS_END.min((end - now) / 2);
    Fetched {
        value: token,
        fresh_until: end - before,
        usable_until: end - TO_THE_LAST,
    }
}

#[async_trait]
impl Tokens for Identities {
    async fn token(&self, scope: &str, identity: &Identity) -> Result<String, Error> {
        let token = self.bearer(scope, identity).await;
        token.map_err(|NoToken { why, passes }| {
            let doing = format!("get a token for {}", scope.trim_end_matches("/.default"));
            if passes {
                Error::Lost { doing, why }
            } else {
                Error::Refused { doing, why }
            }
        })
    }
}

/// Shows no token.
impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identities")
    }
}

#[derive(Debug)]
struct Credential {
    identities: Arc<Identities>,
    identity: Identity,
}

#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        let scope = scopes.first().copied().unwrap_or_default();
        let token = self.identities.get(scope, &self.identity).await;
        token.map_err(|e| azure_core::Error::new(ErrorKind::Credential, e))
    }
}
