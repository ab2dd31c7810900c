//! HTTP for Microsoft's libraries. They bring none: one client for all, one patience, and answers that are no success are told
//! as a [`Failure`] that no library can put into words of its own.

use std::error::Error as _;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, HeaderValue, Headers};
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport,
};
use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use crate::failure::{Answer, Failure, Silence};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);
/// Tokens and secrets are small: a secret has 25 KB at most.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// The network. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wire(Arc<Clients>);

#[derive(Debug, Default)]
struct Clients {
    /// For services: encrypted, by the proxy of the environment if it names one.
    outside: OnceLock<reqwest::Client>,
    /// For what the machine itself says at an address of its own, which no proxy knows.
    inside: OnceLock<reqwest::Client>,
}

impl Wire {
    pub(crate) fn by(client: reqwest::Client) -> Self {
        Self(Arc::new(Clients {
            outside: client.clone().into(),
            inside: client.into(),
        }))
    }

    /// What makes a library use this.
    pub(crate) fn options(&self) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(Arc::new(self.clone()))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    /// Whether anybody is at an address, whatever they say.
    pub(crate) async fn answers(&self, url: &str, within: Duration) -> bool {
        let Ok(client) = self.client(url.starts_with("https:")) else {
            return false;
        };
        client.get(url).timeout(within).send().await.is_ok()
    }

    fn client(&self, outside: bool) -> Result<&reqwest::Client, Silence> {
        let place = if outside {
            &self.0.outside
        } else {
            &self.0.inside
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            // Few questions, some of them in runtimes that end before the next one.
            .pool_max_idle_per_host(0);
        let builder = if outside { builder } else { builder.no_proxy() };
        let client = builder.build().map_err(|_| Silence::NoCertificates)?;
        Ok(place.get_or_init(|| client))
    }

    async fn once(&self, request: &Request) -> Result<AsyncRawResponse, Failure> {
        let host = request.url().host_str().unwrap_or_default();
        let silent = |why| Failure::Silence {
            host: host.to_owned(),
            why,
        };
        let client = self
            .client(request.url().scheme() == "https")
            .map_err(silent)?;
        let asked = client.execute(understood(request)).await;
        let mut response = asked.map_err(|e| silent(silence(&e)))?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = BytesMut::new();
        while let Some(more) = response.chunk().await.map_err(|e| silent(silence(&e)))? {
            if body.len() + more.len() > LONGEST_ANSWER {
                return Err(silent(Silence::Flood));
            }
            body.extend_from_slice(&more);
        }
        if (200..300).contains(&status) || is_challenge(request, status, &headers) {
            return Ok(response_of(status, &headers, body.freeze()));
        }
        let retry_after = headers.get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let retry_after = retry_after.map(Duration::from_secs);
        let answer = Answer::read(request, status, retry_after, &body);
        Err(Failure::Answer(answer))
    }
}

#[async_trait]
impl HttpClient for Wire {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let begun = Instant::now();
        let mut tries = 0;
        loop {
            let failure = match self.once(request).await {
                Ok(response) => return Ok(response),
                Err(failure) => failure,
            };
            tries += 1;
            match failure.pause(tries, begun.elapsed()) {
                Some(pause) => tokio::time::sleep(pause).await,
                // A kind that no library tries again.
                None => return Err(azure_core::Error::new(ErrorKind::Other, failure)),
            }
        }
    }
}

/// The first question to a vault goes without a token, and the answer says what token is wanted.
fn is_challenge(request: &Request, status: u16, headers: &reqwest::header::HeaderMap) -> bool {
    let proven = request
        .headers()
        .get_optional_str(&HeaderName::from_static("authorization"));
    status == 401 && proven.is_none() && headers.contains_key("www-authenticate")
}

fn understood(request: &Request) -> reqwest::Request {
    let method = request.method();
    let method = reqwest::Method::from_bytes(method.as_ref().as_bytes()).unwrap_or_default();
    let mut understood = reqwest::Request::new(method, request.url().clone());
    for (name, value) in request.headers().iter() {
        let name = reqwest::header::HeaderName::from_bytes(name.as_str().as_bytes());
        let value = reqwest::header::HeaderValue::from_str(value.as_str());
        if let (Ok(name), Ok(value)) = (name, value) {
            understood.headers_mut().insert(name, value);
        }
    }
    if let Body::Bytes(bytes) = request.body() {
        *understood.body_mut() = Some(bytes.clone().into());
    }
    understood
}

fn response_of(status: u16, headers: &reqwest::header::HeaderMap, body: Bytes) -> AsyncRawResponse {
    let mut said = Headers::new();
    for (name, value) in headers {
        if let Ok(value) = value.to_str() {
            let name = HeaderName::from(name.as_str().to_owned());
            said.insert(name, HeaderValue::from(value.to_owned()));
        }
    }
    AsyncRawResponse::from_bytes(StatusCode::from(status), said, body)
}

fn silence(error: &reqwest::Error) -> Silence {
    if error.is_timeout() {
        return Silence::Slow;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if text.contains("Temporary failure in name resolution") {
            return Silence::Unreachable;
        }
        if text.contains("failed to lookup address") {
            return Silence::NoSuchHost;
        }
        if text.contains("certificate") {
            return Silence::Untrusted;
        }
        let kind = error.downcast_ref().map(io::Error::kind);
        if kind == Some(io::ErrorKind::ConnectionRefused) {
            return Silence::Refused;
        }
        cause = error.source();
    }
    if error.is_connect() {
        Silence::Unreachable
    } else {
        Silence::Broken
    }
}
