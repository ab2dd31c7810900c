//! The only place that reads the wall clock; everything else is given the time.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// Tells the time and waits for it to pass: the machine's, or one that a test sets.
#[derive(Clone)]
pub struct Clock {
    tells: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    waits: Arc<dyn Fn(Duration) -> Waiting + Send + Sync>,
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Clock {
    /// The machine's clock.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    pub fn system() -> Self {
        Self::telling(Utc::now)
    }

    /// A clock that always tells the same time.
    pub fn stopped_at(time: DateTime<Utc>) -> Self {
        Self::telling(move || time)
    }

    fn telling(tells: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Self {
        Self {
            tells: Arc::new(tells),
            waits: Arc::new(|time| Box::pin(tokio::time::sleep(time))),
        }
    }

    #[cfg(test)]
    pub(crate) fn simulated(
        tells: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        waits: impl Fn(Duration) -> Waiting + Send + Sync + 'static,
    ) -> Self {
        Self {
            tells: Arc::new(tells),
            waits: Arc::new(waits),
        }
    }

    /// Returns when so much time has passed.
    pub(crate) async fn wait(&self, time: Duration) {
        (self.waits)(time).await;
    }

    /// The time, in whole microseconds: what the lake can keep.
    pub fn now(&self) -> DateTime<Utc> {
        let now = (self.tells)();
        DateTime::from_timestamp_micros(now.timestamp_micros()).unwrap_or(now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
