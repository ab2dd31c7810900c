//! Numbers and sizes as people read them, the same everywhere.

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `5,222 rows`.
pub fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", count(number))
}

/// `1536` as `1.5 kB`: in powers of 1,000, never rounded up.
pub fn bytes(number: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if number < unit * 1000 {
            break;
        }
        unit *= 1000;
        name = next;
    }
    let whole = number / unit;
    if unit == 1 || whole >= 10 {
        format!("{} {name}", count(whole))
    } else {
        format!("{whole}.{} {name}", number % unit / (unit / 10))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(5_222, "row"), "5,222 rows");
    }

    #[test]
    fn sizes_have_two_digits_that_matter() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_500, "1.5 kB"),
            (9_999, "9.9 kB"),
            (15_000, "15 kB"),
            (2_400_000_000, "2.4 GB"),
            (u64::MAX, "18,446,744 TB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }
}
