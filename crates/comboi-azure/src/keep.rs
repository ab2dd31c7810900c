//! Values that are fetched once, by one at a time, and kept while they are good.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::Machine;

/// For so long a failure is the answer to everybody who asks: many tasks want the same thing at once.
const FAILURE_STANDS: TimeDelta = TimeDelta::seconds(10);

/// A value with its times.
#[derive(Clone)]
pub(crate) struct Fetched<V> {
    pub(crate) value: V,
    /// Then a new one is fetched.
    pub(crate) fresh_until: DateTime<Utc>,
    /// Until then it will do when no new one can be had.
    pub(crate) usable_until: DateTime<Utc>,
}

/// Values by their keys.
pub(crate) struct Keep<K, V, E>(Mutex<Vec<(K, Slot<V, E>)>>);

type Slot<V, E> = Arc<tokio::sync::Mutex<Kept<V, E>>>;

struct Kept<V, E> {
    fetched: Option<(Fetched<V>, DateTime<Utc>)>,
    failed: Option<(E, DateTime<Utc>)>,
}

/// How old a value may be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Age {
    /// While it is fresh.
    Fresh,
    /// It was good until now, but is doubted: no older than this.
    AtMost(TimeDelta),
}

impl<K, V, E> Default for Keep<K, V, E> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<K: Clone + PartialEq, V: Clone, E: Clone> Keep<K, V, E> {
    /// The value that is kept, or what `fetch` gets; it is not begun when it is not needed.
    pub(crate) async fn get(
        &self,
        key: &K,
        age: Age,
        machine: &Machine,
        passes: fn(&E) -> bool,
        fetch: impl Future<Output = Result<Fetched<V>, E>> + Send,
    ) -> Result<V, E> {
        let slot = self.slot(key);
        // Whoever comes meanwhile waits for the same answer.
        let mut kept = slot.lock().await;
        let now = machine.now();
        if let Some((fetched, at)) = &kept.fetched {
            let good = match age {
                Age::Fresh => now < fetched.fresh_until,
                Age::AtMost(age) => now - *at < age,
            };
            if good {
                return Ok(fetched.value.clone());
            }
        }
        if let Some((error, at)) = &kept.failed
            && now - *at < FAILURE_STANDS
        {
            return kept.instead(error.clone(), age, now, passes);
        }
        match fetch.await {
            Ok(fetched) => {
                let value = fetched.value.clone();
                *kept = Kept {
                    fetched: Some((fetched, now)),
                    failed: None,
                };
                Ok(value)
            }
            Err(error) => {
                kept.failed = Some((error.clone(), machine.now()));
                kept.instead(error, age, now, passes)
            }
        }
    }

    fn slot(&self, key: &K) -> Slot<V, E> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = slots.iter().find(|(known, _)| known == key) {
            return Arc::clone(slot);
        }
        let slot = Slot::new(tokio::sync::Mutex::new(Kept {
            fetched: None,
            failed: None,
        }));
        slots.push((key.clone(), Arc::clone(&slot)));
        slot
    }
}

impl<V: Clone, E> Kept<V, E> {
    /// The old value, where that is better than an error that will pass.
    fn instead(
        &self,
        error: E,
        age: Age,
        now: DateTime<Utc>,
        passes: fn(&E) -> bool,
    ) -> Result<V, E> {
        match (&self.fetched, age) {
            (Some((fetched, _)), Age::Fresh) if passes(&error) && now < fetched.usable_until => {
                Ok(fetched.value.clone())
            }
            _ => Err(error),
        }
    }
}
