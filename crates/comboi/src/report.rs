//! What became of a run and of its tasks, as text for people.

pub(crate) mod github;
pub(crate) mod junit;

use comboi_engine::{DedupeReport, Verdict, VerdictOutcome};
use comboi_project::{Severity, Stage};
use comboi_run::{Outcome, Receipt, RunReport};

use crate::paint::Paint;
use crate::text;

/// A task that has ended: a line of its own, then what a person should know besides. `width` is that of the longest
/// dataset's name.
pub(crate) fn task_lines(receipt: &Receipt, width: usize, paint: Paint) -> Vec<String> {
    let mut lines = vec![task_line(receipt, width, paint)];
    if receipt.outcome == Outcome::Succeeded
        && let Some(published) = &receipt.published
    {
        lines.push(format!("      published as {published}"));
    }
    lines.extend(
        details(receipt, paint)
            .iter()
            .map(|line| format!("      {line}")),
    );
    lines
}

fn task_line(receipt: &Receipt, width: usize, paint: Paint) -> String {
    // Padded before it is painted: colours take no room.
    let outcome = paint.outcome(receipt.outcome, &format!("{:15}", receipt.outcome));
    let rest = match receipt.outcome {
        Outcome::Succeeded => format!(
            "{:>14}  {:>8}  {}",
            text::counted(receipt.rows, "row"),
            text::took(receipt.took()),
            rules(&[receipt]).unwrap_or_default(),
        ),
        Outcome::Skipped => receipt.reason.clone().unwrap_or_default(),
        Outcome::Failed => format!(
            "{:>14}  {:>8}  {}",
            "",
            text::took(receipt.took()),
            rules(&[receipt]).unwrap_or_default(),
        ),
        Outcome::UpstreamFailed | Outcome::Stopped => String::new(),
    };
    let dataset = receipt.dataset.to_string();
    format!("  {dataset:width$}  {outcome}  {rest}")
        .trim_end()
        .to_owned()
}

/// `12 rules passed`, `11 of 12 rules passed`; `None` when none was checked.
fn rules(receipts: &[&Receipt]) -> Option<String> {
    let verdicts = || receipts.iter().flat_map(|receipt| &receipt.verdicts);
    let all = verdicts().count() as u64;
    let passed = verdicts().filter(|verdict| verdict.passed()).count() as u64;
    match all {
        0 => None,
        all if all == passed => Some(format!("{} passed", text::counted(all, "rule"))),
        all => Some(format!(
            "{} of {} passed",
            text::count(passed),
            text::counted(all, "rule")
        )),
    }
}

fn details(receipt: &Receipt, paint: Paint) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(failure) = &receipt.failure {
        lines.extend(failure.message.lines().map(str::to_owned));
    }
    if receipt.quarantined_rows > 0 {
        let rows = text::counted(receipt.quarantined_rows, "bad row");
        let dataset = &receipt.dataset;
        lines.push(format!(
            "{rows} put aside: `comboi quarantine show {dataset}`"
        ));
    }
    if let Some(found) = &receipt.dedupe {
        lines.extend(deduplicated(found, receipt));
    }
    lines.extend(receipt.notes.iter().map(|note| format!("note: {note}")));
    let warning = paint.severity(Severity::Warning);
    let warnings = receipt.warnings.iter();
    lines.extend(warnings.map(|text| format!("{warning}: {text}")));
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let broken = receipt.broken(severity);
        lines.extend(broken.flat_map(|verdict| verdict_lines(verdict, paint)));
    }
    lines
}

/// What a deduplication found, and what became of the clusters of the run before.
fn deduplicated(found: &DedupeReport, receipt: &Receipt) -> Vec<String> {
    let mut lines = vec![format!(
        "{} are {}; the largest cluster has {}",
        text::counted(found.row_count, "row"),
        text::counted(found.cluster_count, "cluster"),
        text::counted(found.largest_cluster_rows, "row"),
    )];
    let changed = [
        (found.merged_clusters, "became part of another"),
        (found.split_clusters, "lost rows to others"),
    ];
    let changed: Vec<String> = changed
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", text::counted(count, "cluster")))
        .collect();
    if !changed.is_empty() {
        lines.push(format!(
            "{}: `comboi show {}__cluster_log`",
            changed.join(", "),
            receipt.dataset
        ));
    }
    lines
}

/// A rule's verdict; for one that did not hold, where the rule stands and a masked sample.
pub(crate) fn verdict_lines(verdict: &Verdict, paint: Paint) -> Vec<String> {
    let severity = verdict.severity;
    let plain = format!("({severity})");
    let painted = format!("({})", paint.severity(severity));
    let mut lines = vec![verdict.to_string().replacen(&plain, &painted, 1)];
    if verdict.passed() {
        return lines;
    }
    lines.push(format!("  at {}", verdict.place));
    if let VerdictOutcome::Failed { sample, .. } = &verdict.outcome
        && !sample.is_empty()
    {
        lines.extend(filled("  such as ", &sample.lines()));
    }
    lines
}

/// Rows of a sample next to each other, as many as keep a line short.
fn filled(head: &str, rows: &[String]) -> Vec<String> {
    const MOST: usize = 90;
    let mut lines: Vec<String> = Vec::new();
    for row in rows {
        match lines.last_mut() {
            Some(line) if line.chars().count() + row.chars().count() < MOST => {
                line.push_str("; ");
                line.push_str(row);
            }
            Some(_) => lines.push(format!("{:width$}{row}", "", width = head.len())),
            None => lines.push(format!("{head}{row}")),
        }
    }
    lines
}

/// How a run ended: as a whole, by stage, and what to do next.
pub(crate) fn summary(report: &RunReport, paint: Paint) -> String {
    let ended = if report.stopped {
        "was stopped"
    } else if report.interrupted {
        "was interrupted"
    } else if report.is_good() {
        "succeeded"
    } else {
        "failed"
    };
    let counts: Vec<String> = [
        Outcome::Succeeded,
        Outcome::Skipped,
        Outcome::Failed,
        Outcome::UpstreamFailed,
        Outcome::Stopped,
    ]
    .into_iter()
    .filter(|outcome| report.count(*outcome) > 0)
    .map(|outcome| format!("{} {outcome}", report.count(outcome)))
    .collect();
    let mut lines = vec![format!(
        "\nRun {} {} after {}: {}",
        report.run,
        paint.verdict(report.is_good(), ended),
        text::took(report.took()),
        counts.join(", ")
    )];
    lines.extend(
        Stage::ALL
            .into_iter()
            .filter_map(|stage| stage_line(report, stage)),
    );
    lines.extend(rules_line(report, paint));
    lines.extend(warnings_line(report, paint));
    lines.extend(report.notes.iter().map(|note| format!("note: {note}")));
    if !report.is_good() {
        lines.push(
            "`comboi retry` takes up what was left undone; what succeeded is not done again."
                .to_owned(),
        );
    }
    lines.join("\n")
}

/// `  Silver  4 of 4 datasets      15,381 rows    1.20 s  98 of 99 rules passed`; nothing for a stage without tasks.
fn stage_line(report: &RunReport, stage: Stage) -> Option<String> {
    let tasks: Vec<&Receipt> = report
        .tasks
        .iter()
        .filter(|task| task.dataset.stage() == stage)
        .collect();
    let begun = tasks.iter().map(|task| task.begun_at).min()?;
    let ended = tasks.iter().map(|task| task.ended_at).max()?;
    let done = tasks
        .iter()
        .filter(|task| task.outcome == Outcome::Succeeded)
        .count();
    let (name, noun) = match stage {
        Stage::Bronze => ("Bronze", "table"),
        Stage::Silver => ("Silver", "dataset"),
        Stage::Gold => ("Gold", "dataset"),
    };
    let share = format!("{done} of {}", text::counted(tasks.len() as u64, noun));
    let rows = text::counted(tasks.iter().map(|task| task.rows).sum(), "row");
    let line = format!(
        "  {name:6}  {share:20}  {rows:>16}  {:>8}  {}",
        text::took((ended - begun).to_std().unwrap_or_default()),
        rules(&tasks).unwrap_or_default(),
    );
    Some(line.trim_end().to_owned())
}

/// How many warnings tasks gave, and of which datasets.
fn warnings_line(report: &RunReport, paint: Paint) -> Option<String> {
    let warned = || report.tasks.iter().filter(|task| !task.warnings.is_empty());
    let count: usize = warned().map(|task| task.warnings.len()).sum();
    if count == 0 {
        return None;
    }
    let datasets: Vec<String> = warned().map(|task| format!("`{}`", task.dataset)).collect();
    Some(format!(
        "{}: {} about {}, see above",
        paint.severity(Severity::Warning),
        text::counted(count as u64, "warning"),
        datasets.join(", ")
    ))
}

fn rules_line(report: &RunReport, paint: Paint) -> Option<String> {
    let tasks: Vec<&Receipt> = report.tasks.iter().collect();
    let mut line = format!("Contracts: {}", rules(&tasks)?);
    for severity in [Severity::Error, Severity::Warning, Severity::Info] {
        let broken: usize = tasks.iter().map(|task| task.broken(severity).count()).sum();
        if broken > 0 {
            let severity = paint.severity(severity);
            line.push_str(&format!(", {broken} broken with severity {severity}"));
        }
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report as `--format json` writes it.
    const REPORT: &str = r#"{"run": 7, "pipeline": "shop", "stopped": false,
        "begun_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:01:05Z", "tasks": [
        {"run": 7, "dataset": "bronze/shop/orders", "outcome": "succeeded", "reason": null, "failure": null, "version": 3,
         "inputs": {}, "rows": 1234567, "total_rows": 1234567, "quarantined_rows": 2, "published": null,
         "notes": ["new column `x` (DATE)"], "verdicts": [], "late": false,
         "begun_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:12Z"},
        {"run": 7, "dataset": "silver/orders_clean", "outcome": "succeeded", "reason": null, "failure": null, "version": 0,
         "inputs": {}, "rows": 1, "total_rows": 1, "quarantined_rows": 0, "published": "data/silver/refined/orders_clean.parquet",
         "notes": [], "late": false, "begun_at": "2026-01-01T00:00:12Z", "ended_at": "2026-01-01T00:01:05Z", "verdicts": [
          {"rule": "schema", "kind": "schema", "severity": "error", "outcome": "passed", "measured": "1 column",
           "place": {"file": "c.yml", "line": 1, "column": 1}},
          {"rule": "known", "kind": "not_null", "severity": "warning", "outcome": "failed", "failed_count": 1,
           "detail": "`country` is NULL", "sample": {"columns": ["id"], "rows": [["5"]]}, "measured": "1 row",
           "place": {"file": "c.yml", "line": 9, "column": 5}}]}]}"#;

    fn report() -> RunReport {
        serde_json::from_str(REPORT).unwrap()
    }

    #[test]
    fn a_task_is_a_line_and_what_to_know_besides() {
        let lines = |task: usize| task_lines(&report().tasks[task], 19, Paint::Plain).join("\n");
        assert_eq!(
            lines(0),
            "  bronze/shop/orders   succeeded        1,234,567 rows    12.0 s\n      \
             2 bad rows put aside: `comboi quarantine show bronze/shop/orders`\n      \
             note: new column `x` (DATE)"
        );
        assert_eq!(
            lines(1),
            "  silver/orders_clean  succeeded                 1 row    53.0 s  1 of 2 rules passed\n      \
             published as data/silver/refined/orders_clean.parquet\n      \
             known: failed (warning): 1 row: `country` is NULL (1 row)\n        \
             at c.yml:9:5\n        \
             such as id 5"
        );
    }

    #[test]
    fn a_run_is_summed_up_by_stage() {
        assert_eq!(
            summary(&report(), Paint::Plain),
            "\nRun 7 succeeded after 1 m 05 s: 2 succeeded\n  \
             Bronze  1 of 1 table            1,234,567 rows    12.0 s\n  \
             Silver  1 of 1 dataset                   1 row    53.0 s  1 of 2 rules passed\n\
             Contracts: 1 of 2 rules passed, 1 broken with severity warning"
        );
    }

    #[test]
    fn what_concerns_the_whole_run_ends_its_summary() {
        let mut report = report();
        report.notes = vec!["no record".to_owned()];
        assert!(summary(&report, Paint::Plain).ends_with("severity warning\nnote: no record"));
    }

    #[test]
    fn rows_of_a_sample_share_lines_while_they_are_short() {
        let rows = ["id 1".to_owned(), "id 2".to_owned(), "x".repeat(90)];
        assert_eq!(
            filled("such as ", &rows),
            [
                "such as id 1; id 2".to_owned(),
                format!("        {}", rows[2])
            ]
        );
    }

    #[test]
    fn colours_change_nothing_but_the_colour() {
        let painted = task_lines(&report().tasks[1], 19, Paint::Colours).join("\n");
        assert!(painted.contains("\u{1b}[32msucceeded"), "{painted}");
        assert!(painted.contains("\u{1b}[33mwarning\u{1b}[0m"), "{painted}");
        let mut plain = painted;
        for code in ["\u{1b}[32m", "\u{1b}[33m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(
            plain,
            task_lines(&report().tasks[1], 19, Paint::Plain).join("\n")
        );
    }
}
