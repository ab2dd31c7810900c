//! Why something was not got from Azure, in words that hold no secret.

use std::error::Error as _;
use std::fmt;
use std::time::Duration;

use azure_core::http::Request;
use serde_json::Value;

/// What came instead of what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// A service said no.
    Answer(Answer),
    /// No service said anything.
    Silence { host: String, why: Silence },
}

/// How a service said no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The service's words for it, the general one first: `Forbidden`, `ForbiddenByRbac`.
    pub(crate) codes: Vec<String>,
    /// What it says to people.
    pub(crate) message: String,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the same question may be answered later.
    pub(crate) passes: bool,
}

/// Why nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Silence {
    NoSuchHost,
    Refused,
    Unreachable,
    Untrusted,
    Slow,
    Broken,
    /// The machine has nothing to check certificates with.
    NoCertificates,
    /// There was more of an answer than one should be.
    Flood,
}

impl Failure {
    /// Whether it may go well later with nothing mended.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Answer(answer) => answer.passes,
            Self::Silence { why, .. } => match why {
                Silence::Refused | Silence::Unreachable | Silence::Slow | Silence::Broken => true,
                Silence::NoSuchHost
                | Silence::Untrusted
                | Silence::NoCertificates
                | Silence::Flood => false,
            },
        }
    }

    /// How long to wait before the next try, if there should be one: `tries` were made in `passed`.
    pub(crate) fn pause(&self, tries: u32, passed: Duration) -> Option<Duration> {
        let (patience, at_least) = match self {
            _ if !self.passes() => return None,
            Self::Answer(answer) => (60, answer.retry_after.unwrap_or_default()),
            Self::Silence { why, .. } => match why {
                Silence::Slow | Silence::Broken => (60, Duration::ZERO),
                // What is not there does not often come.
                _ => (5, Duration::ZERO),
            },
        };
        let pause = Duration::from_millis(500) * 2_u32.saturating_pow(tries.saturating_sub(1));
        let pause = pause.min(Duration::from_secs(8)).max(at_least);
        (passed + pause <= Duration::from_secs(patience)).then_some(pause)
    }

    /// What our HTTP told, out of what a library made of it.
    pub(crate) fn of(error: &azure_core::Error) -> Option<&Self> {
        let mut cause = error.source();
        while let Some(error) = cause {
            if let Some(failure) = error.downcast_ref() {
                return Some(failure);
            }
            cause = error.source();
        }
        None
    }
}

impl std::error::Error for Failure {}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(answer) => answer.fmt(f),
            Self::Silence { host, why } => match why {
                Silence::NoSuchHost => write!(f, "there is no host `{host}`"),
                Silence::Refused => write!(f, "`{host}` takes no connections"),
                Silence::Unreachable => write!(f, "`{host}` can't be reached"),
                Silence::Untrusted => write!(
                    f,
                    "the certificate of `{host}` is not one that this machine trusts; if a proxy puts its own in place, name the file of its authority in `SSL_CERT_FILE`"
                ),
                Silence::Slow => write!(f, "`{host}` does not answer"),
                Silence::Broken => write!(f, "the connection to `{host}` broke"),
                Silence::NoCertificates => f.write_str(
                    "this machine has no certificates to know others by; install `ca-certificates`, or name a file in `SSL_CERT_FILE`",
                ),
                Silence::Flood => write!(f, "what `{host}` answers is far too long"),
            },
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.message.is_empty() {
            return f.write_str(&self.message);
        }
        match self.codes.last() {
            Some(code) => write!(f, "{code} ({})", self.status),
            None => write!(f, "status {}", self.status),
        }
    }
}

impl Answer {
    /// Reads the answer to a request. Whatever the request held as a secret is not in it, should the service repeat it.
    pub(crate) fn read(
        request: &Request,
        status: u16,
        retry_after: Option<Duration>,
        body: &[u8],
    ) -> Self {
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let error = &json["error"];
        // Key Vault and Azure Resource Manager; then Entra and managed identities.
        let (codes, message) = if error.is_object() {
            let codes = [text(&error["code"]), text(&error["innererror"]["code"])];
            (codes, text(&error["message"]))
        } else {
            let message = text(&json["error_description"]).or_else(|| text(&json["message"]));
            ([text(error), None], message)
        };
        let hidden = secrets(request);
        let clean = |text: String| cleaned(&text, &hidden);
        let instance_metadata = request.url().host_str() == Some("169.254.169.254");
        Self {
            status,
            codes: codes.into_iter().flatten().map(clean).collect(),
            message: message.map(clean).unwrap_or_default(),
            retry_after,
            // The second two as its documentation has it: the identity is being set up.
            passes: matches!(status, 408 | 429 | 500..)
                || (instance_metadata && matches!(status, 404 | 410)),
        }
    }

    pub(crate) fn says(&self, code: &str) -> bool {
        self.codes.iter().any(|said| said == code)
    }
}

/// What a request proves itself with.
fn secrets(request: &Request) -> Vec<String> {
    let mut secrets = Vec::new();
    for (name, value) in request.headers().iter() {
        if matches!(name.as_str(), "authorization" | "x-identity-header") {
            let value = value.as_str();
            secrets.push(value.strip_prefix("Bearer ").unwrap_or(value).to_owned());
        }
    }
    if let azure_core::http::Body::Bytes(bytes) = request.body() {
        let pairs = url::form_urlencoded::parse(bytes);
        let proofs = pairs.filter(|(key, _)| key == "client_secret" || key == "client_assertion");
        secrets.extend(proofs.map(|(_, value)| value.into_owned()));
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

/// One line, without what only Microsoft's support can use, and not too long.
fn cleaned(text: &str, hidden: &[String]) -> String {
    let mut text = text.to_owned();
    for secret in hidden {
        text = text.replace(secret, "…");
    }
    for tail in [" Trace ID:", "\nTrace ID:", "\r\nTrace ID:"] {
        if let Some((head, _)) = text.split_once(tail) {
            text = head.to_owned();
        }
    }
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.trim_end_matches('.');
    if text.chars().count() > 400 {
        text.chars().take(400).chain(['…']).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use azure_core::http::Method;

    use super::*;

    fn request(url: &str) -> Request {
        let mut request = Request::new(url.parse().unwrap(), Method::Post);
        request.insert_header("authorization", "Bearer canary-token");
        request.set_body("client_id=me&client_secret=canary%2Fsecret&scope=x");
        request
    }

    fn check(url: &str, status: u16, body: &str, expected: &str) {
        let answer = Answer::read(&request(url), status, None, body.as_bytes());
        let told = format!(
            "{answer} {:?} {}",
            answer.codes,
            if answer.passes { "passes" } else { "stays" }
        );
        assert_eq!(told, expected);
        assert!(!format!("{answer:?}").contains("canary"));
    }

    #[test]
    fn what_services_say_is_understood() {
        check(
            "https://shop.vault.azure.net/secrets/a",
            403,
            r#"{"error":{"code":"Forbidden","message":"Caller is not authorized.\r\nAction: 'get'.","innererror":{"code":"ForbiddenByRbac"}}}"#,
            r#"Caller is not authorized. Action: 'get' ["Forbidden", "ForbiddenByRbac"] stays"#,
        );
        check(
            "https://login.microsoftonline.com/t/oauth2/v2.0/token",
            401,
            r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2","error_codes":[7000215]}"#,
            r#"AADSTS7000215: Invalid client secret provided ["invalid_client"] stays"#,
        );
        check(
            "http://localhost/msi/token",
            400,
            r#"{"statusCode":400,"message":"No User Assigned Identity found."}"#,
            "No User Assigned Identity found [] stays",
        );
        check("https://a/", 503, "<html>", "status 503 [] passes");
        check("https://a/", 404, "", "status 404 [] stays");
        check(
            "http://169.254.169.254/metadata/identity/oauth2/token",
            404,
            "",
            "status 404 [] passes",
        );
    }

    #[test]
    fn a_service_that_repeats_a_secret_does_not_tell_it() {
        check(
            "https://a/",
            400,
            r#"{"error":{"code":"canary-token","message":"bad canary/secret in canary-token"}}"#,
            r#"bad … in … ["…"] stays"#,
        );
    }

    fn pauses(failure: &Failure) -> String {
        let mut passed = Duration::ZERO;
        let mut told = Vec::new();
        while let Some(pause) = failure.pause(u32::try_from(told.len()).unwrap() + 1, passed) {
            passed += pause;
            told.push(format!("{}ms", pause.as_millis()));
        }
        told.join(" ")
    }

    #[test]
    fn patience_depends_on_what_was_said() {
        let answer = |status, retry_after: Option<u64>| {
            let mut answer = Answer::read(&request("https://a/"), status, None, b"");
            answer.retry_after = retry_after.map(Duration::from_secs);
            pauses(&Failure::Answer(answer))
        };
        assert_eq!(
            answer(503, None),
            "500ms 1000ms 2000ms 4000ms 8000ms 8000ms 8000ms 8000ms 8000ms 8000ms"
        );
        assert_eq!(answer(429, Some(25)), "25000ms 25000ms");
        assert_eq!(answer(429, Some(3600)), "");
        assert_eq!(answer(403, None), "");
        let silence = |why| {
            let host = "a".to_owned();
            pauses(&Failure::Silence { host, why })
        };
        assert_eq!(silence(Silence::Refused), "500ms 1000ms 2000ms");
        assert_eq!(silence(Silence::NoSuchHost), "");
    }
}
