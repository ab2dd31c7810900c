//! Doing a plan: tasks, outcomes, the record of runs, the clock.
//!
//! A [`Runner`] does each task of a plan as soon as what it reads is done. Every task may die at any instant and
//! be done again: what it wrote before its commit is unreferenced, and what follows its commit can be repeated.

mod clock;
mod event;
mod process;
mod stop;

mod receipt;

mod ledger;
mod observe;
mod runner;
mod steps;
mod under_way;
mod walk;

mod apps;
mod binding;
mod by_message;
mod message;

mod task;
mod work;
mod writer;

mod beside;
mod build;
mod dedupe;
mod extract;
mod inputs;
mod link;
mod promises;
mod quarantine;
mod retention;

mod backfill;
mod going;
mod history;
mod maintenance;
mod reconcile;
mod record;
mod rows;
mod vacuum;
mod verify;

#[cfg(test)]
mod simulated;

pub use apps::{OtherApp, other_app};
pub use backfill::Backfilled;
pub use binding::{Bound, Faults, bind, check_syntax, drifted};
pub use by_message::Answer;
pub use clock::Clock;
pub use comboi_plan::FailureKind;
pub use event::{Amount, Event, Listener, Phase};
pub use extract::checkpoint_of;
pub use going::{Dropped, Renamed, not_in_project};
pub use history::{RunStatus, RunView, TaskView, run, runs};
pub use ledger::LedgerError;
pub use link::{Learn, Link, LinkReport, check_settings, save as save_model};
pub use message::TaskMessage;
pub use observe::{foresee, lake_columns, observe};
pub use process::Process;
pub use promises::{advice, promised, told, untold};
pub use quarantine::quarantined;
pub use receipt::{Failure, Outcome, Receipt, RunReport};
pub use reconcile::Reconciled;
pub use retention::{PastAge, TableAge};
pub use runner::{RunError, Runner};
pub use steps::{OpenRun, Step};
pub use stop::Stop;
pub use vacuum::vacuum;
pub use verify::{Digests, Flaw, Verified};
pub use work::Work;
pub use writer::pipeline_of;
