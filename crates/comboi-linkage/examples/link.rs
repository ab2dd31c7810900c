//! Links the records of a Parquet file by Splink's settings and tells how long each step took: for a profiler.
//!
//! `link RECORDS.parquet SETTINGS.json THRESHOLD [--train LAMBDA_RULES RECALL EM_RULES]`, rules separated by `;`.
#![allow(clippy::print_stdout, reason = "it is a program of its own")]

use std::path::{Path, PathBuf};
use std::time::Instant;

use comboi_engine::{Limits, Session};
use comboi_linkage::{Linkage, Predict, Records, Rule, Settings, Training, weight_of};
use comboi_project::Place;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [records, settings, threshold, rest @ ..] = arguments.as_slice() else {
        return Err(
            "link RECORDS.parquet SETTINGS.json THRESHOLD [--train LAMBDA_RULES RECALL EM_RULES]"
                .into(),
        );
    };
    let begun = Instant::now();
    let scratch = std::env::temp_dir().join(format!("link-{}", std::process::id()));
    let session = Session::open(&Limits::of_machine(), &scratch)?;
    let (settings, _) =
        Settings::from_json(&std::fs::read_to_string(settings)?, Path::new(settings))?;
    let rules = |text: &str| -> Vec<Rule> {
        text.split(';')
            .map(|it| Rule::new(it, &Place::file("arguments")))
            .collect()
    };
    let training = match rest {
        [_, lambda, recall, em] => Some(Training {
            deterministic_rules: rules(lambda),
            recall: recall.parse()?,
            em_rules: rules(em),
            ..Training::default()
        }),
        _ => None,
    };
    let files = [PathBuf::from(records)];
    let records = Records {
        files: &files,
        columns: None,
        blank_is_null: false,
    };
    let mut linkage = Linkage::open(&session, &records, settings, training.as_ref())?;
    println!("open {:.3}", begun.elapsed().as_secs_f64());
    if let Some(training) = &training {
        let report = linkage.train(training)?;
        println!(
            "train {:.3} ({} pairs for u)",
            begun.elapsed().as_secs_f64(),
            report.u_pairs
        );
        for session in &report.sessions {
            println!(
                "  {} pairs, {} rounds by {}",
                session.pairs,
                session.rounds.len() - 1,
                session.rule
            );
        }
    }
    let compared: u64 = linkage.rules()?.iter().map(|it| it.pairs).sum();
    println!(
        "count {:.3} ({compared} pairs)",
        begun.elapsed().as_secs_f64()
    );
    let weight = weight_of(threshold.parse()?);
    let pairs = linkage.predict(&Predict {
        threshold_weight: weight,
        pairs_budget: None,
    })?;
    println!(
        "predict {:.3} ({} edges)",
        begun.elapsed().as_secs_f64(),
        pairs.len()
    );
    let mut clusters = linkage.clusters(&pairs, weight);
    clusters.sort_unstable();
    clusters.dedup();
    println!(
        "cluster {:.3} ({} clusters)",
        begun.elapsed().as_secs_f64(),
        clusters.len()
    );
    drop(session);
    std::fs::remove_dir_all(&scratch)?;
    Ok(())
}
