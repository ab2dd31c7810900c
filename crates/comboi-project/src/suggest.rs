//! Did you mean …?

/// The candidate that a person most likely meant, if one is close enough to be worth saying.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = wrong.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (likeness(&folded, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= 0.7)
        // The first of equals, so that the answer does not depend on anything but the order given.
        .fold(None, |best: Option<(f64, &str)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, candidate)| candidate)
}

/// From 0 to 1. Texts that are long or of quite different lengths are not compared: nobody mistypes them so, and the
/// comparison takes the product of their lengths.
fn likeness(a: &str, b: &str) -> f64 {
    let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
    if longer > 200 || shorter * 2 < longer {
        return 0.0;
    }
    let letters = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    if shorter > 0 && a != b && letters(a) == letters(b) {
        return 0.99;
    }
    strsim::normalized_damerau_levenshtein(a, b)
}

/// "did you mean `…`?", if there is something close.
pub fn did_you_mean<'a>(
    wrong: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    nearest(wrong, candidates).map(|meant| format!("did you mean `{meant}`?"))
}

/// The type of rule that other tools know by this name: dbt and its packages, Great Expectations, Soda, the Open Data Contract Standard.
pub(crate) fn rule_of_other_tool(name: &str) -> Option<&'static str> {
    let name = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    let mut known = RULES_OF_OTHER_TOOLS.iter();
    let known = known.find(|(names, _)| names.split(' ').any(|known| known == name));
    known.map(|(_, rule)| *rule)
}

/// Names, divided by blanks, and comboi's.
const RULES_OF_OTHER_TOOLS: [(&str, &str); 23] = [
    (
        "unique unique_combination_of_columns duplicate_count duplicate_percent duplicatecount duplicatevalues",
        "uniqueness",
    ),
    (
        "expect_column_values_to_be_unique expect_compound_columns_to_be_unique",
        "uniqueness",
    ),
    (
        "not_null_proportion at_least_one nullcheck nullvalues expect_column_values_to_not_be_null",
        "not_null",
    ),
    ("missing_count missing_percent missingvalues", "missing"),
    (
        "not_empty_string expect_column_value_lengths_to_be_positive",
        "not_empty",
    ),
    (
        "relationships relationships_where relationship referential_integrity",
        "foreign_key",
    ),
    (
        "expect_column_values_to_be_in_set enum in_set valid_values",
        "accepted_values",
    ),
    (
        "not_accepted_values expect_column_values_to_not_be_in_set",
        "rejected_values",
    ),
    (
        "accepted_range between expect_column_values_to_be_between min_max",
        "range",
    ),
    (
        "expect_column_value_lengths_to_be_between min_length max_length length_between",
        "length",
    ),
    (
        "regex expect_column_values_to_match_regex matches_regex",
        "pattern",
    ),
    ("expect_column_values_to_not_match_regex", "not_pattern"),
    ("invalid_count invalid_percent invalidvalues", "validity"),
    ("expression_is_true", "expression"),
    (
        "expect_column_pair_values_a_to_be_greater_than_b expect_column_pair_values_to_be_equal",
        "compare",
    ),
    (
        "expect_column_values_to_be_increasing expect_column_values_to_be_decreasing increasing",
        "monotonic",
    ),
    ("sequential_values", "sequential"),
    ("mutually_exclusive_ranges", "no_overlap"),
    (
        "row_count rowcount row_count_between expect_table_row_count_to_be_between",
        "volume",
    ),
    ("recency freshness_check", "freshness"),
    (
        "avg min max sum stddev avg_length expect_column_mean_to_be_between expect_column_sum_to_be_between",
        "aggregate",
    ),
    (
        "equal_rowcount fewer_rows_than expect_table_row_count_to_equal_other_table",
        "row_count_match",
    ),
    (
        "sql singular expect_query_results_to_be_empty",
        "failed_rows",
    ),
];

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_of_the_finger_are_understood() {
        let keys = ["incremental_column", "files", "format", "on_bad_row"];
        let check = |wrong: &str, meant| assert_eq!(nearest(wrong, keys), meant, "{wrong}");
        check("incremetal_column", Some("incremental_column"));
        check("incrementalColumn", Some("incremental_column"));
        check("On-Bad-Row", Some("on_bad_row"));
        check("fiels", Some("files"));
        check("file", Some("files"));
        check("query", None);
        check("", None);
        check(&"f".repeat(100_000), None);
    }
}
