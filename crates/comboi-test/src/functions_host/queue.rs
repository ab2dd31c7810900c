//! A queue as the host listens to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Shared, body, lock};
use crate::azurite::{Answer, Azurite, ask};

/// A message that was taken.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) receipt: String,
    pub(super) text: String,
    pub(super) dequeue_count: u32,
    pub(super) inserted: String,
    pub(super) expires: String,
    pub(super) next_visible: String,
}

pub(super) struct Queue {
    url: String,
    name: String,
}

impl Queue {
    pub(super) fn new(name: &str) -> Self {
        Self {
            url: format!("{}/{name}", Azurite::queue_endpoint()),
            name: name.to_owned(),
        }
    }

    fn ask(&self, shared: &Shared, method: &str, below: &str, body: String) -> Answer {
        let url = format!("{}{below}", self.url);
        shared
            .runtime
            .block_on(ask(&shared.http, method, &url, body))
    }

    /// How many messages it has, those included that are being worked on; 0 if there is no such queue.
    pub(super) fn length(&self, shared: &Shared) -> usize {
        let answer = self.ask(shared, "GET", "?comp=metadata", String::new());
        let count = answer.header("x-ms-approximate-messages-count");
        count.and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Takes the next message, in base64 as it is stored.
    fn take(&self, shared: &Shared) -> Option<Message> {
        let lease = shared.settings.lease.as_secs().max(1);
        let below = format!("/messages?numofmessages=1&visibilitytimeout={lease}");
        let answer = self.ask(shared, "GET", &below, String::new());
        let part = |name: &str| {
            let (_, rest) = answer.body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
        };
        let time = |name: &str| {
            let time = chrono::DateTime::parse_from_rfc2822(&part(name)?).ok()?;
            Some(time.format("%Y-%m-%dT%H:%M:%S+00:00").to_string())
        };
        Some(Message {
            id: part("MessageId")?,
            receipt: part("PopReceipt")?,
            text: part("MessageText")?,
            dequeue_count: part("DequeueCount")?.parse().ok()?,
            inserted: time("InsertionTime")?,
            expires: time("ExpirationTime")?,
            next_visible: time("TimeNextVisible")?,
        })
    }

    /// Keeps a message invisible for so long; its receipt then is another one.
    fn update(&self, shared: &Shared, id: &str, receipt: &str, seconds: u64) -> Option<String> {
        let receipt = encoded(receipt);
        let below = format!("/messages/{id}?popreceipt={receipt}&visibilitytimeout={seconds}");
        let answer = self.ask(shared, "PUT", &below, String::new());
        answer.header("x-ms-popreceipt").map(str::to_owned)
    }

    fn delete(&self, shared: &Shared, id: &str, receipt: &str) {
        let below = format!("/messages/{id}?popreceipt={}", encoded(receipt));
        self.ask(shared, "DELETE", &below, String::new());
    }

    /// Puts a stored text into another queue, which is made if it is not there.
    fn put(&self, shared: &Shared, stored: &str) {
        let message = format!("<QueueMessage><MessageText>{stored}</MessageText></QueueMessage>");
        if self
            .ask(shared, "POST", "/messages", message.clone())
            .status
            == 404
        {
            self.ask(shared, "PUT", "", String::new());
            self.ask(shared, "POST", "/messages", message);
        }
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Shared {
    /// Takes one message after the other until the host stops.
    pub(super) fn listen(self: &Arc<Self>, function: &str, queue: &Queue) {
        while !self.stopping.load(Ordering::SeqCst) {
            match queue.take(self) {
                Some(message) => self.handle(function, queue, message),
                None => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    fn handle(self: &Arc<Self>, function: &str, queue: &Queue, stored: Message) {
        let most = self.settings.max_dequeue_count;
        let text = STANDARD
            .decode(&stored.text)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(text) = text.filter(|_| stored.dequeue_count <= most) else {
            return self.poison(queue, &stored, &stored.receipt);
        };
        let message = Message {
            text,
            ..stored.clone()
        };
        let body = body::of_message(function, "msg", &message, super::now());
        let receipt = Arc::new(std::sync::Mutex::new(stored.receipt.clone()));
        let done = Arc::new(AtomicBool::new(false));
        let renewing = self.renew(queue, &stored.id, &receipt, &done);
        // A handler that is being restarted is waited for.
        while self.ping().is_none() && !self.stopping.load(Ordering::SeqCst) {
            self.look_after_handler();
            std::thread::sleep(Duration::from_millis(10));
        }
        let answer = self.invoke(function, stored.dequeue_count, &body);
        done.store(true, Ordering::SeqCst);
        drop(renewing.join());
        let receipt = lock(&receipt).clone();
        match answer {
            // A host that dies does nothing more.
            _ if self.stopping.load(Ordering::SeqCst) => {}
            Some(_) => queue.delete(self, &stored.id, &receipt),
            None if stored.dequeue_count >= most => self.poison(queue, &stored, &receipt),
            None => {
                let seconds = self.settings.retry_after.as_secs();
                queue.update(self, &stored.id, &receipt, seconds);
            }
        }
    }

    /// Renews the lease at half of its time while the function works.
    fn renew(
        self: &Arc<Self>,
        queue: &Queue,
        id: &str,
        receipt: &Arc<std::sync::Mutex<String>>,
        done: &Arc<AtomicBool>,
    ) -> std::thread::JoinHandle<()> {
        let (shared, queue, id) = (Arc::clone(self), Queue::new(&queue.name), id.to_owned());
        let (receipt, done) = (Arc::clone(receipt), Arc::clone(done));
        std::thread::spawn(move || {
            let half = shared.settings.lease / 2;
            let mut since = std::time::Instant::now();
            while !done.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(10));
                if since.elapsed() < half || shared.stopping.load(Ordering::SeqCst) {
                    continue;
                }
                since = std::time::Instant::now();
                let mut receipt = lock(&receipt);
                let lease = shared.settings.lease.as_secs().max(1);
                if let Some(next) = queue.update(&shared, &id, &receipt, lease) {
                    *receipt = next;
                    shared.renewals.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
    }

    /// What was poison already stays where it is, and is taken again when its lease has ended.
    fn poison(&self, queue: &Queue, stored: &Message, receipt: &str) {
        if !queue.name.ends_with("-poison") {
            Queue::new(&format!("{}-poison", queue.name)).put(self, &stored.text);
            queue.delete(self, &stored.id, receipt);
        }
    }
}
