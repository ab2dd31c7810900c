//! Numbers, sizes and times as people read and write them.

use std::time::Duration;

pub(crate) use comboi_project::text::{bytes, count, counted};

/// `0.12 s`, `12.3 s`, `2 m 03 s`.
pub(crate) fn took(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds >= 60 {
        format!("{} m {:02} s", seconds / 60, seconds % 60)
    } else if seconds >= 10 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{:.2} s", time.as_secs_f64())
    }
}

/// Lines broken between words, so that a terminal of so many columns does not break within them; what follows is indented by two more. Colours
/// take no place.
pub(crate) fn wrapped(text: &str, columns: usize) -> String {
    /// What is narrower shows nothing in order anyway.
    const LEAST: usize = 40;
    if columns < LEAST {
        return text.to_owned();
    }
    let lines = text.lines().map(|line| wrapped_line(line, columns));
    lines.collect::<Vec<_>>().join("\n")
}

fn wrapped_line(line: &str, columns: usize) -> String {
    if shown_width(line) <= columns {
        return line.to_owned();
    }
    let indent = line.len() - line.trim_start().len();
    let (mut out, mut width) = (" ".repeat(indent), indent);
    for (i, word) in line.trim_start().split(' ').enumerate() {
        let long = shown_width(word);
        if i > 0 && width + 1 + long > columns {
            let indent = indent + 2;
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            width = indent;
        } else if i > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += long;
    }
    out
}

/// How many characters are shown, without the sequences that give them colours.
fn shown_width(text: &str) -> usize {
    let (mut width, mut hidden) = (0, false);
    for c in text.chars() {
        match c {
            '\u{1b}' => hidden = true,
            'm' if hidden => hidden = false,
            _ if hidden => {}
            _ => width += 1,
        }
    }
    width
}

/// Reads `7d`, `12h`, `30m` or `45s`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong =
        || format!("`{text}` is not a time: expected a number and d, h, m or s, such as `7d`");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let number: u64 = text
        .strip_suffix(unit)
        .unwrap_or_default()
        .parse()
        .map_err(|_| wrong())?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        's' => 1,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(seconds)
        .map(Duration::from_secs)
        .ok_or_else(wrong)
}

/// Rows of cells in columns that line up; the first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter()
            .filter_map(|row| row.get(column))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns)
        .map(|column| width(column).unwrap_or(0))
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let gap = width - cell.chars().count();
            if is_number(cell) {
                line.push_str(&" ".repeat(gap));
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&" ".repeat(gap));
            }
            line.push_str("  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn is_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit())
        && cell
            .chars()
            .all(|c| c.is_ascii_digit() || c == ',' || c == '.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        assert_eq!(duration("7d"), Ok(Duration::from_secs(604_800)));
        assert_eq!(duration("90s"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "d",
            "7",
            "7w",
            "-1d",
            "1.5h",
            "99999999999999999999d",
            "7ü",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn long_lines_break_between_words() {
        let text = "\nRun 1: 2 tasks\n      note: `orders/2024-05-01.csv` has no `amount`: NULL there, and more\n      \u{1b}[33mwarning\u{1b}[0m: short";
        assert_eq!(
            wrapped(text, 42),
            "\nRun 1: 2 tasks\n      note: `orders/2024-05-01.csv` has no\n        `amount`: NULL there, and more\n      \u{1b}[33mwarning\u{1b}[0m: short"
        );
        let word = "x".repeat(50);
        assert_eq!(
            wrapped(&format!("a {word} b"), 42),
            format!("a\n  {word}\n  b")
        );
        assert_eq!(wrapped(text, 20), text);
    }

    #[test]
    fn columns_line_up_and_numbers_stand_right() {
        let row = |cells: &[&str]| {
            cells
                .iter()
                .map(|cell| (*cell).to_owned())
                .collect::<Vec<_>>()
        };
        let text = table(&[
            row(&["name", "rows"]),
            row(&["a", "1,000"]),
            row(&["long", "2"]),
        ]);
        assert_eq!(text, "name  rows\na     1,000\nlong      2\n");
    }
}
