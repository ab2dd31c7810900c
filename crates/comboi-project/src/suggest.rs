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

/// From 0 to 1. Long texts are not compared: nobody mistypes them, and the comparison is quadratic.
fn likeness(a: &str, b: &str) -> f64 {
    if a.len().max(b.len()) > 200 {
        return 0.0;
    }
    let a_word: String = a.chars().filter(|c| c.is_alphanumeric()).collect();
    let b_word: String = b.chars().filter(|c| c.is_alphanumeric()).collect();
    if !a_word.is_empty() && a_word == b_word {
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
