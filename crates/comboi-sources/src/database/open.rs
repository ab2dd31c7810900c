//! From what people write to a database.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use comboi_project::{
    NoVault, Secret, SecretName, Secrets, SecretsError, Setting, Source, UnresolvedSetting,
};

use super::azure_sql::AzureSql;
use super::client::{Database, Identity, Tokens};
use super::postgres::Postgres;
use super::renewing::Renewing;
use crate::Error;

/// Opens the databases of a project. Cheap to clone.
#[derive(Clone)]
pub struct Databases {
    secrets: Arc<dyn Secrets>,
    tokens: Arc<dyn Tokens>,
}

impl Databases {
    /// With secrets and tokens from these places; both are asked when a database is opened, not before.
    pub fn new(secrets: Arc<dyn Secrets>, tokens: Arc<dyn Tokens>) -> Self {
        Self { secrets, tokens }
    }

    /// The database of a source, and what people should know of its configuration. It is not connected to yet. When a login
    /// is refused later, and the key vault has another password by then, that one is taken.
    pub fn open(&self, source: &Source) -> Result<(Arc<dyn Database>, Vec<String>), Error> {
        Renewing::open(self, source)
    }

    /// The value of a setting, its secrets from the place where those of databases come from.
    pub fn reveal(&self, setting: &Setting) -> Result<Secret, UnresolvedSetting> {
        setting.resolve(self.secrets())
    }

    pub(super) fn secrets(&self) -> &dyn Secrets {
        self.secrets.as_ref()
    }

    /// With secrets from another place.
    pub(super) fn open_with(
        &self,
        secrets: &dyn Secrets,
        source: &Source,
    ) -> Result<(Arc<dyn Database>, Vec<String>), Error> {
        let tokens = Arc::clone(&self.tokens);
        match source {
            Source::Postgres(database) => {
                let opened = Postgres::new(&database.connection, secrets, tokens)?;
                Ok((Arc::new(opened), Vec::new()))
            }
            Source::AzureSql(database) => {
                let (opened, warnings) = AzureSql::new(&database.connection, secrets, tokens)?;
                Ok((Arc::new(opened), warnings))
            }
            Source::Files(_) => Err(Error::Configuration("it is no database".into())),
        }
    }
}

/// The file of certificates that a source's connection names. None where the connection can't be understood either.
pub fn certificates(source: &Source) -> Option<PathBuf> {
    match source {
        Source::Postgres(database) => Postgres::certificates(&database.connection, &AnySecret),
        Source::AzureSql(database) => AzureSql::certificates(&database.connection, &AnySecret),
        Source::Files(_) => None,
    }
}

/// Stands in for secrets that nobody has to know yet.
struct AnySecret;

impl Secrets for AnySecret {
    fn secret(&self, _: &SecretName) -> Result<Secret, SecretsError> {
        Ok(Secret::new("secret"))
    }

    fn secret_anew(&self, name: &SecretName) -> Result<Secret, SecretsError> {
        self.secret(name)
    }
}

/// Without a key vault and without an identity.
impl Default for Databases {
    fn default() -> Self {
        Self::new(Arc::new(NoVault), Arc::new(NoIdentity))
    }
}

impl fmt::Debug for Databases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Databases").finish_non_exhaustive()
    }
}

/// Has no token for anybody.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoIdentity;

#[async_trait]
impl Tokens for NoIdentity {
    async fn token(&self, _scope: &str, identity: &Identity) -> Result<String, Error> {
        Err(Error::Refused {
            doing: format!("get a token for {identity:?}"),
            why: "this program knows no identity".into(),
        })
    }
}
