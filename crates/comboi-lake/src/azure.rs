//! Containers of Azure Storage.
//!
//! The blob endpoint is used, of accounts with a hierarchical namespace too: it has the conditional writes that commits need, and
//! an account answers there the same as at its `dfs` endpoint.

mod explained;
mod shared_key;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use comboi_project::Secret;
use object_store::azure::{AzureCredential, MicrosoftAzureBuilder};
use object_store::{BackoffConfig, ClientOptions, CredentialProvider, RetryConfig};

use crate::error::{Error, Source};
use crate::root::Root;
pub(crate) use explained::Advice;
use explained::Explained;
pub use shared_key::SharedKey;

/// A container of an account.
#[derive(Debug)]
pub struct Container {
    /// The account's name.
    pub account: String,
    /// The container's name: 3 to 63 lower-case letters, digits and `-`.
    pub name: String,
    /// Another address than Azure's public one, up to the account: `https://lake.blob.core.usgovcloudapi.net`, or an emulator's
    /// `http://127.0.0.1:10000/devstoreaccount1`.
    pub endpoint: Option<String>,
    /// How to get in.
    pub access: Access,
}

/// How to get into a container.
pub enum Access {
    /// By the account's key or a shared access signature, whichever the text is.
    Credential(Secret),
    /// As who this machine is.
    Tokens(Arc<dyn StorageTokens>),
}

/// Shows no secret.
impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Credential(_) => "a credential",
            Self::Tokens(_) => "an identity",
        })
    }
}

/// Where tokens for Azure Storage come from.
#[async_trait]
pub trait StorageTokens: fmt::Debug + Send + Sync {
    /// A token for `https://storage.azure.com/.default` that is good for some minutes. It is asked for at each request, so
    /// whoever gives it keeps it as long as it is good.
    async fn token(&self) -> Result<String, Source>;
}

/// What can't be right about a container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadContainer {
    /// Azure allows no such name.
    #[error(
        "`{0}` is not the name of a storage account: it has 3 to 24 lower-case letters and digits"
    )]
    Account(String),
    /// Azure allows no such name.
    #[error(
        "`{0}` is not the name of a container: it has 3 to 63 lower-case letters, digits and single `-`"
    )]
    Name(String),
    /// It is no address, or not one that this works with.
    #[error("the endpoint {0}")]
    Endpoint(String),
    /// The secret is neither a key nor a signature. It is not shown.
    #[error(
        "the credential is neither an account key (88 letters that end in `==`) nor a shared access signature (`sv=…&sig=…`)"
    )]
    Credential,
}

impl Root {
    /// A container. Nothing is asked of it yet: it has to be there, and is not made.
    pub fn container(container: Container) -> Result<Self, Error> {
        let place = format!("{}/{}", container.account, container.name);
        let unusable = |source: Source| Error::Unavailable {
            dataset: place.clone(),
            doing: "use the container",
            source,
        };
        container.check().map_err(|e| unusable(e.into()))?;
        let endpoint = container
            .endpoint
            .clone()
            .unwrap_or_else(|| format!("https://{}.blob.core.windows.net", container.account));
        let builder = MicrosoftAzureBuilder::new()
            .with_account(&container.account)
            .with_container_name(&container.name)
            .with_allow_http(endpoint.starts_with("http://"))
            .with_endpoint(endpoint.trim_end_matches('/').to_owned())
            .with_client_options(options(&endpoint))
            .with_retry(retries());
        let builder = match &container.access {
            Access::Credential(secret) => match signature(secret.expose()) {
                Some(pairs) => builder.with_sas_authorization(pairs),
                None => builder.with_access_key(secret.expose()),
            },
            Access::Tokens(tokens) => {
                builder.with_credentials(Arc::new(Bridge(Arc::clone(tokens))))
            }
        };
        let store = builder.build().map_err(|e| unusable(e.into()))?;
        Ok(Self::store(Arc::new(Explained::new(
            Arc::new(store),
            container.account,
            container.name,
        ))))
    }
}

impl Container {
    fn check(&self) -> Result<(), BadContainer> {
        let letters = |text: &str, more: &str| {
            text.chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
        };
        if !(3..=24).contains(&self.account.len()) || !letters(&self.account, "") {
            return Err(BadContainer::Account(self.account.clone()));
        }
        let name = &self.name;
        let dashes = name.contains("--") || name.starts_with('-') || name.ends_with('-');
        if !(3..=63).contains(&name.len()) || !letters(name, "-") || dashes {
            return Err(BadContainer::Name(name.clone()));
        }
        if let Some(endpoint) = &self.endpoint {
            check_endpoint(endpoint).map_err(BadContainer::Endpoint)?;
        }
        match &self.access {
            Access::Credential(secret) => {
                let text = secret.expose();
                if signature(text).is_some() || is_key(text) {
                    Ok(())
                } else {
                    Err(BadContainer::Credential)
                }
            }
            Access::Tokens(_) => Ok(()),
        }
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), String> {
    let url = url::Url::parse(endpoint).map_err(|e| {
        format!("is no address ({e}); write `https://<account>.blob.core.windows.net`")
    })?;
    let host = url.host_str().unwrap_or_default();
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    match url.scheme() {
        _ if host.contains(".dfs.") => Err(format!(
            "is the account's `dfs` endpoint; write `{}`, where commits can be made safely",
            endpoint.replacen(".dfs.", ".blob.", 1)
        )),
        "https" => Ok(()),
        "http" if here => Ok(()),
        "http" => Err("would send data and credentials unencrypted; write `https://`".to_owned()),
        other => Err(format!("begins with `{other}://`; write `https://`")),
    }
}

/// The pairs of a shared access signature; `None` if the text is none.
fn signature(text: &str) -> Option<Vec<(String, String)>> {
    let query = text.trim().trim_start_matches('?');
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let has = |key: &str| {
        pairs
            .iter()
            .any(|(name, value)| name == key && !value.is_empty())
    };
    (has("sig") && has("sv")).then_some(pairs)
}

/// Whether a text may be the base64 of some bytes, as account keys are.
fn is_key(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len() >= 16
        && text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
}

fn options(endpoint: &str) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(endpoint.starts_with("http://"))
        // One block of an upload over a slow line.
        .with_timeout(std::time::Duration::from_secs(120))
}

/// Throttling passes; a task that waits longer than this is tried again as a whole.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 8,
        retry_timeout: std::time::Duration::from_secs(90),
    }
}

/// Nobody gave a token for the storage.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NoLogin(Source);

/// Tokens as the storage asks for them.
#[derive(Debug)]
struct Bridge(Arc<dyn StorageTokens>);

#[async_trait]
impl CredentialProvider for Bridge {
    type Credential = AzureCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AzureCredential>> {
        let token = self.0.token().await;
        token
            .map(|token| Arc::new(AzureCredential::BearerToken(token)))
            .map_err(|why| object_store::Error::Unauthenticated {
                path: String::new(),
                source: Box::new(NoLogin(why)),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(account: &str, name: &str, endpoint: Option<&str>, credential: &str) -> String {
        let container = Container {
            account: account.into(),
            name: name.into(),
            endpoint: endpoint.map(str::to_owned),
            access: Access::Credential(Secret::new(credential)),
        };
        container
            .check()
            .err()
            .map_or_else(|| "good".to_owned(), |e| e.to_string())
    }

    /// The key of the emulator, which its documentation prints.
    const KEY: &str =
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    #[test]
    fn what_can_not_be_a_container_is_told() {
        let good = told("lake", "bronze", None, KEY);
        assert_eq!(good, "good");
        let signed = "?sv=2024-11-04&ss=b&srt=co&sp=rwdl&se=2026-12-31&sig=c2lnbmF0dXJl";
        assert_eq!(told("lake", "bronze", None, signed), "good");
        let here = Some("http://127.0.0.1:10000/devstoreaccount1");
        assert_eq!(told("devstoreaccount1", "bronze", here, KEY), "good");
        for (account, name, endpoint, credential, expected) in [
            (
                "My-Lake",
                "bronze",
                None,
                KEY,
                "`My-Lake` is not the name of a storage account",
            ),
            (
                "lake",
                "Bronze",
                None,
                KEY,
                "`Bronze` is not the name of a container",
            ),
            (
                "lake",
                "a--b",
                None,
                KEY,
                "`a--b` is not the name of a container",
            ),
            (
                "lake",
                "bronze",
                None,
                "hunter2",
                "the credential is neither",
            ),
            (
                "lake",
                "bronze",
                Some("lake"),
                KEY,
                "the endpoint is no address",
            ),
            (
                "lake",
                "bronze",
                Some("https://lake.dfs.core.windows.net"),
                KEY,
                "the endpoint is the account's `dfs` endpoint; write `https://lake.blob.core.windows.net`",
            ),
            (
                "lake",
                "bronze",
                Some("http://lake.blob.core.windows.net"),
                KEY,
                "the endpoint would send data and credentials unencrypted",
            ),
        ] {
            let told = told(account, name, endpoint, credential);
            assert!(told.starts_with(expected), "{told}");
            assert!(!told.contains("hunter2"));
        }
    }
}
