//! What has to be known of the machine that comboi is on.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::wire::Wire;

type Env = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The machine that comboi is on: its environment, its clock and its network. Cheap to clone.
#[derive(Clone)]
pub struct Machine {
    env: Arc<Env>,
    clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    pub(crate) wire: Wire,
}

impl Machine {
    /// A machine with these environment variables and this clock. Its certificates and proxies are read when they are needed.
    pub fn new(
        env: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
        clock: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
    ) -> Self {
        Self {
            env: Arc::new(env),
            clock: Arc::new(clock),
            wire: Wire::default(),
        }
    }

    /// With this client for everything that is asked, of the machine itself too.
    #[must_use]
    pub fn asking_by(mut self, client: reqwest::Client) -> Self {
        self.wire = Wire::by(client);
        self
    }

    /// An environment variable that says something.
    pub(crate) fn env(&self, name: &str) -> Option<String> {
        (self.env)(name).filter(|value| !value.trim().is_empty())
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Machine")
    }
}
