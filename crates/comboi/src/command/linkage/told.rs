//! A model and a comparison, as text.

use std::io::Write;
use std::path::Path;

use comboi_linkage::Waterfall;
use comboi_project::Deduplication;

use super::{Opened, is_match};
use crate::cli::Output;
use crate::command;
use crate::text;

/// What was learned.
pub(super) fn model(
    opened: &Opened,
    saved_to: Option<&Path>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let settings = opened.link.linkage.settings();
    if output == Output::Json {
        let model: serde_json::Value = serde_json::from_str(&opened.link.model())?;
        let document = serde_json::json!({
            "dataset": opened.dataset,
            "rows": opened.rows.row_count,
            "model": model,
            "training": opened.link.training,
            "notes": opened.link.notes,
            "saved_to": saved_to,
        });
        return command::json(out, &document);
    }
    writeln!(
        out,
        "{}: {}; one of {:.0} pairs matches",
        opened.dataset,
        text::counted(opened.rows.row_count, "row"),
        1.0 / settings.lambda_or_default()
    )?;
    let mut table = vec![
        ["comparison", "level", "m", "u", "weight"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for comparison in &settings.comparisons {
        for level in comparison.counting() {
            let share = |share: Option<f64>| share.map_or("-".to_owned(), |it| format!("{it:.6}"));
            let weight = level.m.zip(level.u).map(|(m, u)| (m / u).log2());
            table.push(vec![
                comparison.name.clone(),
                level.label.clone(),
                share(level.m),
                share(level.u),
                weight.map_or("-".to_owned(), |it| format!("{it:+.2}")),
            ]);
        }
    }
    write!(out, "{}", text::table(&table))?;
    for note in &opened.link.notes {
        writeln!(out, "note: {note}")?;
    }
    if let Some(path) = saved_to {
        writeln!(out, "saved to {}", path.display())?;
    }
    Ok(())
}

/// A match weight, step by step.
pub(super) fn waterfall(waterfall: &Waterfall, how: &Deduplication) -> String {
    let mut table = vec![
        ["comparison", "left", "right", "level", "weight"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let weight = |weight: f64| format!("{weight:+.2}");
    table.push(vec![
        "any two rows".to_owned(),
        String::new(),
        String::new(),
        String::new(),
        weight(waterfall.prior),
    ]);
    let values = |values: &[(String, Option<String>)]| {
        let values: Vec<&str> = values
            .iter()
            .map(|(_, value)| value.as_deref().unwrap_or("NULL"))
            .collect();
        values.join(", ")
    };
    for bar in &waterfall.bars {
        table.push(vec![
            bar.name.clone(),
            values(&bar.values_l),
            values(&bar.values_r),
            bar.label.clone(),
            weight(bar.weight + bar.term_frequency_weight),
        ]);
    }
    let verdict = if is_match(waterfall, how) {
        "one thing"
    } else {
        "not one thing"
    };
    format!(
        "{}\nmatch weight {:.2}, probability {:.6}: {verdict} at a threshold of {}\n",
        text::table(&table),
        waterfall.weight,
        waterfall.probability,
        how.how.threshold.value
    )
}
