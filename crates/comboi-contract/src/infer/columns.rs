//! What a column promises, line by line.

use comboi_project::SqlType;

use super::keys::Key;
use crate::facts::{ColumnFacts, Facts, Format};
use crate::words::{counted, grouped, words_of};
use crate::yaml;

/// A line of a contract, and on what it stands.
pub(super) struct Line {
    pub(super) text: String,
    pub(super) evidence: Option<String>,
}

/// So few rows tell nothing about values to come.
const ENOUGH: u64 = 20;
/// A list that is longer than this is no list of kinds.
const MOST_VALUES: usize = 20;

/// The lines of a column. `personal` says why it may tell about a person: then none of its values is repeated.
pub(super) fn column(
    facts: &Facts,
    column: &ColumnFacts,
    key: &Key,
    personal: Option<&str>,
) -> Vec<Line> {
    let plain = |text: String| Line {
        text,
        evidence: None,
    };
    let mut lines = vec![
        plain(format!("    - name: {}", yaml::text(&column.name))),
        Line {
            text: format!("      type: {}", sql_type(&column.sql_type)),
            evidence: better_type(column),
        },
    ];
    let (nullable, evidence) = nullable(facts, column);
    lines.push(Line {
        text: format!("      nullable: {nullable}"),
        evidence: Some(evidence),
    });
    if let Some(why) = personal {
        lines.push(Line {
            text: "      pii: true".to_owned(),
            evidence: Some(format!("suspected: {why}")),
        });
    }
    let constraints = constraints(facts, column, key, personal.is_some());
    let real = constraints.iter().any(|line| !line.text.starts_with('#'));
    if !constraints.is_empty() {
        let sign = if real { "" } else { "# " };
        lines.push(plain(format!("      {sign}constraints:")));
    }
    for Line { text, evidence } in constraints {
        let text = match text.strip_prefix("# ") {
            Some(text) if real => format!("        # {text}"),
            Some(text) => format!("      #   {text}"),
            None => format!("        - {text}"),
        };
        lines.push(Line { text, evidence });
    }
    lines
}

/// As types are usually written, without quotes where YAML needs none.
fn sql_type(sql_type: &SqlType) -> String {
    let text = sql_type.to_string();
    let safe =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ' ' | '(' | ')' | ',' | '[' | ']');
    if text.chars().all(safe) {
        text
    } else {
        yaml::quoted(&text)
    }
}

/// What its texts could be, too.
fn better_type(column: &ColumnFacts) -> Option<String> {
    if !matches!(column.sql_type, SqlType::Varchar(_)) || column.present < ENOUGH {
        return None;
    }
    let all = |format| column.count_of(format) == column.present;
    let (what, better) = if all(Format::Uuid) {
        ("a UUID", "UUID")
    } else if all(Format::Date) {
        ("a date", "DATE")
    } else if all(Format::Timestamp) {
        ("a timestamp", "TIMESTAMPTZ")
    } else if all(Format::WholeNumber) {
        ("a whole number", "BIGINT")
    } else {
        return None;
    };
    Some(format!(
        "every one of {} is {what}; with {better} here, `--generate-sql` casts",
        counted(column.present, "value")
    ))
}

fn nullable(facts: &Facts, column: &ColumnFacts) -> (bool, String) {
    let missing = facts.rows.saturating_sub(column.present);
    let rows = counted(facts.rows, "row");
    match (column.declared_not_null, missing) {
        (Some(true), _) => (false, "the database declares it NOT NULL".to_owned()),
        (_, 0) if facts.rows == 0 => (true, "there are no rows to tell by".to_owned()),
        (Some(false), 0) => (
            false,
            format!("none of {rows} is NULL, although the database would allow it"),
        ),
        (None, 0) => (false, format!("none of {rows} is NULL")),
        (_, missing) => (true, format!("{} of {rows} are NULL", grouped(missing))),
    }
}

/// Constraints, and in comments (`# …`) those that may be chance.
fn constraints(facts: &Facts, column: &ColumnFacts, key: &Key, personal: bool) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut push = |text: String, evidence: String| {
        lines.push(Line {
            text,
            evidence: Some(evidence),
        });
    };
    if let Some(evidence) = key.evidence(&column.name) {
        push("unique: true".to_owned(), evidence.to_owned());
    } else if column.unique == Some(true)
        && column.present > 2
        && column.present >= facts.rows
        && !column.sql_type.is_moment()
        && !matches!(
            column.sql_type,
            SqlType::Double | SqlType::Float | SqlType::Decimal(..)
        )
    {
        push(
            "# - unique: true".to_owned(),
            format!(
                "every one of {} is different, perhaps by chance",
                counted(column.present, "value")
            ),
        );
    }
    let values = (!personal && !key.has(&column.name))
        .then(|| allowed_values(column))
        .flatten();
    match values {
        Some((text, evidence)) => push(text, evidence),
        None => {
            if let Some((text, evidence)) = pattern(column, personal) {
                push(text, evidence);
            }
        }
    }
    if !personal {
        for (text, evidence) in bounds(column, key) {
            push(text, evidence);
        }
    }
    if column.blank > 0 {
        push(
            "# - min_length: 1".to_owned(),
            format!(
                "{} of {} are empty or blank",
                grouped(column.blank),
                counted(column.present, "text")
            ),
        );
    }
    lines
}

/// Few values, each of them often.
fn allowed_values(column: &ColumnFacts) -> Option<(String, String)> {
    let different = column.values.len();
    let kind = matches!(
        column.sql_type,
        SqlType::Varchar(_)
            | SqlType::TinyInt
            | SqlType::SmallInt
            | SqlType::Integer
            | SqlType::BigInt
            | SqlType::UTinyInt
    );
    // A thing that is counted is no kind of thing: quantities 1 to 7 will be 8 one day.
    let number = column.sql_type.is_integer()
        && !words_of(&column.name).iter().any(|word| {
            [
                "type", "status", "kind", "class", "category", "level", "code", "state",
            ]
            .contains(&word.as_str())
        });
    let few = (2..=MOST_VALUES).contains(&different)
        && column.present >= ENOUGH
        && column.present >= 5 * different as u64;
    let short = column.values.iter().all(|(value, _)| {
        value.chars().count() <= 40 && !value.contains("{{") && !value.trim().is_empty()
    });
    // What was seen once or twice among many may be a slip.
    let rare = column.values.last().map_or(0, |(_, count)| *count);
    if !(kind && few && short) || number {
        return None;
    }
    let list: Vec<String> = column
        .values
        .iter()
        .map(|(value, _)| {
            if column.sql_type.is_integer() {
                value.clone()
            } else {
                yaml::text(value)
            }
        })
        .collect();
    let slip = if rare * 1000 < column.present && rare <= 2 {
        format!("; the last of them only {}", times(rare))
    } else {
        String::new()
    };
    Some((
        format!("allowed_values: [{}]", list.join(", ")),
        format!(
            "{} have no other, most frequent first{slip}",
            counted(column.present, "value")
        ),
    ))
}

fn times(number: u64) -> &'static str {
    if number == 1 { "once" } else { "twice" }
}

/// A format that all values have, else a shape.
fn pattern(column: &ColumnFacts, personal: bool) -> Option<(String, String)> {
    if !matches!(column.sql_type, SqlType::Varchar(_)) || column.present < ENOUGH {
        return None;
    }
    let all = counted(column.present, "value");
    let known = Format::ALL
        .into_iter()
        .find(|format| column.count_of(*format) == column.present);
    // Two or three capital letters may be anything; only a name makes a code of them.
    let named = |wanted: &[&str]| {
        words_of(&column.name)
            .iter()
            .any(|word| wanted.contains(&word.as_str()))
    };
    match known {
        Some(Format::Country) if !named(&["country", "nation", "state", "language", "lang"]) => {}
        Some(Format::Currency) if !named(&["currency", "country", "airport", "iata"]) => {}
        Some(format) => {
            return Some((
                format!("pattern: {}", yaml::quoted(format.pattern())),
                format!("all {all} are {}", format.plural()),
            ));
        }
        None => {}
    }
    let (prefix, shape) = column.shape.as_ref()?;
    let length = shape.chars().count();
    let telling = (3..=40).contains(&length) && shape.contains('9') && !shape.contains(' ');
    (telling && !personal).then(|| {
        (
            format!("pattern: {}", yaml::quoted(&of_shape(prefix, shape))),
            format!("all {all} look like this"),
        )
    })
}

/// The regular expression of a shape. Letters and signs at the beginning that all have in common stand as they are.
fn of_shape(prefix: &str, shape: &str) -> String {
    let mut out = String::from("^");
    let same: Vec<char> = prefix.chars().take_while(|c| !c.is_ascii_digit()).collect();
    let mut rest = shape.chars().enumerate().peekable();
    while let Some((at, c)) = rest.next() {
        let class = match (same.get(at), c) {
            (Some(letter), 'A' | 'a') => Err(*letter),
            (_, '9') => Ok("[0-9]"),
            (_, 'A') => Ok("[A-Z]"),
            (_, 'a') => Ok("[a-z]"),
            (_, other) => Err(other),
        };
        match class {
            Ok(class) => {
                let mut count = 1;
                while rest
                    .next_if(|(at, next)| *next == c && same.get(*at).is_none())
                    .is_some()
                {
                    count += 1;
                }
                out.push_str(class);
                if count > 1 {
                    out.push_str(&format!("{{{count}}}"));
                }
            }
            Err(sign) => {
                if !sign.is_alphanumeric()
                    && sign.is_ascii()
                    && !matches!(sign, '-' | '_' | '/' | ':' | ' ' | '@' | '#')
                {
                    out.push('\\');
                }
                out.push(sign);
            }
        }
    }
    out.push('$');
    out
}

/// Bounds that are meant, and, in a comment, those that were found.
fn bounds(column: &ColumnFacts, key: &Key) -> Vec<(String, String)> {
    let Some((least, greatest)) = &column.range else {
        return Vec::new();
    };
    let values = counted(column.present, "value");
    if column.sql_type.is_moment() {
        return vec![(
            format!("# - min_value: {}", yaml::quoted(least)),
            format!("{values}, from {least} to {greatest}"),
        )];
    }
    if !column.sql_type.is_number()
        || key.has(&column.name)
        || super::keys::likely(&column.name) == 3
    {
        return Vec::new();
    }
    let evidence = format!("{values}, from {least} to {greatest}");
    let (Ok(low), Ok(high)) = (least.parse::<f64>(), greatest.parse::<f64>()) else {
        return Vec::new();
    };
    let words = words_of(&column.name);
    let called = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let known = if called(&["latitude", "lat"]) {
        Some((-90.0, 90.0))
    } else if called(&["longitude", "lon", "lng"]) {
        Some((-180.0, 180.0))
    } else if called(&["percent", "percentage", "pct"]) {
        Some((0.0, 100.0))
    } else if called(&["probability", "ratio", "share"]) {
        Some((0.0, 1.0))
    } else {
        None
    };
    if let Some((min, max)) = known.filter(|(min, max)| low >= *min && high <= *max) {
        return vec![
            (format!("min_value: {min}"), evidence.clone()),
            (format!("max_value: {max}"), evidence),
        ];
    }
    let mut found = Vec::new();
    if low >= 0.0 && column.present >= ENOUGH {
        found.push(("min_value: 0".to_owned(), evidence.clone()));
    } else {
        found.push((format!("# - min_value: {least}"), evidence.clone()));
    }
    found.push((format!("# - max_value: {greatest}"), evidence));
    found
}
