//! The queue of tasks.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request, StatusCode, Url};
use azure_storage_queue::models::{
    QueueClientGetPropertiesResultHeaders as _, QueueClientPeekMessagesOptions, QueueMessage,
};
use azure_storage_queue::{QueueClient, QueueClientOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use comboi_lake::SharedKey;
use comboi_project::Secret;

/// The setting that names the queue.
const NAME: &str = "COMBOI_QUEUE_NAME";
/// The setting that says how to get to its account; the Functions host reads the same.
const CONNECTION: &str = "COMBOI_QUEUE_CONNECTION";
const DEFAULT_NAME: &str = "comboi-tasks";

/// A storage account as the settings of a Functions app say it.
pub enum Connection {
    /// By its key or by a signature.
    ByString(Secret),
    /// As who this machine is.
    ByIdentity {
        /// `https://<account>.queue.core.windows.net`.
        service: String,
        /// The user-assigned identity, if it is one.
        client_id: Option<String>,
    },
}

/// The queue of tasks. Messages are sent as the Functions host expects them: text in base64.
#[derive(Clone)]
pub struct TaskQueue {
    client: Arc<QueueClient>,
    /// Where the host puts what failed too often, and what it can't even read.
    poison: Arc<QueueClient>,
    name: String,
    place: String,
}

/// What is in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// About how many messages there are, those included that somebody is at work on.
    pub waiting: i64,
    /// When the oldest of those was sent that nobody is at work on.
    pub oldest: Option<SystemTime>,
    /// How many messages are among the poison.
    pub poison: i64,
}

impl Connection {
    /// To an account by its name, as who this machine is.
    pub fn of_account(account: &str) -> Self {
        Self::ByIdentity {
            service: format!("https://{account}.queue.core.windows.net"),
            client_id: None,
        }
    }
}

/// What can go wrong with the queue. None shows a secret.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Nobody said which queue.
    #[error(
        "no queue is configured: set `COMBOI_QUEUE_CONNECTION` to the connection string of its storage account, or `COMBOI_QUEUE_CONNECTION__queueServiceUri` to its address"
    )]
    NotConfigured,
    /// The settings can't be right.
    #[error("the queue's settings can't be right: {0}")]
    Configuration(String),
    /// There is no such queue.
    #[error("there is no queue `{0}` in {1}; make it (`az storage queue create --name {0}`)")]
    Missing(String, String),
    /// The account refuses us.
    #[error(
        "{1} does not let us send to the queue `{0}`; the login needs the role Storage Queue Data Contributor there, or the connection string an account key that is still good"
    )]
    Refused(String, String),
    /// It did not answer as it should.
    #[error("the queue `{0}` did not answer as it should; nothing was sent: {1}")]
    Unavailable(String, String),
}

impl Connection {
    /// What the settings say; `setting` gives the value of one.
    pub fn of(setting: &dyn Fn(&str) -> Option<String>) -> Result<Self, QueueError> {
        let said = |name: &str| {
            let prefixed = format!("AzureWebJobs{name}");
            [prefixed.as_str(), name]
                .into_iter()
                .find_map(|name| setting(name).filter(|value| !value.trim().is_empty()))
        };
        if let Some(text) = said(CONNECTION) {
            return Ok(Self::ByString(Secret::new(text)));
        }
        let account = |name| said(&format!("{CONNECTION}__{name}"));
        let service = account("queueServiceUri").or_else(|| {
            let account = account("accountName")?;
            Some(format!("https://{account}.queue.core.windows.net"))
        });
        Ok(Self::ByIdentity {
            service: service.ok_or(QueueError::NotConfigured)?,
            client_id: account("clientId"),
        })
    }
}

impl TaskQueue {
    /// The name that the settings say, else `comboi-tasks`.
    pub fn name_of(setting: &dyn Fn(&str) -> Option<String>) -> String {
        let name = setting(NAME).filter(|name| !name.trim().is_empty());
        name.unwrap_or_else(|| DEFAULT_NAME.to_owned())
    }

    /// A queue. Nothing is asked of it yet. The credential is for a connection by identity.
    pub fn new(
        name: &str,
        connection: &Connection,
        credential: Option<Arc<dyn TokenCredential>>,
    ) -> Result<Self, QueueError> {
        let name = name.to_lowercase();
        check_name(&name)?;
        let mut options = QueueClientOptions::default();
        let (service, credential) = match connection {
            Connection::ByString(secret) => {
                let account = Account::parse(secret.expose())?;
                if let Some(key) = account.key {
                    options
                        .client_options
                        .per_try_policies
                        .push(Arc::new(Signing(key)));
                }
                (account.service, None)
            }
            Connection::ByIdentity { service, .. } => (service.clone(), credential),
        };
        let url = Url::parse(&service).map_err(|e| {
            QueueError::Configuration(format!("the address of the queues is none: {e}"))
        })?;
        let place = match url.host_str() {
            Some(host) => format!("{host}{}", url.path().trim_end_matches('/')),
            None => String::new(),
        };
        let queue = |name: &str| {
            let mut url = url.clone();
            if let Ok(mut path) = url.path_segments_mut() {
                path.pop_if_empty().push(name);
            }
            QueueClient::new(url, credential.clone(), Some(options.clone()))
                .map(Arc::new)
                .map_err(|e| QueueError::Configuration(e.to_string()))
        };
        Ok(Self {
            client: queue(&name)?,
            poison: queue(&format!("{name}-poison"))?,
            name,
            place,
        })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether this is the same queue of the same account as another one.
    pub fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.place == other.place
    }

    /// Sends a message, which stays until somebody has done what it says. When the answer is lost it may be there twice.
    pub async fn send(&self, text: &str) -> Result<(), QueueError> {
        let message = QueueMessage {
            message_text: Some(STANDARD.encode(text)),
        };
        let unavailable = |e: azure_core::Error| self.explained(&e);
        let message = message.try_into().map_err(unavailable)?;
        let options = azure_storage_queue::models::QueueClientSendMessageOptions {
            message_time_to_live: Some(-1),
            ..Default::default()
        };
        self.client
            .send_message(message, Some(options))
            .await
            .map_err(unavailable)?;
        Ok(())
    }

    /// What is in the queue and among its poison.
    pub async fn seen(&self) -> Result<Seen, QueueError> {
        /// As many as the service shows at once, from the front.
        const FRONT: i32 = 32;
        let properties = self.client.get_properties(None).await;
        let waiting = properties
            .and_then(|properties| properties.approximate_messages_count())
            .map_err(|e| self.explained(&e))?;
        let options = QueueClientPeekMessagesOptions {
            number_of_messages: Some(FRONT),
            ..Default::default()
        };
        let front = async { self.client.peek_messages(Some(options)).await?.into_model() };
        let front = front.await.map_err(|e| self.explained(&e))?;
        let sent = front
            .items
            .into_iter()
            .flatten()
            .filter_map(|it| it.insertion_time);
        Ok(Seen {
            waiting: waiting.unwrap_or(0),
            oldest: sent.min().map(SystemTime::from),
            poison: self.poison().await?.1,
        })
    }

    /// The name of the queue where the host puts what failed too often, and how many messages are in it, those included that somebody has
    /// taken. Messages that are no base64 stay there, and nobody is ever asked to do them.
    pub async fn poison(&self) -> Result<(String, i64), QueueError> {
        let name = format!("{}-poison", self.name);
        let count = match self.poison.get_properties(None).await {
            Ok(properties) => properties
                .approximate_messages_count()
                .map_err(|e| self.explained(&e))?,
            // The host makes it when it needs it.
            Err(e) if e.http_status() == Some(StatusCode::NotFound) => None,
            Err(e) => return Err(self.explained(&e)),
        };
        Ok((name, count.unwrap_or(0)))
    }

    /// Whether the queue is there and lets us look.
    pub async fn check(&self) -> Result<(), QueueError> {
        match self.client.exists().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(QueueError::Missing(self.name.clone(), self.place.clone())),
            Err(e) => Err(self.explained(&e)),
        }
    }

    fn explained(&self, error: &azure_core::Error) -> QueueError {
        let (name, place) = (self.name.clone(), self.place.clone());
        match error.http_status() {
            Some(StatusCode::NotFound) => QueueError::Missing(name, place),
            Some(StatusCode::Forbidden | StatusCode::Unauthorized) => {
                QueueError::Refused(name, place)
            }
            _ => QueueError::Unavailable(name, chain(error)),
        }
    }
}

/// Its name and where it is.
impl fmt::Display for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the queue `{}` in {}", self.name, self.place)
    }
}

impl fmt::Debug for TaskQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Azure's rule.
fn check_name(name: &str) -> Result<(), QueueError> {
    let letters = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let dashes = name.contains("--") || name.starts_with('-') || name.ends_with('-');
    if (3..=63).contains(&name.len()) && letters && !dashes {
        return Ok(());
    }
    Err(QueueError::Configuration(format!(
        "`{name}` is not the name of a queue: it has 3 to 63 lower-case letters, digits and single `-`"
    )))
}

/// A storage account by its connection string.
struct Account {
    service: String,
    key: Option<SharedKey>,
}

impl Account {
    fn parse(text: &str) -> Result<Self, QueueError> {
        const EMULATOR: (&str, &str) = (
            "devstoreaccount1",
            "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
        );
        let bad = |why: &str| QueueError::Configuration(format!("the connection string {why}"));
        let pairs = || {
            text.split(';')
                .filter_map(|pair| pair.trim().split_once('='))
        };
        let value = |name: &str| {
            let mut found = pairs().filter(|(it, _)| it.eq_ignore_ascii_case(name));
            found.next().map(|(_, value)| value)
        };
        let emulated = value("UseDevelopmentStorage") == Some("true");
        let account = value("AccountName").or(emulated.then_some(EMULATOR.0));
        let key = value("AccountKey").or(emulated.then_some(EMULATOR.1));
        let service = match (value("QueueEndpoint"), account) {
            (Some(endpoint), _) => endpoint.to_owned(),
            (None, _) if emulated => format!("http://127.0.0.1:10001/{}", EMULATOR.0),
            (None, Some(account)) => format!(
                "{}://{account}.queue.{}",
                value("DefaultEndpointsProtocol").unwrap_or("https"),
                value("EndpointSuffix").unwrap_or("core.windows.net")
            ),
            (None, None) => {
                return Err(bad("has neither `AccountName` nor `QueueEndpoint`"));
            }
        };
        match (account, key, value("SharedAccessSignature")) {
            (Some(account), Some(key), _) => {
                let key = SharedKey::new(account, key)
                    .map_err(|_| bad("has an `AccountKey` that is none"))?;
                Ok(Self {
                    service,
                    key: Some(key),
                })
            }
            (_, _, Some(signature)) => Ok(Self {
                service: format!("{service}?{}", signature.trim_start_matches('?')),
                key: None,
            }),
            _ => Err(bad("has neither `AccountKey` nor `SharedAccessSignature`")),
        }
    }
}

/// Signs each try anew: the time is part of the signature.
#[derive(Debug)]
struct Signing(SharedKey);

#[async_trait]
impl Policy for Signing {
    async fn send(
        &self,
        context: &Context,
        request: &mut Request,
        next: &[Arc<dyn Policy>],
    ) -> PolicyResult {
        request.headers_mut().remove("authorization");
        request.headers_mut().remove("date");
        let length = request.body().len().filter(|length| *length > 0);
        let length = length.map(|length| length.to_string());
        let own = request.headers().iter();
        let headers = own
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .chain(
                length
                    .iter()
                    .map(|length| ("content-length", length.as_str())),
            );
        let method = request.method();
        let signed = self
            .0
            .headers(method.as_ref(), request.url().as_str(), headers)
            .unwrap_or_default();
        for (name, value) in signed {
            request.insert_header(name, value);
        }
        next[0].send(context, request, &next[1..]).await
    }
}

fn chain(error: &azure_core::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &'static [(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        |name| {
            let mut found = pairs.iter().filter(|(it, _)| *it == name);
            found.next().map(|(_, value)| (*value).to_owned())
        }
    }

    fn place(pairs: &'static [(&str, &str)]) -> String {
        let setting = settings(pairs);
        let queue = Connection::of(&setting).and_then(|connection| {
            TaskQueue::new(&TaskQueue::name_of(&setting), &connection, None)
        });
        queue.map_or_else(|e| e.to_string(), |queue| format!("{queue:?}"))
    }

    #[test]
    fn queues_as_settings_name_them() {
        let key = "AccountName=lake;AccountKey=aGVsbG8gd29ybGQhISE=";
        assert_eq!(
            place(&[(
                CONNECTION,
                "AccountName=lake;AccountKey=aGVsbG8gd29ybGQhISE="
            )]),
            "the queue `comboi-tasks` in lake.queue.core.windows.net"
        );
        assert_eq!(
            place(&[
                (
                    "AzureWebJobsCOMBOI_QUEUE_CONNECTION",
                    "UseDevelopmentStorage=true"
                ),
                (NAME, "Other")
            ]),
            "the queue `other` in 127.0.0.1/devstoreaccount1"
        );
        assert_eq!(
            place(&[(
                "COMBOI_QUEUE_CONNECTION__queueServiceUri",
                "https://lake.queue.core.windows.net/"
            )]),
            "the queue `comboi-tasks` in lake.queue.core.windows.net"
        );
        assert!(place(&[]).starts_with("no queue is configured"));
        for bad in [
            place(&[(CONNECTION, "AccountName=lake")]),
            place(&[(CONNECTION, "AccountName=lake;AccountKey=hunter2")]),
            place(&[(CONNECTION, "AccountKey=aGVsbG8gd29ybGQhISE=")]),
            place(&[
                (
                    CONNECTION,
                    "AccountName=lake;AccountKey=aGVsbG8gd29ybGQhISE=",
                ),
                (NAME, "no queue"),
            ]),
        ] {
            assert!(
                bad.starts_with("the queue's settings can't be right"),
                "{bad}"
            );
            assert!(!bad.contains("hunter2") && !bad.contains(key), "{bad}");
        }
    }
}
