//! Verdicts as annotations of GitHub's workflows: a line for each broken rule, at its place in the contract.

use comboi_engine::Verdict;
use comboi_project::Severity;
use comboi_run::RunReport;

/// What became of a run: its failed tasks and broken rules.
pub(crate) fn of_run(report: &RunReport) -> String {
    let mut text = String::new();
    for task in &report.tasks {
        let dataset = task.dataset.to_string();
        if let Some(failure) = &task.failure {
            text.push_str(&format!(
                "::error title={}::{}\n",
                property(&dataset),
                message(&failure.message)
            ));
        }
        for warning in &task.warnings {
            text.push_str(&format!(
                "::warning title={}::{}\n",
                property(&dataset),
                message(warning)
            ));
        }
        text.push_str(&of_verdicts(&dataset, &task.verdicts));
    }
    text
}

/// The verdicts of one dataset. Never with the sample: logs of workflows are for many eyes.
pub(crate) fn of_verdicts(dataset: &str, verdicts: &[Verdict]) -> String {
    let broken = verdicts.iter().filter(|verdict| !verdict.passed());
    let annotation = |verdict: &Verdict| {
        let level = match verdict.severity {
            _ if verdict.blocks() => "error",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "notice",
        };
        format!(
            "::{level} file={},line={},col={},title={}::{}\n",
            property(&verdict.place.file.display().to_string()),
            verdict.place.line,
            verdict.place.column,
            property(&format!("{dataset}: {}", verdict.rule)),
            message(&verdict.to_string())
        )
    };
    broken.map(annotation).collect()
}

/// <https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts>
fn message(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    message(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_rule_is_an_annotation() {
        let verdict = |severity: &str, detail: &str| -> Verdict {
            serde_json::from_value(serde_json::json!({
                "rule": "r:1", "kind": "compare", "severity": severity, "outcome": "failed", "failed_count": 2,
                "detail": detail, "sample": {"columns": ["a"], "rows": [["secret"]]}, "measured": "9 rows",
                "place": {"file": "a,b.yml", "line": 9, "column": 5}
            }))
            .unwrap()
        };
        let found = of_verdicts(
            "silver/shop",
            &[verdict("error", "5 % off\nor more"), verdict("info", "x")],
        );
        assert_eq!(
            found,
            "::error file=a%2Cb.yml,line=9,col=5,title=silver/shop%3A r%3A1::r:1: failed (error): 2 rows: 5 %25 off%0Aor more (9 rows)\n\
             ::notice file=a%2Cb.yml,line=9,col=5,title=silver/shop%3A r%3A1::r:1: failed (info): 2 rows: x (9 rows)\n"
        );
    }
}
