//! What a deduplication says that can't be.

use super::{Dedupe, GoldenRule, Keep, LargeCluster, Model, SurvivorRule, Train};
use crate::read::{Located, Reader};
use crate::{Constraint, Contract, Place, Problem};

/// Reports everything about a deduplication that can be seen to be wrong without its query. The column that tells the
/// rows apart, if there is one.
pub(crate) fn check<'a>(
    dedupe: &Located<Dedupe>,
    model: Option<&Model>,
    contracts: impl Iterator<Item = &'a Contract>,
    reader: &mut Reader,
) -> Option<Located<String>> {
    let mut report = |place: &Place, message: String, hint: &str| {
        reader.problems.push(Problem::at(place, message).hint(hint));
    };
    probabilities(dedupe, model, &mut report);
    if dedupe.keys.is_empty() && model.is_none() && dedupe.comparisons.is_empty() {
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
    let unique_id = dedupe
        .unique_id
        .clone()
        .or_else(|| model.and_then(Model::unique_id))
        .or_else(|| only_key(contracts));
    if unique_id.is_none() {
        report(
            &dedupe.place,
            "nothing tells the rows apart before they are deduplicated".to_owned(),
            "name a column that is never NULL and never there twice: `unique_id: <column>`",
        );
    }
    unique_id
}

/// What is about rows that are compared, not only held against each other's keys.
fn probabilities(
    dedupe: &Located<Dedupe>,
    model: Option<&Model>,
    report: &mut impl FnMut(&Place, String, &str),
) {
    if let (Some(model), Some((name, _))) = (model, dedupe.comparisons.first()) {
        report(
            &name.place,
            "`splink` says how rows are compared, and so does `comparisons`".to_owned(),
            &format!("keep one of them; `splink` is at {}", model.place),
        );
    }
    let compares = model.is_some() || !dedupe.comparisons.is_empty();
    for (share, name) in [
        (&dedupe.recall, "recall"),
        (&dedupe.threshold, "threshold"),
        (&dedupe.predict_threshold, "predict_threshold"),
    ] {
        if !(share.value > 0.0 && share.value <= 1.0) {
            report(
                &share.place,
                format!("`{name}` is more than 0 and at most 1"),
                "such as 0.95",
            );
        } else if share.place.line > 0 && !compares {
            report(
                &share.place,
                format!("`{name}` says nothing where no rows are compared"),
                "name `comparisons`, or take it away",
            );
        }
    }
    if dedupe.pairs_budget.value == 0 {
        report(
            &dedupe.pairs_budget.place,
            "no pairs could be compared".to_owned(),
            "50 for each row is the default",
        );
    }
    if dedupe.train == Train::Never && model.is_none() && compares {
        report(
            &dedupe.place,
            "`comparisons` know nothing before they are trained, and `train` is `never`".to_owned(),
            "take `train` away, or name a trained model under `splink:`",
        );
    }
    if !compares {
        if let Some(path) = &dedupe.save_model {
            report(
                &path.place,
                "there is no model to save where no rows are compared".to_owned(),
                "name `comparisons`, or take it away",
            );
        }
        if dedupe.on_large_cluster == Some(LargeCluster::Split) {
            report(
                &dedupe.place,
                "a cluster of rows that share a key can't be split: there is no threshold to raise"
                    .to_owned(),
                "`on_large_cluster` is `fail` or `warn` here",
            );
        }
        if dedupe.output.pairs {
            report(
                &dedupe.place,
                "there are no pairs to write where no rows are compared".to_owned(),
                "name `comparisons`, or take `output.pairs` away",
            );
        }
    }
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
