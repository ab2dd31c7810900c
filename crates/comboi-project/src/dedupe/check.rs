//! What a deduplication says that can't be.

use super::{Dedupe, GoldenRule, Keep, SurvivorRule};
use crate::read::{Located, Reader};
use crate::{Constraint, Contract, Place, Problem};

/// Reports everything about a deduplication that can be seen to be wrong without its query. The column that tells the
/// rows apart, if there is one.
pub(crate) fn check<'a>(
    dedupe: &Located<Dedupe>,
    contracts: impl Iterator<Item = &'a Contract>,
    reader: &mut Reader,
) -> Option<Located<String>> {
    let mut report = |place: &Place, message: String, hint: &str| {
        reader.problems.push(Problem::at(place, message).hint(hint));
    };
    if dedupe.keys.is_empty() {
        report(
            &dedupe.place,
            "`dedupe` says not which rows are the same thing".to_owned(),
            "name what they share, such as `keys: [email, [surname, birth_date]]`",
        );
    }
    if dedupe.max_cluster_size.value < 2 {
        report(
            &dedupe.max_cluster_size.place,
            "no two rows could be one thing".to_owned(),
            "a cluster has two rows at least",
        );
    }
    let output = &dedupe.output;
    if let Some((name, _)) = output.golden.first()
        && output.keep != Keep::Golden
    {
        report(
            &name.place,
            format!("`golden` says nothing where `keep` is `{}`", output.keep),
            "write `keep: golden`, or take the rules away",
        );
    }
    let by_time = output.survivor.iter().any(|rule| {
        matches!(&rule.value, SurvivorRule::By(ranked, _) if *ranked != super::Ranked::Longest)
    });
    for (name, rule) in output.golden.iter() {
        if matches!(rule.value, GoldenRule::ByTime(_, None)) && !by_time {
            report(
                &rule.place,
                format!(
                    "nothing says by which column the rows of `{}` are the latest",
                    name.value
                ),
                "name it: `latest: updated_at`",
            );
        }
    }
    let survivor = output.survivor.iter().filter_map(|rule| match &rule.value {
        SurvivorRule::SourcePriority(_) => Some(&rule.place),
        _ => None,
    });
    let golden = output
        .golden
        .iter()
        .filter_map(|(_, rule)| match &rule.value {
            GoldenRule::SourcePriority(_) => Some(&rule.place),
            _ => None,
        });
    if dedupe.source.is_none() {
        for place in survivor.chain(golden) {
            report(
                place,
                "nothing says which source a row is from".to_owned(),
                "name the column: `source: <column>` in `dedupe`",
            );
        }
    }
    let unique_id = dedupe.unique_id.clone().or_else(|| only_key(contracts));
    if unique_id.is_none() {
        report(
            &dedupe.place,
            "nothing tells the rows apart before they are deduplicated".to_owned(),
            "name a column that is never NULL and never there twice: `unique_id: <column>`",
        );
    }
    unique_id
}

/// The only column of the contracts that no two rows share and all have.
fn only_key<'a>(contracts: impl Iterator<Item = &'a Contract>) -> Option<Located<String>> {
    let columns = contracts.flat_map(|contract| &contract.schema.columns);
    let mut keys = columns.filter(|column| {
        let has = |wanted: &Constraint| {
            let mut constraints = column.constraints.0.iter();
            constraints.any(|constraint| constraint.value == *wanted)
        };
        has(&Constraint::Unique(true))
            && (!column.nullable.value || has(&Constraint::NotNull(true)))
    });
    let first = keys.next()?;
    let same =
        |other: &Located<crate::ContractColumn>| other.name.eq_ignore_ascii_case(&first.name);
    keys.all(same).then(|| first.name.clone())
}
