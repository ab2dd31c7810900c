//! Numbers as people read them.

/// `5,222`
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 row`, `5,222 rows`
pub(crate) fn counted(number: u64, noun: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {noun}{end}", grouped(number))
}

/// The words of a column's name, in lower case: `emailAddress`, `E-Mail`, `CUSTOMER_EMAIL`.
pub(crate) fn words_of(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before: Option<char> = None;
    for c in name.chars() {
        let begins = !before.is_some_and(char::is_alphanumeric)
            || c.is_uppercase() && before.is_some_and(char::is_lowercase)
            || c.is_ascii_digit() != before.is_some_and(|it| it.is_ascii_digit());
        if c.is_alphanumeric() {
            match words.last_mut() {
                Some(word) if !begins => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
        }
        before = Some(c);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        for (name, expected) in [
            ("customer_email", "customer email"),
            ("CUSTOMER_EMAIL", "customer email"),
            ("emailAddress", "email address"),
            ("E-Mail", "e mail"),
            ("line2", "line 2"),
            ("", ""),
        ] {
            assert_eq!(words_of(name).join(" "), expected, "{name}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(1_234_567, "row"), "1,234,567 rows");
        assert_eq!(counted(0, "row"), "0 rows");
    }
}
