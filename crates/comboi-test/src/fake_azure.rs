//! Azure as far as identities and secrets go: Microsoft Entra, the managed identity of a machine, and key vaults.
//!
//! It is reached as a company's proxy is, so that whoever is tested asks the real addresses over real TLS.

mod answers;
mod serve;
mod token;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// A false Azure, gone when it is dropped.
pub struct FakeAzure {
    world: Arc<Mutex<World>>,
    address: SocketAddr,
    folder: PathBuf,
    _alive: oneshot::Sender<()>,
}

/// What there is.
#[derive(Default)]
struct World {
    /// By vault and name.
    secrets: BTreeMap<(String, String), StoredSecret>,
    /// Tenant and secret, by the application's id.
    principals: BTreeMap<String, (String, String)>,
    /// `system`, and ids of user-assigned ones.
    managed: Vec<String>,
    token_seconds: i64,
    /// Whom tokens are for, whoever they are asked for, if that is not whom.
    audience: Option<String>,
    /// Vaults that nobody may read.
    forbidden: Vec<String>,
    /// Tokens that were given out, and for what.
    tokens: BTreeMap<String, String>,
    /// Answers that come instead, once each: to the first request whose line has the text.
    instead: Vec<(String, Said)>,
    asked: Vec<String>,
}

struct StoredSecret {
    value: String,
    ends: Option<i64>,
}

/// What a server says.
struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl FakeAzure {
    /// The value that Functions and App Service give a process to prove itself with, at [`FakeAzure::identity_endpoint`].
    pub const IDENTITY_HEADER: &str = "canary-identity-header";

    /// Starts one, on a port of its own.
    ///
    /// # Panics
    /// When it can't be started.
    pub fn start() -> Self {
        let folder = std::env::temp_dir().join(format!("azure-{}", uuid::Uuid::new_v4().simple()));
        let tls = serve::certificate(&folder);
        let world = Arc::new(Mutex::new(World {
            token_seconds: 3600,
            ..World::default()
        }));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let (alive, gone) = oneshot::channel();
        let serving = Arc::clone(&world);
        // On a thread of its own: it is used in asynchronous code and outside of it.
        std::thread::spawn(move || serve::until(gone, listener, tls, serving));
        Self {
            world,
            address,
            folder,
            _alive: alive,
        }
    }

    /// The proxy by which everything is reached.
    pub fn proxy(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The file of the authority that has to be trusted.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("azure.crt")
    }

    /// Where Functions and App Service tell a process who it is.
    pub fn identity_endpoint(&self) -> String {
        format!("http://{}/msi/token", self.address)
    }

    /// Puts a secret into a vault, which is made if need be.
    pub fn keep_secret(&self, vault: &str, name: &str, value: &str) {
        self.keep_secret_until(vault, name, value, None);
    }

    /// The same with the time of its end, in seconds since 1970.
    pub fn keep_secret_until(&self, vault: &str, name: &str, value: &str, ends: Option<i64>) {
        let key = (vault.to_owned(), name.to_owned());
        let value = value.to_owned();
        self.world()
            .secrets
            .insert(key, StoredSecret { value, ends });
    }

    /// Knows a service principal from now on.
    pub fn know_principal(&self, tenant: &str, client: &str, secret: &str) {
        let known = (tenant.to_owned(), secret.to_owned());
        self.world().principals.insert(client.to_owned(), known);
    }

    /// Gives the machine an identity: `system`, or the id of one.
    pub fn give_machine(&self, identity: &str) {
        self.world().managed.push(identity.to_owned());
    }

    /// A token as a tool gives it to whoever has logged in with it.
    pub fn token(&self, scope: &str) -> String {
        self.world().give_token(scope)
    }

    /// How long tokens live from now on.
    pub fn tokens_live(&self, seconds: i64) {
        self.world().token_seconds = seconds;
    }

    /// Whom tokens for the storage are for from now on; `None`: for the storage.
    pub fn tokens_are_for(&self, audience: Option<&str>) {
        self.world().audience = audience.map(str::to_owned);
    }

    /// Whether anybody may read the secrets of a vault from now on.
    pub fn let_read(&self, vault: &str, may: bool) {
        let forbidden = &mut self.world().forbidden;
        forbidden.retain(|it| it != vault);
        if !may {
            forbidden.push(vault.to_owned());
        }
    }

    /// Says something else, once, to the first request whose line (`GET shop.vault.azure.net/secrets/password/`) has this
    /// text. Headers are `name: value`.
    pub fn say_instead(&self, to: &str, status: u16, headers: &[&str], body: &str) {
        let headers = headers.iter().filter_map(|header| header.split_once(": "));
        let said = Said {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            body: body.to_owned(),
        };
        self.world().instead.push((to.to_owned(), said));
    }

    /// What was asked so far: a line for each request.
    pub fn asked(&self) -> Vec<String> {
        self.world().asked.clone()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FakeAzure {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
