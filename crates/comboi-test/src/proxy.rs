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
    /// Not the n-th that writes, but the n-th of all.
    Request(usize, Hitch),
    /// Of all requests every so many, the first of them at this one: one after the other in the next of the ways.
    Every(usize, usize, [Hitch; 4]),
}

/// What happens to a request, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hitch {
    /// The storage answers with this status, and does nothing.
    Status(u16),
    /// The same, and it asks to be left alone for a second.
    Later(u16),
    /// The connection breaks before the storage hears of it.
    Cut,
    /// The storage does it, and the connection breaks within the answer.
    CutAnswer,
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
            http: crate::azurite::client(),
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
            let (at, of_all) = (seen.writes, seen.requests.len());
            match seen.mishap {
                Some(Mishap::Request(n, hitch)) if n == of_all => Some(Mishap::Request(n, hitch)),
                Some(Mishap::Every(step, first, ways)) if of_all % step == first % step => {
                    Some(Mishap::Request(of_all, ways[of_all / step % ways.len()]))
                }
                _ if !writes => None,
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
        Some(Mishap::Request(_, Hitch::Status(status))) => return turned_away(status, None),
        Some(Mishap::Request(_, Hitch::Later(status))) => return turned_away(status, Some("1")),
        Some(Mishap::Request(_, Hitch::Cut)) => return lost(),
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
        Ok(bytes) if matches!(mishap, Some(Mishap::Request(..))) => {
            if bytes.is_empty() {
                return lost();
            }
            let half = bytes.slice(..bytes.len() / 2);
            answer(status, headers, broken_after(half))
        }
        Ok(bytes) => answer(status, headers, Body::from(bytes)),
        Err(_) => lost(),
    }
}

/// As Azure says that it has too much to do, or trouble of its own.
fn turned_away(status: u16, retry_after: Option<&'static str>) -> Response {
    let headers = retry_after.into_iter();
    let headers = headers.map(|it| {
        (
            http::header::RETRY_AFTER,
            http::HeaderValue::from_static(it),
        )
    });
    let status = StatusCode::from_u16(status).expect("the test's status is one");
    answer(status, headers.collect(), Body::empty())
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

/// A connection that breaks before there is an answer: its task ends, and nobody is told.
fn lost() -> Response {
    std::panic::resume_unwind(Box::new("the connection breaks"))
}

/// An answer that breaks off after these bytes.
fn broken_after(first: bytes::Bytes) -> Body {
    let breaks = Err(std::io::Error::other("the connection breaks"));
    Body::from_stream(futures::stream::iter([Ok(first), breaks]))
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
