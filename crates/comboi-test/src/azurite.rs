//! Containers and queues of a test's own, on the tests' Azurite.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use object_store::ObjectStore;
use object_store::azure::{
    AzureAccessKey, AzureAuthorizer, AzureCredential, MicrosoftAzureBuilder,
};
use object_store::client::HttpRequestBody;
use tokio::runtime::Runtime;

use crate::services::service;

/// The emulator's account, and its key, which its documentation prints.
pub const ACCOUNT: &str = "devstoreaccount1";
/// The key of [`ACCOUNT`].
pub const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The tests' Azurite: an emulator of Azure's blobs and queues.
pub struct Azurite {
    http: reqwest::Client,
    runtime: Runtime,
    unique: String,
    blobs: String,
    queues: String,
    /// The addresses of containers and queues that were made.
    made: Mutex<Vec<String>>,
}

/// What a server said.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: String,
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, _)| it == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

impl Default for Azurite {
    fn default() -> Self {
        Self::new()
    }
}

impl Azurite {
    /// Names that no other test has.
    ///
    /// # Panics
    /// When the server was not started.
    pub fn new() -> Self {
        Self::at(Self::blob_endpoint(), Self::queue_endpoint(), client())
    }

    /// The other one, which takes tokens of Microsoft Entra, over TLS.
    ///
    /// # Panics
    /// When the server was not started.
    pub fn that_takes_tokens() -> Self {
        let authority = std::fs::read(Self::authority()).expect("scripts/services made it");
        let authority = reqwest::Certificate::from_pem(&authority).expect("openssl made it");
        Self::at(
            service("COMBOI_TEST_AZURITE_TLS_BLOB"),
            service("COMBOI_TEST_AZURITE_TLS_QUEUE"),
            builder()
                .add_root_certificate(authority)
                .build()
                .expect("a client can be made"),
        )
    }

    /// Who vouches for the one that takes tokens.
    pub fn authority() -> PathBuf {
        service("COMBOI_TEST_AZURITE_TLS_CA").into()
    }

    fn at(blobs: String, queues: String, http: reqwest::Client) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        Self {
            http,
            runtime,
            unique: uuid::Uuid::new_v4().simple().to_string(),
            blobs,
            queues,
            made: Mutex::default(),
        }
    }

    /// The address of the blobs of this one, up to the account.
    pub fn blobs(&self) -> &str {
        &self.blobs
    }

    /// The address of the queues of this one, up to the account.
    pub fn queues(&self) -> &str {
        &self.queues
    }

    /// The address of its blobs, up to the account.
    pub fn blob_endpoint() -> String {
        service("COMBOI_TEST_AZURITE_BLOB")
    }

    /// The address of its queues, up to the account.
    pub fn queue_endpoint() -> String {
        service("COMBOI_TEST_AZURITE_QUEUE")
    }

    /// What a Functions app has as its connection to a storage account.
    pub fn connection_string() -> String {
        format!(
            "DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={ACCOUNT_KEY};BlobEndpoint={};QueueEndpoint={};",
            Self::blob_endpoint(),
            Self::queue_endpoint()
        )
    }

    /// A name of this test's own.
    pub fn name(&self, what: &str) -> String {
        format!("{what}-{}", &self.unique)
    }

    /// Makes a container of this test's own.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn container(&self, what: &str) -> String {
        let name = self.name(what);
        self.make(format!("{}/{name}?restype=container", self.blobs));
        name
    }

    /// Makes a queue of this test's own.
    ///
    /// # Panics
    /// When it can't be made.
    pub fn queue(&self, what: &str) -> String {
        let name = self.name(what);
        self.make(format!("{}/{name}", self.queues));
        name
    }

    fn make(&self, url: String) {
        let made = self.ask("PUT", &url, String::new());
        assert_eq!(made.status, 201, "{}", made.body);
        self.made.lock().expect("nobody panics with it").push(url);
    }

    /// The objects of a container.
    pub fn store(container: &str) -> Arc<dyn ObjectStore> {
        let store = MicrosoftAzureBuilder::new()
            .with_account(ACCOUNT)
            .with_access_key(ACCOUNT_KEY)
            .with_container_name(container)
            .with_endpoint(Self::blob_endpoint())
            .with_allow_http(true)
            .build();
        Arc::new(store.expect("the emulator's settings are good"))
    }

    /// Waits for something on this test's own runtime.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// A signed request.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn ask(&self, method: &str, url: &str, body: String) -> Answer {
        self.block_on(ask(&self.http, method, url, body))
    }
}

/// Azurite looks through the blobs of all containers for those of one, so it would be slower with each test.
impl Drop for Azurite {
    fn drop(&mut self) {
        let made = self.made.get_mut().map(std::mem::take).unwrap_or_default();
        for url in made {
            if !std::thread::panicking() {
                self.ask("DELETE", &url, String::new());
            }
        }
    }
}

/// Azurite ends connections that have been idle for five seconds, and a request that meets such an end fails.
pub(crate) fn client() -> reqwest::Client {
    builder().build().expect("a client can be made")
}

fn builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_idle_timeout(std::time::Duration::from_secs(2))
}

/// A signed request, as the storage's REST interface wants it.
pub(crate) async fn ask(http: &reqwest::Client, method: &str, url: &str, body: String) -> Answer {
    let mut request = ::http::Request::builder()
        .method(method)
        .uri(url)
        .body(HttpRequestBody::empty())
        .expect("the test's address is one");
    if !body.is_empty() {
        request
            .headers_mut()
            .insert("content-length", body.len().into());
    }
    let key = AzureAccessKey::try_new(ACCOUNT_KEY).expect("the key is good");
    AzureAuthorizer::new(&AzureCredential::AccessKey(key), ACCOUNT).authorize(&mut request);
    let (parts, _) = request.into_parts();
    let send = || {
        let request = http.request(parts.method.clone(), url);
        request
            .headers(parts.headers.clone())
            .body(body.clone())
            .send()
    };
    // A busy Azurite resets connections.
    let mut sent = send().await;
    for _ in 0..3 {
        if sent.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        sent = send().await;
    }
    let answer = sent.expect("Azurite answers");
    let status = answer.status().as_u16();
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    let headers = answer.headers().iter().map(text).collect();
    Answer {
        status,
        headers,
        body: answer.text().await.unwrap_or_default(),
    }
}
