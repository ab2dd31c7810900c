//! Signatures by an account's key, for requests that others make.

use object_store::azure::{AzureAccessKey, AzureAuthorizer, AzureCredential};
use object_store::client::HttpRequestBody;

use super::BadContainer;

/// Signs requests to one storage account: its blobs and its queues.
pub struct SharedKey {
    account: String,
    credential: AzureCredential,
}

impl SharedKey {
    /// With the key that the account's page shows.
    pub fn new(account: impl Into<String>, key: &str) -> Result<Self, BadContainer> {
        let key = AzureAccessKey::try_new(key).map_err(|_| BadContainer::Credential)?;
        Ok(Self {
            account: account.into(),
            credential: AzureCredential::AccessKey(key),
        })
    }

    /// The headers that a request has to have besides its own, in place of those of the same name. `None` if it is no request.
    pub fn headers<'a>(
        &self,
        method: &str,
        url: &str,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Option<Vec<(String, String)>> {
        let mut request = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let mut request = request.body(HttpRequestBody::empty()).ok()?;
        AzureAuthorizer::new(&self.credential, &self.account).authorize(&mut request);
        let signed = ["date", "x-ms-date", "x-ms-version", "authorization"].into_iter();
        let value = |name: &str| {
            let value = request.headers().get(name)?.to_str().ok()?;
            Some((name.to_owned(), value.to_owned()))
        };
        Some(signed.filter_map(value).collect())
    }
}

/// Shows no key.
impl std::fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the key of {}", self.account)
    }
}
