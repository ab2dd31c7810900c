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
