//! From measured facts to the text of a contract, each conclusion with its evidence beside it.
//!
//! What holds for all rows that were seen becomes a rule only where it is likely to be meant: amounts are never negative, a status has one
//! of five values. What may be chance (the greatest amount so far) stands in a comment, for a person to decide.

mod columns;
mod keys;

use comboi_project::Stage;

use crate::facts::Facts;
use crate::personal::suspicion;
use crate::words::{counted, grouped};
use crate::yaml;

use columns::{Line, column};
use keys::Key;

/// What data does not say about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct About {
    /// The dataset's name.
    pub dataset: String,
    /// Where it lives.
    pub stage: Stage,
    /// Who answers for it.
    pub owner: String,
    /// What it is.
    pub description: Option<String>,
    /// What was measured, as the person called it; no path of this machine.
    pub source: String,
}

/// The text of a contract that the data it was measured from keeps.
pub fn infer(facts: &Facts, about: &About) -> String {
    let key = Key::of(facts);
    let mut out = String::new();
    let mut line = |text: &str| {
        out.push_str(text);
        out.push('\n');
    };
    let rows = counted(facts.rows, "row");
    let sample = if facts.is_sample {
        "; there are more"
    } else {
        ""
    };
    line(&format!(
        "# Inferred from {} ({rows}{sample}). A comment behind a line says on what evidence it stands.",
        comment(&about.source)
    ));
    line("version: \"1.0.0\"");
    line(&format!("dataset: {}", yaml::text(&about.dataset)));
    line(&format!("stage: {}", about.stage));
    line(&format!("owner: {}", yaml::text(&about.owner)));
    if let Some(description) = &about.description {
        line(&format!("description: {}", yaml::text(description)));
    }
    line("");
    line("schema:");
    line("  extra_columns: [processed_at]  # which `--generate-sql` adds");
    line("  columns:");
    let personal: Vec<(&str, String)> = facts
        .columns
        .iter()
        .filter_map(|column| Some((column.name.as_str(), suspicion(column)?)))
        .collect();
    for facts_of in &facts.columns {
        let why = personal
            .iter()
            .find(|(name, _)| *name == facts_of.name)
            .map(|(_, why)| why.as_str());
        for Line { text, evidence } in column(facts, facts_of, &key, why) {
            line(&with_evidence(&text, evidence.as_deref()));
        }
    }
    for text in rules(facts, &key) {
        line(&text);
    }
    for text in sla(facts) {
        line(&text);
    }
    for text in privacy(&personal) {
        line(&text);
    }
    out
}

/// A text that stays on its line.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn with_evidence(text: &str, evidence: Option<&str>) -> String {
    match evidence {
        Some(evidence) => format!("{text}  # {}", comment(evidence)),
        None => text.to_owned(),
    }
}

fn rules(facts: &Facts, key: &Key) -> Vec<String> {
    let mut lines = Vec::new();
    if let Key::Several(columns, evidence) = key {
        lines.extend([
            format!("  - name: one_row_each  # {}", comment(evidence)),
            "    type: uniqueness".to_owned(),
            format!(
                "    columns: {}",
                yaml::list(columns.iter().map(String::as_str))
            ),
            "    severity: error".to_owned(),
        ]);
    }
    if facts.rows > 0 {
        let more = if facts.is_sample { " at least" } else { "" };
        lines.extend([
            format!(
                "  - name: minimum_rows  # there are {}{more}",
                counted(facts.rows, "row")
            ),
            "    type: volume".to_owned(),
            "    min_rows: 1".to_owned(),
            "    severity: error".to_owned(),
        ]);
    }
    if !lines.is_empty() {
        lines.splice(0..0, [String::new(), "quality_rules:".to_owned()]);
    }
    lines
}

/// Names by which freshness is told, best first; the rest of the time columns in the order of the dataset.
const FRESH: [&str; 9] = [
    "updated_at",
    "modified_at",
    "last_modified",
    "changed_at",
    "loaded_at",
    "processed_at",
    "event_time",
    "timestamp",
    "created_at",
];

const HOUR: u64 = 3600;
/// Ages that people promise, in hours.
const AGES: [u64; 8] = [24, 48, 72, 168, 336, 744, 2208, 8784];

fn sla(facts: &Facts) -> Vec<String> {
    let rank = |name: &str| {
        FRESH
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known))
            .unwrap_or(FRESH.len())
    };
    let newest = facts
        .columns
        .iter()
        .filter(|column| column.sql_type.is_moment())
        .filter_map(|column| Some((column, column.age?)))
        .min_by_key(|(column, _)| rank(&column.name));
    let Some((column, age)) = newest else {
        return Vec::new();
    };
    let hours = age.as_secs() / HOUR + 1;
    let days = hours / 24;
    let told = if days >= 2 {
        format!("its newest value is {} old", counted(days, "day"))
    } else {
        format!("its newest value is {} old", counted(hours, "hour"))
    };
    // Room for the next delivery, which is as late as the last one was.
    let promised = AGES
        .into_iter()
        .find(|promised| hours.saturating_add(1) <= *promised);
    let mut lines = vec![String::new(), "sla:".to_owned()];
    match promised {
        Some(promised) => {
            lines.push("  freshness:".to_owned());
            lines.push(format!("    max_age_hours: {promised}  # {told}"));
            lines.push(format!("    column: {}", yaml::text(&column.name)));
        }
        None => {
            lines.push(format!(
                "  # {}: {told}, so no age is promised",
                comment(&column.name)
            ));
            lines.push("  # freshness:".to_owned());
            lines.push("  #   max_age_hours: 24".to_owned());
            lines.push(format!("  #   column: {}", yaml::text(&column.name)));
        }
    }
    if facts.rows > 0 {
        lines.push("  completeness:".to_owned());
        lines.push(format!(
            "    min_row_count: 1  # of {}",
            grouped(facts.rows)
        ));
    } else if promised.is_none() {
        return Vec::new();
    }
    lines
}

fn privacy(personal: &[(&str, String)]) -> Vec<String> {
    let Some((first, _)) = personal.first() else {
        return Vec::new();
    };
    vec![
        String::new(),
        "privacy:".to_owned(),
        "  classification: PII".to_owned(),
        "  gdpr_applicable: true".to_owned(),
        format!(
            "  pii_columns: {}",
            yaml::list(personal.iter().map(|(name, _)| *name))
        ),
        "  # Before this is published, say of each how it is handled: hmac, sha256_unkeyed, mask, truncate, generalise,"
            .to_owned(),
        "  # exclude, or allowed. Take `pii: true` and its entry above away from what tells about nobody.".to_owned(),
        "  # columns:".to_owned(),
        format!("  #   - column: {}", yaml::text(first)),
        "  #     handling: hmac".to_owned(),
    ]
}

#[cfg(test)]
mod tests;
