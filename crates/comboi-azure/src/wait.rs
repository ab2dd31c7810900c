//! Waiting where nobody can be awaited.

use std::io;
use std::thread;

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

/// Does asynchronous work and waits for it, in asynchronous code or outside of it.
pub(crate) fn wait<T: Send>(work: impl Future<Output = T> + Send) -> io::Result<T> {
    // On a thread of its own: a runtime can't wait for another one.
    let apart = || {
        thread::scope(|scope| {
            let done = scope.spawn(|| {
                let runtime = Builder::new_current_thread().enable_all().build()?;
                Ok(runtime.block_on(work))
            });
            done.join()
                .unwrap_or_else(|_| Err(io::Error::other("the work ended in a panic")))
        })
    };
    match Handle::try_current() {
        // Other tasks go on elsewhere meanwhile.
        Ok(here) if here.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(apart)
        }
        _ => apart(),
    }
}
