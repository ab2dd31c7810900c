//! Passwords that are changed while the program runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use comboi_project::{Secret, SecretName, Secrets, SecretsError, Source};

use super::client::{Connection, Database, Dialect};
use super::open::Databases;
use crate::Error;

/// A database whose login holds secrets. When it is refused, and a secret is another one by now, it is tried again with that.
pub(super) struct Renewing {
    databases: Databases,
    source: Source,
    /// Its SQL is that of all that come after it.
    first: Arc<dyn Database>,
    login: tokio::sync::Mutex<Login>,
}

struct Login {
    database: Arc<dyn Database>,
    secrets: Values,
}

type Values = BTreeMap<SecretName, String>;

impl Renewing {
    /// The database of a source: one of these if its login holds secrets.
    pub(super) fn open(
        databases: &Databases,
        source: &Source,
    ) -> Result<(Arc<dyn Database>, Vec<String>), Error> {
        let noting = Noting::of(databases.secrets(), |from, name| from.secret(name));
        let (database, warnings) = databases.open_with(&noting, source)?;
        let secrets = noting.values();
        if secrets.is_empty() {
            return Ok((database, warnings));
        }
        let renewing = Self {
            databases: databases.clone(),
            source: source.clone(),
            first: Arc::clone(&database),
            login: tokio::sync::Mutex::new(Login { database, secrets }),
        };
        Ok((Arc::new(renewing), warnings))
    }

    /// The database with the secrets of now, if they are others than those it was `refused` with.
    async fn renewed(&self, refused: &Arc<dyn Database>) -> Option<Arc<dyn Database>> {
        let mut login = self.login.lock().await;
        if Arc::ptr_eq(&login.database, refused) {
            let noting = Noting::of(self.databases.secrets(), |from, name| {
                from.secret_anew(name)
            });
            // What the vault says against it is not what the matter is.
            let (database, _) = self.databases.open_with(&noting, &self.source).ok()?;
            let secrets = noting.values();
            if secrets == login.secrets {
                return None;
            }
            *login = Login { database, secrets };
        }
        Some(Arc::clone(&login.database))
    }
}

#[async_trait]
impl Database for Renewing {
    fn dialect(&self) -> &dyn Dialect {
        self.first.dialect()
    }

    async fn connect(&self) -> Result<Box<dyn Connection>, Error> {
        let database = Arc::clone(&self.login.lock().await.database);
        let refused = match database.connect().await {
            Err(refused @ Error::Refused { .. }) => refused,
            connected_or_lost => return connected_or_lost,
        };
        match self.renewed(&database).await {
            Some(database) => database.connect().await,
            None => Err(refused),
        }
    }
}

impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)
    }
}

/// Notes which secrets are asked for, and what they are.
struct Noting<'a> {
    from: &'a dyn Secrets,
    how: How,
    noted: Mutex<Values>,
}

type How = fn(&dyn Secrets, &SecretName) -> Result<Secret, SecretsError>;

impl<'a> Noting<'a> {
    fn of(from: &'a dyn Secrets, how: How) -> Self {
        Self {
            from,
            how,
            noted: Mutex::default(),
        }
    }

    fn values(self) -> Values {
        let noted = self.noted.into_inner();
        noted.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Secrets for Noting<'_> {
    fn secret(&self, name: &SecretName) -> Result<Secret, SecretsError> {
        let secret = (self.how)(self.from, name)?;
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.insert(name.clone(), secret.expose().to_owned());
        Ok(secret)
    }

    fn secret_anew(&self, name: &SecretName) -> Result<Secret, SecretsError> {
        self.secret(name)
    }
}

#[cfg(test)]
mod tests {
    use comboi_project::Project;

    use super::*;
    use crate::database::NoIdentity;

    /// A vault with one secret: what a process keeps of it, what it is, and how often it was doubted.
    struct Vault(Mutex<(String, String, u32)>);

    impl Secrets for Vault {
        fn secret(&self, _: &SecretName) -> Result<Secret, SecretsError> {
            Ok(Secret::new(self.0.lock().unwrap().0.clone()))
        }

        fn secret_anew(&self, _: &SecretName) -> Result<Secret, SecretsError> {
            let mut vault = self.0.lock().unwrap();
            vault.0 = vault.1.clone();
            vault.2 += 1;
            Ok(Secret::new(vault.0.clone()))
        }
    }

    /// A server with a login of its own, whose password is in the vault.
    struct Shop {
        server: comboi_test::Postgres,
        role: String,
        vault: Arc<Vault>,
        database: Arc<dyn Database>,
    }

    impl Shop {
        fn new() -> Self {
            let server = comboi_test::Postgres::database();
            let role = format!("renewing_{}", server.name());
            server.run(&format!("CREATE ROLE {role} LOGIN PASSWORD 'first'"));
            let url = server.url();
            let (_, place) = url.split_once('@').unwrap();
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("shop.yml");
            let yaml = format!(
                "key_vault: {{vault_url: 'https://a.vault.azure.net'}}\nsources:\n  - name: shop\n    type: postgres\n    connection: {{conn_str: 'postgresql://{role}:{{{{keyvault:password}}}}@{place}'}}\n    tables: [{{name: t}}]\n"
            );
            std::fs::write(&file, yaml).unwrap();
            let project = Project::load(&file, &|_| None).unwrap();
            let first = "first".to_owned();
            let vault = Arc::new(Vault(Mutex::new((first.clone(), first, 0))));
            let secrets: Arc<dyn Secrets> = Arc::<Vault>::clone(&vault);
            let databases = Databases::new(secrets, Arc::new(NoIdentity));
            let (database, _) = databases.open(&project.sources[0]).unwrap();
            Self {
                server,
                role,
                vault,
                database,
            }
        }

        fn changes_to(&self, password: &str) {
            let change = format!("ALTER ROLE {} PASSWORD '{password}'", self.role);
            self.server.run(&change);
        }

        /// Whether so many connections at once can be had.
        fn connect(&self, count: usize) -> Vec<bool> {
            self.server.block_on(async {
                let connecting = (0..count).map(|_| self.database.connect());
                let connected = futures::future::join_all(connecting).await;
                connected.iter().map(Result::is_ok).collect()
            })
        }

        fn doubts(&self) -> u32 {
            self.vault.0.lock().unwrap().2
        }
    }

    impl Drop for Shop {
        fn drop(&mut self) {
            self.server.run(&format!("DROP ROLE {}", self.role));
        }
    }

    #[test]
    fn a_password_that_was_changed_is_taken_from_the_vault() {
        let shop = Shop::new();
        assert_eq!(shop.connect(1), [true]);
        assert_eq!(shop.doubts(), 0);
        shop.changes_to("second");
        shop.vault.0.lock().unwrap().1 = "second".into();
        assert_eq!(shop.connect(4), [true; 4]);
        // The others found that one had asked already.
        assert_eq!(shop.doubts(), 1);
        assert_eq!(shop.connect(1), [true]);
        assert_eq!(shop.doubts(), 1);
    }

    #[test]
    fn a_password_that_is_still_the_same_is_not_tried_again() {
        let shop = Shop::new();
        shop.changes_to("second");
        assert_eq!(shop.connect(1), [false]);
        assert_eq!(shop.doubts(), 1);
        shop.vault.0.lock().unwrap().1 = "second".into();
        assert_eq!(shop.connect(1), [true]);
    }

    #[test]
    fn whoever_has_looked_at_the_vault_meanwhile_does_not_hide_it() {
        let shop = Shop::new();
        shop.changes_to("second");
        // Another part of the program has fetched it since the database was opened.
        *shop.vault.0.lock().unwrap() = ("second".into(), "second".into(), 0);
        assert_eq!(shop.connect(1), [true]);
    }
}
