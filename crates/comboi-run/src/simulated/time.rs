//! Time that passes only when nobody has anything else to do.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// The time since the simulation began. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Time(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    now: Duration,
    count: u64,
    /// Who waits until when; whoever came first is first.
    wakers: BTreeMap<(Duration, u64), Waker>,
}

impl Time {
    /// A runtime of one thread whose time this is.
    pub(super) fn runtime(&self) -> tokio::runtime::Runtime {
        let time = self.clone();
        tokio::runtime::Builder::new_current_thread()
            .on_thread_park(move || time.passes())
            .build()
            .expect("a runtime can be made")
    }

    pub(super) fn now(&self) -> Duration {
        self.waiting().now
    }

    pub(super) fn sleep(&self, time: Duration) -> Sleep {
        self.sleep_until(self.now() + time)
    }

    pub(super) fn sleep_until(&self, until: Duration) -> Sleep {
        let mut waiting = self.waiting();
        waiting.count += 1;
        let key = (until, waiting.count);
        let time = self.clone();
        Sleep { time, key }
    }

    /// Nobody can go on: it is the time that the next one waits for.
    fn passes(&self) {
        let mut waiting = self.waiting();
        if let Some(((until, _), waker)) = waiting.wakers.pop_first() {
            waiting.now = waiting.now.max(until);
            drop(waiting);
            waker.wake();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) struct Sleep {
    time: Time,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut waiting = self.time.waiting();
        if waiting.now >= self.key.0 {
            return Poll::Ready(());
        }
        waiting.wakers.insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.time.waiting().wakers.remove(&self.key);
    }
}
