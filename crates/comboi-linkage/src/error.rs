//! What can go wrong when records are linked, told apart by what to do next.

use comboi_project::Problems;

use crate::RulePairs;

/// What can go wrong when records are linked. No message contains a value out of a record.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody has to mend the settings, or give the records the columns that they are about.
    #[error(transparent)]
    Problems(#[from] Problems),
    /// The records have to be told apart first: a pair of equal ids would be compared with itself.
    #[error(
        "`{column}` does not tell the records apart: {repeated} values stand in more than one record, {null} records have none; deduplication needs a column of ids that are unique and not NULL (`dedupe.unique_id`)"
    )]
    Ids {
        /// The column of ids.
        column: String,
        /// Values that more than one record has.
        repeated: u64,
        /// Records without one.
        null: u64,
    },
    /// Narrower rules, or a larger budget. Nothing was compared.
    #[error("{}", too_many(rules, *pairs, *budget))]
    TooManyPairs {
        /// The rules with their numbers of pairs.
        rules: Vec<RulePairs>,
        /// Of all rules together.
        pairs: u64,
        /// What was allowed.
        budget: u64,
    },
    /// No more records than this can be linked at once.
    #[error("{rows} records are more than can be linked at once ({})", u32::MAX - 1)]
    TooManyRecords {
        /// How many there are.
        rows: u64,
    },
    /// There is no record with this id.
    #[error("there is no record whose `{column}` is `{id}`")]
    NoSuchRecord {
        /// The column of ids.
        column: String,
        /// What was looked for: somebody typed it.
        id: String,
    },
    /// DuckDB.
    #[error(transparent)]
    Engine(#[from] comboi_engine::Error),
}

fn too_many(rules: &[RulePairs], pairs: u64, budget: u64) -> String {
    let mut widest: Vec<&RulePairs> = rules.iter().collect();
    widest.sort_by_key(|it| std::cmp::Reverse(it.pairs));
    let each: Vec<String> = widest
        .iter()
        .take(5)
        .map(|it| {
            format!(
                "\n  {} pairs by `{}`, whose most frequent key has {} records",
                it.pairs, it.rule, it.largest_key_rows
            )
        })
        .collect();
    format!(
        "the rules give {pairs} pairs to compare, more than the budget of {budget}; make the widest narrower (another column in the key) or raise `dedupe.pairs_budget`:{}",
        each.concat()
    )
}
