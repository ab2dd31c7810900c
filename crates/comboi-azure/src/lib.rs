//! Azure: the queue of tasks.

mod queue;

pub use queue::{Connection, QueueError, TaskQueue};
