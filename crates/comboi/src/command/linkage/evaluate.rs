//! How good the pairs and clusters are, where somebody knows what belongs together.

use std::collections::{HashMap, HashSet};
use std::io::Write;

use comboi_linkage::quality::{self, Quality};
use comboi_linkage::{Pairs, weight_of};
use serde::Serialize;

use super::Opened;
use super::labels::{self, Labels};
use crate::cli::Output;
use crate::command;
use crate::text;

/// Match probabilities at which is measured, besides the dataset's own threshold.
const THRESHOLDS: [f64; 5] = [0.5, 0.8, 0.9, 0.95, 0.99];

/// What was found at a threshold.
#[derive(Serialize)]
struct Measured {
    threshold: f64,
    /// Pairs that weigh enough, against all that belong together.
    pairs: Quality,
    /// Pairs of rows in one cluster, against all that belong together.
    clusters: Quality,
    /// Row by row; only where it is known what each row is.
    b_cubed: Option<Quality>,
}

pub(super) fn evaluate(
    opened: &Opened,
    labels: &str,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let labels = labels::read(opened, labels)?;
    let own = opened.how.how.threshold.value;
    let mut thresholds = THRESHOLDS.to_vec();
    thresholds.push(own);
    thresholds.sort_by(f64::total_cmp);
    thresholds.dedup();
    let least = thresholds.first().copied().unwrap_or(own);
    let pairs = opened.link.pairs(least)?;
    let measured: Vec<Measured> = thresholds
        .into_iter()
        .map(|threshold| measure(opened, &labels, &pairs, threshold))
        .collect();
    let known = match &labels {
        Labels::Things(rows) => text::counted(rows.len() as u64, "labelled row"),
        Labels::Pairs(pairs) => text::counted(pairs.len() as u64, "labelled pair"),
    };
    if output == Output::Json {
        let document = serde_json::json!({ "dataset": opened.dataset, "labels": known, "thresholds": measured });
        return command::json(out, &document);
    }
    writeln!(
        out,
        "{}: {known}; precision / recall / F1 in percent",
        opened.dataset
    )?;
    let mut table = vec![
        ["threshold", "pairs", "clusters", "B³"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for one in measured {
        let mark = if one.threshold == own { " (own)" } else { "" };
        table.push(vec![
            format!("{}{mark}", one.threshold),
            shown(one.pairs),
            shown(one.clusters),
            one.b_cubed.map_or("-".to_owned(), shown),
        ]);
    }
    write!(out, "{}", text::table(&table))?;
    Ok(())
}

fn shown(quality: Quality) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    format!(
        "{} / {} / {}",
        percent(quality.precision),
        percent(quality.recall),
        percent(quality.f1)
    )
}

fn measure(opened: &Opened, labels: &Labels, pairs: &Pairs, threshold: f64) -> Measured {
    let weight = weight_of(threshold);
    let clusters = opened.link.linkage.clusters(pairs, weight);
    let enough = || {
        (0..pairs.len())
            .filter(|at| pairs.weights[*at] >= weight)
            .map(|at| (pairs.l[at], pairs.r[at]))
    };
    match labels {
        Labels::Things(rows) => {
            let places: HashMap<u32, u32> = (0_u32..)
                .zip(rows)
                .map(|(at, (row, _))| (*row, at))
                .collect();
            let things: Vec<u32> = rows.iter().map(|(_, thing)| *thing).collect();
            let found: Vec<u32> = rows
                .iter()
                .map(|(row, _)| clusters[*row as usize])
                .collect();
            let known = enough().filter_map(|(l, r)| Some((*places.get(&l)?, *places.get(&r)?)));
            Measured {
                threshold,
                pairs: quality::of_pairs(&things, known),
                clusters: quality::of_cluster_pairs(&things, &found),
                b_cubed: Some(quality::b_cubed(&things, &found)),
            }
        }
        Labels::Pairs(known) => {
            let linked: HashSet<(u32, u32)> = enough().map(|(l, r)| (l.min(r), l.max(r))).collect();
            let pair = |l: u32, r: u32| linked.contains(&(l.min(r), l.max(r)));
            let cluster = |l: u32, r: u32| clusters[l as usize] == clusters[r as usize];
            Measured {
                threshold,
                pairs: of_known(known, pair),
                clusters: of_known(known, cluster),
                b_cubed: None,
            }
        }
    }
}

fn of_known(known: &[(u32, u32, bool)], found: impl Fn(u32, u32) -> bool) -> Quality {
    let count = |matches: &dyn Fn(&(u32, u32, bool)) -> bool| {
        known.iter().filter(|pair| matches(pair)).count() as u64
    };
    Quality::of_counts(
        count(&|(l, r, same)| *same && found(*l, *r)),
        count(&|(l, r, _)| found(*l, *r)),
        count(&|(_, _, same)| *same),
    )
}
