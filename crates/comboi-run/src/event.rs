//! What happens in a run, as it happens.

use std::sync::Arc;

use comboi_project::{DatasetId, RunId};

use crate::receipt::{Receipt, RunReport};

/// Something that happened.
#[derive(Debug)]
pub enum Event<'a> {
    /// A run began.
    RunBegan {
        /// The run.
        run: RunId,
        /// How many tasks it has.
        tasks: usize,
    },
    /// A task began.
    TaskBegan {
        /// The dataset it makes.
        dataset: &'a DatasetId,
    },
    /// A task came to its next part.
    TaskReached {
        /// The dataset it makes.
        dataset: &'a DatasetId,
        /// What it does now.
        phase: Phase,
    },
    /// It is known how much a task reads, or has read and committed so far.
    TaskCounted {
        /// The dataset it makes.
        dataset: &'a DatasetId,
        /// How much.
        amount: Amount,
    },
    /// A task ended, or will not begin.
    TaskEnded {
        /// What became of it.
        receipt: &'a Receipt,
    },
    /// The run ended.
    RunEnded {
        /// What became of it.
        report: &'a RunReport,
    },
}

/// How much a task reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// Rows that were committed.
    Rows(u64),
    /// Bytes of files that are read.
    Bytes(u64),
}

/// What a task is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Reading the source's files.
    Reading,
    /// Running the query.
    Building,
    /// Finding which rows are the same thing.
    Deduplicating,
    /// Holding the result to its contract.
    Checking,
    /// Making it what readers see.
    Publishing,
}

impl Phase {
    /// The phase in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Building => "building",
            Self::Deduplicating => "deduplicating",
            Self::Checking => "checking",
            Self::Publishing => "publishing",
        }
    }
}

/// Is told what happens, from any thread. It must not block for long.
pub type Listener = Arc<dyn Fn(Event<'_>) + Send + Sync>;
