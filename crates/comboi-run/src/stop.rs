//! Stopping a run cleanly: no new task begins, queries are interrupted, a commit under way is finished.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use comboi_engine::Interrupter;

/// Asks a run to stop; clones share the request.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    deadline: Mutex<Option<Instant>>,
    queries: Mutex<Queries>,
}

#[derive(Default)]
struct Queries {
    next: u64,
    running: BTreeMap<u64, Interrupter>,
}

impl Stop {
    /// Stops the run: running queries end with an error at once, nothing new begins.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        for query in self.queries().running.values() {
            query.stop();
        }
    }

    /// Whether the run was asked to stop.
    pub fn requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// Says when the run will be asked to stop.
    pub(crate) fn announce(&self, deadline: Instant) {
        *lock(&self.0.deadline) = Some(deadline);
    }

    /// When the run will be asked to stop, if that is known.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        *lock(&self.0.deadline)
    }

    /// Whether this is the same request as another one.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Interrupts these queries too, when the run is asked to stop before the watch is dropped.
    pub(crate) fn watch(&self, query: Interrupter) -> Watch {
        let mut queries = self.queries();
        let number = queries.next;
        queries.next += 1;
        if self.requested() {
            query.stop();
        }
        queries.running.insert(number, query);
        Watch {
            stop: self.clone(),
            number,
        }
    }

    fn queries(&self) -> MutexGuard<'_, Queries> {
        lock(&self.0.queries)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the watching of a query when it is dropped.
pub(crate) struct Watch {
    stop: Stop,
    number: u64,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.queries().running.remove(&self.number);
    }
}
