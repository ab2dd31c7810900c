//! Giving up what takes long, when somebody asks for it.

use std::pin::pin;
use std::time::Duration;

use comboi_engine::Interrupter;
use futures::future::{Either, select};

use crate::Error;

/// How often is looked.
const PAUSE: Duration = Duration::from_millis(100);

/// Does something unless it is asked to stop, however long the other side says nothing.
pub(super) async fn unless_stopped<T>(
    stop: &Interrupter,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let stopped = async {
        while !stop.stopped() {
            tokio::time::sleep(PAUSE).await;
        }
    };
    match select(pin!(work), pin!(stopped)).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(comboi_engine::Error::Interrupted.into()),
    }
}
