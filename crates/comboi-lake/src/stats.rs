//! What Delta's log says of a file's values, so that readers can pass over the file: taken from its
//! Parquet footer, exact or left out.
//!
//! JSON is written by hand, because a decimal of 38 digits has no other way into it without loss.

use deltalake::parquet::file::metadata::ParquetMetaData;
use serde_json::json;

use crate::bounds::{Bounds, Unit, Values};

/// How many columns have their values in the log, counted as Delta does by default.
const INDEXED: usize = 32;
/// How many characters of a text go into the log.
const PREFIX: usize = 32;

/// The statistics of a file, as Delta has them in its log.
pub(crate) fn stats(file: &ParquetMetaData) -> String {
    let mut lowest = Tree::default();
    let mut highest = Tree::default();
    let mut nulls = Tree::default();
    let schema = file.file_metadata().schema_descr();
    let indexed = schema
        .columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| column.max_rep_level() == 0);
    for (i, column) in indexed.take(INDEXED) {
        let values = Values::in_file(file, i);
        let path = column.path().parts();
        if let Some(null_count) = values.null_count {
            nulls.put(path, null_count.to_string());
        }
        if let Some((low, high)) = values.bounds.and_then(Bounds::json) {
            lowest.put(path, low);
            highest.put(path, high);
        }
    }
    let rows = file.file_metadata().num_rows();
    format!(
        r#"{{"numRecords":{rows},"minValues":{},"maxValues":{},"nullCount":{}}}"#,
        lowest.text(),
        highest.text(),
        nulls.text()
    )
}

/// A JSON object whose leaves are JSON already.
#[derive(Default)]
struct Tree(Vec<(String, Node)>);

enum Node {
    Leaf(String),
    Branch(Tree),
}

impl Tree {
    fn put(&mut self, path: &[String], leaf: String) {
        let Some((name, rest)) = path.split_first() else {
            return;
        };
        if rest.is_empty() {
            self.0.push((name.clone(), Node::Leaf(leaf)));
            return;
        }
        if !self.0.iter().any(|(known, _)| known == name) {
            self.0.push((name.clone(), Node::Branch(Self::default())));
        }
        let branch = self.0.iter_mut().find(|(known, _)| known == name);
        if let Some((_, Node::Branch(branch))) = branch {
            branch.put(rest, leaf);
        }
    }

    fn text(&self) -> String {
        let fields: Vec<String> = self
            .0
            .iter()
            .map(|(name, node)| {
                let value = match node {
                    Node::Leaf(leaf) => leaf.clone(),
                    Node::Branch(branch) => branch.text(),
                };
                format!("{}:{value}", json!(name))
            })
            .collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl Bounds {
    /// Both ends as JSON; `None` for what Delta has no words for.
    fn json(self) -> Option<(String, String)> {
        match self {
            Self::Integers(low, high, unit) => {
                Some((unit.json(low, Round::Down)?, unit.json(high, Round::Up)?))
            }
            Self::Booleans(low, high) => Some((low.to_string(), high.to_string())),
            Self::Floats(low, high) => Some((json!(low).to_string(), json!(high).to_string())),
            Self::Texts(low, high) => {
                let low: String = low.chars().take(PREFIX).collect();
                Some((json!(low).to_string(), json!(above(high)?).to_string()))
            }
        }
    }
}

/// A text that is not below any that starts as this one does.
fn above(text: String) -> Option<String> {
    if text.chars().nth(PREFIX).is_none() {
        return Some(text);
    }
    let prefix: String = text.chars().take(PREFIX).collect();
    (!text.contains(char::MAX)).then(|| format!("{prefix}{}", char::MAX))
}

#[derive(Clone, Copy)]
enum Round {
    Down,
    Up,
}

impl Unit {
    fn json(self, value: i128, round: Round) -> Option<String> {
        match self {
            Self::One => Some(value.to_string()),
            Self::Scale(scale) => Some(decimal(value, scale)),
            Self::Days => {
                let day = chrono::DateTime::from_timestamp(
                    i64::try_from(value).ok()?.checked_mul(86_400)?,
                    0,
                )?;
                four_digit_year(&day)?;
                Some(json!(day.format("%Y-%m-%d").to_string()).to_string())
            }
            // Readers may take the text to be cut to milliseconds, so both ends are widened to whole ones.
            Self::Micros => {
                let micros = i64::try_from(value).ok()?;
                let millis = match round {
                    Round::Down => micros.div_euclid(1_000),
                    Round::Up => micros.checked_add(999)?.div_euclid(1_000),
                };
                let instant = chrono::DateTime::from_timestamp_millis(millis)?;
                four_digit_year(&instant)?;
                Some(json!(instant.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()).to_string())
            }
        }
    }
}

fn four_digit_year(instant: &chrono::DateTime<chrono::Utc>) -> Option<()> {
    (1..=9999)
        .contains(&chrono::Datelike::year(instant))
        .then_some(())
}

fn decimal(value: i128, scale: u32) -> String {
    let digits = format!(
        "{:0width$}",
        value.unsigned_abs(),
        width = scale as usize + 1
    );
    let sign = if value < 0 { "-" } else { "" };
    match digits.split_at_checked(digits.len() - scale as usize) {
        Some((whole, fraction)) if !fraction.is_empty() => format!("{sign}{whole}.{fraction}"),
        _ => format!("{sign}{digits}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_written_digit_by_digit() {
        for (value, scale, expected) in [
            (12_345, 2, "123.45"),
            (-5, 2, "-0.05"),
            (0, 3, "0.000"),
            (7, 0, "7"),
            (
                99_999_999_999_999_999_999_999_999_999_999_999_999,
                0,
                "99999999999999999999999999999999999999",
            ),
            (
                -99_999_999_999_999_999_999_999_999_999_999_999_999,
                38,
                "-0.99999999999999999999999999999999999999",
            ),
        ] {
            assert_eq!(decimal(value, scale), expected);
        }
    }

    #[test]
    fn the_ends_of_instants_are_widened_to_milliseconds() {
        let ends = |micros| {
            (
                Unit::Micros.json(micros, Round::Down),
                Unit::Micros.json(micros, Round::Up),
            )
        };
        assert_eq!(
            ends(1_500),
            (
                Some(r#""1970-01-01T00:00:00.001Z""#.into()),
                Some(r#""1970-01-01T00:00:00.002Z""#.into())
            )
        );
        assert_eq!(
            ends(-1),
            (
                Some(r#""1969-12-31T23:59:59.999Z""#.into()),
                Some(r#""1970-01-01T00:00:00.000Z""#.into())
            )
        );
        assert_eq!(ends(i128::from(i64::MAX)), (None, None));
    }

    #[test]
    fn a_long_text_is_cut_so_that_it_stays_above_the_whole() {
        let long = "z".repeat(40);
        let cut = above(long.clone()).unwrap();
        assert!(cut > long && cut.chars().count() == PREFIX + 1);
        assert_eq!(above("short".into()), Some("short".into()));
        assert_eq!(above(char::MAX.to_string().repeat(40)), None);
    }
}
