//! Numbers and spans of time for people.

use comboi_project::text::count as thousands;
pub(super) use comboi_project::text::counted;

/// A text that DuckDB or a person wrote as a number, with separators if it is one: `-5222.50` → `-5,222.50`.
pub(super) fn grouped(text: &str) -> String {
    let (sign, rest) = text
        .strip_prefix('-')
        .map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = rest
        .split_once('.')
        .map_or((rest, None), |(whole, fraction)| (whole, Some(fraction)));
    let Ok(whole) = whole.parse::<u64>() else {
        return text.to_owned();
    };
    let fraction = fraction
        .map(|digits| format!(".{digits}"))
        .unwrap_or_default();
    format!("{sign}{}{fraction}", thousands(whole))
}

/// The two largest units: `3 h 20 min`, `2 d 4 h`, `45 s`.
pub(super) fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        if rest >= size && parts.len() < 2 {
            parts.push(format!("{} {unit}", thousands(rest / size)));
            rest %= size;
        } else if !parts.is_empty() {
            break;
        }
    }
    if parts.is_empty() {
        "0 s".to_owned()
    } else {
        parts.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_told_apart() {
        let all = [0, 12, 999, 1_000, 5_222, 100_000, 1_234_567].map(thousands);
        assert_eq!(
            all,
            ["0", "12", "999", "1,000", "5,222", "100,000", "1,234,567"]
        );
        assert_eq!(
            [counted(0, "row"), counted(1, "row"), counted(2_000, "row")],
            ["0 rows", "1 row", "2,000 rows"]
        );
        assert_eq!(
            ["1234567.5", "-5222", "0.25", "abc", "1e10"].map(grouped),
            ["1,234,567.5", "-5,222", "0.25", "abc", "1e10"]
        );
    }

    #[test]
    fn a_span_has_its_two_largest_units() {
        let all = [0, 59, 60, 3_725, 90_000, 86_400, 200_000_000].map(span);
        assert_eq!(
            all,
            [
                "0 s",
                "59 s",
                "1 min",
                "1 h 2 min",
                "1 d 1 h",
                "1 d",
                "2,314 d 19 h"
            ]
        );
    }
}
