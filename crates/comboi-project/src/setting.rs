//! Values that may hold secrets.

use std::fmt;
use std::str::FromStr;

use crate::Place;

/// The name of a secret in a key vault: letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(String);

impl SecretName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text is not the name of a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a secret")]
pub struct BadSecretName(String);

impl FromStr for SecretName {
    type Err = BadSecretName;
    fn from_str(text: &str) -> Result<Self, BadSecretName> {
        // The rule of Azure Key Vault.
        let good = (1..=127).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if good {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadSecretName(text.chars().take(60).collect()))
        }
    }
}

/// A piece of a setting.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Text(String),
    Secret(SecretName),
}

/// Shows no text: it may be a password.
impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("…"),
            Self::Secret(name) => write!(f, "{{{{keyvault:{name}}}}}"),
        }
    }
}

/// A text whose parts may be secrets, such as `Server=…;Pwd={{keyvault:azure-sql-password}}`.
///
/// Secrets are fetched when the setting is used, by [`Setting::resolve`]. Its `Debug` shows the names of its
/// secrets and nothing else, because a password may also have been written out.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting {
    parts: Vec<Part>,
    place: Place,
}

impl Setting {
    pub(crate) fn new(parts: Vec<Part>, place: Place) -> Self {
        Self { parts, place }
    }

    /// A setting that holds no secret of a vault.
    pub fn plain(text: impl Into<String>, place: Place) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
            place,
        }
    }

    /// Where it was written.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The text, if no part of it has to be fetched. May still be a password: not for messages.
    pub fn plain_text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The names of the secrets in it.
    pub fn secret_names(&self) -> impl Iterator<Item = &SecretName> {
        self.parts.iter().filter_map(|part| match part {
            Part::Secret(name) => Some(name),
            Part::Text(_) => None,
        })
    }

    /// The whole value, its secrets fetched. An error names the secret and the place that uses it.
    pub fn resolve(&self, secrets: &dyn Secrets) -> Result<Secret, UnresolvedSetting> {
        let mut value = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => value.push_str(text),
                Part::Secret(name) => {
                    let secret = secrets.secret(name).map_err(|source| UnresolvedSetting {
                        secret: name.clone(),
                        used_at: self.place.clone(),
                        source,
                    })?;
                    value.push_str(secret.expose());
                }
            }
        }
        Ok(Secret(value))
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Setting(")?;
        self.parts
            .iter()
            .try_for_each(|part| write!(f, "{part:?}"))?;
        f.write_str(")")
    }
}

/// A value that nobody may see. It has no `Debug`, `Display` or `Serialize`, so it can't get into a log by accident.
pub struct Secret(String);

impl Secret {
    /// Keeps a value from being seen.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Where secrets come from.
pub trait Secrets: Send + Sync {
    /// The value of a secret. It may be the one of some time ago.
    fn secret(&self, name: &SecretName) -> Result<Secret, SecretsError>;

    /// The value that a secret has now, for whoever was refused with the one from [`Secrets::secret`].
    fn secret_anew(&self, name: &SecretName) -> Result<Secret, SecretsError>;
}

/// A secret could not be fetched. The texts say why, and what to do; without any secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// The project names no vault.
    #[error(
        "the configuration names no key vault; add `key_vault: {{vault_url: https://my-vault.vault.azure.net}}`"
    )]
    NoVault,
    /// There is no such vault or secret, or not for us: asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// The vault did not answer: asking again may help.
    #[error("{0}")]
    Unavailable(String),
}

/// A setting could not be completed because a secret in it could not be fetched.
#[derive(Debug, thiserror::Error)]
#[error("the secret `{secret}` that {used_at} uses could not be read")]
pub struct UnresolvedSetting {
    /// The secret.
    pub secret: SecretName,
    /// The place that uses it.
    pub used_at: Place,
    /// Why.
    pub source: SecretsError,
}

/// Knows no vault: every secret is an error that says so.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoVault;

impl Secrets for NoVault {
    fn secret(&self, _: &SecretName) -> Result<Secret, SecretsError> {
        Err(SecretsError::NoVault)
    }

    fn secret_anew(&self, _: &SecretName) -> Result<Secret, SecretsError> {
        Err(SecretsError::NoVault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            file: std::path::Path::new("configs/a.yml").into(),
            line: 3,
            column: 8,
        }
    }

    fn dsn() -> Setting {
        let secret = "sql-password".parse().unwrap();
        Setting::new(
            vec![
                Part::Text("Uid=me;Pwd=".to_owned()),
                Part::Secret(secret),
                Part::Text(";".to_owned()),
            ],
            place(),
        )
    }

    struct OneSecret;
    impl Secrets for OneSecret {
        fn secret(&self, name: &SecretName) -> Result<Secret, SecretsError> {
            assert_eq!(name.as_str(), "sql-password");
            Ok(Secret::new("hunter2"))
        }

        fn secret_anew(&self, name: &SecretName) -> Result<Secret, SecretsError> {
            self.secret(name)
        }
    }

    #[test]
    fn secrets_are_put_in_their_place() {
        let Ok(value) = dsn().resolve(&OneSecret) else {
            panic!("it resolves")
        };
        assert_eq!(value.expose(), "Uid=me;Pwd=hunter2;");
    }

    #[test]
    fn without_a_vault_the_error_names_the_secret_and_its_use() {
        let Err(error) = dsn().resolve(&NoVault) else {
            panic!("it has no vault")
        };
        assert_eq!(
            error.to_string(),
            "the secret `sql-password` that configs/a.yml:3:8 uses could not be read"
        );
        assert_eq!(
            error.source.to_string(),
            "the configuration names no key vault; add `key_vault: {vault_url: https://my-vault.vault.azure.net}`"
        );
    }

    #[test]
    fn debug_shows_names_of_secrets_and_no_text() {
        assert_eq!(
            format!("{:?}", dsn()),
            "Setting(…{{keyvault:sql-password}}…)"
        );
        assert_eq!(
            format!("{:?}", Setting::plain("Pwd=hunter2", place())),
            "Setting(…)"
        );
    }
}
