//! The generated part of a file, between two marks; everything else is the person's.
//!
//! ```text
//! -- comboi:begin 1 contract=customers_clean input=bronze_customers
//! …
//! -- comboi:end 0123456789abcdef
//! ```
//!
//! The digest at the end tells whether somebody wrote between the marks. The number tells which comboi generated: another one may
//! write the same contract differently, which is no drift.

use comboi_project::Contract;
use sha2::{Digest as _, Sha256};

use super::{Generated, generate};

/// Of the form of what is generated; another one is not compared.
const FORM: &str = "1";
const BEGIN: &str = "-- comboi:begin ";
const END: &str = "-- comboi:end ";

/// What follows the marks in a new file.
const TAIL: &str = "SELECT *\nFROM cleaned\n";

/// Why generated SQL was not put into a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The file was written by hand.
    #[error("it has no part that was generated")]
    NoMarks,
    /// What was generated was edited.
    #[error("line {0}: what stands between the marks was edited")]
    Edited(usize),
}

/// How a file and its contract have come apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drift {
    /// Somebody wrote between the marks, at this line of the file.
    Edited {
        /// The line of the first mark.
        line: usize,
    },
    /// The contract says something else by now: from this line on.
    Changed {
        /// The first line that would be another.
        line: usize,
        /// What it would be.
        now: String,
    },
    /// There is a mark without its other one.
    Torn {
        /// The line of the mark.
        line: usize,
    },
}

/// A part with its marks.
pub(super) fn marked(sql: &str, name: &str, input: &str) -> String {
    format!(
        "{BEGIN}{FORM} contract={name} input={input}\n{sql}{END}{}\n",
        digest(sql)
    )
}

fn digest(sql: &str) -> String {
    // The same file on Windows is the same.
    let text: String = sql
        .lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect();
    let digest = Sha256::digest(text.as_bytes());
    digest
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// A generated part that was found in a file.
struct Found<'a> {
    form: &'a str,
    input: Option<&'a str>,
    contract: Option<&'a str>,
    /// The line of the first mark, from 0.
    begin: usize,
    /// The line of the second.
    end: usize,
    sql: String,
    digest: &'a str,
}

fn find(text: &str) -> Result<Option<Found<'_>>, Drift> {
    let lines: Vec<&str> = text.lines().collect();
    let at = |mark: &str| {
        lines
            .iter()
            .position(|line| line.trim_start().starts_with(mark.trim_end()))
    };
    let (begin, end) = match (at(BEGIN), at(END)) {
        (None, None) => return Ok(None),
        (Some(begin), Some(end)) if begin < end => (begin, end),
        (begin, end) => {
            return Err(Drift::Torn {
                line: begin.or(end).unwrap_or(0) + 1,
            });
        }
    };
    let words: Vec<&str> = lines[begin]
        .trim()
        .trim_start_matches(BEGIN)
        .split_whitespace()
        .collect();
    let after = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
    Ok(Some(Found {
        form: words.first().copied().unwrap_or_default(),
        input: after("input="),
        contract: after("contract="),
        begin,
        end,
        sql: lines[begin + 1..end]
            .iter()
            .map(|line| format!("{line}\n"))
            .collect(),
        digest: lines[end].trim().trim_start_matches(END.trim_end()).trim(),
    }))
}

/// The input that the generated part of a file reads, if it has one.
pub fn input_of(text: &str) -> Option<&str> {
    find(text).ok()??.input
}

/// The whole text of a file with what was generated in its place; the rest stays as it is.
///
/// A file without a generated part, or with one
/// that somebody wrote into, only with `force`: then it is replaced.
pub fn place_in(
    existing: Option<&str>,
    generated: &Generated,
    force: bool,
) -> Result<String, Refused> {
    let whole = || format!("{}{}{TAIL}", generated.heading, generated.part);
    let Some(text) = existing else {
        return Ok(whole());
    };
    let found = match find(text) {
        Ok(Some(found)) => found,
        Ok(None) if force => return Ok(whole()),
        Ok(None) => return Err(Refused::NoMarks),
        Err(Drift::Torn { .. }) if force => return Ok(whole()),
        Err(Drift::Torn { line } | Drift::Edited { line } | Drift::Changed { line, .. }) => {
            return Err(Refused::Edited(line));
        }
    };
    if digest(&found.sql) != found.digest && !force {
        return Err(Refused::Edited(found.begin + 1));
    }
    let lines: Vec<&str> = text.lines().collect();
    let rows =
        |lines: &[&str]| -> String { lines.iter().map(|line| format!("{line}\n")).collect() };
    Ok(format!(
        "{}{}{}",
        rows(&lines[..found.begin]),
        generated.part,
        rows(&lines[found.end + 1..])
    ))
}

/// Whether the generated part of a file still is what its contract says. `None`: it is, or there is no such part, or it belongs to
/// another contract.
pub fn drift(text: &str, contract: &Contract, name: &str) -> Option<Drift> {
    let found = match find(text) {
        Ok(found) => found?,
        Err(torn) => return Some(torn),
    };
    if found.contract != Some(name) {
        return None;
    }
    let line = found.begin + 1;
    if digest(&found.sql) != found.digest {
        return Some(Drift::Edited { line });
    }
    if found.form != FORM {
        return None;
    }
    let now = generate(contract, name, found.input?);
    let now: Vec<&str> = now.part.lines().collect();
    let now = now.get(1..now.len().saturating_sub(1)).unwrap_or_default();
    let before: Vec<&str> = found.sql.lines().map(str::trim_end).collect();
    if now == before.as_slice() {
        return None;
    }
    let at = now
        .iter()
        .zip(&before)
        .position(|(now, before)| now != before)
        .unwrap_or_else(|| now.len().min(before.len()));
    Some(Drift::Changed {
        line: line + 1 + at,
        now: now
            .get(at)
            .map_or_else(String::new, |line| line.trim().to_owned()),
    })
}
