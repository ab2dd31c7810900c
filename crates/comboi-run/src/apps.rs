//! Whether another app does runs of the same lake.

use std::fmt;

use comboi_lake::{State, StateError};
use comboi_project::RunId;

use crate::ledger::{Ledger, LedgerError};
use crate::runner::{RunError, Runner};

/// Another app that does runs of the same lake: it sends messages by another queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherApp {
    /// Its last run, which is the last one of all.
    pub run: RunId,
    /// Its queue.
    pub queue: String,
    /// Our own.
    pub own: String,
}

impl fmt::Display for OtherApp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, queue, own } = self;
        write!(
            f,
            "two apps work on this lake: run {run}, the last one, goes by {queue}, and this app sends to {own}. No row is lost or doubled by it, but each undoes what the other's configuration builds: stop one of them, or give it containers of its own. If this app has taken the place of the other, its next run settles it"
        )
    }
}

/// The app that did the last run of the pipeline, if that was not the one that sends to the queue `own`.
pub async fn other_app(state: &State, own: &str) -> Result<Option<OtherApp>, RunError> {
    let ledger = Ledger::new(state.clone());
    let last = match ledger.last_pipeline_run().await {
        Ok(last) => last,
        // Others say that, and what to do.
        Err(LedgerError::Damaged { .. } | LedgerError::State(StateError::Damaged(_))) => None,
        Err(e) => return Err(e.into()),
    };
    let Some(run) = last else {
        return Ok(None);
    };
    let order = ledger.order(run).await?;
    let queue = order.and_then(|order| order.queue);
    Ok(queue.filter(|queue| queue != own).map(|queue| OtherApp {
        run,
        queue,
        own: own.to_owned(),
    }))
}

impl Runner {
    /// The app that did the last run, if that was another one; `None` too where runs do not go by messages.
    pub(crate) async fn other_app(&self) -> Result<Option<OtherApp>, RunError> {
        match &self.queue {
            Some(own) => other_app(&self.state, own).await,
            None => Ok(None),
        }
    }
}
