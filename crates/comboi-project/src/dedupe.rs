//! `dedupe:` of a transformation: which rows are the same thing, and what becomes of them.

mod check;
mod key;
mod survivors;

use crate::read::{Located, choice, record};

pub(crate) use check::check;
pub use key::LinkKey;
pub use survivors::{GoldenRule, Ranked, SourceOrder, SurvivorRule};

use crate::read::Entries;

record! {
    /// How rows about the same thing become one.
    pub struct Dedupe, "`dedupe`" {
        /// The column that tells the query's rows apart: never NULL, never twice. Default: the contract's only column that is
        /// `unique` and not `nullable`.
        pub unique_id: Option<Located<String>>,
        /// What rows of one thing share: a column, a list of columns, or expressions of SQL with commas between them. Rows that agree
        /// in one of the keys are one thing; where a part of a key is NULL, it says nothing.
        pub keys: Vec<Located<LinkKey>> = Vec::new(),
        /// The column that says which source a row is from, for `source_priority`.
        pub source: Option<Located<String>>,
        /// The most rows that one thing may have.
        pub max_cluster_size: Located<u32> = Located::new(100, crate::Place::file("")),
        /// What to do when one has more.
        pub on_large_cluster: LargeCluster = LargeCluster::Fail,
        /// Whether rows that were found to be one thing once stay so, whatever they look like now.
        pub incremental: bool = false,
        /// What is written.
        pub output: DedupeOutput = DedupeOutput::default(),
    }
}

choice! {
    /// What to do with a cluster of too many rows.
    pub enum LargeCluster {
        /// Nothing is published; readers keep what they have.
        Fail = "fail",
        /// It is published, and the run says so.
        Warn = "warn",
    }
}

record! {
    /// What a deduplication writes.
    pub struct DedupeOutput, "the output" {
        /// Which rows.
        pub keep: Keep = Keep::Survivor,
        /// Which row of a cluster survives: the rules decide one after the other, then the smallest id does. Default: the most
        /// complete row.
        pub survivor: Vec<Located<SurvivorRule>> = Vec::new(),
        /// Which value of a cluster's rows goes into the golden record, by column; `default` is for all the others. Without a
        /// rule it is the value of the row that survives, or the next that has one.
        pub golden: Entries<Located<GoldenRule>> = Entries::default(),
    }
}

choice! {
    /// Which rows a deduplicated dataset has.
    pub enum Keep {
        /// One row of each cluster, as it came.
        Survivor = "survivor",
        /// One record for each cluster, put together of its rows' values.
        Golden = "golden",
        /// Every row, with its cluster.
        All = "all",
    }
}

impl Default for DedupeOutput {
    fn default() -> Self {
        Self {
            keep: Keep::Survivor,
            survivor: Vec::new(),
            golden: Entries::default(),
        }
    }
}

impl Dedupe {
    /// The columns that a deduplication adds to what the query returns.
    pub fn added_columns(&self) -> Vec<&'static str> {
        let mut added = vec!["cluster_id", "cluster_size"];
        match self.output.keep {
            Keep::All => added.push("is_survivor"),
            Keep::Golden => added.push("merged_ids"),
            Keep::Survivor => {}
        }
        added
    }
}
