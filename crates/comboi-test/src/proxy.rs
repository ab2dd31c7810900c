//! A storage whose requests are counted, and go wrong at a chosen one.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

/// What happens at the n-th request that writes; the first is number 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// The client is killed before the storage hears of it.
    KillBefore(usize),
    /// The client is killed when the storage has done it.
    KillAfter(usize),
    /// It is done, and the answer is lost.
    LoseAnswer(usize),
    /// The storage says three times that it is busy, and does nothing.
    Busy(usize),
}

#[derive(Default)]
struct Seen {
    requests: Vec<String>,
    writes: usize,
    busy_for: usize,
    mishap: Option<Mishap>,
    client: Option<u32>,
}

/// Stands between a program and a storage.
pub struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Clone)]
struct Shared {
    seen: Arc<Mutex<Seen>>,
    http: reqwest::Client,
    upstream: String,
}

impl Proxy {
    /// In front of an address such as `http://127.0.0.1:10000/devstoreaccount1`.
    ///
    /// # Panics
    /// When no port is free.
    pub fn before(address: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let upstream = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        let seen = Arc::<Mutex<Seen>>::default();
        let shared = Shared {
            seen: Arc::clone(&seen),
            http: reqwest::Client::new(),
            upstream,
        };
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("a port is free");
            let address = listener.local_addr().expect("it has an address");
            let app = Router::new().fallback(forward).with_state(shared);
            tokio::spawn(async move { axum::serve(listener, app).await });
            address
        });
        Self {
            address,
            seen,
            _runtime: runtime,
        }
    }

    /// The same address by way of the proxy.
    pub fn address(&self, of: &str) -> String {
        let path = of.splitn(4, '/').nth(3).unwrap_or_default();
        format!("http://{}/{path}", self.address)
    }

    /// Forgets what was seen, and lets something happen to this process of a client.
    pub fn arrange(&self, mishap: Option<Mishap>) {
        *lock(&self.seen) = Seen {
            mishap,
            ..Seen::default()
        };
    }

    /// Whom to kill. Requests that kill wait until it is said.
    pub fn client(&self, process: u32) {
        lock(&self.seen).client = Some(process);
    }

    /// The requests so far: method and path, without what signs them.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.seen).requests.clone()
    }

    /// How many of them wrote.
    pub fn writes(&self) -> usize {
        lock(&self.seen).writes
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn forward(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |it| it.as_str());
    let writes = matches!(parts.method.as_str(), "PUT" | "POST" | "DELETE");
    let mishap =
        {
            let mut seen = lock(&shared.seen);
            let named = path
                .split(['?', '&'])
                .filter(|part| !part.starts_with("sig="))
                .collect::<Vec<_>>()
                .join(" ");
            seen.requests.push(format!("{} {named}", parts.method));
            seen.writes += usize::from(writes);
            let at = seen.writes;
            match seen.mishap.filter(|_| writes) {
                Some(Mishap::Busy(n)) if n == at && seen.busy_for < 3 => {
                    seen.busy_for += 1;
                    seen.writes -= 1;
                    Some(Mishap::Busy(n))
                }
                Some(
                    it @ (Mishap::KillBefore(n) | Mishap::KillAfter(n) | Mishap::LoseAnswer(n)),
                ) if n == at => Some(it),
                _ => None,
            }
        };
    match mishap {
        Some(Mishap::KillBefore(_)) => {
            kill(&shared.seen).await;
            return lost();
        }
        Some(Mishap::Busy(_)) => {
            return answer(StatusCode::SERVICE_UNAVAILABLE, Vec::new(), Body::empty());
        }
        _ => {}
    }
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return lost();
    };
    let mut headers = parts.headers;
    headers.remove("host");
    headers.remove("transfer-encoding");
    let sent = shared
        .http
        .request(parts.method, format!("{}{path}", shared.upstream))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let Ok(answered) = sent else { return lost() };
    match mishap {
        Some(Mishap::KillAfter(_)) => kill(&shared.seen).await,
        Some(Mishap::LoseAnswer(_)) => return lost(),
        _ => {}
    }
    let status = answered.status();
    let headers: Vec<(HeaderName, _)> = answered
        .headers()
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "transfer-encoding" | "connection"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    match answered.bytes().await {
        Ok(bytes) => answer(status, headers, Body::from(bytes)),
        Err(_) => lost(),
    }
}

/// Ends the client with SIGKILL, and waits until it is gone.
async fn kill(seen: &Mutex<Seen>) {
    let process = loop {
        if let Some(process) = lock(seen).client {
            break process;
        }
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    };
    let killed = std::process::Command::new("kill")
        .args(["-9", &process.to_string()])
        .status();
    assert!(
        killed.is_ok_and(|status| status.success()),
        "the client is there"
    );
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}

/// A connection that breaks in the middle of an answer.
fn lost() -> Response {
    let broken = futures::stream::once(async {
        Err::<bytes::Bytes, _>(std::io::Error::other("the connection breaks"))
    });
    let mut response = Response::new(Body::from_stream(broken));
    response.headers_mut().insert("content-length", 100.into());
    response
}

fn answer(
    status: StatusCode,
    headers: Vec<(HeaderName, http::HeaderValue)>,
    body: Body,
) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().extend(headers);
    response
}
