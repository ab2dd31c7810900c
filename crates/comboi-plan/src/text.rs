//! Numbers and sizes for people.

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 row`, `2 rows`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    format!(
        "{} {noun}{}",
        count(number),
        if number == 1 { "" } else { "s" }
    )
}

/// `1536` as `1.5 kB`: powers of 1,000.
pub(crate) fn bytes(number: u64) -> String {
    let mut unit = 1_u64;
    let mut name = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        if number < unit * 1000 {
            break;
        }
        unit *= 1000;
        name = next;
    }
    let tenths = number / (unit / 10).max(1);
    if unit == 1 || tenths >= 100 {
        format!("{} {name}", number / unit)
    } else {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    }
}
