//! `dedupe:` of a transformation: which rows are the same thing, and what becomes of them.

mod check;
mod key;
mod likeness;
mod splink;
mod survivors;

use crate::read::{Located, choice, record};

pub(crate) use check::check;
pub use key::LinkKey;
pub use likeness::Likeness;
pub use splink::{Inline, Model, Splink};
pub use survivors::{GoldenRule, Ranked, SourceOrder, SurvivorRule};

use crate::read::Entries;

record! {
    /// How rows about the same thing become one.
    pub struct Dedupe, "`dedupe`" {
        /// The column that tells the query's rows apart: never NULL, never twice. Default: the contract's only column that is
        /// `unique` and not `nullable`.
        pub unique_id: Option<Located<String>>,
        /// What rows of one thing share: a column, a list of columns, or expressions of SQL with commas between them. Rows that agree
        /// in one of the keys are one thing, or with `comparisons` may be one; where a part of a key is NULL, it says nothing.
        /// With `comparisons` and without keys, the columns compared are keys.
        pub keys: Vec<Located<LinkKey>> = Vec::new(),
        /// How columns are compared of rows that agree in a key: then rows are one thing that are probably so.
        pub comparisons: Entries<Located<Likeness>> = Entries::default(),
        /// Whether the model of `comparisons` or `splink` learns from the rows.
        pub train: Train = Train::Auto,
        /// Whether the share of matches among all pairs, which belongs to a number of rows, is estimated in each run.
        pub lambda: Lambda = Lambda::Reestimate,
        /// Keys that hardly err, for the share of matches. Default: none, it is what the trained model expects.
        pub deterministic_rules: Vec<Located<LinkKey>> = Vec::new(),
        /// The share of all matches that they find.
        pub recall: Located<f64> = Located::new(0.7, crate::Place::file("")),
        /// Keys among whose pairs the model learns what matches look like. Default: the narrowest keys.
        pub em_rules: Vec<Located<LinkKey>> = Vec::new(),
        /// Rows are one thing from this match probability on.
        pub threshold: Located<f64> = Located::new(0.95, crate::Place::file("")),
        /// Pairs are kept from this match probability on, for `output.pairs`.
        pub predict_threshold: Located<f64> = Located::new(0.9, crate::Place::file("")),
        /// The most pairs that may be compared, for each row.
        pub pairs_budget: Located<u32> = Located::new(50, crate::Place::file("")),
        /// Where the trained model is written, as Splink saves one; below the project's folder.
        pub save_model: Option<Located<std::path::PathBuf>>,
        /// What chance begins with: the same gives the same.
        pub seed: u64 = 1,
        /// The column that says which source a row is from, for `source_priority`.
        pub source: Option<Located<String>>,
        /// The most rows that one thing may have.
        pub max_cluster_size: Located<u32> = Located::new(100, crate::Place::file("")),
        /// What to do when one has more. Default: `split` where rows are compared, else `fail`.
        pub on_large_cluster: Option<LargeCluster>,
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
        /// The threshold is raised inside of it until its parts are small enough.
        Split = "split",
    }
}

choice! {
    /// Whether a model learns from the rows.
    pub enum Train {
        /// Where it lacks numbers.
        Auto = "auto",
        /// Never.
        Never = "never",
        /// In each run.
        Always = "always",
    }
}

choice! {
    /// Where the share of matches is from.
    pub enum Lambda {
        /// Estimated in each run.
        Reestimate = "reestimate",
        /// The model says it.
        Model = "model",
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
        /// Whether `<dataset>__pairs` is written too: pairs with their match weights.
        pub pairs: bool = false,
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
            pairs: false,
        }
    }
}
