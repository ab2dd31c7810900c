//! Secrets of a Key Vault, fetched when they are first used.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, OnceLock};

use azure_core::time::OffsetDateTime;
use azure_security_keyvault_secrets::{SecretClient, SecretClientOptions};
use chrono::{DateTime, TimeDelta};
use comboi_project::{Secret, SecretName, Secrets, SecretsError, VaultUrl};
use comboi_sources::database::Identity;

use crate::Identities;
use crate::failure::{Answer, Failure, Silence};
use crate::identity::NoToken;
use crate::keep::{Age, Fetched, Keep};
use crate::wait::wait;

/// A process that runs for long looks again from time to time.
const FRESH: TimeDelta = TimeDelta::hours(1);
/// While the vault does not answer, what it said last will do for so long.
const USABLE: TimeDelta = TimeDelta::days(1);
/// A value that is doubted is asked for again, but not by each of many tasks.
const DOUBTED: TimeDelta = TimeDelta::seconds(10);

/// A Key Vault, read as whoever this machine is. Each secret is fetched once, and again after an hour, when it has ended, or
/// when somebody doubts it.
pub struct Vault {
    url: VaultUrl,
    identities: Arc<Identities>,
    /// It remembers what tokens the vault wants.
    client: OnceLock<SecretClient>,
    kept: Keep<SecretName, Arc<str>, SecretsError>,
}

impl Vault {
    /// Asks for nothing yet.
    pub fn new(url: VaultUrl, identities: Arc<Identities>) -> Self {
        Self {
            url,
            identities,
            client: OnceLock::new(),
            kept: Keep::default(),
        }
    }

    fn get(&self, name: &SecretName, age: Age) -> Result<Secret, SecretsError> {
        let machine = &self.identities.machine;
        let passes = |error: &SecretsError| matches!(error, SecretsError::Unavailable(_));
        let work = self.kept.get(name, age, machine, passes, self.fetch(name));
        let value = wait(work).map_err(|e| {
            SecretsError::Unavailable(format!("the key vault could not be asked: {e}"))
        })??;
        Ok(Secret::new(value.as_ref()))
    }

    async fn fetch(&self, name: &SecretName) -> Result<Fetched<Arc<str>>, SecretsError> {
        let nonsense = || {
            SecretsError::Unavailable(format!(
                "what the key vault {} answers can't be understood",
                self.url
            ))
        };
        let asked = self.client()?.get_secret(name.as_str(), None).await;
        let answer = asked.map_err(|e| self.explained(name, &e))?;
        let secret = answer.into_model().map_err(|_| nonsense())?;
        let value = secret.value.ok_or_else(nonsense)?;
        let now = self.identities.machine.now();
        let end = secret
            .attributes
            .and_then(|attributes| attributes.expires)
            .map(OffsetDateTime::unix_timestamp)
            .and_then(|end| DateTime::from_timestamp(end, 0))
            // Vaults give out what has ended, too.
            .filter(|end| *end > now);
        Ok(Fetched {
            value: value.into(),
            fresh_until: end.map_or(now + FRESH, |end| end.min(now + FRESH)),
            usable_until: end.map_or(now + USABLE, |end| end.min(now + USABLE)),
        })
    }

    fn client(&self) -> Result<&SecretClient, SecretsError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        let options = SecretClientOptions {
            client_options: self.identities.machine.wire.options(),
            ..SecretClientOptions::default()
        };
        let credential = self.identities.credential(Identity::Default);
        let client = SecretClient::new(self.url.as_str(), credential, Some(options))
            .map_err(|e| SecretsError::Refused(format!("the key vault can't be used: {e}")))?;
        Ok(self.client.get_or_init(|| client))
    }

    fn explained(&self, name: &SecretName, error: &azure_core::Error) -> SecretsError {
        let vault = format!("the key vault {}", self.url);
        if let Some(failure) = Failure::of(error) {
            return match failure {
                Failure::Answer(answer) => self.refused(name, answer),
                Failure::Silence {
                    why: Silence::NoSuchHost,
                    ..
                } => SecretsError::Refused(format!(
                    "there is no key vault {}; mend `vault_url`",
                    self.url
                )),
                Failure::Silence {
                    why: Silence::Refused | Silence::Unreachable,
                    ..
                } => SecretsError::Unavailable(format!(
                    "{vault}: {failure}; if there is no such vault, mend `vault_url`, else let this machine's network reach it"
                )),
                _ if failure.passes() => SecretsError::Unavailable(format!("{vault}: {failure}")),
                _ => SecretsError::Refused(format!("{vault}: {failure}")),
            };
        }
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(NoToken { why, passes }) = error.downcast_ref() {
                let text = format!("there is no login for {vault}: {why}");
                return if *passes {
                    SecretsError::Unavailable(text)
                } else {
                    SecretsError::Refused(text)
                };
            }
            cause = error.source();
        }
        // The library checks who asks for a token before it gives one.
        SecretsError::Refused(format!(
            "what answers at {} is no key vault; mend `vault_url`",
            self.url
        ))
    }

    fn refused(&self, name: &SecretName, answer: &Answer) -> SecretsError {
        let url = &self.url;
        let short = url.name();
        if answer.passes {
            let why = match answer.status {
                429 => "is asked too much (429)".to_owned(),
                status => format!("fails ({status}: {answer})"),
            };
            return SecretsError::Unavailable(format!("the key vault {url} {why}"));
        }
        let is = |code| answer.says(code);
        SecretsError::Refused(match answer.status {
            404 => format!(
                "the key vault {url} has no secret `{name}`; make it with `az keyvault secret set --vault-name {short} --name {name}`, or mend the name"
            ),
            403 if is("SecretDisabled") || answer.message.contains("disabled") => {
                format!("the secret is disabled in the key vault {url}; enable it there")
            }
            403 if is("ForbiddenByFirewall") || is("ForbiddenByConnection") => format!(
                "the firewall of the key vault {url} does not let this machine in; allow its network under the vault's Networking ({answer})"
            ),
            403 => format!(
                "the key vault {url} does not let us read it; give the identity the role Key Vault Secrets User there, and wait some minutes ({answer})"
            ),
            401 => format!(
                "the key vault {url} does not take the token, which may be of another directory than the vault's; log in to that one ({answer})"
            ),
            status => format!("the key vault {url} refuses ({status}: {answer})"),
        })
    }
}

impl Secrets for Vault {
    fn secret(&self, name: &SecretName) -> Result<Secret, SecretsError> {
        self.get(name, Age::Fresh)
    }

    fn secret_anew(&self, name: &SecretName) -> Result<Secret, SecretsError> {
        self.get(name, Age::AtMost(DOUBTED))
    }
}

/// Shows no secret.
impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key vault {}", self.url)
    }
}
