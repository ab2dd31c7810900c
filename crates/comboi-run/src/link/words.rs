//! The comparisons of a project, as the linkage knows them.

use comboi_linkage::Kind;
use comboi_project::{Dedupe, Likeness};

pub(super) fn comparisons(dedupe: &Dedupe) -> Vec<(String, Kind)> {
    let comparisons = dedupe.comparisons.iter();
    comparisons
        .map(|(column, likeness)| (column.value.clone(), kind(&likeness.value)))
        .collect()
}

fn kind(likeness: &Likeness) -> Kind {
    match likeness {
        Likeness::Exact => Kind::Exact,
        Likeness::Name => Kind::Name,
        Likeness::DateOfBirth => Kind::DateOfBirth,
        Likeness::Email => Kind::Email,
        Likeness::Postcode => Kind::Postcode,
        Likeness::Text => Kind::Text,
        Likeness::Levenshtein(most) => Kind::Levenshtein(most.clone()),
        Likeness::Damerau(most) => Kind::Damerau(most.clone()),
        Likeness::JaroWinkler(least) => Kind::JaroWinkler(least.clone()),
        Likeness::Within(most) => Kind::Within(most.clone()),
        Likeness::Days(most) => Kind::Days(most.clone()),
        Likeness::ArrayIntersect(least) => Kind::ArrayIntersect(least.clone()),
    }
}
