//! What is drawn of a model.

use std::collections::BTreeMap;

use comboi_linkage::{Linkage, Pairs, weight_of};

use super::Opened;
use super::page::{Bar, Page};
use crate::text;

/// Pairs of every range that are shown step by step.
const WATERFALLS: usize = 6;

/// Match probabilities that a person may think of.
const THRESHOLDS: [f64; 6] = [0.5, 0.8, 0.9, 0.95, 0.99, 0.999];

/// The charts of a model as one page that needs nothing else.
pub(super) fn page(opened: &Opened) -> anyhow::Result<String> {
    let linkage = &opened.link.linkage;
    let how = &opened.how.how;
    let least = how.threshold.value.min(0.5);
    let pairs = opened.link.pairs(least)?;
    let threshold = weight_of(how.threshold.value);
    let clusters = linkage.clusters(&pairs, threshold);
    let mut page = Page::new(&format!("How rows of {} are compared", opened.dataset));
    let settings = linkage.settings();
    page.text(&format!(
        "{}, of whose pairs one of {:.0} matches. Rows are one thing from a match probability of {} on.",
        text::counted(opened.rows.row_count, "row"),
        1.0 / settings.lambda_or_default(),
        how.threshold.value
    ));
    for note in &opened.link.notes {
        page.text(&format!("Note: {note}."));
    }
    page.heading("Match weights", "What each level says for or against a match: log2 of how much more often it is seen in matches than elsewhere.");
    for comparison in &settings.comparisons {
        // As they count: what was not learned has its default.
        let parameters = comparison.parameters().into_iter().rev();
        let bars = comparison
            .counting()
            .zip(parameters)
            .map(|(level, (m, u))| Bar {
                label: level.label.clone(),
                value: (m / u).log2(),
                note: String::new(),
            });
        page.signed(&comparison.name, bars.collect());
    }
    page.heading(
        "Shares of levels",
        "How often a level is seen in pairs that match (m) and in others (u), in percent.",
    );
    for comparison in &settings.comparisons {
        let mut bars = Vec::new();
        let parameters = comparison.parameters().into_iter().rev();
        for (level, (m, u)) in comparison.counting().zip(parameters) {
            for (name, share) in [("m", m), ("u", u)] {
                let percent = share * 100.0;
                bars.push(Bar {
                    label: format!("{} · {name}", level.label),
                    value: percent,
                    note: format!("{percent:.3}"),
                });
            }
        }
        page.bars(&comparison.name, bars);
    }
    page.heading(
        "Pairs compared",
        "How many pairs each rule gives; a pair of two rules is compared once.",
    );
    let rules = linkage.rules()?;
    let bars = rules.iter().map(|rule| Bar {
        label: rule.rule.clone(),
        value: number(rule.pairs),
        note: format!(
            "{} (largest key: {})",
            text::count(rule.pairs),
            text::counted(rule.largest_key_rows, "row")
        ),
    });
    page.bars("rules", bars.collect());
    page.heading(
        "Pairs found",
        &format!("Pairs by match weight, from a probability of {least} on."),
    );
    page.columns("match weight", &histogram(&pairs));
    page.heading("Clusters", "How many clusters have how many rows.");
    page.columns("rows", &sizes(&clusters));
    page.heading("Thresholds", "What another threshold would give.");
    page.table(
        &["threshold", "pairs", "clusters", "rows of the largest"],
        thresholds(opened, &pairs),
    );
    page.heading("Rows that say too little", "A row that a threshold would not find to be itself can hardly be found to be another: it has too few values, or too common ones.");
    page.table(
        &["threshold", "rows that can't be found", "percent"],
        unlinkable(linkage)?,
    );
    page.heading("Examples", "Pairs step by step, from the weakest that was found to the strongest. The values are those of the rows: keep this page where they may be seen.");
    for at in examples(&pairs) {
        let waterfall = linkage.explain_rows(pairs.l[at], pairs.r[at])?;
        page.waterfall(&waterfall);
    }
    Ok(page.end())
}

#[expect(clippy::cast_precision_loss, reason = "a chart needs no more digits")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Pairs by whole match weights.
fn histogram(pairs: &Pairs) -> Vec<(String, u64)> {
    let mut counts: BTreeMap<i32, u64> = BTreeMap::new();
    for weight in &pairs.weights {
        #[expect(clippy::cast_possible_truncation, reason = "clamped before")]
        let bin = weight.floor().clamp(-100.0, 100.0) as i32;
        *counts.entry(bin).or_default() += 1;
    }
    let (Some((first, _)), Some((last, _))) = (counts.first_key_value(), counts.last_key_value())
    else {
        return Vec::new();
    };
    (*first..=*last)
        .map(|bin| (bin.to_string(), counts.get(&bin).copied().unwrap_or(0)))
        .collect()
}

fn sizes(clusters: &[u32]) -> Vec<(String, u64)> {
    let mut rows: BTreeMap<u32, u64> = BTreeMap::new();
    for cluster in clusters {
        *rows.entry(*cluster).or_default() += 1;
    }
    let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
    for size in rows.values() {
        *counts.entry(*size).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(size, count)| (size.to_string(), count))
        .collect()
}

fn thresholds(opened: &Opened, pairs: &Pairs) -> Vec<Vec<String>> {
    let rows = THRESHOLDS.map(|threshold| {
        let weight = weight_of(threshold);
        let enough = pairs.weights.iter().filter(|it| **it >= weight).count() as u64;
        let sizes = sizes(&opened.link.linkage.clusters(pairs, weight));
        let clusters: u64 = sizes.iter().map(|(_, count)| count).sum();
        let largest = sizes
            .last()
            .map_or("0".to_owned(), |(size, _)| size.clone());
        vec![
            threshold.to_string(),
            text::count(enough),
            text::count(clusters),
            largest,
        ]
    });
    rows.to_vec()
}

/// How many rows each threshold leaves out whatever they are compared with.
fn unlinkable(linkage: &Linkage) -> anyhow::Result<Vec<Vec<String>>> {
    let weights = linkage.self_weights()?;
    let rows = THRESHOLDS.map(|threshold| {
        let least = weight_of(threshold);
        let lost = weights.iter().filter(|it| **it < least).count() as u64;
        let percent = number(lost) * 100.0 / number(weights.len().max(1) as u64);
        vec![
            threshold.to_string(),
            text::count(lost),
            format!("{percent:.1}"),
        ]
    });
    Ok(rows.to_vec())
}

/// Pairs at even distances, from the weakest to the strongest.
fn examples(pairs: &Pairs) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pairs.len()).collect();
    order.sort_by(|a, b| {
        pairs.weights[*a]
            .total_cmp(&pairs.weights[*b])
            .then(a.cmp(b))
    });
    let last = order.len().saturating_sub(1);
    let steps = WATERFALLS.min(order.len());
    let mut chosen: Vec<usize> = (0..steps)
        .map(|step| last * step / WATERFALLS.saturating_sub(1).max(1))
        .filter_map(|at| order.get(at).copied())
        .collect();
    chosen.dedup();
    chosen
}
