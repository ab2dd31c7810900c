//! Which run wrote what readers see of a dataset: noted in its commits, so that no run takes another one's work for its own.
//!
//! The fence tells only which runs may not commit any more: a later run may have done something else there, and should two runs
//! ever have one number, the fence cannot tell them apart.

use std::collections::BTreeMap;

use comboi_lake::Snapshot;
use comboi_project::{PipelineName, RunId};
use serde::{Deserialize, Serialize};

use crate::ledger::Order;

/// The property of a commit that says who wrote the rows. Restoring a version restores it too.
pub(crate) const WRITER: &str = "written_by";

#[derive(Debug, Serialize, Deserialize)]
struct Writer {
    pipeline: PipelineName,
    run: RunId,
    id: String,
}

/// What a commit of this run notes.
pub(crate) fn note(pipeline: &PipelineName, order: &Order) -> BTreeMap<String, String> {
    let writer = order.id.as_ref().map(|id| Writer {
        pipeline: pipeline.clone(),
        run: order.run,
        id: id.clone(),
    });
    let noted = writer.map(|writer| {
        let text = serde_json::to_string(&writer);
        text.expect("names and numbers always become JSON")
    });
    noted
        .map(|text| (WRITER.to_owned(), text))
        .into_iter()
        .collect()
}

/// The number of the next commit of a run to a table that it may have committed to before, in an attempt that died.
pub(crate) fn next_chunk(newest: Option<&Snapshot>, pipeline: &PipelineName, run: RunId) -> u32 {
    let last = newest.and_then(|newest| newest.last_commit(pipeline));
    last.filter(|(last, _)| *last == run)
        .map_or(0, |(_, chunk)| chunk + 1)
}

/// What tells the run apart that wrote a version; `None` of an earlier comboi.
pub(crate) fn id_of(properties: &BTreeMap<String, String>) -> Option<String> {
    of(properties).map(|writer| writer.id)
}

/// The run that wrote a version; `None` of an earlier comboi.
pub(crate) fn run_of(properties: &BTreeMap<String, String>) -> Option<RunId> {
    of(properties).map(|writer| writer.run)
}

/// The pipeline that wrote the rows of a version, by what that notes; `None` if it is not noted.
pub fn pipeline_of(properties: &BTreeMap<String, String>) -> Option<PipelineName> {
    of(properties).map(|writer| writer.pipeline)
}

fn of(properties: &BTreeMap<String, String>) -> Option<Writer> {
    // What another comboi wrote there may not be understood.
    serde_json::from_str(properties.get(WRITER)?).ok()
}

/// How a dataset stands to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The run may commit.
    Free,
    /// The run itself wrote what is there.
    Ours,
    /// A later run wrote what is there.
    Later(RunId),
    /// Another run has committed to it that is not earlier, and did something else than to write the rows that are there.
    Fenced(RunId),
}

impl Standing {
    /// By what is noted with the version that readers see, and the last run that committed.
    pub(crate) fn of(
        order: &Order,
        pipeline: &PipelineName,
        properties: &BTreeMap<String, String>,
        last: Option<RunId>,
    ) -> Self {
        let fence = last.filter(|last| *last >= order.run);
        let Some(id) = &order.id else {
            // A run that an earlier comboi began notes nothing.
            return fence.map_or(Self::Free, |_| Self::Ours);
        };
        match of(properties).filter(|writer| writer.pipeline == *pipeline) {
            Some(writer) if writer.id == *id => Self::Ours,
            Some(writer) if writer.run > order.run => Self::Later(writer.run),
            _ => fence.map_or(Self::Free, Self::Fenced),
        }
    }
}

#[cfg(test)]
mod tests {
    use comboi_plan::Plan;

    use super::*;
    use crate::ledger::RunKind;

    fn order(pipeline: &PipelineName, run: u32) -> Order {
        let plan = Plan::empty(pipeline.clone());
        let now = chrono::DateTime::UNIX_EPOCH;
        Order {
            run: RunId(run),
            ..Order::new(RunKind::Pipeline, plan, now)
        }
    }

    #[test]
    fn a_number_alone_makes_no_run_the_writer() {
        let shop: PipelineName = "shop".parse().unwrap();
        let (five, other_five) = (order(&shop, 5), order(&shop, 5));
        let check = |by: &BTreeMap<String, String>, last: u32, expected: Standing| {
            let standing = Standing::of(&five, &shop, by, Some(RunId(last)));
            assert_eq!(standing, expected, "{by:?}, {last}");
        };
        let nobody = BTreeMap::new();
        check(&nobody, 4, Standing::Free);
        check(&nobody, 5, Standing::Fenced(RunId(5)));
        check(&note(&shop, &five), 5, Standing::Ours);
        // Its quarantine was purged since.
        check(&note(&shop, &five), 7, Standing::Ours);
        check(&note(&shop, &other_five), 5, Standing::Fenced(RunId(5)));
        check(&note(&shop, &order(&shop, 6)), 6, Standing::Later(RunId(6)));
        // What run 3 wrote was brought back by run 6.
        check(
            &note(&shop, &order(&shop, 3)),
            6,
            Standing::Fenced(RunId(6)),
        );
        let elsewhere: PipelineName = "elsewhere".parse().unwrap();
        check(&note(&elsewhere, &order(&elsewhere, 9)), 4, Standing::Free);
        // Of an earlier comboi, which told runs by their numbers.
        let old = Order {
            id: None,
            ..five.clone()
        };
        let standing = Standing::of(&old, &shop, &nobody, Some(RunId(5)));
        assert_eq!(standing, Standing::Ours);
    }
}
