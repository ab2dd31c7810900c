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
